"""On whose threads the compiled steps run."""

import os
import signal
import sys

import pytest

torch = pytest.importorskip("torch")

from shrinkage import L1, GroupL2, _core  # noqa: E402 - torch first: without it there is nothing to test
from shrinkage.torch import DualAdam, ProxAdam  # noqa: E402
from shrinkage.torch._team import lend_threads  # noqa: E402

SIZE = (600, 500)  # large enough for two threads


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
    lend_threads()


def _optimizer(kind, penalty):
    weight = torch.nn.Parameter(torch.randn(SIZE, generator=torch.Generator().manual_seed(0)))
    gradients = [torch.randn(SIZE, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    return kind([weight], lr=0.01, penalty=penalty), weight, gradients


def _stepped(kind, penalty):
    optimizer, weight, gradients = _optimizer(kind, penalty)
    for weight.grad in gradients:
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("kind", [ProxAdam, DualAdam])
@pytest.mark.parametrize("penalty", [L1(0.5), GroupL2(0.05, axis=0)], ids=["weights", "rows"])
def test_steps_are_the_same_bits_on_torchs_threads_on_own_threads_and_on_one(two_threads, kind, penalty):
    lend_threads()
    on_lent = _stepped(kind, penalty)
    _core.lend_threads(0)
    assert torch.equal(_stepped(kind, penalty), on_lent)
    torch.set_num_threads(1)
    assert torch.equal(_stepped(kind, penalty), on_lent)


@pytest.mark.skipif(sys.platform != "linux", reason="torch has GNU OpenMP's interface on Linux")
def test_torchs_threads_are_found():
    assert lend_threads() == ("ATen parallel backend: OpenMP" in torch.__config__.parallel_info())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # JAX, once imported, warns of forks
def test_a_forked_process_steps_without_the_threads_its_parent_has_kept(two_threads):
    here = _stepped(ProxAdam, L1(0.5))
    optimizer, weight, gradients = _optimizer(ProxAdam, L1(0.5))
    weight.grad = gradients.pop(0)
    optimizer.step()  # from here on no function of torch's runs that would wait for torch's own threads
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # waiting for threads that are not there would never end
        alike = False
        try:
            for weight.grad in gradients:
                optimizer.step()
            alike = memoryview(weight.detach().numpy()) == memoryview(here.numpy())
        finally:
            os._exit(0 if alike else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
