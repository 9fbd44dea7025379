"""Equality certificates: every claim of a chapter, measured, with the tolerance it must meet.

A chapter adds a row for each claim and concludes; conclude() shows the table and fails the
notebook when a claim fails. The JSON of all chapters becomes one page of the book.
"""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deqir_lite._json import Number, Schema, read_schema, to_json, write_json
from deqir_lite.certificate.claim import RELATIONS, Claim, as_number
from deqir_lite.certificate.table import html_table, show, text_table
from deqir_lite.checks import check_choice
from deqir_lite.machine import machine as machine_in_use
from deqir_lite.machine import versions as versions_in_use


class _ClaimRow(Schema):
    """A claim in the file of a certificate."""

    claim: str
    equation: str
    measured: bool | Number
    tolerance: float | None
    dtype: str | None
    relation: str


class _CertificateFile(Schema):
    """The file of a certificate."""

    title: str
    claims: list[_ClaimRow]
    versions: dict[str, str]
    machine: dict[str, str]


FOLDER_VARIABLE = "DEQIR_LITE_CERTIFICATES"
"""Environment variable: the folder in which conclude() also leaves each certificate as JSON."""


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
        check_choice("relation", relation, RELATIONS)
        if not isinstance(claim, str) or not claim.strip():
            raise ValueError(f"claim: got {claim!r}; expected some text")
        value = as_number(measured)
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
        show(self)
        assert_passed([self])

    def to_json(self) -> str:
        """Return the certificate as JSON; NaN and infinities as the strings "nan", "inf"."""
        return to_json(self._content())

    def _content(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "passed": self.passed,
            "claims": [asdict(claim) | {"passed": claim.passed} for claim in self.claims],
            "versions": self.versions,
            "machine": self.machine,
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the JSON, all or nothing; FileNotFoundError when the folder does not exist."""
        return write_json(Path(path), self._content())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Certificate":
        """Read what ``save`` wrote. Whether a claim passes is computed again, not believed.

        Raises FileNotFoundError, or ValueError when the file is no certificate.
        """
        path = Path(path)
        content = read_schema(path, _CertificateFile, name="path")
        try:
            certificate = cls(content.title, [], content.versions, content.machine)
            for row in content.claims:
                certificate.check(
                    row.claim, row.equation, row.measured, row.tolerance, row.dtype, row.relation
                )
        except ValueError as error:
            raise ValueError(f"path: {path}: {error}") from error
        return certificate

    def summary(self) -> str:
        """Return how many claims pass, as a sentence."""
        if not self.claims:
            return "No claim was checked."
        return f"{len(self.claims) - len(self.failures())} of {len(self.claims)} claims pass."

    @property
    def caption(self) -> str:
        """What stands over its table."""
        return f"Certificate: {self.title}. {self.summary()}"

    def _repr_html_(self) -> str:
        return html_table(self.caption, self.claims)

    def __str__(self) -> str:
        return text_table(self.caption, self.claims)


def assert_passed(certificates: Sequence[Certificate]) -> None:
    """Raise AssertionError with a line for each claim that fails, and each empty certificate."""
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


def _slug(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-") or "certificate"
