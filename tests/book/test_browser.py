"""The built book in a browser: every page opens, reads well for everybody, and stays at home.

Needs Chromium, as Debian has it, and skips without one; .ci/run installs it.
"""

import pytest

from . import browser as chrome
from .conftest import parse, toc

SERIOUS = ("serious", "critical")
# What axe finds in the theme and we leave as it is: rule -> (part of the element, reason).
THEME: dict[str, tuple[str, str]] = {}
# our own parts of a page, whose text has to be readable in dark mode
OWN = (
    "figcaption, table.certificate, table.ledger, table.status, "
    ".iteration-slider, .restoration-explorer"
)


@pytest.fixture(scope="module")
def browser():
    with chrome.chromium() as running:
        yield running


@pytest.fixture(scope="module")
def site(html):
    with chrome.served(html) as address:
        yield address


@pytest.fixture(scope="module")
def visits(browser, site):
    """Document -> what one look at it found; each page is opened once for all tests."""
    seen: dict[str, chrome.Visit] = {}

    def visit(name):
        if name not in seen:
            seen[name] = chrome.look(browser, f"{site}/{name}.html", OWN)
        return seen[name]

    return visit


@pytest.fixture(params=toc())
def visit(request, visits):
    return visits(request.param)


def named(violations):
    """Violations one per line, without what the theme is known for."""
    lines = []
    for found in violations:
        part, _ = THEME.get(found["rule"], (None, ""))
        if part is None or part not in found["html"]:
            lines.append("{rule} ({impact}): {target}\n  {html}\n  {why}".format(**found))
    return "\n".join(lines)


def test_nothing_goes_wrong_on_the_page(visit):
    assert not visit.errors


def test_no_request_leaves_this_machine(visit):
    assert not visit.foreign


def test_all_mathematics_is_typeset(visit):
    assert not visit.math["errors"]
    assert visit.math["typeset"] == visit.math["nodes"]


def test_the_pages_that_should_have_mathematics_have_it(visits, html):
    for name in toc():
        formulas = len(parse(html / f"{name}.html").select(".math"))
        assert visits(name).math["nodes"] == formulas, name


def test_all_pictures_load(visit):
    assert not visit.broken_images


def test_axe_finds_nothing_serious(visit):
    assert not named(found for found in visit.violations if found["impact"] in SERIOUS)


def test_text_is_readable_in_dark_mode(visit):
    assert not named(visit.dark_contrast)


def test_code_fits_into_its_column(visit):
    assert not visit.wide_code


def test_nothing_sticks_out_of_a_telephone(visit):
    assert visit.overflow["wide"] <= 0, visit.overflow["out"]


def test_what_is_scrolled_on_a_telephone_shows_it(visit):
    assert not visit.unmarked


def test_sliders_move_by_keyboard(browser, site, html):
    pages = [name for name in toc() if parse(html / f"{name}.html").select(".iteration-slider")]
    assert pages, "no page has a slider"
    for name in pages:
        with chrome.guarded(browser) as (page, visit):
            page.goto(f"{site}/{name}.html")
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            for slider in page.locator(".iteration-slider").all():
                check_slider(slider)
            assert not visit.errors


SLIDER = """slider => {
  const input = slider.querySelector("input");
  const parts = [...slider.querySelectorAll("[data-frame]")];
  const frame = String(input.value - input.min);
  return {
    frame: Number(frame),
    right: parts.every(part => {
      const seen = getComputedStyle(part).display !== "none";
      return seen === part.dataset.frame.split(" ").includes(frame);
    }),
    captions: [slider.querySelector("output").textContent, input.getAttribute("aria-valuetext")],
    cursor: slider.querySelector(".cursor")?.getAttribute("transform"),
    last: input.max - input.min,
  };
}"""


def check_slider(slider):
    """One step forward, one back, and to the end."""
    handle = slider.locator("input")

    def state():
        found = slider.evaluate(SLIDER)
        assert found["right"], "other parts are seen than those of the frame"
        assert found["captions"][0]
        assert len(set(found["captions"])) == 1
        return found["frame"], found["cursor"]

    handle.focus()
    start, cursor = state()
    assert start == 0
    handle.press("ArrowRight")
    moved, moved_cursor = state()
    assert moved == 1
    assert cursor is None or moved_cursor != cursor
    handle.press("ArrowLeft")
    assert state() == (start, cursor)
    handle.press("End")
    assert state()[0] == slider.evaluate(SLIDER)["last"]


def test_sliders_play_and_pause(browser, site, html):
    name = next(n for n in toc() if parse(html / f"{n}.html").select(".iteration-slider"))
    with chrome.guarded(browser) as (page, visit):
        page.goto(f"{site}/{name}.html")
        slider = page.locator(".iteration-slider").first
        button = slider.locator("button")
        button.click()
        assert button.text_content() == "Pause"
        page.wait_for_timeout(1000)
        moved = slider.evaluate(SLIDER)
        assert moved["frame"] >= 1
        assert moved["right"]
        button.click()
        assert button.text_content() == "Play"
        stopped = slider.evaluate(SLIDER)["frame"]
        page.wait_for_timeout(1000)
        assert slider.evaluate(SLIDER)["frame"] == stopped
        assert not visit.errors


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_search_finds_a_word(browser, site, html, scheme):
    address = site if scheme == "http" else html.as_uri()
    with chrome.guarded(browser) as (page, visit):
        page.goto(f"{address}/search.html?q=Anderson")
        hits = page.locator("#search-results li a")
        hits.first.wait_for(timeout=15_000)
        assert hits.count() >= 2
        hits.first.click()
        page.wait_for_load_state("load")
        assert "Anderson" in page.locator("article").inner_text()
        assert not visit.foreign
        page.goto(f"{address}/search.html?q=xylophone")
        page.get_by_text("did not match any documents").first.wait_for(timeout=15_000)


def test_the_guard_sees_requests_to_other_machines(browser, tmp_path):
    """The net of the tests above has no hole: a page that asks elsewhere is noticed."""
    (tmp_path / "page.html").write_text(
        '<html lang="en"><title>t</title><img src="https://example.org/a.png" alt="">'
        '<script src="//example.org/b.js"></script><script>fetch("https://example.org/c")</script>'
    )
    with chrome.served(tmp_path) as address, chrome.guarded(browser) as (page, visit):
        page.goto(f"{address}/page.html")
        page.wait_for_timeout(200)
        assert {url.rsplit("/")[-1] for url in visit.foreign} == {"a.png", "b.js", "c"}
        assert visit.errors
