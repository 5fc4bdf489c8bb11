"""Strengths that leave a sweep early: clearly worse ones, where that is asked for, and those that diverge."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.selection import clearly_worse  # noqa: E402
from shrinkage.torch import ProxSGD  # noqa: E402
from shrinkage.torch._sweep import sweep  # noqa: E402
from shrinkage.torch._sweep_run import rungs  # noqa: E402

MODES = pytest.mark.parametrize("mode", ["loop", "stacked"])
STRENGTHS = [0.0, 1e-3, 1e-2, 0.3, 3.0]


def problem(n=400):
    draw = torch.Generator().manual_seed(1)
    X = torch.randn(n, 8, generator=draw)
    return X, 2 * X[:, 0] - X[:, 1] + 0.3 * torch.randn(n, generator=draw)


def network():
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 1))


def swept(**more):
    settings = {"penalty": L1(1.0), "lr": 0.02, "epochs": 8, "seeds": 2}
    return sweep(network, problem(), STRENGTHS, **settings | more)


@MODES
def test_the_others_go_on_as_if_they_had_been_alone(mode):
    raced, whole = swept(stop_worse=True, mode=mode), swept(mode=mode)
    early = ~raced.complete
    assert early.tolist() == [False, False, False, True, True]
    if mode == "loop":
        np.testing.assert_array_equal(raced.held_out[~early], whole.held_out[~early])
    np.testing.assert_allclose(raced.held_out[~early], whole.held_out[~early], rtol=2e-5)
    assert (raced.best, raced.one_se) == (whole.best, whole.one_se)
    assert np.isnan(raced.held_out[early]).all()
    assert set(raced.weights) == set(raced.strengths[~early].tolist())


def test_who_is_stopped_is_trained_no_further_under_any_seed():
    result = swept(stop_worse=True, mode="loop", seeds=3)
    for k in np.flatnonzero(~result.complete):
        said = re.fullmatch(r"stopped after epoch (\d+) of seed 0: \S+ ± \S+ worse than \S+", result.status[k])
        assert said
        epoch = int(said[1])
        assert epoch in rungs(8)
        assert result.epochs_run[k].tolist() == [epoch, 0, 0]
        assert np.isfinite(result.curves[k, 0]).sum() == epoch


def test_who_leaves_is_decided_by_the_rule_at_the_rungs():
    whole = swept(mode="loop", seeds=1)
    raced = swept(mode="loop", seeds=1, stop_worse=True)
    first = min(rungs(8))
    stopped = [k for k in range(5) if raced.epochs_run[k, 0] == first]
    now, before = whole.curves[:, 0, first - 1], whole.curves[:, 0, first // 2 - 1]
    # Rows without noise: who is worse at all and could not catch up. No other may leave.
    sure = clearly_worse(np.repeat(now[:, None], 3, axis=1), before, np.log2(8 / first))
    assert stopped
    assert set(stopped) <= set(np.flatnonzero(sure))


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, set()), (3, set()), (4, {2}), (8, {2, 4}), (16, {2, 4, 8}), (50, {6, 12, 25})]
)
def test_rungs_are_an_eighth_a_quarter_and_a_half_with_a_half_before(epochs, expected):
    assert rungs(epochs) == expected


@MODES
def test_a_strength_that_diverges_leaves_and_the_others_stay(mode):
    def optimizer(plan, strength):
        return ProxSGD(plan, lr=1e12 if strength == 0.3 else 0.01)

    result = swept(lr=None, optimizer=optimizer, mode="loop" if mode == "loop" else "auto", seeds=[4, 5])
    assert result.status[3] == "diverged in epoch 1 of seed 4"
    assert result.complete.tolist() == [True, True, True, False, True]
    assert result.epochs_run[3].sum() == 0  # its losses are no numbers
    assert np.isfinite(result.held_out[result.complete]).all()


def test_if_all_diverge_the_learning_rate_is_named():
    with pytest.raises(ArgumentError, match="every strength diverged in epoch 1 of seed 0: take a lower lr"):
        swept(lr=1e12, optimizer=ProxSGD, mode="loop")
