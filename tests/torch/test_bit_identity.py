"""Without a penalty nothing is left of ours: every step is torch's own, bit for bit."""

import copy
import functools

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="torch.testing's tables of optimizers need it")

from torch.testing._internal.common_optimizers import optim_db  # noqa: E402

from shrinkage.penalties import L1, L1L2, L2, MCP, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, ProxSGD  # noqa: E402

STEPS = 100
OURS = {"SGD": [ProxSGD, DualSGD], "Adam": [ProxAdam, DualAdam], "AdamW": [AdamW]}
INFOS = {info.optim_cls.__name__: info for info in optim_db if info.optim_cls.__name__ in OURS}
IMPLEMENTATIONS = {
    "default": {},
    "loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "differentiable": {"differentiable": True},
}
SHAPES = [(5, 7), (3,), (), (2, 0), (2, 3, 3, 3)]


def excluded(name, settings, device, implementation):
    """The reason why a configuration of torch's table is one that torch does not run; None where it runs it."""
    with_tensors = isinstance(settings.get("lr"), torch.Tensor) or any(
        isinstance(beta, torch.Tensor) for beta in settings.get("betas", ())
    )
    if device == "cpu" and settings.get("capturable"):
        return "torch's capturable steps need an accelerator"
    if name != "SGD" and with_tensors and implementation == "fused":
        return "torch's fused step takes numbers as betas"
    return None


def configurations(device):
    for name, info in INFOS.items():
        for known in info.optim_inputs_func(device=device):
            for implementation in IMPLEMENTATIONS:
                yield name, known.desc, dict(known.kwargs), implementation


def runs(device):
    mark = pytest.mark.skipif(device == "cuda" and not torch.cuda.is_available(), reason="no CUDA device here")
    for case in configurations(device):
        if excluded(case[0], case[2], device, case[3]) is None:
            yield pytest.param(
                device, *case, marks=mark, id="-".join((device, case[0], case[1].replace(" ", "_"), case[3]))
            )


RUNS = [case for device in ("cpu", "cuda") for case in runs(device)]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_at_most_a_tenth_of_the_table_of_torch_is_left_out(device):
    every = list(configurations(device))
    reasons = [excluded(name, settings, device, how) for name, _, settings, how in every]
    assert {name for name, *_ in every} == set(OURS)
    assert len(every) >= 95
    assert sum(reason is not None for reason in reasons) <= 0.1 * len(every)


@functools.cache
def tensors(dtype, device, seed):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=draw, dtype=torch.float64).to(device, dtype) for shape in SHAPES]


@functools.cache
def gradients(dtype, device, step):
    """Large, tiny, zero and missing ones."""
    scales = [(1.0, 1e-6, 30.0, 0.0)[(step + k) % 4] for k in range(len(SHAPES))]
    drawn = [scale * g for scale, g in zip(scales, tensors(dtype, device, 1 + step), strict=True)]
    return [None if (step % 7, k) == (3, 1) else g for k, g in enumerate(drawn)]


def taken(optimizer_class, settings, dtype=torch.float32, device="cpu", steps=STEPS):
    """Weights and states after steps along given gradients."""
    settings = copy.deepcopy(settings)
    if isinstance(settings.get("lr"), torch.Tensor):
        settings["lr"] = settings["lr"].to(device)
    if "betas" in settings:
        settings["betas"] = tuple(b.to(device) if isinstance(b, torch.Tensor) else b for b in settings["betas"])
    weights = [w.clone().requires_grad_() for w in tensors(dtype, device, 0)]
    weights[4].data = weights[4].data.to(memory_format=torch.channels_last)
    if settings.get("differentiable"):
        weights = [w.clone() for w in weights]
    optimizer = optimizer_class(weights, **settings)
    for step in range(steps):
        for w, g in zip(weights, gradients(dtype, device, step), strict=True):
            w.grad = g if g is None else g.clone()
        optimizer.step()
        if settings.get("differentiable"):  # or the graph would grow over all steps
            for state in optimizer.state.values():
                state.update({key: value.detach() for key, value in state.items() if torch.is_tensor(value)})
            for w in weights:
                w.detach_()
    return [w.detach() for w in weights], [optimizer.state[w] for w in weights]


def assert_same(got, right, own=()):
    """Every weight and every state of torch, bit for bit and type for type; ours may know more."""
    for weight, other in zip(got[0], right[0], strict=True):
        assert torch.equal(weight, other)
        assert weight.stride() == other.stride()
    for mine, state in zip(got[1], right[1], strict=True):
        assert {key for key in mine if key not in own} == set(state)
        for key, value in state.items():
            if value is None:  # SGD without momentum
                assert mine[key] is None
                continue
            assert (mine[key].dtype, mine[key].device) == (value.dtype, value.device)
            assert torch.equal(mine[key], value)


