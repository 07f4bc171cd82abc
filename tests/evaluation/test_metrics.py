"""Scores against cases worked by hand, and against the definition written out in loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import locoexport
from locoexport.errors import InputError, UsageError

NAMES = {
    "occlusion_accuracy",
    "average_jaccard",
    "average_pts_within_thresh",
    *(f"{kind}_{x}" for kind in ("pts_within", "jaccard") for x in (1, 2, 4, 8, 16)),
}


def score(mode: str, at: float, gt_occluded, pred_occluded, errors, **changes) -> dict[str, float]:
    """One point of one video; ``errors`` are how far it is off along x, frame by frame."""
    frames = len(errors)
    truth = np.full((1, 1, frames, 2), 100.0)
    answer = truth + np.stack((np.array(errors, float), np.zeros(frames)), -1)
    metrics = locoexport.tapvid_metrics(
        np.array([[[at, 100.0, 100.0]]]),
        np.array([[gt_occluded]], bool),
        truth,
        np.array([[pred_occluded]], bool),
        answer,
        mode,
    )
    assert metrics.keys() == NAMES
    assert all(value.shape == (1,) for value in metrics.values())
    return {name: float(value[0]) for name, value in metrics.items()}


def test_later_frames_only_in_mode_first() -> None:
    # Frame 0 is far off, but the query lies in frame 1: frames 2 and 3 count.
    found = score("first", 1, [0, 0, 0, 0], [0, 0, 0, 0], [50, 0, 0.5, 3])
    assert found["pts_within_1"] == 0.5
    assert found["pts_within_2"] == 0.5
    assert found["pts_within_4"] == found["pts_within_16"] == 1
    assert found["average_pts_within_thresh"] == pytest.approx((0.5 + 0.5 + 1 + 1 + 1) / 5)
    # J at 1 px: 1 hit, 2 really visible, and 1 said visible in the wrong place.
    assert found["jaccard_1"] == pytest.approx(1 / 3)
    assert found["jaccard_4"] == 1
    assert found["average_jaccard"] == pytest.approx((1 / 3 + 1 / 3 + 3) / 5)
    assert found["occlusion_accuracy"] == 1


def test_every_other_frame_in_mode_strided() -> None:
    found = score("strided", 1, [0, 0, 0, 0], [0, 0, 0, 0], [50, 50, 0.5, 3])
    assert found["pts_within_1"] == pytest.approx(1 / 3)
    assert found["pts_within_16"] == pytest.approx(2 / 3)
    # 2 hits of 3 visible, 1 said visible in the wrong place.
    assert found["jaccard_16"] == pytest.approx(2 / 4)


def test_a_threshold_itself_is_not_within() -> None:
    found = score("first", 0, [0, 0, 0], [0, 0, 0], [0, 4, 3.999])
    assert (found["pts_within_2"], found["pts_within_4"], found["pts_within_8"]) == (0, 0.5, 1)


def test_occlusion_enters_jaccard_and_accuracy_but_not_the_share_within() -> None:
    # Frames 1-4: hidden and said so; hidden, said visible; visible, said hidden; both visible.
    found = score("first", 0, [0, 1, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0])
    assert found["occlusion_accuracy"] == 0.5
    assert found["pts_within_1"] == 1  # of the two visible frames
    assert found["jaccard_1"] == pytest.approx(1 / (2 + 1))


def test_halves_of_query_frames_round_to_even() -> None:
    errors = [0, 0, 9, 0]
    assert score("first", 0.5, [0] * 4, [0] * 4, errors)["pts_within_1"] == pytest.approx(2 / 3)
    assert score("first", 1.5, [0] * 4, [0] * 4, errors)["pts_within_1"] == 1


def test_nothing_to_score_is_nan_and_no_warning() -> None:
    found = score("first", 2, [0, 0, 0], [0, 0, 0], [0, 0, 0])
    assert all(np.isnan(value) for value in found.values())
    hidden = score("first", 0, [0, 1, 1], [0, 1, 1], [0, 0, 0])
    assert hidden["occlusion_accuracy"] == 1
    assert np.isnan(hidden["average_jaccard"])
    assert np.isnan(hidden["pts_within_1"])


def test_a_nan_prediction_is_within_nothing() -> None:
    found = score("first", 0, [0, 0, 0], [0, 0, 0], [0, np.nan, 0])
    assert found["pts_within_16"] == 0.5


def test_videos_are_scored_apart() -> None:
    truth = np.zeros((2, 1, 3, 2))
    answer = truth + np.array([0.0, 10.0])[:, None, None, None]
    hidden = np.zeros((2, 1, 3), bool)
    found = locoexport.tapvid_metrics(np.zeros((2, 1, 3)), hidden, truth, hidden, answer, "first")
    np.testing.assert_array_equal(found["average_jaccard"], [1, found["average_jaccard"][1]])
    # sqrt(200) = 14.1 px: within 16 alone.
    assert found["average_pts_within_thresh"][1] == pytest.approx(1 / 5)


def test_float32_is_compared_as_float32() -> None:
    """As the published evaluator: a distance that float32 rounds to the threshold is not within."""
    truth = np.zeros((1, 1, 2, 2), np.float32)
    answer = truth.copy()
    # Its square is 16 - 3e-7, which is 16 in float32.
    answer[0, 0, 1] = (np.nextafter(np.float32(4), np.float32(0)), np.sqrt(1.6e-6))
    hidden, query = np.zeros((1, 1, 2), bool), np.zeros((1, 1, 3))
    found = locoexport.tapvid_metrics(query, hidden, truth, hidden, answer, "first")
    assert found["pts_within_4"][0] == 0
    precise = answer.astype(np.float64)
    found = locoexport.tapvid_metrics(query, hidden, truth, hidden, precise, "first")
    assert found["pts_within_4"][0] == 1


@pytest.mark.parametrize("wrong", range(5))
def test_shapes_that_do_not_fit(wrong: int) -> None:
    arrays = [
        np.zeros((2, 3, 3)),
        np.zeros((2, 3, 4)),
        np.zeros((2, 3, 4, 2)),
        np.zeros((2, 3, 4)),
        np.zeros((2, 3, 4, 2)),
    ]
    arrays[wrong] = arrays[wrong][:, :2]
    with pytest.raises(InputError, match=r"Expected query_points \(b, n, 3\)"):
        locoexport.tapvid_metrics(*arrays, "first")


def test_queries_outside_the_frames_and_unknown_modes() -> None:
    hidden, tracks = np.zeros((1, 1, 2)), np.zeros((1, 1, 2, 2))
    for at in (-1, 2, np.nan):
        query = np.array([[[at, 0, 0]]])
        with pytest.raises(InputError, match="but the frames are 0 to 1"):
            locoexport.tapvid_metrics(query, hidden, tracks, hidden, tracks, "first")
    with pytest.raises(UsageError, match="no query mode 'last'; expected first or strided"):
        locoexport.tapvid_metrics(np.zeros((1, 1, 3)), hidden, tracks, hidden, tracks, "last")
    with pytest.raises(UsageError, match="no query mode 'last'"):
        locoexport.sample_queries(hidden[0], tracks[0], "last")


def by_the_definition(queries, gt_occluded, truth, pred_occluded, answer, mode) -> dict:
    """Points counted one by one, one video."""
    counts = dict.fromkeys(("scored", "right", "visible"), 0)
    hits = dict.fromkeys((1, 2, 4, 8, 16), 0)
    near = dict.fromkeys(hits, 0)
    false = dict.fromkeys(hits, 0)
    for n in range(truth.shape[0]):
        for t in range(truth.shape[1]):
            if (t <= queries[n, 0]) if mode == "first" else (t == queries[n, 0]):
                continue
            seen, said = not gt_occluded[n, t], not pred_occluded[n, t]
            distance = np.hypot(*(answer[n, t] - truth[n, t]))
            counts["scored"] += 1
            counts["right"] += seen == said
            counts["visible"] += seen
            for x in hits:
                near[x] += seen and distance < x
                hits[x] += seen and said and distance < x
                false[x] += said and not (seen and distance < x)
    with np.errstate(invalid="ignore"):
        return {
            "occlusion_accuracy": np.float64(counts["right"]) / counts["scored"],
            **{f"pts_within_{x}": np.float64(near[x]) / counts["visible"] for x in near},
            **{f"jaccard_{x}": np.float64(hits[x]) / (counts["visible"] + false[x]) for x in hits},
        }


@given(seed=st.integers(0, 2**32 - 1), mode=st.sampled_from(["first", "strided"]))
def test_any_case_agrees_with_the_definition(seed: int, mode: str) -> None:
    random = np.random.default_rng(seed)
    points, frames = random.integers(1, 6, 2)
    queries = np.concatenate(
        (random.integers(0, frames, (points, 1)), random.uniform(0, 256, (points, 2))), axis=1
    )
    truth = random.uniform(0, 256, (points, frames, 2))
    answer = truth + random.normal(0, random.uniform(0.5, 12), truth.shape)
    gt_occluded, pred_occluded = random.random((2, points, frames)) < 0.4
    arrays = (queries, gt_occluded, truth, pred_occluded, answer)
    found = locoexport.tapvid_metrics(*(array[None] for array in arrays), mode)
    if mode == "first" and (queries[:, 0] == frames - 1).all():
        assert np.isnan(found["occlusion_accuracy"][0])
        return
    if frames == 1:
        return
    for name, value in by_the_definition(*arrays, mode).items():
        np.testing.assert_allclose(found[name][0], value, atol=1e-12, err_msg=name)
