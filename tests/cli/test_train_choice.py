"""`shrinkage train` inside: rows put aside, the strength that several trainings choose, figures by formulas."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.numpy")

from train_calls import RECIPE, TRAINING  # noqa: E402

from shrinkage.cli import _train_network  # noqa: E402
from shrinkage.cli._network_file import Network  # noqa: E402
from shrinkage.cli._train import place_of  # noqa: E402
from shrinkage.cli._train_choice import parts_of, together  # noqa: E402
from shrinkage.cli._train_data import hold_out, prepare_rows  # noqa: E402
from shrinkage.cli._train_figures import constant_rival, figures_of  # noqa: E402
from shrinkage.cli._train_network import Way, network, without_zeros  # noqa: E402
from shrinkage.cli._train_request import TrainRequest, hidden_of, strengths_of  # noqa: E402
from shrinkage.tables import Target  # noqa: E402
from shrinkage.training import Sweep  # noqa: E402


def test_figures_are_formulas_of_the_rows_put_aside(tables):
    rows = prepare_rows(TrainRequest(str(tables / "number.csv"), "y"))
    y, mean = rows.y[rows.tested_on], rows.y[rows.chosen_on].mean()
    constant, again = figures_of([constant_rival(rows), constant_rival(rows)], rows)
    assert constant.loss == pytest.approx(((y - mean) ** 2).mean())
    assert (constant.score, again.worse, again.worse_se) == (0.0, 0.0, 0.0)
    two = prepare_rows(TrainRequest(str(tables / "two.csv"), "y"))
    share = (two.y[two.chosen_on] == 1).mean()
    (figure,) = figures_of([constant_rival(two)], two)
    right = two.y[two.tested_on]
    assert figure.loss == pytest.approx(-np.where(right == 1, np.log(share), np.log(1 - share)).mean())
    assert figure.score == pytest.approx((right == (share > 0.5)).mean())


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.8])
def test_rows_put_aside_are_a_share_of_every_class(share, by_class):
    y = np.repeat([0.0, 1.0, 2.0], [50, 30, 11])
    taken = hold_out(y, share, seed=3, by_class=by_class)
    assert len(taken) == len(np.unique(taken)) == int(91 * share)
    assert (np.diff(taken) > 0).all()
    if by_class:
        for code, size in ((0, 50), (1, 30), (2, 11)):
            assert abs((y[taken] == code).sum() - share * size) < 1.0 + 1e-9
    assert not np.array_equal(taken, hold_out(y, share, seed=4, by_class=by_class))


@pytest.mark.parametrize("share", [0.2, 0.3, 0.6])
def test_seeds_hold_out_different_rows_of_which_none_twice_while_there_are_others(share):
    y = np.repeat([0.0, 1.0], [70, 33])
    masks = parts_of(y, share, range(5), by_class=True)
    hands = 103 // int(103 * share)
    assert [mask.sum() for mask in masks] == [int(103 * share)] * 5
    assert np.sum(masks[:hands], axis=0).max() == 1
    for mask in masks:
        assert abs(mask[:70].sum() - share * 70) <= 2


def record(held_out, seed=0):
    held_out = np.asarray(held_out, dtype=float)[:, None]
    return Sweep(
        strengths=np.array([0.0, 0.1, 0.2, 0.3]), seeds=(seed,), train_loss=held_out, held_out=held_out, zeros=held_out,
        status=("complete",) * 4, epochs_run=np.full((4, 1), 3), best=0, one_se=0, rule="", epochs=3, seconds=2.0,
    )  # fmt: skip


def test_trainings_are_put_together_and_a_strength_that_collapses_once_is_not_taken():
    both = together([record([1.0, 0.80, 0.82, 0.7], 0), record([1.1, 0.90, 0.94, 9.0], 1)])
    assert (both.seeds, both.seconds) == ((0, 1), 4.0)
    assert both.held_out.tolist() == [[1.0, 1.1], [0.80, 0.90], [0.82, 0.94], [0.7, 9.0]]
    # Differences to 0.1: at 0.2 they are 0.02 and 0.04, error 0.01; at 0.3 they are -0.1 and 8.1, mean 4.0, error 4.1.
    assert both.difference_se == pytest.approx([0.0, 0.0, 0.01, 4.1])
    assert (both.best_strength, both.one_se_strength) == (0.1, 0.1)
    assert both.allowed == pytest.approx([0.0, 0.0, 0.01, 0.05])  # the best's own error: 0.80 and 0.90
    near = together([record([1.0, 0.80, 0.82, 2.0], 0), record([1.1, 0.90, 0.90, 2.0], 1)])
    assert near.one_se_strength == 0.2  # 0.02 and 0: mean 0.01 = error 0.01
    assert together([both]) is both


def test_neurons_without_a_say_are_taken_out_and_answers_stay():
    torch.manual_seed(0)
    model = network((5, 8, 6, 3))
    with torch.no_grad():
        model[0].weight[2:5] = 0.0
        model[2].weight[:, 6] = 0.0
        model[4].weight[:, :2] = 0.0
    X = torch.randn(40, 5)
    layers, smaller = without_zeros(model, X)
    assert [len(bias) for _, bias in layers] == [4, 4, 3]
    target = Target("y", "multinomial", ("a", "b", "c"), "")
    small = Network(target, RECIPE, np.zeros(5), np.ones(5), (0.0, 1.0), layers, TRAINING)
    np.testing.assert_allclose(small.outputs(X.numpy()), model(X).detach().numpy(), atol=1e-5)
    assert smaller.parameters == sum(part.size for layer in layers for part in layer) < smaller.parameters_before


def test_the_rule_decides_between_the_best_and_the_largest_within_an_error():
    both = together([record([1.0, 0.80, 0.82, 2.0], 0), record([1.1, 0.90, 0.90, 2.0], 1)])
    assert [both.strengths[place_of(both, rule)] for rule in ("min", "1se-paired")] == [0.1, 0.2]
    own = together([record([1.0, 0.80, 0.84, 0.9], 0), record([1.1, 0.90, 0.96, 1.0], 1)], "1se")
    assert own.strengths[place_of(own, "1se")] == 0.2  # 0.05 above, the best's own error 0.05; paired 0.01


def test_strengths_and_widths_are_read_as_they_are_meant():
    assert strengths_of("0.1,0,0.01") == (0.0, 0.01, 0.1)
    assert strengths_of("1e-4:1e-2:3") == (0.0, 1e-4, 1e-3, 1e-2)
    auto = strengths_of("auto")
    assert (auto[0], auto[1], auto[-1], len(auto)) == (0.0, 1e-5, 1e-1, 13)
    ratios = np.diff(np.log(auto[1:]))
    assert ratios == pytest.approx(ratios.mean(), rel=0.01)
    assert (hidden_of("64,32"), hidden_of("none"), hidden_of("8")) == ((64, 32), (), (8,))


def test_seeds_are_more_the_fewer_rows_there_are():
    request = TrainRequest("d.csv", "y", seed=4)
    assert [len(request.seeds_for(n)) for n in (999, 9_999, 10_000)] == [5, 3, 1]
    assert TrainRequest("d.csv", "y", seeds=2, seed=4).seeds_for(10) == (4, 5)


def test_two_trainings_of_a_sweep_hold_out_what_parts_say(tables, monkeypatch):
    met = []

    def sweep(model_fn, pair, strengths, **more):
        met.append((pair[0], more["validation"][0], more["seeds"], more["mode"]))
        return record([1.0, 0.9, 0.9, 0.9], more["seeds"][0])

    monkeypatch.setattr(_train_network, "_sweep", lambda: sweep)
    request = TrainRequest(str(tables / "number.csv"), "y", seeds=3, seed=5)
    rows = prepare_rows(request)
    Way(request, rows, (4,)).sweep(request.seeds_for(96), None, lambda what: None)
    X = rows.inputs(rows.chosen_on)
    for (kept, held, seeds, _), mask, seed in zip(
        met, parts_of(rows.y[rows.chosen_on], 0.2, (5, 6, 7), False), (5, 6, 7), strict=True
    ):
        assert seeds == [seed]
        np.testing.assert_array_equal(kept, X[~mask])
        np.testing.assert_array_equal(held, X[mask])
    assert {mode for *_, mode in met} == {"stacked"}
    assert Way(request, rows, (4000, 4000)).mode[0] == "loop"
