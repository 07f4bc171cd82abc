"""JSON has neither NaN nor infinity: null stands for them, however deep."""

import json
import math

from locoexport.machine.writing.documents import finite


def test_what_is_not_finite_is_null_at_any_depth() -> None:
    document = {"a": math.nan, "b": [1.5, -math.inf, {"c": (math.inf, "nan", None, True)}], "d": 0}
    assert finite(document) == {
        "a": None,
        "b": [1.5, None, {"c": [None, "nan", None, True]}],
        "d": 0,
    }
    json.dumps(finite(document), allow_nan=False)
