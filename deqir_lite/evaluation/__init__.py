"""Judge a prior by what it restores: photos, tasks and chains against simpler methods."""

from deqir_lite.evaluation.goals import GOALS, Goal
from deqir_lite.evaluation.photos import Photo, find_photos
from deqir_lite.evaluation.pictures import Pictures
from deqir_lite.evaluation.references import tv_restoration
from deqir_lite.evaluation.report import page, reproducing_command, terminal_report
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.run import Evaluation, restore_samples
from deqir_lite.evaluation.settings import Setting, plan, seeds_of
from deqir_lite.evaluation.summary import Line, summarise

__all__ = [
    "GOALS",
    "Evaluation",
    "Goal",
    "Line",
    "Photo",
    "Pictures",
    "Results",
    "Setting",
    "find_photos",
    "page",
    "plan",
    "reproducing_command",
    "restore_samples",
    "seeds_of",
    "summarise",
    "terminal_report",
    "tv_restoration",
]
