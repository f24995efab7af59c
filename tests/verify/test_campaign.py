"""A sample of the campaign: what is broken is caught and told, what is right is proven, in any spelling."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.verify.campaign.__main__ import complaint
from tests.verify.campaign.subjects import Random, random_subjects
from tests.verify.campaign.trials import Outcome, of_functions, of_weights, unmutated

SEED, PORTS = 51, 8


@pytest.fixture(scope="module")
def subjects() -> list[Random]:
    return list(random_subjects(SEED, PORTS))


def assert_as_they_should_be(outcomes: Iterable[Outcome], least: int) -> None:
    """At least so many, and nothing to complain of."""
    found = list(outcomes)
    assert len(found) >= least
    assert not [f"{said} {outcome}" for outcome in found if (said := complaint(outcome))]


def test_right_ports_are_proven_in_any_spelling(subjects: list[Random]) -> None:
    assert_as_they_should_be((outcome for subject in subjects for outcome in unmutated(subject, 2)), 2 * PORTS)


def test_broken_weights_are_caught_and_located(subjects: list[Random]) -> None:
    assert_as_they_should_be((outcome for subject in subjects for outcome in of_weights(subject, 4)), 3 * PORTS)


def test_other_functions_are_caught_and_told(subjects: list[Random]) -> None:
    assert_as_they_should_be((outcome for subject in subjects for outcome in of_functions(subject, 3)), 2 * PORTS)
