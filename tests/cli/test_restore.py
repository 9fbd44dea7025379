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
    assert (
        "simple answer: smoothly filled holes, from which the restored photo differs by "
        in result.stdout
    )
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
    assert "broken.png: photo: " in lines[0]
    assert lines[1] == "error: 1 of 3 photos could not be restored"
    found = {str(p.relative_to(tmp_path / "new")) for p in (tmp_path / "new").rglob("*.*")}
    assert found == {"a-restored.png", "more/b-restored.png", RECORD_FILE, f"more/{RECORD_FILE}"}
    kept = json.loads((tmp_path / "new" / RECORD_FILE).read_text())
    assert kept["photos"]["a-restored.png"]["numbers"]["sigma_y"] == 0.1


def test_without_a_name_the_folder_is_beside(run, album, tmp_path):
    (album / "broken.png").unlink()
    assert run("restore", album, *QUICK).exit_code == 0
    assert (tmp_path / "album-restored" / "more" / "b-restored.png").is_file()


@pytest.mark.parametrize(("given", "place"), [(".", "album"), ("..", "root")])
def test_the_folder_one_is_in_has_a_name_too(run, album, tmp_path, monkeypatch, given, place):
    root = tmp_path / "root"
    root.mkdir()
    album.rename(root / "album")
    (root / "album" / "broken.png").unlink()
    monkeypatch.chdir(root / "album")
    result = run("restore", given, *QUICK)
    assert result.exit_code == 0, result.output
    made = {"album": root / "album-restored", "root": tmp_path / "root-restored"}[place]
    assert len(list(made.rglob("*-restored.*"))) == 2
    assert "say one with -o" in run("restore", "/", *QUICK).stderr


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
    save_image(album / "a.png", load_photo(album / "a.png").flip(-2))
    assert run(*command).exit_code == 0
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


# --- results of other options stay ---


@pytest.mark.parametrize("command", ["restore", "demo"])
def test_the_same_command_replaces_its_result_and_another_one_does_not(run, photo, command):
    usual = ("--sigma-y", 0.1, "--prior", "gaussian", "--timesteps", 2)
    out = photo.with_name("photo-restored.png" if command == "restore" else "photo-sr4.png")

    def call(*options):
        return run(command, photo, *usual, *options)

    assert call().exit_code == 0
    first = out.read_bytes()
    assert call().exit_code == 0
    assert call("--max-batch", 1).exit_code == 0  # which makes no other picture
    result = call("--seed", 1)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"error: out: {out} is there already, made with other options (seed 0, not 1); -o takes "
        "another name, or this one to replace it\n"
    )
    assert out.read_bytes() == first
    assert call("--seed", 1, "-o", out).exit_code == 0
    assert out.read_bytes() != first
    assert "(seed 1, not 0)" in call().stderr  # the record follows
    assert call("--seed", 1).exit_code == 0
    save_image(photo, load_photo(photo).flip(-1))
    assert call("--seed", 1).exit_code == 0  # its own, of the photo as it was


def test_a_file_that_nobody_knows_is_not_replaced(run, photo, tmp_path):
    out = save_image(tmp_path / "photo-restored.png", load_photo(photo))
    before = out.read_bytes()
    result = run("restore", photo, *QUICK)
    assert result.exit_code == 2
    assert "is there already, and nothing says how it was made; -o takes another" in result.stderr
    assert out.read_bytes() == before
    result = run("restore", photo, *QUICK, "--samples", 2, "-o", tmp_path / "new.png")
    assert result.exit_code == 0
    assert not (tmp_path / RECORD_FILE).exists()  # a name that was given is nobody's business


