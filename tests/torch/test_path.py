"""A network from dense to sparse: warm starts, a choice on rows held out, refits on the support."""

import io
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import networks  # noqa: E402 - it needs torch
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import MCP, GroupL2  # noqa: E402
from shrinkage.selection import paired_error  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, Proximal, ProxSGD  # noqa: E402
from shrinkage.torch._data import split  # noqa: E402
from shrinkage.torch._path import path  # noqa: E402
from shrinkage.torch._path_run import zeros_held  # noqa: E402
from shrinkage.training import NetworkPath  # noqa: E402

QUICK = {"epochs": 6, "epochs_per_rung": 2, "lr": 1e-2, "batch_size": 32}


def data(n=240):
    stream = torch.Generator().manual_seed(1)
    X = torch.randn(n, 12, generator=stream)
    return X, (X[:, :3] + 0.3 * torch.randn(n, 3, generator=stream)).argmax(1)


def network(seed=0):
    torch.manual_seed(seed)
    return networks.mlp(12, 16, 3)


def walked(model=None, **options):
    return path(model or network(), data(), **{"penalty": L1(1.0), **QUICK, **options})


@pytest.fixture(scope="module")
def quick():
    torch.set_num_threads(1)
    lines, model = [], network()
    return model, walked(model, progress=lines.append), lines


def test_the_first_rung_is_dense_and_zeros_rise_with_the_strength(quick):
    _, result, lines = quick
    assert (result.strengths[0], result.zeros[0]) == (0.0, 0.0)
    assert (np.diff(result.strengths) > 0).all()
    assert result.zeros[-1] > 0.8
    assert (np.diff(result.zeros) > -0.03).all()
    assert len(lines) == len(result.strengths)


def test_automatic_strengths_grow_by_the_factor(quick):
    _, result, _ = quick
    assert result.strengths[2:] / result.strengths[1:-1] == pytest.approx(1.5)


def test_the_first_strength_makes_the_penalty_one_percent_of_the_first_loss(quick):
    _, result, _ = quick
    fresh = network()
    _, held_out = split(data(), 0.2, 0, 32)
    X, y = (torch.cat(parts) for parts in zip(*held_out.in_order(), strict=True))
    with torch.no_grad():
        scale = max(functional.cross_entropy(fresh(X), y).item(), result.held_out[0])
    norm = sum(w.abs().sum().item() for name, w in result.weights["dense"].items() if name.endswith("weight"))
    assert result.strengths[1] == pytest.approx(0.01 * scale / norm, rel=1e-4)


def rows_of(weights):
    """Losses of the rows held out, by hand."""
    model = network()
    model.load_state_dict(weights)
    _, held_out = split(data(), 0.2, 0, 32)
    X, y = (torch.cat(parts) for parts in zip(*held_out.in_order(), strict=True))
    with torch.no_grad():
        return functional.cross_entropy(model(X), y, reduction="none").double().numpy(), (model(X).argmax(1) == y)


@pytest.mark.parametrize("name", ["dense", "best", "one_se", "chosen"])
def test_losses_and_scores_are_those_of_the_weights_that_are_kept(quick, name):
    _, result, _ = quick
    place = {"dense": 0}.get(name, getattr(result, name, None))
    rows, right = rows_of(result.weights[name])
    assert rows.mean() == pytest.approx(result.held_out[place], rel=1e-5)
    assert right.double().mean().item() == pytest.approx(result.score[place])
    flat = torch.cat([w.flatten() for key, w in result.weights[name].items() if key.endswith("weight")])
    assert (flat == 0).double().mean().item() == pytest.approx(result.zeros[place])


def test_the_choice_is_the_rule_of_selection_on_paired_rows(quick):
    _, result, _ = quick
    rows = np.stack([rows_of(result.weights[name])[0] for name in ("best", "one_se", "dense")])
    best, one_se = result.best, result.one_se
    assert (best, result.chosen) == (int(np.argmin(result.held_out)), one_se)
    own = rows.std(axis=1, ddof=1) / np.sqrt(rows.shape[1])
    assert own == pytest.approx(result.se[[best, one_se, 0]], rel=1e-4)
    assert paired_error(rows, 0)[1:] == pytest.approx(result.difference_se[[one_se, 0]], rel=1e-4, abs=1e-7)
    above = result.held_out - result.held_out[best]
    assert one_se == np.flatnonzero(above <= own[0])[-1]
    assert "of the lowest mean itself" in result.rule


def test_the_paired_rule_is_stricter_and_says_so(quick):
    _, loose, _ = quick
    result = walked(rule="1se-paired")
    assert result.held_out.tolist() == loose.held_out.tolist()
    above = result.held_out - result.held_out[result.best]
    allowed = np.minimum(result.difference_se, result.se[result.best])
    assert result.chosen == result.one_se == np.flatnonzero(above <= allowed)[-1] < loose.one_se
    assert "of the paired difference, or of the lowest mean itself" in result.rule


