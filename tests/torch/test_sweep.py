"""A sweep is the trainings that one would write by hand, all at once, and the choice that their losses make."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from optimizers import FIVE  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from shrinkage import L1, L2, MCP, GroupL2  # noqa: E402
from shrinkage._errors import ArgumentError, DataError  # noqa: E402
from shrinkage.selection import choose, lowest, paired_error  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, Plan, ProxAdam, Proximal, ProxSGD  # noqa: E402
from shrinkage.torch._data import split  # noqa: E402
from shrinkage.torch._sweep import sweep  # noqa: E402

STRENGTHS = (0.0, 0.003, 0.03)
EPOCHS = 3


def problem(classes=3, n=150):
    draw = torch.Generator().manual_seed(3)
    X = torch.randn(n, 6, generator=draw)
    scores = X[:, :3] * torch.tensor([2.0, -2.0, 1.0]) + 0.3 * torch.randn(n, 3, generator=draw)
    return X, scores.argmax(1) if classes else scores


def network(outputs=3):
    return lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, outputs))


def by_hand(make, strength, data, seed=0, rate=lambda optimizer: None, epochs=EPOCHS):
    """The loop that everyone writes; mean training loss of the last epoch, model, rows held out."""
    train, held_out = split(data, 0.2, 0, 32)
    torch.manual_seed(seed)
    model = network()()
    optimizer = make(model, strength)
    schedule = rate(optimizer)
    for epoch in range(epochs):
        losses = []
        for X, y in train.epoch(seed, epoch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(X), y)
            loss.backward()
            optimizer.step()
            losses.append((loss.detach().double(), len(y)))
        if schedule is not None:
            schedule.step()
    mean = sum(loss * n for loss, n in losses) / sum(n for _, n in losses)
    return float(mean), model.eval(), (held_out.X, held_out.y)


def maker(name, **more):
    """What a hand-written loop would make: the optimizer of a model at a strength."""
    kind, usual = FIVE[name]
    settings = {key: value for key, value in (usual | more).items() if key != "weight_decay" or name != "AdamW"}
    if name == "AdamW":
        return lambda model, strength: kind(Plan(model), weight_decay=strength, **settings)
    return lambda model, strength: kind(Plan(model, L1(strength)), **settings)


def swept(name, data=None, strengths=STRENGTHS, **more):
    kind, usual = FIVE[name]
    own = {key: value for key, value in usual.items() if key not in ("lr", "weight_decay")}
    settings = {"penalty": None if name == "AdamW" else L1(7.0), "optimizer": kind, "lr": usual["lr"],
                "optimizer_options": own, "epochs": EPOCHS}  # fmt: skip
    return sweep(network(), data or problem(), strengths, **(settings | more))


def cosine(optimizer):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)


@pytest.mark.parametrize("name", FIVE)
def test_the_loop_is_the_hand_written_one_to_the_bit(name):
    result = swept(name, seeds=(5,), mode="loop", scheduler=cosine)
    assert result.strengths.tolist() == list(STRENGTHS)
    for k, strength in enumerate(STRENGTHS):
        train_loss, model, (X, y) = by_hand(maker(name), strength, problem(), seed=5, rate=cosine)
        with torch.no_grad():
            losses = functional.cross_entropy(model(X), y, reduction="none").double()
        assert result.train_loss[k, 0] == pytest.approx(train_loss, rel=1e-12)
        assert result.held_out[k, 0] == pytest.approx(float(losses.mean()), rel=1e-12)
        assert result.score[k, 0] == pytest.approx(float((model(X).argmax(1) == y).double().mean()))
        assert result.weights[strength].keys() == model.state_dict().keys()
        for key, value in model.state_dict().items():
            assert torch.equal(result.weights[strength][key], value), key
        flat = torch.cat([model[0].weight.flatten(), model[3].weight.flatten()])
        assert result.zeros[k, 0] == pytest.approx(float((flat == 0).double().mean()))


@pytest.mark.parametrize("every", ["epoch", "step"])
@pytest.mark.parametrize("name", FIVE)
def test_stacked_and_loop_agree(name, every):
    stacked, loop = (swept(name, mode=mode, seeds=2, scheduler=cosine, scheduler_every=every)
                     for mode in ("stacked", "loop"))  # fmt: skip
    assert (stacked.mode, loop.mode) == ("stacked", "loop")
    for table in ("train_loss", "held_out", "curves"):
        np.testing.assert_allclose(getattr(stacked, table), getattr(loop, table), rtol=2e-5)
    np.testing.assert_allclose(stacked.zeros, loop.zeros, atol=0.011)  # one weight of 96
    assert stacked.best == loop.best
    assert stacked.one_se == loop.one_se
    for strength in STRENGTHS:
        for key, value in loop.weights[strength].items():
            torch.testing.assert_close(stacked.weights[strength][key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mode", ["loop", "stacked"])
def test_strength_0_is_adam_without_a_penalty(mode):
    result = swept("ProxAdam", strengths=[0.0], mode=mode, optimizer_options={}, lr=1e-2)
    _, model, _ = by_hand(lambda model, _: torch.optim.Adam(model.parameters(), lr=1e-2), 0.0, problem())
    for key, value in model.state_dict().items():
        torch.testing.assert_close(result.weights[0.0][key], value, rtol=1e-5, atol=1e-6)


def test_weight_decay_is_that_of_torch_on_the_weights_alone():
    result = sweep(network(), problem(), [0.0, 1.0], lr=1e-2, epochs=EPOCHS, mode="loop")

    def decayed(model, strength):
        named = dict(model.named_parameters())
        weights = [named[name] for name in ("0.weight", "3.weight")]
        rest = [p for p in named.values() if all(p is not w for w in weights)]
        groups = [{"params": weights, "weight_decay": strength}, {"params": rest, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=1e-2)

    assert result.strength_name == "weight_decay"
    for strength in (0.0, 1.0):
        _, model, _ = by_hand(decayed, strength, problem())
        for key, value in model.state_dict().items():
            assert torch.equal(result.weights[strength][key], value), key


@pytest.mark.parametrize("mode", ["loop", "stacked"])
def test_torch_s_own_optimizers_take_strengths_as_weight_decay(mode):
    options = {"momentum": 0.9, "nesterov": True}
    one = sweep(network(), problem(), [0.0, 0.1], optimizer=torch.optim.SGD, lr=0.05, optimizer_options=options,
                epochs=2, mode=mode)  # fmt: skip
    other = sweep(network(), problem(), [0.0, 0.1], penalty=L2(1.0), optimizer=ProxSGD, lr=0.05,
                  optimizer_options=options, epochs=2, mode=mode)  # fmt: skip
    np.testing.assert_allclose(one.held_out[0], other.held_out[0], rtol=1e-5)  # alike without decay
    assert one.held_out[1] != one.held_out[0]


@pytest.mark.parametrize("mode", ["loop", "stacked"])
def test_a_callable_makes_any_optimizer_of_the_plan(mode):
    def optimizer(plan, strength):
        made = torch.optim.RMSprop(plan.param_groups(), lr=1e-2)
        Proximal(made, plan)
        return made

    result = sweep(network(), problem(), STRENGTHS, penalty=L1(1.0), optimizer=optimizer, epochs=2, mode=mode)
    assert (np.diff(result.zeros[:, 0]) > 0).all()
    _, model, (X, y) = by_hand(lambda model, a: optimizer(Plan(model, L1(a)), a), 0.003, problem(), epochs=2)
    assert result.held_out[1, 0] == pytest.approx(functional.cross_entropy(model(X), y).item(), rel=1e-5)


def test_groups_overrides_and_exclusions_are_those_of_the_plan():
    result = sweep(network(), problem(), [0.5], penalty=GroupL2(1.0, axis=0), exclude=["3"], epochs=30, lr=3e-2,
                   overrides={"0.bias": L1(9.0)}, mode="loop", optimizer=ProxAdam)  # fmt: skip
    first, last = result.best_weights["0.weight"], result.best_weights["3.weight"]
    rows = (first == 0).all(1)
    assert rows.any()
    assert torch.equal((first == 0).any(1), rows)  # a row leaves together
    assert not (last == 0).any()
    assert (result.best_weights["0.bias"] == 0).all()


def test_choices_are_those_of_the_rules_on_its_own_tables():
    result = swept("DualAdam", seeds=4, strengths=[0.0, 1e-3, 3e-3, 1e-2, 0.3], epochs=4)
    means = result.held_out.mean(1)
    assert result.best == lowest(means) == int(np.argmin(means))
    own, paired = result.held_out.std(1, ddof=1) / 2, paired_error(result.held_out, result.best)
    np.testing.assert_allclose(result.se, own)
    np.testing.assert_array_equal(result.difference_se, paired)
    np.testing.assert_allclose(result.allowed, np.minimum(paired, own[result.best]))
    assert result.one_se == np.flatnonzero(means - means[result.best] <= result.allowed)[-1]
    assert "of the paired difference, or of the lowest mean itself where that is smaller, over 4 seeds" in result.rule
    unpaired = swept("DualAdam", seeds=4, strengths=[0.0, 1e-3, 3e-3, 1e-2, 0.3], epochs=4, rule="1se")
    assert unpaired.held_out.tolist() == result.held_out.tolist()
    np.testing.assert_allclose(unpaired.allowed, own[result.best])
    assert "standard error of the lowest mean itself (Breiman et al. 1984), over 4 seeds" in unpaired.rule


def test_a_strength_that_collapses_under_one_seed_is_not_the_one_se_strength():
    def make(plan, strength):
        # At 3e-3, torn by a learning rate of 30 under one seed of three: known by its first weight.
        first = next(iter(plan.parameters.values())).flatten()[0].item()
        return ProxAdam(plan, lr=30.0 if strength == 3e-3 and first == torn else 1e-2)

    torch.manual_seed(1)
    torn = next(network()().parameters()).flatten()[0].item()
    result = sweep(network(), problem(), [0.0, 1e-3, 3e-3], penalty=L1(1.0), optimizer=make, epochs=8, seeds=3,
                   mode="loop")  # fmt: skip
    above = result.mean[2] - result.mean[result.best]
    assert 0.3 < above < 1.2 * result.difference_se[2]  # the paired error alone lets it in
    assert result.one_se < 2
    assert result.one_se == choose(result.held_out, result.strengths, "1se-paired").one_se


def test_with_one_seed_the_error_is_that_of_the_rows_held_out():
    result = swept("DualAdam", mode="loop")
    X, y = split(problem(), 0.2, 0, 32)[1].in_order().__next__()
    rows = []
    for strength in STRENGTHS:
        model = network()()
        model.load_state_dict(dict(result.weights[strength]))
        rows.append(functional.cross_entropy(model(X), y, reduction="none").detach().double().numpy())
    differences = np.array(rows) - rows[result.best]
    np.testing.assert_allclose(result.difference_se, differences.std(1, ddof=1) / np.sqrt(len(y)), rtol=1e-6, atol=1e-9)
    assert f"the {len(y)} rows held out" in result.rule
    assert "One seed" in result.rule


def test_seeds_change_the_start_and_the_order_but_not_the_rows_held_out():
    one = swept("DualAdam", seeds=[3, 8], mode="loop")
    again = swept("DualAdam", seeds=[8], mode="loop")
    np.testing.assert_array_equal(one.held_out[:, 1], again.held_out[:, 0])
    assert (one.held_out[:, 0] != one.held_out[:, 1]).all()
    assert one.seeds == (3, 8)


def test_strengths_come_back_rising_whatever_their_order():
    one = swept("ProxAdam", strengths=[0.03, 0.0, 0.003], mode="loop")
    other = swept("ProxAdam", mode="loop")
    np.testing.assert_array_equal(one.held_out, other.held_out)
    np.testing.assert_array_equal(one.strengths, STRENGTHS)


def test_a_dataloader_is_swept_like_tensors_in_its_own_order():
    X, y = problem()
    loader = DataLoader(TensorDataset(X[:120], y[:120]), batch_size=24, shuffle=True)
    one, again, stacked = (
        sweep(
            network(), loader, STRENGTHS, penalty=L1(1.0), validation=(X[120:], y[120:]), epochs=3, seeds=2, mode=mode
        )
        for mode in ("loop", "loop", "stacked")
    )
    np.testing.assert_array_equal(one.held_out, again.held_out)
    np.testing.assert_allclose(one.held_out, stacked.held_out, rtol=2e-5)
    assert (one.n_train, one.n_held_out) == (120, 30)
    whole = DataLoader(TensorDataset(X[:120], y[:120]), batch_size=120)
    tensors = sweep(network(), (X[:120], y[:120]), STRENGTHS, penalty=L1(1.0), batch_size=120, epochs=2, mode="loop",
                    validation=whole)  # fmt: skip
    loaded = sweep(network(), whole, STRENGTHS, penalty=L1(1.0), epochs=2, mode="loop", validation=whole)
    np.testing.assert_allclose(loaded.held_out, tensors.held_out, rtol=1e-5)  # one batch has no order, but rounding


def test_the_random_numbers_of_the_program_stay_as_they_were():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    swept("DualAdam", mode="auto")
    assert torch.equal(torch.get_rng_state(), before)


def test_regression_scores_r2_and_half_the_squared_error():
    X, y = problem(classes=0)
    result = sweep(network(), (X, y), [0.0, 0.01], penalty=L1(1.0), lr=1e-2, epochs=5)
    X_out, y_out = split((X, y), 0.2, 0, 32)[1].in_order().__next__()
    model = network()()
    model.load_state_dict(dict(result.weights[0.01]))
    residuals = (model(X_out) - y_out).detach().double()
    assert result.held_out[1, 0] == pytest.approx(float(0.5 * residuals.square().sum(1).mean()), rel=1e-5)
    spread = (y_out - y_out.mean(0)).double().square().sum()
    assert result.score[1, 0] == pytest.approx(float(1 - residuals.square().sum() / spread), rel=1e-4)
    assert (result.score_name, result.loss_name) == ("R2", "½ squared error")


@pytest.mark.parametrize("mode", ["loop", "stacked"])
def test_one_column_of_y_or_of_outputs_may_be_left_out(mode):
    X, y = problem(classes=0)
    results = [
        sweep(network(1), (X, target), [0.01], penalty=L1(1.0), epochs=2, mode=mode).held_out
        for target in (y[:, 0], y[:, :1], y[:, 0].double().numpy())
    ]
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-6)


@pytest.mark.parametrize("mode", ["loop", "stacked"])
def test_log_odds_of_two_classes_are_the_two_outputs_difference(mode):
    X, y = problem()
    y = (y == 0).long()
    start = torch.nn.Linear(6, 1)

    class OfDifference(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(6, 1)
            self.line.load_state_dict(start.state_dict())

        def forward(self, x):
            odds = self.line(x)
            return torch.cat([torch.zeros_like(odds), odds], dim=1)

    def line():
        model = nn.Linear(6, 1)
        model.load_state_dict(start.state_dict())
        return model

    settings = {"penalty": L1(1.0), "optimizer": ProxSGD, "lr": 0.1, "epochs": 3, "mode": mode}
    one = sweep(line, (X, y), [0.0, 0.01], **settings)
    two = sweep(OfDifference, (X, y), [0.0, 0.01], **settings)
    np.testing.assert_allclose(one.held_out, two.held_out, rtol=1e-4)
    np.testing.assert_allclose(one.score, two.score)


@pytest.mark.parametrize("mode", ["loop", "stacked"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_loss_of_one_s_own_may_return_rows_or_their_mean(mode, reduction):
    own = sweep(network(), problem(), STRENGTHS, penalty=L1(1.0), epochs=2, mode=mode,
                loss=nn.CrossEntropyLoss(reduction=reduction))  # fmt: skip
    known = sweep(network(), problem(), STRENGTHS, penalty=L1(1.0), epochs=2, mode=mode)
    np.testing.assert_allclose(own.held_out, known.held_out, rtol=1e-5)
    assert own.score is None
    assert own.score_name == ""


def test_penalties_have_the_optimizer_that_takes_them():
    for penalty, kind in ((L1(1.0), DualAdam), (L2(1.0), ProxAdam), (MCP(1.0), ProxAdam)):
        one = sweep(network(), problem(), [0.01], penalty=penalty, lr=1e-2, epochs=1, mode="loop")
        other = sweep(network(), problem(), [0.01], penalty=penalty, lr=1e-2, epochs=1, mode="loop", optimizer=kind)
        np.testing.assert_array_equal(one.held_out, other.held_out)


def test_a_clear_case_chooses_the_sparse_truth():
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(300, 20, generator=draw)
    y = 2 * X[:, 0] - X[:, 1] + 0.5 * torch.randn(300, generator=draw)
    result = sweep(lambda: nn.Linear(20, 1), (X, y), [0.0, 0.01, 0.03, 0.1, 1.0], penalty=L1(1.0), lr=0.05, epochs=30,
                   seeds=3)  # fmt: skip
    assert 0.0 < result.best_strength < 1.0
    assert result.one_se_strength >= result.best_strength
    support = torch.flatten(result.one_se_weights["weight"] != 0).nonzero().flatten().tolist()
    assert set(support) >= {0, 1}
    assert result.mean_zeros[result.one_se] > 0.3


REFUSED = [
    ({"strengths": []}, "strengths must be a vector"),
    ({"strengths": [0.1, -0.1]}, "strengths must be a vector of finite numbers >= 0"),
    ({"strengths": [0.1, 0.1]}, "strengths must differ"),
    ({"strengths": "auto"}, "strengths must be numbers"),
    ({"seeds": 0}, "seeds must be a whole number >= 1"),
    ({"seeds": [1, 1]}, "seeds must differ"),
    ({"seeds": [-1]}, "seeds must be a number of seeds"),
    ({"epochs": 0}, "epochs must be a whole number >= 1"),
    ({"batch_size": 0}, "batch_size must be"),
    ({"mode": "fast"}, "mode must be one of"),
    ({"scheduler_every": "hour"}, "scheduler_every must be one of"),
    ({"stop_worse": 1}, "stop_worse must be True or False"),
    ({"validation": 0.0}, "validation must be a share"),
    ({"validation": 0.001}, "validation must be a share"),
    ({"validation": "some"}, "validation must be a pair"),
    ({"penalty": 3.0}, "penalty must be one of"),
    ({"optimizer": AdamW}, "AdamW applies no penalty"),
    ({"optimizer": torch.optim.Adam}, "Adam applies no penalty"),
    ({"optimizer": nn.Linear}, "optimizer must be a class of optimizers"),
    ({"optimizer": 3}, "optimizer must be an optimizer's class"),
    ({"optimizer": lambda plan, strength: None, "lr": None}, "optimizer must return a torch Optimizer"),
    ({"optimizer": lambda plan, strength: None}, "lr and optimizer_options go to"),
    ({"optimizer_options": {"lr": 0.1}}, "must not hold 'lr'"),
    ({"penalty": None, "optimizer_options": {"weight_decay": 0.1}}, "must not hold 'weight_decay'"),
    ({"loss": "hinge"}, "loss must be 'auto' or a callable"),
    ({"loss": lambda output, y: functional.cross_entropy(output, y, reduction="sum")}, "must be a mean over rows"),
    ({"loss": lambda output, y: torch.zeros(2)}, "one number per row"),
    ({"loss": lambda output, y: 0.0}, "must return a tensor"),
    ({"model_fn": lambda: None}, "model_fn must return a torch module"),
    ({"model_fn": lambda: nn.Linear(5, 3)}, r"cannot take a batch of the data \(shape \(32, 6\)"),
    ({"model_fn": network(2)}, "y must hold classes from 0 to 1"),
    ({"model_fn": network(1)}, "the model has one output"),
    ({"select": "nowhere"}, "nowhere"),
    ({"data": 3}, "data must be a pair"),
    ({"data": (torch.randn(5, 6), torch.zeros(4))}, "same number of rows"),
    ({"data": (torch.full((5, 6), torch.nan), torch.zeros(5))}, "X must be finite; row 0"),
    ({"data": ([["a"]] * 5, torch.zeros(5))}, "X must hold numbers"),
    ({"data": (torch.randn(50, 6), torch.zeros(50, 2))}, "one output for each column of y"),
    ({"data": DataLoader(TensorDataset(torch.randn(5, 6)))}, "validation must be a DataLoader"),
    ({"data": DataLoader(TensorDataset(torch.randn(5, 6))), "validation": problem()}, r"must yield pairs \(x, y\)"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_cannot_work_is_refused_before_any_training(changes, said):
    usual = {"model_fn": network(), "data": problem(), "strengths": STRENGTHS, "penalty": L1(1.0), "lr": 0.01,
             "epochs": 1}  # fmt: skip
    arguments = usual | changes
    with pytest.raises((ArgumentError, DataError), match=said):
        sweep(arguments.pop("model_fn"), arguments.pop("data"), arguments.pop("strengths"), **arguments)


def test_progress_is_told_every_epoch():
    said = []
    result = swept("DualAdam", seeds=2, progress=said.append, mode="loop")
    assert [(one.place, one.epoch) for one in said] == [(s, e + 1) for s in range(2) for e in range(EPOCHS)]
    assert [one.share for one in said] == pytest.approx([(k + 1) / 6 for k in range(6)])
    np.testing.assert_array_equal([one.held_out for one in said[:EPOCHS]], result.curves[:, 0].T)
    assert str(said[0]).startswith("sweep of 3 strengths: seed 1 of 2, epoch 1 of 3; lowest held-out loss")
