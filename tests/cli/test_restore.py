"""``deqir-lite restore``: damaged photos as they are, where results go, and what is refused."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from deqir_lite import load_photo, psnr, save_image
from deqir_lite.cli.record import RECORD_FILE
from deqir_lite.operators import BicubicDownsampling
from deqir_lite.priors import load as load_module


@pytest.fixture
def refuses(refused, folder, photo):
    """(options..., message=...): a restoration that is refused."""

    def check(*options, message, photo=photo, out=folder / "out.png", prior="gaussian"):
        refused("restore", photo, "-o", out, "--prior", prior, *options, message=message)

    return check


@pytest.fixture
def no_work(monkeypatch):
    """Anything that loads a prior fails: what is refused must be refused before that."""

    def fail(*arguments, **options):
        raise AssertionError("a prior was loaded")

    monkeypatch.setattr(load_module, "load_prior", fail)


@pytest.fixture
def holes(tmp_path):
    """(file of a mask of 32x32 pixels, where it has holes)."""
    kept = np.full((32, 32), 255, dtype=np.uint8)
    kept[8:12, 20:30] = 0
    Image.fromarray(kept).save(tmp_path / "holes.png")
    return tmp_path / "holes.png", kept == 0


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


# --- damage, alone and combined ---


def test_holes(restore, folder, photo, holes):
    file, lost = holes
    result = restore("--mask", file)
    assert result.exit_code == 0, result.output
    changed = abs(pixels(folder / "out.png") - pixels(photo)).max(axis=-1) > 1
    assert changed[lost].mean() > 0.5
    assert not changed[~lost].any()
    assert result.stdout.startswith(f"{photo}: 32x32 -> 32x32, mask\n")
    assert "mask: holes.png: black = hole, 3.9% of 32x32 pixels\n" in result.stdout
    assert "simple answer: biharmonic, from which the restored photo differs by " in result.stdout
    assert "PSNR" not in result.stdout
    assert result.stdout.splitlines()[-1] == str(folder / "out.png")
    assert [path.name for path in folder.iterdir()] == ["out.png"]


def test_the_hole_may_be_white(restore, folder, photo, holes, tmp_path):
    file, lost = holes
    Image.fromarray((255 * lost).astype(np.uint8)).save(tmp_path / "white.png")
    restore("--mask", file, out=folder / "black.png")
    result = restore("--mask", tmp_path / "white.png", "--hole", "white")
    assert "white.png: white = hole, 3.9%" in result.stdout
    assert (pixels(folder / "out.png") == pixels(folder / "black.png")).all()


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_any_factor(restore, folder, photo, tmp_path, factor):
    """What is enlarged and made small again is the photo that was given."""
    mild = 0.6 * load_photo(photo)[..., :13, :18]  # so that nothing is clamped
    odd = save_image(tmp_path / "odd.png", mild)
    result = restore("--upscale", factor, "--report", folder / "report.json", photo=odd)
    assert result.exit_code == 0, result.output
    large = load_photo(folder / "out.png")
    assert large.shape == (1, 3, 13 * factor, 18 * factor)
    assert f"18x13 -> {18 * factor}x{13 * factor}, upscale {factor}\n" in result.stdout
    small = BicubicDownsampling(factor).A(large)
    assert (small - load_photo(odd)).abs().max() < 2 / 127.5
    numbers = json.loads((folder / "report.json").read_text())
    assert (numbers["size"], numbers["restored_size"]) == ([13, 18], [13 * factor, 18 * factor])
    assert not any(name.startswith(("psnr", "ssim")) for name in numbers)


def test_noise_alone_is_denoising(restore, folder, photo, tmp_path):
    truth = load_photo(photo)
    white = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    noisy = save_image(tmp_path / "noisy.png", truth + 0.15 * white)
    before = float(psnr(load_photo(noisy), truth))
    for level in ("0.15", "auto"):
        result = restore("--sigma-y", level, photo=noisy)
        assert result.exit_code == 0, result.output
        assert float(psnr(load_photo(folder / "out.png"), truth)) > before + 2
    assert "warning" not in result.stderr
    result = restore("--upscale", 2, photo=noisy)
    assert "warning: sigma_y: the photo is taken as exact, but looks as" in result.stderr
    assert "--sigma-y auto" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--colorize", "--mask"], "colorize + mask"),
        (["--upscale", 2, "--kernel", "gaussian:1.2"], "kernel + upscale 2"),
        (["--upscale", 2, "--colorize", "--kernel", "box:3", "--mask"],
         "kernel + upscale 2 + colorize + mask"),
        (["--kernel", "motion:5:30", "--sigma-y", 0.05], "kernel"),
        (["--upscale", 2, "--sigma-y", 0.05, "--mask"], "upscale 2 + mask"),
    ],
)  # fmt: skip
def test_combinations(restore, folder, holes, options, said):
    options = [*options, holes[0]] if options[-1] == "--mask" else options
    result = restore(*options, "--report", folder / "report.json")
    assert result.exit_code == 0, result.output
    numbers = json.loads((folder / "report.json").read_text())
    assert numbers["damage"] == said
    assert numbers["method"] == "weighted"
    side = 64 if "--upscale" in options else 32
    assert pixels(folder / "out.png").shape == (side, side, 3)


def test_a_kernel_from_a_file_is_the_one_by_name(restore, folder, tmp_path):
    np.save(tmp_path / "k.npy", np.full((3, 3), 1 / 9))
    restore("--kernel", "box:3", out=folder / "name.png")
    result = restore("--kernel", tmp_path / "k.npy", out=folder / "file.png")
    assert "kernel: k.npy: 3x3 taps, centre in row 1" in result.stdout
    assert (pixels(folder / "name.png") == pixels(folder / "file.png")).all()


def test_samples(restore, folder, holes):
    result = restore("--mask", holes[0], "--samples", 2)
    assert result.exit_code == 0, result.output
    names = ["out.png", "out-samples.png", "out-deviation.png"]
    assert result.stdout.splitlines()[-3:] == [str(folder / name) for name in names]
    kept = ~holes[1]
    assert (pixels(folder / "out-deviation.png")[kept] == 0).all()
    assert pixels(folder / "out-deviation.png").max() == 255


# --- what is kept of the photo ---


def test_depth_alpha_and_resolution_are_kept(restore, folder, photo, tmp_path, holes):
    colours = np.asarray(Image.open(photo))
    rgba = np.dstack([colours, np.linspace(1, 255, 1024).reshape(32, 32).astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "rgba.png", dpi=(300, 300))
    assert restore("--mask", holes[0], photo=tmp_path / "rgba.png").exit_code == 0
    with Image.open(folder / "out.png") as out:
        assert (np.asarray(out)[..., 3] == rgba[..., 3]).all()
        assert out.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        unseen = np.asarray(out)[..., :3].astype(int) - colours
    assert abs(unseen[~holes[1]]).max() <= 1  # not laid on white

    import tifffile

    deep = (np.asarray(Image.open(photo)).astype(np.uint16) * 257) ^ 1
    tifffile.imwrite(tmp_path / "deep.tif", deep)
    result = restore("--mask", holes[0], photo=tmp_path / "deep.tif", out=folder / "deep.tif")
    assert result.exit_code == 0, result.output
    written = tifffile.imread(folder / "deep.tif")
    assert written.dtype == np.uint16
    assert (written[~holes[1]] == deep[~holes[1]]).mean() > 0.99


# --- where results go ---


@pytest.mark.parametrize(("ending", "gets"), [("png", "png"), ("jpg", "png"), ("webp", "webp")])
def test_beside_the_photo(run, photo, ending, gets):
    file = photo.with_name(f"mine.{ending}")
    Image.open(photo).save(file)
    result = run("restore", file, "--sigma-y", 0.1, "--prior", "gaussian", "--timesteps", 3)
    assert result.exit_code == 0, result.output
    out = photo.with_name(f"mine-restored.{gets}")
    assert result.stdout.splitlines()[-1] == str(out)
    assert pixels(out).shape == (32, 32, 3)


@pytest.fixture
def album(tmp_path, photo):
    """A folder with two photos, one of them in a subfolder, a broken one, and other things."""
    root = tmp_path / "album"
    (root / "more").mkdir(parents=True)
    image = load_photo(photo)
    save_image(root / "a.png", image)
    save_image(root / "more" / "b.jpg", image.flip(-1))
    (root / "broken.png").write_bytes(b"no picture")
    (root / "notes.txt").write_text("not a photo")
    (root / ".hidden.png").write_bytes(b"")
    return root


QUICK = ("--sigma-y", 0.1, "--prior", "gaussian", "--timesteps", 3)


def test_a_folder_becomes_a_folder_and_one_photo_fails_alone(run, album, tmp_path):
    result = run("restore", album, *QUICK, "-o", tmp_path / "new")
    assert result.exit_code == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("error")]
    assert len(lines) == 2
    assert "broken.png: path: " in lines[0]
    assert lines[1] == "error: 1 of 3 photos could not be restored"
    found = {str(p.relative_to(tmp_path / "new")) for p in (tmp_path / "new").rglob("*.*")}
    assert found == {"a-restored.png", "more/b-restored.png", RECORD_FILE, f"more/{RECORD_FILE}"}
    kept = json.loads((tmp_path / "new" / RECORD_FILE).read_text())
    assert kept["photos"]["a-restored.png"]["numbers"]["sigma_y"] == 0.1


def test_without_a_name_the_folder_is_beside(run, album, tmp_path):
    (album / "broken.png").unlink()
    assert run("restore", album, *QUICK).exit_code == 0
    assert (tmp_path / "album-restored" / "more" / "b-restored.png").is_file()


def test_a_run_goes_on_and_redoes_what_differs(run, album, tmp_path):
    (album / "broken.png").unlink()
    first, second = tmp_path / "new" / "a-restored.png", tmp_path / "new/more/b-restored.png"
    command = ("restore", album, *QUICK, "-o", tmp_path / "new")
    run(*command)
    os.utime(first, (1, 1))
    second.write_bytes(second.read_bytes()[:-9])  # cut by a full disk, say
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert f"{first} is there already, from the same photo and options" in result.stdout
    assert first.stat().st_mtime == 1
    assert pixels(second).shape == (32, 32, 3)
    run(*command, "--seed", 1)
    assert first.stat().st_mtime != 1
    os.utime(first, (1, 1))
    save_image(album / "a.png", load_photo(album / "a.png").flip(-2))
    run(*command, "--seed", 1)
    assert first.stat().st_mtime != 1


def test_several_photos_lie_beside_themselves_and_results_are_no_photos(run, photo, tmp_path):
    other = save_image(tmp_path / "photo.tif", load_photo(photo))
    assert run("restore", photo, other, *QUICK).exit_code == 0
    names = {p.name for p in tmp_path.glob("*restored*")}
    assert names == {"photo-restored.png", "photo-restored.tif", RECORD_FILE}
    result = run("restore", *sorted(tmp_path.glob("*.png")), other, *QUICK)  # a shell's *.png
    assert result.exit_code == 0, result.output
    assert {p.name for p in tmp_path.glob("*restored*")} == names


def test_names_that_would_meet_in_one_folder(run, photo, tmp_path):
    save_image(tmp_path / "photo.jpg", load_photo(photo))
    assert run("restore", photo, tmp_path / "photo.jpg", *QUICK).exit_code == 0
    assert (tmp_path / "photo.jpg-restored.png").is_file()
    assert (tmp_path / "photo.png-restored.png").is_file()


# --- what it refuses ---


def test_nothing_is_said_of_the_damage(refuses, no_work):
    refuses(message="damage: nothing was said of it; say what is known: --mask FILE (holes), ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--upscale", 1], "upscale: got 1; expected an integer >= 2"),
        (["--upscale", 0], "upscale: got 0"),
        (["--upscale", -2], "upscale: got -2"),
        (["--sigma-y", -0.1], "sigma-y: got '-0.1'; expected a finite number >= 0, or auto"),
        (["--sigma-y", "nan"], "sigma-y: got 'nan'"),
        (["--sigma-y", "much"], "sigma-y: got 'much'"),
        (["--kernel", "absent.npy"], "kernel: no kernel 'absent.npy'"),
        (["--kernel", "gaussian"], "kernel: got 'gaussian'; expected one of gaussian:SIGMA, "),
        (["--kernel", "gaussian:x"], "kernel: got 'gaussian:x'; expected one of"),
        (["--kernel", "gaussian:nan"], "kernel: sigma nan; expected 0.1 to 100"),
        (["--kernel", "box:0"], "kernel: side 0; expected 1 to 500"),
        (["--kernel", "motion:5"], "kernel: got 'motion:5'"),
        (["--kernel", "disk:1e9"], "kernel: radius 1e+09"),
        (["--mask", "absent.png"], "mask: no mask 'absent.png'"),
        (["--colorize", "--hole", "grey"], "hole: unknown value 'grey'; known: auto, black"),
        (["--colorize", "--max-pixels", 0], "max-pixels: got 0"),
        (["--colorize", "--method", "bogus"], "method: unknown value 'bogus'; known: auto, ddnm"),
        (
            ["--colorize", "--sampler", "bogus"],
            "sampler: unknown value 'bogus'; known: auto, parallel",
        ),
        (["--colorize", "--device", "bogus"], "device: unknown value 'bogus'; known: auto"),
        (["--colorize", "--samples", 0], "samples: got 0; expected an integer >= 1"),
        (["--colorize", "--seed", -1], "seed: got -1"),
        (["--colorize", "--spacing", 0.5], "spacing: got 0.5; expected an exponent >= 1"),
        (["--colorize", "--bogus", 1], "No such option: --bogus"),
        (["--upscale", "two"], "Invalid value for '--upscale'"),
    ],
)
def test_bad_options(refuses, no_work, options, message):
    refuses(*options, message=message)


def test_masks_that_do_not_fit(refuses, no_work, tmp_path):
    Image.fromarray(np.eye(30, dtype=bool)).save(tmp_path / "mask.png")
    refuses("--mask", tmp_path / "mask.png", message="has 30x30 pixels; expected 32x32, as its")
    wide = save_image(tmp_path / "wide.png", torch.zeros(3, 16, 40))
    refuses("--mask", "box", photo=wide, message="mask: box is for square photos, this one has 40x")


def test_a_kernel_larger_than_the_photo(refuses, no_work, tmp_path):
    np.save(tmp_path / "k.npy", np.ones((33, 33)) / 33**2)
    refuses("--kernel", tmp_path / "k.npy", message="has 33x33 taps, more than the photo's 32x32")


def test_outputs_that_cannot_be_written(run, refuses, no_work, folder, photo, tmp_path):
    content = photo.read_bytes()
    said = ("--sigma-y", 0.1)
    refuses(*said, out=folder / "out.xyz", message="ending of out: unknown value '.xyz'")
    refuses(*said, out=tmp_path / "nowhere" / "out.png", message="out: no folder")
    refuses(*said, out=tmp_path / "out" / ".." / photo.name, message="is the photo; take another")
    refuses(*said, "--report", folder / "out.png", message="is another output of this command")
    assert photo.read_bytes() == content
    other = save_image(tmp_path / "other.png", load_photo(photo))
    result = run("restore", photo, other, *said, "-o", folder / "out.png")
    assert "out: got " in result.stderr
    assert "for 2 photos; expected a folder" in result.stderr
    result = run("restore", photo, other, *said, "--report", folder / "r.json")
    assert f"report: got it with 2 photos; {RECORD_FILE} in the folder" in result.stderr


def test_photos_that_are_none(refuses, no_work, tmp_path):
    said = ("--sigma-y", 0.1)
    refuses(*said, photo=tmp_path / "missing.png", message="path: no photo ")
    (tmp_path / "empty").mkdir()
    refuses(*said, photo=tmp_path / "empty", message="photo: the folder ")
    os.mkfifo(tmp_path / "pipe.png")
    refuses(*said, photo=tmp_path / "pipe.png", message="is a named pipe; expected a photo")


def test_a_record_of_something_else(run, album):
    (album / RECORD_FILE).write_text('{"photos": []}')
    result = run("restore", album, *QUICK, "-o", album)
    assert result.exit_code == 2
    assert f"{RECORD_FILE}: photos" in result.stderr
    assert (album / RECORD_FILE).read_text() == '{"photos": []}'


def test_photos_of_one_name_do_not_overwrite_each_other(run, photo, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(photo.read_bytes())
    given = [tmp_path / "a" / "x.png", tmp_path / "b" / "x.png"]
    options = ("--sigma-y", 0.1, "--prior", "gaussian", "--timesteps", 2, "-o", tmp_path / "out")
    result = run("restore", *given, *options)
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert names == {"a-x.png-restored.png", "b-x.png-restored.png"}


@pytest.mark.parametrize("option", ["-o", "--report"])
@pytest.mark.parametrize("what", ["mask", "kernel"])
def test_no_output_replaces_another_input(run, photo, holes, tmp_path, option, what):
    np.save(tmp_path / "kernel.npy", np.ones((3, 3)))
    given = {"mask": tmp_path / "mask.png", "kernel": tmp_path / "kernel.png"}[what]
    given.write_bytes(holes[0].read_bytes())
    before = given.read_bytes()
    more = () if option == "-o" else ("-o", tmp_path / "out.png")
    result = run("restore", photo, f"--{what}", given, option, given, *more, "--timesteps", 2)
    assert result.exit_code == 2
    assert f"is the {what}; take another name" in result.stderr
    assert given.read_bytes() == before
