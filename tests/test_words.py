"""Facts are data, and words are made where they are shown: nothing that autoport decides depends on a sentence."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoport.analysis import Analysis
from autoport.facts import reasons, values
from autoport.facts.framework import Framework
from autoport.facts.places import Place, Port
from autoport.facts.reasons import SENTENCES, Code, Reason
from autoport.graph import Graph, Tensor, Value
from autoport.graph.build import Builder
from autoport.report import build_report
from autoport.report.views.folding import Fold, Heading, fold_rows
from autoport.report.views.json_view import as_dict
from autoport.report.views.table import render_table
from autoport.weights.piece import Piece, Weight
from tests.report import synthetic

SOURCE = Path(reasons.__file__).parents[1]
# Methods by which a text is taken apart, and those of `re`.
PARSING = {"split", "rsplit", "partition", "rpartition", "startswith", "endswith", "removeprefix", "removesuffix"}
PARSING |= {"splitlines", "replace"}
# Where words are made.
EDGE = ("report/", "cli/", "errors.py")
# What else takes texts apart, and whose texts they are. A name that ends in a slash is a folder.
FOREIGN = {
    "files/": "names of tensors and files, types as PyTorch spells them, sizes that users type, rows of its own table",
    "loading/": "names, shapes and files that users type, configurations and errors of Keras",
    "keras/": "names, types and data formats of Keras and TensorFlow; layouts",
    "pytorch/": "names of functions, methods and types of PyTorch; source files",
    "base/whole_files.py": "replaces files, not texts",
    "graph/vocabulary/": "its own tables, names of functions of both frameworks",
    "graph/einsum.py": "equations of users",
    "graph/build.py": "layouts, in einops notation",
    "weights/piece.py": "layouts, in einops notation",
    "canonical/axes/layout.py": "names of axes, as layouts have them",
    "canonical/queries/views.py": "layouts, in einops notation",
    "canonical/rules/composite/stacked.py": "equations of einsum",
    "canonical/rules/positions/turned.py": "equations of einsum",
    "comparison/agreement.py": "names of axes, as layouts have them",
    "comparison/doubts.py": "names of axes, as layouts have them",
    "script/fold.py": "names of tensors, in which it looks for counters; the lines of the script that it folds",
    "script/render.py": "the model's name, as a comment may hold it",
    "transfer/into_file.py": "names of files",
    "verify/comparing/compare.py": "splits arrays, not texts",
    "verify/explaining/mends.py": "names of functions of PyTorch",
    "verify/running/kernels.py": "names of TensorFlow's operations",
    "verify/reconciling/reconcile.py": "an error of PyTorch, of which the first line is shown",
}


def parsed_texts() -> Iterator[tuple[str, str]]:
    """Calls that take a text apart, by file."""
    for file in sorted(SOURCE.rglob("*.py")):
        name = file.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                regular = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
                if regular or node.func.attr in PARSING:
                    yield name, ast.unparse(node)


def test_nobody_takes_texts_of_autoport_apart() -> None:
    inside = [(file, call) for file, call in parsed_texts() if not file.startswith(EDGE)]
    assert [(file, call) for file, call in inside if not file.startswith(tuple(FOREIGN))] == []
    assert [name for name in FOREIGN if not any(file.startswith(name) for file, _ in inside)] == []


def test_the_edge_takes_apart_what_models_are_called_and_what_it_shows() -> None:
    calls = {f"{file}: {call}" for file, call in parsed_texts() if file.startswith("report/rows/")}
    assert calls <= {
        "report/rows/blocks.py: path.split(SEPARATORS[side])",
        "report/rows/blocks.py: ''.join(shared).rpartition('_')",
        *(call for call in calls if "SETTABLE.replace" in call),
    }


@pytest.mark.parametrize("code", Code)
def test_every_reason_has_one_sentence(code: Code) -> None:
    assert SENTENCES[code]
    assert [other for other, sentence in SENTENCES.items() if sentence == SENTENCES[code]] == [code]


WIDTH, SHAPE = 8, (2, 8)


class Chain:
    """Layers one behind the other, made without a framework; each is a kind and its weights by role."""

    def __init__(self, side: str, *layers: tuple[str, tuple[str, ...]], epsilon: float = 1e-5) -> None:
        self.build, self.side, self.epsilon = Builder(), side, epsilon
        self.layers = layers

    def graph(self) -> Graph:
        """The graph, whose layers are called by their numbers."""
        x = self.build.emit("input", [], SHAPE, axes=["n", "c"], position=0)
        for number, (kind, roles) in enumerate(self.layers):
            x = self._layer(f"{self.side}{number}", kind, roles, x)
        self.build.graph.outputs = [x]
        return self.build.graph

    def _layer(self, path: str, kind: str, roles: tuple[str, ...], x: Value) -> Value:
        if kind == "fork":
            branches = [self._layer(f"{path}/{act}", act, (), self._layer(path, *DENSE, x)) for act in roles]
            return self.build.emit("add", branches, SHAPE)
        self.build.path, self.build.type = path, kind.title()
        weights = {role: self._weight(path, kind, role) for role in roles}
        if kind == "dense":
            return self.build.dense(x, weights["kernel"], weights.get("bias"), SHAPE)
        if kind == "batch_norm":
            whole = {role: Weight((piece,)) for role, piece in weights.items()}
            return self.build.norm(kind, x, whole, dims=[1], epsilon=self.epsilon)
        return self.build.emit(kind, [x], SHAPE)

    def _weight(self, path: str, kind: str, role: str) -> Piece:
        pattern = "i o" if role == "kernel" else "o" if kind == "dense" else "c"
        shape = (WIDTH,) * (2 if role == "kernel" else 1)
        tensor = Tensor(f"{path}/{role}{len(self.build.graph)}", shape, "float32")
        return Piece.of(self.build.tensor(tensor), pattern, shape)


DENSE, BARE = ("dense", ("kernel", "bias")), ("dense", ("kernel",))
NORM, RELU = ("batch_norm", ("scale", "offset", "mean", "variance")), ("relu", ())


def chains(left: list[Any], right: list[Any]) -> Callable[[], Analysis]:
    """Analyses a pair of chains, with another epsilon on each side."""
    return lambda: synthetic.analysis_of(Chain("a", *left, epsilon=1e-3).graph(), Chain("b", *right).graph())


def fork(*activations: str) -> Any:
    """Two dense layers side by side, told apart by their activations only."""
    return "fork", activations


PAIRS: dict[str, Callable[[], Analysis]] = {
    "an encoder of which one norm lacks": lambda: synthetic.large(120),
    "another epsilon and another activation": chains([DENSE, RELU, NORM, DENSE], [DENSE, ("tanh", ()), NORM, DENSE]),
    "a run of equal layers of which one lacks": chains([DENSE, RELU] * 5, [DENSE, RELU] * 4),
    "a norm that may be folded": chains([DENSE, NORM, RELU, DENSE], [DENSE, RELU, DENSE]),
    "a bias that nothing absorbs": chains([DENSE, RELU, NORM], [BARE, RELU, NORM]),
    "equal branches": chains([fork("relu", "relu"), DENSE], [fork("relu", "relu"), DENSE]),
    "branches that activations tell apart": chains([fork("relu", "tanh"), DENSE], [fork("tanh", "relu"), DENSE]),
    "branches that nothing tells apart": chains([fork("relu", "tanh"), DENSE], [fork("gelu", "silu"), DENSE]),
    "a bias that a norm absorbs": chains([DENSE, NORM, RELU], [BARE, NORM, RELU]),
}


SIDES = ("tf", "torch")


def facts(analysis: Analysis) -> dict[str, Any]:
    """All that an analysis and its report state, without their words."""
    report, transfer = build_report(analysis), analysis.transfer(Framework.TORCH)
    document = as_dict(report)
    differences = document["differences"]
    lines = [len(line.rows) if isinstance(line, Fold) else isinstance(line, Heading) for line in fold_rows(report)]
    return {
        "pairs": [(pair.left, pair.right, pair.reason) for pair in analysis.matching.pairs],
        "ambiguous": analysis.matching.ambiguous,
        "entries": {path: entry.expression for path, entry in transfer.entries.items()},
        "missing": transfer.missing,
        "unexpected": transfer.unexpected,
        "rows": [(row["status"], row["reasons"], row["listed"], row["unread"]) for row in document["rows"]],
        "differences": [[d["name"], *(d[side][key] for side in SIDES for key in ("at", "data"))] for d in differences],
        "counts": [document[key] for key in ("complete", "same", "tensors")],
        "advice": [len(row["advice"]) for row in document["rows"]],
        "graph": document["graph"],
        "folded": lines,
    }


def reword(monkeypatch: pytest.MonkeyPatch) -> None:
    """Says everything in other words: reasons as codes in brackets, places and values as nothing but their type."""
    monkeypatch.setattr(reasons, "SENTENCES", {code: f"[{code}]" for code in Code})
    for kind in (
        Place,
        Port,
        values.Operations,
        values.OperandPlaces,
        values.Along,
        values.LoneOperations,
        values.Momentum,
    ):
        monkeypatch.setattr(kind, "__str__", lambda self: type(self).__name__)


@pytest.mark.parametrize("pair", PAIRS)
def test_other_words_change_nothing_else(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make = PAIRS[pair]
    said, stated = render_table(build_report(make())), facts(make())
    reword(monkeypatch)
    assert facts(make()) == stated
    assert render_table(build_report(make())) != said or not stated["differences"]


def test_the_pairs_above_have_reasons_of_many_kinds() -> None:
    codes = {code for make in PAIRS.values() for code in _codes(facts(make()))}
    told = {"same_around", "automorphic", "told_by_parameters"}
    open_ends = {"several_partners", "two_readings", "no_partner"}
    refused = {"role", "lone_norm", "bias_before_norm"}
    assert codes >= told | open_ends | refused


def _codes(part: Any) -> Iterator[str]:
    if isinstance(part, Reason):
        yield str(part.code)
        yield from (code for _, operand in part.operands for code in _codes(operand))
    if isinstance(part, dict):
        yield from (code for value in part.values() for code in _codes(value))
    elif isinstance(part, (list, tuple)) and not isinstance(part, reasons.Several):
        yield from (code for value in part for code in _codes(value))
