"""Calls of a model's local functions, counted before anything writes them out.

Functions that call the next one twice make 2ⁿ nodes of n; one that calls itself makes no end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import onnx

from locoexport.errors import ModelFileError
from locoexport.graphs.domains import plain_domain
from locoexport.graphs.walking import iterate_nested
from locoexport.machine.limits import CALL_DEPTH, GRAPH_NODES

__all__ = ["check_calls"]

_Id = tuple[str, str, str]
_Refusal = Callable[[str], ModelFileError]


@dataclass(frozen=True)
class _Size:
    """Nodes once all calls are written out, and how deep calls lie within each other."""

    nodes: int
    depth: int


def check_calls(model: onnx.ModelProto, subject: object, refusal: _Refusal) -> None:
    """Count a model's nodes with its functions written out.

    Raises:
        ModelFileError: there are too many, calls go round in a circle or lie too deep in each
            other, two functions have one name, or a call does not fit its function.
    """
    functions: dict[_Id, onnx.FunctionProto] = {}
    for function in model.functions:
        key = (plain_domain(function.domain), function.name, function.overload)
        if key in functions:
            raise refusal(f"it has two functions {_name(key)}")
        functions[key] = function
    sizes: dict[_Id, _Size] = {}
    for key in _callees_first(functions, refusal):
        sizes[key] = _size(functions[key].node, functions, sizes, refusal)
        CALL_DEPTH.check(sizes[key].depth, f"{subject}: function {_name(key)}", ModelFileError)
    total = sum(_size([node], functions, sizes, refusal).nodes for node in model.graph.node)
    # A function that nobody calls is read and walked all the same.
    total = max(total, 0) + sum(len(function.node) for function in model.functions)
    GRAPH_NODES.check(total, subject, ModelFileError)


def _size(
    nodes: Iterable[onnx.NodeProto],
    functions: Mapping[_Id, onnx.FunctionProto],
    sizes: Mapping[_Id, _Size],
    refusal: _Refusal,
) -> _Size:
    count = depth = 0
    for node in iterate_nested(nodes):
        key = _called(node)
        called = functions.get(key)
        if called is None:
            count += 1
            continue
        if len(node.input) > len(called.input) or len(node.output) > len(called.output):
            raise refusal(
                f"a call of function {_name(key)} has {len(node.input)} inputs and "
                f"{len(node.output)} outputs, and the function {len(called.input)} and "
                f"{len(called.output)}"
            )
        count += max(sizes[key].nodes, 1)
        depth = max(depth, 1 + sizes[key].depth)
    return _Size(count, depth)


def _callees_first(functions: Mapping[_Id, onnx.FunctionProto], refusal: _Refusal) -> Iterator[_Id]:
    """Every function after those that it calls; without recursion, since calls may lie deep."""
    calls = {
        key: {
            called
            for node in iterate_nested(function.node)
            if (called := _called(node)) in functions
        }
        for key, function in functions.items()
    }
    done: set[_Id] = set()
    open_calls: set[_Id] = set()
    for start in functions:
        waiting = [(start, iter(calls[start]))] if start not in done else []
        open_calls.update(key for key, _ in waiting)
        while waiting:
            key, rest = waiting[-1]
            following = next((called for called in rest if called not in done), None)
            if following is None:
                waiting.pop()
                open_calls.discard(key)
                done.add(key)
                yield key
            elif following in open_calls:
                raise refusal(f"its function {_name(following)} calls itself")
            else:
                open_calls.add(following)
                waiting.append((following, iter(calls[following])))


def _called(node: onnx.NodeProto) -> _Id:
    return (plain_domain(node.domain), node.op_type, node.overload)


def _name(key: _Id) -> str:
    return repr(".".join(filter(None, key))[:80])
