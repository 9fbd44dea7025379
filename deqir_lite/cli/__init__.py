"""The command line, ``deqir-lite``: a module for each command, but one for all short studies.

Importing it imports no torch: help and wrong usage are there at once, and each command imports what
it needs when it runs.
"""

from deqir_lite.cli.app import app
from deqir_lite.cli.bench import bench
from deqir_lite.cli.convert import convert, fetch
from deqir_lite.cli.demo import demo
from deqir_lite.cli.evaluate import evaluate
from deqir_lite.cli.evaluation import evaluation
from deqir_lite.cli.help import Command
from deqir_lite.cli.info import info
from deqir_lite.cli.restore import restore
from deqir_lite.cli.study import study
from deqir_lite.cli.teach import teach
from deqir_lite.cli.train import fit_gaussian, train
from deqir_lite.cli.verify import verify

for command in (restore, demo, verify, evaluate, bench, train, fit_gaussian, convert, fetch, info):
    app.command(cls=Command)(command)
study.command(cls=Command)(evaluation)
app.add_typer(study, name="study")
app.add_typer(teach, name="teach")

__all__ = ["app"]
