"""The command `shrinkage train`: parse, call, print, write."""

from pathlib import Path

import click

from shrinkage.cli._options import CODES, INTERRUPTED, Teller, fail, make_folder, place
from shrinkage.cli._train import run_training
from shrinkage.cli._train_print import train_document, train_text
from shrinkage.cli._train_request import PENALTY_WORDS, TrainRequest, hidden_of, strengths_of
from shrinkage.cli._train_state import State
from shrinkage.cli._write import write_whole
from shrinkage.report import NetworkStudy, html

EXAMPLES = f"""\b
Examples:
  shrinkage train tumors.csv --target diagnosis --out trained
  shrinkage train houses.parquet --target price --penalty group --hidden 128,64 --out trained
  shrinkage train digits.csv --target digit --loss multinomial --strengths 1e-4:1e-2:20 --out trained
  shrinkage predict trained new.csv > predictions.csv

{CODES}"""


def _hidden(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    return hidden_of(value)


def _strengths(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    strengths_of(value)
    return value


@click.command(epilog=EXAMPLES)
@click.argument("data")
@click.option("--target", required=True, help="Column to predict.")
@click.option(
    "--penalty",
    default="l1",
    show_default=True,
    type=click.Choice(list(PENALTY_WORDS)),
    help="l1: weights become zero; group: whole neurons; l2: weights shrink; elastic: l1 and l2.",
)
@click.option("--l1-ratio", default=0.5, show_default=True, type=click.FloatRange(0, 1), help="Share of L1 in elastic.")
@click.option(
    "--loss",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "squared", "logistic", "multinomial"]),
    help="auto: classes for text and for two distinct values, squared for other numbers.",
)
@click.option("--positive", metavar="CLASS", help="Model this class of the target against all others.")
@click.option(
    "--hidden", default="64,32", show_default=True, callback=_hidden, help="Neurons of each hidden layer; or none."
)
@click.option("--epochs", default=50, show_default=True, type=click.IntRange(min=1), help="Passes over the rows.")
@click.option(
    "--lr",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 10, min_open=True),
    help="Learning rate at the start; it falls to 0 along a cosine.",
)
@click.option("--batch-size", default=32, show_default=True, type=click.IntRange(min=1), help="Rows of a step.")
@click.option(
    "--strengths",
    default="auto",
    show_default=True,
    callback=_strengths,
    help="Strengths to try: auto, a list such as 0,1e-4,1e-3, or LOW:HIGH:COUNT.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    help="Trainings of each strength. [default: 5 below 1,000 rows, 3 below 10,000, else 1]",
)
@click.option(
    "--validation",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the rows that strengths are compared on.",
)
@click.option(
    "--test",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of all rows put aside for the final figure.",
)
@click.option(
    "--rule",
    default="1se-paired",
    show_default=True,
    type=click.Choice(["1se-paired", "1se", "min"]),
    help="1se: the largest strength within one standard error of the lowest loss, as in fit; 1se-paired: or of the "
    "paired difference to it, where that is smaller; min: the lowest loss.",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**31), help="The first; it parts rows too."
)
@click.option("--drop", metavar="COL", multiple=True, help="Column to leave out; may be repeated.")
@click.option("--linear/--no-linear", default=True, show_default=True, help="Fit a linear model beside the network.")
@click.option(
    "--out",
    metavar="DIR",
    callback=place,
    help="Write report.html, the network and what an interrupted run needs here; without it, only print.",
)
@click.option("--resume", is_flag=True, help="Go on with the interrupted training in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="No progress and no notes.")
@click.pass_context
def train(ctx: click.Context, out: str | None, resume: bool, as_json: bool, quiet: bool, **asked) -> None:
    """Train a network on DATA (.csv, .tsv, .parquet, .arrow, .feather, or - for CSV on stdin) and choose its penalty.

    Every strength is trained side by side; the choice allows for chance (1-SE over seeds). Columns are made into
    numbers as by `fit`, and standardized. A part of the rows is put aside for an honest final figure, on which a linear
    model stands beside the network. Ctrl-C keeps what is done in --out, and says how to go on.
    """
    train_and_tell(ctx, TrainRequest(**asked), out, resume, as_json, quiet)


def train_and_tell(
    ctx: click.Context, request: TrainRequest, out: str | None, resume: bool, as_json: bool, quiet: bool
) -> None:
    """Run, write, print; an interruption says how to go on."""
    if resume and out is None:
        raise click.UsageError("--resume goes on with the training in --out; name that folder")
    if out is not None:
        make_folder(Path(out))
    tell = Teller(quiet)
    try:
        study, network, state = run_training(request, out, resume, tell)
        files: dict[str, str] = {}
        if out is not None:
            tell("writing the report")
            write_whole(Path(out) / "report.html", html(study).encode())
            files = {"report.html": str(Path(out) / "report.html"), **network.write(Path(out))}
            state.finish()
    except KeyboardInterrupt:
        tell.done()
        _interrupted(ctx, request, out)
        raise
    finally:
        tell.done()
    if as_json:
        click.echo(train_document(study, network, files))
        return
    _print(study, files, quiet)


def _print(study: NetworkStudy, files: dict[str, str], quiet: bool) -> None:
    if not quiet:
        for note in study.notes:
            click.echo(note)
        click.echo()
    click.echo(train_text(study))
    for path in files.values():
        click.echo(f"wrote {path}")
    if not files:
        click.echo("Nothing was written; --out DIR saves the report and the network.")


def _interrupted(ctx: click.Context, request: TrainRequest, out: str | None) -> None:
    """Say what is kept and the command that goes on with it."""
    if out is None:
        fail(ctx, "interrupted; nothing was kept: with --out DIR a training can go on", INTERRUPTED)
    elif State(Path(out)).begun:
        same = ", with the same data on standard input" if request.data == "-" else ""
        again = request.call(out, resume=True)
        fail(ctx, f"interrupted; what was trained is kept in {out}. To go on{same}:\n  {again}", INTERRUPTED)
