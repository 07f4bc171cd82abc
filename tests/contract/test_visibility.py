"""Visibility from logits, as the runtime and parity both take it."""

import numpy as np

from locoexport.contract.visibility import visible_from_logits


def test_visibility_is_the_published_formula() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (2, 500)).astype(np.float32)
    visible, confidence = visible_from_logits(*logits)
    sigmoid = 1 / (1 + np.exp(-logits.astype(np.float64)))
    product = (1 - sigmoid[0]) * (1 - sigmoid[1])
    np.testing.assert_allclose(confidence, product, atol=1e-7)
    np.testing.assert_array_equal(visible, 1 - product <= 0.5)
    assert confidence.dtype == np.float32
    assert visible.dtype == np.bool_
    assert 0 < visible.sum() < 500


def test_extreme_logits_do_not_overflow() -> None:
    occlusion = np.array([-1e4, 1e4, -1e4, np.inf, -np.inf, np.nan], np.float32)
    expected_dist = np.array([-1e4, -1e4, 3e38, 0, -np.inf, 0], np.float32)
    visible, confidence = visible_from_logits(occlusion, expected_dist)
    np.testing.assert_array_equal(visible, [True, False, False, False, True, False])
    np.testing.assert_array_equal(confidence, [1, 0, 0, 0, 1, np.nan])


def test_the_threshold_itself_is_visible() -> None:
    zero, minus = np.float32([0.0]), np.float32([-100.0])
    visible, confidence = visible_from_logits(zero, minus)
    assert confidence[0] == 0.5
    assert visible[0]
