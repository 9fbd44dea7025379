"""Which names a cell defines, and which it uses."""

import builtins
import symtable
from collections.abc import Iterator


def defined(source: str) -> set[str]:
    """Names that running the code gives a value in the notebook.

    Those of functions, classes and imports are among them, variables inside of functions and
    comprehensions are not.
    """
    symbols = _table(source).get_symbols()
    return {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}


def used(source: str) -> set[str]:
    """Names of the notebook that the code reads, also inside of functions; no built-in names."""
    top, *inner = _scopes(_table(source))
    found = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    for scope in inner:
        symbols = scope.get_symbols()
        found |= {s.get_name() for s in symbols if s.is_global() and s.is_referenced()}
    return found - set(dir(builtins))


def _table(source: str) -> symtable.SymbolTable:
    return symtable.symtable(source, "cell", "exec")


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)
