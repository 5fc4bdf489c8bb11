"""Loggers: every number under its name at its step, in files that outlive a killed process."""

import math
import os
import signal
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from shrinkage import L1  # noqa: E402
from shrinkage._errors import ArgumentError, DataError  # noqa: E402
from shrinkage.torch import (  # noqa: E402  # noqa: E402
    CSVLogger,
    Logger,
    MLflowLogger,
    Plan,
    ProxAdam,
    TensorBoardLogger,
    decay_report,
    report,
    scalars,
)
from shrinkage.training import as_logger  # noqa: E402


def trained():
    model = torch.nn.Linear(6, 4)
    optimizer = ProxAdam(Plan(model, L1(0.05)), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(8, 6)).square().mean().backward()
        optimizer.step()
    return model, optimizer


def test_the_scalars_of_a_report_count_its_zeros():
    model, optimizer = trained()
    found = scalars(report(model, optimizer))
    share = (model.weight == 0).double().mean().item()
    assert 0 < share < 1
    assert found["sparsity/weight"] == pytest.approx(share)
    assert found["norm/weight"] == pytest.approx(model.weight.norm().item())
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())


def test_scalars_of_a_report_and_a_decay_report_share_no_name():
    model, optimizer = trained()
    ours, theirs = scalars(report(model, optimizer)), scalars(decay_report(model, optimizer))
    assert theirs["decay_alarms"] == len(decay_report(model, optimizer).alarms)
    assert set(ours) & set(theirs) == set()


def test_scalars_of_something_else_are_refused():
    with pytest.raises(ArgumentError, match="record must be"):
        scalars({"loss": 1.0})  # type: ignore[arg-type]


def test_a_csv_gives_back_every_number_exactly(tmp_path):
    values = {"a": 0.1 + 0.2, "b,c": -1e-300, 'd"': 1 / 3, "e": math.inf, "é": 5e-324}
    with_csv = CSVLogger(tmp_path / "new" / "run.csv")
    with_csv.log(3, values)
    with_csv.log(12345678901, {"a": torch.tensor(0.5), "late": 2})
    assert CSVLogger(tmp_path / "new" / "run.csv").read() == {3: values, 12345678901: {"a": 0.5, "late": 2.0}}


def test_a_csv_keeps_what_is_no_number_as_such(tmp_path):
    logger = CSVLogger(tmp_path / "run.csv")
    logger.log(1, {"a": math.nan})
    assert math.isnan(logger.read()[1]["a"])


def test_a_step_that_is_written_again_counts_by_its_last_line(tmp_path):
    for value in (1.0, 2.0):
        logger = CSVLogger(tmp_path / "run.csv")
        logger.log(7, {"a": value})
    assert logger.read() == {7: {"a": 2.0}}
    assert (tmp_path / "run.csv").read_text().count("step,name,value") == 1


@pytest.mark.parametrize("length", range(1, 40))
def test_a_csv_cut_at_any_byte_goes_on_after_its_last_whole_line(tmp_path, length):
    path = tmp_path / "run.csv"
    CSVLogger(path).log(1, {"a": 0.25, "b": 0.5})
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    kept = {name: v for name, v in (("a", 0.25), ("b", 0.5)) if f"1,{name},{v}\n".encode() in whole[:length]}
    assert CSVLogger(path).read() == ({1: kept} if kept else {})
    second = CSVLogger(path)
    second.log(2, {"c": 3.0})
    assert second.read() == ({1: kept} if kept else {}) | {2: {"c": 3.0}}


