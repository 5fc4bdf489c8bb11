"""scikit-learn's linear models on this engine, by one line: `shrinkage.patch_sklearn()`."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from shrinkage.patch._switch import Patch as Patch
from shrinkage.patch._switch import patch_sklearn as patch_sklearn
from shrinkage.patch._switch import unpatch_sklearn as unpatch_sklearn

if not _TYPE_CHECKING:  # the stand-ins import scikit-learn's linear models, which `import shrinkage` need not wait for

    def __getattr__(name):
        """A class that stands in for scikit-learn's, under its name; pickles of its models look here."""
        if not name.startswith("_"):
            from shrinkage.patch._stand_ins import STAND_INS

            if name in STAND_INS:
                return STAND_INS[name]
        raise AttributeError(f"module 'shrinkage.patch' has no attribute {name!r}")
