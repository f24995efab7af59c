"""Files for other programs, by the suffix of their names, and what a notebook shows."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import networkx as nx
import pydot
import pytest
from networkx.readwrite import graphml

from autoport.errors import AutoportError
from autoport.report import Report, build_report
from autoport.report.formats import SUFFIXES, write
from autoport.report.html import embed
from autoport.report.views.explorer import explorer_files
from autoport.report.views.graphs import render_dot, to_networkx
from tests.report import models


@pytest.fixture(scope="module")
def verified() -> Report:
    match = models.normed(eps=1e-5)
    match.assign()
    return build_report(match.analysis, match.verify())


STARTS = {
    "report.txt": "Matched  8 of 8",
    "report.md": "- **Matched:** 8 of 8",
    "report.json": '{\n  "version": 2',
    "report.html": "<!DOCTYPE html>",
    "report.graphml": "<graphml",
    "report.dot": "strict digraph",
}


@pytest.mark.parametrize(("name", "start"), STARTS.items())
def test_the_suffix_names_the_format(tmp_path: Path, name: str, start: str) -> None:
    models.normed().report(output=tmp_path / name)
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert {Path(name).suffix for name in STARTS} == set(SUFFIXES)


def test_a_suffix_that_names_no_format_is_refused_and_a_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(AutoportError, match=r"ends in one of \.txt, \.md, \.json, \.html"):
        models.normed().report(output=tmp_path / "report.pdf")
    with pytest.raises(AutoportError, match="there is no folder"):
        models.normed().report(output=tmp_path / "nowhere" / "report.md")
    assert not list(tmp_path.iterdir())


def test_graphml_holds_both_graphs_or_one(tmp_path: Path) -> None:
    report = build_report(models.uneven().analysis)
    for name in ("pair.graphml", "pair.tf.graphml", "pair.torch.graphml"):
        write(report, tmp_path / name)
    pair, tf, torch = (
        graphml.read_graphml(tmp_path / name) for name in ("pair.graphml", "pair.tf.graphml", "pair.torch.graphml")
    )
    assert len(pair) == len(tf) + len(torch) == 12
    assert [data["status"] for _, data in tf.nodes(data=True) if data["kind"] == "LayerNormalization"] == ["-"]
    assert nx.dag_longest_path_length(torch) == 5
    assert sum(data["pair"] for *_, data in pair.edges(data=True)) == 5


def test_a_side_must_be_one_of_two() -> None:
    with pytest.raises(ValueError, match="'tf' or 'torch', not 'jax'"):
        to_networkx(build_report(models.uneven().analysis), "jax")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the parser that reads it
@pytest.mark.parametrize("name", ["plain", 'a"b', "a\\", "a:b", "<b>", "new\nline"])
def test_graphviz_reads_names_as_they_are(name: str) -> None:
    text = render_dot(build_report(models.named(name).analysis), "torch")
    (graph,) = pydot.graph_from_dot_data(text)
    labels = [node.get_label() for node in graph.get_nodes() if node.get_label()]
    assert len(labels) == 3
    escaped = name.replace("\n", "\\n").replace("\\", "\\\\").replace('"', '\\"')
    assert any(escaped in label for label in labels)


def test_model_explorer_gets_graphs_a_mapping_and_node_data(verified: Report) -> None:
    files = {name: json.loads(text) for name, text in explorer_files(verified).items()}
    assert set(files) == {"graphs.json", "sync_navigation.json", "status.json", "error.json"}
    assert [graph["id"] for graph in files["graphs.json"]["graphs"]] == ["Keras", "PyTorch"]
    nodes = {graph["id"]: {node["id"]: node for node in graph["nodes"]} for graph in files["graphs.json"]["graphs"]}
    for side in nodes.values():
        assert all(edge["sourceNodeId"] in side for node in side.values() for edge in node["incomingEdges"])
    for entry in files["sync_navigation.json"]["mappingEntries"]:
        assert nodes["Keras"].keys() >= set(entry["leftNodeIds"])
        assert nodes["PyTorch"].keys() >= set(entry["rightNodeIds"])
    (norm,) = (node for node in nodes["PyTorch"].values() if node["label"] == "norm")
    assert {"key": "epsilon", "value": "0.001 in Keras, 1e-05 in PyTorch"} in norm["attrs"]
    assert files["status.json"]["Keras"]["results"][norm["id"]] == {"value": "!"}
    assert -8 < files["error.json"]["PyTorch"]["results"][norm["id"]]["value"] < 0


def test_model_explorer_files_are_a_folder(tmp_path: Path) -> None:
    models.normed().report(output=tmp_path / "pair.explorer")
    names = {path.name for path in (tmp_path / "pair.explorer").iterdir()}
    assert names == {"graphs.json", "sync_navigation.json", "status.json"}


def test_layers_that_are_flat_in_keras_stand_in_the_blocks_of_their_partners() -> None:
    report = build_report(models.nested().analysis)
    blocks = [group.torch for group in report.drawing.groups]
    assert blocks == ["stem", "body"]
    graphs = json.loads(explorer_files(report)["graphs.json"])["graphs"]
    spaces = [{node["label"]: node["namespace"] for node in graph["nodes"]} for graph in graphs]
    assert spaces[0] == {"input": "", "stem_a": "stem_*", "stem_b": "stem_*", "c": "c", "output": ""} | spaces[0]
    assert spaces[1]["a"] == spaces[1]["b"] == "stem"


class Tags(HTMLParser):
    """Text of the cells, and the tags that occur."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = io.StringIO()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text.write(data)


def test_a_notebook_shows_the_table_and_names_stay_text() -> None:
    match = models.named("<script>alert(1)</script>")
    shown = Tags(match._repr_html_())
    assert shown.tags <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert "<script>alert(1)</script>" in shown.text.getvalue()
    assert "2 of 2 Keras" in shown.text.getvalue()


def test_nothing_in_embedded_json_opens_a_tag() -> None:
    text = embed({"a": "</script><!-- &amp;"})
    assert not set(text) & set("<>&")
    assert json.loads(text) == {"a": "</script><!-- &amp;"}


def test_the_page_refers_to_nothing_outside(verified: Report, tmp_path: Path) -> None:
    write(verified, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "default-src &#39;none&#39;" in text
    assert "<link" not in text
    assert "src=" not in text
