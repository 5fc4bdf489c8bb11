"""Penalties in JAX: links for an optax chain, proximal operators and a proximal gradient solver."""

from shrinkage._errors import MissingExtraError

try:
    import optax as _optax  # noqa: F401
except ImportError as error:  # pragma: no cover - tests/test_without.py runs it in a process of its own
    raise MissingExtraError("shrinkage.optax needs optax and JAX: pip install 'shrinkage[optax]'") from error
from shrinkage.optax._jaxopt_prox import make_prox_from_projection as make_prox_from_projection
from shrinkage.optax._jaxopt_prox import prox_elastic_net as prox_elastic_net
from shrinkage.optax._jaxopt_prox import prox_group_lasso as prox_group_lasso
from shrinkage.optax._jaxopt_prox import prox_lasso as prox_lasso
from shrinkage.optax._jaxopt_prox import prox_non_negative_lasso as prox_non_negative_lasso
from shrinkage.optax._jaxopt_prox import prox_non_negative_ridge as prox_non_negative_ridge
from shrinkage.optax._jaxopt_prox import prox_none as prox_none
from shrinkage.optax._jaxopt_prox import prox_ridge as prox_ridge

__all__ = [
    "make_prox_from_projection",
    "prox_elastic_net",
    "prox_group_lasso",
    "prox_lasso",
    "prox_non_negative_lasso",
    "prox_non_negative_ridge",
    "prox_none",
    "prox_ridge",
]
