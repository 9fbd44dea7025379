"""One restoration, all of its noise drawn."""

from deqir_lite.chain.making import make_chain, part_of_chain
from deqir_lite.chain.presets import PAPER, PICTURE, PRESETS, ChainSettings
from deqir_lite.chain.restoration_chain import RestorationChain

__all__ = [
    "PAPER",
    "PICTURE",
    "PRESETS",
    "ChainSettings",
    "RestorationChain",
    "make_chain",
    "part_of_chain",
]
