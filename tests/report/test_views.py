"""The same rows as a table, as Markdown and as JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from autoport.api import Match
from autoport.comparison.differences import Difference
from autoport.facts.places import Place
from autoport.report import build_report
from autoport.report.formats import FORMATS
from autoport.report.views.lines import MOST_PLACES, difference_lines
from autoport.report.views.markdown import code
from autoport.report.views.table import print_report
from tests.report import models


def render(match: Match, format: str) -> str:
    """A match in one of the formats."""
    return FORMATS[format](build_report(match.analysis))


COLOUR = re.compile(r"\x1b\[[\d;]*3\d")


def test_the_table_answers_in_three_lines_before_it_lists() -> None:
    lines = render(models.normed(eps=1e-5), "table").splitlines()
    assert lines[0] == "Matched  8 of 8 Keras and 8 of 8 PyTorch tensors, in 3 layers"
    assert lines[1] == "Wrong    1 difference (epsilon)"
    assert lines[2].startswith("Next     port, and make one model agree")
    assert lines[3] == ""


@pytest.mark.parametrize("make", [models.normed, models.recurrent, models.uneven, models.lost_bias])
def test_the_table_fits_80_columns_without_colour_or_trailing_blanks(make: Callable[[], Match]) -> None:
    text = render(make(), "table")
    assert text.isascii()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert all(line == line.rstrip() for line in text.splitlines())


def test_the_table_shows_both_layers_the_transform_and_both_values() -> None:
    text = " ".join(render(models.normed(eps=1e-5), "table").split())
    assert "= conv (Conv2D) first (Conv2d) kernel: h w i o -> o i h w" in text
    assert "(h w c) o -> o (c h w)" in text
    assert "epsilon: 0.001 | 1e-05" in text
    assert "epsilon: 0.001 in Keras, 1e-05 in PyTorch, at 1 place" in text
    assert "bn (BatchNormalization) | norm (BatchNorm2d)" in text
    assert "not read by the forward pass" in text


def test_str_of_a_match_is_its_table() -> None:
    match = models.normed()
    assert str(match) == match.report("table") == render(match, "table")


def test_report_writes_the_same_text_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    match = models.normed()
    match.report()
    assert capsys.readouterr().out == render(match, "table")


def test_colour_is_for_terminals_and_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    report = build_report(models.normed(eps=1e-5).analysis)

    def printed() -> str:
        stream = io.StringIO()
        print_report(report, Console(file=stream, force_terminal=True, color_system="standard", width=80))
        return stream.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert COLOUR.search(printed())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(printed())


@pytest.mark.parametrize("name", ["[red]bold[/red]", "<script>", "**a**", "a|b", "`x`"])
def test_names_are_text_in_the_table(name: str) -> None:
    assert f"=   a (Dense)   {name} " in render(models.named(name), "table")


def test_names_cannot_steer_the_terminal() -> None:
    for format in ("table", "markdown"):
        text = render(models.named("a\x1b[2Jb\u202ec"), format)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "x1b" in text


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("plain", "`plain` `Linear`"),
        ("<script>", "`<script>` `Linear`"),
        ("a|b", "`a\\|b` `Linear`"),
        ("`x`", "\\`x\\` `Linear`"),
    ],
)
def test_names_are_text_in_markdown(name: str, cell: str) -> None:
    row = next(line for line in render(models.named(name), "markdown").splitlines() if line.startswith("| `=`"))
    assert row == f"| `=` | `a` `Dense` | {cell} | `kernel: i o -> o i`<br>`bias` |"


def test_a_backslash_before_a_pipe_does_not_free_it() -> None:
    assert code("a\\|b\n") == "a\\\\\\|b\\\\n"


def test_markdown_has_the_summary_the_table_and_the_differences() -> None:
    lines = render(models.normed(eps=1e-5), "markdown").splitlines()
    assert lines[0] == "- **Matched:** 8 of 8 Keras and 8 of 8 PyTorch tensors, in 3 layers"
    assert "| | Keras | PyTorch | Tensors and differences |" in lines
    assert "- `epsilon: 0.001 in Keras, 1e-05 in PyTorch, at 1 place`" in lines
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")]
    assert set(cells) == {5}


def test_json_is_versioned_and_says_it_all() -> None:
    document = json.loads(render(models.normed(eps=1e-5), "json"))
    assert document["version"] == 2
    assert (document["complete"], document["same"]) == (True, False)
    assert document["tensors"] == {"tf": {"matched": 8, "total": 8}, "torch": {"matched": 8, "total": 8}}
    norm = next(row for row in document["rows"] if row["status"] == "!")
    assert norm["tf"] == {"path": "bn", "kind": "BatchNormalization"}
    assert norm["torch"] == {"path": "norm", "kind": "BatchNorm2d"}
    assert norm["tensors"][0]["torch"] == [{"path": "norm.weight", "shape": [4], "dtype": "float32"}]
    assert document["differences"] == norm["differences"]
    assert norm["differences"][0] == {
        "name": "epsilon",
        "status": "differs",
        "tf": {
            "place": "bn (BatchNormalization)",
            "value": "0.001",
            "at": {"path": "bn", "kind": "BatchNormalization", "operation": "batch_norm"},
            "data": 0.001,
        },
        "torch": {
            "place": "norm (BatchNorm2d)",
            "value": "1e-05",
            "at": {"path": "norm", "kind": "BatchNorm2d", "operation": "batch_norm"},
            "data": 1e-5,
        },
        "training_only": False,
    }
    spare = next(row for row in document["rows"] if row["unread"])
    assert spare["tf"] is None


def test_json_keeps_names_as_they_are() -> None:
    name = "[red]\x1b|`"
    paths = [row["torch"] and row["torch"]["path"] for row in json.loads(render(models.named(name), "json"))["rows"]]
    assert name in paths


def test_one_sided_models_are_told_to_be_mended() -> None:
    lines = render(models.uneven(), "table").splitlines()
    assert lines[0] == "Matched  6 of 8 Keras and 6 of 8 PyTorch tensors, in 3 layers"
    assert lines[1] == "Wrong    1 only in Keras, 1 only in PyTorch"
    assert "mend the lines - and +" in lines[2]


def test_equal_differences_at_many_places_are_told_once() -> None:
    places = [(Place(f"bn{k}"), Place(f"norm{k}")) for k in range(MOST_PLACES + 1)]
    found = [Difference("epsilon", tf, torch, (1e-3, 1e-5)) for tf, torch in places]
    [(headline, said)] = difference_lines(found)
    assert headline == "epsilon: 0.001 in Keras, 1e-05 in PyTorch, at 7 places"
    assert said == ["bn0 | norm0", "bn1 | norm1", "bn2 | norm2", "... and 4 more"]


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"table, markdown, json, html, graphml, dot, not 'pdf'"):
        models.activations().report("pdf")
