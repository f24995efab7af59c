"""Random architectures: ports are exact, spelling does not matter, edits lead to nothing wrong.

Parts run side by side and draw different examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, seed, settings

from tests.properties.architecture import Architecture
from tests.properties.judge import Case
from tests.properties.properties import Refusal, Tally, edits_are_safe, ports, spelled_alike
from tests.properties.strategies import SEEDS, architectures

Property = Callable[[Case, int, Tally], Iterator[str]]
# The share of ports that may be refused, each with a reason; see what `docs/architecture.md` lists.
MOST_REFUSED = 0.05


def holds(check: Property, part: int) -> None:
    """Draws examples; whatever is found fails at once, except refusals, of which there may be a few."""
    tally = Tally()

    @given(architectures(), SEEDS, SEEDS)
    def draw(architecture: Architecture, first: int, second: int) -> None:
        found = list(check(Case(architecture, first), second, tally))
        assert not [finding for finding in found if not isinstance(finding, Refusal)]

    (seed(part)(draw) if settings().derandomize else draw)()
    assert tally["refused"] <= MOST_REFUSED * tally["ports"], tally


@pytest.mark.parametrize("part", range(2))
def test_a_port_is_exact_and_can_be_undone(part: int) -> None:
    holds(ports, part)


@pytest.mark.parametrize("part", range(10, 12))
def test_the_spelling_does_not_matter(part: int) -> None:
    holds(lambda case, number, tally: spelled_alike(case, (number, number + 1), tally), part)


@pytest.mark.parametrize("part", range(20, 24))
def test_edits_lead_to_nothing_wrong_and_are_reported(part: int) -> None:
    def edited(case: Case, number: int, tally: Tally) -> Iterator[str]:
        yield from edits_are_safe(case, 1, number, tally)
        yield from edits_are_safe(case, 2 + number % 3, number + 1, tally)

    holds(edited, part)
