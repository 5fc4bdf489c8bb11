"""After a group lasso on digits, `compact` leaves a third of the bytes, as accurate as a dense network."""

from statistics import mean

import pytest

torch = pytest.importorskip("torch")

import networks  # noqa: E402
from compact_networks import lasso_then_refit  # noqa: E402

from shrinkage.torch._compact import compact  # noqa: E402


@pytest.mark.slow
def test_digits_after_a_group_lasso_take_a_third_of_the_bytes_at_equal_accuracy():
    X, _ = networks.digits().test
    losses = []
    for seed in range(3):
        run = lasso_then_refit(seed, lambda model, X: compact(model, X, seconds=0))
        report = run.compacted.report
        assert report.refusal is None
        assert report.shrink >= 3.0
        assert report.max_difference <= 1e-5
        with torch.no_grad():
            assert torch.equal(run.penalized(X).argmax(1), run.compacted.model(X).argmax(1))
        losses.append(run.figures["dense_accuracy"] - run.figures["accuracy"])
    assert mean(losses) <= 0.01  # one accuracy on 450 images has a standard error of 0.7 points


@pytest.mark.slow
def test_exactly_the_neurons_without_incoming_weights_go():
    task = networks.digits(epochs=15)
    model, _ = networks.train(task, 0, networks.maker("DualAdam", 1e-3, rows=True))
    small = compact(model, task.test[0], seconds=0).model
    alive = [int((layer.weight != 0).any(1).sum()) for layer in networks.layers(model)]
    assert [len(layer.weight) for layer in networks.layers(small)] == alive
    assert min(alive) < 128
