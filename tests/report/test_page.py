"""The HTML view in a real browser: it loads, folds, selects, finds, and what models say stays text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import autoport
from autoport.report import build_report
from autoport.report.formats import render
from tests.report import models, synthetic
from tests.report.browser import Opened, chromium
from tests.support import randomise_keras
from tests.transformers.oracle import build
from tests.transformers.pairs import PAIRS
from tests.zoo.pairs import app, tv

Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def vgg16() -> str:
    return str(autoport.match(app("VGG16")((225, 250, 3)), tv("vgg16")()).report("html"))


def resnet50() -> str:
    keras_model = app("ResNet50")((37, 50, 3))
    randomise_keras(keras_model, 1)
    match = autoport.match(keras_model, tv("resnet50")())
    match.assign()
    return str(match.report("html", verification=match.verify()))


def bert() -> str:
    (pair,) = (pair for pair in PAIRS if pair.name == "bert")
    built = build(pair)
    match = autoport.match(built.tf, built.target, inputs=built.tf_inputs, torch_inputs=built.torch_inputs)
    return str(match.report("html"))


PAGES: dict[str, Callable[[], str]] = {
    "vgg16": vgg16,
    "resnet50": resnet50,
    "bert": bert,
    "uneven": lambda: str(models.uneven().report("html")),
    "large": lambda: str(render(build_report(synthetic.large(10_000)), "html")),
}


@pytest.fixture(scope="module")
def open_page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Opens a page by its name; each is made once."""
    folder: Path = tmp_path_factory.mktemp("pages")
    opened: list[Opened] = []

    def opening(name: str, **options: Any) -> Opened:
        place = folder / f"{name}.html"
        if not place.exists():
            place.write_text(PAGES[name](), encoding="utf-8")
        opened.append(Opened(browser, place, **options))
        return opened[-1]

    yield opening
    for page in opened:
        assert page.complaints == []
        page.page.close()


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "bert", "large"])
def test_a_page_of_real_models_loads_and_shows_both_graphs(open_page: Open, name: str) -> None:
    page = open_page(name)
    for side in ("tf", "torch"):
        assert "input" in page.titles(side)
        assert len(page.titles(side)) > 3
    assert "Matched" in page.page.locator("header").inner_text()
    assert page.complaints == []


def test_first_paint_of_resnet50_takes_less_than_two_seconds(open_page: Open) -> None:
    assert open_page("resnet50").first_paint < 2


def test_matched_layers_stand_at_the_same_height_and_are_selected_together(open_page: Open) -> None:
    page = open_page("resnet50")
    page.page.click(page.head("tf", "conv1_bn"))
    assert page.selected() == ["conv1_bn", "bn1"]
    tops = [page.page.locator(".selected").nth(k).bounding_box() for k in (0, 1)]
    assert tops[0] is not None
    assert tops[1] is not None
    assert tops[0]["y"] == tops[1]["y"]
    page.page.hover(page.head("torch", "conv1"))
    assert page.page.locator(".hovered .name").all_text_contents() == ["conv1_conv", "conv1"]


def test_details_say_what_differs_why_and_how_to_mend_it(open_page: Open) -> None:
    page = open_page("resnet50")
    page.page.click(page.head("torch", "bn1"))
    text = page.details()
    for said in (
        "epsilon",
        "1.001e-05",
        "1e-05",
        "Confirmed",
        "set `eps` of bn1 to 1.001e-05",
        "bn1.running_mean",
        "(64)",
    ):
        assert said in text
    assert "relative error" in text


def test_a_block_unfolds_and_folds_on_click(open_page: Open) -> None:
    page = open_page("resnet50")
    assert "conv2" not in page.titles("torch")
    page.page.click(page.head("torch", "layer1.0"))
    assert "conv2_block1_2_conv" in page.titles("tf")
    assert "conv2" in page.titles("torch")
    page.page.click(page.head("tf", "conv2_block1_*"))
    assert "conv2" not in page.titles("torch")


def test_both_sides_scroll_together(open_page: Open) -> None:
    page = open_page("resnet50")
    scrollers = page.page.locator(".scroller")
    scrollers.nth(0).evaluate("pane => { pane.scrollTop = 640; }")
    page.wait_for("document.querySelectorAll('.scroller')[1].scrollTop === 640")
    scrollers.nth(1).evaluate("pane => { pane.scrollTop = 200; }")
    page.wait_for("document.querySelectorAll('.scroller')[0].scrollTop === 200")


