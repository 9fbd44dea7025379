"""Equality certificates: every claim of a chapter, measured, with the tolerance it must meet.

A chapter adds a row for each claim and concludes; conclude() shows the table and fails the
notebook when a claim fails. The JSON of all chapters is merged into one page of the book.
"""

import html
import json
import math
import numbers
import operator
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deqir_lite._files import write_atomically
from deqir_lite.checks import check_choice
from deqir_lite.machine import machine as machine_in_use
from deqir_lite.machine import versions as versions_in_use

FOLDER_VARIABLE = "DEQIR_LITE_CERTIFICATES"
"""Environment variable: the folder in which conclude() also leaves each certificate as JSON."""

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}
_SIGNS = {"<=": "≤", "<": "<", ">=": "≥", ">": ">", "==": "="}
_COLUMNS = ("Claim", "Equation", "Measured", "Required", "Data type", "Result")


@dataclass(frozen=True)
class Claim:
    """One row: what is claimed, and what was measured.

    Attributes:
        claim: the statement in words.
        equation: number of the equation in the paper or the book, may be empty.
        measured: a number, or True or False for a claim that is no number.
        tolerance: what ``measured`` is compared with; None for True or False.
        relation: how: "<=", "<", ">=", ">" or "==".
        dtype: data type of the computation, for example "float64"; may be None.
    """

    claim: str
    equation: str
    measured: float | bool
    tolerance: float | None = None
    relation: str = "<="
    dtype: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the measurement meets the requirement; a NaN meets none."""
        if isinstance(self.measured, bool):
            return self.measured
        if self.tolerance is None or math.isnan(self.measured):
            return False
        return _RELATIONS[self.relation](self.measured, self.tolerance)

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, one entry for each column of the table."""
        if self.tolerance is None:
            measured, required = ("holds" if self.measured else "does not hold"), "holds"
        else:
            measured, required = f"{self.measured:.3g}", f"{self.tolerance:.3g}"
            # Never let rounding show a failure as a success: "1e-10 <= 1e-10, fails".
            if measured == required and self.measured != self.tolerance:
                measured, required = repr(self.measured), repr(self.tolerance)
            required = f"{_SIGNS[self.relation]} {required}"
        result = "✓ pass" if self.passed else "✗ FAIL"
        return (self.claim, self.equation, measured, required, self.dtype or "\N{EN DASH}", result)


