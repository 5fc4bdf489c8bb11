"""The product of norms bounds what outputs do, and decay lowers both; each part broken on purpose is seen."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from shrinkage.claims import ClaimBroken  # noqa: E402
from shrinkage.claims import _lipschitz as claim  # noqa: E402
from shrinkage.claims._small_nets import digits, mlp  # noqa: E402


@pytest.fixture(scope="module")
def record(quick):
    return quick(claim.CLAIM)


def test_the_quick_measurement_shows_the_claim(record):
    claim.CLAIM.check(record)
    assert 3 <= len(claim.CLAIM.lines(record)) <= 8


def test_the_product_of_matrices_is_the_jacobian_that_torch_derives():
    model, X = mlp(64, 9, 7, 10, dtype="float64", seed=1), digits("float64").X_test[:4]
    derived = torch.stack([torch.autograd.functional.jacobian(model, row) for row in X])
    assert claim.jacobian_norm(model, X) == pytest.approx(float(torch.linalg.matrix_norm(derived, 2).max()), rel=1e-12)


def test_the_mean_of_norms_in_place_of_the_product_is_no_bound(record, monkeypatch):
    largest = claim.bound_of
    monkeypatch.setattr(claim, "bound_of", lambda model: largest(model) ** (1 / 3))
    with pytest.raises(ClaimBroken, match="no output may move by more"):
        claim.check(replace(record, rows=(claim.sensitivity(digits(), 0.0, 1, 3), *record.rows[1:])))


def test_the_decay_left_out_breaks_the_claim(record):
    with pytest.raises(ClaimBroken, match="decay must lower norm"):
        claim.check(replace(record, rows=(record.free, replace(record.free, strength=0.01))))


@pytest.mark.parametrize("name", ["bound", "measured", "moved"])
def test_each_measure_that_decay_does_not_lower_breaks_the_claim(record, name):
    decayed = replace(record.decayed, **{name: getattr(record.free, name)}, largest_share=1.0)
    with pytest.raises(ClaimBroken, match=f"decay must lower {name}"):
        claim.check(replace(record, rows=(record.free, decayed)))


def test_outputs_that_do_not_follow_the_weights_break_the_claim(record):
    with pytest.raises(ClaimBroken, match="8 times as far"):
        claim.check(replace(record, scaled_moved=2.0))
    with pytest.raises(ClaimBroken, match="must not matter for outputs"):
        claim.check(replace(record, normed_change=0.9))


def test_decay_that_ruins_the_network_breaks_the_claim(record):
    ruined = replace(record.decayed, accuracy=0.1)
    with pytest.raises(ClaimBroken, match=r"must leave a network that is right; it went from .* to 10\.0%"):
        claim.check(replace(record, rows=(record.free, *([ruined] * (len(record.rows) - 1)))))