def test_a_killed_process_leaves_every_line_of_its_calls(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from shrinkage.torch import CSVLogger\n"
        "logger = CSVLogger(sys.argv[1], durable=False)\n"
        "for step in range(10**9):\n"
        "    logger.log(step, {'a': step, 'b': -step})\n"
        "    print(step, flush=True)\n"
    )
    path = tmp_path / "run.csv"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(50)]
        os.kill(process.pid, signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    found = CSVLogger(path).read()
    assert {step: found[step] for step in said} == {step: {"a": step, "b": -step} for step in said}


def test_a_frame_has_a_column_for_each_name(tmp_path):
    pytest.importorskip("pandas")
    logger = CSVLogger(tmp_path / "run.csv")
    logger.log(2, {"b": 1.0})
    logger.log(1, {"a": 0.5})
    frame = logger.to_frame()
    assert list(frame.index) == [1, 2]
    assert frame.loc[1, "a"] == 0.5
    assert math.isnan(frame.loc[1, "b"])


def test_a_file_of_someone_else_is_not_touched(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n1,2")
    with pytest.raises(ArgumentError, match="first line is 'step,name,value'"):
        CSVLogger(path)
    with pytest.raises(ArgumentError, match="got the folder"):
        CSVLogger(tmp_path)
    assert path.read_text() == "x,y\n1,2"


def test_a_line_that_is_broken_is_named(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("step,name,value\n1,a,0.5\n2,b\n")
    with pytest.raises(DataError, match="line 3"):
        CSVLogger(path).read()


def test_a_byte_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "run.csv"
    path.write_bytes(b"step,name,value\n1,\xff,0.5\n")
    with pytest.raises(DataError, match="byte 18 is not UTF-8"):
        CSVLogger(path).read()


@pytest.mark.parametrize(("step", "values"), [(-1, {"a": 1.0}), (1.5, {"a": 1.0}), (1, {"a": "x"}), (1, {"a\nb": 1.0})])
def test_what_is_no_step_or_number_is_refused_and_writes_nothing(tmp_path, step, values):
    logger = CSVLogger(tmp_path / "run.csv")
    with pytest.raises(ArgumentError):
        logger.log(step, {"good": 1.0, **values})
    assert logger.read() == {}


class Lightnings:
    def __init__(self):
        self.seen = []

    def log_metrics(self, metrics, step):
        self.seen.append((step, metrics))


def test_functions_and_loggers_of_lightning_are_loggers_too(tmp_path):
    seen, theirs, own = [], Lightnings(), CSVLogger(tmp_path / "run.csv")
    for logger in map(as_logger, (lambda step, values: seen.append((step, values)), theirs, own)):
        assert isinstance(logger, Logger)
        logger.log(4, {"a": 0.5})
    assert seen == theirs.seen == [(4, {"a": 0.5})]
    assert own.read() == {4: {"a": 0.5}}


@pytest.mark.parametrize("wrong", [3, "run.csv", CSVLogger])
def test_what_cannot_log_is_refused(wrong):
    with pytest.raises(ArgumentError, match="logger must have a method"):
        as_logger(wrong)


@pytest.mark.slow
def test_tensorboard_reads_the_scalars_back(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path)
    for step in (1, 5):
        logger.log(step, {"sparsity/total": step / 8, "alarms": 0.0})
    events = EventAccumulator(str(tmp_path))  # before close: a killed process has them too
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("sparsity/total")] == [(1, 0.125), (5, 0.625)]
    logger.close()
    writer = logger.writer
    TensorBoardLogger(writer).close()


def test_a_writer_that_is_none_is_refused():
    with pytest.raises(ArgumentError, match="folder or a SummaryWriter"):
        TensorBoardLogger(3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_every_metric_of_a_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    place = (tmp_path / "runs").as_uri()
    logger = MLflowLogger(experiment="digits", tracking_uri=place)
    many = {f"norm/layer{k}.weight": k / 7 for k in range(1500)} | {"odd|name": 2.0}
    logger.log(3, many)
    logger.log(9, {"norm/layer0.weight": 8.0})
    client = mlflow.MlflowClient(place)
    found = client.get_run(logger.run_id).data.metrics
    del many["odd|name"]
    assert found == many | {"norm/layer0.weight": 8.0, "odd_name": 2.0}
    assert [m.step for m in client.get_metric_history(logger.run_id, "norm/layer0.weight")] == [3, 9]
    assert client.get_run(logger.run_id).info.status == "RUNNING"
    MLflowLogger(logger.run_id, tracking_uri=place).close()
    assert client.get_run(logger.run_id).info.status == "RUNNING"
    logger.close()
    assert client.get_run(logger.run_id).info.status == "FINISHED"
