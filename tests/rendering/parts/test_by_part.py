"""Values of parts, as JSON."""

from locoexport.inspection.parts import Part
from locoexport.rendering.parts.by_part import by_part_document


def test_parts_stay_in_their_order() -> None:
    values = {Part("refinement", 1): 0.5, Part("backbone"): 2}
    assert by_part_document(values) == [
        {"name": "refinement", "iteration": 1, "value": 0.5},
        {"name": "backbone", "iteration": None, "value": 2},
    ]
