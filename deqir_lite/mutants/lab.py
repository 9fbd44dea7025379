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

    @property
    def caught(self) -> dict[str, set[str]]:
        """For every program, by the name of its class, the names of the checks that catch it."""
        return {
            program.__name__: {
                check.name
                for check, value in zip(self.checks, row, strict=True)
                if not value <= check.tolerance  # a NaN is caught
            }
            for program, row in zip(self.programs, self.measured, strict=True)
        }

    def _repr_html_(self) -> str:
        """One table: a program in each row, a check in each column, as narrow as a page."""
        heads = "".join(f'<th scope="col">{html.escape(check.name)}</th>' for check in self.checks)
        body = []
        for program, (name, caught) in zip(self.programs, self.caught.items(), strict=True):
            verdicts = ["<b>yes</b>" if check.name in caught else "–" for check in self.checks]
            cells = "".join(f"<td>{verdict}</td>" for verdict in verdicts)
            head = f'<th scope="row" title="{html.escape(program.mistake)}">{name}</th>'
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
        names = [check.name for check in self.checks]
        width = max(map(len, self.caught))
        lines = [" " * width + "  " + "  ".join(names)]
        for program, caught in self.caught.items():
            cells = "  ".join(f"{'yes' if name in caught else '-':{len(name)}}" for name in names)
            lines.append(f"{program:{width}}  {cells}".rstrip())
        return "\n".join(lines)


def run_lab(
    programs: Sequence[type[Program]] = (Program, *MUTANTS), *, checks: Sequence[Check] = CHECKS
) -> Verdicts:
    """Measure every program by every check; by default the right program and all mutants."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        measured = tuple(tuple(check.measure(p) for check in checks) for p in programs)
    return Verdicts(tuple(programs), tuple(checks), measured)
