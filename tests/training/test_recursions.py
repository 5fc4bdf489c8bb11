"""The lengths of steps are what the optimizers' own recursions give under one gradient at every step."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkage.training import (
    adagrad_scale,
    adam_corrections,
    decay_factor,
    momentum_scale,
    nadam_scale,
    radam_scale,
    steady_scale,
    step_scale,
)

fraction = st.floats(0.0, 0.95)
count = st.integers(1, 60)
close = pytest.approx


@given(schedule=st.lists(fraction, min_size=1, max_size=30), dampening=fraction, g=st.floats(0.1, 10.0))
def test_the_momentum_scale_is_the_buffer_over_the_gradient_whatever_the_schedule(schedule, dampening, g):
    buffer = scale = None
    for momentum in schedule:
        buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
        scale = momentum_scale(scale, momentum, dampening)
        assert scale * g == close(buffer, rel=1e-12)
        assert step_scale(scale, momentum, False) * g == close(buffer, rel=1e-12)
        assert step_scale(scale, momentum, True) * g == close(g + momentum * buffer, rel=1e-12)


@given(momentum=fraction, dampening=fraction)
def test_the_steady_scale_is_where_the_recursion_rests_and_where_it_goes(momentum, dampening):
    steady = steady_scale(momentum, dampening)
    assert momentum_scale(steady, momentum, dampening) == close(steady, rel=1e-12)
    scale = None
    for _ in range(800):
        scale = momentum_scale(scale, momentum, dampening)
    assert scale == close(steady, rel=1e-9)


def test_momentum_that_forgets_nothing_has_no_steady_scale_and_gets_one():
    assert steady_scale(1.0, 0.3) == 1.0


@given(beta1=fraction, beta2=st.floats(0.0, 0.999), t=count, g=st.floats(0.1, 10.0))
def test_adams_corrections_make_averages_of_one_gradient_that_gradient(beta1, beta2, t, g):
    m = v = 0.0
    for _ in range(t):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    first, second = adam_corrections(t, beta1, beta2)
    assert m / first == close(g, rel=1e-9)
    assert v**0.5 / second == close(g, rel=1e-9)


@given(beta1=st.floats(0.0, 0.99), momentum_decay=st.floats(0.0, 1.0), t=count, g=st.floats(0.1, 10.0))
def test_nadams_scale_is_its_look_ahead_over_the_gradient(beta1, momentum_decay, t, g):
    def mu(k):
        return beta1 * (1 - 0.5 * 0.96 ** (k * momentum_decay))

    m, product = 0.0, 1.0
    for k in range(1, t + 1):
        m, product = beta1 * m + (1 - beta1) * g, product * mu(k)
    ahead = (1 - mu(t)) * g / (1 - product) + mu(t + 1) * m / (1 - product * mu(t + 1))
    assert nadam_scale(t, product, beta1, momentum_decay) * g == close(ahead, rel=1e-9)


@given(beta1=st.floats(0.0, 0.99), momentum_decay=st.floats(0.0, 1.0))
def test_in_the_long_run_nadam_moves_by_the_gradient(beta1, momentum_decay):
    # u_{t+1} - u_t is all that is left: β₁ ½ 0.96^(tψ) (1 - 0.96^ψ), at most 1 / (2 e t) whatever ψ
    t = 10**7
    assert abs(nadam_scale(t, 0.0, beta1, momentum_decay) - 1.0) <= 1 / (2 * math.e * t) + 1e-12


@given(beta2=st.floats(0.0, 0.9999), t=st.integers(1, 3000))
def test_radam_is_rectified_where_its_average_is_long_enough(beta2, t):
    # The simple average with the same center of mass as t exponential weights has length ρ (Liu et al., § 4.2).
    weights = [beta2 ** (t - 1 - k) for k in range(t)] if t < 400 else None
    scale = radam_scale(t, beta2)
    assert 0 <= scale <= 1
    if weights is not None:
        center = sum(w * (t - k) for k, w in enumerate(weights)) / sum(weights)
        length = 2 * center - 1
        if abs(length - 5) > 1e-6:
            assert (scale > 0) == (length > 5)


def test_radams_rectification_grows_to_one():
    scales = [radam_scale(t, 0.999) for t in range(1, 20000, 7)]
    assert scales == sorted(scales)
    assert radam_scale(10**6, 0.999) == close(1.0, rel=1e-12)
    assert radam_scale(10**6, 0.6) == 0  # its averages never get longer than 4


@given(lr_decay=st.floats(0.0, 1.0))
def test_adagrads_first_step_is_whole_and_the_tenth_is_shorter_by_nine_decays(lr_decay):
    assert adagrad_scale(1, lr_decay) == 1
    assert 1 / adagrad_scale(10, lr_decay) == close(1 + 9 * lr_decay, rel=1e-12)


@given(lr=st.floats(1e-6, 1.0), decay=st.floats(0.0, 0.5), more=st.floats(1.0, 100.0))
def test_independent_decay_follows_the_schedule_and_not_the_base(lr, decay, more):
    assert decay_factor(lr, decay, "lr", more * lr) == close(1 - lr * decay)
    assert decay_factor(lr, decay, "independent", more * lr) == close(1 - decay / more)
