"""One browser for the tests of the built book, cut off from every other machine."""

import contextlib
import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

AXE = Path(__file__).with_name("axe") / "axe.min.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # a name that is not this machine is not even looked up
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
USUAL = {"width": 1200, "height": 900}
PATIENCE = 600_000
"""Milliseconds for what happens at once on a machine that has nothing else to do."""
WIDE_CODE = """() => [...document.querySelectorAll(".cell_input pre")]
  .filter(cell => cell.scrollWidth > cell.clientWidth + 1)
  .map(cell => cell.textContent.slice(0, 60))"""
WIDE_MATH = """() => [...document.querySelectorAll("div.math > mjx-container")]
  .filter(box => box.scrollWidth > box.clientWidth + 2)
  .map(box => box.closest(".math").id || box.closest(".math").textContent.slice(0, 60))"""

MATH = """async () => {
  const nodes = document.querySelectorAll(".math").length;
  if (nodes) {
    while (!window.MathJax?.startup?.promise) await new Promise(done => setTimeout(done, 20));
    await MathJax.startup.promise;
  }
  // an unknown command is no error to MathJax: it is written out in red
  const wrong = "[data-mml-node=merror], mjx-merror, mjx-container mjx-mtext[style*='red']";
  const errors = [...document.querySelectorAll(wrong)];
  return {
    nodes,
    typeset: document.querySelectorAll(".math > mjx-container").length,
    errors: errors.map(error => error.closest(".math")?.textContent ?? error.textContent),
  };
}"""
BROKEN_IMAGES = """async () => {
  const images = [...document.querySelectorAll("article img")];
  await Promise.all(images.map(image => image.decode().catch(() => {})));
  return images.filter(image => !image.naturalWidth).map(image => image.alt || image.src);
}"""
# how far the page is wider than the screen, and what sticks out of it
OVERFLOW = """() => {
  const wide = document.scrollingElement.scrollWidth - window.innerWidth;
  const inside = element => {
    for (let up = element.parentElement; up; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== "visible" && up !== document.body
          && up !== document.documentElement) return true;
    return false;
  };
  const out = wide <= 0 ? [] : [...document.querySelectorAll("body *")].filter(element =>
    element.getBoundingClientRect().right > window.innerWidth + 1 && !inside(element));
  return { wide, out: out.slice(0, 5).map(element => element.outerHTML.slice(0, 120)) };
}"""
# equations and tables that are wider than their box, and do not fade where they go on
UNMARKED = """async () => {
  const boxes = [...document.querySelectorAll(
    "div.math > mjx-container, .pst-scrollable-table-container")];
  const unmarked = () => boxes.filter(box => box.scrollWidth > box.clientWidth + 2
    && !box.classList.contains("more-after"));
  // the page is told of its new width a while after it has it, a long one on a slow machine
  for (let k = 0; k < 100 && (k === 0 || unmarked().length); k++)
    await new Promise(done => setTimeout(done, 100));
  return unmarked().map(box => (box.closest(".math")?.id || box.textContent.slice(0, 60)));
}"""
# drawings whose letters, 14 pixels tall when they are drawn, are smaller than 6 on this screen
SHRUNK = """() => {
  const closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach(part => { part.open = true; });
  const small = [...document.querySelectorAll(".cell_output :is(img.plot, .panels img)")]
    .filter(image => image.offsetWidth && image.offsetWidth < 0.44 * image.naturalWidth)
    .map(image => `${image.alt.slice(0, 60)}: ${image.offsetWidth} of ${image.naturalWidth}`);
  closed.forEach(part => { part.open = false; });
  return small;
}"""
# Nearly all elements of a chapter are letters of formulas, which axe does not judge, and words of
# code, of which a thousand look the same: it would take five times as long to find nothing more.
THIN = """() => {
  document.querySelectorAll("mjx-container").forEach(math => math.replaceChildren());
  const words = "pre span, code span, .sig :is(span, em), dd :is(em, strong)";
  for (let round = 0; round < 2; round++) {  // the inner ones first
    const count = new Map();
    const twins = [...document.querySelectorAll(words)].filter(word => {
      if (word.children.length || [...word.attributes].some(own => own.name !== "class"))
        return false;
      const ground = word.closest("pre, dt, dd, p");
      const look = [word.className, word.parentElement.className,
        word.closest("[class*=highlight-]")?.className, ground?.className,
        ground && getComputedStyle(ground).backgroundColor, word.checkVisibility(),
        Math.min(word.textContent.trim().length, 2)].join();
      count.set(look, (count.get(look) ?? 0) + 1);
      return count.get(look) > 3;
    });
    twins.forEach(word => word.replaceWith(...word.childNodes));
  }
}"""
# Contrast is most of axe's work, and hundreds of words of code have the same: of the elements that
# look the same, within parents that do, three are compared with their background. Letters that
# stand alone count apart, since axe does not judge them.
VIOLATIONS = """async ([where, options]) => {
  const looks = new Map(), count = new Map();
  const compare = (element, above) => {
    const style = getComputedStyle(element);
    const text = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE)
      .map(node => node.data).join("").trim();
    const look = [above, element.tagName, Math.min(text.length, 2), style.color,
      style.backgroundColor, style.backgroundImage, style.opacity, style.fontSize,
      style.fontWeight, style.textShadow, style.display, style.visibility, style.position].join();
    if (!looks.has(look)) looks.set(look, looks.size);
    const number = looks.get(look);
    count.set(number, (count.get(number) ?? 0) + 1);
    element.toggleAttribute("data-twin", count.get(number) > 3);
    for (const child of element.children) compare(child, number);
  };
  compare(document.documentElement, -1);
  axe.configure({ rules: [{ id: "color-contrast", selector: "*:not([data-twin])" }] });
  const found = await axe.run(where, { resultTypes: ["violations"], ...options });
  return found.violations.flatMap(rule => rule.nodes.map(node => ({
    rule: rule.id, impact: rule.impact, help: rule.help,
    target: node.target.flat().join(" "), html: node.html.slice(0, 200),
    why: node.any.map(check => check.message).join("; "),
  })));
}"""


