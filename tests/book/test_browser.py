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


# of one scope with the browser: then all tests of one page follow each other, and it is opened once
@pytest.fixture(scope="module", params=toc())
def opened(request, browser, site):
    """A document, its page in the browser, and what one look at it found."""
    with chrome.guarded(browser) as (page, visit):
        chrome.look(page, visit, f"{site}/{request.param}.html", OWN)
        yield request.param, page, visit


@pytest.fixture
def visit(opened):
    return opened[2]


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


def test_the_pages_that_should_have_mathematics_have_it(opened, html):
    name, _, visit = opened
    assert visit.math["nodes"] == len(parse(html / f"{name}.html").select(".math"))


def test_all_pictures_load(visit):
    assert not visit.broken_images


def test_axe_finds_nothing_serious(visit):
    assert not named(found for found in visit.violations if found["impact"] in SERIOUS)


def test_text_is_readable_in_dark_mode(visit):
    assert not named(visit.dark_contrast)


def test_code_fits_into_its_column(visit):
    assert not visit.wide_code


def test_equations_fit_into_their_column(visit):
    assert not visit.wide_math


def test_nothing_sticks_out_of_a_telephone(visit):
    assert visit.overflow["wide"] <= 0, visit.overflow["out"]


def test_what_is_scrolled_on_a_telephone_shows_it(visit):
    assert not visit.unmarked


def test_letters_of_drawings_can_be_read_on_a_telephone(visit):
    assert not visit.shrunk


def test_no_icon_lies_on_the_titles_of_theorems_and_exercises(opened):
    """Their titles begin at the edge, where the theme would draw one."""
    titles = opened[1].evaluate("""() => [...document.querySelectorAll(
        ":is(div.proof, div.exercise, div.solution) > .admonition-title")]
        .filter(title => getComputedStyle(title, "::after").content.codePointAt(1) > 127)
        .map(title => title.textContent)""")
    assert not titles


def test_sliders_move_by_keyboard(opened, html):
    """After all else on this page: it is left with its sliders moved."""
    name, page, visit = opened
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    sliders = page.locator(".iteration-slider").all()
    assert len(sliders) == len(parse(html / f"{name}.html").select(".iteration-slider"))
    for slider in sliders:
        check_slider(slider)
    assert not visit.errors


def test_there_are_sliders(html):
    assert any(parse(html / f"{name}.html").select(".iteration-slider") for name in toc())


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


def state(slider, frame):
    """The slider once it has come to this frame; how soon does not matter."""
    handle = slider.locator("input").element_handle()
    moved = "([input, frame]) => input.value - input.min === frame"
    slider.page.wait_for_function(moved, arg=[handle, frame])
    found = slider.evaluate(SLIDER)
    assert found["frame"] == frame
    assert found["right"], "other parts are seen than those of the frame"
    assert found["captions"][0]
    assert len(set(found["captions"])) == 1
    return found


def check_slider(slider):
    """One step forward, one back, and to the end."""
    handle = slider.locator("input")
    handle.focus()
    start = state(slider, 0)
    handle.press("ArrowRight")
    moved = state(slider, 1)
    assert start["cursor"] is None or moved["cursor"] != start["cursor"]
    handle.press("ArrowLeft")
    assert state(slider, 0) == start
    handle.press("End")
    state(slider, start["last"])