@pytest.mark.parametrize(("device", "name", "desc", "settings", "implementation"), RUNS)
def test_every_configuration_of_torch_is_torch_bit_for_bit(device, name, desc, settings, implementation):
    settings = settings | IMPLEMENTATIONS[implementation]
    ours, dual = (*OURS[name], None)[:2]
    for dtype in (torch.float32, torch.float64) if implementation in ("loop", "foreach") else (torch.float32,):
        right = taken(INFOS[name].optim_cls, settings, dtype, device)
        assert_same(taken(ours, settings, dtype, device), right)
        for kind in [] if ours is AdamW else [ours] if dtype is torch.float64 else [ours, dual]:
            at_zero = taken(kind, settings | {"penalty": L1(0.0)}, dtype, device)
            assert_same(at_zero, right, own=("momentum_scale",))


NAMES = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW}
PAIRS = [(theirs, ours) for name, theirs in NAMES.items() for ours in OURS[name]]
every_pair = pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda kind: kind.__name__)


@every_pair
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("foreach", [False, True])
def test_low_precision_without_decay_is_torch_bit_for_bit(theirs, ours, dtype, foreach):
    settings = {"lr": 0.01, "foreach": foreach, "weight_decay": 0.0}
    if theirs is not torch.optim.SGD:
        settings["eps"] = 1e-4  # 1e-8 is 0 in float16
    assert_same(taken(ours, settings, dtype), taken(theirs, settings, dtype))


@every_pair
def test_tensors_as_lr_and_betas_are_read_as_torch_reads_them(theirs, ours):
    settings = {"lr": torch.tensor(0.01), "foreach": False}
    if theirs is not torch.optim.SGD:
        settings["betas"] = (torch.tensor(0.8), torch.tensor(0.99))
    assert_same(taken(ours, settings), taken(theirs, settings))


@pytest.mark.parametrize(
    "penalty", [L2(0.0), L1L2(0.0), GroupL2(0.0, axis=()), MCP(0.0)], ids=lambda g: type(g).__name__
)
@pytest.mark.parametrize("ours", [ProxSGD, ProxAdam])
def test_every_penalty_of_strength_zero_is_no_penalty(ours, penalty):
    theirs = torch.optim.SGD if ours is ProxSGD else torch.optim.Adam
    settings = {"lr": 0.01, "weight_decay": 0.1}
    assert_same(taken(ours, settings | {"penalty": penalty}), taken(theirs, settings))


@every_pair
def test_safeguards_change_nothing_without_a_penalty(theirs, ours):
    settings = {"lr": 0.01}
    more = {} if ours is AdamW else {"warmup_steps": 5, "penalty": L1(0.0)}
    more |= {"keep": 3} if ours in (ProxSGD, ProxAdam) else {}
    more |= {"metric_floor": 10.0} if ours in (ProxAdam, DualAdam) else {}
    got, right = taken(ours, settings | more | {"stochastic_rounding": True}), taken(theirs, settings)
    assert all(torch.equal(w, other) for w, other in zip(got[0], right[0], strict=True))


class Classifier(torch.nn.Module):
    """Convolutions, norms, attention, a tied embedding: what real gradients come from."""

    def __init__(self):
        super().__init__()
        self.patch = torch.nn.Conv2d(1, 16, 4, stride=4)
        self.norm = torch.nn.LayerNorm(16)
        self.attention = torch.nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = torch.nn.Linear(16, 10)
        self.label = torch.nn.Linear(16, 10, bias=False)
        self.label.weight = self.head.weight

    def forward(self, x):
        x = self.norm(self.patch(x).flatten(2).transpose(1, 2))
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(x.mean(1)) + self.label(x[:, 0])


def trained(make):
    """The weights of a small vision transformer after 100 steps on noise, its gradients clipped."""
    torch.manual_seed(0)
    model = Classifier()
    images, labels = torch.randn(64, 1, 16, 16), torch.randint(0, 10, (64,))
    optimizer = make(model)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for step in range(STEPS):
        rows = slice(16 * (step % 4), 16 * (step % 4) + 16)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return [p.detach() for p in model.parameters()], [optimizer.state[p] for p in model.parameters()]


@every_pair
@pytest.mark.parametrize("foreach", [False, True])
def test_a_real_model_is_trained_as_by_torch(theirs, ours, foreach):
    settings = {"lr": 0.01, "weight_decay": 0.1, "foreach": foreach}
    if theirs is torch.optim.SGD:
        settings |= {"momentum": 0.9, "nesterov": True}
    right = trained(lambda model: theirs(model.parameters(), **settings))
    assert_same(trained(lambda model: ours(model.parameters(), **settings)), right)
    if ours is not AdamW:
        planned = trained(lambda model: ours(Plan(model, L1(0.0)), **settings))
        assert_same(planned, right, own=("momentum_scale",))


def test_a_plan_of_decay_is_two_groups_of_torch():
    def grouped(model):
        vectors = [p for p in model.parameters() if p.ndim < 2]
        matrices = [p for p in model.parameters() if p.ndim > 1]
        groups = [{"params": matrices, "weight_decay": 0.5}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=0.01)

    assert_same(trained(lambda model: AdamW(Plan(model), lr=0.01, weight_decay=0.5)), trained(grouped))


@every_pair
def test_the_comparison_sees_a_single_bit(theirs, ours):
    got, right = taken(ours, {"lr": 0.01}, steps=3), taken(theirs, {"lr": 0.01}, steps=3)
    first = got[0][0]
    first.view(torch.int32)[0, 0] += 1
    with pytest.raises(AssertionError):
        assert_same(got, right)
