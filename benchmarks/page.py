"""Seconds until a person sees the HTML report: `python -m benchmarks.page [-o FILE]`.

ResNet50 against torchvision's with its differences, verified, and encoders of a thousand and of ten thousand
operations, in a headless Chromium. Every row is measured in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from autoport.report import Report, build_report
from benchmarks.apart import MEBIBYTE, Page, apart, arguments_parser, head, row
from benchmarks.speed import timed

COLUMNS = ("operations", "HTML s", "MiB", "first paint s", "drawn s", "next difference s", "unfold a block s")
# Scripts stand at the end of the page: when it has been read, the graphs are there.
DRAWN = "() => { const [page] = performance.getEntriesByType('navigation'); return page.domContentLoadedEventEnd; }"
FIND = "() => { const start = performance.now(); moveToDifference(1); return performance.now() - start; }"
UNFOLD = """() => {
    const visible = (item) => ancestors(item).every((up) => up === ROOT || unfolded.has(up));
    const group = GROUPS.find((group) => visible(group) && !unfolded.has(group)) || GROUPS[0];
    const start = performance.now();
    toggle(group);
    return performance.now() - start;
}"""


def resnet50() -> Report:
    """ResNet50 with errors and causes."""
    import autoport
    from tests.zoo.pairs import app, tv

    match = autoport.match(app("ResNet50")((77, 102, 3)), tv("resnet50")())
    match.assign()
    return build_report(match.analysis, match.verify())


def encoder(size: int) -> Callable[[], Report]:
    """An encoder of so many operations."""

    def make() -> Report:
        from tests.report.synthetic import large

        return build_report(large(size))

    return make


SCRIPTS = {"drawn": DRAWN, "find": FIND, "unfold": UNFOLD}
MODELS = {
    "ResNet50 ~ torchvision": resnet50,
    "encoder, 1,000 operations": encoder(1_000),
    "encoder, 10,000 operations": encoder(10_000),
}


def measure(name: str) -> dict[str, float]:
    """One row, in this process."""
    from autoport.report.html import render_html
    from tests.report.browser import Opened, chromium

    report = MODELS[name]()
    text, _, making = timed(lambda: render_html(report))
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        place = Path(folder, "page.html")
        place.write_text(text, encoding="utf-8")
        opened = Opened(browser, place)
        figures = {"paint": opened.first_paint}
        figures |= {key: opened.page.evaluate(script) / 1000 for key, script in SCRIPTS.items()}
    return {"nodes": len(report.drawing.nodes), "making": making, "size": len(text.encode()) / MEBIBYTE, **figures}


def main() -> None:
    parser = arguments_parser(__doc__)
    parser.add_argument("--measure", metavar="NAME", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return
    page = Page(given.output)
    page.add(*head(["report", *COLUMNS]))
    for name in MODELS:
        found = apart("benchmarks.page", "--measure", name)
        seconds = (f"{found[key]:.2f}" for key in ("paint", *SCRIPTS))
        page.add(row([name, found["nodes"], f"{found['making']:.1f}", f"{found['size']:.1f}", *seconds]))


if __name__ == "__main__":
    main()
