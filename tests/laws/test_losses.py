"""What every loss obeys."""

import numpy as np
import pytest
from cases import ARRAY_LIBRARIES, LOSSES, MORE_LOSSES, array_library, back, convert
from hypothesis import assume, given
from hypothesis import strategies as st

every_loss = pytest.mark.parametrize("loss", LOSSES + MORE_LOSSES)
eta_range = st.floats(-30, 30)
a_response = st.sampled_from([0.0, 1.0, 2.5, 40.0])


def taken(loss, y):
    """The response of `a_response` that a loss can take: 0 and 1 for classes, positive for the gamma."""
    if loss.name == "logistic":
        return min(y, 1.0)
    return max(y, 0.25) if loss.name == "gamma" else y


@every_loss
@given(y=a_response, eta=eta_range)
def test_the_gradient_is_the_difference_of_the_value(loss, y, eta):
    h, y = 1e-5, taken(loss, y)
    up, down = loss.value(y, np.array([eta + h, eta - h]))
    one, other = loss.curvature(y, np.array([eta + h, eta - h]))
    assume(other / 2 <= one <= 2 * other or one + other < 1e-6)  # not where a straight part begins
    assert (up - down) / (2 * h) == pytest.approx(float(loss.gradient(y, eta)), rel=1e-6, abs=1e-8 + 1e-10 * up)


@every_loss
@given(y=a_response, eta=eta_range)
def test_the_curvature_is_the_difference_of_the_gradient(loss, y, eta):
    h, y = 1e-5, taken(loss, y)
    up, down = loss.gradient(y, np.array([eta + h, eta - h]))
    one, other = loss.curvature(y, np.array([eta + h, eta - h]))
    assume(other / 2 <= one <= 2 * other or one + other < 1e-6)  # not where a straight part begins
    curvature = float(loss.curvature(y, np.asarray(eta)))
    assert curvature >= 0
    assert (up - down) / (2 * h) == pytest.approx(curvature, rel=1e-6, abs=1e-8 + 1e-10 * abs(up))


@every_loss
@given(y=a_response, eta=eta_range, at=eta_range)
def test_value_and_conjugate_obey_fenchel_and_young(loss, y, eta, at):
    y = taken(loss, y)
    u = loss.gradient(y, np.asarray(at))
    low, high = loss.slope_bounds(np.asarray(y))
    assert low <= u <= high
    conjugate = float(loss.conjugate(y, u))
    assert np.isfinite(conjugate)
    scale = 1 + abs(conjugate) + abs(float(u) * eta) + float(loss.value(y, np.asarray(eta)))
    assert float(loss.value(y, np.asarray(eta))) + conjugate - float(u) * eta >= -1e-14 * scale
    equality = float(loss.value(y, np.asarray(at))) + conjugate - float(u) * at
    assert equality == pytest.approx(0, abs=1e-12 * (1 + at * at + abs(conjugate) + abs(float(u) * at)))


@every_loss
@given(y=a_response, one=eta_range, other=eta_range, share=st.floats(0, 1))
def test_the_value_is_convex_and_not_negative(loss, y, one, other, share):
    y, between = taken(loss, y), share * one + (1 - share) * other
    one, other, between = loss.value(y, np.array([one, other, between]))
    assert between <= (share * one + (1 - share) * other) * (1 + 1e-12) + 1e-10
    assert min(one, other) >= 0


@every_loss
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_everything_is_finite_far_out(loss, y):
    y, eta = taken(loss, y), np.array([-1e3, -745.2, -40.0, 40.0, 709.8, 1e3])
    for name in ("value", "gradient", "curvature", "deviance"):
        assert np.isfinite(getattr(loss, name)(y, eta)).all(), name
    assert np.isfinite(loss.inverse_link(eta)).all()
    assert np.isfinite(loss.conjugate(y, loss.gradient(y, eta))).all()


@pytest.mark.parametrize("loss", [*LOSSES, MORE_LOSSES[0]])
@given(y=a_response, eta=eta_range)
def test_the_gradient_is_the_mean_response_minus_the_response(loss, y, eta):
    y = taken(loss, y)
    residual = float(loss.inverse_link(np.asarray(eta))) - y
    assert float(loss.gradient(y, np.asarray(eta))) == pytest.approx(residual, rel=1e-13, abs=1e-14 * (1 + y))


@every_loss
@given(y=a_response, eta=eta_range)
def test_the_deviance_is_twice_the_value_over_its_least(loss, y, eta):
    y = taken(loss, y)
    assert float(loss.deviance(y, np.asarray(eta))) == pytest.approx(2 * float(loss.value(y, np.asarray(eta))))


@every_loss
@pytest.mark.parametrize("library", ARRAY_LIBRARIES)
def test_every_array_library_agrees(loss, library):
    xp = array_library(library)
    y = np.array([taken(loss, y) for y in (0.0, 1.0, 2.5, 0.0, 40.0)])
    eta = np.array([-500.0, -2.0, 0.0, 3.0, 45.0])
    for name in ("value", "gradient", "curvature", "deviance"):
        answer = getattr(loss, name)(convert(y, xp), convert(eta, xp))
        assert np.allclose(back(answer), getattr(loss, name)(y, eta), rtol=1e-13, atol=0), name
    u = loss.gradient(y, eta)
    assert np.allclose(back(loss.conjugate(convert(y, xp), convert(u, xp))), loss.conjugate(y, u), rtol=1e-12)
    assert np.allclose(back(loss.inverse_link(convert(eta, xp))), loss.inverse_link(eta), rtol=1e-14, atol=0)
    loss.check(convert(y, xp))


@every_loss
def test_columns_of_linear_predictors_share_one_response(loss):
    y = np.array([taken(loss, y) for y in (0.0, 1.0, 2.5)])
    eta = np.arange(6.0).reshape(3, 2) - 2
    for name in ("value", "gradient", "curvature", "deviance"):
        together = getattr(loss, name)(y[:, None], eta)
        assert np.array_equal(together, np.stack([getattr(loss, name)(y, column) for column in eta.T], axis=1))