def test_the_model_ends_with_the_chosen_weights(quick):
    model, result, _ = quick
    assert all(torch.equal(value, result.weights["chosen"][name]) for name, value in model.state_dict().items())


def test_a_refit_never_raises_the_loss_and_lowers_some(quick):
    _, result, _ = quick
    before, after = result.before_refit[1:], result.held_out[1:]
    assert (after <= before).all()
    assert (after < before).any()
    assert np.isnan(result.before_refit[0])


def test_a_refit_leaves_the_way_of_the_penalty_as_it_was():
    strengths = [1e-3, 5e-3, 2e-2]
    with_refit, without = (walked(strengths=strengths, refit=refit) for refit in (True, False))
    assert with_refit.strengths.tolist() == [0.0, *strengths]
    # the batches differ after the first refit, zeros hardly do
    assert with_refit.zeros[1] == without.zeros[1]
    assert with_refit.before_refit[1] == without.held_out[1]
    assert without.before_refit is None


@pytest.mark.parametrize("kind", [ProxAdam, DualAdam, ProxSGD, DualSGD])
def test_zeros_stay_zeros_while_they_are_held_and_only_then(kind):
    model = network()
    with torch.no_grad():
        model[0].weight[:, ::2] = 0.0
    zero = model[0].weight.detach() == 0
    optimizer = kind(Plan(model, L1(0.0)), lr=1e-2)

    def steps():
        X, y = data()
        for _ in range(3):
            optimizer.zero_grad()
            functional.cross_entropy(model(X), y).backward()
            optimizer.step()

    with zeros_held(optimizer, [model[0].weight]):
        steps()
    assert torch.equal(model[0].weight == 0, zero)
    steps()
    assert not bool((model[0].weight == 0).any())


def test_the_same_seed_walks_the_same_way():
    first, second = (walked(strengths=[1e-3, 1e-2]) for _ in range(2))
    assert first.held_out.tolist() == second.held_out.tolist()
    assert walked(strengths=[1e-3, 1e-2], seed=3).held_out.tolist() != first.held_out.tolist()


def test_the_lowest_can_be_taken():
    result = walked(strengths=[1e-3, 1e-2, 1e-1], rule="min")
    assert result.chosen == result.best == int(np.argmin(result.held_out))


def test_overrides_keep_their_ratio():
    seen = []

    def maker(plan):
        optimizer = ProxAdam(plan, lr=1e-2)
        optimizer.register_step_post_hook(
            lambda o, *_: seen.append([g["penalty"].alpha for g in o.param_groups if g["penalty"] is not None])
        )
        return optimizer

    walked(penalty=L1(2.0), overrides={"2.weight": L1(6.0)}, strengths=[1e-3, 1e-2], optimizer=maker)
    assert all(second == pytest.approx(3 * first) for first, second in seen)
    assert {round(a, 6) for a, _ in seen} == {0.0, 1e-3, 1e-2}


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": GroupL2(1.0, axis=0)},
        {"penalty": MCP(1.0)},
        {"optimizer": lambda plan: with_proximal(plan)},
        {"exclude": "2"},
    ],
    ids=["groups", "mcp", "proximal", "exclude"],
)
def test_other_penalties_optimizers_and_selections_have_a_path(options):
    result = walked(strengths=[1e-3, 3e-2], **options)
    assert result.zeros[-1] > result.zeros[0] == 0.0
    assert result.status == "complete"


def with_proximal(plan):
    optimizer = torch.optim.Adam(list(plan.parameters.values()), lr=1e-2)
    Proximal(optimizer, plan)
    return optimizer


def test_a_loader_and_a_regression_have_a_path():
    X, _ = data()
    y = X[:, :1] - X[:, 1:2]
    loaders = [
        DataLoader(TensorDataset(X[part], y[part]), 32, shuffle=True) for part in (slice(0, 180), slice(180, 240))
    ]
    torch.manual_seed(0)
    model = networks.mlp(12, 16, 1)
    result = path(model, loaders[0], validation=loaders[1], penalty=L1(1.0), strengths=[1e-3, 1e-2], **QUICK)
    assert (result.score_name, result.n_train, result.n_held_out) == ("R2", 180, 60)
    assert result.chosen_score > 0.5


def test_a_trained_network_needs_no_dense_phase():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = walked(model, epochs=0, strengths=[1e-3])
    assert all(torch.equal(result.weights["dense"][name], value) for name, value in before.items())


def test_dropout_and_batch_norm_are_off_when_rows_are_judged_and_modes_come_back():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
    model[3].eval()  # somebody's own wish
    result = walked(model, strengths=[1e-3])
    assert [module.training for module in model] == [True, True, True, False, True]
    again = walked(_again(result, "chosen"), epochs=0, strengths=[1e-9], epochs_per_rung=1, refit=False)
    assert again.held_out[0] == pytest.approx(result.chosen_held_out, rel=1e-5)


