"""Conversions: there and back, what is refused, and what is asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from shrinkage import ArgumentError
from shrinkage.units import Decay, NotExpressible, Strength, calls, convert, equivalents
from shrinkage.units._convert import CALLS, PACKAGES, written
from shrinkage.units._records import MEAN_LOSSES, DataFacts

DATA = DataFacts(n_samples=37, total_weight=37.0, sd_y=1.7, rms_y=2.3)
WEIGHTED = DataFacts(n_samples=37, total_weight=58.5, sd_y=1.7, rms_y=2.3, has_weights=True)
FACTORS = (0.5, 1.0, 1.5)  # they sum to their number: glmnet's own form


def same(first, second, rtol=1e-12):
    """Whether two meanings are one: strength and factors count by their product."""
    if isinstance(first, Decay):
        return first == second
    products = [s.alpha * np.array(s.factors or 1.0) for s in (first, second)]
    assert_allclose(products[0], products[1], rtol=rtol)
    assert_allclose(first.l1_ratio, second.l1_ratio, rtol=rtol, atol=1e-15)
    assert (first.fit_intercept, first.standardize) == (second.fit_intercept, second.standardize)
    return True


def there_and_back(name, meaning, facts):
    """The arguments of a call written from a meaning, and what the call reads from them."""
    found = written("ours", name, meaning, facts)
    return found, CALLS[name].read(CALLS[name].complete(found.arguments), facts)


strengths = st.floats(1e-6, 1e6)
ratios = st.sampled_from([0.0, 0.25, 0.7, 1.0])


def meanings(call):
    """Every meaning of a test that the call may have words for."""
    if call.is_decay:
        return st.builds(Decay, strengths)
    losses = st.sampled_from(call.losses if not call.is_term else ("squared", "logistic", None))
    return st.builds(
        Strength,
        strengths,
        ratios,
        st.sampled_from([None, FACTORS]),
        losses,
        st.booleans() if not call.is_term else st.just(True),
        st.booleans() if call.standardize else st.just(False),
    )


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("facts", [DATA, WEIGHTED], ids=["plain", "weighted"])
@settings(max_examples=12)
@given(data=st.data())
def test_what_is_written_reads_back_as_what_was_meant(name, facts, data):
    meaning = data.draw(meanings(CALLS[name]))
    if isinstance(meaning, Strength) and CALLS[name].is_term and meaning.loss is not None:
        loss = data.draw(st.sampled_from([k for k, (ours, _) in MEAN_LOSSES.items() if ours == meaning.loss]))
        facts = DataFacts(**{**vars(facts), "mean_loss": loss})
    try:
        found, back = there_and_back(name, meaning, facts)
    except NotExpressible:
        return
    assert same(back, meaning)
    assert found.code
    assert found.checked == calls()[name]


def expressible(name, facts):
    """A meaning that this call can say."""
    call = CALLS[name]
    if call.is_decay:
        return Decay(0.03)
    for ratio in (0.3, 1.0, 0.0):
        meaning = Strength(0.2, ratio, None, None if call.is_term else call.losses[0], call.intercept)
        try:
            written("ours", name, meaning, facts)
        except NotExpressible:
            continue
        return meaning
    raise AssertionError(name)


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_something_to_say_and_reaches_every_other_that_means_the_same(name):
    meaning = expressible(name, DATA)
    arguments = written("ours", name, meaning, DATA).arguments
    known = {"n_samples": 37, "sd_y": 1.7}
    if CALLS[name].is_term and not CALLS[name].is_decay:
        known["loss"] = "mse"
    reached = 0
    for other in CALLS:
        try:
            there = convert(name, other, **known, **arguments)
            back = convert(other, name, **{**known, "loss": known.get("loss", "mse" if CALLS[other].is_term else None)},
                           **there.arguments)  # fmt: skip
        except NotExpressible:
            continue
        except ArgumentError:  # a network's mean of squares is no loss of a logistic model
            assert CALLS[other].losses != CALLS[name].losses
            continue
        reached += 1
        for key, value in arguments.items():
            if isinstance(value, float):
                assert_allclose(back.arguments[key], value, rtol=1e-12, err_msg=f"{name} {other} {key}")
    assert reached >= 2


@given(alpha=strengths, ratio=ratios, total=st.floats(0.5, 1e4), n=st.integers(1, 10_000))
def test_a_sum_over_rows_is_the_mean_times_the_weights(alpha, ratio, total, n):
    facts = {"n_samples": n, "total_weight": total}
    ours = {"alpha": alpha, "l1_ratio": ratio}
    there = convert("shrinkage.LogisticRegression", "sklearn.LogisticRegression", **facts, **ours)
    assert_allclose(there.arguments["C"] * alpha * total, 1.0, rtol=1e-12)
    ridge = convert("shrinkage.Ridge", "sklearn.Ridge", **facts, alpha=alpha)
    assert_allclose(ridge.arguments["alpha"], alpha * total, rtol=1e-12)


@given(strength=strengths, ratio=st.floats(0, 1), sd=st.floats(1e-3, 1e3))
def test_glmnet_gaussian_divides_the_l2_part_alone_by_the_spread_of_y(strength, ratio, sd):
    ours = convert("glmnet.gaussian", "shrinkage.ElasticNet", sd_y=sd, **{"lambda": strength, "alpha": ratio})
    assert_allclose(ours.meaning.l1, strength * ratio, rtol=1e-9, atol=1e-12 * strength)
    assert_allclose(ours.meaning.l2, strength * (1 - ratio) / sd, rtol=1e-9, atol=1e-12 * strength / sd)


@given(factors=st.lists(st.floats(0.01, 100), min_size=1, max_size=6), scale=st.floats(0.01, 100))
def test_glmnet_does_not_see_the_scale_of_its_factors_and_we_do(factors, scale):
    first, second = (
        convert("glmnet.binomial", "shrinkage", lambda_=0.1, standardize=False, penalty_factor=np.array(factors) * k)
        for k in (1.0, scale)
    )
    assert same(first.meaning, second.meaning, rtol=1e-9)
    assert_allclose(sum(first.meaning.factors), len(factors), rtol=1e-12)


def test_a_column_that_glmnet_leaves_out_counts_as_one_among_its_factors():
    found = convert("glmnet.binomial", "glmnet.binomial", lambda_=0.3, penalty_factor=[1.0, 2.0, np.inf])
    assert_allclose(found.meaning.factors, [0.75, 1.5, np.inf])
    again = convert("glmnet.binomial", "glmnet.binomial", **found.arguments)
    assert_allclose(again.alpha * np.array(again.meaning.factors), 0.3 * np.array([0.75, 1.5, np.inf]))
    with pytest.raises(NotExpressible, match="leave such columns out"):
        convert("glmnet.binomial", "shrinkage", lambda_=0.3, penalty_factor=[1.0, 2.0, np.inf])


@pytest.mark.parametrize("target", ["sklearn.LogisticRegression", "glmnet", "shrinkage", "keras"])
def test_liblinear_with_an_intercept_is_refused_and_without_one_is_like_the_others(target):
    asked = {"C": 0.5, "n_samples": 20, "solver": "liblinear"}
    with pytest.raises(NotExpressible, match="penalizes the intercept"):
        convert("sklearn.LogisticRegression", target, **asked)
    assert convert("sklearn.LogisticRegression", target, fit_intercept=False, **asked).alpha == 0.1


@pytest.mark.parametrize("source", ["torch.AdamW", "keras.AdamW", "keras.Adam", "optax.adamw"])
def test_decoupled_decay_is_no_penalty_and_the_same_in_each_framework(source):
    for target in ("sklearn.Ridge", "shrinkage", "glmnet", "torch.SGD", "keras.L2", "prior.normal", "optax.loss"):
        with pytest.raises(NotExpressible, match="no penalty"):
            convert(source, target, weight_decay=0.05, n_samples=10, loss="mse")
    for target in ("torch", "keras", "optax"):
        found = convert(source, target, weight_decay=0.05)
        assert found.arguments == {"weight_decay": 0.05}
        assert found.alpha is None
        assert any("no penalty" in caveat for caveat in found.caveats)
    with pytest.raises(NotExpressible, match="no penalty"):
        convert("sklearn.Ridge", "torch.AdamW", alpha=1.0, n_samples=10)


def test_frameworks_defaults_are_their_own():
    rates = {
        name: convert(name, name).arguments["weight_decay"] for name in ("torch.AdamW", "keras.AdamW", "optax.adamw")
    }
    assert rates == {"torch.AdamW": 0.01, "keras.AdamW": 0.004, "optax.adamw": 1e-4}
    assert convert("sklearn.LogisticRegression", "shrinkage", n_samples=50).alpha == 0.02


def test_halves_between_networks_and_of_the_mean_square():
    assert convert("keras.L2", "torch.SGD", l2=0.1).arguments["weight_decay"] == 0.2
    assert convert("keras.L2", "shrinkage.Ridge", l2=0.1, loss="mse").alpha == 0.1
    assert convert("keras.L2", "shrinkage.Ridge", l2=0.1, loss="half_mse").alpha == 0.2
    assert_allclose(convert("keras.SGD", "torch.SGD", weight_decay=0.5, momentum=0.9).arguments["weight_decay"], 0.05)
    assert convert("shrinkage.Lasso", "keras", alpha=0.3).arguments == {"l1": 0.6}
    assert convert("shrinkage.Lasso", "keras", alpha=0.3, loss="half_mse").arguments == {"l1": 0.3}


def test_a_squared_loss_must_be_named_where_a_network_becomes_a_linear_model():
    with pytest.raises(ArgumentError, match="'mse', 'half_mse'"):
        convert("torch.SGD", "sklearn.Ridge", weight_decay=0.1, n_samples=10)
    with pytest.raises(NotExpressible, match="has the loss squared, the source has logistic"):
        convert("torch.SGD", "sklearn.Ridge", weight_decay=0.1, n_samples=10, loss="crossentropy")
    with pytest.raises(ArgumentError, match="loss must be one with the squared loss"):
        convert("shrinkage.Ridge", "torch", alpha=0.1, loss="crossentropy")


@pytest.mark.parametrize(
    ("source", "target", "asked", "said"),
    [
        ("sklearn.Ridge", "shrinkage", {"alpha": 1.0}, r"multiplies a sum over rows: give n_samples="),
        ("glmnet.gaussian", "sklearn", {"lambda": 0.1, "alpha": 0.5}, r"√mean\(\(y - ȳ\)²\): give sd_y="),
        ("glmnet.gaussian", "sklearn", {"alpha": 0.5}, "needs lambda=, which has no default"),
        ("sklearn.Lasso", "glmnet", {"C": 1.0}, "is read by its alpha, fit_intercept; got 'C'"),
        ("sklearn.Lass", "glmnet", {}, "'sklearn.Lass' is no call that is known; choose from sklearn.Ridge"),
        ("sklearn.Lasso", "glmnt", {}, "'glmnt' is no call that is known"),
        ("sklearn.Lasso", "glmnet", {"alpha": -1.0}, "alpha must be >= 0; got -1.0"),
        ("sklearn.Lasso", "glmnet", {"alpha": "x"}, "alpha must be a number; got 'x'"),
        ("sklearn.Lasso", "glmnet", {"fit_intercept": 1}, "fit_intercept must be True or False; got 1"),
        ("sklearn.ElasticNet", "glmnet", {"l1_ratio": 1.5, "sd_y": 1.0}, "l1_ratio must be between 0 and 1; got 1.5"),
        ("sklearn.LogisticRegression", "glmnet", {"C": 0.0, "n_samples": 5}, "C must be > 0; got 0"),
        ("glmnet.binomial", "glmnet", {"lambda": 1.0, "penalty_factor": [0.0, 0.0]}, "must be >= 0 and not all 0"),
        ("keras.SGD", "torch", {"momentum": 1.0}, "momentum must be below 1; got 1.0"),
        ("sklearn.Lasso", "glmnet", {"sample_weight": [1.0]}, "sample_weight needs y= beside it"),
        ("sklearn.Lasso", "glmnet", {"y": [1.0, 2.0], "n_samples": 2}, "n_samples is known from y"),
        ("sklearn.Lasso", "glmnet", {"n_samples": 0}, "n_samples must be a whole number >= 1; got 0"),
        ("sklearn.Lasso", "keras", {"loss": "hinge"}, "loss must be one of 'mse'"),
        ("prior.laplace", "shrinkage.L1L2", {"scale": 0.0, "n_samples": 5}, "scale must be > 0; got 0.0"),
        ("glum.GeneralizedLinearRegressor", "sklearn", {"family": "gamma"}, "family must be one of 'normal'"),
    ],
)  # fmt: skip
def test_a_wrong_or_missing_argument_is_named(source, target, asked, said):
    with pytest.raises(ArgumentError, match=said) as met:
        convert(source, target, **asked)
    assert not isinstance(met.value, NotExpressible)


@pytest.mark.parametrize(
    ("meaning", "target", "said"),
    [
        (Strength(1.0, 0.5, None, "squared"), "sklearn.Ridge", "has no mix of L1 and L2"),
        (Strength(1.0, 0.5, None, "squared"), "torch.SGD", "has no mix of L1 and L2"),
        (Strength(1.0, 1.0, None, "logistic"), "torch.Adam", "has no L1 penalty"),
        (Strength(1.0, 0.0, None, "logistic"), "statsmodels.Logit", "has no L2 penalty alone"),
        (Strength(1.0, 1.0, None, "logistic"), "celer.LogisticRegression", "fits no free intercept"),
        (Strength(1.0, 1.0, (1.0, 0.0), "squared"), "sklearn.Lasso", "divide column j of X"),
        (Strength(1.0, 1.0, (1.0, 0.0), "squared"), "celer.Lasso", "takes penalty factors > 0 only"),
        (Strength(1.0, 1.0, (1.0, 0.0), "squared"), "prior.laplace", "has a flat prior"),
        (Strength(1.0, 0.0, None, "poisson"), "shrinkage.Ridge", "has the loss squared, the source has poisson"),
        (Strength(1.0, 1.0, None, "squared", False, True), "spark.LinearRegression", "does not say how it scales"),
    ],
)
def test_what_a_package_lacks_is_said(meaning, target, said):
    with pytest.raises(NotExpressible, match=said):
        written("ours", target, meaning, DATA)


def test_what_rows_bring_is_refused_where_a_package_has_no_place_for_it():
    y, w, o = [1.0, 2.0, 4.0], [1.0, 2.0, 1.0], [0.1, 0.0, 0.2]
    with pytest.raises(NotExpressible, match="takes no row weights"):
        convert("shrinkage.Lasso", "celer.Lasso", y=y, sample_weight=w)
    with pytest.raises(NotExpressible, match="takes no offset"):
        convert("shrinkage.LogisticRegression", "sklearn.LogisticRegression", y=[0, 1, 1], offset=o)
    assert "y - offset" in convert("shrinkage.Lasso", "sklearn", y=y, offset=o).code


def test_glum_with_two_matrices_that_differ_means_a_mixing_for_each_column():
    asked = {"alpha": 0.1, "P1": [1.0, 2.0], "P2": [1.0, 1.0]}
    with pytest.raises(NotExpressible, match="l1_ratio of its own"):
        convert("glum.GeneralizedLinearRegressor", "shrinkage", l1_ratio=0.5, **asked)
    assert convert("glum.GeneralizedLinearRegressor", "shrinkage", l1_ratio=1.0, **asked).meaning.factors == (1.0, 2.0)


def test_spark_and_h2o_are_said_not_to_be_run():
    found = equivalents("sklearn.ElasticNet", alpha=0.1, n_samples=20, sd_y=2.0)
    for package in ("spark", "h2o"):
        assert found[package].checked == "documented, not run"
        assert "documented, not run" in str(found[package])


@pytest.mark.parametrize("name", ["spark.LinearRegression", "spark.LogisticRegression"])
def test_sparks_divisors_are_n_less_1(name):
    asked = {"regParam": 0.5, "elasticNetParam": 0.25, "n_samples": 5, "sd_y": 2.0}
    ours = convert(name, "shrinkage", **asked).meaning
    sd_y = 2.0 * np.sqrt(5 / 4) if "Linear" in name else 1.0
    assert_allclose(ours.l1, 0.125 * np.sqrt(5 / 4))  # |sd w| with their sd is √(n/(n-1)) times ours
    assert_allclose(ours.l2, 0.375 * (5 / 4) / sd_y)


def test_equivalents_name_each_package_once_as_a_call_or_as_a_refusal():
    found = equivalents("shrinkage.ElasticNet", alpha=0.1, l1_ratio=0.5, n_samples=30, sd_y=1.5)
    packages = [conversion.target.partition(".")[0] for conversion in found.conversions]
    assert sorted([*packages, *found.refusals]) == sorted(PACKAGES)
    assert found["glmnet"].target == found["glmnet.gaussian"].target == "glmnet.gaussian"
    with pytest.raises(NotExpressible, match="no mix of L1 and L2"):
        found["prior"]
    text = str(found)
    assert all(conversion.code in text for conversion in found.conversions)
    assert set(found.to_dict()["not_expressible"]) == set(found.refusals)


def test_glmnet_is_written_with_the_function_where_the_spread_of_y_is_not_known():
    assert convert("sklearn.ElasticNet", "glmnet", alpha=0.1).target == "glmnet.gaussian_object"
    assert convert("sklearn.ElasticNet", "glmnet", alpha=0.1, sd_y=2.0).target == "glmnet.gaussian"
    assert convert("sklearn.Lasso", "glmnet", alpha=0.1).target == "glmnet.gaussian"  # L1 has the same unit


@given(
    y=st.lists(st.floats(-100, 100), min_size=2, max_size=20),
    repeats=st.lists(st.integers(1, 4), min_size=20, max_size=20),
)
def test_facts_of_weighted_rows_are_those_of_repeated_rows(y, repeats):
    times = np.array(repeats[: len(y)])
    weighted = DataFacts.of(y, times.astype(float))
    plain = DataFacts.of(np.repeat(y, times))
    assert weighted.total_weight == plain.n_samples
    for name in ("sd_y", "rms_y"):
        values = [getattr(facts, name) or 0.0 for facts in (weighted, plain)]
        assert_allclose(*values, rtol=1e-7, atol=1e-6)
    assert_allclose(plain.sd_y or 0.0, np.std(np.repeat(y, times)), rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("y", [[2.0, 2.0], [1e200, -1e200]])
def test_a_spread_that_is_no_use_is_asked_for(y):
    with pytest.raises(ArgumentError, match="divides its L2 part"):
        convert("shrinkage.Ridge", "glmnet.gaussian", y=y, alpha=0.1)


def test_a_prior_times_the_number_of_rows_is_the_penalty():
    from scipy import stats

    w, alpha, n = np.array([-1.3, 0.4, 2.0]), 0.2, 25
    laplace = convert("shrinkage.LogisticRegression", "prior", alpha=alpha, l1_ratio=1.0, n_samples=n)
    normal = convert("shrinkage.LogisticRegression", "prior", alpha=alpha, l1_ratio=0.0, n_samples=n)
    for found, value, law in (
        (laplace, alpha * np.abs(w), stats.laplace),
        (normal, 0.5 * alpha * w**2, stats.norm),
    ):
        prior = law(scale=found.arguments["scale"])
        assert_allclose(prior.logpdf(0.0) - prior.logpdf(w), n * value, rtol=1e-12)
