"""Plans as documents: what is written is read as it was, and what is no plan is told apart."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autoport
from autoport.errors import PlanError
from autoport.plan.document import from_document, to_document
from autoport.plan.plan import Plan
from tests.files.models import Net, keras_model, sequences


def as_document(plan: Plan) -> dict[str, Any]:
    return to_document(plan.source, plan.target, plan)


@pytest.fixture(scope="module")
def match() -> autoport.Match:
    return autoport.match(keras_model(), Net())


@pytest.fixture(scope="module")
def documents(match: autoport.Match) -> list[dict[str, Any]]:
    other = autoport.match(*sequences())
    return [json.loads(json.dumps(as_document(m.plan(to)))) for m in (match, other) for to in ("torch", "tf")]


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_a_plan_is_read_as_it_was_written(match: autoport.Match, tmp_path: Path, to: str) -> None:
    plan = match.plan(to)
    plan.save(tmp_path / "x.plan.json")
    found = autoport.Plan.load(tmp_path / "x.plan.json")
    assert as_document(found) == as_document(plan)
    assert found.entries == plan.entries
    for path, values in plan.target.kept.items():
        np.testing.assert_array_equal(found.target.kept[path], values)
        assert found.target.kept[path].dtype == values.dtype


def test_a_plan_says_what_why_and_how_tensors_are_called_in_files(match: autoport.Match) -> None:
    document = as_document(match.plan())
    assert (document["format"], document["version"]) == ("autoport-plan", 1)
    (entry,) = (entry for entry in document["entries"] if entry["target"] == "first.weight")
    assert entry["expression"] == "(h w c) o -> o (c h w)"
    assert entry["reason"]
    (kernel,) = (row for row in document["source"]["tensors"] if row["names"].get("keras") == "layers/conv2d/vars/0")
    assert (kernel["shape"], kernel["dtype"]) == ([3, 3, 3, 4], "float32")
    assert kernel["names"]["h5"].endswith("/0/kernel")
    assert kernel["names"]["variable"].endswith("/kernel")
    assert document["target"]["kept"] == {"norm.num_batches_tracked": [0]}
    assert (document["missing"], document["unexpected"]) == ({}, {})


def test_what_is_missing_is_written_with_its_reason() -> None:
    match = autoport.match(keras_model(), _with_a_layer_more())
    document = as_document(match.plan())
    assert set(document["missing"]) == {"extra.weight", "extra.bias"}
    assert all(document["missing"].values())


def _with_a_layer_more() -> Any:
    import torch
    from torch import nn

    class More(Net):
        def __init__(self) -> None:
            super().__init__()
            self.extra = nn.LayerNorm(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.extra(super().forward(x))

    return More()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(format="other"), "the format is 'other'"),
        (lambda d: d.update(version=2), "version 2 of the format is not known"),
        (lambda d: d.pop("entries"), "'entries' is missing"),
        (lambda d: d["entries"][0].update(target="nowhere"), "has no tensor 'nowhere'"),
        (lambda d: d["entries"].append(d["entries"][0]), "another entry of"),
        (lambda d: d["entries"][0]["parts"].append(d["entries"][0]["parts"][0]), "do not fill"),
        (lambda d: d["entries"][0].update(parts=[]), "do not fill"),
        (lambda d: d["entries"][0]["parts"][0].pop("from"), "neither 'from' nor 'fill'"),
        (lambda d: d["entries"][0]["parts"][0]["from"][0].update(tensor="nowhere"), "the source has no tensor"),
        (lambda d: d["entries"][0]["parts"][0]["from"][0].update(factor="two"), "is not a finite number"),
        (lambda d: d["entries"][0]["parts"][0]["into"].update(axes="a b"), "must name the same identifiers, each once"),
        (lambda d: d["source"]["tensors"][0].update(dtype="object"), "the dtype 'object' is not one of float16"),
        (lambda d: d["source"]["tensors"][0].update(shape=[-1]), "-1 is not a whole number"),
        (lambda d: d["source"].update(framework="jax"), "the framework is 'jax'"),
        (lambda d: d["target"].update(kept={"norm.num_batches_tracked": []}), "as many values"),
    ],
)
def test_what_contradicts_itself_is_named_with_its_place(documents: list[Any], change: Any, said: str) -> None:
    document = copy.deepcopy(documents[0])
    change(document)
    with pytest.raises(PlanError, match=said):
        from_document(document)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 10_000])
def test_what_is_no_plan_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.plan.json").write_text(text)
    with pytest.raises(PlanError, match=r"x\.plan\.json"):
        Plan.load(tmp_path / "x.plan.json")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_document_with_anything_anywhere_is_read_or_refused(documents: list[Any], data: st.DataObject) -> None:
    document: Any = copy.deepcopy(data.draw(st.sampled_from(documents)))
    anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just([]), st.just({}))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.integers(0, 3)) == 0:
            place[key] = data.draw(anything)
            break
        place = place[key]
    try:
        plan = Plan.of(*from_document(document))
    except PlanError:
        return
    for entry in plan.entries.values():
        assert entry.expression
