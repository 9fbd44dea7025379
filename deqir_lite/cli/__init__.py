"""The command line, ``deqir-lite``: one module for each command."""

from deqir_lite.cli.app import app
from deqir_lite.cli.evaluate import evaluate
from deqir_lite.cli.info import info
from deqir_lite.cli.restore import restore
from deqir_lite.cli.study import study
from deqir_lite.cli.train import fit_gaussian, train
from deqir_lite.cli.verify import verify

for command in (restore, verify, train, fit_gaussian, evaluate, info):
    app.command()(command)
app.add_typer(study, name="study")

__all__ = ["app"]