@dataclass
class Certificate:
    """The claims of one chapter.

    ::

        certificate = Certificate("Proposition 1")
        certificate.check("parallel = sequential", "Eq. 11", error, 1e-10, dtype=torch.float64)
        certificate.conclude()

    Attributes:
        title: the chapter, or whatever else the claims belong to.
        claims: the rows so far.
        versions: of Python and of the packages that decide a result.
        machine: system, processor, threads and accelerator; no host name.
    """

    title: str
    claims: list[Claim] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=versions_in_use)
    machine: dict[str, str] = field(default_factory=machine_in_use)

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            raise ValueError(f"title: got {self.title!r}; expected some text")

    def check(
        self,
        claim: str,
        equation: str,
        measured: float | bool | np.generic | torch.Tensor,
        tolerance: float | None = None,
        dtype: torch.dtype | str | None = None,
        relation: str = "<=",
    ) -> None:
        """Append one row; the claim passes when ``measured relation tolerance`` is true.

        Args:
            claim: the statement in words.
            equation: the number of its equation, for example "Eq. 11"; may be "".
            measured: one number (Python, numpy or a tensor with one element), NaN and infinity
                included: NaN fails. Or True or False, then without a tolerance.
            tolerance: a finite number.
            dtype: data type of the computation.
            relation: "<=", "<", ">=", ">" or "==".

        A failing claim raises nothing here: ``conclude`` shows all of them. Raises ValueError
        for arguments that make no claim.
        """
        check_choice("relation", relation, _RELATIONS)
        if not isinstance(claim, str) or not claim.strip():
            raise ValueError(f"claim: got {claim!r}; expected some text")
        value = _number(measured)
        if isinstance(value, bool) != (tolerance is None):
            raise ValueError(
                f"tolerance: got {tolerance!r} for measured = {value!r}; "
                "expected a number with a number, none with True or False"
            )
        if tolerance is not None:
            tolerance = float(tolerance)
            if not math.isfinite(tolerance):
                raise ValueError(f"tolerance: got {tolerance}; expected a finite number")
        name = None if dtype is None else str(dtype).removeprefix("torch.")
        self.claims.append(Claim(claim, equation, value, tolerance, relation, name))

    @property
    def passed(self) -> bool:
        """Whether there is at least one claim, and every claim passes."""
        return bool(self.claims) and not self.failures()

    def failures(self) -> list[Claim]:
        """Return the claims that fail."""
        return [claim for claim in self.claims if not claim.passed]

    def conclude(self) -> None:
        """Show the table, and raise AssertionError when a claim fails or there is none.

        The last line of a chapter. When the environment variable DEQIR_LITE_CERTIFICATES names
        a folder, the certificate is also saved there, passed or not.
        """
        folder = os.environ.get(FOLDER_VARIABLE)
        if folder:
            self.save(Path(folder) / f"{_slug(self.title)}.json")
        _show(self)
        _assert_passed([self])

    def to_json(self) -> str:
        """Return the certificate as JSON; NaN and infinities as the strings "nan", "inf"."""
        rows = []
        for claim in self.claims:
            row = asdict(claim) | {"passed": claim.passed}
            if not math.isfinite(claim.measured):  # JSON has no NaN
                row["measured"] = str(claim.measured)
            rows.append(row)
        content = {
            "title": self.title,
            "passed": self.passed,
            "claims": rows,
            "versions": self.versions,
            "machine": self.machine,
        }
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the JSON, all or nothing; FileNotFoundError when the folder does not exist."""
        return write_atomically(path, self.to_json().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Certificate":
        """Read what ``save`` wrote. Whether a claim passes is computed again, not believed.

        Raises FileNotFoundError, or ValueError when the file is no certificate.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"path: no certificate {str(path)!r}")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            certificate = cls(
                content["title"], [], dict(content["versions"]), dict(content["machine"])
            )
            for row in content["claims"]:
                measured = row["measured"]
                certificate.check(
                    row["claim"],
                    row["equation"],
                    float(measured) if isinstance(measured, str) else measured,
                    row["tolerance"],
                    row["dtype"],
                    row["relation"],
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"path: {str(path)!r} is no certificate ({error!r})") from error
        return certificate

    def _repr_html_(self) -> str:
        """Return one table: a caption, headers for both directions, the result in words."""
        head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
        body = []
        for claim in self.claims:
            first, *rest = (html.escape(cell) for cell in claim.cells())
            state = "pass" if claim.passed else "fail"
            cells = "".join(f"<td>{cell}</td>" for cell in rest[:-1])
            body.append(
                f'<tr class="certificate-{state}"><th scope="row">{first}</th>{cells}'
                f"<td><strong>{rest[-1]}</strong></td></tr>"
            )
        return (
            f'<table class="certificate table">'
            f"<caption>Certificate: {html.escape(self.title)}. {self._summary()}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        )

    def _repr_markdown_(self) -> str:
        """Return the table in Markdown, for PDF and for terminals that render it."""
        rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(claim.cells() for claim in self.claims)]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        return "\n".join([f"**Certificate: {self.title}.** {self._summary()}", "", *lines])

    def __str__(self) -> str:
        """Return the table as aligned plain text."""
        rows = [_COLUMNS, *(claim.cells() for claim in self.claims)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([f"Certificate: {self.title}. {self._summary()}", *lines])

    def _summary(self) -> str:
        if not self.claims:
            return "No claim was checked."
        return f"{len(self.claims) - len(self.failures())} of {len(self.claims)} claims pass."


@dataclass
class MergedCertificates:
    """The certificates of several chapters, in the order given."""

    certificates: list[Certificate]

    @property
    def passed(self) -> bool:
        """Whether every certificate passes; an empty one does not."""
        return all(certificate.passed for certificate in self.certificates)

    def conclude(self) -> None:
        """Show all tables, and raise AssertionError naming each chapter and claim that fails."""
        _show(self)
        _assert_passed(self.certificates)

    def to_json(self) -> str:
        """Return a JSON object with ``passed`` and the list ``certificates``."""
        content = {
            "passed": self.passed,
            "certificates": [json.loads(c.to_json()) for c in self.certificates],
        }
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _repr_html_(self) -> str:
        return "\n".join(certificate._repr_html_() for certificate in self.certificates)

    def _repr_markdown_(self) -> str:
        return "\n\n".join(certificate._repr_markdown_() for certificate in self.certificates)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.certificates))


def merge(paths: Sequence[str | os.PathLike[str]]) -> MergedCertificates:
    """Load several certificates; ValueError when there is none, or two have one title."""
    certificates = [Certificate.load(path) for path in paths]
    titles = [certificate.title for certificate in certificates]
    if not titles:
        raise ValueError("paths: got none; expected at least one certificate")
    if len(set(titles)) < len(titles):
        twice = sorted({title for title in titles if titles.count(title) > 1})
        raise ValueError(f"paths: several certificates are called {', '.join(map(repr, twice))}")
    return MergedCertificates(certificates)


def _number(measured: Any) -> float | bool:
    """One Python number or bool from whatever holds exactly one."""
    if isinstance(measured, (torch.Tensor, np.ndarray, np.generic)):
        size = measured.numel() if isinstance(measured, torch.Tensor) else measured.size
        if size != 1:
            raise ValueError(
                f"measured: got shape {tuple(measured.shape)}; expected one number: "
                "take the maximum or the mean first"
            )
        measured = measured.item()
    if isinstance(measured, bool):
        return measured
    if not isinstance(measured, numbers.Real):
        raise ValueError(f"measured: got {measured!r}; expected a number, True or False")
    return float(measured)


def _assert_passed(certificates: Sequence[Certificate]) -> None:
    problems = []
    for certificate in certificates:
        if not certificate.claims:
            problems.append(f"{certificate.title}: no claim was checked")
        for claim in certificate.failures():
            _, equation, measured, required, _, _ = claim.cells()
            place = f" ({equation})" if equation else ""
            problems.append(
                f"{certificate.title}: {claim.claim}{place}: measured {measured}, "
                f"required {required}"
            )
    if problems:  # not an assert statement: python -O must not remove it
        raise AssertionError("\n".join(problems))


def _show(table: Any) -> None:
    """Rich in a notebook, plain text elsewhere."""
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


def _slug(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-") or "certificate"
