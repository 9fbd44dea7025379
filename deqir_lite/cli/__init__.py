"""The command line, ``deqir-lite``: a module for each command, but one for all short studies."""

from deqir_lite.cli.app import app
from deqir_lite.cli.evaluation import evaluation
from deqir_lite.cli.info import info
from deqir_lite.cli.restore import restore
from deqir_lite.cli.study import study
from deqir_lite.cli.train import fit_gaussian, train
from deqir_lite.cli.verify import verify

for command in (restore, verify, train, fit_gaussian, info):
    app.command()(command)
study.command()(evaluation)
app.add_typer(study, name="study")

__all__ = ["app"]
