"""Claims as a table: HTML for the book, plain text for a terminal."""

import html
from collections.abc import Sequence
from typing import Any

from deqir_lite import _documents
from deqir_lite.certificate.claim import Claim

_COLUMNS = ("Claim", "Equation", "Measured", "Required", "Data type", "Result")


def html_table(caption: str, claims: Sequence[Claim]) -> str:
    """Return one table: a caption, headers for both directions, the result in words."""
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    body = []
    for claim in claims:
        first, *rest = (html.escape(cell) for cell in claim.cells())
        state = "pass" if claim.passed else "fail"
        cells = "".join(f"<td>{cell}</td>" for cell in rest[:-1])
        body.append(
            f'<tr class="certificate-{state}"><th scope="row">{first}</th>{cells}'
            f"<td><strong>{rest[-1]}</strong></td></tr>"
        )
    return (
        f'<table class="certificate table"><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def text_table(caption: str, claims: Sequence[Claim]) -> str:
    """Return the table as aligned plain text."""
    return f"{caption}\n{_documents.text_table((claim.cells() for claim in claims), _COLUMNS)}"


def show(table: Any) -> None:
    """Show a table: rich in a notebook, plain text elsewhere."""
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ImportError:
        print(table)
        return
    if getattr(get_ipython(), "kernel", None) is None:
        print(table)
    else:
        display(table)
