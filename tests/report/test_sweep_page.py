"""The pages about sweeps and networks say what the records say, and let nothing from the data act."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from shrinkage.report import Figure, NetworkStudy, alike, chain, html, plus_minus
from shrinkage.training import (
    Compaction,
    DecayReport,
    DecayRow,
    Facts,
    PlanRow,
    PlanTable,
    Report,
    ReportRow,
    Sweep,
)
from shrinkage.training._compacted import CompactedLayer

EVIL = "<script>alert('x')</script>&\"' $\\frac{"
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags and text, and whether every tag is closed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def sweep(**more):
    held_out = np.array([[0.5, 0.7], [0.3, 0.32], [0.31, 0.34], [0.9, 1.3]])
    return Sweep(
        strengths=np.array([0.0, 0.001, 0.01, 0.1]), seeds=(0, 1), train_loss=held_out / 4, held_out=held_out,
        zeros=np.array([[0.0, 0.0], [0.25, 0.35], [0.75, 0.85], [1.0, 1.0]]), score=1 - held_out / 10,
        score_name="accuracy", status=("complete", "complete", "complete", EVIL),
        epochs_run=np.full((4, 2), 5), best=1, one_se=2, rule=EVIL, epochs=5, se=np.array([0.1, 0.01, 0.015, 0.2]),
        difference_se=np.array([0.09, 0.0, 0.02, 0.19]), mode="loop", reason=EVIL, loss_name=EVIL, n_train=777,
        n_held_out=333, notes=(EVIL,),
    ) if not more else replace(sweep(), **more)  # fmt: skip


def study():
    row = ReportRow(
        EVIL, (8, 4), "float32", "linear", EVIL, size=32, zeros=12, norm=2.5, penalty="L1", strength=0.01, rows=8,
        zero_rows=3, columns=4, zero_columns=0,
    )  # fmt: skip
    decays = DecayRow(
        EVIL, (8, 4), "float32", "linear", "", 32, group=0, how="L2", pure=1e-4, quantiles=(1e-6,) * 5, timescale=1e6
    )
    layers = (
        CompactedLayer("0", "Linear", (8, 4), (5, 4), 40, 25),
        CompactedLayer("2", "Linear", (3, 8), (3, 5), 27, 18),
    )
    figures = (
        Figure("network", 0.25, 0.02, 0.953, 0.011, 0.0, 0.0, 43),
        Figure(EVIL, 0.375, 0.03, 0.9, 0.02, 0.125, 0.025, 15),
        Figure("constant", 1.1, 0.01, 0.4, 0.03, 0.85, 0.04, 2),
    )
    facts = Facts(name=EVIL, shape=(8, 4), n_elements=32, role="linear", reason=EVIL)
    return NetworkStudy(
        title=EVIL, lead=EVIL, found=((EVIL, EVIL), ("Linear model", "as good")), advice=((EVIL, f"shrinkage {EVIL}"),),
        asked=((EVIL, EVIL),), data=(("Rows", "60"),), columns=((EVIL, "number", 3, "feature"),), sweep=sweep(),
        chosen=2, linear_sweep=sweep(), plan=PlanTable((PlanRow(facts, EVIL, True),)), report=Report((row,)),
        decay=DecayReport((decays,)), smaller=Compaction(layers, 67, 43, 268, 172, max_difference=3e-7, n_checked=5,
        latency_before=2e-4, latency=1e-4, notes=(EVIL,)), figures=figures, loss_name=EVIL, score_name="accuracy",
        n_tested=1234, call=f"shrinkage train {EVIL}", notes=(EVIL,),
    )  # fmt: skip


@pytest.mark.parametrize(("subject", "pictures"), [(sweep(), 1), (study(), 3)], ids=["sweep", "study"])
def test_the_page_is_whole_and_nothing_in_it_acts(subject, pictures):
    page = html(subject, title=EVIL)
    parsed = Page(page)
    assert parsed.open == []
    assert "script" not in parsed.tags
    assert "<script" not in page
    assert page.count("<svg") == pictures
    assert re.findall(r"url\((?!['\"]?#)|@import|src=|href=\"(?!#)", page) == []
    assert sum(EVIL in text for text in parsed.text) >= 5
    assert html(subject, title=EVIL) == page


def test_the_page_about_a_sweep_has_every_strength_with_its_figures_and_the_choices():
    page = html(sweep())
    text = " ".join(Page(page).text)
    for number in ("0.31", "0.325", "0.001", "30.0\xa0%", "80.0\xa0%", "96.9\xa0%", "best", "1\u2011SE", "777", "333"):
        assert number in text, number
    marked = re.findall(r'<tr class="chosen">(.*?)</tr>', page)
    assert len(marked) == 1
    assert marked[0].startswith("<td>0.01<")
    assert "status" in text
    assert "status" not in " ".join(Page(html(sweep(status=("complete",) * 4))).text)


def test_the_page_about_a_network_has_figures_widths_bytes_and_commands():
    text = " ".join(Page(html(study())).text)
    for said in (
        "0.250 ± 0.020", "95.3 ± 1.1\xa0%", "0.125 ± 0.025", "1,234 rows", "4 – 8 – 3", "4 – 5 – 3", "268", "172",
        "200 µs", "100 µs", "3e−07", f"shrinkage train {EVIL}", f"shrinkage {EVIL}", "What to do next", "3 of 8",
    ):  # fmt: skip
        assert said in text, said


def test_decay_is_folded_where_nothing_decays():
    assert "none of the weights decays" not in html(study())
    idle = DecayReport((DecayRow("w", (2, 3), "float32", "linear", "", 6, group=0, how="none", pure=0.0),))
    assert "none of the weights decays" in html(replace(study(), decay=idle))


def test_strengths_alike_are_those_that_the_rule_allows_and_none_that_was_stopped():
    assert alike(sweep(allowed=np.array([0.09, 0.0, 0.02, 0.19]))) == (0.001, 0.01)  # 0.015 above
    assert alike(sweep(allowed=np.array([0.09, 0.0, 0.01, 0.19]), one_se=1)) == (0.001, 0.001)
    wild = sweep(allowed=np.full(4, 9.0))
    assert alike(wild) == (0.0, 0.01)  # 0.1 was stopped early
    assert alike(replace(wild, status=("complete",) * 4)) == (0.0, 0.1)
    assert alike(sweep(one_se=1)) == (0.001, 0.001)  # a record that does not know


def test_a_chain_has_inputs_neurons_and_answers():
    assert chain(study().smaller) == ((4, 8, 3), (4, 5, 3))


@pytest.mark.parametrize(
    ("value", "error", "scale", "text"),
    [
        (0.97368, 0.0151, 100, "97.4 ± 1.5"),
        (2859.12, 310.0, 1, "2,859 ± 310"),
        (0.5, 0.0, 1, "0.5"),
        (0.5, float("nan"), 1, "0.5"),
        (2.3025, 1e-9, 1, "2.3025 ± 0.0000"),
        (-0.0132, 0.0231, 1, "-0.013 ± 0.023"),
    ],
)
def test_a_figure_has_the_digits_that_its_error_allows(value, error, scale, text):
    assert plus_minus(value, error, scale) == text
