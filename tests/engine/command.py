"""Run on every rank: the command with the arguments that are given, its streams into files."""

import os
import sys

from deqir_lite.__main__ import main

environment, folder, given = (globals()[name] for name in ("environment", "folder", "given"))
os.environ.update({name: str(value) for name, value in environment.items()})
for number, name in (1, "stdout"), (2, "stderr"):
    file = os.open(folder / f"{name}-{os.environ['RANK']}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, number)
sys.stdout, sys.stderr = (os.fdopen(n, "w", closefd=False) for n in (1, 2))
sys.argv = ["deqir-lite", *map(str, given)]
main()
