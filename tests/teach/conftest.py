"""A small chapter with everything that the chapters of the book have."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from deqir_lite.teach.notebooks import Chapter


def markdown_cell(source, cell_id, **metadata):
    return new_markdown_cell(source, id=cell_id, metadata=metadata)


def code_cell(source, cell_id, **metadata):
    return new_code_cell(source, id=cell_id, metadata=metadata)


CELLS = [
    markdown_cell(
        """# A test

First words.

:::{admonition} Before you start
:class: note

**You need** {eq}`ch9-double` and $x$.
:::""",
        "title",
    ),
    code_cell("import math\n\nfrom deqir_lite.teach import self_check\n\nx = 3", "start"),
    markdown_cell(
        """(sec-two)=
## Doubling

$$
y = 2x
$$ (ch9-double)

:::{prf:theorem} Even
:label: thm-even

$y$ is even, by {eq}`ch9-double`.
:::

:::{prf:proof}
It is twice something {cite:p}`cao2024deqir`.
:::

{prf:ref}`thm-even`, {ref}`sec-two`, {eq}`paper-eq-9`, {ref}`ex-words`.""",
        "doubling",
    ),
    code_cell('y = 2 * x\nprint(f"{y = }")', "double"),
    markdown_cell(
        """## Exercises

```{exercise} Halve
:label: ex-test-half

What is half of y? Call it `half`.
```

```{solution-start} ex-test-half
:class: dropdown
```

It is x again.""",
        "one",
    ),
    code_cell("half = y // 2\nunused = 7", "solve", tags=["solution"]),
    code_cell('self_check("ex-test-half", half)', "check", tags=["self-check"]),
    markdown_cell(
        """And that was no surprise.

```{solution-end}
```

```{exercise} In words
:label: ex-words

Why?
```

```{solution-start} ex-words
:class: dropdown
```

Because.

```{solution-end}
```

## End

The end.""",
        "two",
    ),
    code_cell("print(math.sqrt(y * y))", "end"),
]


@pytest.fixture
def chapter(tmp_path):
    return Chapter(tmp_path / "09-test.ipynb", CELLS)
