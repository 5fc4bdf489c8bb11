"""Arguments out of range are refused in a sentence that names the argument and the value met."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="torch.testing's tables of optimizers need it")

from optimizers import FIVE, PENALIZED, make  # noqa: E402
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1, MCP, SCAD  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, ProxSGD  # noqa: E402

OURS = {"SGD": [ProxSGD, DualSGD], "Adam": [ProxAdam, DualAdam], "AdamW": [AdamW]}


def errors():
    for info in optim_db:
        for kind in OURS.get(info.optim_cls.__name__, []):
            for k, case in enumerate(info.optim_error_inputs_func("cpu", torch.float32)):
                yield pytest.param(kind, case, id=f"{kind.__name__}-{k}")


@pytest.mark.parametrize(("kind", "case"), list(errors()))
def test_what_torch_refuses_is_refused_with_an_error_of_the_same_kind(kind, case):
    given = case.optimizer_error_input
    params = weights() if given.params is None else given.params
    if case.error_on is OptimizerErrorEnum.CONSTRUCTION_ERROR:
        expected = pytest.warns if issubclass(case.error_type, Warning) else pytest.raises
        with expected(case.error_type):
            kind(params, **given.kwargs)
        return
    optimizer = kind(params, **given.kwargs)
    with pytest.raises(case.error_type):
        optimizer.step()


def weights():
    return [torch.nn.Parameter(torch.ones(3))]


BAD = [
    ("lr", -1.0), ("lr", float("nan")), ("lr", "fast"), ("lr", torch.ones(2)), ("lr", torch.tensor(-1.0)),
    ("weight_decay", -0.1), ("weight_decay", float("inf")),
    ("foreach", "yes"), ("fused", 1),
    ("maximize", "x"), ("maximize", 1), ("differentiable", "x"), ("stochastic_rounding", None),
]  # fmt: skip
BAD_SGD = [
    ("momentum", -0.1), ("momentum", "a"), ("dampening", "much"), ("dampening", float("nan")),
    ("nesterov", 1), ("nesterov", True),
]  # fmt: skip
BAD_ADAM = [
    ("betas", (0.9, 1.0)), ("betas", (-0.1, 0.9)), ("betas", 0.9), ("betas", (0.9,)), ("betas", ("a", "b")),
    ("betas", (0.9, None)), ("betas", (False, 0.9)), ("betas", (torch.ones(2), torch.ones(2))),
    ("eps", -1e-8), ("eps", None), ("amsgrad", "x"), ("capturable", "x"),
]  # fmt: skip
BAD_PENALIZED = [("warmup_steps", -1), ("warmup_steps", 1.5), ("penalty", 0.1), ("penalty", "l1"), ("penalty", L1)]
CASES = [
    *((name, *bad) for name in FIVE for bad in BAD),
    *((name, *bad) for name in ("ProxSGD", "DualSGD") for bad in BAD_SGD),
    *((name, *bad) for name in ("ProxAdam", "DualAdam", "AdamW") for bad in BAD_ADAM),
    *((name, *bad) for name in PENALIZED for bad in BAD_PENALIZED),
    *((name, "keep", bad) for name in ("ProxSGD", "ProxAdam") for bad in (-1, 0.5)),
    *((name, "metric_floor", bad) for name in ("ProxAdam", "DualAdam") for bad in (-0.1, "x", [0.1])),
    *((name, "memory", bad) for name in ("DualAdam", "DualSGD") for bad in (0.0, 1.1, "long", True)),
    *((name, "penalty", bad) for name in ("DualAdam", "DualSGD") for bad in (MCP(0.1), SCAD(0.1))),
    ("AdamW", "l1_decay", 1.0), ("AdamW", "l1_decay", -0.1), ("AdamW", "l1_decay", "some"),
    ("AdamW", "coupling", "loose"), ("AdamW", "base_lr", -1.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "argument", "value"), CASES, ids=str)
def test_a_value_out_of_range_is_refused_by_name(name, argument, value):
    kind, usual = FIVE[name]
    settings = {key: given for key, given in usual.items() if key not in ("momentum", "nesterov")} | {argument: value}
    word = {"MCP": "dual averaging", "SCAD": "dual averaging"}.get(type(value).__name__, argument)
    with pytest.raises(ArgumentError, match=word):
        kind(weights(), **settings)


@pytest.mark.parametrize(("name", "argument", "value"), CASES, ids=str)
def test_a_value_out_of_range_in_a_group_is_refused_as_by_the_constructor(name, argument, value):
    kind, usual = FIVE[name]
    settings = {key: given for key, given in usual.items() if key not in ("momentum", "nesterov")}
    optimizer = kind(weights(), **settings)
    word = {"MCP": "dual averaging", "SCAD": "dual averaging"}.get(type(value).__name__, argument)
    for refusing in (optimizer.add_param_group, lambda group: kind([group], **settings)):
        with pytest.raises(ArgumentError, match=word):
            refusing({"params": weights(), argument: value})
    assert len(optimizer.param_groups) == 1


SLIPS = {"pennalty": "penalty", "Penalty": "penalty", "weigth_decay": "weight_decay", "warmup_step": "warmup_steps",
         "LR": "lr", "keeep": "keep"}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_misspelled_setting_of_a_group_is_refused_and_keys_of_other_uses_pass(slip):
    with pytest.raises(ArgumentError, match=f"'{slip}'.*'{SLIPS[slip]}'"):
        ProxAdam([{"params": weights(), slip: 0.1}])
    free = {"name": "head", "initial_lr": 0.1, "max_lr": 0.1, "min_lr": 0.1, "swa_lr": 0.1, "max_momentum": 0.9}
    group = ProxSGD([{"params": weights(), "lr_scale": 0.5} | free]).param_groups[0]
    assert group["name"] == "head"
    assert group["lr_scale"] == 0.5


@pytest.mark.parametrize("name", FIVE)
def test_implementations_that_exclude_each_other_are_refused(name):
    with pytest.raises(ArgumentError, match="foreach and fused"):
        make(name, weights(), foreach=True, fused=True)
    with pytest.raises(ArgumentError, match="differentiable"):
        make(name, weights(), foreach=True, differentiable=True)


@pytest.mark.parametrize("name", PENALIZED)
def test_differentiable_steps_of_penalized_parameters_are_refused(name):
    w = weights()
    optimizer = make(name, w, L1(0.1), differentiable=True)
    w[0].grad = torch.ones(3)
    with pytest.raises(ArgumentError, match="differentiable"):
        optimizer.step()


@pytest.mark.parametrize("name", PENALIZED)
def test_a_plan_and_a_penalty_beside_it_are_one_too_many(name):
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ArgumentError, match="plan already says"):
        FIVE[name][0](Plan(model, L1(0.1)), penalty=L1(0.1))


def test_adamw_refuses_penalties_however_they_come():
    model = torch.nn.Linear(2, 2)
    for params in (Plan(model, L1(0.1)), Plan(model, L1(0.1)).param_groups()):
        with pytest.raises(ArgumentError, match="minimizes no penalty"):
            AdamW(params)


def test_adamw_differentiates_through_decay_and_not_through_the_threshold():
    with pytest.raises(ArgumentError, match="l1_decay"):
        AdamW(weights(), l1_decay=0.1, differentiable=True)
    AdamW(weights(), differentiable=True)
