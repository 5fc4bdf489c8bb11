"""The command: parse, call, print."""

import sys

from shrinkage._errors import MissingExtraError


def main() -> None:
    """Run the command `shrinkage` on the arguments of this process, and exit with its code."""
    try:
        try:
            import click  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("the command needs click: pip install 'shrinkage[cli]'") from error
        from shrinkage.cli._app import app

        app(prog_name="shrinkage")
    except MissingExtraError as error:
        sys.exit(f"shrinkage: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
