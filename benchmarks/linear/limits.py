"""What the machine allows: the least that any method of ours reads and multiplies for a row, in seconds.

    bytes of X / bandwidth  +  (certificate + solution) / flops per second

Certificate: 2 · nnz · k · c flops for k strengths and c fits (1, or the folds and the fit on all rows). Solution: the
Gram of the final support of m features and its factor, n m² + m³/3, half of a general product. A sparse X may do
without both: coordinate descent on residuals has to visit the columns of the final support at least once in each fit,
4 · nnz / p · m · c flops. That is a bound from below and no more: it counts one sweep where some fifty converge, and
every entry at the rate of dense products, which no irregular access comes near. Where n > p it may be cheaper to take
the moments once: n p² flops, and the certificate from them, 2 p² k c. The smallest of these sums is the limit. Rates
are measured, one thread.
"""

import time
from functools import cache

import numpy as np
from scipy.linalg import blas


@cache
def bandwidth() -> float:
    """Bytes per second that one thread reads, from 400 MB: the best of five sums."""
    values = np.ones(50_000_000)
    return values.nbytes / _best(lambda: values.sum(), 5)


@cache
def flops(rows: int) -> float:
    """Flops per second of a product of columns with `rows` rows (no more than 2,000), as certificates are."""
    rows = min(rows, 2_000)
    A, B = np.asfortranarray(np.ones((rows, 4_000))), np.asfortranarray(np.ones((rows, 200)))
    return 2.0 * A.size * B.shape[1] / _best(lambda: blas.dgemm(1.0, A, B, trans_a=True), 5)


def _best(work, times: int) -> float:
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def limit(content: dict) -> dict:
    """Seconds of each term and their sum, from the facts of a row's file."""
    row, (n, p), nnz, m = content["row"], content["shape"], content["nnz"], content["support"]
    fits = row["folds"] + 1 if row["kind"] == "cv" else 1
    strengths = 1 if row["kind"] == "single" else row["n_alphas"]
    rate = flops(n)
    reading = (8.0 if nnz == n * p else 12.0) * nnz / bandwidth()
    certificate = 2.0 * nnz * strengths * fits / rate
    ways = [{"certificate": certificate, "gram": nnz / p * m**2 / rate, "factor": m**3 / 3 / rate}]
    if nnz < n * p:
        ways.append({"certificate": certificate, "sweep": 4.0 * nnz / p * m * fits / rate})
    if n > p and row["loss"] == "squared":
        from_moments = 2.0 * p**2 * strengths * fits / rate
        ways.append({"moments": n * p**2 / rate, "certificate": from_moments, "factor": m**3 / 3 / rate})
    terms = min(ways, key=lambda one: sum(one.values()))
    return {
        "reading": reading,
        **terms,
        "total": reading + sum(terms.values()),
        "bandwidth": bandwidth(),
        "flops": rate,
    }
