"""Writes src/shrinkage/_core.pyi, the typed face of the compiled module; with --check, only compares it.

usage: python tools/stub.py [--check]
"""

import difflib
import importlib
import sys
from pathlib import Path

from nanobind.stubgen import StubGen

STUB = Path(__file__).resolve().parent.parent / "src" / "shrinkage" / "_core.pyi"


def generate() -> str:
    """Return the stub of the installed compiled module."""
    generator = StubGen(importlib.import_module("shrinkage._core"))
    generator.put(generator.module)
    return generator.get()


def main() -> int:
    """Write the stub, or compare it and return 1 where it is stale."""
    generated = generate()
    if "--check" not in sys.argv[1:]:
        STUB.write_text(generated, encoding="utf-8")
        return 0
    stored = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
    sides = stored.splitlines(), generated.splitlines()
    difference = list(difflib.unified_diff(*sides, "stored", "generated", lineterm=""))
    if difference:
        print(*difference, sep="\n")
        print(f"{STUB.name} does not describe the compiled module: run python tools/stub.py and commit the result")
    return bool(difference)


if __name__ == "__main__":
    sys.exit(main())
