"""Selection with losses of counts, amounts and gross errors: what holds for them, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import nbinom, poisson

from shrinkage import cross_validate, path
from shrinkage.losses import Gamma, Huber, NegativeBinomial, Poisson, Quantile, Tweedie
from shrinkage.selection import choose, information_criteria, leave_one_out, relaxed

LOSSES = [Poisson(), Gamma(), Tweedie(1.5), NegativeBinomial(2.0), Huber(1.0), Quantile(0.4, 0.2)]
each = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
MEAN = np.exp(0.5 * X[:, 0] - 0.4 * X[:, 1])
Y = RNG.gamma(2.0, MEAN / 2)
COUNTS = RNG.poisson(MEAN).astype(float)


@each
def test_a_relaxed_fit_minimizes_the_loss_on_its_support(loss):
    walked = path(X, Y, loss, n_alphas=4)
    found = relaxed(walked, cv=3)
    for t in (1, 2):
        support = np.flatnonzero(walked.coefs[:, [t]].toarray())
        columns = np.column_stack([np.ones(60), X[:, support]])
        ours = np.append(found.refit_intercepts[t], found.refits[:, [t]].toarray()[support])

        def objective(v, columns=columns):
            eta = columns @ v
            return loss.value(Y, eta).mean(), columns.T @ loss.gradient(Y, eta) / 60

        theirs = minimize(objective, np.zeros(len(ours)), jac=True, method="BFGS", options={"gtol": 1e-9})
        assert objective(ours)[0] <= theirs.fun + 1e-7
        assert len(ours) > 1


@pytest.mark.parametrize(
    ("loss", "log_likelihood"),
    [
        (Poisson(), lambda mean: poisson.logpmf(COUNTS, mean)),
        (NegativeBinomial(2.0), lambda mean: nbinom.logpmf(COUNTS, 2.0, 2.0 / (2.0 + mean))),
    ],
    ids=["poisson", "negative_binomial"],
)
def test_criteria_of_counts_are_of_their_likelihood(loss, log_likelihood):
    walked = path(X, COUNTS, loss, n_alphas=5)
    found = information_criteria(walked)
    for t, alpha in enumerate(walked.alphas):
        deviance = -2 * log_likelihood(walked.predict(X, alpha)).sum()
        assert found.deviance[t] == pytest.approx(deviance)
        assert found.aic[t] == pytest.approx(deviance + 2 * found.df[t])
        assert found.bic[t] == pytest.approx(deviance + np.log(60) * found.df[t])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Gamma(), "need a dispersion, which gamma loss"),
        (Tweedie(1.5), "need a dispersion, which tweedie loss"),
        (Huber(1.0), "need a likelihood, which huber loss is not"),
        (Quantile(0.5, 0.1), "need a likelihood, which quantile loss is not"),
    ],
)
def test_criteria_without_a_likelihood_are_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        information_criteria(path(X, Y, loss, n_alphas=3))


@each
def test_rows_left_out_are_scored_nearly_as_by_fits_without_them(loss):
    strengths = [0.2, 0.05]
    found = leave_one_out(path(X, Y, loss, alphas=strengths)).to_cross_validation().mean
    each_row = [(np.delete(np.arange(60), i), np.array([i])) for i in range(60)]
    exact = cross_validate(X, Y, each_row, loss=loss, alphas=strengths).mean
    assert_allclose(found, exact, rtol=0.03)


def test_a_rule_that_reads_losses_refuses_scores_of_which_more_is_better():
    cv = cross_validate(X, np.arange(60) % 2, 3, loss="logistic", score="auc", n_alphas=3)
    with pytest.raises(ValueError, match="of score='auc' take alpha_min or alpha_1se"):
        choose(cv, "1se")