def _again(result, name):
    model = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
    model.load_state_dict(result.weights[name])
    return model


@pytest.mark.parametrize(("after", "rungs"), [(0, 1), (2, 3)])
def test_an_interrupt_keeps_the_rungs_that_are_done(after, rungs):
    def stop(line):
        if line.startswith("strength") and len(lines) == after:
            raise KeyboardInterrupt
        lines.append(line)

    lines = []
    if after:
        result = walked(strengths=[1e-3, 1e-2, 1e-1], progress=stop)
    else:
        result = walked(strengths=[1e-3], optimizer=lambda plan: _interrupting(plan, 20))
    assert len(result.strengths) == rungs
    assert "interrupted" in result.status
    assert np.isfinite(result.held_out).all()
    assert result.weights["chosen"]


def _interrupting(plan, after):
    optimizer, count = ProxAdam(plan, lr=1e-2), [0]

    def hook(*_):
        count[0] += 1
        if count[0] == after:
            raise KeyboardInterrupt

    optimizer.register_step_post_hook(hook)
    return optimizer


def test_a_wanted_share_of_zeros_is_reached_in_one_phase():
    torch.manual_seed(0)
    result = walked(target_sparsity=0.8, epochs=15)
    assert len(result.strengths) == 2
    assert result.chosen == 1
    assert result.chosen_zeros == pytest.approx(0.8, abs=0.02)
    assert "80 %" in result.rule


def test_the_record_is_plain_data_and_comes_back(quick):
    _, result, _ = quick
    again = NetworkPath.from_dict(json.loads(result.to_json()))
    assert again.to_dict() == result.to_dict()
    assert str(again) == str(result)
    assert "taken" in str(result)
    frame = pytest.importorskip("pandas") and result.to_frame()
    assert frame["held_out"].tolist() == result.held_out.tolist()


def test_weights_can_be_saved_and_loaded_as_tensors(quick):
    _, result, _ = quick
    file = io.BytesIO()
    torch.save(result.weights["chosen"], file)
    file.seek(0)
    network().load_state_dict(torch.load(file, weights_only=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": None}, "penalty"),
        ({"strengths": [1e-2, 1e-3]}, "rise"),
        ({"strengths": [0.0, 1e-3]}, "> 0"),
        ({"strengths": "many"}, "strengths"),
        ({"rule": "best"}, "rule"),
        ({"growth": 1.0}, "growth"),
        ({"optimizer": AdamW}, "AdamW"),
        ({"optimizer": "Adam"}, "optimizer"),
        ({"epochs_per_rung": 0}, "epochs_per_rung"),
        ({"target_sparsity": 1.5}, "target_sparsity must be between 0 and 1"),
        ({"target_sparsity": 1.0}, "share of zeros between 0 and 1"),
        ({"target_sparsity": 0.9999}, "must leave a weight"),
    ],
)
def test_what_cannot_be_walked_is_refused_before_any_training(options, message):
    model = network()
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ArgumentError, match=message):
        walked(model, **options)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize(("optimizer", "lr"), [(None, 1e-2), (ProxSGD, 0.1)])
def test_an_array_of_strengths_keeps_its_ratios(optimizer, lr):
    """Columns at no strength lose nothing, and the doubled array is the same path."""
    weights = np.where(np.arange(12) < 4, 0.0, np.where(np.arange(12) < 8, 1.0, 4.0))
    found = []
    for scale in (1.0, 2.0):
        model = network()
        penalty = GroupL2(scale * weights, axis=1)
        walked(model, penalty=penalty, select=["0.weight"], strengths=[4.0], optimizer=optimizer, lr=lr,
               refit=False, rule="min")  # fmt: skip
        found.append(model[0].weight.detach().clone())
    assert torch.equal(*found)
    left = (found[0] != 0).any(0)
    assert left[:4].all()
    assert not left[8:].any()


@pytest.mark.slow
def test_the_one_se_model_of_digits_is_as_accurate_as_the_dense_one_with_four_fifths_zeros():
    task, found = networks.digits(), []
    for seed in range(7):
        torch.manual_seed(seed)
        model = task.network()
        result = path(model, task.train, penalty=L1(1.0), epochs=40, seed=seed)
        accuracies = []
        for name in ("chosen", "dense"):
            model.load_state_dict(result.weights[name])
            with torch.no_grad():
                accuracies.append((model(task.test[0]).argmax(1) == task.test[1]).double().mean().item())
        found.append((result.chosen_zeros, 100 * (accuracies[0] - accuracies[1])))
        print(f"seed {seed}: zeros {found[-1][0]:.3f}, accuracy {accuracies[0]:.4f}, {found[-1][1]:+.2f} points")
    zeros, points = np.array(found).T
    assert (zeros >= 0.8).all()
    # The bar is one on means: a seed's accuracies, on the 450 rows of the test, differ by chance by about 0.7 points.
    assert points.mean() >= -0.5
    assert points.std(ddof=1) < 1.0
