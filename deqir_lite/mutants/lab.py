"""The mutant lab: which check catches which mutant."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from deqir_lite.mutants.checks import CHECKS, Check
from deqir_lite.mutants.mutants import MUTANTS
from deqir_lite.mutants.program import Program


@dataclass(frozen=True)
class Verdicts:
    """What every check measured on every program: ``measured[i][j]`` for program i and check j."""

    programs: tuple[type[Program], ...]
    checks: tuple[Check, ...]
    measured: tuple[tuple[float, ...], ...]

    def catches(self, name: str) -> set[str]:
        """The names of the checks that catch the program with the name of its class."""
        row = next(r for p, r in zip(self.programs, self.measured, strict=True) if _name(p) == name)
        pairs = zip(self.checks, row, strict=True)
        return {check.name for check, value in pairs if not value <= check.tolerance}

    @property
    def caught(self) -> dict[str, set[str]]:
        """For every program, by the name of its class, the checks that catch it."""
        return {_name(program): self.catches(_name(program)) for program in self.programs}

    def _rows(self) -> list[tuple[type[Program], list[bool]]]:
        caught = self.caught
        return [
            (program, [check.name in caught[_name(program)] for check in self.checks])
            for program in self.programs
        ]

    def _repr_html_(self) -> str:
        """One table: a program in each row, a check in each column, as narrow as a page."""
        heads = "".join(f'<th scope="col">{html.escape(check.name)}</th>' for check in self.checks)
        body = []
        for program, verdicts in self._rows():
            cells = "".join(f"<td>{'<b>yes</b>' if v else '–'}</td>" for v in verdicts)
            head = f'<th scope="row" title="{html.escape(program.mistake)}">{_name(program)}</th>'
            body.append(f"<tr>{head}{cells}</tr>")
        return (
            "<style>table.mutants :is(th, td) {padding: .3em .35em !important}</style>"
            '<table class="mutants table" style="font-size: 75%">'
            "<caption>Does the check (column) catch the program (row)?</caption>"
            f'<thead><tr><th scope="col">program</th>{heads}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>"
        )

    def __str__(self) -> str:
        """The same as aligned plain text."""
        width = max(len(_name(p)) for p in self.programs)
        names = [check.name for check in self.checks]
        lines = [" " * width + "  " + "  ".join(names)]
        for program, verdicts in self._rows():
            cells = [
                ("yes" if v else "-").ljust(len(n)) for n, v in zip(names, verdicts, strict=True)
            ]
            lines.append(f"{_name(program):{width}}  {'  '.join(cells)}".rstrip())
        return "\n".join(lines)


def run_lab(
    programs: Sequence[type[Program]] = (Program, *MUTANTS), checks: Sequence[Check] = CHECKS
) -> Verdicts:
    """Measure every program by every check; by default the right program and all mutants."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        measured = tuple(tuple(check.measure(p) for check in checks) for p in programs)
    return Verdicts(tuple(programs), tuple(checks), measured)


def _name(program: type[Program]) -> str:
    return program.__name__
