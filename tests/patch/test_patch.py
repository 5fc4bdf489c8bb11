"""The switch, and what a stand-in is to those who hold scikit-learn's own classes."""

import copy
import inspect
import logging
import pickle
import threading

import numpy as np
import pytest
import sklearn.linear_model as sk
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError

import shrinkage
from shrinkage.patch import patch_sklearn, unpatch_sklearn
from shrinkage.patch._fallback import NotOurs
from shrinkage.patch._graft import graft
from shrinkage.patch._stand_ins import STAND_INS

STOCK = {name: getattr(sk, name) for name in STAND_INS}
CLASSES = [name for name in STAND_INS if inspect.isclass(STOCK[name])]
TIGHT = {"tol": 1e-12, "max_iter": 100_000}


@pytest.fixture(autouse=True)
def _nothing_patched():
    unpatch_sklearn()
    yield
    unpatch_sklearn()


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 12)) + 0.5
    y = X[:, :3] @ [2.0, -1.0, 0.5] + rng.standard_normal(60)
    return X, y, rng.uniform(0.5, 2.0, 60)


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="shrinkage.patch")
    return lambda: [record.getMessage() for record in caplog.records if "patched" not in record.getMessage()]


def test_names_lead_here_and_back():
    with patch_sklearn() as patch:
        assert set(patch.names) == set(STAND_INS)
        assert all(getattr(sk, name) is STAND_INS[name] for name in STAND_INS)
        assert "Lasso" in repr(patch)
    assert all(getattr(sk, name) is STOCK[name] for name in STAND_INS)


def test_a_block_inside_a_patch_takes_back_only_its_own():
    patch_sklearn(["Lasso"])
    with patch_sklearn() as inner:
        assert "Lasso" not in inner.names
    assert sk.Lasso is STAND_INS["Lasso"]
    assert sk.Ridge is STOCK["Ridge"]


def test_an_error_in_the_block_takes_the_patch_back():
    with pytest.raises(KeyError), patch_sklearn():
        raise KeyError
    assert sk.Lasso is STOCK["Lasso"]


def test_an_unknown_name_is_refused():
    with pytest.raises(shrinkage.ArgumentError, match="'Lars'"):
        patch_sklearn(["Lars"])


def test_modules_of_scikit_learn_that_named_a_class_before_are_led_here_too():
    import sklearn.ensemble._stacking as stacking

    with patch_sklearn():
        assert stacking.LogisticRegression is STAND_INS["LogisticRegression"]
    assert stacking.LogisticRegression is STOCK["LogisticRegression"]


@pytest.mark.parametrize("name", CLASSES)
def test_a_stand_in_is_scikit_learns_class_to_everybody(name):
    ours, theirs = STAND_INS[name], STOCK[name]
    model = ours()
    assert ours.__name__ == name
    assert issubclass(ours, theirs)
    assert isinstance(model, theirs)
    assert isinstance(theirs(), ours)
    assert issubclass(theirs, ours)
    assert repr(model) == repr(theirs())
    assert model.get_params() == theirs().get_params()
    assert model.__sklearn_tags__() == theirs().__sklearn_tags__()
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.signature(ours.fit) == inspect.signature(theirs.fit)
    assert model._get_doc_link() == theirs()._get_doc_link()
    assert type(clone(model)) is type(copy.deepcopy(model)) is type(pickle.loads(pickle.dumps(model))) is ours


def test_kinship_is_that_of_scikit_learn():
    assert isinstance(STAND_INS["Lasso"](), STAND_INS["ElasticNet"])
    assert issubclass(sk.MultiTaskLasso, STAND_INS["ElasticNet"])
    assert not issubclass(sk.LinearRegression, STAND_INS["ElasticNet"])

    class Mine(STAND_INS["Lasso"]):
        pass

    assert isinstance(Mine(), sk.Lasso)
    assert not isinstance(STAND_INS["Lasso"](), Mine)


