"""What is taken where nothing is said: the same in the library and in the command.

Nothing is imported here, so that the command can show these without waiting for torch. The chain's
own settings are in :mod:`deqir_lite.chain.presets`.
"""

PRIOR = "photo64"
"""The prior that comes with the package."""

DEVICE = "auto"
"""As :func:`deqir_lite.device.choose_device` takes it."""

DTYPE = "float32"
"""Inside the network."""

METHOD = "auto"
"""What :func:`deqir_lite.restoration.choice.choose` finds best."""

SAMPLER = "parallel"
"""All timesteps at once."""

FORM = "gaussian"
"""The linear model of a sweep."""

SOLVER = "anderson-triangular"
"""A name of ``deqir_lite.solvers.SOLVERS``."""

TOLERANCE = 1e-3
"""The largest relative residual of any state at which a solve stops."""

SEED, SAMPLES = 0, 1
"""Of the chain's noise; and how many restorations of a photo, with this seed and the next ones."""

MASK_SEED = 0
"""Of masks and subsets that a task draws, and of the noise that a measurement gets."""

HOLE = "auto"
"""What marks a hole in a mask from a file."""
