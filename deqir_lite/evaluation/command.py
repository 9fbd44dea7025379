"""The one command that computes a results file again."""

import shlex
from collections.abc import Iterable

from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.settings import ETA, SPACING
from deqir_lite.operators import TASKS
from deqir_lite.schedule import spacing_power


def reproducing_command(results: Results) -> str:
    """``deqir-lite evaluate`` with the options that give the samples in ``results``.

    Where an interrupted run has not reached everything, the command goes further.
    """
    context, settings = results.context, results.settings
    ran = {setting for setting, _ in results.samples}
    words = ["deqir-lite", "evaluate", "--prior", str(context.get("prior", "photo64"))]
    if context.get("out"):
        words += ["--out", str(context["out"])]
    if context.get("photos"):
        words += ["--photos", str(context["photos"])]
    tasks = [task for task in TASKS if any(setting.task == task for setting in ran)]
    if tasks and len(tasks) < len(TASKS):
        words += ["--tasks", ",".join(tasks)]
    if ran:
        words += ["--sizes", _list(setting.size for setting in ran)]
        words += ["--timesteps", _list(setting.timesteps for setting in ran)]
        if {setting.eta for setting in ran} != {ETA}:
            words += ["--eta", _list(setting.eta for setting in ran)]
    if settings["spacing"] != spacing_power(SPACING):
        words += ["--spacing", f"{settings['spacing']:g}"]
    words += ["--seeds", str(settings["seeds"]), "--dtype", str(settings["dtype"])]
    words += ["--all-seeds"] if settings["all_seeds"] else []
    return shlex.join(words)


def _list(values: Iterable[float]) -> str:
    return ",".join(f"{value:g}" for value in sorted(set(values)))
