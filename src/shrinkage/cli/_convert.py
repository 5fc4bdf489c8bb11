"""`shrinkage convert`: one strength in another package's words."""

import json
from typing import Any

import click
import numpy as np

from shrinkage.cli._options import CODES
from shrinkage.tables import read, read_target, read_weights
from shrinkage.units import calls, convert, equivalents

EXAMPLES = f"""\b
Examples:
  shrinkage convert sklearn.LogisticRegression glmnet C=0.5 l1_ratio=1 --n-samples 200
  shrinkage convert glmnet.gaussian sklearn lambda=0.1 alpha=0.5 standardize=false --data houses.csv --column price
  shrinkage convert torch.SGD keras weight_decay=1e-4
  shrinkage convert sklearn.Ridge alpha=3 --n-samples 100        (without TARGET: every package)
  shrinkage convert --list

{CODES}"""


@click.command(name="convert", epilog=EXAMPLES)
@click.argument("words", nargs=-1, metavar="SOURCE [TARGET] [NAME=VALUE]...")
@click.option("--data", metavar="FILE", help="Read the rows, the spread of y and the weights from this table.")
@click.option("--column", metavar="COL", help="Column of --data that is predicted.")
@click.option("--weights", metavar="COL", help="Column of --data with row weights.")
@click.option("--n-samples", type=click.IntRange(min=1), help="Number of rows, without --data.")
@click.option("--total-weight", type=click.FloatRange(0, min_open=True), help="Sum of the row weights, without --data.")
@click.option("--sd-y", type=click.FloatRange(0, min_open=True), help="Standard deviation of y, divisor n.")
@click.option(
    "--loss",
    type=click.Choice(["mse", "half_mse", "crossentropy", "poisson"]),
    help="What a network's penalty is added to.",
)
@click.option("--list", "listing", is_flag=True, help="Print every call that is known, and how it was checked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def convert_command(
    words: tuple[str, ...],
    data: str | None,
    column: str | None,
    weights: str | None,
    listing: bool,
    as_json: bool,
    **known: Any,
) -> None:
    """Say a penalty's strength in another package's words, with code to paste.

    SOURCE is a call, such as sklearn.LogisticRegression; its arguments follow as NAME=VALUE and have that package's own
    defaults. TARGET is a call or a package; without it every package is shown. Vectors are written 1,2,0.5.
    """
    if listing:
        click.echo(json.dumps(calls(), indent=2) if as_json else _table(calls()))
        return
    names, arguments = _parted(words)
    facts = {**_facts(data, column, weights), **{name: value for name, value in known.items() if value is not None}}
    clash = sorted({"n_samples", "total_weight", "sd_y", "loss", "y", "sample_weight", "offset"} & set(arguments))
    if clash:
        raise click.UsageError(f"{clash[0]} is an option: write --{clash[0].replace('_', '-')} VALUE")
    if len(names) == 1:
        found: Any = equivalents(names[0], **facts, **arguments)
    else:
        found = convert(names[0], names[1], **facts, **arguments)
    click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if as_json else _text(found))


def _parted(words: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """The names of calls, and the arguments."""
    names = [word for word in words if "=" not in word]
    if not 1 <= len(names) <= 2:
        met = " ".join(names) or "nothing"
        raise click.UsageError(f"name a source and, if wanted, one target; got {met} (--list shows all)")
    arguments: dict[str, Any] = {}
    for word in (word for word in words if "=" in word):
        name, _, value = word.partition("=")
        if name in arguments:
            raise click.UsageError(f"{name} is given twice")
        arguments[name] = _value(value)
    return names, arguments


def _value(text: str) -> Any:
    """A number, a truth value, nothing, a vector, or the word itself."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        if "," in text:
            return np.array([float(part) for part in text.split(",")])
        return float(text)
    except ValueError:
        return text


def _facts(data: str | None, column: str | None, weights: str | None) -> dict[str, Any]:
    """What the table says of y."""
    if data is None:
        for name, value in (("--column", column), ("--weights", weights)):
            if value is not None:
                raise click.UsageError(f"{name} names a column of --data, which is missing")
        return {}
    if column is None:
        raise click.UsageError("--data needs --column, the name of what is predicted")
    table = read(data)
    facts: dict[str, Any] = {}
    if weights is not None:
        facts["sample_weight"] = read_weights(table, weights)
    _, y = read_target(table, column, "auto", None)
    return {"y": y, **facts}


def _text(found: Any) -> str:
    """What is pasted, under what it means here."""
    meaning = found.meaning
    alpha = getattr(meaning, "alpha", None)
    if alpha is None:
        return str(found)
    loss = f", {meaning.loss} loss" if meaning.loss else ""
    return f"# here: alpha={alpha:.10g}, l1_ratio={meaning.l1_ratio:.10g}{loss}\n\n{found}"


def _table(rows: dict[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"{name.ljust(width)}  {checked}" for name, checked in rows.items())
