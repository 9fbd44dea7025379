"""The certificates of several chapters as one."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from deqir_lite._json import to_json
from deqir_lite.certificate.certificate import Certificate, assert_passed
from deqir_lite.certificate.table import show


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
        show(self)
        assert_passed(self.certificates)

    def to_json(self) -> str:
        """Return a JSON object with ``passed`` and the list ``certificates``."""
        content = {
            "passed": self.passed,
            "certificates": [json.loads(c.to_json()) for c in self.certificates],
        }
        return to_json(content)

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
