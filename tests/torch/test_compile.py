"""The step under torch.compile: the numbers of the plain one, and no compilation once it has been seen twice."""

import copy
import sys

import pytest

torch = pytest.importorskip("torch")
if sys.platform == "win32":
    pytest.skip("torch.compile wants a compiler", allow_module_level=True)
dynamo = pytest.importorskip("torch._dynamo")

from optimizers import FIVE, loss_of, network, planned, train  # noqa: E402

from shrinkage.penalties import L1, GroupL2  # noqa: E402

pytestmark = [pytest.mark.filterwarnings("ignore")]  # of the compiler, about caches and numbers of ours and torch's


def compiled_and_plain(name, penalty, backend, steps=8, lr_of=None):
    """The greatest difference of weights, and the number of graphs after each step."""
    dynamo.reset()
    dynamo.utils.counters.clear()
    model = network()
    twin = copy.deepcopy(model)
    more = {} if lr_of is None else {"lr": torch.tensor(lr_of(0))}
    optimizer, plain = planned(name, model, penalty, **more), planned(name, twin, penalty)
    step = torch.compile(optimizer.step, backend=backend)
    graphs = []
    for t in range(steps):
        if lr_of is not None:
            for one, other in zip(optimizer.param_groups, plain.param_groups, strict=True):
                one["lr"].fill_(lr_of(t))
                other["lr"] = lr_of(t)
        optimizer.zero_grad()
        loss_of(model).backward()
        step()
        train(twin, plain, 1)
        graphs.append(dynamo.utils.counters["stats"]["unique_graphs"])
    pairs = zip(model.parameters(), twin.parameters(), strict=True)
    return max((p - q).abs().max().item() for p, q in pairs), graphs


def assert_right(difference, graphs, settled=2):
    assert difference < 3e-5
    assert graphs[0] > 0
    assert graphs[settled] == graphs[-1]


QUICK = {"ProxAdam", "DualSGD"}  # a prox and an average, with Adam's steps and with plain ones; compilers take seconds
TWO = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FIVE]


@pytest.mark.parametrize("name", TWO)
def test_the_compiled_step_is_the_plain_one_and_is_compiled_at_most_twice(name):
    assert_right(*compiled_and_plain(name, L1(0.1), "eager"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FIVE if name != "AdamW"])
def test_penalties_on_groups_are_compiled_too(name):
    assert_right(*compiled_and_plain(name, GroupL2(0.1, axis=0), "eager"))


@pytest.mark.parametrize("name", [pytest.param("ProxSGD", marks=pytest.mark.slow), "ProxAdam"])
def test_a_learning_rate_in_a_tensor_changes_without_compilation(name):
    assert_right(*compiled_and_plain(name, L1(0.1), "eager", lr_of=lambda t: 0.01 / (1 + t)), settled=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_every_backend_takes_the_same_step(name, backend):
    assert_right(*compiled_and_plain(name, L1(0.1), backend))