def test_in_a_folder_nothing_is_replaced_either(run, album, tmp_path):
    (album / "broken.png").unlink()
    command = ("restore", album, *QUICK, "-o", tmp_path / "new")
    assert run(*command).exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "new").rglob("*.*")}
    result = run(*command, "--seed", 1)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "made with other options (seed 0, not 1); take another folder (-o)" in result.stderr
    (tmp_path / "other").mkdir()
    save_image(tmp_path / "other" / "a.png", load_photo(album / "a.png").flip(-2))
    result = run("restore", tmp_path / "other" / "a.png", *QUICK, "-o", tmp_path / "new")
    assert f"made of another photo, {album / 'a.png'}; -o takes" in result.stderr
    assert before == {path: path.read_bytes() for path in (tmp_path / "new").rglob("*.*")}


def test_a_mask_counts_by_what_is_in_it(run, photo, holes, tmp_path):
    command = ("restore", photo, "--prior", "gaussian", "--timesteps", 2, "--mask")
    assert run(*command, holes[0]).exit_code == 0
    copy = tmp_path / "copy.png"
    copy.write_bytes(holes[0].read_bytes())
    assert run(*command, copy).exit_code == 0
    Image.fromarray((255 * ~np.roll(holes[1], 3)).astype(np.uint8)).save(copy)
    assert "made with other options (another mask); -o takes" in run(*command, copy).stderr


def test_killed_at_any_time_it_goes_on(run, photo, tmp_path, kill_at):
    command = ("restore", photo, *QUICK)
    assert run(*command).exit_code == 0
    kept = {photo.name, "photo-restored.png", RECORD_FILE, "out"}
    number = 1
    while kill_at(number, lambda: run(*command)):
        number += 5
        result = run(*command)
        assert result.exit_code == 0, result.stderr
        assert {path.name for path in tmp_path.iterdir()} <= kept
        for name in ("photo-restored.png", RECORD_FILE):
            (tmp_path / name).unlink()
    assert number > 10


# --- grey photos stay grey ---


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "1", "RGB"])
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_grey_comes_back_grey(restore, folder, photo, tmp_path, mode, ending):
    grey = Image.open(photo).convert("L")
    if mode == "I;16":
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(tmp_path / "grey.png")
    elif mode == "LA":
        Image.merge("LA", (grey, Image.new("L", grey.size, 200))).save(tmp_path / "grey.png")
    else:
        grey.convert(mode).save(tmp_path / "grey.png")
    out = folder / f"out.{ending}"
    result = restore("--upscale", 2, photo=tmp_path / "grey.png", out=out)
    assert result.exit_code == 0, result.output
    with Image.open(out) as found:
        has = {"1": "L"}.get(mode, mode) if ending != "webp" else "RGBA" if mode == "LA" else "RGB"
        assert found.mode == has
        values = np.asarray(found)
        if values.ndim == 3 and mode != "LA":
            assert (values == values[..., :1]).all()
    colours = load_photo(out)
    assert (colours == colours[:, :1]).all()
    assert colours.std() > 0.1
    small = BicubicDownsampling(2).A(colours)
    if mode in ("L", "I;16", "RGB"):
        assert (small - load_photo(tmp_path / "grey.png")).abs().mean() < 0.02


def test_but_not_when_its_colours_are_wanted(restore, folder, photo, tmp_path):
    Image.open(photo).convert("L").save(tmp_path / "grey.png")
    assert restore("--colorize", photo=tmp_path / "grey.png").exit_code == 0
    with Image.open(folder / "out.png") as found:
        assert found.mode == "RGB"
        assert np.ptp(np.asarray(found).astype(int), axis=-1).max() > 1


@pytest.mark.parametrize("task", ["sr4", "colorization"])
def test_grey_in_a_demonstration(demo, folder, photo, tmp_path, task):
    Image.open(photo).convert("L").save(tmp_path / "grey.png")
    assert demo("--task", task, photo=tmp_path / "grey.png").exit_code == 0
    with Image.open(folder / "out.png") as found:
        assert found.mode == ("L" if task == "sr4" else "RGB")


@pytest.mark.parametrize("size", [(20, 32), (32, 13)])
@pytest.mark.parametrize("mask", ["box", "text"])
def test_bundled_masks_fit_any_photo(restore, folder, photo, tmp_path, mask, size):
    odd = save_image(tmp_path / "odd.png", load_photo(photo)[..., : size[0], : size[1]])
    result = restore("--mask", mask, photo=odd)
    assert result.exit_code == 0, result.output
    assert f"of {size[1]}x{size[0]} pixels\n" in result.stdout
    assert pixels(folder / "out.png").shape == (*size, 3)


