"""The page is one file, says what the record says, and lets nothing from the data act."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from shrinkage._errors import ArgumentError
from shrinkage._path import cross_validate
from shrinkage.datasets import simulate_linear
from shrinkage.report import Candidate, Study, html

EVIL = "<script>alert('x')</script>&\"' $\\frac{"
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and whether every tag is closed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def study():
    data = simulate_linear(60, 8, n_nonzero=3, seed=3)
    both = [("l1", 1.0), ("elastic", 0.5)]
    cvs = [(name, cross_validate(data.X, data.y, cv=5, n_alphas=20, l1_ratio=ratio)) for name, ratio in both]
    return Study(
        title=EVIL,
        asked=((EVIL, EVIL),),
        data=(("Rows", "60"), ("Source", EVIL)),
        columns=((EVIL, "number", 3, "feature"),),
        candidates=tuple(Candidate(name, cv, "1se", 0.5) for name, cv in cvs),
        chosen=1,
        feature_names=tuple(f"{EVIL} {j}" for j in range(8)),
        scale=data.X.std(axis=0),
        tol=1e-6,
        call=f"shrinkage fit {EVIL}",
        notes=(EVIL,),
    )


@pytest.fixture(scope="module")
def page(study):
    return html(study)


def test_nothing_from_the_data_becomes_markup(page):
    parsed = Page(page)
    assert parsed.open == []
    assert "script" not in parsed.tags
    assert "<script" not in page
    assert sum(EVIL in text for text in parsed.text) >= 6
    assert [name for name, _ in parsed.attributes if name.startswith("on")] == []


def test_the_page_loads_nothing(page):
    parsed = Page(page)
    assert {"link", "iframe", "object", "embed"} & set(parsed.tags) == set()
    loading = [value for name, value in parsed.attributes if name in ("src", "href", "xlink:href", "srcset", "action")]
    assert [value for value in loading if not value.startswith(("#", "data:"))] == []
    assert re.findall(r"url\((?!['\"]?#)|@import", page) == []
    assert "default-src 'none'" in page


def test_the_same_study_gives_the_same_page(study, page):
    assert html(study) == page


def test_the_page_holds_the_numbers_of_the_record(study, page):
    text = " ".join(Page(page).text)
    best = study.winner
    assert best.error_text in text
    assert f"{best.alpha:.4g}" in text
    assert f"{best.largest_gap:.1e}" in text
    for _, coef, effect in study.strongest():
        assert f"{coef:.5g}" in text
        assert f"{effect:+.4g}" in text
    assert "shrinkage fit" in text
    assert page.count("<svg") == 4


def test_coefficients_are_sorted_by_their_effect_and_zeros_are_left_out(study):
    effects = [abs(effect) for _, _, effect in study.strongest()]
    assert effects == sorted(effects, reverse=True)
    assert len(effects) == np.count_nonzero(study.winner.coef)


def test_a_miss_of_the_tolerance_is_said(study):
    strict = replace(study, tol=0.0)
    assert not strict.converged
    assert "missed the tolerance" in html(strict)
    assert "Every fit is certified" in html(study)


def test_explained_is_zero_for_the_null_model_and_one_without_error(study):
    cv = study.winner.cv
    null = replace(cv, mean=np.full_like(cv.mean, 2 * cv.path.null_objective))
    assert replace(study.winner, cv=null).explained == pytest.approx(0.0)
    assert replace(study.winner, cv=replace(cv, mean=np.zeros_like(cv.mean))).explained == 1.0


def test_the_error_and_its_standard_error_have_the_same_digits(study):
    cv = study.winner.cv
    cases = [(3113.4, 154.2, "3113 ± 154"), (0.18012, 0.02712, "0.180 ± 0.027"), (2.0, 1.26, "2.0 ± 1.3")]
    for mean, se, text in cases:
        shown = replace(cv, mean=np.full_like(cv.mean, mean), se=np.full_like(cv.se, se))
        assert replace(study.winner, cv=shown).error_text == text


@pytest.mark.parametrize("part", ["path", "cv"])
def test_a_path_and_a_cross_validation_have_a_page_too(study, part):
    cv = study.winner.cv
    page = html(cv if part == "cv" else cv.path, title=EVIL)
    parsed = Page(page)
    assert parsed.open == []
    assert "script" not in parsed.tags
    assert page.count("<svg") == (2 if part == "cv" else 1)


@pytest.mark.parametrize("subject", [3, None, "page"])
def test_what_has_no_page_is_named(subject):
    with pytest.raises(ArgumentError, match=r"^subject must be"):
        html(subject)