@dataclass
class Visit:
    """What one look at one page found.

    Attributes:
        errors: messages of the console and uncaught exceptions.
        foreign: addresses on other machines that the page asked for.
        math: number of formulas, of those typeset, and the text of those that failed.
        broken_images: alternative texts of the pictures that did not load.
        violations: what axe found in light mode.
        dark_contrast: what axe found of the contrast of our own parts in dark mode.
        wide_code: cells of code that are scrolled sideways on a screen of 1200 pixels.
        wide_math: equations that are.
        overflow: pixels that the page is wider than a telephone, and the culprits.
        unmarked: what is scrolled sideways on a telephone, and does not show it.
        shrunk: drawings whose letters are too small on a telephone.
    """

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    math: dict[str, Any] = field(default_factory=dict)
    broken_images: list[str] = field(default_factory=list)
    violations: list[dict[str, str]] = field(default_factory=list)
    dark_contrast: list[dict[str, str]] = field(default_factory=list)
    wide_code: list[str] = field(default_factory=list)
    wide_math: list[str] = field(default_factory=list)
    overflow: dict[str, Any] = field(default_factory=dict)
    unmarked: list[str] = field(default_factory=list)
    shrunk: list[str] = field(default_factory=list)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A server of files that does not write a line for every file."""

    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address under which a folder is served to this machine while the block lasts."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser of this machine; skips the tests, with the reason, where none is."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the path")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def guarded(browser: Any, **options: Any) -> Iterator[tuple[Any, Visit]]:
    """A page that reaches this machine only, and the record of what goes wrong on it."""
    visit = Visit()
    context = browser.new_context(viewport=WIDE, color_scheme="light", **options)

    def gate(route: Any) -> None:
        address = urlsplit(route.request.url)
        if address.hostname == "127.0.0.1" or address.scheme in ("data", "blob", "file"):
            route.continue_()
        else:
            visit.foreign.append(route.request.url)
            route.abort()

    def note(message: Any) -> None:
        if message.type == "error" and not message.location["url"].endswith("/favicon.ico"):
            visit.errors.append(f"{message.text} ({message.location['url']})")

    context.route("**/*", gate)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("console", note)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    yield page, visit
    context.close()


def look(page: Any, visit: Visit, address: str, own: str) -> None:
    """Open one page, and look at it in light, on a narrow screen, and in dark.

    ``own`` selects the parts whose contrast is looked at in dark mode. Afterwards the page is in
    light mode and wide again, without its formulas and with most words of code in one colour.
    """
    page.goto(address, wait_until="load")
    visit.math = page.evaluate(MATH)
    visit.broken_images = page.evaluate(BROKEN_IMAGES)
    page.set_viewport_size(USUAL)
    visit.wide_code = page.evaluate(WIDE_CODE)
    visit.wide_math = page.evaluate(WIDE_MATH)
    page.set_viewport_size(NARROW)
    visit.overflow = page.evaluate(OVERFLOW)
    visit.unmarked = page.evaluate(UNMARKED)
    visit.shrunk = page.evaluate(SHRUNK)
    page.evaluate(THIN)
    page.set_viewport_size(WIDE)
    page.add_script_tag(path=AXE)
    visit.violations = page.evaluate(VIOLATIONS, ["html", {}])
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    contrast = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    if page.locator(own).count():
        visit.dark_contrast = page.evaluate(VIOLATIONS, [own, contrast])
    page.emulate_media(color_scheme="light")
