"""From a chain to a restored photo."""

from deqir_lite.restoration.sampling import (
    SolveOptions,
    restore_parallel,
    restore_sequential,
    solve_chain,
)

__all__ = ["SolveOptions", "restore_parallel", "restore_sequential", "solve_chain"]
