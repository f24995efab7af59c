"""What people are told of a pair: the verdict, the causes, and whether a report still lists a difference."""

from __future__ import annotations

from dataclasses import dataclass

import autoport
from autoport.report import build_report
from autoport.verify.verification import Verification


@dataclass(frozen=True)
class Verdict:
    """The answer of a verification.

    Attributes:
        answer: in one word.
        causes: names of all causes.
        listed: names of the differences that the report lists all the same.
        error: the largest of an output, relative.
        places: how many places differ, and how many more are spelled differently.
        text: what people read.
    """

    answer: str
    causes: frozenset[str]
    listed: frozenset[str]
    error: float
    places: tuple[int, int]
    text: str

    @property
    def ok(self) -> bool:
        """Whether it says yes."""
        return self.answer != "different"

    def check(self, differs: frozenset[str], lists: frozenset[str] = frozenset()) -> None:
        """Asserts that it is true: yes, and the report lists nothing; or no, with the causes that there are.

        Args:
            differs: the causes.
            lists: what the report of an equal pair lists all the same.
        """
        assert self.ok == (not differs), self.text
        assert self.causes == differs, self.text
        assert not self.ok or self.listed == lists, sorted(self.listed)


def verdict(match: autoport.Match) -> Verdict:
    """Verifies a match whose weights are assigned."""
    verification = match.verify()
    return Verdict(
        answer=str(verification.answer),
        causes=causes(verification),
        listed=listed(match, verification),
        error=verification.relative,
        places=(len(verification.divergences), len(verification.spelled)),
        text=str(verification),
    )


def causes(verification: Verification) -> frozenset[str]:
    """Names of all causes."""
    return frozenset(cause.name for divergence in verification.divergences for cause in divergence.causes)


def listed(match: autoport.Match, verification: Verification) -> frozenset[str]:
    """Names of what makes the report say that the two are not the same."""
    report = build_report(match.analysis, verification)
    named = frozenset(difference.name for difference in report.differences if not difference.training_only)
    return named or frozenset(() if report.same or not verification.ok else ("one-sided",))
