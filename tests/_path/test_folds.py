"""What cv, groups and alphas may be: one rule for `cross_validate` and the estimators, and what a missed tol says."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning as SklearnConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold

import shrinkage
from shrinkage import LassoCV, LogisticRegressionCV, cross_validate, path
from shrinkage._path import fold_rows

RNG = np.random.default_rng(11)
X = RNG.normal(size=(24, 3))
Y = X[:, 0] + RNG.normal(size=24)
CLASSES = (Y > 0).astype(int)
GROUPS = np.arange(24) // 4


def by_function(loss, cv, **more):
    y = CLASSES if loss == "logistic" else Y
    return cross_validate(X, y, cv=cv, loss=loss, n_alphas=5, **more).scores


def by_estimator(loss, cv, groups=None, **more):
    metadata = {} if groups is None else {"groups": groups}
    if loss == "logistic":
        return LogisticRegressionCV(cv=cv, l1_ratio=1.0, n_alphas=5, **more).fit(X, CLASSES, **metadata).cv_scores_
    return LassoCV(cv=cv, n_alphas=5, **more).fit(X, Y, **metadata).cv_scores_


DOORS = pytest.mark.parametrize("door", [by_function, by_estimator])
LOSS = pytest.mark.parametrize("loss", ["squared", "logistic"])


@DOORS
@LOSS
@pytest.mark.parametrize(
    "cv", [True, "x", 2.5, 1, 0, -3, 25, pytest.param(object(), id="an object"), [3, 4], [([0.5], [1.5])]], ids=str
)
def test_what_deals_no_folds_is_refused(door, loss, cv):
    with pytest.raises(shrinkage.ArgumentError, match="cv"):
        door(loss, cv)


@DOORS
@LOSS
def test_leaving_one_out_is_refused_with_what_does_it(door, loss):
    with pytest.raises(shrinkage.ArgumentError, match=r"cv='loo' is exact, and for ridge.*leave_one_out"):
        door(loss, "loo")


@DOORS
@LOSS
@pytest.mark.parametrize("splitter", [GroupKFold(3), LeaveOneGroupOut(), StratifiedGroupKFold(3)])
def test_a_splitter_of_groups_needs_groups_of_the_right_length(door, loss, splitter):
    with pytest.raises(shrinkage.ArgumentError, match="groups must be given"):
        door(loss, splitter)
    with pytest.raises(shrinkage.ArgumentError, match=r"groups must have shape \(24,\).*got \(23,\)"):
        door(loss, splitter, groups=GROUPS[1:])


@DOORS
@LOSS
@pytest.mark.parametrize("cv", [3, None, list(KFold(3).split(X)), KFold(3)], ids=["int", "None", "pairs", "splitter"])
def test_groups_that_nothing_would_read_are_refused(door, loss, cv):
    with pytest.raises(shrinkage.ArgumentError, match=r"groups must come with a splitter.*GroupKFold"):
        door(loss, cv, groups=GROUPS)


@LOSS
@pytest.mark.parametrize("cv", [None, 10, 4, KFold(5)], ids=str)
def test_both_doors_deal_the_same_folds(loss, cv):
    assert_array_equal(by_function(loss, cv), by_estimator(loss, cv))


@DOORS
@LOSS
def test_no_cv_is_ten_folds(door, loss):
    assert_array_equal(door(loss, None), door(loss, 10))
    assert door(loss, None).shape == (5, 10)


@DOORS
def test_where_no_class_has_a_row_for_every_fold_the_folds_are_plain(door):
    many = int(max(CLASSES.sum(), 24 - CLASSES.sum())) + 1
    assert_allclose(door("logistic", many), door("logistic", KFold(many)))


@DOORS
def test_a_class_of_one_row_cannot_be_dealt_but_may_always_be_trained_on(door, monkeypatch):
    single = np.zeros(24, int)
    single[0] = 1
    monkeypatch.setitem(globals(), "CLASSES", single)
    with pytest.raises(shrinkage.DataError, match=r"two rows of each class or more.*the rarer has 1"):
        door("logistic", 4)
    rows = np.arange(24)
    pairs = [(rows[:12], rows[12:]), (np.r_[0, rows[12:]], rows[1:12])]
    assert door("logistic", pairs).shape == (5, 2)


@DOORS
def test_pairs_that_cannot_be_used_are_not_printed_row_by_row(door):
    with pytest.raises(shrinkage.ArgumentError) as caught:
        door("squared", [(np.arange(20), np.arange(20, 24)), 7])
    assert len(str(caught.value)) < 200


@DOORS
@LOSS
@pytest.mark.parametrize("alphas", [["a"], [[1.0], [2.0, 3.0]], 0.5, "ab", [1j], [None]], ids=str)
def test_strengths_that_are_no_numbers_are_refused_by_name(door, loss, alphas):
    with pytest.raises(shrinkage.ArgumentError, match="alphas must"):
        door(loss, 3, alphas=alphas)


def test_a_missed_tolerance_is_told_apart_for_the_path_and_its_folds_and_points_at_the_caller():
    tol = 1e-40
    with pytest.warns(shrinkage.ConvergenceWarning) as by_path:
        fitted = path(X, Y, n_alphas=5, tol=tol)
    with pytest.warns(shrinkage.ConvergenceWarning) as by_folds:
        cv = cross_validate(X, Y, cv=3, n_alphas=5, tol=tol)
    with pytest.warns(SklearnConvergenceWarning) as by_model:
        model = LassoCV(cv=3, n_alphas=5, tol=tol).fit(X, Y)
    found = [
        (by_path, f"{(fitted.gaps > 0).sum()} of 5 strengths of the path ended"),
        (by_folds, f"{(cv.path.gaps > 0).sum()} of 5 strengths of the path and {(cv.fold_gaps > 0).sum()} of 15 fits"),
        (by_model, f"{(model.path_.gaps > 0).sum()} of 5 strengths of the path and "),
    ]
    for caught, said in found:
        assert [str(w.message).startswith(said) for w in caught] == [True]
        assert issubclass(caught[0].category, shrinkage.ConvergenceWarning)
        assert caught[0].filename == __file__


def test_who_silences_either_warning_silences_the_estimators():
    for category in (SklearnConvergenceWarning, shrinkage.ConvergenceWarning):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", category)
            shrinkage.Lasso(0.1, tol=1e-40).fit(X, Y)
            LassoCV(cv=3, n_alphas=5, tol=1e-40).fit(X, Y)


def test_the_errors_at_the_front_door_are_those_that_are_raised():
    assert issubclass(shrinkage.ArgumentError, ValueError)
    assert issubclass(shrinkage.DataError, ValueError)
    assert issubclass(shrinkage.MissingExtraError, ImportError)
    for error in (shrinkage.ArgumentError, shrinkage.DataError, shrinkage.MissingExtraError):
        assert issubclass(error, shrinkage.ShrinkageError)
    with pytest.raises(shrinkage.ShrinkageError, match="tol must"):
        path(X, Y, tol=0)


@pytest.mark.parametrize("count", [2, 3, 7, 10])
@pytest.mark.parametrize("rare", [2, 5, 23])
def test_an_int_deals_two_classes_as_scikit_learn(count, rare):
    for seed in range(4):
        y = np.random.default_rng(seed).permutation(np.arange(57) < rare).astype(float)
        dealt = fold_rows(count, y, stratify=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            theirs = list(StratifiedKFold(count).split(y, y))
        assert len(dealt) == len(theirs)
        for ours, twin in zip(dealt, theirs, strict=True):
            assert_array_equal(ours[0], twin[0])
            assert_array_equal(ours[1], twin[1])
