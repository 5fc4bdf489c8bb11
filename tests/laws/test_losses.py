"""What every loss obeys."""

import numpy as np
import pytest
from cases import ARRAY_LIBRARIES, LOSSES, array_library, back, convert
from hypothesis import given
from hypothesis import strategies as st

every_loss = pytest.mark.parametrize("loss", LOSSES)
eta_range = st.floats(-30, 30)
a_response = st.sampled_from([0.0, 1.0])


@every_loss
@given(y=a_response, eta=eta_range)
def test_the_gradient_is_the_difference_of_the_value(loss, y, eta):
    h = 1e-5
    up, down = loss.value(y, np.array([eta + h, eta - h]))
    assert (up - down) / (2 * h) == pytest.approx(float(loss.gradient(y, eta)), rel=1e-6, abs=1e-8)


@every_loss
@given(y=a_response, eta=eta_range)
def test_the_curvature_is_the_difference_of_the_gradient(loss, y, eta):
    h = 1e-5
    up, down = loss.gradient(y, np.array([eta + h, eta - h]))
    curvature = float(loss.curvature(y, np.asarray(eta)))
    assert curvature >= 0
    assert (up - down) / (2 * h) == pytest.approx(curvature, rel=1e-6, abs=1e-8)


@every_loss
@given(y=a_response, eta=eta_range, at=eta_range)
def test_value_and_conjugate_obey_fenchel_and_young(loss, y, eta, at):
    u = loss.gradient(y, np.asarray(at))
    conjugate = float(loss.conjugate(y, u))
    assert np.isfinite(conjugate)
    scale = 1 + abs(conjugate) + abs(float(u) * eta) + float(loss.value(y, np.asarray(eta)))
    assert float(loss.value(y, np.asarray(eta))) + conjugate - float(u) * eta >= -1e-14 * scale
    equality = float(loss.value(y, np.asarray(at))) + conjugate - float(u) * at
    assert equality == pytest.approx(0, abs=1e-12 * (1 + at * at))


@every_loss
@given(y=a_response, one=eta_range, other=eta_range, share=st.floats(0, 1))
def test_the_value_is_convex_and_not_negative(loss, y, one, other, share):
    between = share * one + (1 - share) * other
    one, other, between = loss.value(y, np.array([one, other, between]))
    assert between <= share * one + (1 - share) * other + 1e-10
    assert min(one, other) >= 0


@every_loss
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_everything_is_finite_far_out(loss, y):
    eta = np.array([-1e3, -745.2, -40.0, 40.0, 709.8, 1e3])
    for name in ("value", "gradient", "curvature", "deviance"):
        assert np.isfinite(getattr(loss, name)(y, eta)).all(), name
    assert np.isfinite(loss.inverse_link(eta)).all()
    assert np.isfinite(loss.conjugate(y, loss.gradient(y, eta))).all()


@every_loss
@given(y=a_response, eta=eta_range)
def test_the_gradient_is_the_mean_response_minus_the_response(loss, y, eta):
    residual = float(loss.inverse_link(np.asarray(eta))) - y
    assert float(loss.gradient(y, np.asarray(eta))) == pytest.approx(residual, abs=1e-14)


@every_loss
@given(y=a_response, eta=eta_range)
def test_the_deviance_is_twice_the_value_over_its_least(loss, y, eta):
    assert float(loss.deviance(y, np.asarray(eta))) == pytest.approx(2 * float(loss.value(y, np.asarray(eta))))


@every_loss
@pytest.mark.parametrize("library", ARRAY_LIBRARIES)
def test_every_array_library_agrees(loss, library):
    xp = array_library(library)
    y = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    eta = np.array([-700.0, -2.0, 0.0, 3.0, 45.0])
    for name in ("value", "gradient", "curvature", "deviance"):
        answer = getattr(loss, name)(convert(y, xp), convert(eta, xp))
        assert np.allclose(back(answer), getattr(loss, name)(y, eta), rtol=1e-14, atol=0), name
    u = loss.gradient(y, eta)
    assert np.allclose(back(loss.conjugate(convert(y, xp), convert(u, xp))), loss.conjugate(y, u), rtol=1e-14)
    assert np.allclose(back(loss.inverse_link(convert(eta, xp))), loss.inverse_link(eta), rtol=1e-14, atol=0)
    loss.check(convert(y, xp))


@every_loss
def test_columns_of_linear_predictors_share_one_response(loss):
    y = np.array([0.0, 1.0, 1.0])
    eta = np.arange(6.0).reshape(3, 2) - 2
    for name in ("value", "gradient", "curvature", "deviance"):
        together = getattr(loss, name)(y[:, None], eta)
        assert np.array_equal(together, np.stack([getattr(loss, name)(y, column) for column in eta.T], axis=1))
