"""How the command explains itself: help in groups, on one screen, and wrong usage in one line."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_USAGE: Any = typer.BadParameter.__base__
"""What is raised for wrong usage, whichever click typer brings along."""


class Command(TyperCommand):
    """A command whose help has its arguments and options in the groups of ``option``."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Refuse empty texts, which as paths would mean the folder one is in; and say of numbers
        what came, in words of our own."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        param: Any
        for param in self.get_params(ctx):
            if "" in _texts(given.get(param.name)):
                raise typer.BadParameter("got an empty text", ctx=ctx, param=param)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            for kind, words in ("valid integer", "an integer"), ("valid number", "a number"):
                if kind in error.message and error.param is not None:
                    came = ", ".join(map(repr, _texts(given.get(error.param.name))))
                    error.message = f"got {came}; expected {words}"
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What follows the command's name in the first line."""
        arguments = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        return ["[OPTIONS]", *map(_name, arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """One section for each group, in the order of the parameters."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if param.param_type_name == "argument":
                record = _name(param), str(getattr(param, "help", ""))
            if record is not None and param.name != "help":
                panel = getattr(param, "rich_help_panel", None) or "Options"
                groups.setdefault(panel, []).append(record)
        for panel, records in groups.items():
            with formatter.section(panel):
                formatter.write_dl(records, col_max=22)


def _texts(given: Any) -> list[Any]:
    """What came for an option: once, or several times."""
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


class Group(TyperGroup):
    """Commands that are told of wrong usage in one line, and end quietly when nobody reads on."""

    def main(
        self,
        args: Any = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit with its code: 2 after wrong usage."""
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
            sys.stdout.flush()
        except _USAGE as error:
            path = error.ctx.command_path if error.ctx else prog_name or "deqir-lite"
            reason = " ".join(error.format_message().split()).rstrip(".")
            typer.echo(f"error: {reason}; {path} --help explains", err=True)
            code = error.exit_code
        except typer.Abort:
            code = 130
        except BrokenPipeError:  # as of `... | head -1`; what is buffered still has nobody to read
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        sys.exit(code if isinstance(code, int) else 0)


def group(help: str) -> typer.Typer:
    """An application, or a group of commands in it."""
    return typer.Typer(
        cls=Group,
        help=help,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def subgroup(help: str) -> typer.Typer:
    """A group of commands that shows its help when none is given."""
    made = group(help)
    made.callback(invoke_without_command=True, help=help)(show_help_alone)
    return made


def show_help_alone(ctx: typer.Context) -> None:
    """Show the help where no command was given."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def option(
    panel: str | None, help: str, *flags: str, names: Iterable[str] = (), **more: Any
) -> Any:
    """An option with its help, in one of the groups of a command where that has some; the help says
    what its default is, and a shell completes ``names``."""
    more |= {"autocompletion": completing(names)} if names else {}
    return typer.Option(*flags, help=help, rich_help_panel=panel, show_default=False, **more)


def completing(names: Iterable[str]) -> Callable[[str], list[str]]:
    """What a shell asks for those that begin like what is typed; for others it looks at files."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete
