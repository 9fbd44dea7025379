"""How a method uses the measurement: from the prior's x_{0|t} to a consistent x0^."""

from deqir_lite.consistency.range_null import RangeNullConsistency

__all__ = ["RangeNullConsistency"]
