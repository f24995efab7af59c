"""Every kind is declared once, and whoever follows positions knows how each of them moves them."""

from __future__ import annotations

import ast
import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoport import graph
from autoport.canonical.axes.layout import BY_MOTION, RULES
from autoport.graph import Op, vocabulary
from autoport.graph.emitter import Emitter
from autoport.graph.vocabulary import KINDS, NOTHING, Kind, Motion, UndeclaredError, Use, by_dim, check, kind_of
from autoport.graph.vocabulary.registry import declare, foreign_kind
from autoport.weights.pair import NEUTRAL_VALUES
from autoport.weights.role import Role

PACKAGE = Path(graph.__file__).parents[1]
# Where kinds are declared, made and rewritten.
BUILDERS = ("graph/vocabulary/", "graph/build.py", "graph/einsum.py", "graph/emitter.py", "graph/writer.py")
MAKERS = (*BUILDERS, "keras/", "pytorch/", "canonical/")
# What else names a kind, and why.
EXCEPTIONS = {
    ("matching/evidence.py", "constant"): "the operation that stands for constants of which no values are known",
    ("verify/reconciling/logits.py", "sigmoid"): "besides a softmax, what makes probabilities of logits",
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_declaration_is_consistent(kind: Kind) -> None:
    assert kind.declared
    assert kind.family
    assert {attribute.by_dim for attribute in kind.attributes.values()} - {None} <= kind.attributes.keys()
    assert {kind.moves.dims, kind.moves.named, *kind.moves.known_by} - {None} <= kind.attributes.keys()
    assert (kind.moves.dims is None) == (kind.moves.motion is not Motion.ALONG)
    assert kind.moves.named == (kind.attributes[kind.moves.dims].by_dim if kind.moves.dims else None)
    assert not kind.undoes or KINDS[kind.undoes].is_affine
    assert not kind.is_pointwise or kind.moves.motion is Motion.KEEPS
    assert not kind.is_shape_only or kind.moves.motion is Motion.FOLLOWED
    assert kind.arity[1] is None or kind.arity[0] <= kind.arity[1]


def test_weights_with_a_neutral_value_are_read_by_a_kind() -> None:
    assert NEUTRAL_VALUES.keys() <= {role for kind in KINDS.values() for role in kind.roles}


def test_a_kind_is_the_text_of_its_name() -> None:
    op = Op("a", "conv")
    op.kind = "add"
    assert op.kind is KINDS["add"]
    assert op.kind == "add"
    assert {op.kind: 1}["add"] == 1
    assert json.dumps([op.kind]) == '["add"]'
    assert copy.deepcopy(op).kind is pickle.loads(pickle.dumps(op)).kind is op.kind


@pytest.mark.parametrize("name", ["Floor", "floor", "aten.floor", "aten.floor.default", "floor_", "_floor"])
def test_one_function_has_one_name(name: str) -> None:
    assert kind_of(name) is foreign_kind(name) is KINDS["floor"]


def test_of_an_undeclared_kind_nothing_is_assumed() -> None:
    with vocabulary.strict(False):
        kind = kind_of("SomeOpV2")
    assert kind == "some_op_v2"
    assert not kind.declared
    assert kind.moves.motion is Motion.UNKNOWN
    assert kind.moves.rearranges
    assert kind.moves.along({}) is None
    assert not any((kind.is_pointwise, kind.is_commutative, kind.is_silent, kind.is_structural, kind.reduces))


def test_what_is_undeclared_is_an_error_in_tests() -> None:
    with pytest.raises(UndeclaredError, match="some_op"):
        kind_of("SomeOp")
    with pytest.raises(UndeclaredError, match="slope"):
        check(KINDS["relu"], {"slope": 1.0}, ())
    with pytest.raises(UndeclaredError, match="mean"):
        check(KINDS["layer_norm"], {}, ["mean"])
    with pytest.raises(UndeclaredError, match="dims"):
        Emitter().emit("relu", [], (1,), dims=(0,))
    check(KINDS["lstm"], {}, [Role("kernel", "i"), Role("bias", "o").part(1)])


def test_a_function_without_a_row_is_no_kind_that_says_more_than_its_name() -> None:
    with vocabulary.strict(False):
        assert foreign_kind("roll") == "other_roll"
        assert not foreign_kind("roll").declared


def test_no_kind_is_declared_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        declare("add", "arithmetic")


def test_defaults_are_what_an_operation_without_an_attribute_has() -> None:
    assert Op("a", "elu").parameter("alpha") == 1.0
    assert Op("a", "conv", attrs={"stride": (2, 2)}).parameter("stride") == (2, 2)
    assert Op("a", "relu").parameter("alpha") is None
    assert KINDS["leaky_relu"].attribute("negative_slope").default is NOTHING
    assert KINDS["batch_norm"].attribute("momentum").training_only
    assert KINDS["conv"].attribute("layout").use is Use.LAYOUT


def test_dimensions_of_an_attribute() -> None:
    assert by_dim(None) is None
    assert by_dim(2) == {2: None}
    assert by_dim({1: (0, 3, 1)}) == {1: (0, 3, 1)}
    assert by_dim(((0, 0), (1, 1))) == {1: (1, 1)}
    assert KINDS["flip"].moves.along({"dims": (1, 3)}) == {1, 3}
    assert KINDS["gather"].moves.along({}) is None
    assert KINDS["relu"].moves.along({}) == frozenset()


def test_axes_are_named_for_every_way_of_moving() -> None:
    assert BY_MOTION.keys() == set(Motion)
    assert RULES.keys() <= KINDS.keys()
    assert {kind for kind in KINDS.values() if kind.moves.motion is Motion.FOLLOWED} <= RULES.keys()


def literals(file: Path) -> Iterator[str]:
    """Kinds that a file compares with, makes or lists by name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare) and any(map(_is_kind, (node.left, *node.comparators))):
            yield from _texts(node)
        elif isinstance(node, ast.keyword) and node.arg == "kind":
            yield from _texts(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Op", "kind_of", "Kind"):
            yield from (text for argument in node.args[:2] for text in _texts(argument))
        elif isinstance(node, (ast.Set, ast.List, ast.Tuple)) and len(node.elts) > 1:
            texts = list(_texts(node))
            yield from texts if len(texts) == len(node.elts) else ()


def _is_kind(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) in ("kind", "label")


def _texts(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and inner.value in KINDS:
            yield inner.value


def test_kinds_are_named_where_they_are_declared_made_and_rewritten() -> None:
    named = {
        (str(file.relative_to(PACKAGE)), text)
        for file in PACKAGE.rglob("*.py")
        if not str(file.relative_to(PACKAGE)).startswith(MAKERS)
        for text in literals(file)
    }
    assert named == EXCEPTIONS.keys()
