"""What every command shares: exit codes, checks of places to write to, progress on a terminal."""

import sys
from pathlib import Path

import click

from shrinkage.cli._write import why_not_writable

FAILURE, USAGE, DATA, NOT_CONVERGED, INTERRUPTED = 1, 2, 3, 4, 130
CODES = """\b
Exit codes: 0 done; 1 failure; 2 wrong use; 3 the data cannot be used;
4 fitted, but some strength missed --tol; 130 interrupted.
"""


class Teller:
    """Progress on standard error, one line that rewrites itself, only on a terminal."""

    def __init__(self, quiet: bool):
        self.speaks = not quiet and sys.stderr.isatty()

    def __call__(self, what: str) -> None:
        """Replace the line."""
        if self.speaks:
            click.echo(f"\r\x1b[K{what} ...", nl=False, err=True)

    def done(self) -> None:
        """Clear the line."""
        if self.speaks:
            click.echo("\r\x1b[K", nl=False, err=True)


def fail(ctx: click.Context, message: str, code: int) -> None:
    """One sentence on standard error, and the exit code."""
    click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True, color=ctx.color)
    ctx.exit(code)


def place(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what was surely not meant as a place to write to."""
    if value is not None and (not value.strip() or value.startswith("-")):
        kind = "folder" if parameter.metavar == "DIR" else "file"
        met = f"{value!r} looks like an option" if value.strip() else "nothing given"
        hint = f" (./{value} if it is one)" if value.strip() else ""
        raise click.BadParameter(f"{met}; name a {kind} to write{hint}", ctx, parameter)
    return value


def make_folder(folder: Path) -> None:
    """Make the folder that is written to after the work, or say before it that this cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = why_not_writable(folder)
    except OSError as error:
        reason = f"{str(folder)!r} cannot be made: {error.strerror or error}"
    if reason:
        raise click.BadParameter(f"{reason}; name a folder that can be written", param_hint="'--out'")
