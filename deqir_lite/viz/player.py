"""Frames that a reader steps through or plays: controls and script, without a kernel."""

import hashlib
import html
import json
from collections import Counter
from collections.abc import Sequence

_DRAWN: Counter[str] = Counter()  # how often the same content was shown: ids differ on one page

_SCRIPT = """
(function () {
  var root = document.getElementById("ID");
  if (!root) { return; }
  var input = root.querySelector("input");
  var button = root.querySelector("button");
  var frames = root.querySelectorAll("[data-frame]");
  var captions = CAPTIONS;
  var cursor = root.querySelector(".cursor");
  var marks = cursor ? JSON.parse(cursor.dataset.x) : [];
  var timer = null;
  function show() {
    var k = input.value - input.min;
    frames.forEach(function (frame) {
      var shown = frame.dataset.frame.split(" ").includes(String(k));
      frame.style.display = shown ? "" : "none";
    });
    root.querySelector("output").textContent = captions[k];
    input.setAttribute("aria-valuetext", captions[k]);
    if (cursor) { cursor.setAttribute("transform", "translate(" + marks[k] + " 0)"); }
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }
  function play() {
    if (input.value === input.max) { input.value = input.min; show(); }
    button.textContent = "Pause";
    timer = setInterval(function () {
      input.stepUp();
      show();
      if (input.value === input.max) { stop(); }
    }, 700);
  }
  button.addEventListener("click", function () { if (timer) { stop(); } else { play(); } });
  input.addEventListener("input", function () { stop(); show(); });
  ["keydown", "keyup", "keypress"].forEach(function (name) {
    input.addEventListener(name, function (event) { event.stopPropagation(); });
  });
  show();
})();
"""


def player(
    content: str, captions: Sequence[str], *, label: str, first: int = 0, width: int = 0
) -> str:
    """``content`` with a slider, a button that plays it, and the caption of the frame.

    Elements of ``content`` with an attribute ``data-frame``, numbers from 0 with blanks between
    them, are seen in these frames only; those of the first frame should be the only visible ones
    before the script runs. A group of class ``cursor`` goes to the places in its ``data-x``.
    ``label`` says what the slider counts, from ``first`` on; ``width`` is at most so many pixels
    on the screen, 0 for as many as there are.
    """
    digest = hashlib.sha256((content + label).encode()).hexdigest()[:10]
    _DRAWN[digest] += 1
    name = f"slider-{digest}-{_DRAWN[digest]}"
    texts = json.dumps(list(captions)).replace("<", "\\u003c")
    script = _SCRIPT.replace("ID", name, 1).replace("CAPTIONS", texts, 1)
    widest = f"min({width}px, 100%)" if width else "100%"
    return (
        f'<div class="iteration-slider" id="{name}" role="group" '
        f'aria-label="{html.escape(label)}" style="max-width:{widest};margin:auto">'
        f"{content}"
        '<div style="display:flex;flex-wrap:wrap;gap:0.2em 0.8em;align-items:center">'
        f'<button type="button">Play</button><label for="{name}-input">{html.escape(label)}</label>'
        f'<input id="{name}-input" type="range" min="{first}" max="{first + len(captions) - 1}" '
        f'step="1" value="{first}" autocomplete="off" '
        f'aria-valuetext="{html.escape(captions[0])}" style="flex:0 1 256px">'
        f'<output for="{name}-input" aria-live="polite">{html.escape(captions[0])}'
        f"</output></div><script>{script}</script></div>"
    )