# --- what it refuses ---


def test_nothing_is_said_of_the_damage(refuses, no_work):
    refuses(message="damage: nothing was said of it; say what is known: --mask FILE (holes), ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--upscale", 1], "upscale: got 1; expected an integer >= 2"),
        (["--upscale", 0], "upscale: got 0"),
        (["--upscale", 2.5], "Invalid value for '--upscale': got '2.5'; expected an integer; "),
        (["--eta", "x"], "Invalid value for '--eta': got 'x'; expected a number; "),
        (["--mask", ""], "Invalid value for '--mask': got an empty text; "),
        (["--kernel", ""], "Invalid value for '--kernel': got an empty text; "),
        (["--sigma-y", 0, "--report", ""], "Invalid value for '--report': got an empty text; "),
        (["--sigma-y", 0, "-o", ""], "Invalid value for '-o' / '--out': got an empty text; "),
        (["--sigma-y", 0, "--prior="], "Invalid value for '--prior': got an empty text; "),
        (["--sigma-y", 0], "damage: nothing was said of it; expected one or more of mask, kernel"),
        (["--kernel", "disk:16.1"], "kernel: has 33x33 taps, more than the photo's 32x32 pixels"),
        (["--kernel", "gaussian:6"], "kernel: has 37x37 taps, more than the photo's 32x32"),
        (["--kernel", "motion:40:0"], "kernel: has 41x41 taps, more than the photo's 32x32"),
        (["--kernel", "box:70", "--upscale", 2], "has 71x71 taps, more than the photo's 64x64"),
        (["--upscale", 20000], "upscale: 20000 makes 640000x640000 pixels, which need at least 71"),
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
        (["--colorize", "--method", "dps:size=1"], "method: got 'dps:size=1'; parameters of dps"),
        (["--colorize", "--method", "ddnm:returns=50x2"], "returns: got a length of 50 for 20"),
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


def test_a_kernel_larger_than_the_photo(refuses, no_work, tmp_path):
    np.save(tmp_path / "k.npy", np.ones((33, 33)) / 33**2)
    refuses("--kernel", tmp_path / "k.npy", message="has 33x33 taps, more than the photo's 32x32")


def test_outputs_that_cannot_be_written(run, refuses, no_work, folder, photo, tmp_path):
    content = photo.read_bytes()
    said = ("--sigma-y", 0.1)
    refuses(*said, out=folder / "out.xyz", message="ends in '.xyz'; expected one of")
    refuses(*said, out=folder / "x", message="is no folder that is there, and has no ending; exp")
    refuses(*said, out="/dev/null", message="out: '/dev/null' is a pipe or a device; expected a")
    refuses(*said, out=tmp_path / f"{'x' * 300}.png", message=f"out: '{tmp_path}")
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    refuses(*said, out=tmp_path / "link.png", message="gone.png', which is not there; name that")
    assert not (tmp_path / "gone.png").exists()
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
    refuses(*said, photo=tmp_path / "missing.png", message="photo: no photo ")
    (tmp_path / "empty").mkdir()
    refuses(*said, photo=tmp_path / "empty", message="photo: the folder ")
    refuses(*said, photo="x" * 300, message="xxx' cannot be opened (File name too long)")
    refuses(*said, photo="", message="Invalid value for 'PHOTO...': got an empty text")
    os.mkfifo(tmp_path / "pipe.png")
    refuses(*said, photo=tmp_path / "pipe.png", message="is a named pipe; expected a photo")


def test_a_kernel_that_was_divided_is_said_once(restore, tmp_path):
    np.save(tmp_path / "k.npy", np.ones((3, 3)))
    result = restore("--kernel", tmp_path / "k.npy")
    assert result.output.count("divided by their sum 9") == 1


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
