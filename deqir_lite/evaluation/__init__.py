"""Judge a prior by what it restores: photos, tasks and chains against simpler methods."""

from deqir_lite.evaluation.goals import GOALS, Goal
from deqir_lite.evaluation.photos import Photo, find_photos
from deqir_lite.evaluation.pictures import Pictures
from deqir_lite.evaluation.references import tv_restoration
from deqir_lite.evaluation.results import Results
from deqir_lite.evaluation.run import Evaluation
from deqir_lite.evaluation.sampling import restore_samples
from deqir_lite.evaluation.settings import Setting, plan, seeds_of
from deqir_lite.evaluation.summary import Line, summarise
from deqir_lite.evaluation.table import markdown, text_table

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
    "markdown",
    "plan",
    "restore_samples",
    "seeds_of",
    "summarise",
    "text_table",
    "tv_restoration",
]
