"""What a parameter is for, read from its name and shape alone: the vocabulary of every plan."""

import re
from collections.abc import Mapping

ROLES: dict[str, str] = {
    "linear": "weights",
    "conv": "weights",
    "attention": "weights",
    "recurrent": "weights",
    "matrix": "weights",
    "embedding": "embeddings",
    "position": "embeddings",
    "token": "embeddings",
    "norm": "norms",
    "bias": "biases",
    "gain": "gains",
}
"""Every role and its family. `matrix` is a weight of unknown use; `gain` a vector or scalar that multiplies."""

FAMILIES: tuple[str, ...] = ("weights", "embeddings", "norms", "biases", "gains")

DEFAULT_FAMILY = "weights"
"""What is penalized where nobody says otherwise."""

_POSITION = {"pos", "position", "positions", "positional", "posemb", "posembed", "rel", "relative", "rpb", "rpe", "wpe"}
_TOKEN = {"token", "tokens", "cls", "latent", "latents", "prompt", "prompts", "register", "registers", "queries"}
_EMBEDDING = {"embed", "embeds", "embedding", "embeddings", "emb", "table", "tables", "codebook", "wte"}
_GAIN = {"alpha", "gamma", "gammas", "gain", "gains", "scale", "scales", "temperature", "layerscale", "ls", "magnitude"}
_BIAS = {"bias", "biases", "beta", "betas"}
_PRODUCT = {"proj", "projection", "weight", "weights", "kernel", "kernels"}
_NORM = {"bn", "ln", "gn"}
_GAINS_OF_NORMS = {"weight", "gamma", "scale", "gain", "g"}
_TABLES = {"weight", "embeddings"}


def roles_of_word(word: str) -> frozenset[str]:
    """Return the roles that a word of the vocabulary names; empty if it is none."""
    if word == "all":
        return frozenset(ROLES)
    return frozenset(role for role, family in ROLES.items() if word in (role, family))


def words_of(name: str) -> list[str]:
    """Return the lower-case words of one component of a name: `pos_embed2` is `pos`, `embed`."""
    return [word for word in re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]


def is_vector(shape: tuple[int, ...]) -> bool:
    """Say whether a shape is a vector, also one kept as (1, 1, n) or (n, 1, 1) for broadcasting; (n, 1) is a matrix."""
    return len(shape) < 2 or (len(shape) > 2 and sum(size != 1 for size in shape) < 2)


def ndim_text(shape: tuple[int, ...]) -> str:
    """`2-D`, or for a vector in more axes `1-D in 4 axes`."""
    return f"1-D in {len(shape)} axes" if len(shape) > 2 and is_vector(shape) else f"{len(shape)}-D"


def role_by_own_name(own: str, shape: tuple[int, ...]) -> tuple[str, str]:
    """Return (role, reason) of a parameter that its module's class does not explain.

    Parameters
    ----------
    own : str
        The parameter's own name, without its module's path.
    shape : tuple of int
    """
    words = words_of(own)
    found = set(words)
    product = bool(found & _PRODUCT)
    if not product:
        if found & _POSITION:
            return "position", f"position by name '{own}'"
        if found & _TOKEN or {"class", "embedding"} <= found:
            return "token", f"token by name '{own}'"
    if words and (words[-1] in _BIAS or (words[0] in _BIAS and not product)):
        return "bias", f"bias by name '{own}'"
    if len(shape) < 2 or (is_vector(shape) and not product):
        return "gain", f"gain by name '{own}'" if found & _GAIN else ndim_text(shape)
    if not product:
        if found & _EMBEDDING:
            return "embedding", f"embedding by name '{own}'"
        if found & _GAIN:
            return "gain", f"gain by name '{own}'"
        if len(shape) > 2 and shape[0] == 1:
            return "token", f"{ndim_text(shape)} with a first axis of 1: broadcast over the batch"
    return "matrix", f"{len(shape)}-D"


def role_by_structure(
    kind: str, own: str, shape: tuple[int, ...], siblings: Mapping[str, tuple[int, ...]], holds_a_matrix: bool
) -> tuple[str, str] | None:
    """Return (role, reason) of a norm or an embedding of somebody's own, told by its make; None for anything else.

    Parameters
    ----------
    kind : str
        Name of the class of the layer that owns the parameter.
    own : str
        The parameter's own name.
    shape : tuple of int
    siblings : mapping from own name to shape
        Of every parameter that the layer owns itself, this one included.
    holds_a_matrix : bool
        Whether the layer, or one inside it, holds a parameter that is no vector.

    Examples
    --------
    >>> role_by_structure("Whiten", "gamma", (8,), {"gamma": (8,), "beta": (8,)}, False)
    ('norm', 'norm by structure')
    """
    named = kind.lower()
    if is_vector(shape):
        gain = own in _GAINS_OF_NORMS
        if not (gain or own in ("bias", "beta")) or "scale" in named or holds_a_matrix:
            return None
        if not _GAINS_OF_NORMS & siblings.keys() or (len(shape) > 1 and set(siblings.values()) != {shape}):
            return None
        if "norm" in named:
            return ("norm", f"norm by class {kind}") if gain else ("bias", f"{kind} {own}")
        if shape not in ((), (1,)):
            return ("norm", "norm by structure") if gain else ("bias", "bias of a norm by structure")
        return None
    if own in _TABLES and len(shape) == 2 and named.endswith(("embedding", "embeddings", "embeddingbag")):
        return "embedding", f"embedding by class {kind}"
    return None


def role_by_name(name: str, shape: tuple[int, ...]) -> tuple[str, str]:
    """Return (role, reason) from a dotted name and a shape, where no module says more.

    Examples
    --------
    >>> role_by_name("encoder.bias_proj.weight", (8, 8))
    ('matrix', '2-D, by name and shape alone')
    >>> role_by_name("encoder.ln_1.weight", (8,))
    ('norm', "norm by name 'ln_1', by name and shape alone")
    """
    parts = [part for part in name.split(".") if not part.isdigit()] or [name]
    own, owner = parts[-1], parts[-2] if len(parts) > 1 else ""
    role, reason = role_by_own_name(own, shape)
    around = set(words_of(owner))
    named = set(words_of(own)) & {"weight", "gamma", "scale", "g"}
    if role == "gain" and named and (around & _NORM or "norm" in owner.lower()):
        role, reason = "norm", f"norm by name '{owner}'"
    elif role == "matrix" and own.startswith(("weight_ih", "weight_hh", "weight_hr")):
        role, reason = "recurrent", f"recurrent by name '{own}'"
    elif role == "matrix" and own == "in_proj_weight":
        role, reason = "attention", f"attention by name '{own}'"
    elif role == "matrix" and own == "weight" and len(shape) == 2 and not around & _PRODUCT:
        if around & _POSITION:
            role, reason = "position", f"position by name '{owner}'"
        elif around & _EMBEDDING:
            role, reason = "embedding", f"embedding by name '{owner}'"
    return role, f"{reason}, by name and shape alone"