def test_a_pickle_loads_where_nothing_is_patched(data):
    X, y, _ = data
    with patch_sklearn():
        model = sk.Lasso(alpha=0.1).fit(X, y)
        old = pickle.dumps(STOCK["Lasso"](alpha=0.1))
        stored = pickle.dumps(model)
    assert (pickle.loads(stored).coef_ == model.coef_).all()
    assert type(pickle.loads(old)) is STOCK["Lasso"]
    assert pickle.loads(pickle.dumps(STAND_INS["enet_path"])) is STAND_INS["enet_path"]


@pytest.mark.parametrize("kind", ["dense", "F", "float32", "csr", "csc", "no intercept", "weights", "positive"])
@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "LassoCV", "ElasticNetCV"])
def test_squared_models_agree(name, kind, data, said):
    X, y, weights = data
    X = {"F": np.asfortranarray, "float32": np.float32, "csr": sparse.csr_array, "csc": sparse.csc_array}.get(
        kind, lambda X: X
    )(X)
    options = {"fit_intercept": kind != "no intercept", "positive": kind == "positive"} | (
        {"alpha": 0.05} if name in ("Lasso", "ElasticNet") else {}
    )
    options |= {"tol": 1e-6, "max_iter": 100_000} if kind == "float32" else TIGHT
    given = {"sample_weight": weights} if kind == "weights" else {}
    ours = STAND_INS[name](**options).fit(X, y, **given)
    theirs = STOCK[name](**options).fit(X, y, **given)
    digits = 1e-3 if kind == "float32" else 1e-6
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=digits, atol=digits)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=digits, atol=digits)
    assert ours.coef_.dtype == theirs.coef_.dtype
    assert set(vars(ours)) == set(vars(theirs))
    assert type(ours.n_iter_) is type(theirs.n_iter_)
    if name.endswith("CV"):
        np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=digits)
        np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-12 if kind != "float32" else 1e-6)
        assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-12 if kind != "float32" else 1e-6)
    assert said() == []


def test_several_mixings_and_given_strengths_agree(data, said):
    X, y, _ = data
    options = {"l1_ratio": [0.3, 0.9], "alphas": [0.1, 0.01, 0.5], "cv": 3, **TIGHT}
    ours, theirs = STAND_INS["ElasticNetCV"](**options).fit(X, y), STOCK["ElasticNetCV"](**options).fit(X, y)
    assert ours.mse_path_.shape == theirs.mse_path_.shape == (2, 3, 3)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-7)
    assert (ours.alpha_, ours.l1_ratio_) == (theirs.alpha_, theirs.l1_ratio_)
    assert said() == []


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("name", ["lasso_path", "enet_path"])
def test_paths_agree(name, positive, data, said):
    X, y, _ = data
    options = {"positive": positive, **TIGHT}
    (alphas, coefs, gaps), (their_alphas, their_coefs, _) = (
        way[name](X, y, alphas=20, **options) for way in (STAND_INS, STOCK)
    )
    np.testing.assert_allclose(alphas, their_alphas, rtol=1e-14)
    np.testing.assert_allclose(coefs, their_coefs, atol=1e-7)
    assert (gaps <= 1e-12 * (y @ y)).all()
    assert len(STAND_INS[name](X, y, alphas=5, return_n_iter=True)[3]) == 5
    assert said() == []


