"""L1, L2 and elastic-net penalties done right: exact zeros, a certificate, a strength that is chosen and explained."""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING as _TYPE_CHECKING

from shrinkage._errors import ArgumentError as ArgumentError
from shrinkage._errors import ChangedDataError as ChangedDataError
from shrinkage._errors import ConvergenceWarning as ConvergenceWarning
from shrinkage._errors import DataError as DataError
from shrinkage._errors import MissingExtraError as MissingExtraError
from shrinkage._errors import ShrinkageError as ShrinkageError
from shrinkage._path import CrossValidation as CrossValidation
from shrinkage._path import Path as Path
from shrinkage._path import alpha_grid as alpha_grid
from shrinkage._path import cross_validate as cross_validate
from shrinkage._path import path as path
from shrinkage._threads import threads as threads
from shrinkage.design import open_blocks as open_blocks
from shrinkage.estimators import CoxRegressor as CoxRegressor
from shrinkage.estimators import CoxRegressorCV as CoxRegressorCV
from shrinkage.estimators import ElasticNet as ElasticNet
from shrinkage.estimators import ElasticNetCV as ElasticNetCV
from shrinkage.estimators import GammaRegressor as GammaRegressor
from shrinkage.estimators import GammaRegressorCV as GammaRegressorCV
from shrinkage.estimators import GroupLasso as GroupLasso
from shrinkage.estimators import GroupLassoCV as GroupLassoCV
from shrinkage.estimators import HuberRegressor as HuberRegressor
from shrinkage.estimators import HuberRegressorCV as HuberRegressorCV
from shrinkage.estimators import Lasso as Lasso
from shrinkage.estimators import LassoCV as LassoCV
from shrinkage.estimators import LogisticRegression as LogisticRegression
from shrinkage.estimators import LogisticRegressionCV as LogisticRegressionCV
from shrinkage.estimators import MultiTaskElasticNet as MultiTaskElasticNet
from shrinkage.estimators import MultiTaskElasticNetCV as MultiTaskElasticNetCV
from shrinkage.estimators import NegativeBinomialRegressor as NegativeBinomialRegressor
from shrinkage.estimators import NegativeBinomialRegressorCV as NegativeBinomialRegressorCV
from shrinkage.estimators import PenalizedClassifier as PenalizedClassifier
from shrinkage.estimators import PenalizedClassifierCV as PenalizedClassifierCV
from shrinkage.estimators import PenalizedRegressor as PenalizedRegressor
from shrinkage.estimators import PenalizedRegressorCV as PenalizedRegressorCV
from shrinkage.estimators import PoissonRegressor as PoissonRegressor
from shrinkage.estimators import PoissonRegressorCV as PoissonRegressorCV
from shrinkage.estimators import QuantileRegressor as QuantileRegressor
from shrinkage.estimators import QuantileRegressorCV as QuantileRegressorCV
from shrinkage.estimators import Ridge as Ridge
from shrinkage.estimators import RidgeCV as RidgeCV
from shrinkage.estimators import TweedieRegressor as TweedieRegressor
from shrinkage.estimators import TweedieRegressorCV as TweedieRegressorCV
from shrinkage.patch import patch_sklearn as patch_sklearn
from shrinkage.patch import unpatch_sklearn as unpatch_sklearn
from shrinkage.penalties import L1 as L1
from shrinkage.penalties import L1L2 as L1L2
from shrinkage.penalties import L2 as L2
from shrinkage.penalties import MCP as MCP
from shrinkage.penalties import SCAD as SCAD
from shrinkage.penalties import GroupL2 as GroupL2
from shrinkage.penalties import SortedL1 as SortedL1

__version__ = "0.1.0"

if not _TYPE_CHECKING:  # or type checkers would take every name for a room
    _ROOMS = (
        "claims",
        "datasets",
        "design",
        "losses",
        "patch",
        "plots",
        "priors",
        "problem",
        "report",
        "selection",
        "solvers",
        "tables",
        "torch",
        "training",
        "units",
    )

    def __getattr__(name):
        """Open a room when it is first named, so that `import shrinkage` stays light."""
        if name in _ROOMS:
            return _import_module(f"shrinkage.{name}")
        raise AttributeError(f"module 'shrinkage' has no attribute {name!r}")

    def __dir__():
        there = [room for room in _ROOMS if room != "torch" or _find_spec("torch")]
        return sorted({*globals(), *there})
