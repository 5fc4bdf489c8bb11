"""The callback that reports: what it logs, when, and that training does not notice it."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, optimizers  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.keras import CSVLogger, Plan, Proximal, ReportCallback, report, scalars  # noqa: E402
from shrinkage.penalties import L1, L2  # noqa: E402

X = np.random.default_rng(0).normal(size=(24, 6)).astype("float32")
Y = X[:, :2].copy()


def network(optimizer=None, built=True):
    keras.utils.set_random_seed(3)
    head = [keras.Input((6,))] if built else []
    model = keras.Sequential([*head, layers.Dense(4, name="in"), layers.Dense(2, name="out")], name="net")
    model.compile(optimizer or Proximal(optimizers.Adam(0.05), L1(0.2)), "mse")
    return model


def fit(model, callback, epochs=4):
    return model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, shuffle=False, callbacks=[callback]).history


def test_numbers_of_each_epoch_are_those_of_a_report_and_go_to_loggers_and_history(tmp_path):
    log, seen = CSVLogger(tmp_path / "run.csv"), {}
    callback = ReportCallback(logger=[log, seen.__setitem__], every_n_epochs=2, show=None)
    model = network()
    history = fit(model, callback)
    assert list(log.read()) == [6, 12] == list(seen)  # three steps an epoch
    assert len(history["sparsity/total"]) == 2
    now = scalars(report(model, steps_per_epoch=3))
    changing = {"sparsity/total", "norm/total", "kkt_zero/total", "sparsity/net/in/kernel"}
    assert {name: log.read()[12][name] for name in changing} == pytest.approx({name: now[name] for name in changing})
    assert history["sparsity/total"][-1] == pytest.approx(now["sparsity/total"])
    assert callback.last_report.step == 12
    assert callback.last_report.rows[0].norm_change is not None


def test_training_is_bit_equal_with_and_without_it():
    watched, alone = network(), network()
    fit(watched, ReportCallback(every_n_steps=1, show=None))
    alone.fit(X, Y, batch_size=8, epochs=4, verbose=0, shuffle=False)
    for one, other in zip(watched.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_steps_are_counted_over_epochs_and_each_report_sees_the_weights_of_its_step():
    seen = {}
    model = network()
    fit(model, ReportCallback(logger=seen.__setitem__, every_n_epochs=None, every_n_steps=2, show=None), epochs=3)
    assert list(seen) == [2, 4, 6, 8]
    assert len({values["norm/total"] for values in seen.values()}) == 4


@pytest.mark.filterwarnings("ignore:weights decay twice")
def test_the_plan_is_shown_once_and_every_alarm_once():
    told = []
    model = network(Proximal(optimizers.AdamW(0.05, weight_decay=0.1), L2(0.2)))
    fit(model, ReportCallback(show=told.append))
    assert told[0].startswith(str(Plan(model)).splitlines()[0].split()[0])
    assert "applied by <Proximal after AdamW" in told[0]
    alarms = [text for text in told if text.startswith("!")]
    assert len(alarms) == len(set(alarms)) > 0
    assert sum("usually left free" in text for text in alarms) == 1
    assert sum("decayed 2 times" in text for text in alarms) == 2


def test_a_model_that_is_built_by_its_first_batch_is_shown_then():
    told = []
    fit(network(optimizers.Adam(), built=False), ReportCallback(show=told.append))
    assert "in/kernel" in told[0]


def test_arguments_that_mean_nothing_are_refused():
    for wrong in ({"plan": 3}, {"every_n_epochs": 0}, {"every_n_steps": 1.5}, {"decay": 1}, {"show": 3}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            ReportCallback(**wrong)
    with pytest.raises(ArgumentError, match="logger must have a method log"):
        ReportCallback(logger=3)
    callback = ReportCallback()
    callback.set_model(keras.Sequential([keras.Input((2,)), layers.Dense(1)]))
    with pytest.raises(ArgumentError, match="must be compiled"):
        callback.on_train_begin()
