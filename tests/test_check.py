"""The checks of arguments: what passes, what is refused, and the sentence."""

import numpy as np
import pytest

from shrinkage import _check
from shrinkage._arrays import namespace_of
from shrinkage._errors import ArgumentError


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (_check.check_nonnegative, 0),
        (_check.check_nonnegative, np.float32(2.0)),
        (_check.check_nonnegative, np.array([0, 1])),
        (_check.check_positive, 1e-300),
        (_check.check_fraction, 0),
        (_check.check_fraction, np.float64(1.0)),
        (_check.check_positive_int, np.int64(3)),
        (_check.check_boolean, np.True_),
    ],
)
def test_what_is_right_passes(check, value):
    check("argument", value)


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (_check.check_positive, 0.0, r"argument must be > 0 and finite; got 0\.0"),
        (_check.check_positive, True, "argument must be > 0 and finite; got True"),
        (_check.check_positive_int, 0, "argument must be a whole number >= 1; got 0"),
        (_check.check_positive_int, 2.0, r"argument must be a whole number >= 1; got 2\.0"),
        (_check.check_boolean, 1, "argument must be True or False; got 1"),
        (_check.check_fraction, 2, "argument must be between 0 and 1; got 2"),
    ],
)
def test_what_is_wrong_is_named(check, value, message):
    with pytest.raises(ArgumentError, match=message):
        check("argument", value)


def test_a_word_must_be_one_of_the_choices():
    _check.check_choice("rule", "min", ("min", "1se"))
    with pytest.raises(ArgumentError, match="rule must be one of 'min', '1se'; got 'max'"):
        _check.check_choice("rule", "max", ("min", "1se"))


def test_vectors_are_float64_finite_and_of_the_right_length():
    given = np.ones(3)
    assert _check.finite_vector("offset", given, 3) is given
    assert _check.finite_vector("offset", [1, 2, 3], 3).dtype == np.float64
    for value, message in (
        (np.ones(2), r"offset must have shape \(3,\); got \(2,\)"),
        ([0, np.nan, 0], "offset must be finite; position 1 is nan"),
        (["a", "b", "c"], "offset must hold real numbers"),
    ):
        with pytest.raises(ArgumentError, match=message):
            _check.finite_vector("offset", value, 3)


def test_weights_are_not_negative_and_not_all_zero():
    for value, message in (([1, -1], r"position 1 is -1\.0"), ([0, 0], "all are zero")):
        with pytest.raises(ArgumentError, match=message):
            _check.weight_vector("sample_weight", value, 2)
    assert _check.weight_vector("sample_weight", [0, 2], 2).tolist() == [0, 2]


def test_numbers_belong_to_every_library_and_lists_to_none():
    assert namespace_of(1.0, None, np.ones(2)).__name__ == "array_api_compat.numpy"
    assert namespace_of(0.5).__name__ == "array_api_compat.numpy"
    with pytest.raises(TypeError):
        namespace_of([1.0])
