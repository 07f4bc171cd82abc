"""What is not finite: gradients zeroed, steps that are given up on, weights that end a run."""

import pytest
import torch
from torch import nn

from locoexport.errors import TrainingFailedError
from locoexport.training.gradients import (
    PATIENCE,
    BrokenSteps,
    check_finite,
    find_broken,
    zero_broken,
)

NAN, INFINITY = float("nan"), float("inf")
KEPT = "The last good checkpoint is RUN/last.ckpt of step 3."


def with_gradients(*values: tuple[float, float]) -> nn.ParameterList:
    model = nn.ParameterList(nn.Parameter(torch.zeros(2)) for _ in values)
    for parameter, value in zip(model, values, strict=True):
        parameter.grad = torch.tensor(value)
    return model


@pytest.mark.parametrize("broken", [NAN, INFINITY, -INFINITY])
def test_a_broken_gradient_is_zeroed_and_the_others_stay(broken) -> None:
    model = with_gradients((1.0, broken), (2.0, -3.0))
    assert not zero_broken(model)
    assert [parameter.grad.tolist() for parameter in model] == [[0, 0], [2, -3]]


def test_all_broken_is_told() -> None:
    model = with_gradients((1.0, NAN), (INFINITY, 0.0))
    assert zero_broken(model)
    assert all(parameter.grad.eq(0).all() for parameter in model)


def test_gradients_that_are_zero_or_not_there_are_not_broken() -> None:
    model = with_gradients((0.0, 0.0), (1.0, 1.0))
    model[1].grad = None
    assert not zero_broken(model)
    assert not zero_broken(nn.Linear(1, 1))


def test_the_fifth_broken_step_in_a_row_ends_the_run() -> None:
    steps = BrokenSteps()
    for step in range(11, 10 + PATIENCE):
        warning = steps.add(True, step, ("a", "b"), KEPT)
        assert f"step {step} " in warning
        assert "batch: a, b" in warning
    with pytest.raises(TrainingFailedError) as failure:
        steps.add(True, 15, ("c", "d"), KEPT)
    assert failure.value.exit_code == 1
    for said in ("step 15", "c, d", "4 steps before", KEPT, "--learning-rate"):
        assert said in str(failure.value)


def test_one_good_step_forgives() -> None:
    steps = BrokenSteps()
    for step in range(3 * PATIENCE):
        steps.add(step % PATIENCE != 0, step, ("a",), KEPT)
    assert steps.in_a_row == PATIENCE - 1


def test_a_run_that_goes_on_remembers() -> None:
    with pytest.raises(TrainingFailedError):
        BrokenSteps(PATIENCE - 1).add(True, 8, ("a",), KEPT)


def test_the_first_lost_tensor_is_named_and_integers_are_left_out() -> None:
    tensors = [
        ("count", torch.tensor(3)),
        ("nothing", torch.empty(0)),
        ("mean", torch.ones(2)),
        ("variance", torch.tensor([1.0, INFINITY])),
        ("other", torch.tensor([NAN])),
    ]
    assert find_broken(tensors) == "variance"
    assert find_broken(tensors[:3]) is None
    with pytest.raises(TrainingFailedError, match=r"variance .* after step 7 \(batch: a\)"):
        check_finite(tensors, "after step 7", ("a",), KEPT)
    check_finite(tensors[:3], "after step 7", (), KEPT)
