"""The smaller network leaves torch as any other: by `torch.export`, and as ONNX where its packages are installed."""

import warnings

import pytest

torch = pytest.importorskip("torch")

from compact_networks import CASES, with_dead_features  # noqa: E402

from shrinkage.torch._compact import compact  # noqa: E402

EXPORTED = ["MLP", "residual with projection", "depthwise", "concatenation", "hard-coded view", "transformer"]


def made(name):
    model, example = with_dead_features(CASES[name])
    found = compact(model, example, seconds=0)
    assert found.report.refusal is None
    return model, found.model.eval(), example


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_torch_export_takes_it(name):
    model, small, example = made(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(small, (example,))
    torch.testing.assert_close(program.module()(example), model(example), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_onnx_runs_it_with_the_outputs_of_the_whole_network_in_a_smaller_file(name, tmp_path):
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    runtime = pytest.importorskip("onnxruntime")
    model, small, example = made(name)
    sizes = []
    for which, network in (("whole", model), ("small", small)):
        path = tmp_path / f"{which}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(network, (example,), path, dynamo=True, external_data=False, verbose=False)
        sizes.append(path.stat().st_size)
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (got,) = session.run(None, {session.get_inputs()[0].name: example.numpy()})
        torch.testing.assert_close(torch.from_numpy(got), model(example).detach(), rtol=1e-4, atol=1e-5)
    assert sizes[1] < sizes[0]