@pytest.mark.parametrize("kind", ["dense", "csr", "no intercept", "weights", "balanced", "words"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_logistic_models_agree(kind, l1_ratio, data, said):
    X, y, weights = data
    y = (y > np.median(y)).astype(int)
    X = sparse.csr_array(X) if kind == "csr" else X
    y = np.array(["no", "yes"])[y] if kind == "words" else y
    options = {"solver": "saga", "l1_ratio": l1_ratio, "tol": 1e-9, "max_iter": 100_000, "C": 0.4}
    options |= {"fit_intercept": kind != "no intercept", "class_weight": "balanced" if kind == "balanced" else None}
    given = {"sample_weight": weights} if kind in ("weights", "balanced") else {}
    ours = STAND_INS["LogisticRegression"](**options).fit(X, y, **given)
    theirs = STOCK["LogisticRegression"](**options).fit(X, y, **given)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-5)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    assert (ours.coef_.shape, ours.intercept_.shape, ours.n_iter_.shape) == ((1, 12), (1,), (1,))
    assert set(vars(ours)) == set(vars(theirs))
    assert said() == []


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_logistic_cross_validation_agrees(data, said):
    X, y, _ = data
    X, y = X - X.mean(axis=0), (y > np.median(y)).astype(int)
    options = {
        "Cs": [0.1, 1.0],
        "cv": 3,
        "l1_ratios": (1, 0.5),
        "solver": "saga",
        "scoring": "neg_log_loss",
        "tol": 1e-8,
    }
    options |= {"max_iter": 20_000, "use_legacy_attributes": False}
    ours, theirs = (way["LogisticRegressionCV"](**options).fit(X, y) for way in (STAND_INS, STOCK))
    np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-5)
    np.testing.assert_allclose(ours.coefs_paths_, theirs.coefs_paths_, atol=1e-3)
    assert (ours.C_, ours.l1_ratio_) == (theirs.C_, theirs.l1_ratio_)
    assert ours.n_iter_.shape == theirs.n_iter_.shape
    assert said() == []


@pytest.mark.parametrize("sparse_X", [False, True])
def test_ridge_by_folds_agrees(sparse_X, data, said):
    X, y, _ = data
    X = sparse.csr_array(X) if sparse_X else X
    ours, theirs = (way["RidgeCV"](alphas=np.logspace(-3, 3, 13), cv=7).fit(X, y) for way in (STAND_INS, STOCK))
    assert ours.alpha_ == theirs.alpha_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-3 if sparse_X else 1e-9)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)
    assert said() == []


@pytest.mark.parametrize(
    ("name", "options", "digits"),
    [
        ("Ridge", {"alpha": 3.0}, 1e-9),
        ("LogisticRegression", {"C": 0.5, "tol": 1e-10, "max_iter": 1000}, 1e-5),
        ("PoissonRegressor", {"alpha": 0.2, "tol": 1e-10, "max_iter": 1000}, 1e-5),
        ("GammaRegressor", {"alpha": 0.2, "tol": 1e-10, "max_iter": 1000, "solver": "newton-cholesky"}, 1e-5),
        ("TweedieRegressor", {"alpha": 0.2, "power": 1.5, "tol": 1e-10, "max_iter": 1000}, 1e-5),
    ],
)
def test_smooth_fits_are_theirs_unless_asked_for(name, options, digits, data, said):
    X, y, weights = data
    y = (y > 0).astype(int) if name == "LogisticRegression" else y if name == "Ridge" else np.exp(0.3 * y)
    theirs = STOCK[name](**options).fit(X, y, sample_weight=weights)
    STAND_INS[name](**options).fit(X, y)
    assert len(said()) == 1
    with patch_sklearn(smooth=True):
        ours = getattr(sk, name)(**options).fit(X, y, sample_weight=weights)
        assert len(said()) == 1
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=digits)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=digits)
    assert set(vars(ours)) == set(vars(theirs))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_iter": 3}, "max_iter=3"),
        ({"tol": 0.0}, "tol=0"),
        ({"warm_start": True}, "given coefficients"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_not_ours_is_theirs_and_the_reason_is_logged(options, reason, data, said):
    X, y, _ = data
    ours, theirs = STAND_INS["Lasso"](alpha=0.01, **options), STOCK["Lasso"](alpha=0.01, **options)
    for model in (ours, theirs):
        model.fit(X, y)
        model.set_params(alpha=0.005).fit(X, y)
    assert any(reason in line for line in said())
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)


def test_several_responses_are_theirs_or_one_by_one(data, said):
    X, y, _ = data
    Y = np.column_stack([y, -y])
    np.testing.assert_allclose(
        STAND_INS["Lasso"](alpha=0.1, **TIGHT).fit(X, Y).coef_,
        STOCK["Lasso"](alpha=0.1, **TIGHT).fit(X, Y).coef_,
        atol=1e-7,
    )
    assert said() == []
    STAND_INS["enet_path"](X, Y, alphas=3)
    assert "share their rows" in said()[0]