def test_sliders_play_and_pause(browser, site, html):
    """By a clock of the test's own, so that no machine is too slow for it."""
    name = next(n for n in toc() if parse(html / f"{n}.html").select(".iteration-slider"))
    with chrome.guarded(browser) as (page, visit):
        page.clock.install(time=0)
        page.goto(f"{site}/{name}.html")
        page.clock.pause_at(3600)
        slider = page.locator(".iteration-slider").first
        button = slider.locator("button")
        button.click()
        assert button.text_content() == "Pause"
        page.clock.run_for(1000)
        moved = slider.evaluate(SLIDER)
        assert moved["frame"] == 1
        assert moved["right"]
        button.click()
        assert button.text_content() == "Play"
        page.clock.run_for(1000)
        assert slider.evaluate(SLIDER)["frame"] == 1
        button.click()
        page.clock.run_for(60_000)
        assert slider.evaluate(SLIDER)["frame"] == moved["last"] > 1
        assert button.text_content() == "Play"
        assert not visit.errors


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_search_finds_a_word(browser, site, html, scheme):
    address = site if scheme == "http" else html.as_uri()
    with chrome.guarded(browser) as (page, visit):
        page.goto(f"{address}/search.html?q=Anderson")
        hits = page.locator("#search-results li a")
        hits.first.wait_for()
        assert hits.count() >= 2
        hits.first.click()
        page.wait_for_load_state("load")
        assert "Anderson" in page.locator("article").inner_text()
        assert not visit.foreign
        page.goto(f"{address}/search.html?q=xylophone")
        page.get_by_text("did not match any documents").first.wait_for()


def test_the_guard_sees_requests_to_other_machines(browser, tmp_path):
    """The net of the tests above has no hole: a page that asks elsewhere is noticed."""
    (tmp_path / "page.html").write_text(
        '<html lang="en"><title>t</title><img src="https://example.org/a.png" alt="">'
        '<script src="//example.org/b.js"></script><script>fetch("https://example.org/c")</script>'
    )
    with chrome.served(tmp_path) as address, chrome.guarded(browser) as (page, visit):
        page.goto(f"{address}/page.html")
        for _ in range(100):
            if len(visit.foreign) < 3 or not visit.errors:
                page.wait_for_timeout(100)
        assert {url.rsplit("/")[-1] for url in visit.foreign} == {"a.png", "b.js", "c"}
        assert visit.errors


def test_words_of_code_are_compared_where_they_are_seen(browser, tmp_path):
    """Not only in a closed solution; and however they are nested."""
    words = "<span class=n>name</span> " * 9
    code = f"<pre>{words}</pre>"
    (tmp_path / "page.html").write_text(
        "<!doctype html><html lang=en><title>t</title><style>.n, em { color: #ccc }</style>"
        f"<main><h1>t</h1><details><summary>more</summary>{code}</details>{code}"
        f"<details><summary>more</summary>{code}</details>"
        "<p class=sig>" + "<em class=p><span>long</span></em> " * 9 + "</p></main></html>"
    )
    with chrome.served(tmp_path) as address, chrome.guarded(browser) as (page, _):
        page.goto(f"{address}/page.html")
        before = page.locator("span").count()
        page.evaluate(chrome.THIN)
        assert page.locator("span").count() < before / 3
        page.add_script_tag(path=chrome.AXE)
        violations = page.evaluate(chrome.VIOLATIONS, ["html", {}])
    found = {found["html"] for found in violations if found["rule"] == "color-contrast"}
    assert '<span class="n">name</span>' in found
    assert any("long" in html for html in found)


def test_contrast_is_found_wherever_a_look_is_new(browser, tmp_path):
    """Few of those that look the same are compared: one row in a hundred, and words after letters
    that axe does not judge, are not lost among them."""
    rows = "".join(f"<p>readable {k}</p>" for k in range(100))
    single = "".join(f"<b>{letter}</b> " for letter in "abcdef")
    (tmp_path / "page.html").write_text(
        "<!doctype html><html lang=en><title>t</title><style>p:nth-child(90) { color: #bbb }"
        f"b {{ color: #ccc }}</style><main><h1>t</h1>{rows}{single}<b>words</b></main></html>"
    )
    with chrome.served(tmp_path) as address, chrome.guarded(browser) as (page, _):
        page.goto(f"{address}/page.html")
        page.add_script_tag(path=chrome.AXE)
        violations = page.evaluate(chrome.VIOLATIONS, ["html", {}])
    assert {found["html"] for found in violations if found["rule"] == "color-contrast"} == {
        "<p>readable 88</p>", "<b>words</b>",
    }  # fmt: skip
