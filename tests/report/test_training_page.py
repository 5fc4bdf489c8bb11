"""The page about a training says what the reports say, and lets nothing from a model's names act."""

import re
from html.parser import HTMLParser

import pytest

from shrinkage._errors import ArgumentError
from shrinkage.report import html
from shrinkage.training import Alarm, DecayReport, DecayRow, Report, ReportRow

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


def report(zeros, step):
    rows = tuple(
        ReportRow(
            f"{EVIL} {k}", (10, 20), "float32", "linear", EVIL, size=200, zeros=zeros, norm=2.5, penalty="L1",
            strength=0.125, rows=10, zero_rows=1, columns=20, zero_columns=0, group=k, kkt_zero=0.875, penalty_step=1.0,
            gradient_step=3.0,
        )
        for k in range(2)
    )  # fmt: skip
    alarm = Alarm("rounding", EVIL, 0.75, 0.5, f"{EVIL} is lost.")
    return Report(rows, alarms=(alarm,), notes=(EVIL,), optimizer="ProxAdam", step=step, steps_per_epoch=7.0)


def decay():
    row = DecayRow(
        EVIL, (2, 3), "float32", "bias", "", 6, group=0, how="coupled", pure=1e-4,
        quantiles=(1e-6, 2e-6, 3.25e-5, 4e-4, 5e-3), timescale=30769.0,
    )  # fmt: skip
    return DecayReport((row,), alarms=(Alarm("uneven decay", EVIL, 50.0, 10.0, f"{EVIL} is uneven."),))


SUBJECTS = {
    "report": (report(50, 3), 1),
    "decay": (decay(), 1),
    "history": ([report(10, 1), report(50, 2)], 2),
    "history with steps and decay": ([(1.0, report(10, 1)), (2.0, report(50, 2)), decay()], 3),
    "one with its step": ((2.0, report(50, 2)), 1),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_page_is_whole_and_nothing_in_it_acts(name):
    subject, pictures = SUBJECTS[name]
    page = html(subject, title=EVIL)
    parsed = Page(page)
    assert parsed.open == []
    assert "script" not in parsed.tags
    assert "<script" not in page
    assert page.count("<svg") == pictures
    assert re.findall(r"url\((?!['\"]?#)|@import|src=|href=\"(?!#)", page) == []
    assert sum(EVIL in text for text in parsed.text) >= 3
    assert html(subject, title=EVIL) == page


def test_the_page_holds_the_numbers_and_every_alarm_as_a_sentence():
    text = " ".join(Page(html([report(50, 3), decay()])).text)
    assert f"{EVIL} is lost." in text
    assert f"{EVIL} is uneven." in text
    for number in ("25.0\xa0%", "0.125", "0.875", "1 of 10", "3.25e−05", "group 1", "100 of 400"):
        assert number in text, number


def test_a_long_table_is_folded():
    rows = tuple(
        ReportRow(f"layer {k}", (2, 2), "float32", "linear", "", size=4, zeros=1, norm=1.0, penalty="L1")
        for k in range(100)
    )
    page = html(Report(rows))
    assert "40 more" in page
    assert all(f"layer {k}<" in page for k in range(100))


@pytest.mark.parametrize("subject", [[], [3], ()], ids=str)
def test_a_history_of_nothing_is_refused(subject):
    with pytest.raises(ArgumentError, match="training history"):
        html(subject)
