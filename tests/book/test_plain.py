"""The configuration for Sphinx alone says what Jupyter Book makes of _config.yml."""

import runpy

import pytest

from .conftest import ROOT

# what is Jupyter Book's own, or for PDF, or for services that the book does not use
NOT_NEEDED = {"jupyter_book", "sphinx_thebe", "sphinx_comments", "sphinx_jupyterbook_latex"}
NOT_NEEDED |= {"sphinx.ext.intersphinx", "sphinx_book_theme"}
OTHER_PLACES = {
    "bibtex_bibfiles", "exclude_patterns", "external_toc_path", "html_favicon", "html_static_path",
    "html_theme_options", "extensions",
}  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    return runpy.run_path(str(ROOT / "book" / "_scripts" / "plain" / "conf.py"))


@pytest.fixture(scope="module")
def jupyter_book():
    config = pytest.importorskip("jupyter_book.config")
    made, _ = config.get_final_config(
        user_yaml=ROOT / "_config.yml",
        sourcedir=ROOT,
        cli_config={"external_toc_path": str(ROOT / "_toc.yml"), "latex_individualpages": False},
    )
    return made


def test_the_same_settings(plain, jupyter_book):
    names = {name for name in plain if name in jupyter_book and not name.startswith("_")}
    assert len(names) > 15
    for name in sorted(names - OTHER_PLACES - {"nb_execution_cache_path"}):
        assert plain[name] == jupyter_book[name], name


def test_nothing_is_missing(plain, jupyter_book):
    own = set(jupyter_book) - set(plain) - {"latex_engine", "comments_config"}
    defaults = {"html_logo", "html_sourcelink_suffix", "pygments_style"}
    defaults |= {"suppress_warnings", "use_jupyterbook_latex"}
    assert {name for name in own if not name.startswith("nb_")} <= defaults


def test_the_same_extensions(plain, jupyter_book):
    assert set(jupyter_book["extensions"]) - NOT_NEEDED == set(plain["extensions"])


def test_the_same_files(plain, jupyter_book):
    for name in ("bibtex_bibfiles", "html_static_path"):
        wanted = [str(ROOT / path) for path in jupyter_book[name]]
        assert [str(path) for path in plain[name]] == wanted
    assert plain["html_favicon"] == str(ROOT / jupyter_book["html_favicon"])
    assert set(plain["exclude_patterns"]) <= set(jupyter_book["exclude_patterns"])
    for name, value in plain["html_theme_options"].items():
        if name != "launch_buttons":
            assert jupyter_book["html_theme_options"][name] == value, name
