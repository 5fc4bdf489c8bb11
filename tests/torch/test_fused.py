import itertools
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch._fused import can_fuse, fused_dual_adam, fused_dual_sgd, fused_prox_adam, fused_prox_sgd  # noqa: E402
from shrinkage.training import dual_step  # noqa: E402

SHAPES = [(33, 17), (5,), (1,), (), (0, 4), (2, 3, 3, 3)]
ADAM = {"lr": 0.05, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}
TYPES = [torch.float32, torch.bfloat16]


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def noise(seed, scale=1.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return [(scale * torch.randn(shape, generator=generator)).to(dtype) for shape in SHAPES]


def zeros(dtype=torch.float32):
    return [torch.zeros(shape, dtype=dtype) for shape in SHAPES]


def half_zero(tensors, seed):
    keep = noise(seed)
    return [torch.where(k > 0, t, torch.zeros_like(t)) for t, k in zip(tensors, keep, strict=True)]


def exact(tensors):
    return [tensor.double() for tensor in tensors]


def soft(z, a):
    return torch.sign(z) * torch.clamp(abs(z) - a, min=0)


def assert_rounded_once(got, right):
    """Within half a unit in the last place of the stored type, plus what float32 arithmetic may lose."""
    for g, r in zip(got, right, strict=True):
        half_unit = 2.0**-9 if g.dtype is torch.bfloat16 else 0.0
        scale = torch.exp2(torch.floor(torch.log2(abs(r).clamp(min=1e-30))))
        assert ((g.double() - r).abs() <= 2 * half_unit * scale * (1 + 1e-3) + 2e-6 * (1 + abs(r))).all()


def adam_exactly(w, g, m, v, largest, t, floor, *, weight_decay, shrink, maximize, amsgrad):
    """The moments, the start, and lr/d of one tensor, in the type of its arguments."""
    g = -g if maximize else g
    start = w * shrink
    g = g + weight_decay * w
    m = ADAM["beta1"] * m + (1 - ADAM["beta1"]) * g
    v = ADAM["beta2"] * v + (1 - ADAM["beta2"]) * g * g
    largest = torch.maximum(largest, v) if amsgrad else v
    vhat = largest / (1 - ADAM["beta2"] ** t)
    step = ADAM["lr"] / torch.clamp(vhat.sqrt() + ADAM["eps"], min=floor)
    return start, m, v, largest, step, -step * m / (1 - ADAM["beta1"] ** t), vhat.sum().item()


OPTIONS = list(itertools.product([False, True], repeat=4))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("amsgrad", "decoupled", "maximize", "in_metric"), OPTIONS)
def test_the_proximal_step_of_adam_is_its_formula(dtype, amsgrad, decoupled, maximize, in_metric):
    w, g, m = noise(1, dtype=dtype), noise(2, dtype=dtype), noise(3, 0.5, dtype=dtype)
    v, largest = [x.square() for x in noise(4, dtype=dtype)], [x.square() for x in noise(5, dtype=dtype)]
    steps, floors, l1, l2 = [3, 1, 7, 2, 4, 5], [0.3, 0.0, 0.1, 0.2, 0.1, 2.0], [0.7, 0.0, 2.0, 0.3, 1.0, 1.0], 0.2
    options = {"weight_decay": 0.3 * (not decoupled), "shrink": 0.97 if decoupled else 1.0, "maximize": maximize}
    before = list(zip(*map(exact, (w, g, m, v, largest)), steps, floors, strict=True))
    right = [adam_exactly(*b, **options, amsgrad=amsgrad) for b in before]
    sums = fused_prox_adam(
        w, g, m, v, largest if amsgrad else [], steps, floors, **ADAM, **options, l1=l1, l2=l2, in_metric=in_metric
    )
    for k, (start, new_m, new_v, new_largest, step, moved, total) in enumerate(right):
        length = step if in_metric else ADAM["lr"]
        z = soft(start + moved, length * l1[k]) / (1 + length * l2)
        wanted = [z, new_m, new_v] + [new_largest] * amsgrad
        assert_rounded_once([w[k], m[k], v[k]] + [largest[k]] * amsgrad, wanted)
        assert sums[k] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("types", [*zip(TYPES, TYPES, strict=True), (torch.bfloat16, torch.float32)])
