"""docs/report.md names every status, every cause and every key of the JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoport.facts.reasons import SENTENCES, Code
from autoport.report import Status, build_report
from autoport.report.formats import EXPLORER, SUFFIXES
from autoport.report.rows.advice import ADVICE, advice
from autoport.report.views.json_view import as_dict
from tests.report import models

TEXT = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


def keys(document: Any) -> Iterator[str]:
    """Every key of a document."""
    if isinstance(document, dict):
        yield from document
    for part in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from keys(part)


@pytest.mark.parametrize("name", [*ADVICE, *(status.value for status in Status), *SUFFIXES, EXPLORER])
def test_every_status_cause_and_suffix_is_explained(name: str) -> None:
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("code", sorted(set(Code) - {Code.BELONGS, Code.QUOTED}))
def test_every_reason_stands_there_with_its_sentence(code: Code) -> None:
    sentence = re.sub(r"\{(\w+)[^}]*\}", r"*\1*", SENTENCES[code])
    assert f"| `{code}` | {sentence} |" in TEXT


def test_every_key_of_the_json_is_explained() -> None:
    match = models.normed(eps=1e-5)
    match.assign()
    document = as_dict(build_report(match.analysis, match.verify()))
    assert {key for key in keys(document) if f"`{key}`" not in TEXT} == set()


def test_advice_names_the_module_and_the_value() -> None:
    report = build_report(models.normed(eps=1e-5).analysis)
    (row,) = (row for row in report.rows if row.torch == "norm")
    assert advice(row)[0] == "set `eps` of norm to 0.001; match.reconcile() does it"
    one_sided = [advice(row) for row in build_report(models.uneven().analysis).rows if row.one_sided]
    assert all("strict=False" in text for (text,) in one_sided)
    spare = next(row for row in report.rows if row.unread)
    assert advice(spare) == ["nothing: no forward pass reads it"]