@pytest.mark.parametrize("change", [{}, {"fit_intercept": False}, {"positive": True}])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_array])
def test_the_final_fit_is_read_off_the_path_beside_the_folds(data, caplog, kind, change):
    X, y, weights = data
    X = kind(X)
    caplog.set_level(logging.DEBUG, logger="shrinkage.patch")
    for sample_weight in (None, weights):
        ours, theirs = (way["LassoCV"](**TIGHT, **change).fit(X, y, sample_weight) for way in (STAND_INS, STOCK))
        assert set(caplog.messages) == {"cross-validated path: shrinkage"}
        assert set(vars(ours)) == set(vars(theirs))
        for name in ("coef_", "intercept_", "dual_gap_", "mse_path_", "alphas_", "alpha_"):
            mine, stock = getattr(ours, name), getattr(theirs, name)
            assert np.shape(mine) == np.shape(stock)
            np.testing.assert_allclose(mine, stock, rtol=1e-3, atol=1e-4, err_msg=name)


def test_a_fold_that_trains_on_a_row_twice_is_theirs(data, said):
    X, y, _ = data
    n = len(y)
    cv = [(np.r_[np.arange(n // 2), 0, 0, 1], np.arange(n // 2, n))] * 2
    ours, theirs = (way["LassoCV"](cv=cv, **TIGHT).fit(X, y) for way in (STAND_INS, STOCK))
    np.testing.assert_array_equal(ours.mse_path_, theirs.mse_path_)
    assert "more than once" in said()[0]


def test_errors_and_warnings_are_theirs(data):
    X, y, _ = data
    with pytest.raises(InvalidParameterError, match="The 'alpha' parameter of Lasso must be a float"):
        STAND_INS["Lasso"](alpha=-1).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        STAND_INS["LassoCV"]().fit(np.where(X > 2, np.nan, X), y)
    with pytest.raises(ValueError, match="Automatic alpha grid generation is not supported for l1_ratio=0"):
        STAND_INS["ElasticNetCV"](l1_ratio=0).fit(X, y)
    with pytest.raises(ValueError, match="Unexpected parameters"):
        STAND_INS["enet_path"](X, y, strength=1)
    with pytest.warns(UserWarning, match="With alpha=0, this algorithm does not converge well"):
        STAND_INS["Lasso"](alpha=0).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="Objective did not converge"):
        STAND_INS["Lasso"](alpha=1e-3, max_iter=1).fit(X, y)


def test_degenerate_data_ends_as_with_theirs():
    X, y = np.zeros((6, 3)), np.zeros(6)
    X[:, 1] = [1, 1, 1, 2, 2, 2]
    for rows, response in ((X, y), (X, X[:, 1]), (np.zeros((6, 3)), X[:, 1]), (np.column_stack([X, X]), X[:, 1])):
        ours, theirs = (way["LassoCV"](cv=2, **TIGHT).fit(rows, response) for way in (STAND_INS, STOCK))
        np.testing.assert_allclose(ours.predict(rows), theirs.predict(rows), atol=1e-6)
        assert np.isfinite(ours.mse_path_).all()


def test_threads_and_grid_searches_take_the_stand_ins(data):
    X, y, _ = data
    found = {}
    with patch_sklearn():
        search = GridSearchCV(sk.Lasso(), {"alpha": [0.01, 0.1, 1.0]}, cv=3).fit(X, y)
        workers = [
            threading.Thread(target=lambda k=k: found.update({k: sk.LassoCV(cv=3).fit(X, y).alpha_})) for k in range(4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert type(search.best_estimator_) is STAND_INS["Lasso"]
    assert len(set(found.values())) == 1
    assert len(found) == 4


def test_a_graft_leaves_the_function_alone_and_knows_what_it_needs():
    def outer(x):
        return [len(y) for y in x]

    changed = graft(outer, len=lambda y: -1)
    assert (outer(["ab"]), changed(["ab"])) == ([2], [-1])
    with pytest.raises(NotOurs, match="does not use sorted"):
        graft(outer, sorted=None)
