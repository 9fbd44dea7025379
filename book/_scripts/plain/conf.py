"""The same book with Sphinx alone, without Jupyter Book 1, whose development has ended.

    sphinx-build -c book/_scripts/plain -n . _build/plain

builds the pages from _config.yml, _toc.yml and the outputs that ``make book`` has left. It needs
the packages of the extensions below, in any version that works with the installed Sphinx.
"""

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "book" / "_scripts"), str(ROOT)]
_book = yaml.safe_load((ROOT / "_config.yml").read_text())

author, copyright = _book["author"], _book["copyright"]
html_title = _book["title"]
extensions = [
    "sphinx_togglebutton",
    "sphinx_copybutton",
    "myst_nb",
    "sphinx_external_toc",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "sphinx_multitoc_numbering",
    *_book["sphinx"]["extra_extensions"],
    *_book["sphinx"]["local_extensions"],
]
exclude_patterns = _book["exclude_patterns"]
external_toc_path = str(ROOT / "_toc.yml")
external_toc_exclude_missing = _book["only_build_toc_files"]
use_multitoc_numbering = True
numfig = True

myst_enable_extensions = _book["parse"]["myst_enable_extensions"]
myst_url_schemes = ["mailto", "http", "https"]
nb_execution_mode = _book["execute"]["execute_notebooks"]
nb_execution_timeout = _book["execute"]["timeout"]
nb_execution_cache_path = str(ROOT / "_build" / ".jupyter_cache")
bibtex_bibfiles = [str(ROOT / path) for path in _book["bibtex_bibfiles"]]

html_theme = "sphinx_book_theme"
html_favicon = str(ROOT / _book["html"]["favicon"])
html_baseurl = _book["html"]["baseurl"]
html_theme_options = {
    "launch_buttons": _book["launch_buttons"],
    "repository_url": _book["repository"]["url"],
    "repository_branch": _book["repository"]["branch"],
    "home_page_in_toc": _book["html"]["home_page_in_navbar"],
    "search_bar_text": "Search this book...",
}
_own = _book["sphinx"]["config"]
globals().update({name: value for name, value in _own.items() if name not in globals()})
html_theme_options |= _own["html_theme_options"]
html_static_path = [str(ROOT / path) for path in _own["html_static_path"]]
