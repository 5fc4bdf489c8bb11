"""Second moments of data larger than memory: one reading, block of rows by block of rows, that can be resumed."""

import zlib
from collections.abc import Callable
from contextlib import nullcontext
from hashlib import sha256

import numpy as np

from shrinkage.design import BlockDesign, DenseDesign, as_design, check_finite
from shrinkage.problem import Problem
from shrinkage.solvers._kept_sums import KeptSums


def block_moments(
    problem: Problem, penalized: np.ndarray, rest: np.ndarray, groups: list[list[np.ndarray]], add: Callable[..., None]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Read the data once for D' diag(s) D over many sets of rows, D = [X - Q removed, y, Q].

    Parameters
    ----------
    problem : Problem of a `BlockDesign`
        If the design has a folder for its state, sums over finished blocks are kept there, and taken from there.
    penalized : ndarray of shape (m,), integer
        The columns of X.
    rest : ndarray of shape (n_samples, 1 + q)
        [y, Q], y measured from the null model, Q the basis of the intercept and the free columns.
    groups : list of lists of rising index arrays
        The rows of each sum.
    add : callable
        `add_moments`, which adds what a block gives.

    Returns
    -------
    removed : ndarray of shape (q, m)
        What Q explains of the columns in the first block. Any numbers would do, for what is left of Q in a column is
        taken off in the moments, but near the means no digits cancel.
    sums : list of ndarray of shape (n_pieces, m + 1 + q, m + 1 + q), one for each group

    Raises
    ------
    ChangedDataError
        If a block is not the one that the kept sums hold.
    DataError
        If a block holds a NaN or an infinity; the sums of those before it are kept.
    """
    pieces = [rows for group in groups for rows in group]
    design = problem.design
    assert isinstance(design, BlockDesign)
    m, size = len(penalized), len(penalized) + rest.shape[1]
    sums, removed = np.zeros((len(pieces), size, size)), np.zeros((rest.shape[1] - 1, m))
    weights = problem.sample_weight
    kept = None
    if design.state is not None:
        kept = KeptSums(design.state, _statement(design.shape, penalized, rest, weights, pieces), (sums, removed))
    features = None if m == design.shape[1] else penalized
    with kept or nullcontext():
        for start, stop, values in design.blocks("moments"):
            if start == 0:
                removed[:] = _explained(values, features, rest[:stop, 1:], None if weights is None else weights[:stop])
            if kept is not None and kept.has(start, stop, zlib.crc32(np.ascontiguousarray(values).data)):
                continue
            own = [rows[slice(*np.searchsorted(rows, [start, stop]))] - start for rows in pieces]
            places = np.flatnonzero([len(rows) for rows in own])
            met = slice(places.min(initial=len(own)), places.max(initial=-1) + 1)  # runs of rows meet few blocks
            found = np.zeros_like(sums[met])
            part = None if weights is None else weights[start:stop]
            if len(found):
                add(found, values, rest[start:stop], removed, pieces=own[met], features=features, weights=part)
            if not np.isfinite(np.einsum("kjj->kj", found)).all():
                check_finite(DenseDesign(values, design.feature_names), start)  # before the sums are spoiled
            with nullcontext() if kept is None else kept.adding():
                sums[met] += found
    ends = np.cumsum([len(group) for group in groups])
    return removed, [sums[end - len(group) : end] for group, end in zip(groups, ends, strict=True)]


def _explained(values: np.ndarray, features: np.ndarray | None, Q: np.ndarray, weights: np.ndarray | None):
    """Coefficients (q, m) of the columns of Q for columns of X, by least squares on the rows of a block."""
    if not Q.shape[1]:
        return np.zeros((0, values.shape[1] if features is None else len(features)))
    shares = Q if weights is None else weights[:, None] * Q
    cross = as_design(values).correlate(shares)
    cross = cross.T if features is None else cross[features].T
    return np.linalg.lstsq(shares.T @ Q, cross, rcond=1e-10)[0]


def _statement(shape: tuple[int, int], penalized: np.ndarray, rest: np.ndarray, weights, pieces: list) -> str:
    """A digest of all that the sums depend on besides X."""
    digest = sha256(repr((shape, rest.shape, weights is None, [len(rows) for rows in pieces])).encode())
    for array in (penalized, rest, *([] if weights is None else [weights]), *pieces):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
