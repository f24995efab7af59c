"""Tables leave out what says nothing new, and put rows below the blocks they belong to."""

from __future__ import annotations

import functools

import pytest

from autoport.report import Report, build_report
from autoport.report.rows.blocks import LIMIT, label
from autoport.report.views.folding import Fold, Heading, Line, fold_rows
from autoport.report.views.table import render_table
from tests.report import models, synthetic


@functools.cache
def encoders(flat: bool = False) -> Report:
    """Forty layers, of which one lacks a norm and one has another epsilon."""
    return build_report(synthetic.large(480, flat=flat))


def test_long_runs_of_nothing_new_are_one_line() -> None:
    lines = fold_rows(encoders())
    assert len(lines) < 60
    shown = sum(isinstance(line, Line) for line in lines)
    hidden = sum(len(line.rows) for line in lines if isinstance(line, Fold))
    assert shown + hidden == len(encoders().listed)
    assert all(
        row.status.value == "=" or row.differences for line in lines if isinstance(line, Fold) for row in line.rows
    )


def test_what_is_wrong_is_never_left_out() -> None:
    shown = [line.row for line in fold_rows(encoders()) if isinstance(line, Line)]
    assert {row for row in encoders().rows if row.one_sided} <= set(shown)
    assert any(row.differences for row in shown)


def test_a_fold_says_how_many_and_where() -> None:
    fold = next(line for line in fold_rows(encoders()) if isinstance(line, Fold))
    mark, number, places, what = fold.cells
    assert (mark, number) == ("..", f"{len(fold.rows)} rows")
    assert places.startswith("layers.0.")
    assert what == f"nothing new: {len(fold.rows)} ="


def test_blocks_are_headed_and_paths_below_are_short() -> None:
    lines = fold_rows(encoders())
    heading = next(line for line in lines if isinstance(line, Heading))
    assert (heading.tf, heading.torch) == ("layers/0", "layers.0")
    first = next(line for line in lines if isinstance(line, Line))
    assert first.cells[1:3] == ("attention/query\n(Dense)", "attention.query\n(Dense)")


def test_flat_keras_layers_are_headed_by_what_their_names_share() -> None:
    heading = next(line for line in fold_rows(encoders(flat=True)) if isinstance(line, Heading))
    assert (heading.tf, heading.torch) == ("layers_0_*", "layers.0")


def test_flat_models_have_no_headings() -> None:
    assert not any(isinstance(line, (Heading, Fold)) for line in fold_rows(build_report(models.uneven().analysis)))


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_table_fits_every_width(width: int) -> None:
    assert max(map(len, render_table(encoders(), width).splitlines())) <= width


def test_no_block_has_more_members_than_a_layout_takes() -> None:
    drawing = build_report(synthetic.large(5_000, flat=True)).drawing
    members: dict[object, int] = {}
    for group in (*(node.group for node in drawing.nodes), *(group.parent for group in drawing.groups)):
        members[group] = members.get(group, 0) + 1
    assert max(members.values()) <= LIMIT


def test_nodes_of_one_side_stand_with_their_neighbours() -> None:
    drawing = encoders().drawing
    lonely = next(
        node for node in drawing.nodes if node.torch is None and node.tf and node.tf.operation == "layer_norm"
    )
    assert lonely.group is not None
    assert drawing.groups[lonely.group].torch.startswith("layers")


@pytest.mark.parametrize(
    ("paths", "side", "shared"),
    [
        (["a.b.c", "a.b.d"], "torch", "a.b"),
        (["a/b", "c"], "tf", ""),
        (["conv2_block1_1", "conv2_block1_2"], "tf", "conv2_block1_*"),
        (["one"], "tf", "one"),
        ([], "tf", ""),
    ],
)
def test_a_block_is_called_by_what_its_layers_share(paths: list[str], side: str, shared: str) -> None:
    assert label(paths, side) == shared
