"""An optimisation of x_T on disk: all of it or nothing, and only continued where it belongs."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from deqir_lite._files import write_atomically
from deqir_lite._repr import short_repr
from deqir_lite.chain import RestorationChain
from deqir_lite.inversion.progress import OuterStep


@dataclass
class Descent:
    """What goes from one outer step to the next.

    ``x_T`` is the noise to be evaluated next; ``states`` the last trajectory, where the next solve
    may start; ``best_states`` that of the best x_T, which is its first state.
    """

    x_T: torch.Tensor
    rows: list[OuterStep] = field(default_factory=list)
    states: torch.Tensor | None = None
    best_states: torch.Tensor | None = None
    best_step: int = 0
    optimizer: dict[str, Any] = field(default_factory=dict)

    __repr__ = short_repr


def chain_digest(chain: RestorationChain) -> str:
    """A digest of what a chain was fixed to: A^+ y, the noise, its weights and its first x_T."""
    c, digest = chain.coefficients, hashlib.sha256()
    for value in (chain.measurement.pinv_y, chain.noise[:], chain.x_T, c.alpha_bar, *c.weights):
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_descent(
    path: Path, run: Descent, answer: torch.Tensor, settings: Mapping[str, str]
) -> None:
    """Write the run, atomically; ``answer`` is the prior's :func:`answer_of`."""
    content = {name: value for name, value in vars(run).items() if name != "rows"}
    content |= {"rows": [asdict(row) for row in run.rows], "settings": dict(settings)}
    content["answer"] = answer
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue(), name="state_file")


def load_descent(path: Path, answer: torch.Tensor, settings: Mapping[str, str]) -> Descent:
    """Read what :func:`save_descent` wrote, onto the device of ``answer``.

    Raises FileNotFoundError when there is no file, ValueError when it is corrupt or belongs to
    another prior or other settings; the message names them.
    """
    if not path.is_file():
        raise FileNotFoundError(f"state_file: no file {str(path)!r} to resume from")
    try:
        content = torch.load(path, map_location=answer.device, weights_only=True)
        saved, before = content.pop("settings"), content.pop("answer")
        rows = [OuterStep(**row) for row in content.pop("rows")]
        run = Descent(rows=rows, **content)
    except Exception as error:  # torch.load raises half a dozen unrelated types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"state_file: {str(path)!r} is no saved run ({reason})") from error
    for name in sorted(set(saved) | set(settings)):
        if saved.get(name) != settings.get(name):
            raise ValueError(
                f"state_file: {str(path)!r} was made with {name} = {saved.get(name)}; "
                f"now it is {settings.get(name)}"
            )
    missed = (answer - before).flatten(1).norm(dim=1)
    if bool((missed > 0.02 * before.flatten(1).norm(dim=1)).any()):
        raise ValueError(f"state_file: {str(path)!r} was made with another prior")
    return run


@torch.no_grad()
def answer_of(chain: RestorationChain) -> torch.Tensor:
    """What the prior says to the chain's first x_T in all of its steps, (T, B, 3, H, W).

    It tells priors apart that are functions and have no numbers of their own to compare: at high
    noise they nearly agree, at low noise they do not. Other devices and precisions say nearly the
    same.
    """
    return chain.predict_noise(chain.x_T.expand(chain.num_steps, *chain.x_T.shape)).float()
