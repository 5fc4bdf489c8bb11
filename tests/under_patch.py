"""A pytest plugin: scikit-learn's own tests, collected and run under the patch. Use: pytest -p under_patch --pyargs ...

Test modules that import a class from the private module that defines it are given the stand-in too: during collection,
and only then, private modules name the stand-ins.
"""

import os
import sys
import tomllib
from pathlib import Path

from shrinkage.patch import patch_sklearn
from shrinkage.patch._stand_ins import STAND_INS

TABLE = Path(__file__).resolve().parent / "patch" / "exclusions.toml"


def exclusions():
    """Reason by test: `module::test`, without parameters or with them."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {
        f"{module}::{test}": entry["reason"] for module in table for entry in table[module] for test in entry["tests"]
    }


def _name_stand_ins(defining=True):
    for name, ours in STAND_INS.items():
        stock = getattr(ours, "_stands_for", ours)
        setattr(sys.modules[stock.__module__], name, ours if defining else stock)


def pytest_configure(config):
    patch_sklearn(smooth=True)
    _name_stand_ins()


def pytest_collection_modifyitems(config, items):
    _name_stand_ins(defining=False)
    if os.environ.get("UNDER_PATCH") == "all":
        return
    table = exclusions()
    kept, left_out = [], []
    for item in items:
        place = f"{item.module.__name__.rpartition('.')[2]}::{item.name}"
        (left_out if place in table or place.partition("[")[0] in table else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)
