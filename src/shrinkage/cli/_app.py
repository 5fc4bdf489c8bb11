"""The commands, their options and their exit codes."""

import os
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np

from shrinkage._errors import ArgumentError, DataError, MissingExtraError
from shrinkage.cli import _print
from shrinkage.cli._config import read_config
from shrinkage.cli._convert import convert_command
from shrinkage.cli._demo import SHOWS, write_data
from shrinkage.cli._explain import explain
from shrinkage.cli._fit import run
from shrinkage.cli._network_file import load_saved
from shrinkage.cli._options import (
    CODES,
    DATA,
    FAILURE,
    INTERRUPTED,
    NOT_CONVERGED,
    USAGE,
    Teller,
    fail,
    make_folder,
    place,
)
from shrinkage.cli._request import Request
from shrinkage.cli._train_command import train, train_and_tell
from shrinkage.cli._train_network import has_torch
from shrinkage.cli._train_request import TrainRequest
from shrinkage.cli._train_state import State
from shrinkage.cli._write import why_not_writable, write_whole
from shrinkage.report import html
from shrinkage.tables import read

PENALTIES = ("l1", "l2", "elastic", "group", "mcp", "scad", "slope")
LOSSES = (
    "auto", "squared", "logistic", "poisson", "gamma", "tweedie", "negative-binomial", "huber", "quantile", "cox",
    "multinomial",
)  # fmt: skip
SCORES = ("deviance", "mse", "mae", "auc", "accuracy", "c-index")


class Commands(click.Group):
    """A group that turns our errors into one sentence and an exit code."""

    def invoke(self, ctx: click.Context):
        """Run the command; no traceback for what the user can mend."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            fail(ctx, "interrupted; no file was left half-written", INTERRUPTED)
        except DataError as error:
            fail(ctx, str(error), DATA)
        except ArgumentError as error:
            fail(ctx, str(error), USAGE)
        except (OverflowError, FloatingPointError) as error:
            fail(ctx, f"the numbers are too large to be computed with ({error}): rescale the columns", DATA)
        except (MissingExtraError, OSError, MemoryError) as error:
            fail(ctx, str(error) or type(error).__name__, FAILURE)
        except Exception as error:
            if os.environ.get("SHRINKAGE_TRACEBACK"):
                raise
            what = f"{type(error).__name__}: {error}"
            fail(ctx, f"unexpected {what}; SHRINKAGE_TRACEBACK=1 shows where, please report it", FAILURE)


def _penalties(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    wrong = [name for name in names if name not in PENALTIES]
    if wrong or not names:
        met = ", ".join(wrong) or "nothing"
        raise click.BadParameter(f"{met} given; choose from {', '.join(PENALTIES)}", ctx, parameter)
    return names


@click.group(cls=Commands, epilog=CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("shrinkage"), prog_name="shrinkage", message="%(prog)s %(version)s")
def app() -> None:
    """Ridge, lasso and elastic net compared on your data; strengths chosen by cross-validation, fits certified."""


FIT_EXAMPLES = f"""\b
Examples:
  shrinkage fit houses.csv --target price
  shrinkage fit tumors.parquet --target diagnosis --out report
  shrinkage fit cells.csv --target type --positive MELANOMA --penalty l1 --cv 8
  shrinkage fit claims.csv --target claims --loss poisson --exposure years --group-folds policy --free age
  shrinkage fit iris.csv --target species --score accuracy
  shrinkage fit trial.csv --target days --loss cox --event died --strata site
  shrinkage fit survey.csv --target score --penalty l1,group --groups height,weight
  shrinkage fit survey.csv --target score --penalty l1,mcp,slope
  shrinkage fit --config study.toml
  cat houses.csv | shrinkage fit - --target price --json > result.json

