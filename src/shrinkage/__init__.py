"""L1, L2 and elastic-net penalties done right: exact zeros, a certificate, a strength that is chosen and explained."""

from shrinkage._errors import ArgumentError as ArgumentError
from shrinkage._errors import ConvergenceWarning as ConvergenceWarning
from shrinkage._errors import DataError as DataError
from shrinkage._errors import MissingExtraError as MissingExtraError
from shrinkage._errors import ShrinkageError as ShrinkageError
from shrinkage._path import CrossValidation as CrossValidation
from shrinkage._path import Path as Path
from shrinkage._path import alpha_grid as alpha_grid
from shrinkage._path import cross_validate as cross_validate
from shrinkage._path import path as path
from shrinkage.estimators import ElasticNet as ElasticNet
from shrinkage.estimators import ElasticNetCV as ElasticNetCV
from shrinkage.estimators import Lasso as Lasso
from shrinkage.estimators import LassoCV as LassoCV
from shrinkage.estimators import LogisticRegression as LogisticRegression
from shrinkage.estimators import LogisticRegressionCV as LogisticRegressionCV
from shrinkage.estimators import Ridge as Ridge
from shrinkage.estimators import RidgeCV as RidgeCV
from shrinkage.penalties import L1 as L1
from shrinkage.penalties import L1L2 as L1L2
from shrinkage.penalties import L2 as L2
from shrinkage.penalties import MCP as MCP
from shrinkage.penalties import SCAD as SCAD
from shrinkage.penalties import GroupL2 as GroupL2

__version__ = "0.1.0"
