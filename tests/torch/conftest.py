"""What the tests of the room for PyTorch run under."""

import importlib

import pytest

_DECLARED = []  # operators are withdrawn with the object that declared them


@pytest.fixture(autouse=True)
def _seeded_and_single():
    """One thread beside the other workers, and the same numbers in any order of the tests."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def torchvision_opens():
    """Whether torchvision is there; it can be imported then, also where it was built for another kind of torch.

    The torchvision of the package index is built for CUDA. Beside a CPU torch its compiled operators do not load, and
    importing it fails while it describes two of them; declared here, they can be described. No test calls them.
    """
    torch = pytest.importorskip("torch")
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return False
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        _DECLARED.append(library)
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        importlib.import_module("torchvision")
    return True


@pytest.fixture(scope="session")
def timm(torchvision_opens):
    """The package of architectures, which needs torchvision."""
    if not torchvision_opens:
        pytest.skip("could not import 'torchvision'")
    return pytest.importorskip("timm")