{CODES}"""


@app.command(epilog=FIT_EXAMPLES)
@click.argument("data")
@click.option("--target", required=True, help="Column to predict.")
@click.option(
    "--penalty",
    "penalties",
    default="l1,l2,elastic",
    show_default=True,
    callback=_penalties,
    help="Penalties to compare: l1 (lasso), l2 (ridge), elastic (elastic net), group (group lasso), mcp, scad, slope.",
)
@click.option("--l1-ratio", default=0.5, show_default=True, type=click.FloatRange(0, 1), help="Share of L1 in elastic.")
@click.option("--gamma", type=float, help="Of mcp and scad: small shrinks large effects less.  [default: 3 and 3.7]")
@click.option(
    "--loss",
    default="auto",
    show_default=True,
    type=click.Choice(LOSSES),
    help="auto: logistic for two distinct values, multinomial for text of more, squared for other numbers; "
    "cox: the target is a censored time.",
)
@click.option("--power", type=float, help="Of tweedie, from 1 to 2.  [default: 1.5]")
@click.option("--theta", type=float, help="Of negative-binomial: variance mu + mu^2 / theta.  [default: 1]")
@click.option("--delta", type=float, help="Of huber, in the unit of the target.  [default: from the data]")
@click.option("--quantile", type=float, help="Of quantile.  [default: 0.5]")
@click.option("--smoothing", type=float, help="Of quantile, in the unit of the target.  [default: from the data]")
@click.option("--positive", metavar="CLASS", help="Model this class of the target against all others.")
@click.option(
    "--cv",
    default=10,
    show_default=True,
    type=click.IntRange(min=2),
    help="Folds; shuffled, and stratified by classes.",
)
@click.option(
    "--rule",
    default="1se",
    show_default=True,
    type=click.Choice(["1se", "min"]),
    help="1se: the largest strength within one standard error of the lowest error; min: the lowest error.",
)
@click.option(
    "--score",
    default="deviance",
    show_default=True,
    type=click.Choice(SCORES),
    callback=lambda ctx, parameter, value: value.replace("-", "_"),
    help="What rows held out are judged by; auc is of two classes, accuracy of classes, c-index of cox.",
)
@click.option(
    "--stop",
    type=click.Choice(["auto"]),
    help="auto: end the strengths where smaller ones gain nothing.  [default: all strengths]",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Shuffles the folds.")
@click.option(
    "--standardize/--no-standardize",
    default=True,
    show_default=True,
    help="Penalize effects per standard deviation; coefficients stay in raw units.",
)
@click.option("--weights", metavar="COL", help="Column of row weights; it is not a feature.")
@click.option("--offset", metavar="COL", help="Column added to the linear predictor; predictions need it too.")
@click.option("--exposure", metavar="COL", help="Column that counts are in proportion to: log(COL) is an offset.")
@click.option("--group-folds", metavar="COL", help="Rows with one value of COL stay in one fold.")
@click.option("--time-folds", metavar="COL", help="Each fold is predicted from rows of earlier COL only.")
@click.option(
    "--event",
    metavar="COL",
    help="Of cox: 1 where the target is the time of an event, 0 where censored; without it every row is an event.",
)
@click.option("--strata", metavar="COL", help="Of cox: rows are compared with those of their own value of COL only.")
@click.option(
    "--groups",
    metavar="COL,COL",
    multiple=True,
    help="Of group: columns that enter together; may be repeated. Each other column is a group, with all its levels.",
)
@click.option(
    "--free",
    metavar="COL",
    multiple=True,
    help="Column that is neither penalized nor bound by a plain --lower or --upper; may be repeated.",
)
@click.option(
    "--lower",
    metavar="[COL=]N",
    multiple=True,
    help="Bound of all coefficients but those of --free columns, or of COL's; N <= 0.",
)
@click.option(
    "--upper",
    metavar="[COL=]N",
    multiple=True,
    help="Bound of all coefficients but those of --free columns, or of COL's; N >= 0.",
)
@click.option("--drop", metavar="COL", multiple=True, help="Column to leave out; may be repeated.")
@click.option(
    "--tol",
    default=1e-6,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Largest relative duality gap of any fit.",
)
@click.option(
    "--out",
    metavar="DIR",
    callback=place,
    help="Write report.html, model.npz and coefficients.csv here; without it, only print.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="No progress and no notes.")
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=read_config,
    help="TOML file with options by their names, and data; those of the command line go first.",
)
@click.pass_context
def fit(ctx: click.Context, out: str | None, as_json: bool, quiet: bool, **asked) -> None:
    """Compare penalties on DATA (.csv, .tsv, .parquet, .arrow, .feather, or - for CSV on stdin) and choose.

    Categories get a 0/1 column for every level. A missing number becomes the mean of the training rows, with an
    indicator column; a missing category is a level of its own. Dates, names and identifiers are left out, and said.
    """
    converged = _fit(Request(**asked), out, as_json, quiet)
    if not converged:
        ctx.exit(NOT_CONVERGED)


def _fit(request: Request, out: str | None, as_json: bool, quiet: bool) -> bool:
    """Run, write, print; whether everything converged."""
    if out is not None:
        make_folder(Path(out))
    tell = Teller(quiet)
    try:
        study, model = run(request, out, tell)
        files: dict[str, str] = {}
        if out is not None:
            tell("writing the report")
            contents = {
                "report.html": html(study).encode(),
                "model.npz": model.to_bytes(),
                "coefficients.csv": _print.coefficients_csv(study).encode(),
            }
            for name, content in contents.items():
                write_whole(Path(out) / name, content)
                files[name] = str(Path(out) / name)
    finally:
        tell.done()
    if as_json:
        click.echo(_print.document(study, model, files))
        return study.converged
    if not quiet:
        for note in study.notes:
            click.echo(note)
        click.echo()
    click.echo(_print.text(study))
    for path in files.values():
        click.echo(f"wrote {path}")
    if not files:
        click.echo("Nothing was written; --out DIR saves the report, the model and the coefficients.")
    return study.converged


PREDICT_EXAMPLES = f"""\b
Examples:
  shrinkage predict report/model.npz new.csv > predictions.csv
  shrinkage predict report new.parquet --proba --out predictions.csv
  shrinkage predict trained/network.json new.csv

