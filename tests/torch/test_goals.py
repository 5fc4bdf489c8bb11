"""A goal gives one loss per row of the data, whatever shapes they have, or says why it cannot."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage._errors import ArgumentError, DataError  # noqa: E402
from shrinkage.torch import ProxSGD  # noqa: E402
from shrinkage.torch._goals import goal_of  # noqa: E402
from shrinkage.torch._sweep import sweep  # noqa: E402

N = 24


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def signs(*shape):
    return (drawn(*shape, seed=1) > 0).long()


@pytest.mark.parametrize(
    ("output", "y"),
    [
        (drawn(N, 1), signs(N)),
        (drawn(N), signs(N, 1)),
        (drawn(N, 1), signs(N, 1)),
        (drawn(N, 3), signs(N, 3)),
        (drawn(N, 2, 3), signs(N, 2, 3)),
        (drawn(N, 3), torch.arange(N) % 3),
        (drawn(N, 3, 5), torch.arange(5 * N).reshape(N, 5) % 3),
        (drawn(N, 1), drawn(N, seed=2)),
        (drawn(N), drawn(N, 1, seed=2)),
        (drawn(N, 6), drawn(N, 2, 3, seed=2)),
        (drawn(N, 2, 1, 3), drawn(N, 2, 3, seed=2)),
    ],
)
def test_rows_are_the_losses_of_batches_of_one_row(output, y):
    goal = goal_of("auto", output, y)
    rows = goal.rows(output, y)
    alone = torch.stack([goal.loss(output[k : k + 1], y[k : k + 1]) for k in range(N)])
    assert rows.shape == (N,)
    torch.testing.assert_close(rows, alone)
    torch.testing.assert_close(rows.mean(), goal.loss(output, y))


@pytest.mark.parametrize("shape", [(N,), (N, 1), (N, 3), (N, 2, 2)])
def test_accuracy_of_several_labels_is_the_share_of_right_ones(shape):
    y, output = signs(*shape), drawn(*shape)
    goal = goal_of("auto", output, y)
    hits = goal.hits(torch.stack([output, 2.0 * y - 1.0]), y)
    share = float(((output > 0) == (y == 1)).double().mean())
    np.testing.assert_allclose(hits / N, [share, 1.0])


@pytest.mark.parametrize("mode", ["loop", "stacked"])
@pytest.mark.parametrize("columns", [1, 3])
def test_a_sweep_of_columns_of_labels_is_the_sweep_of_their_mean_loss(columns, mode):
    X, y = drawn(60, 4), signs(60, columns)
    rows = lambda output, y: functional.binary_cross_entropy_with_logits(output, y.float(), reduction="none")  # noqa: E731
    settings = {"penalty": L1(1.0), "lr": 0.05, "epochs": 2, "mode": mode}
    auto = sweep(lambda: nn.Linear(4, columns), (X, y), [0.0, 0.01], **settings)
    own = sweep(lambda: nn.Linear(4, columns), (X, y), [0.0, 0.01], loss=rows, **settings)
    np.testing.assert_allclose(auto.held_out, own.held_out, rtol=1e-5)
    assert auto.n_held_out == 12
    assert ((auto.score > 0) & (auto.score <= 1)).all()


def test_a_strength_that_diverges_with_columns_of_labels_is_noticed():
    with pytest.raises(ArgumentError, match="every strength diverged"):
        sweep(lambda: nn.Linear(4, 1), (drawn(60, 4), signs(60, 1)), [0.0], penalty=L1(1.0), optimizer=ProxSGD, lr=3e38,
              epochs=3)  # fmt: skip


@pytest.mark.parametrize(
    "y", [drawn(N, 3, seed=2), signs(N, 3), drawn(N, 3, 2, seed=2), drawn(3 * N, seed=2), drawn(N // 2, 6, seed=2)]
)
def test_an_output_in_another_order_than_y_is_refused(y):
    output = drawn(*y.shape).transpose(0, 1) if y.ndim == 2 else drawn(N, 2, 3) if y.ndim == 3 else drawn(N, 3)
    with pytest.raises((ArgumentError, DataError), match=r"the model returns shape .* for a batch of y of shape"):
        goal_of("auto", output, y)


def squares(output, y):
    return (output - y).square()


def focal(output, y):
    """One number for each output, as losses of detection have it."""
    return functional.binary_cross_entropy_with_logits(
        output, functional.one_hot(y, output.shape[1]).float(), reduction="none"
    )


@pytest.mark.parametrize(
    ("loss", "output", "y"),
    [
        (squares, drawn(N, 1), drawn(N, seed=2)),
        (squares, drawn(N), drawn(N, 1, seed=2)),
        (squares, drawn(N, N), drawn(N, seed=2)),
        (lambda output, y: squares(output, y)[:5], drawn(N), drawn(N, seed=2)),
    ],
)
def test_losses_of_rows_with_all_others_are_refused(loss, output, y):
    with pytest.raises(ArgumentError, match=r"one number per row, or their mean; .* from outputs of shape \(24"):
        goal_of(loss, output, y)


@pytest.mark.parametrize(
    ("loss", "output", "y"),
    [
        (squares, drawn(N), drawn(N, seed=2)),
        (squares, drawn(N, 1), drawn(N, 1, seed=2)),
        (squares, drawn(N, 3), drawn(N, 3, seed=2)),
        (nn.CrossEntropyLoss(reduction="none"), drawn(N, 3, 5), torch.arange(5 * N).reshape(N, 5) % 3),
        (focal, drawn(N, 3), torch.arange(N) % 3),
        (lambda output, y: squares(output[0], y)[:, None], (drawn(N), drawn(2)), drawn(N, seed=2)),
    ],
)
def test_losses_of_rows_of_one_s_own_are_averaged_row_by_row(loss, output, y):
    goal = goal_of(loss, output, y)
    value = loss(output, y)
    torch.testing.assert_close(goal.rows(output, y), value.reshape(N, -1).mean(1))
    torch.testing.assert_close(goal.loss(output, y), value.mean())


@pytest.mark.parametrize("kind", [torch.int8, torch.int16, torch.int32, torch.uint8])
def test_classes_of_any_whole_type_are_learned(kind):
    output, y = drawn(N, 3), torch.arange(N) % 3
    for loss in ("auto", nn.CrossEntropyLoss()):
        if loss == "auto":  # batches of a loader are as its data set has them
            goal = goal_of(loss, output, y.to(kind))
            assert torch.equal(goal.rows(output, y.to(kind)), functional.cross_entropy(output, y, reduction="none"))
        X, settings = drawn(N, 3), {"penalty": L1(1.0), "epochs": 1, "loss": loss, "mode": "loop"}
        one, other = (sweep(lambda: nn.Linear(3, 3), (X, labels), [0.01], **settings) for labels in (y.to(kind), y))
        np.testing.assert_array_equal(one.held_out, other.held_out)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (nn.NLLLoss(weight=torch.ones(2)), "loss cannot take the model's output and y; NLLLoss says: "),
        (lambda output, y: output[:, 7], "loss cannot take the model's output and y; <lambda> says: "),
        (lambda output, y: output.mean() if output.mean() > 0 else -output.mean(), "cannot be computed row by row"),
    ],
)
def test_a_loss_that_fails_is_refused_with_what_it_says(loss, said):
    with pytest.raises(ArgumentError, match=said) as refused:
        goal_of(loss, drawn(N, 3), torch.arange(N) % 3)
    assert refused.value.__cause__ is not None
