"""Mutations by the thousand: `python -m tests.verify.campaign [-n PORTS] [--seed S] [--only CASE]`.

Prints what was not as it should be with the case that runs it again, and at the end the counts by kind.
"""

from __future__ import annotations

import argparse
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.verify.campaign import real
from tests.verify.campaign.subjects import Random, random_subjects
from tests.verify.campaign.trials import UNMUTATED, Outcome, of_functions, of_weights, unmutated

Tally = dict[tuple[str, str], Counter[str]]
COLUMNS = ("run", "change outputs", "caught", "place", "nowhere else", "cause", "refused", "false alarms")


def outcomes(subject: Random, given: argparse.Namespace) -> Iterator[Outcome]:
    """All trials of one port."""
    if given.only is None or f"/{UNMUTATED}/" in given.only:
        yield from unmutated(subject, given.spellings)
    if given.only is None or given.only.count("/") == 2:
        yield from of_weights(subject, given.weights, given.only)
    if given.only is None or given.only.count("/") == 1:
        yield from of_functions(subject, given.functions, given.only)


def complaint(outcome: Outcome) -> str:
    """What is not as it should be; empty if nothing."""
    if outcome.false_alarm:
        return "FALSE ALARM"
    if outcome.must_differ and not outcome.caught:
        return "NOT CAUGHT"
    if outcome.kind == UNMUTATED or not outcome.caught or not outcome.must_differ:
        return ""
    if not outcome.place_right:
        return "PLACE"
    return "" if outcome.cause_right else "CAUSE"


def count(tally: Tally, outcome: Outcome) -> None:
    """Adds an outcome to the counts of its kind and of its name."""
    judged = outcome.must_differ and outcome.caught
    found = {
        "run": True,
        "change outputs": outcome.must_differ,
        "caught": judged,
        "place": judged and outcome.place_right,
        "nowhere else": judged and outcome.only_there,
        "cause": judged and outcome.cause_right,
        "refused": outcome.refused,
        "false alarms": outcome.false_alarm,
    }
    for key in ((outcome.kind, ""), (outcome.kind, outcome.name)):
        tally[key].update({name: int(value) for name, value in found.items()})


def table(tally: Tally) -> str:
    """The counts as a Markdown table."""
    lines = [f"| kind | mutation | {' | '.join(COLUMNS)} |", f"|{' --- |' * (len(COLUMNS) + 2)}"]
    for (kind, name), row in sorted(tally.items()):
        lines.append(f"| {kind} | {name} | {' | '.join(str(row[column]) for column in COLUMNS)} |")
    return "\n".join(lines)


def random_outcomes(given: argparse.Namespace) -> Iterator[Iterator[Outcome]]:
    """Trials of random ports, port by port."""
    for subject in random_subjects(given.seed, given.n):
        if given.only is None or given.only.startswith(f"{subject.name}/"):
            yield outcomes(subject, given)


def real_outcomes(given: argparse.Namespace) -> Iterator[Iterator[Outcome]]:
    """Trials of real pairs, pair by pair."""
    for name in real.MAKERS:
        if given.only is None or given.only.startswith(f"{name}/"):
            yield real.outcomes(name, given.weights, given.functions, given.only)


def judged(found: Iterator[Outcome], tally: Tally, *, all_of_them: bool) -> None:
    """Counts outcomes and prints those that are not as they should be."""
    try:
        for outcome in found:
            count(tally, outcome)
            said = complaint(outcome)
            if said or all_of_them:
                print(f"\n{said} {outcome}", flush=True)
    except Exception:
        tally["crashes", ""].update(run=1)
        print(f"\nCRASH\n{traceback.format_exc()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=100, help="random ports")
    parser.add_argument("--seed", type=int, default=0, help="of the first batch of ports")
    parser.add_argument("--weights", type=int, default=10, help="mutations of weights for each port")
    parser.add_argument("--functions", type=int, default=5, help="other functions for each port")
    parser.add_argument("--spellings", type=int, default=3, help="unmutated spellings of each port")
    parser.add_argument("--real", action="store_true", help="real pairs instead of random ports")
    parser.add_argument("--only", help="a case, as printed")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start nothing new after that time")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    tally: Tally = defaultdict(Counter)
    end = time.monotonic() + given.seconds
    for found in real_outcomes(given) if given.real else random_outcomes(given):
        if time.monotonic() > end:
            break
        judged(found, tally, all_of_them=given.only is not None)
    print(table(tally))


if __name__ == "__main__":
    main()