def test_keys_go_through_the_differences_and_the_hierarchy(open_page: Open) -> None:
    page = open_page("resnet50")
    page.press("n")
    assert page.selected() == ["conv1_bn", "bn1"]
    page.press("n")
    assert page.selected() == ["conv2_block1_1_bn", "bn1"]
    page.press("ArrowDown")
    assert page.selected()[1] == "relu"
    page.press("ArrowLeft", "ArrowLeft")
    assert page.selected() == ["conv2_block1_*", "layer1.0"]
    assert "conv2_block1_1_bn" not in page.titles("tf")
    page.press("ArrowRight", "ArrowRight")
    assert page.selected()[1] == "conv1"
    page.press("p")
    assert page.selected() == ["conv1_bn", "bn1"]
    assert page.page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(
        "conv1_bn, BatchNormalization"
    )
    page.press("?")
    assert page.page.locator("#help").is_visible()
    page.press("Escape", "Escape")
    assert page.selected() == []


def test_search_finds_layers_and_weights_inside_of_folded_blocks(open_page: Open) -> None:
    page = open_page("resnet50")
    page.press("/")
    page.page.keyboard.type("layer4.2 bn3")
    assert page.page.locator("#results .place").all_text_contents() == ["conv5_block3_3_bn | layer4.2.bn3"]
    page.press("Enter")
    assert page.selected() == ["conv5_block3_3_bn", "bn3"]
    page.page.fill("#search", "layer3.1.bn2.running_var")
    assert page.page.locator("#results .place").count() == 1
    page.page.fill("#search", "no such layer")
    assert "nothing found" in page.page.locator("#results").inner_text()


def test_a_status_can_be_left_out(open_page: Open) -> None:
    page = open_page("resnet50")
    page.page.click('#filters button:has-text("!")')
    assert page.page.locator(".dimmed .name", has_text="conv1_bn").count() == 1
    assert page.page.locator(".finding:visible", has_text="epsilon").count() == 0
    page.page.click('#filters button:has-text("!")')
    assert page.page.locator(".dimmed").count() == 0


def test_findings_are_told_once_and_lead_to_their_places(open_page: Open) -> None:
    page = open_page("resnet50")
    finding = page.page.locator(".finding", has_text="epsilon")
    assert finding.locator(".number").inner_text() == "53"
    finding.locator("summary").click()
    finding.locator(".place").nth(52).click()
    assert page.selected() == ["conv5_block3_3_bn", "bn3"]


def test_what_only_one_model_has_leaves_a_gap_in_the_other(open_page: Open) -> None:
    page = open_page("uneven")
    assert page.page.locator('[data-side="tf"] .only-tf .badge').all_text_contents() == ["-"]
    assert page.page.locator('[data-side="torch"] .only-torch .badge').all_text_contents() == ["+"]
    assert page.page.locator(".gap").count() == 2
    page.press("n")
    assert "How to mend it".lower() in page.details().lower()


def test_ten_thousand_operations_answer_at_once(open_page: Open) -> None:
    page = open_page("large")
    assert page.page.locator(".head").count() < 400
    took = page.page.evaluate(
        "() => { const start = performance.now(); moveToDifference(1); return performance.now() - start; }"
    )
    assert took < 2000
    assert page.selected() == ["first", "first"]
    page.press("e")
    page.wait_for("document.getElementById('messages').textContent.includes('Unfolded as far')")
    assert page.page.locator(".head").count() < 1000
    page.press("c")
    assert page.page.locator(".head").count() < 10


def test_light_and_dark(open_page: Open) -> None:
    page = open_page("uneven", color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.page.evaluate(colour)
    page.press("t")
    assert page.page.evaluate(colour) == "rgb(255, 255, 255)" != dark


def test_on_paper_everything_that_is_unfolded_is_there(open_page: Open) -> None:
    page = open_page("resnet50")
    on_screen = page.page.locator(".head").count()
    page.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.page.locator(".head").count() > on_screen
    page.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.page.locator(".head").count() == on_screen


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '"><b>x',
    "&lt;&amp;",
    "{{7*7}}",
    "__proto__",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text(browser: Browser, tmp_path: Path, name: str) -> None:
    place = tmp_path / "page.html"
    models.named(name).report(output=place)
    page = Opened(browser, place)
    page.page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
    assert name in page.titles("torch")
    page.page.locator('[data-side="torch"] .head').nth(1).click()
    assert name in page.details()
    assert page.page.locator("img, #details b").count() == 0
    assert page.complaints == []
    page.page.close()
