"""The HTML view: one page that needs nothing else, and what a notebook shows.

The graphs are laid out by dagre (`vendor/`), which was chosen because it does layered layouts, top to
bottom, in 50 KB under the MIT licence and without a worker; elkjs does more in 1.5 MB. Drawing, folding and keys
are ours. What comes from models reaches the page as JSON in which no tag can be opened, and is set as text
there; a policy in the page lets nothing else run, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files

import jinja2

from autoport.report.rows.rows import Report
from autoport.report.views.folding import lines_of
from autoport.report.views.json_view import as_dict
from autoport.report.views.lines import printable
from autoport.report.views.summary import summary
from autoport.report.views.table import render_table

STYLES = ("theme.css", "page.css", "graph.css")
SCRIPTS = ("vendor/dagre.min.js", "model.js", "layout.js", "panes.js", "details.js", "state.js", "search.js", "app.js")
# What may stand in JSON, and in a page may begin something else.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
KEYS = (
    (("↑", "↓"), "previous and next box"),
    (("→", "←"), "unfold and go in, fold and go out"),
    (("Enter", "Space"), "fold or unfold the selected block"),
    (("n", "p"), "next and previous difference"),
    (("/",), "search; Enter goes to the next place found"),
    (("e", "c"), "unfold everything, fold everything"),
    (("+", "-", "0"), "larger, smaller, as wide as the pane"),
    (("t",), "light or dark"),
    (("Esc",), "select nothing"),
    (("?",), "these keys"),
)


def render_html(report: Report) -> str:
    """A report as one HTML page, with both graphs side by side.

    Args:
        report: the rows of a match.

    Returns:
        The page; it refers to nothing outside of itself.

    Example:
        >>> Path("report.html").write_text(render_html(report), encoding="utf-8")  # doctest: +SKIP
    """
    scripts = [_asset(name) for name in SCRIPTS]
    return _template("page.html.j2").render(
        report=report,
        summary=summary(report),
        sides=(("tf", "Keras", printable(report.tf_name)), ("torch", "PyTorch", printable(report.torch_name))),
        keys=KEYS,
        text=render_table(report),
        styles=[_asset(name) for name in STYLES],
        scripts=scripts,
        policy=_policy(scripts),
        data=embedded(as_dict(report)),
    )


def render_notebook(report: Report) -> str:
    """A report as an HTML table without scripts, for notebooks."""
    return _template("notebook.html.j2").render(summary=summary(report), lines=lines_of(report))


def embedded(document: object) -> str:
    """JSON that can stand in a page: nothing in it opens a tag.

    Example:
        >>> embedded(["</script>"])
        '["\\\\u003c/script\\\\u003e"]'
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _policy(scripts: list[str]) -> str:
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}"


@cache
def _asset(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _template(name: str) -> jinja2.Template:
    loader = jinja2.PackageLoader("autoport.report", "html")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined).get_template(name)
