"""The command line: ``deqir-lite verify | restore | train | fit-gaussian | evaluate | info``."""

from deqir_lite.cli.app import app
from deqir_lite.cli.evaluate import evaluate
from deqir_lite.cli.info import info
from deqir_lite.cli.restore import restore
from deqir_lite.cli.train import fit_gaussian, train
from deqir_lite.cli.verify import verify

for command in (restore, verify, train, fit_gaussian, evaluate, info):
    app.command()(command)

__all__ = ["app"]