@pytest.mark.parametrize("memory", [1.0, 0.9])
@pytest.mark.parametrize(("amsgrad", "decoupled", "maximize"), list(itertools.product([False, True], repeat=3)))
def test_the_dual_step_of_adam_is_its_formula(types, memory, amsgrad, decoupled, maximize):
    dtype, dual_dtype = types
    w = half_zero(noise(1, 0.5, dtype), 9)
    g, m = noise(2, dtype=dtype), noise(3, 0.5, dtype=dtype)
    v, largest = [x.square() for x in noise(4, dtype=dtype)], [x.square() for x in noise(5, dtype=dtype)]
    z = [torch.where(a == 0, b, torch.zeros_like(b)) for a, b in zip(w, noise(6, 0.3, dual_dtype), strict=True)]
    thresholds = [abs(x) for x in noise(7, 0.3, dual_dtype)]
    steps, floors, l1, l2 = [3, 1, 7, 2, 4, 5], [0.3, 0.05, 0.1, 0.2, 0.1, 2.0], 0.7, 0.2
    options = {"weight_decay": 0.3 * (not decoupled), "shrink": 0.97 if decoupled else 1.0, "maximize": maximize}
    before = list(zip(*map(exact, (w, g, m, v, largest)), steps, floors, strict=True))
    right = [adam_exactly(*b, **options, amsgrad=amsgrad) for b in before]
    wanted = [
        dual_step(r[0], a, b, r[5], r[4] * l1, r[4] * l2, memory)
        for r, a, b in zip(right, exact(z), exact(thresholds), strict=True)
    ]
    sums = fused_dual_adam(
        w, g, m, v, largest if amsgrad else [], z, thresholds, steps, floors,
        **ADAM, **options, l1=l1, l2=l2, memory=memory,
    )  # fmt: skip
    for got, column in zip((w, z, thresholds), zip(*wanted, strict=True), strict=True):
        assert_rounded_once(got, column)
    assert_rounded_once(m, [r[1] for r in right])
    assert sums == pytest.approx([r[6] for r in right], rel=1e-5)


SGD_OPTIONS = [(mu, tau, nesterov) for mu, tau, nesterov in itertools.product([0, 0.9], [0, 0.4], [False, True])
               if not nesterov or (mu and not tau)]  # fmt: skip


@pytest.mark.parametrize("dual", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("momentum", "dampening", "nesterov"), SGD_OPTIONS)
@pytest.mark.parametrize("maximize", [False, True])
def test_the_steps_of_gradient_descent_are_their_formulas(dual, dtype, momentum, dampening, nesterov, maximize):
    w = half_zero(noise(1, 0.5, dtype), 9)
    g, buffers, z = noise(2, dtype=dtype), noise(3, dtype=dtype), noise(6, 0.3, dtype)
    z = [torch.where(a == 0, b, torch.zeros_like(b)) for a, b in zip(w, z, strict=True)]
    thresholds = [torch.tensor(0.1 + k, dtype=torch.float64) for k in range(len(w))]
    first, lengths = [True, False] * 3, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    lr, weight_decay, l1, l2, memory = 0.1, 0.3, 0.7, 0.2, 0.9
    wanted = []
    for a, b, c, d, gamma, is_first, length in zip(
        *map(exact, (w, g, buffers, z)), map(float, thresholds), first, lengths, strict=True
    ):
        u = (-b if maximize else b) + weight_decay * a
        if momentum:
            c = u if is_first else momentum * c + (1 - dampening) * u
            u = u + momentum * c if nesterov else c
        new = (soft(a - lr * u, length * l1) / (1 + length * l2), d, gamma)
        wanted.append((*(dual_step(a, d, gamma, -lr * u, length * l1, length * l2, memory) if dual else new), c))
    options = {"lr": lr, "momentum": momentum, "dampening": dampening, "nesterov": nesterov, "maximize": maximize}
    options |= {"weight_decay": weight_decay, "l1": l1, "l2": l2}
    used = buffers if momentum else []
    if dual:
        fused_dual_sgd(w, g, used, z, thresholds, first, lengths, **options, memory=memory)
    else:
        fused_prox_sgd(w, g, used, first, lengths, **options)
    new_w, new_z, grown, new_buffers = zip(*wanted, strict=True)
    assert_rounded_once(w, new_w)
    assert_rounded_once(z, new_z)
    assert_rounded_once(buffers, new_buffers)
    assert [float(t) for t in thresholds] == pytest.approx([float(t) for t in grown], rel=1e-15)


