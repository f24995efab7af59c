"""The HTML view: a self-contained page, and a table for notebooks.

The page uses dagre (`vendor/`) for layout, because it does layered layouts, top to bottom, in 50 KB under the MIT
licence and without a worker; elkjs does more in 1.5 MB. Drawing, folding and keys are our own. Names of models reach
the page as JSON in which no tag can be opened, and the page sets them as text. A content security policy forbids all
other scripts and every request.
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

STYLE_FILES = ("theme.css", "page.css", "graph.css")
SCRIPT_FILES = (
    "vendor/dagre.min.js",
    "model.js",
    "layout.js",
    "panes.js",
    "details.js",
    "state.js",
    "search.js",
    "app.js",
)
# Characters that are plain in JSON, and may open a tag or an entity in a page.
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
        The page; it has no reference to another file or address.

    Example:
        >>> Path("report.html").write_text(render_html(report), encoding="utf-8")  # doctest: +SKIP
    """
    scripts = [_asset(name) for name in SCRIPT_FILES]
    return _template("page.html.j2").render(
        report=report,
        summary=summary(report),
        sides=(("tf", "Keras", printable(report.tf_name)), ("torch", "PyTorch", printable(report.torch_name))),
        keys=KEYS,
        text=render_table(report),
        styles=[_asset(name) for name in STYLE_FILES],
        scripts=scripts,
        policy=_policy(scripts),
        data=embed(as_dict(report)),
    )


def render_notebook(report: Report) -> str:
    """A report as an HTML table without scripts, for notebooks."""
    return _template("notebook.html.j2").render(summary=summary(report), lines=lines_of(report))


def embed(document: object) -> str:
    """JSON that is safe in a page: nothing in it opens a tag.

    Example:
        >>> embed(["</script>"])
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
