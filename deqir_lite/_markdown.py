"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], texts: int | None = None
) -> str:
    """One line per row; after the first ``texts`` columns the cells stand to the right.

    With None all stand to the left. A | inside a cell is escaped.
    """
    left = len(header) if texts is None else texts
    rule = [*["---"] * left, *["---:"] * (len(header) - left)]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in [header, *rows])
    first, *others = (f"| {' | '.join(row)} |" for row in escaped)
    return "\n".join([first, f"| {' | '.join(rule)} |", *others])