@pytest.mark.parametrize(("amsgrad", "decoupled"), list(itertools.product([False, True], repeat=2)))
def test_without_penalty_twenty_steps_are_those_of_torch_s_fused_adam(amsgrad, decoupled):
    theirs = [torch.nn.Parameter(w) for w in noise(1)]
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    adam = kind(theirs, lr=0.01, weight_decay=0.1, amsgrad=amsgrad, fused=True)
    ours, m, v, largest = noise(1), zeros(), zeros(), zeros() if amsgrad else []
    for t in range(1, 21):
        for p, g in zip(theirs, noise(100 + t), strict=True):
            p.grad = g
        adam.step()
        fused_prox_adam(
            ours, noise(100 + t), m, v, largest, [t] * len(ours), [0.0] * len(ours), lr=0.01, beta1=0.9, beta2=0.999,
            eps=1e-8, weight_decay=0.1 * (not decoupled), shrink=0.999 if decoupled else 1.0, l1=0.0, l2=0.0,
            maximize=False,
        )  # fmt: skip
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-6, atol=1e-7)


def prox_adam(w, g, m=None, v=None, l1=0.1, t=1):
    m, v = m or [torch.zeros_like(x) for x in w], v or [torch.zeros_like(x) for x in w]
    count = len(w)
    fused_prox_adam(w, g, m, v, [], [t] * count, [0.0] * count, **ADAM, weight_decay=0.0, l1=l1, l2=0.0, maximize=False)


def test_a_learning_rate_of_zero_moves_no_weight_dual_or_threshold():
    w, thresholds = half_zero(noise(1), 9), [abs(x) for x in noise(3)]
    z = [torch.where(a == 0, 0.9 * b, torch.zeros_like(b)) for a, b in zip(w, thresholds, strict=True)]
    state = [w, z, thresholds]
    before = [[x.clone() for x in column] for column in state]
    options = {**ADAM, "lr": 0.0, "weight_decay": 0.1, "l1": 0.5, "l2": 0.5, "memory": 0.9, "maximize": False}
    count = [1] * len(w)
    fused_dual_adam(w, noise(4), zeros(), zeros(), [], z, thresholds, count, [0.0] * len(w), **options)
    for now, then in zip(state, before, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(now, then, strict=True))


def test_the_bits_do_not_depend_on_the_number_of_threads():
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            generator = torch.Generator().manual_seed(0)
            w, g = (torch.randn(400_001, generator=generator) for _ in range(2))
            prox_adam([w], [g])
            found.append(w)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_parameters_that_share_memory_step_one_after_the_other():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        w = torch.linspace(-1, 1, 300_000)
        alone = w.clone()
        g = torch.ones(300_000)
        prox_adam([w, w], [g, g])
        prox_adam([alone], [g])
        prox_adam([alone], [g])
        assert torch.equal(w, alone)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.channels_last_3d])
def test_a_channels_last_weight_steps_as_a_contiguous_one(layout):
    shape = (4, 3, 5, 5) if layout is torch.channels_last else (4, 3, 2, 5, 5)
    w, g = torch.randn(shape), torch.randn(shape)
    other, other_g = (x.clone(memory_format=layout) for x in (w, g))
    states = [torch.zeros_like(other) for _ in range(2)]
    assert can_fuse([other, other_g, *states])
    assert not can_fuse([other, g, *states])
    assert not can_fuse([w, other_g, *states])
    prox_adam([w], [g])
    prox_adam([other], [other_g])
    assert torch.equal(w, other)


def test_a_view_into_a_larger_tensor_steps_alone():
    whole = torch.full((100,), 2.0)
    part = whole[13:50]
    assert can_fuse([part, torch.ones(37), torch.zeros(37), torch.zeros(37)])
    prox_adam([part], [torch.ones(37)])
    assert (whole[13:50] < 2).all()
    assert (whole[:13] == 2).all()
    assert (whole[50:] == 2).all()


def flat_state(*more):
    return [torch.zeros(6), torch.ones(6), torch.zeros(6), torch.zeros(6), *more]


def with_gradient(gradient):
    tensors = flat_state()
    tensors[1] = gradient
    return tensors


def overlapping():
    memory = torch.zeros(9)
    return [memory[:6], torch.ones(6), memory[3:]]


class Marked(torch.Tensor):
    pass


