"""Which photos a command restores, and where each of them goes: known before any work."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deqir_lite._files import check_regular, printable
from deqir_lite._outputs import check_folder, check_output, same_file
from deqir_lite.cli import options as o

RECORD_FILE = "restored.json"
"""In a folder where the command names the results: how each of them was made."""

REPLACES = "-o takes another name, or this one to replace it"
"""What can be done where a result stands in the way of another one."""

_LOSSLESS = (".png", ".tif", ".tiff", ".webp")


class Job(NamedTuple):
    """A photo, and the file that its restoration goes to."""

    photo: Path
    out: Path

    def beside(self, name: str, ending: str = ".png") -> Path:
        """Another file of the same restoration."""
        return self.out.with_name(f"{self.out.stem}-{name}{ending}")


class Plan(NamedTuple):
    """The ``jobs`` of a command; ``several``: each fails alone, and is not done twice; ``named``:
    the names of the results are the command's own, not the user's."""

    jobs: list[Job]
    several: bool
    named: bool


def plan_outputs(given: Sequence[Path], out: Path | None) -> Plan:
    """Where the photos and folders of photos that were ``given`` go.

    Without ``out`` beside each photo, and from a folder into another one beside it, by the photo's
    name with "-restored"; with several photos ``out`` is a folder, with one a file or a folder that
    is there. Files that are outputs of this command are no photos of it. Raises ValueError or
    OSError for what could not be written, or would overwrite one of the photos.
    """
    found = [pair for path in given for pair in _photos(path, out)]
    if len(found) == 1 and not any(map(os.path.isdir, given)):
        photo, folder = found[0]
        check_regular("photo", photo, "photo")
        job, named = one_job(photo, out, folder, f"{photo.stem}-restored{_ending(photo)}")
        return Plan([job], several=False, named=named)
    _check_is_folder(out, len(found))
    found = list(dict.fromkeys(found))
    jobs = [
        Job(photo, folder / name)
        for (photo, folder), name in zip(found, _names(found), strict=True)
    ]
    twice = [out for out, count in Counter(job.out for job in jobs).items() if count > 1]
    if twice:
        raise ValueError(
            f"out: {shown(twice[0])} would be the name of several results; restore the photos of "
            "one name into folders of their own"
        )
    written = {job.out.resolve() for job in jobs}
    jobs = [job for job in jobs if job.photo.resolve() not in written]
    _check_several(jobs)
    return Plan(jobs, several=True, named=True)


def one_job(photo: Path, out: Path | None, beside: Path, name: str) -> tuple[Job, bool]:
    """The job of a single photo, and whether the command names the result: ``name`` in the folder
    ``out``, or ``beside`` without one."""
    if out is not None and not os.path.isdir(out):
        return Job(photo, out), False
    return Job(photo, (out or beside) / name), True


def _names(found: Sequence[tuple[Path, Path]]) -> list[str]:
    """The names of the results: by that of the photo, with its ending or its folder where only
    these tell two apart."""
    ways: list[Callable[[Path], str]] = [
        lambda photo: photo.stem,
        lambda photo: photo.name,
        lambda photo: f"{photo.resolve().parent.name}-{photo.name}",
    ]
    named = [[f"{way(photo)}-restored{_ending(photo)}" for way in ways] for photo, _ in found]
    folders = [folder for _, folder in found]
    places = Counter(
        (folder, name) for folder, names in zip(folders, named, strict=True) for name in set(names)
    )
    return [
        next((name for name in names if places[folder, name] == 1), names[-1])
        for folder, names in zip(folders, named, strict=True)
    ]


def _photos(path: Path, out: Path | None) -> list[tuple[Path, Path]]:
    """The photos that a path means, each with the folder for its restoration."""
    if not os.path.isdir(path):  # which is False, and no error, for what cannot be named
        return [(path, path.parent if out is None else out)]
    from deqir_lite.images import PHOTO_ENDINGS

    whole = path.resolve()  # "." and ".." have a name there
    if out is None and not whole.name:
        raise ValueError(f"out: beside {str(path)!r} is no place for the results; say one with -o")
    beside = path if path.name == whole.name else whole
    target = beside.with_name(f"{whole.name}-restored") if out is None else out
    among = target.resolve() == path.resolve()
    inside = [
        photo
        for photo in sorted(path.rglob("*"))
        if photo.suffix.lower() in PHOTO_ENDINGS
        and not any(part.startswith(".") for part in photo.relative_to(path).parts)
        and (among or not photo.resolve().is_relative_to(target.resolve()))
    ]
    if not inside:
        raise ValueError(
            f"photo: the folder {str(path)!r} holds no photo ({', '.join(PHOTO_ENDINGS)})"
        )
    return [(photo, target / photo.parent.relative_to(path)) for photo in inside]


def _ending(photo: Path) -> str:
    """That of the photo, but for formats that lose detail, or cannot be written."""
    ending = photo.suffix.lower()
    return ending if ending in _LOSSLESS else ".png"


def _check_is_folder(out: Path | None, count: int) -> None:
    file = out is not None and not os.path.isdir(out) and out.suffix.lower() in o.names(o.ENDINGS)
    if file:
        raise ValueError(f"out: got {str(out)!r} for {count} photos; expected a folder")


def _files_among(inputs: Mapping[str, str | None]) -> dict[Path, str]:
    return {
        Path(given): f"the {what}"
        for what, given in inputs.items()
        if given and os.path.exists(given)
    }


def check_others(jobs: Sequence[Job], inputs: Mapping[str, str | None]) -> None:
    """Refuse outputs of several photos that would overwrite one of the other ``inputs``."""
    for path, what in _files_among(inputs).items():
        for job in jobs:
            if same_file(job.out, path):
                raise ValueError(f"out: {shown(job.out)} is {what}; take another folder")


def _check_several(jobs: Sequence[Job]) -> None:
    """Refuse folders that cannot be made, and outputs that would overwrite a photo."""
    photos = {job.photo.resolve() for job in jobs}
    for job in jobs:
        if job.out.resolve() in photos:
            raise ValueError(f"out: {shown(job.out)} is one of the photos; take another folder")
        check_folder("out", job.out.parent)


def check_files(
    files: Sequence[Path], photo: Path, report: Path | None, inputs: Mapping[str, str | None]
) -> None:
    """Refuse, before the work, files that could not be written, would overwrite the photo or one of
    the other ``inputs`` (what it is -> its path, or a name that is none), or one another."""
    taken = {photo: "the photo"} | _files_among(inputs)
    for path in [*files, *([] if report is None else [report])]:
        name = "report" if path is report else "out"
        check_output(name, path)
        for other, what in taken.items():
            if same_file(path, other):
                raise ValueError(f"{name}: {str(path)!r} is {what}; take another name")
        taken[path] = "another output of this command"
    ending = files[0].suffix
    if ending.lower() not in o.names(o.ENDINGS):
        has = f"ends in {ending!r}" if ending else "is no folder that is there, and has no ending"
        raise ValueError(f"out: {str(files[0])!r} {has}; expected one of {o.ENDINGS}")


def shown(path: Path) -> str:
    """A path for the terminal."""
    return printable(str(path))
