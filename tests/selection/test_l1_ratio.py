"""Cross-validation over l1_ratio: each is what it is alone, and the choice is made over the plane."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import ElasticNetCV
from sklearn.model_selection import KFold

from shrinkage import cross_validate
from shrinkage._errors import ArgumentError
from shrinkage.datasets import load_diabetes, simulate_linear
from shrinkage.design._native import NativeDesign
from shrinkage.selection import cross_validate_l1_ratio
from shrinkage.solvers._shared_folds import SharedFolds

DIABETES = load_diabetes()
WIDE = simulate_linear(60, 150, rho=0.5, n_nonzero=8, snr=3.0, seed=1)
RATIOS = [1.0, 0.3, 0.0, 0.8]
FEW = {"n_alphas": 12, "alpha_min_ratio": 0.01, "cv": 4}
LABELS = DIABETES.y > np.median(DIABETES.y)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.integers(1, 4, 60).astype(float)


@pytest.mark.parametrize(
    ("X", "y", "options"),
    [
        (DIABETES.X, DIABETES.y, {}),
        (WIDE.X, WIDE.y, {"standardize": True, "sample_weight": WEIGHTS, "offset": RNG.normal(size=60)}),
        (WIDE.X, WIDE.y, {"penalty_factor": np.r_[0.0, np.ones(149)], "fit_intercept": False}),
        (DIABETES.X, LABELS, {"loss": "logistic"}),
        (sparse.csc_array(np.where(np.abs(WIDE.X) > 1, WIDE.X, 0.0)), WIDE.y, {}),
        (sparse.csc_array(WIDE.X + 1e5), WIDE.y, {}),
    ],
    ids=["tall", "weights, offset, standardized", "factors, no intercept", "logistic", "sparse", "full columns"],
)
def test_every_l1_ratio_is_what_it_is_alone(X, y, options):
    plane = cross_validate_l1_ratio(X, y, RATIOS, **FEW, **options)
    for ratio, found in zip(RATIOS, plane.by_ratio, strict=True):
        alone = cross_validate(X, y, l1_ratio=ratio, **FEW, **options)
        np.testing.assert_allclose(found.alphas, alone.alphas, rtol=1e-10)
        np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-5)
        np.testing.assert_allclose(found.path.intercepts, alone.path.intercepts, rtol=1e-4, atol=1e-4)
        assert found.path.l1_ratio == ratio
        assert found.path.relative_gaps.max() <= 1e-6


@pytest.mark.parametrize("data", [DIABETES, WIDE], ids=["tall", "wide"])
def test_the_minimum_is_that_of_scikit_learn(data):
    folds, ratios = KFold(5, shuffle=True, random_state=0), [0.2, 0.7, 1.0]
    alphas = np.geomspace(3.0, 0.03, 25)
    peer = ElasticNetCV(l1_ratio=ratios, alphas=alphas, cv=folds, tol=1e-8, max_iter=100_000).fit(data.X, data.y)
    plane = cross_validate_l1_ratio(data.X, data.y, ratios, cv=folds, alphas=alphas)
    ours = np.array([cv.scores for cv in plane.by_ratio])
    np.testing.assert_allclose(ours, peer.mse_path_, rtol=1e-4)
    assert plane.l1_ratio_min == peer.l1_ratio_
    assert plane.alpha_min == pytest.approx(peer.alpha_)


def test_the_gram_matrix_is_made_once_for_all_ratios(monkeypatch):
    gathered, gather = [], NativeDesign.gather
    monkeypatch.setattr(
        NativeDesign, "gather", lambda self, features, *rest: gathered.extend(features) or gather(self, features, *rest)
    )
    cross_validate_l1_ratio(WIDE.X, WIDE.y, [1.0, 0.9, 0.5, 0.2], **FEW)
    assert len(gathered) == len(set(gathered))  # no column is gathered, or multiplied with the others, twice


@pytest.mark.parametrize("options", [{}, {"standardize": True, "sample_weight": WEIGHTS}], ids=["plain", "stated"])
def test_folds_of_large_wide_data_share_their_columns_for_all_ratios(options, monkeypatch):
    few, ratios, made = {**FEW, "alpha_min_ratio": 0.2}, [1.0, 0.0, 0.5], []
    data = simulate_linear(60, 20_000, rho=0.5, n_nonzero=8, snr=3.0, seed=1)
    make = SharedFolds.__init__
    monkeypatch.setattr(SharedFolds, "__init__", lambda self, *rest: made.append(self) or make(self, *rest))
    plane = cross_validate_l1_ratio(data.X, data.y, ratios, **few, **options)
    assert len(made) == 1
    for ratio, found in zip(ratios, plane.by_ratio, strict=True):
        alone = cross_validate(data.X, data.y, l1_ratio=ratio, **few, **options)
        np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-7)
        np.testing.assert_allclose(found.path.coefs.toarray(), alone.path.coefs.toarray(), atol=1e-8)
        assert found.fold_gaps.max() <= 1e-6
    zero = cross_validate_l1_ratio(data.X, data.y, [1.0], alphas=[0.5, 0.0], cv=4).by_ratio[0]
    assert zero.scores.shape == (2, 4)


def test_the_choices_are_made_over_the_plane():
    plane = cross_validate_l1_ratio(WIDE.X, WIDE.y, RATIOS, **FEW)
    means = np.array([cv.mean for cv in plane.by_ratio])
    sizes = np.array([cv.path.n_nonzero for cv in plane.by_ratio])
    r, t = plane.ratio_index_min, plane.index_min
    assert means[r, t] == means.min()
    assert (plane.l1_ratio_min, plane.alpha_min) == (RATIOS[r], plane.by_ratio[r].alphas[t])
    near = means <= means.min() + plane.by_ratio[r].se[t]
    r, t = plane.ratio_index_1se, plane.index_1se
    assert near[r, t]
    assert sizes[r, t] == sizes[near].min()
    assert means[r, t] == means[near & (sizes == sizes[r, t])].min()
    assert (plane.l1_ratio_1se, plane.alpha_1se) == (RATIOS[r], plane.by_ratio[r].alphas[t])


def test_sentences_and_table_say_the_plane():
    plane = cross_validate_l1_ratio(DIABETES.X, DIABETES.y, [0.5, 1.0], **FEW)
    assert f"min: l1_ratio = {plane.l1_ratio_min:g}, alpha = {plane.alpha_min:.4g}" in str(plane)
    assert f"1se: l1_ratio = {plane.l1_ratio_1se:g}, alpha = {plane.alpha_1se:.4g}" in str(plane)
    assert "2 l1_ratios" in repr(plane)
    pytest.importorskip("pandas")
    table = plane.to_frame()
    assert len(table) == 24
    assert table["mean"].min() == plane.by_ratio[plane.ratio_index_min].mean[plane.index_min]


@pytest.mark.parametrize(
    ("ratios", "words"), [([], "non-empty"), ([0.5, 1.5], "l1_ratios"), ([0.5, 0.5], "differ"), (0.5, "non-empty")]
)
def test_ratios_that_cannot_be_used_are_refused(ratios, words):
    with pytest.raises(ArgumentError, match=words):
        cross_validate_l1_ratio(DIABETES.X, DIABETES.y, ratios, **FEW)
