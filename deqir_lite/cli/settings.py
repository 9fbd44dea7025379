"""What ``restore`` and ``demo`` are told of method, model and machine, and the work with it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deqir_lite.checks import check_choice, check_integer, check_interval
from deqir_lite.cli import options as o
from deqir_lite.cli.app import check_seed, check_timesteps, read_spacing
from deqir_lite.defaults import FORM
from deqir_lite.device import check_device
from deqir_lite.engine.ranks import ranks_here

if TYPE_CHECKING:
    import torch

    from deqir_lite.priors.base import Prior
    from deqir_lite.restoration import Plan, Problem, RestorationReport


@dataclass(frozen=True, eq=False)
class Settings:
    """The options of these names, as they were given; torch is imported for what they lead to."""

    seed: int
    samples: int
    method: str
    preset: str | None
    timesteps: int | None
    eta: float | None
    spacing: str | None
    sampler: str
    form: str
    solver: str
    sweeps: int | None
    tolerance: float | None
    prior: str
    label: int | None
    device: str
    dtype: str
    max_batch: int | None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Settings":
        """Those among the options of a command, checked: ValueError names the one that is wrong."""
        made = cls(**{field.name: options[field.name] for field in fields(cls)})
        made._check()
        return made

    def _check(self) -> None:
        for name, known in (
            ("sampler", o.SAMPLERS),
            ("method", o.METHODS),
            ("form", o.FORMS),
            ("solver", o.SOLVERS),
            ("dtype", o.DTYPES),
            ("preset", o.PRESETS),
        ):
            if (value := getattr(self, name)) is not None:
                value = value.partition(":")[0] if name in ("method", "form") else value
                check_choice(name, value, o.names(known))
        if ":" in self.method:  # parameters, for which torch is needed
            from deqir_lite.methods import check_returns, find_method

            own = find_method(self.method)
            check_returns(self.method, self.timesteps or own.num_steps)
        if ":" in self.form and self.form != FORM:
            from deqir_lite.fixedpoint.forms import read_form

            read_form(self.form)
        check_device(self.device)
        if self.spacing is not None:
            read_spacing(self.spacing)
        check_interval("eta", self.eta or 0.0, 0.0, 1.0)
        check_interval("tolerance", self.tolerance or 0.0, 0.0, math.inf)
        check_integer("samples", self.samples, 1)
        check_seed(self.seed)
        check_seed(self.seed + self.samples - 1)
        for name in ("timesteps", "sweeps", "max_batch"):
            if getattr(self, name) is not None:
                check_integer(name.replace("_", "-"), getattr(self, name), 1)

    @cached_property
    def place(self) -> "torch.device":
        """The device, of several ranks that of this one."""
        return ranks_here().device(self.device)

    @cached_property
    def model(self) -> "Prior":
        """The prior, loaded when it is first needed, and once for all photos; its batch is shared
        out among the ranks."""
        from deqir_lite.priors.load import load_prior

        ranks, place = ranks_here(), self.place
        with ranks.agreeing():
            model = load_prior(
                self.prior,
                device=place,
                dtype=self.dtype,
                max_batch=self.max_batch,
                label=self.label,
            )
            check_timesteps(self.timesteps or 1, model.schedule.num_train_timesteps)
        if ranks.size == 1:
            return model
        from deqir_lite.engine.sharding import shard_prior
        from deqir_lite.priors.identity import prior_digest

        ranks.check_same({"prior": prior_digest(model, self.prior)})
        return shard_prior(model)

    def restore(self, problem: "Problem") -> "tuple[RestorationReport, Plan]":
        """The restoration of a problem, and how the memory that is free let it be computed."""
        from deqir_lite.defaults import TOLERANCE, X0_TOLERANCE
        from deqir_lite.fixedpoint.forms import read_form
        from deqir_lite.restoration import SolveOptions, choose, plan_restoration, restore_problem

        ranks = ranks_here()
        chosen, settings = choose(
            problem,
            method=self.method,
            preset=self.preset,
            num_steps=self.timesteps,
            eta=self.eta,
            spacing=None if self.spacing is None else read_spacing(self.spacing),
        )
        model, available = self.model, None
        if ranks.size > 1:
            available = ranks.available_memory(self.place)
        with ranks.agreeing():
            plan = plan_restoration(
                problem,
                model,
                method=chosen,
                num_steps=settings["num_steps"],
                samples=self.samples,
                sampler=self.sampler,
                max_batch=self.max_batch,
                available=available,
                ranks=ranks.size,
            )
        by_picture = self.tolerance is None and read_form(self.form)[0] == "gaussian"
        report = restore_problem(
            problem,
            plan.prior,
            method=chosen,
            settings=settings,
            seed=self.seed,
            samples=self.samples,
            sampler=plan.sampler,
            solve=SolveOptions(
                form=self.form,
                solver=self.solver,
                max_sweeps=self.sweeps,
                tolerance=TOLERANCE if self.tolerance is None else self.tolerance,
                x0_tolerance=X0_TOLERANCE if by_picture else None,
                window=plan.window,
            ),
            show_progress=True,
        )
        return report, plan

    def asked(self) -> dict[str, Any]:
        """Those that make another picture, to know the same command again."""
        return {k: v for k, v in asdict(self).items() if k not in ("device", "max_batch")}

    def numbers(self, plan: "Plan") -> dict[str, Any]:
        """What is kept of these in a report beside what the restoration says."""
        known = asdict(self) | {"device": str(self.place)}
        known |= {"sampler": plan.sampler, "plan": plan.describe(), "ranks": ranks_here().size}
        told = ("method", "preset", "timesteps", "eta", "spacing", "sweeps", "max_batch")
        for name in told:  # by the restoration, as they turned out
            del known[name]
        if plan.sampler != "parallel":
            known |= dict.fromkeys(("form", "solver", "tolerance"))
        return known

    def advice(self, size: tuple[int, int], smaller: str) -> str:
        """What to say when memory runs out on a photo of ``size`` (H, W): how large the work is,
        and what makes it less, ``smaller`` first."""
        parallel, several = self.sampler != "sequential", self.samples > 1
        helps = [smaller]
        helps += ["--max-batch 1"] if (parallel or several) and self.max_batch != 1 else []
        helps += ["fewer --samples"] if several else []
        helps += ["fewer --timesteps"] if self.timesteps != 1 else []
        helps += ["--sampler sequential"] if parallel else []
        return (
            f"out of memory with {f'{self.samples} samples of ' if several else ''}a photo of "
            f"{size[1]}x{size[0]} pixels{f' and T = {self.timesteps}' if self.timesteps else ''}; "
            f"less is needed with {', '.join(helps)}"
        )