{CODES}"""


@app.command(epilog=PREDICT_EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--out", metavar="FILE", callback=place, help="Instead of stdout.")
@click.option("--proba", is_flag=True, help="Add the probability of the modeled class, or of every class.")
@click.option("--quiet", is_flag=True, help="No notes on unseen levels or missing values.")
def predict(model: Path, data: str, out: str | None, proba: bool, quiet: bool) -> None:
    """Predict the rows of DATA with MODEL, the file or folder that `shrinkage fit` or `train` wrote with --out.

    Prints CSV with one line per row. Levels that training did not have are encoded as zeros, and said on stderr.
    """
    if out is not None:
        reason = f"{out!r} is a folder" if Path(out).is_dir() else why_not_writable(Path(out).parent)
        if reason:
            raise click.BadParameter(f"{reason}; name a file in a folder that can be written", param_hint="'--out'")
    fitted = load_saved(model)
    if proba and not fitted.target.classes:
        raise click.UsageError(f"--proba needs a model of classes; this one predicts the number {fitted.target.name!r}")
    with np.errstate(over="raise", invalid="raise"):
        mean, notes = fitted.predict(read(data, text=fitted.recipe.text_columns))
    if not quiet:
        for note in notes:
            click.echo(f"{click.style('note', fg='yellow')}: {note}", err=True)
    content = _print.predictions_csv(fitted, mean, proba)
    if out is None:
        click.echo(content, nl=False)
    else:
        write_whole(Path(out), content.encode())


app.add_command(train)
app.add_command(convert_command)
app.add_command(explain)


@app.command()
@click.option("--out", metavar="DIR", default="demo-reports", show_default=True, callback=place)
@click.option("--only", type=click.Choice([show.name for show in SHOWS]), help="One data set instead of all.")
@click.pass_context
def demo(ctx: click.Context, out: str, only: str | None) -> None:
    """Run `fit` and `train` on real data that ship: diabetes, breast cancer, cancer cell lines, handwritten digits."""
    converged, reports = True, []
    torch_is_here = has_torch()
    for show in SHOWS:
        if only not in (None, show.name):
            continue
        folder = Path(out) / show.name
        make_folder(folder)
        data = write_data(show, folder)
        if show.fits:
            click.echo(click.style(f"== {show.title}", bold=True))
            request = Request(data=str(data), target=show.target, positive=show.positive, cv=show.cv)
            converged &= _fit(request, str(folder), as_json=False, quiet=False)
            reports.append((folder / "report.html").resolve())
            click.echo()
        if show.trains and not torch_is_here:
            click.echo(f"{show.title}: no network without PyTorch (pip install 'shrinkage[train]').\n")
        elif show.trains:
            click.echo(click.style(f"== {show.title}: a network", bold=True))
            place = folder / "network"
            asked = TrainRequest(data=str(data), target=show.target, **show.trains)
            train_and_tell(ctx, asked, str(place), State(place).unfinished, as_json=False, quiet=False)
            reports.append((place / "report.html").resolve())
            click.echo()
    click.echo("The reports, for a browser:")
    for report in reports:
        click.echo(f"  {report.as_uri()}")
    if not converged:
        ctx.exit(NOT_CONVERGED)
