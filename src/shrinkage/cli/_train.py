"""From a request to a trained network, what it is worth, and what to do next."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from shrinkage.cli import _train_words as words
from shrinkage.cli._network_file import Network, Training
from shrinkage.cli._train_advice import advice
from shrinkage.cli._train_data import Rows, prepare_rows
from shrinkage.cli._train_figures import (
    Rival,
    constant_rival,
    figures_of,
    linear_rival,
    may_be_linear,
    network_rival,
)
from shrinkage.cli._train_network import Trained, Way, need_torch, suitable_threads
from shrinkage.cli._train_request import TrainRequest
from shrinkage.cli._train_state import State
from shrinkage.report import Figure, NetworkStudy
from shrinkage.training import Sweep

Tell = Callable[[str], None]


def run_training(
    request: TrainRequest, out: str | None, resume: bool, tell: Tell
) -> tuple[NetworkStudy, Network, State]:
    """Choose the strength by a sweep, train the chosen one on all rows but those held out, and measure it on these."""
    need_torch()
    request.grid()
    tell("reading")
    data = prepare_rows(request)
    state = State(None if out is None else Path(out))
    state.begin(request, data, resume)
    with suitable_threads(request, data):
        way = Way(request, data, request.hidden)
        sweep = way.sweep(request.seeds_for(len(data.chosen_on)), state.journal("network"), tell)
        chosen = place_of(sweep, request.rule)
        trained = way.train(float(sweep.strengths[chosen]), tell)
        linear, linear_sweep, notes = _linear(request, data, state, tell)
    network = _network(request, data, trained, sweep, chosen, out)
    rivals = [network_rival("network", network, data), *linear, constant_rival(data)]
    figures = figures_of(rivals, data)
    network = _with_figure(network, figures[0])
    tell("writing the report")
    material = words.Material(request, data, sweep, chosen, trained, figures, out)
    study = NetworkStudy(
        title=f"{request.target}: a network trained on {Path(data.table.source).name}",
        lead=words.lead(material),
        found=words.found(material),
        advice=advice(material),
        asked=words.asked(material),
        data=words.about_data(material),
        columns=words.about_columns(material),
        sweep=sweep,
        chosen=chosen,
        linear_sweep=linear_sweep,
        plan=trained.plan,
        report=trained.report,
        decay=trained.decay,
        smaller=trained.smaller,
        figures=figures,
        loss_name="cross-entropy" if data.is_class else "squared error",
        score_name="accuracy" if data.is_class else "explained",
        n_tested=len(data.tested_on),
        call=request.call(out),
        notes=(*data.notes, *notes),
    )
    return study, network, state


def place_of(sweep: Sweep, rule: str) -> int:
    """The place of the strength that the rule takes."""
    return sweep.best if rule == "min" else sweep.one_se


def _linear(
    request: TrainRequest, data: Rows, state: State, tell: Tell
) -> tuple[list[Rival], Sweep | None, tuple[str, ...]]:
    """The linear model beside the network: that of `fit`, or for many classes one without hidden layers."""
    if not request.linear or not request.hidden:
        return [], None, ()
    if data.target.loss == "multinomial":
        way = Way(request, data, ())
        sweep = way.sweep((request.seed,), state.journal("linear"), lambda what: tell(f"linear model: {what}"))
        place = place_of(sweep, request.rule)
        trained = way.train(float(sweep.strengths[place]), lambda what: tell(f"linear model: {what}"))
        network = _network(request, data, trained, sweep, place, None)
        return [network_rival(f"multinomial with {words.penalty_name(way.penalty)} (linear)", network, data)], sweep, ()
    if reason := may_be_linear(data):
        return [], None, (f"No linear model stands beside the network: {reason}.",)
    return [linear_rival(request, data, tell)], None, ()


def _network(
    request: TrainRequest, data: Rows, trained: Trained, sweep: Sweep, chosen: int, out: str | None
) -> Network:
    return Network(
        target=data.target,
        recipe=data.recipe,
        center=data.center,
        scale=data.scale,
        response=data.response,
        layers=trained.layers,
        training=Training(
            penalty=request.penalty,
            l1_ratio=request.l1_ratio,
            strength=float(sweep.strengths[chosen]),
            rule=request.rule,
            hidden=request.hidden,
            epochs=request.epochs,
            batch_size=request.batch_size,
            lr=request.lr,
            seed=request.seed,
            rows=len(data.chosen_on),
            test_rows=len(data.tested_on),
            score_name="accuracy" if data.is_class else "explained",
            version=version("shrinkage"),
            call=request.call(out),
        ),
    )


def _with_figure(network: Network, figure: Figure) -> Network:
    """The network that carries its own figure."""
    score = figure.score if np.isfinite(figure.score) else None
    training = replace(network.training, test_loss=figure.loss, test_score=score)
    return replace(network, training=training)
