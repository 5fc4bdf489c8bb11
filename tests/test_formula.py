"""Formulas: columns with names, the same ones of other rows, and what cannot be read."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from shrinkage import PoissonRegressor, path
from shrinkage.tables import read_formula

pytest.importorskip("formulaic")


@pytest.fixture(name="claims")
def make_claims():
    rng = np.random.default_rng(3)
    age, site = rng.uniform(18, 80, 60), rng.choice(["north", "south", "west"], 60)
    claims = rng.poisson(np.exp(0.02 * age - 1.0 + 0.5 * (site == "south")))
    return pd.DataFrame({"claims": claims, "age": age, "site": site, "years": rng.uniform(1, 3, 60)})


def test_a_formula_is_the_columns_that_it_names(claims):
    data = read_formula("claims ~ log(age) + site + age:site", claims)
    assert list(data.X.columns[:4]) == ["log(age)", "site[north]", "site[south]", "site[west]"]
    assert data.fit_intercept
    assert (data.X.dtypes == np.float64).all()
    assert_allclose(data.X["log(age)"], np.log(claims["age"]))
    assert_allclose(data.X["age:site[west]"], claims["age"] * (claims["site"] == "west"))
    assert_allclose(data.y, claims["claims"])
    assert repr(data) == "<FormulaData: claims ~ log(age) + site + age:site; 60 rows, 7 features>"


def test_a_model_of_a_formula_keeps_its_names_and_predicts_other_rows(claims):
    data = read_formula("claims ~ poly(age, 2) + site", claims)
    model = PoissonRegressor(0.1, l1_ratio=0.5).fit(data.X, data.y, exposure=claims["years"])
    assert list(model.feature_names_in_) == list(data.X.columns)
    some = claims.iloc[5:9]  # one site or two, other ages: levels and polynomials stay those of the fit
    assert_allclose(model.predict(data.columns_of(some)), model.predict(data.X)[5:9], rtol=1e-12)
    assert path(data.X, data.y, "poisson", n_alphas=3).feature_names == tuple(data.X.columns)


@pytest.mark.parametrize("formula", ["claims ~ 0 + age", "claims ~ age - 1"])
def test_an_intercept_may_be_left_out(formula, claims):
    assert not read_formula(formula, claims).fit_intercept


def test_a_formula_without_a_left_side_has_no_y(claims):
    assert read_formula("~ age", claims).y is None


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (3, "formula must be a text such as 'y ~ x'; got int"),
        ("claims ~ ~", "cannot be parsed: Operator `~` is incorrectly used$"),
        ("claims ~ agee", "cannot be read against the table: .*`agee` is not present"),
        ("site ~ age", "must have one number on its left side; it makes 3 columns"),
        ("claims ~ 1", "has no column besides the intercept"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(formula, message, claims):
    with pytest.raises(ValueError, match=message):
        read_formula(formula, claims)


def test_missing_values_and_missing_columns_are_refused(claims):
    data = read_formula("claims ~ age", claims)
    with pytest.raises(ValueError, match="cannot be read against these rows"):
        data.columns_of(claims[["site"]])
    claims.loc[4, "age"] = np.nan
    with pytest.raises(ValueError, match="`age` contains null values"):
        read_formula("claims ~ age", claims)


@pytest.mark.parametrize("formula", ["claims ~ age + site", "claims ~ age:C(site)"])
def test_a_level_that_was_not_there_is_named_in_one_warning_and_is_0(formula, claims):
    data = read_formula(formula, claims)
    others = claims.iloc[:3].assign(site=["north", "east", "up"])
    with pytest.warns(UserWarning, match="they are 0 in every column") as told:
        X = data.columns_of(others)
    assert len(told) == 1
    assert "'east'" in str(told[0].message)
    assert "'up'" in str(told[0].message)
    sites = [name for name in X.columns if "site" in name]
    assert X.loc[:, sites].abs().to_numpy().sum(axis=1).astype(bool).tolist() == [True, False, False]
