"""Networks that were trained for one task: what zero-shot restoration does without."""

from deqir_lite.supervised.palette import ConditionedPrior, Palette
from deqir_lite.supervised.regression import RegressionNetwork

__all__ = ["ConditionedPrior", "Palette", "RegressionNetwork"]
