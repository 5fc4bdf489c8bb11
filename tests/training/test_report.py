"""Records of reports: sums over parameters, text that fits, what is said when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkage.training import DecayReport, DecayRow, Report, ReportRow, alarms_of, together
from shrinkage.training._tables import Column, share_text, shorten, text_table, wrap


def row(name="w", size=100, zeros=0, **known):
    return ReportRow(
        name, (10, size // 10), "float32", known.pop("role", "linear"), "rule", size, zeros, **{"norm": 1.0} | known
    )


def test_together_counts_add_and_norms_add_by_their_squares():
    both = together(
        "all", [row(zeros=10, norm=3.0, penalty_step=3.0), row(size=300, zeros=90, norm=4.0, penalty_step=4.0)]
    )
    assert (both.size, both.zeros, both.zero_share) == (400, 100, 0.25)
    assert both.norm == pytest.approx(5.0)
    assert both.penalty_step == pytest.approx(5.0)


def test_together_residuals_are_the_worst_and_the_mean_over_weights():
    both = together(
        "all", [row(zeros=90, kkt_zero=0.5, kkt_nonzero=1.0), row(zeros=60, kkt_zero=0.9, kkt_nonzero=2.0), row()]
    )
    assert both.kkt_zero == 0.9
    assert both.kkt_nonzero == pytest.approx((10 * 1.0 + 40 * 2.0) / 50)


def test_what_is_not_known_of_any_stays_unknown_together():
    both = together("all", [row(), row()])
    assert (both.kkt_zero, both.penalty_step, both.lost, both.norm_change) == (None, None, None, None)


def test_together_a_change_is_that_of_the_joint_norm():
    one, two = row(norm=3.0, norm_change=-0.5), row(norm=8.0, norm_change=0.0)
    assert together("all", [one, two]).norm_change == pytest.approx(73**0.5 / (36 + 64) ** 0.5 - 1)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_removable_weights_are_those_outside_the_smaller_layer(rows, columns, data):
    zero_rows, zero_columns = data.draw(st.integers(0, rows)), data.draw(st.integers(0, columns))
    record = ReportRow(
        "w", (rows, columns, 3), "float32", "conv", "", rows * columns * 3, 0, 1.0, rows=rows, columns=columns,
        zero_rows=zero_rows, zero_columns=zero_columns,
    )  # fmt: skip
    table = [(i, j) for i in range(rows) for j in range(columns)]
    assert record.removable == 3 * sum(i < zero_rows or j < zero_columns for i, j in table)


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ({"zeros": 100, "penalty": "L1"}, "collapse"),
        ({"zeros": 50, "penalty": "L1", "neurons": 10, "dead_neurons": 9}, "dead neurons"),
        ({"penalty": "L1", "lost": 60}, "rounding"),
        ({"penalty": "L1", "cosine": 1e-6, "cosine_limit": 1e-5}, "scale invariance"),
        ({"zeros": 60, "rows": 10, "zero_rows": 0, "columns": 10, "zero_columns": 0}, "no speed-up"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_alarm_names_the_parameter_the_number_and_its_limit(known, kind):
    record = row(**known)
    found = [alarm for alarm in alarms_of([record], together("total", [record])) if alarm.kind == kind]
    assert len(found) == 1
    assert "limit" in found[0].sentence or kind == "collapse"
    assert found[0].sentence.endswith(".")


def test_healthy_rows_raise_no_alarm():
    healthy = row(
        zeros=60, penalty="L1", rows=10, zero_rows=5, columns=10, zero_columns=0, neurons=10, dead_neurons=5, lost=3,
        cosine=0.2, cosine_limit=1e-3,
    )  # fmt: skip
    assert alarms_of([healthy], together("total", [healthy])) == ()


@given(st.text(min_size=1, max_size=60), st.integers(2, 40))
def test_a_shortened_text_fits_and_keeps_both_ends(text, width):
    short = shorten(text, width)
    assert len(short) == min(len(text), width)
    assert short[-1] == text[-1]
    if len(text) > width > 2:
        assert short[0] == text[0]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=14), st.integers(60, 120))
def test_a_table_fits_its_width_and_keeps_what_matters_most(widths, width):
    columns = [Column("name", ("x" * 90,), left=True)]
    columns += [Column("h", ("y" * w,), keep=k) for k, w in enumerate(widths)]
    lines = text_table(columns, width).splitlines()
    widest = max(widths)
    if widest + 10 <= width:
        assert max(map(len, lines)) <= width
    assert "y" * widths[-1] in lines[2]


def test_a_column_that_says_nothing_is_left_out():
    assert "empty" not in text_table([Column("name", ("a",)), Column("empty", ("-",)), Column("full", ("1",))])


@given(st.floats(0, 1))
def test_a_share_reads_as_all_or_nothing_only_where_it_is(share):
    assert (share_text(share) in ("0 %", "100 %")) == (share in (0.0, 1.0))


@given(st.lists(st.text("ab", min_size=1, max_size=9), max_size=60).map(" ".join), st.integers(20, 80))
def test_wrapped_sentences_keep_their_words(text, width):
    wrapped = wrap(text, width)
    assert wrapped.split() == text.split()
    assert all(len(line) <= width for line in wrapped.splitlines())


def test_a_long_report_folds_what_is_free_and_dense():
    rows = [row(f"free {k}") for k in range(60)] + [row("penalized", penalty="L1"), row("sparse", zeros=1)]
    text = str(Report(tuple(rows)))
    assert "penalized" in text
    assert "sparse" in text
    assert "free 7" not in text
    assert "60 free parameters" in text
    assert "free 7" in str(Report(tuple(rows[:10])))


def test_numbers_that_json_lacks_become_null():
    still = DecayRow(
        "w", (2, 2), "float32", "linear", "", 4, group=0, how="none", quantiles=(0.0,) * 5, timescale=float("inf")
    )
    assert '"timescale": null' in DecayReport((still,)).to_json()
    assert DecayReport((still,)).scalars() == {"alarms": 0.0, "decay/w": 0.0}
