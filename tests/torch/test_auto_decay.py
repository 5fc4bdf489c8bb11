"""The rule of the timescale: what it says, what AdamW does with it, and whether a grid would have found better."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch._adamw import AdamW  # noqa: E402
from shrinkage.torch._auto_decay import auto_decay  # noqa: E402
from shrinkage.torch._plan import Plan  # noqa: E402

GRID = (1 / 16, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 16.0, 64.0)
SEEDS = 6


def small_tasks():
    """(name, X, y, epochs) of seven small problems, inputs and targets of a regression standardized."""
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_digits(return_X_y=True)
    yield "digits", X[:900], y[:900], 30
    yield "breast cancer", *datasets.load_breast_cancer(return_X_y=True), 40
    yield "wine", *datasets.load_wine(return_X_y=True), 60
    yield "diabetes", *datasets.load_diabetes(return_X_y=True), 60
    yield "friedman", *datasets.make_friedman1(600, n_features=10, noise=1.0, random_state=0), 60
    yield "moons", *datasets.make_moons(400, noise=0.3, random_state=0), 60
    yield "noisy classes", *datasets.make_classification(800, 40, n_informative=8, flip_y=0.1, random_state=0), 30


def tensors(X, y):
    """Standardized inputs, targets, and how many outputs they need; 0 for a regression."""
    X = torch.as_tensor(X, dtype=torch.float32)
    X = (X - X.mean(0)) / X.std(0).clamp_min(1e-6)
    y = torch.as_tensor(y)
    if y.is_floating_point():
        return X, ((y - y.mean()) / y.std()).float()[:, None], 0
    return X, y.long(), int(y.max()) + 1


def errors(outputs, y, classes):
    """Loss of every row, (members, n)."""
    if classes:
        return functional.cross_entropy(outputs.transpose(1, 2), y, reduction="none")
    return 0.5 * (outputs - y).square().sum(2)


def held_out_losses(X, y, classes, epochs, batch, lr, decays):
    """Losses of rows held out, (decays, seeds, rows), of an MLP under AdamW and a cosine: all side by side.

    The stack steps with AdamW's own moments, and each member is first multiplied by 1 - lr · its decay.
    """
    n = round(0.7 * len(X))
    orders = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    splits = torch.stack([torch.randperm(len(X), generator=order) for order in orders])
    per_seed = [stacked_start(X.shape[1], 64, classes or 1, seed) for seed in range(SEEDS)]
    weights = [torch.cat([torch.stack(parts)] * len(decays)).requires_grad_() for parts in zip(*per_seed, strict=True)]
    decay = torch.tensor(decays).repeat_interleave(SEEDS)
    optimizer = AdamW([{"params": weights}], lr=lr, weight_decay=0.0)
    steps, taken = epochs * math.ceil(n / batch), 0

    def outputs(rows):
        x = X[rows].repeat(len(decays), 1, 1)
        hidden = torch.baddbmm(weights[1], x, weights[0]).relu()
        return torch.baddbmm(weights[3], hidden, weights[2])

    def targets(rows):
        return y[rows].repeat(len(decays), *[1] * (y.ndim))

    for _ in range(epochs):
        shuffled = torch.stack([s[:n][torch.randperm(n, generator=o)] for s, o in zip(splits, orders, strict=True)])
        for rows in shuffled.split(batch, dim=1):
            rate = lr * 0.5 * (1.0 + math.cos(math.pi * taken / steps))
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            errors(outputs(rows), targets(rows), classes).mean(1).sum().backward()
            with torch.no_grad():
                for matrix in (weights[0], weights[2]):
                    matrix.mul_((1.0 - rate * decay)[:, None, None])
            optimizer.step()
            taken += 1
    with torch.no_grad():
        rows = splits[:, n:]
        return errors(outputs(rows), targets(rows), classes).reshape(len(decays), SEEDS, -1)


def stacked_start(inputs, hidden, outputs, seed):
    """Weights of a fresh MLP, as matrices for products from the right."""
    torch.manual_seed(seed)
    first, last = torch.nn.Linear(inputs, hidden), torch.nn.Linear(hidden, outputs)
    return [p.detach() for p in (first.weight.T, first.bias[None], last.weight.T, last.bias[None])]


def linear(n_outputs=2):
    return torch.nn.Linear(3, n_outputs)


def test_a_weight_without_gradients_keeps_one_e_th_of_itself_over_the_training():
    steps, epochs = 50, 8
    p = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = AdamW([p], lr=1e-3, weight_decay="auto", steps_per_epoch=steps, epochs=epochs)
    for _ in range(steps * epochs):
        p.grad = torch.zeros_like(p)
        optimizer.step()
    assert p.tolist() == pytest.approx([(1 - 1 / 400) ** 400] * 3, rel=1e-9)
    assert p[0].item() == pytest.approx(math.exp(-1), rel=2e-3)


def test_a_coupling_without_the_rate_reaches_the_same():
    coupled, independent = (auto_decay(1e-3, 50, 8, coupling) for coupling in ("lr", "independent"))
    assert coupled.timescale == independent.timescale == 400
    assert coupled.weight_decay * 1e-3 == pytest.approx(independent.weight_decay)
    p = torch.nn.Parameter(torch.ones(3))
    made = AdamW([p], lr=1e-3, weight_decay="auto", coupling="independent", steps_per_epoch=50, epochs=8)
    assert made.param_groups[0]["weight_decay"] == independent.weight_decay


def test_twice_the_data_or_twice_the_rate_is_half_the_decay():
    one = auto_decay(1e-3, 50, 8).weight_decay
    assert auto_decay(1e-3, 100, 8).weight_decay == pytest.approx(one / 2)
    assert auto_decay(2e-3, 50, 8).weight_decay == pytest.approx(one / 2)


def test_every_group_has_the_timescale_at_its_own_rate():
    a, b, c = (torch.nn.Parameter(torch.ones(2)) for _ in range(3))
    groups = [{"params": [a]}, {"params": [b], "lr": 1e-2}, {"params": [c], "weight_decay": 0.3}]
    optimizer = AdamW(groups, lr=1e-3, weight_decay="auto", steps_per_epoch=10, epochs=10)
    assert [group["weight_decay"] for group in optimizer.param_groups] == pytest.approx([10.0, 1.0, 0.3])
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "lr": 1e-4, "weight_decay": "auto"})
    assert optimizer.param_groups[-1]["weight_decay"] == pytest.approx(100.0)


def test_a_plan_decays_what_it_selects():
    optimizer = AdamW(Plan(linear()), lr=1e-3, weight_decay="auto", steps_per_epoch=10, epochs=10)
    assert [group["weight_decay"] for group in optimizer.param_groups] == pytest.approx([10.0, 0.0])


def test_a_checkpoint_holds_the_number():
    first = AdamW(linear().parameters(), lr=1e-3, weight_decay="auto", steps_per_epoch=10, epochs=10)
    second = AdamW(linear().parameters(), lr=1e-3)
    second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["weight_decay"] == first.param_groups[0]["weight_decay"] == pytest.approx(10.0)
    assert second.auto_decay is None


def test_a_pickled_optimizer_still_knows_the_length():
    import copy

    optimizer = copy.deepcopy(AdamW(linear().parameters(), lr=1e-3, weight_decay="auto", steps_per_epoch=10, epochs=10))
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "weight_decay": "auto"})
    assert optimizer.param_groups[-1]["weight_decay"] == pytest.approx(10.0)


def test_it_says_what_it_chose_and_why():
    optimizer = AdamW(linear().parameters(), lr=1e-3, weight_decay="auto", steps_per_epoch=10, epochs=10)
    text = str(optimizer.auto_decay)
    assert "weight_decay 10:" in text
    assert "100 steps or 10 epochs" in " ".join(text.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_decay": "auto"}, "steps_per_epoch"),
        ({"weight_decay": "auto", "steps_per_epoch": 10}, "epochs"),
        ({"weight_decay": "auto", "steps_per_epoch": 0, "epochs": 3}, "steps_per_epoch"),
        ({"weight_decay": "auto", "steps_per_epoch": 10, "epochs": 3, "lr": 0.0}, "lr"),
        ({"weight_decay": "best"}, "'auto'"),
        ({"weight_decay": 0.1, "epochs": 3}, "leave them"),
    ],
)
def test_what_cannot_be_decided_is_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        AdamW(linear().parameters(), **options)


@pytest.mark.slow
def test_no_decay_of_a_grid_is_better_by_more_than_one_standard_error_but_under_noisy_labels(record_property):
    lr, batch, found = 3e-3, 32, {}
    for name, X, y, epochs in small_tasks():
        X, y, classes = tensors(X, y)
        decay = auto_decay(lr, math.ceil(round(0.7 * len(X)) / batch), epochs).weight_decay
        rows = held_out_losses(X, y, classes, epochs, batch, lr, [decay * factor for factor in GRID])
        means = rows.mean((1, 2))
        best, rule = int(means.argmin()), GRID.index(1.0)
        error = float((rows[best].std(1) / rows.shape[2] ** 0.5).mean())  # what one split can tell
        found[name] = (float(means[rule] - means[best]) <= error, GRID[best])
        said = f"rule {means[rule]:.4f}, best {means[best]:.4f} at {GRID[best]:g} times its decay, s.e. {error:.4f}"
        record_property(name, said)
        print(f"{name}: {said}")
    within, factor = found.pop("noisy classes")
    assert all(near for near, _ in found.values()), found
    assert (
        within or factor > 1.0
    )  # where labels are wrong a network overfits, and more decay is better: as the text says
