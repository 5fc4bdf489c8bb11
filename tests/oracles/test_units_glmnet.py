"""Code for R, run once by R glmnet: its stored coefficients are those of our fit, and of scikit-learn's and others'.

tests/oracles/glmnet/make_units.py made the numbers, and says in them with which versions.
"""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from glmnet_units import cases, converted
from numpy.testing import assert_allclose

from shrinkage import ElasticNet, LogisticRegression
from shrinkage.units import NotExpressible

STORED = json.loads((Path(__file__).parent / "glmnet" / "units.json").read_text(encoding="utf-8"))
COEFS = {row["name"]: np.array(row["coef"]) for row in STORED["cases"]}
CODES = {row["name"]: row["code"] for row in STORED["cases"]}
CASES = cases()
OURS = [case for case in CASES if case["loss"] in ("squared", "logistic")]
OTHERS = [case for case in CASES if case not in OURS]
named = {"ids": lambda case: case["name"]}


def rounded(code):
    """The code with its numbers to ten digits, which do not depend on the machine that made them."""
    return re.sub(r"\d+\.\d+(e-?\d+)?", lambda found: f"{float(found[0]):.10g}", code)


def test_the_stored_numbers_are_of_every_case_and_of_known_versions():
    assert set(COEFS) == {case["name"] for case in CASES}
    assert STORED["glmnet"] == "4.1.6"
    assert STORED["R"].startswith("R version 4")


@pytest.mark.parametrize("case", CASES, **named)
def test_the_code_that_r_ran_is_the_code_that_is_printed(case):
    assert rounded(converted(case).code) == rounded(CODES[case["name"]])


@pytest.mark.parametrize("case", OURS, **named)
def test_our_fit_is_what_glmnet_found(case):
    rows, asked = case["data"], case["asked"]
    estimator = {"squared": ElasticNet, "logistic": LogisticRegression}[case["loss"]]
    model = estimator(**asked, tol=1e-14).fit(rows["X"], rows["y"], rows["sample_weight"], rows["offset"])
    ours = np.r_[np.ravel(model.intercept_), np.ravel(model.coef_)]
    assert_allclose(COEFS[case["name"]][:, 0], ours, atol=1e-6)


@pytest.mark.parametrize("case", OURS, **named)
def test_what_glmnet_was_given_reads_back_as_our_strength(case):
    from shrinkage.units._convert import CALLS

    there = converted(case)
    call = CALLS[there.target]
    back = call.read(call.complete(there.arguments), there.facts)
    assert_allclose(back.l1_ratio, there.l1_ratio, rtol=1e-12, atol=1e-15)
    products = [np.array(one.factors or (1.0,)) * one.alpha for one in (back, there.meaning)]
    assert_allclose(*products, rtol=1e-12)


def theirs(case, target):
    """Coefficients of the code to paste for a package in Python, as glmnet lays them out."""
    found = converted(case, target)
    names = {name: value for name, value in case["data"].items() if value is not None}
    if case["loss"] == "multi_squared":
        names["y"] = names.pop("Y")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels' and scikit-learn's own, at a tolerance that tight
        exec(found.code, names)
    return names["coef"] if "coef" in names else names["model"].coef_.T


@pytest.mark.parametrize("case", [case for case in OTHERS if case["loss"] == "multi_squared"], **named)
def test_several_responses_are_scikit_learns_multi_task_elastic_net(case):
    if "penalty.factor" in case["asked"]:
        with pytest.raises(NotExpressible, match="no penalty factors"):
            converted(case, "sklearn.MultiTaskElasticNet")
        return
    assert_allclose(theirs(case, "sklearn.MultiTaskElasticNet"), COEFS[case["name"]][1:], atol=1e-6)


@pytest.mark.parametrize("case", [case for case in OTHERS if case["loss"] == "poisson"], **named)
def test_counts_are_those_of_glum_scikit_learn_and_statsmodels(case):
    expected, ratio = COEFS[case["name"]][1:, 0], case["asked"]["alpha"]
    if ratio == 0 and "penalty.factor" not in case["asked"]:
        assert_allclose(theirs(case, "sklearn.PoissonRegressor"), expected, atol=1e-6)
    pytest.importorskip("glum")
    assert_allclose(theirs(case, "glum"), expected, atol=1e-6)
    pytest.importorskip("statsmodels.api")
    assert_allclose(theirs(case, "statsmodels.GLM"), expected, atol=1e-6 if ratio else 1e-4)


@pytest.mark.parametrize("case", [case for case in OTHERS if case["loss"] == "cox"], **named)
def test_hazards_are_those_of_statsmodels(case):
    pytest.importorskip("statsmodels.api")
    assert_allclose(theirs(case, "statsmodels.PHReg"), COEFS[case["name"]][:, 0], atol=1e-6)
