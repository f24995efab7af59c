"""A sample of the campaign: what is broken is caught and told, what is right is proven, in any spelling."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from tests.verify.campaign.__main__ import complaint
from tests.verify.campaign.subjects import random_subjects
from tests.verify.campaign.trials import Outcome, of_functions, of_weights, unmutated

SEED, PORTS = 31, 10


def assert_as_they_should_be(outcomes: Iterable[Outcome], least: int) -> None:
    """At least so many, and nothing to complain of."""
    found = list(outcomes)
    assert len(found) >= least
    assert not [f"{said} {outcome}" for outcome in found if (said := complaint(outcome))]


def test_right_ports_are_proven_in_any_spelling() -> None:
    subjects = random_subjects(SEED, PORTS)
    assert_as_they_should_be((outcome for subject in subjects for outcome in unmutated(subject, 2)), 2 * PORTS)


def test_broken_weights_are_caught_and_located() -> None:
    subjects = random_subjects(SEED, PORTS)
    assert_as_they_should_be((outcome for subject in subjects for outcome in of_weights(subject, 5)), 4 * PORTS)


def test_other_functions_are_caught_and_told() -> None:
    subjects = islice(random_subjects(SEED + 20, PORTS), 2, PORTS)
    assert_as_they_should_be((outcome for subject in subjects for outcome in of_functions(subject, 4)), 25)
