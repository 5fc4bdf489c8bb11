"""The strength chosen over several trainings, each with other starts and other rows held out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage._errors import DataError
from shrinkage.selection import choose, rule_words
from shrinkage.training import Sweep


def parts_of(targets: np.ndarray, share: float, seeds: Sequence[int], by_class: bool) -> list[np.ndarray]:
    """Rows to hold out under each seed, as masks (n_rows,): a share of all, of every class alike.

    Shuffled rows are dealt like cards into as many hands as there is room for, and each seed gets a hand; when all are
    given, rows are shuffled and dealt anew. So held-out parts do not overlap as long as they can, and losses on them
    differ by the chance of rows and starts alike, as in cross-validation.
    """
    n_rows = len(targets)
    taken = int(n_rows * share + 1e-9)
    if not 0 < taken < n_rows:
        raise DataError(f"--validation {share:g} of {n_rows} rows is {taken}; at least 1 must be held out, and 1 left")
    hands = n_rows // taken
    masks = []
    for turn in range(len(seeds)):
        order = np.random.default_rng((seeds[0], turn // hands)).permutation(n_rows)
        if by_class:
            order = order[np.argsort(targets[order], kind="stable")]
        hand = order[turn % hands :: hands]
        mask = np.zeros(n_rows, dtype=bool)
        mask[hand[np.arange(taken) * len(hand) // taken]] = True
        masks.append(mask)
    return masks


def together(sweeps: Sequence[Sweep], rule: str = "1se-paired") -> Sweep:
    """Trainings of the same strengths, each under its own seed and with its own rows held out, as one record."""
    first = sweeps[0]
    if len(sweeps) == 1:
        return first

    def joined(name: str) -> Any:
        parts = [getattr(one, name) for one in sweeps]
        return None if any(part is None for part in parts) else np.concatenate(parts, axis=1)

    found = choose(joined("held_out"), first.strengths, rule)
    return replace(
        first,
        seeds=tuple(seed for one in sweeps for seed in one.seeds),
        **{name: joined(name) for name in ("train_loss", "held_out", "zeros", "score", "curves", "epochs_run")},
        status=tuple(_worst(texts) for texts in zip(*(one.status for one in sweeps), strict=True)),
        best=found.best,
        one_se=found.one_se,
        se=found.se,
        difference_se=found.difference_se,
        allowed=found.allowed,
        rule=(
            f"best: the lowest mean held-out loss after {first.epochs} epochs. 1-SE: the largest strength whose mean "
            f"is above it by at most {rule_words(rule)}, over {len(sweeps)} trainings, each with another start and "
            "other rows held out."
        ),
        seconds=float(sum(one.seconds for one in sweeps)),
        notes=tuple(dict.fromkeys(note for one in sweeps for note in one.notes)),
    )


def _worst(texts: Sequence[str]) -> str:
    """What happened to a strength, if anything did in any training."""
    return next((text for text in texts if text != "complete"), "complete")
