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
        places: how many places differ, and how many more are spelled differently.
        text: what people read.
    """

    answer: str
    causes: frozenset[str]
    listed: frozenset[str]
    places: tuple[int, int]
    text: str

    @property
    def ok(self) -> bool:
        """Whether it says yes."""
        return self.answer != "different"


def verdict(match: autoport.Match) -> Verdict:
    """Verifies a match whose weights are assigned."""
    verification = match.verify()
    return Verdict(
        answer=str(verification.answer),
        causes=causes(verification),
        listed=listed(match, verification),
        places=(len(verification.divergences), len(verification.spelled)),
        text=str(verification),
    )


def causes(verification: Verification) -> frozenset[str]:
    """Names of all causes."""
    return frozenset(cause.name for divergence in verification.divergences for cause in divergence.causes)


def listed(match: autoport.Match, verification: Verification) -> frozenset[str]:
    """Names of what the report lists as different, operations without a partner included."""
    report = build_report(match.analysis, verification)
    lone = {"one-sided" for row in report.rows if row.one_sided and not row.unread}
    return frozenset(d.name for d in report.differences if not d.training_only) | lone


def check_verdict(match: autoport.Match, differs: frozenset[str]) -> None:
    """Asserts the verdict: yes and no difference listed, or no with exactly the true causes."""
    told = verdict(match)
    assert told.ok == (not differs), told.text
    assert told.causes == differs, told.text
    assert told.ok <= (not told.listed), sorted(told.listed)
