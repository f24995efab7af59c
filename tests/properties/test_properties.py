"""Random architectures: ports are exact, spelling does not matter, edits lead to nothing wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.architecture import Architecture
from tests.properties.judge import Case
from tests.properties.properties import Tally, edits_are_safe, ports, spelled_alike
from tests.properties.strategies import SEEDS, architectures


@given(architectures(), SEEDS, SEEDS)
def test_a_port_is_exact_and_can_be_undone(architecture: Architecture, first: int, second: int) -> None:
    assert not list(ports(Case(architecture, first), second, Tally()))


@given(architectures(), SEEDS, SEEDS, SEEDS)
def test_the_spelling_does_not_matter(architecture: Architecture, first: int, second: int, third: int) -> None:
    assert not list(spelled_alike(Case(architecture, first), (second, third), Tally()))


@given(architectures(), SEEDS, st.integers(1, 4))
def test_edits_lead_to_nothing_wrong_and_are_reported(architecture: Architecture, seed: int, count: int) -> None:
    case = Case(architecture, seed)
    for number in range(4):
        assert not list(edits_are_safe(case, count, seed + number, Tally()))