WEIGHT = torch.zeros(6)
REFUSED: dict[str, Callable] = {
    "a stride": lambda: [torch.zeros(12)[::2], *flat_state()[1:]],
    "an expanded gradient": lambda: with_gradient(torch.ones(1).expand(6)),
    "a transposed weight": lambda: [torch.zeros(2, 3).t(), torch.zeros(2, 3).t()],
    "another shape": lambda: flat_state(torch.zeros(3, 2)),
    "double": lambda: [x.double() for x in flat_state()],
    "half": lambda: [x.half() for x in flat_state()],
    "complex": lambda: [x.cfloat() for x in flat_state()],
    "a gradient of another type": lambda: with_gradient(torch.ones(6, dtype=torch.bfloat16)),
    "float32 moments": lambda: [x.bfloat16() for x in flat_state()[:2]] + flat_state()[2:],
    "a sparse gradient": lambda: with_gradient(torch.ones(6).to_sparse()),
    "no memory": lambda: [x.to("meta") for x in flat_state()[:1]],
    "a lazily negated view": lambda: with_gradient(torch._neg_view(torch.ones(6))),
    "a subclass": lambda: with_gradient(torch.ones(6).as_subclass(Marked)),
    "a gradient on the weight": lambda: [WEIGHT, WEIGHT, *flat_state()[2:]],
    "a state over half of the weight": overlapping,
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_tensors_are_refused(case):
    assert can_fuse(flat_state())
    assert not can_fuse(REFUSED[case]())


def test_empty_and_scalar_tensors_are_taken():
    for shape in ((0, 4), (), (1,)):
        tensors = [torch.zeros(shape) for _ in range(4)]
        assert can_fuse(tensors)
        prox_adam([tensors[0]], [tensors[1]])


def test_float32_duals_are_taken_beside_bfloat16_weights_alone():
    low = [x.bfloat16() for x in flat_state()]
    assert can_fuse([*low, torch.zeros(6), torch.zeros(6)], duals=2)
    assert can_fuse([*low, *(torch.zeros(6).bfloat16() for _ in range(2))], duals=2)
    assert not can_fuse([*low, torch.zeros(6), torch.zeros(6)])
    assert not can_fuse([*low[:3], torch.zeros(6), torch.zeros(6), torch.zeros(6)], duals=2)


def test_a_recorded_gradient_is_refused_and_a_weight_under_no_grad_is_not():
    tensors = [torch.nn.Parameter(torch.zeros(6)), *flat_state()[1:]]
    assert can_fuse(tensors)
    with torch.enable_grad():
        assert not can_fuse(tensors)
        assert can_fuse(flat_state())


def test_inference_tensors_are_refused():
    with torch.inference_mode():
        assert not can_fuse(flat_state())


def test_a_compiled_step_takes_another_path():
    tensors = flat_state()
    assert can_fuse(tensors)
    assert not torch.compile(lambda: can_fuse(tensors), backend="eager", fullgraph=True)()


def test_types_that_the_core_would_misread_are_refused_in_a_sentence():
    with pytest.raises(ArgumentError, match=r"all float32 or all bfloat16; got \{.*float64"):
        prox_adam([torch.zeros(3)], [torch.zeros(3, dtype=torch.float64)])


def test_autograd_notices_that_a_saved_weight_has_changed():
    w = torch.nn.Parameter(torch.ones(6))
    with torch.enable_grad():
        loss = w.square().sum()
    state = flat_state()
    versions = [x._version for x in state]
    prox_adam([w], [state[1]], [state[2]], [state[3]])
    assert [x._version - before for x, before in zip(state, versions, strict=True)] == [0, 0, 1, 1]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_forked_child_steps_after_its_parent_used_threads():
    script = textwrap.dedent("""
        import os
        import numpy as np
        from shrinkage import _core
        w, g, m, v = (np.ones(400_000, np.float32) for _ in range(4))
        def step():
            places = [[x.ctypes.data] for x in (w, g, m, v)]
            _core.adam_step("float32", *places, [], [], [], [400_000], [1.0], [0.0], [0.1], [0.0], lr=0.1, beta1=0.9,
                            beta2=0.99, eps=1e-8, weight_decay=0.0, shrink=1.0, maximize=False, in_metric=True,
                            memory=1.0, threads=2)
        step()
        first = w.copy()
        child = os.fork()
        if child == 0:
            step()
            os._exit(0 if w[-1] < first[-1] < 1 else 3)
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
