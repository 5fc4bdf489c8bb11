"""`shrinkage fit` with losses, offsets, exposures, folds by groups and time, free columns, and a TOML file."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from shrinkage import cross_validate
from shrinkage.cli._app import app
from shrinkage.cli._folds import deal, deal_groups, deal_times
from shrinkage.cli._model_file import load
from shrinkage.losses import Huber, NegativeBinomial, Poisson, Tweedie
from shrinkage.tables import read

QUICK = ("--target", "claims", "--penalty", "l1", "--cv", "3")


def shrinkage(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="shrinkage")


def answer(*arguments):
    result = shrinkage("fit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(name="claims", scope="module")
def make_claims(tmp_path_factory):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 3))
    years = rng.uniform(0.5, 3.0, 90)
    frame = pd.DataFrame(X, columns=["age", "power", "region"])
    frame["years"], frame["log_years"] = years, np.log(years)
    frame["site"] = rng.choice(["a", "b", "c", "d", "e"], 90)
    frame["day"] = rng.integers(0, 40, 90)
    frame["w"] = rng.integers(1, 4, 90)
    frame["claims"] = rng.poisson(years * np.exp(0.7 * X[:, 0] - 0.4 * X[:, 1]))
    place = tmp_path_factory.mktemp("data") / "claims.csv"
    frame.to_csv(place, index=False)
    return place


def matrix(place, extra=()):
    frame = pd.read_csv(place)
    return frame, frame[["age", "power", "region", *extra]].to_numpy(), frame["claims"].to_numpy(dtype=float)


@pytest.mark.parametrize("way", ["offset", "exposure"])
def test_counts_with_an_exposure_are_those_of_cross_validate(claims, way):
    column = {"offset": "log_years", "exposure": "years"}[way]
    drop = [part for name in ("years", "log_years", "site", "day") if name != column for part in ("--drop", name)]
    said = answer(claims, *QUICK, "--loss", "poisson", f"--{way}", column, "--weights", "w", "--free", "age", *drop)
    frame, X, y = matrix(claims)
    cv = cross_validate(
        X, y, deal(y, 3, 0, stratify=False), loss=Poisson(), standardize=True, offset=np.log(frame["years"]),
        sample_weight=frame["w"], penalty_factor=[0, 1, 1],
    )  # fmt: skip
    candidate = said["candidates"][0]
    assert candidate["alpha_1se"] == pytest.approx(cv.alpha_1se, rel=1e-6)
    assert candidate["error"] == pytest.approx(cv.mean[cv.index_1se], rel=1e-6)
    assert said["asked"]["Not penalized"] == "age"
    assert said["asked"][way.capitalize()] == column


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        (("--loss", "tweedie", "--power", "1.3"), Tweedie(1.3)),
        (("--loss", "negative-binomial", "--theta", "2"), NegativeBinomial(2.0)),
        (("--loss", "huber", "--delta", "1.5"), Huber(1.5)),
    ],
)
def test_losses_take_their_parameters(claims, options, loss):
    drop = [part for name in ("years", "log_years", "site", "day", "w") for part in ("--drop", name)]
    candidate = answer(claims, *QUICK, *options, *drop)["candidates"][0]
    _, X, y = matrix(claims)
    cv = cross_validate(X, y, deal(y, 3, 0, stratify=False), loss=loss, standardize=True)
    assert candidate["alpha_min"] == pytest.approx(cv.alpha_min, rel=1e-6)


def test_bounds_are_of_all_columns_or_of_one(claims, tmp_path):
    drop = [part for name in ("years", "log_years", "site", "day", "w") for part in ("--drop", name)]
    options = ("--loss", "poisson", "--lower", "0", "--lower", "power=-0.1", "--upper", "age=0.3", *drop)
    said = answer(claims, *QUICK, *options, "--rule", "min")
    coefficients = {c["feature"]: c["coefficient"] for c in said["coefficients"]}
    assert coefficients["power"] == pytest.approx(-0.1)
    assert coefficients["age"] == pytest.approx(0.3)
    assert coefficients.get("region", 0.0) >= 0
    assert said["asked"]["Lower bounds"] == "0, power=-0.1"
    file = tmp_path / "study.toml"
    file.write_text('loss = "poisson"\nlower = [0, "power=-0.1"]\nupper = "age=0.3"\n', encoding="utf-8")
    assert answer(claims, *QUICK, "--config", file, *drop, "--rule", "min")["call"] == said["call"]


def test_a_bound_of_all_columns_leaves_free_ones_alone(claims):
    drop = [part for name in ("years", "log_years", "site", "day", "w") for part in ("--drop", name)]
    options = ("--loss", "poisson", "--free", "power", *drop, "--rule", "min")

    def power(*bounds):
        found = {c["feature"]: c["coefficient"] for c in answer(claims, *QUICK, *options, *bounds)["coefficients"]}
        return found.get("power", 0.0)

    assert power() < -0.2  # the simulated effect is -0.4
    assert power("--lower", "0") < -0.2
    assert power("--lower", "0", "--lower", "power=-0.1") == pytest.approx(-0.1)


def test_a_row_of_the_target_that_a_loss_cannot_take_is_counted_from_one(tmp_path):
    place = tmp_path / "d.csv"
    place.write_text("x,y\n1,2\n3,-4\n5,6\n")
    result = shrinkage("fit", place, "--target", "y", "--loss", "poisson", "--cv", "2")
    assert result.exit_code == 3
    assert f"{place}: target 'y' must be >= 0 and finite for Poisson; data row 2 is -4.0" in result.output


@pytest.mark.parametrize("loss", ["huber", "quantile"])
def test_what_a_loss_needs_is_read_off_the_data_and_said(claims, loss):
    said = answer(claims, *QUICK, "--loss", loss, "--drop", "site")
    assert "from the data" in said["asked"]["Loss"]


def test_a_toml_file_says_the_same_as_the_command_line(claims, tmp_path):
    file = tmp_path / "study.toml"
    lines = [
        f'data = "{claims}"', 'target = "claims"', 'loss = "poisson"', 'exposure = "years"', 'free = ["age", "power"]',
        'penalty = ["l1", "l2"]', "cv = 4", "standardize = false", 'drop = ["log_years"]', "seed = 2",
        'group-folds = "site"',
    ]  # fmt: skip
    file.write_text("\n".join(lines), encoding="utf-8")
    by_file = answer("--config", file)
    by_hand = answer(
        claims, "--target", "claims", "--loss", "poisson", "--exposure", "years", "--free", "age", "--free", "power",
        "--penalty", "l1,l2", "--cv", "4", "--no-standardize", "--drop", "log_years", "--seed", "2",
        "--group-folds", "site",
    )  # fmt: skip
    assert by_file["call"] == by_hand["call"]
    assert [c["alpha"] for c in by_file["candidates"]] == [c["alpha"] for c in by_hand["candidates"]]
    assert answer("--config", file, "--seed", "3")["call"] == by_hand["call"].replace("--seed 2", "--seed 3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('loss = "poison"', "poison"),
        ('expozure = "years"', "did you mean 'exposure'?"),
        ("loss = ", "cannot be read as TOML"),
        ("json = 1", "json must be true or false; got 1"),
        ("seed = 2.5", "seed must be a whole number; got 2.5"),
        ("tol = true", "tol must be a number; got True"),
        ("lower = {age = 1}", "--lower must be a number, or COL=NUMBER"),
    ],
)
def test_a_toml_file_with_a_mistake_is_refused_in_a_sentence(claims, tmp_path, text, message):
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    result = shrinkage("fit", claims, *QUICK, "--config", file)
    assert result.exit_code == 2
    assert message in result.output


def test_groups_stay_together_and_time_goes_forward():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 9, 100)
    for train, test in (folds := deal_groups(groups, 4, seed=1)):
        assert not set(groups[train]) & set(groups[test])
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(100))
    assert max(len(test) for _, test in folds) < 50
    times = rng.integers(0, 30, 100)
    for train, test in deal_times(times, 4):
        assert times[train].max() < times[test].min()
    with pytest.raises(ValueError, match="too few different times"):
        deal_times(np.zeros(10, dtype=int), 3)
    with pytest.raises(ValueError, match="at most the number of groups, 9; got 12"):
        deal_groups(groups, 12, seed=0)


def test_time_folds_are_used_and_said(claims):
    said = answer(claims, *QUICK, "--loss", "poisson", "--time-folds", "day", "--drop", "site")
    assert said["asked"]["Cross-validation"] == "3 folds, each after those it learns from, by 'day'"
    assert "day" not in {c["feature"] for c in said["coefficients"]}


def test_a_model_file_asks_for_its_exposure_again(claims, tmp_path):
    out = tmp_path / "report"
    result = shrinkage(
        "fit", claims, *QUICK, "--loss", "poisson", "--exposure", "years", "--drop", "log_years", "--out", out
    )
    assert result.exit_code == 0, result.output
    model = load(out)
    frame = pd.read_csv(claims)
    mean, _ = model.predict(read(str(claims)))
    double = tmp_path / "double.csv"
    frame.assign(years=2 * frame["years"]).to_csv(double, index=False)
    assert model.predict(read(str(double)))[0] == pytest.approx(2 * mean)
    frame.drop(columns="years").to_csv(tmp_path / "none.csv", index=False)
    refused = shrinkage("predict", out, tmp_path / "none.csv")
    assert refused.exit_code == 3
    assert "no exposure column 'years'" in refused.output


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--loss", "poisson", "--power", "1.5"), 2, "--power is a parameter of --loss tweedie"),
        (("--loss", "gamma"), 3, "target 'claims' must be > 0 and finite for Gamma; data row"),
        (("--loss", "tweedie", "--power", "3"), 2, "power must be in [1, 2]"),
        (("--offset", "site"), 3, "offset 'site' must be numbers; the column is category"),
        (("--exposure", "age"), 3, "exposure 'age' must be > 0"),
        (("--free", "claims"), 2, "--free must name another column than --target; got 'claims' for both"),
        (("--offset", "claims"), 2, "--offset must name another column than --target; got 'claims' for both"),
        (("--free", "years", "--exposure", "years"), 3, "the free column 'years' is no feature"),
        (("--free", "agee"), 3, "no free column 'agee'; did you mean 'age'?"),
        (("--lower", "none"), 2, "--lower must be a number, or COL=NUMBER; got 'none'"),
        (("--upper", "agee=1"), 3, "no bounded column 'agee'; did you mean 'age'?"),
        (("--lower", "1"), 2, "--lower must be <= 0, for 0 lies within the bounds; got 1 for all columns"),
        (("--lower", "power=1"), 2, "--lower must be <= 0, for 0 lies within the bounds; got 1 for column 'power'"),
        (("--upper", "power=-2"), 2, "--upper must be >= 0, for 0 lies within the bounds; got -2 for column 'power'"),
        (("--upper", "age=nan"), 2, "--upper must be a number, or COL=NUMBER; got 'age=nan'"),
        (("--lower", "age=0", "--lower", "age=-1"), 2, "must bound a column once; got two bounds for column 'age'"),
        (("--lower", "0", "--lower", "-1"), 2, "must bound a column once; got two bounds for all columns"),
        (("--loss", "tweedie", "--power", "2"), 3, "target 'claims' must be > 0 and finite for Tweedie(power=2)"),
        (("--time-folds", "w", "--cv", "4"), 3, "too few different times (3) for 4 folds"),
        (("--group-folds", "site", "--time-folds", "day"), 2, "give one of them"),
        (("--loss", "poisson", "--positive", "3"), 3, "no meaning for the poisson loss"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_code(claims, options, code, message):
    result = shrinkage("fit", claims, *QUICK, *options)
    assert result.exit_code == code, result.output
    assert message in result.output


def test_missing_values_keep_offsets_and_free_columns(claims, tmp_path):
    frame = pd.read_csv(claims)
    frame.loc[::9, "power"] = np.nan
    place = tmp_path / "holes.csv"
    frame.to_csv(place, index=False)
    options = ("--exposure", "years", "--drop", "log_years", "--free", "age", "--lower", "power=0")
    said = answer(place, *QUICK, "--loss", "poisson", *options)
    assert said["converged"]
    assert "age" in {c["feature"] for c in said["coefficients"]}
