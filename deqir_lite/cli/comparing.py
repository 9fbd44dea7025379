"""What ``deqir-lite evaluate`` does."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import typer

from deqir_lite import defaults
from deqir_lite._files import naming
from deqir_lite._interrupts import postponed_interrupt
from deqir_lite._outputs import check_folder, same_file
from deqir_lite.bundled import data_path
from deqir_lite.checks import check_choice, check_integer
from deqir_lite.cli.app import check_timesteps, read_each, read_spacing
from deqir_lite.device import choose_device
from deqir_lite.engine.ranks import numbers_of_process
from deqir_lite.priors.base import DTYPES
from deqir_lite.priors.identity import prior_digest
from deqir_lite.priors.load import load_prior
from deqir_lite.studies.comparison.measure import features_here, inception_here, lpips_here
from deqir_lite.studies.comparison.networks import load_network, plan_networks
from deqir_lite.studies.comparison.report import (
    PAGE,
    PAGE_START,
    RESULTS,
    TABLE,
    in_order,
    write_report,
)
from deqir_lite.studies.comparison.rows import rows_file
from deqir_lite.studies.comparison.run import Comparison, merged, restorations
from deqir_lite.studies.comparison.settings import plan, possible
from deqir_lite.studies.comparison.sheets import write_sheets
from deqir_lite.studies.evaluation.photos import check_photo_sizes, find_photos


def compare(
    *,
    methods: str,
    networks: str | None,
    forms: str,
    tasks: str,
    photos: Path | None,
    sizes: str,
    sigma_y: str,
    reference: str | None,
    timesteps: str,
    spacing: str,
    eta: str,
    seeds: int,
    prior: str,
    label: int | None,
    device: str,
    dtype: str,
    max_batch: int | None,
    pictures: bool,
    out: Path,
) -> None:
    """The work of the command, with its options."""
    command = _command(locals())
    names = read_each("methods", methods, str)
    sources = [] if networks is None else read_each("networks", networks, str)
    where = read_each("tasks", tasks, str), read_each("sizes", sizes, int)
    levels = read_each("sigma-y", sigma_y, float)
    wanted = plan(
        names,
        *where,
        forms=read_each("forms", forms, str),
        sigma_y=levels,
        timesteps=read_each("timesteps", timesteps, _or_own(int)),
        spacing=[_or_own(read_spacing)(part) for part in read_each("spacing", spacing, str)],
        eta=read_each("eta", eta, _or_own(float)),
    )
    usual = defaults.COMPARED_REFERENCE if defaults.COMPARED_REFERENCE in names else names[0]
    against = usual if reference is None else reference
    check_choice("reference", against, [*names, *sources])
    check_integer("seeds", seeds, 1)
    if max_batch is not None:
        check_integer("max-batch", max_batch, 1)
    check_choice("dtype", dtype, DTYPES)
    rank, processes = numbers_of_process()
    place = _own_device(choose_device(device), processes)
    _check_out(out, rank)
    if pictures and photos is not None and same_file(photos, out):
        raise ValueError(f"out: {str(out)!r} has the photos; sheets in it would be taken for some")
    found = find_photos(photos or data_path("photos"), without=out)
    check_photo_sizes(found, (setting.size for setting in wanted))
    model = load_prior(prior, device=place, dtype=dtype, max_batch=max_batch, label=label)
    for setting in wanted:
        check_timesteps(setting.timesteps or 1, model.schedule.num_train_timesteps)
    loaded = {source: load_network(source, device=place) for source in sources}
    direct, refused = plan_networks(list(loaded.values()), *where, sigma_y=levels)
    wanted, left_out = possible(wanted, model, device=place)
    wanted, left_out = [*wanted, *direct], [*left_out, *refused]
    for line in left_out if rank == 0 else ():
        typer.echo(line, err=True)
    if not wanted:
        raise ValueError(
            f"methods: none of {', '.join([*names, *sources])} can do any of the tasks"
        )
    settings = {
        "prior": prior_digest(model, prior),
        "photos": {photo.name: photo.digest for photo in found},
        "dtype": dtype,
        "lpips": lpips_here(),
        "features": features_here(),
        "inception": inception_here(),
    }
    with naming("out", out):
        out.mkdir(parents=True, exist_ok=True)
    by_name = {network.name: network for network in loaded.values()}
    work = Comparison(model, prior, out, settings, place, rank, by_name, pictures)
    stopped: KeyboardInterrupt | None = None
    try:
        work.run(
            restorations(wanted, found, seeds=seeds, rank=rank, processes=processes),
            show_progress=rank == 0,
        )
    except KeyboardInterrupt as error:
        stopped = error
    with merged(out, out / RESULTS) as rows, postponed_interrupt():
        keys = [each.key for each in restorations(wanted, found, seeds=seeds)]
        done = sum(key in rows.rows for key in keys)
        if rows.rows:
            against = loaded[against].name if against in loaded else against
            text = write_report(out, rows, reference=against, left_out=left_out, command=command)
            if done == len(keys) or stopped is not None:
                typer.echo(text)
    if pictures:
        write_sheets(out, in_order(rows), found[rank::processes])
    if done == len(keys):
        typer.echo(f"written to {out}")
    elif processes > 1 and stopped is None:
        typer.echo(f"{done} of {len(keys)} restorations are done; other processes go on")
    else:
        typer.echo(f"stopped after {done} of {len(keys)} restorations: the same command goes on")
    if stopped is not None:
        raise stopped


def _or_own(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """What an option says, None for a method's own."""
    return lambda text: None if text == "own" else kind(text)


def _own_device(place: torch.device, processes: int) -> torch.device:
    """Of several GPUs that of this process."""
    local = os.environ.get("LOCAL_RANK", "0")
    one = place.type == "cuda" and place.index is None
    if not one or processes == 1 or not local.isdecimal():
        return place
    return torch.device("cuda", int(local) % torch.cuda.device_count())


def _check_out(folder: Path, rank: int) -> None:
    """Refuse before the work a folder where files cannot be written, or are somebody else's."""
    own = rows_file(folder, rank).name
    check_folder("out", folder, files=[RESULTS, TABLE, PAGE, own])
    page = folder / PAGE
    if page.exists() and page.read_bytes()[: len(PAGE_START)] != PAGE_START.encode():
        raise ValueError(f"out: {str(page)!r} is of another origin; take another folder or move it")


def _command(options: dict[str, Any]) -> str:
    """The command again; its defaults are given too, since later versions may have others."""
    words = [
        word
        for name, value in options.items()
        if value is not None and value is not False
        for word in (f"--{name.replace('_', '-')}", *([] if value is True else [str(value)]))
    ]
    return shlex.join(["deqir-lite", "evaluate", *words])
