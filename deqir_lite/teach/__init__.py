"""For learning and teaching: self-checks of the exercises."""

from deqir_lite.teach.checking import Hint, self_check
from deqir_lite.teach.exercises import load_all

load_all()

__all__ = ["Hint", "self_check"]
