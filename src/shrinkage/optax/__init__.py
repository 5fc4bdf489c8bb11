"""Penalties in JAX: links for an optax chain, proximal operators and a proximal gradient solver."""

from shrinkage._errors import MissingExtraError

try:
    import optax as _optax  # noqa: F401
except ImportError as error:  # pragma: no cover - tests/test_without.py runs it in a process of its own
    raise MissingExtraError("shrinkage.optax needs optax and JAX: pip install 'shrinkage[optax]'") from error

from shrinkage.optax._chain import chain as chain
from shrinkage.optax._dual_averaging import dual_averaging as dual_averaging
from shrinkage.optax._jaxopt_prox import make_prox_from_projection as make_prox_from_projection
from shrinkage.optax._jaxopt_prox import prox_elastic_net as prox_elastic_net
from shrinkage.optax._jaxopt_prox import prox_group_lasso as prox_group_lasso
from shrinkage.optax._jaxopt_prox import prox_lasso as prox_lasso
from shrinkage.optax._jaxopt_prox import prox_non_negative_lasso as prox_non_negative_lasso
from shrinkage.optax._jaxopt_prox import prox_non_negative_ridge as prox_non_negative_ridge
from shrinkage.optax._jaxopt_prox import prox_none as prox_none
from shrinkage.optax._jaxopt_prox import prox_ridge as prox_ridge
from shrinkage.optax._l1_decay import l1_decay as l1_decay
from shrinkage.optax._optimizers import dual_adam as dual_adam
from shrinkage.optax._optimizers import prox_adam as prox_adam
from shrinkage.optax._optimizers import prox_sgd as prox_sgd
from shrinkage.optax._penalties import by_path as by_path
from shrinkage.optax._prox import prox as prox
from shrinkage.optax._proximal_gradient import proximal_gradient as proximal_gradient
from shrinkage.optax._report import report as report

__all__ = [
    "by_path",
    "chain",
    "dual_adam",
    "dual_averaging",
    "l1_decay",
    "make_prox_from_projection",
    "prox",
    "prox_adam",
    "prox_elastic_net",
    "prox_group_lasso",
    "prox_lasso",
    "prox_non_negative_lasso",
    "prox_non_negative_ridge",
    "prox_none",
    "prox_ridge",
    "prox_sgd",
    "proximal_gradient",
    "report",
]
