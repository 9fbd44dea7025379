"""``deqir-lite demo``: what it simulates, writes and prints, and what it refuses."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from deqir_lite import (
    PAPER,
    PICTURE,
    TASKS,
    load_photo,
    make_task,
    psnr,
    save_image,
    simple_answer,
    ssim,
)
from deqir_lite import restoration as restoration_module
from deqir_lite.cli.options import METHODS
from deqir_lite.cli.report import in_words
from deqir_lite.priors import load as load_module
from deqir_lite.restoration import report as report_module
from deqir_lite.schedule import timestep_grid


@pytest.fixture
def refuses(refused, folder, photo):
    """(options..., message=...): a restoration that is refused."""

    def check(*options, message, photo=photo, out=folder / "out.png", prior="gaussian"):
        refused(
            *("demo", photo, "-o", out, "--prior", prior, "--task", "inpaint-random"),
            *options,
            message=message,
        )

    return check


@pytest.fixture
def no_work(monkeypatch):
    """Anything that loads a prior fails: what is refused must be refused before that."""

    def fail(*arguments, **options):
        raise AssertionError("a prior was loaded")

    monkeypatch.setattr(load_module, "load_prior", fail)


@pytest.fixture
def bent_file(tmp_path):
    """A prior in a file, for which the Gaussian start is not yet the answer."""
    path = tmp_path / "bent.py"
    path.write_text(
        "from deqir_lite import load_gaussian\n"
        "from deqir_lite.verification import bent_prior\n"
        "def prior():\n    return bent_prior(load_gaussian(), bend=0.05)\n"
    )
    return f"{path}:prior"


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


# --- what it does ---


@pytest.mark.parametrize("task", TASKS)
def test_every_task(demo, folder, photo, task):
    result = demo("--task", task, "--sampler", "parallel", "--report", folder / "report.json")
    assert result.exit_code == 0, result.output
    assert {p.name for p in folder.iterdir()} == {"out.png", "out-side-by-side.png", "report.json"}
    assert pixels(folder / "out.png").shape == (32, 32, 3)
    panel, gap, caption = 192, 8, 40
    sheet = pixels(folder / "out-side-by-side.png")
    assert sheet.shape == (panel + gap + caption, 4 * panel + 5 * gap, 3)

    numbers = json.loads((folder / "report.json").read_text())
    scattered = task == "sensing" or task.startswith(("inpaint", "old-photo"))
    method = "weighted" if scattered else "ddnm"
    assert (numbers["photo"], numbers["method"], numbers["sigma_y"]) == (str(photo), method, 0)
    assert f"{method}, T = 5, cubic, eta = 1.0, sigma_y = 0\n" in result.stdout
    assert numbers["task"] == task
    assert numbers["size"] == [32, 32]
    assert f"simulated: {TASKS[task].description}; {photo}, 32x32 -> " in result.stdout
    assert numbers["converged"] is True
    if not scattered:  # the Gaussian form is exact under the Gaussian prior
        assert (numbers["sweeps"], numbers["nfe"]) == (1, 5)
    assert numbers["seconds"] > 0
    assert numbers["consistency"] < 1e-3

    truth = load_photo(photo)
    restored, operator = load_photo(folder / "out.png"), make_task(task, (32, 32))
    y = operator.A(truth)
    before, (name, simple) = operator.pinv(y), simple_answer(operator, y)
    assert numbers["simple"] == name
    assert numbers["psnr_after"] == pytest.approx(float(psnr(restored, truth)), abs=0.05)
    assert numbers["ssim_after"] == pytest.approx(float(ssim(restored, truth)), abs=0.005)
    for image, which in ((before, "before"), (simple, "simple")):
        assert numbers[f"psnr_{which}"] == pytest.approx(float(psnr(image, truth)), abs=1e-3)
        assert numbers[f"ssim_{which}"] == pytest.approx(float(ssim(image, truth)), abs=1e-4)

    for name, digits, unit in (("psnr", 2, " dB"), ("ssim", 3, "")):
        before, simple, after = (
            f"{numbers[f'{name}_{image}']:.{digits}f}{unit}"
            for image in ("before", "simple", "after")
        )
        named = in_words(numbers["simple"], y="the degraded photo")
        simple = "" if task == "sensing" else f", {named} {simple}"
        assert (
            f"{name.upper()}  pseudo-inverse {before}{simple}, restored {after}\n"
        ) in result.stdout
    below = numbers["psnr_after"] < numbers["psnr_simple"]
    assert ("The sample has a lower PSNR than" in result.stdout) is below
    assert ("(--samples 8) lies nearer to the photo" in result.stdout) is below
    assert f", {numbers['nfe']} network evaluations (nfe), " in result.stdout
    assert result.stdout.splitlines()[-3:] == [
        str(folder / name) for name in ("out.png", "out-side-by-side.png", "report.json")
    ]


def test_inpainting_improves_the_photo(demo, folder):
    demo("--task", "inpaint-random", "--report", folder / "report.json")
    numbers = json.loads((folder / "report.json").read_text())
    assert numbers["psnr_after"] > numbers["psnr_before"] + 2
    assert numbers["ssim_after"] > numbers["ssim_before"] + 0.1


@pytest.mark.parametrize("task", ["sr2", "deblur-gaussian", "inpaint-text", "old-photo"])
@pytest.mark.parametrize("solver", ["picard", "anderson-triangular", "anderson-joint"])
def test_both_samplers_give_the_same_picture(demo, folder, task, solver):
    options = ("--task", task, "--eta", 0.15, "--seed", 3)
    parallel, sequential = folder / "parallel.png", folder / "sequential.png"
    result = demo(*options, "--form", "noise", "--solver", solver, "--sweeps", 40,
                     "--tolerance", 1e-5, out=parallel)  # fmt: skip
    assert result.exit_code == 0, result.output
    result = demo(*options, "--sampler", "sequential", out=sequential)
    assert "5 steps, 5 network evaluations (nfe), " in result.stdout
    assert abs(pixels(parallel) - pixels(sequential)).max() <= 1


@pytest.mark.parametrize(
    ("options", "method", "chain"),
    [
        ((), "weighted", PICTURE),
        (("--task", "sr4"), "ddnm", PICTURE),
        (("--task", "sr4", "--sigma-y", 0.1), "weighted", PICTURE),
        (("--method", "ddnm"), "ddnm", PICTURE),
        (("--preset", "picture"), "weighted", PICTURE),
        (("--preset", "paper"), "ddnm", PAPER),
        (("--preset", "paper", "--method", "weighted"), "weighted", PAPER),
        (("--preset", "paper", "--eta", 0), "ddnm", PAPER | {"eta": 0.0}),
        (
            ("--spacing", 2.5, "--timesteps", 7),
            *("weighted", PICTURE | {"spacing": 2.5, "num_steps": 7}),
        ),
    ],
)
def test_defaults_and_what_overrides_them(run, folder, photo, monkeypatch, options, method, chain):
    made, make = [], report_module.make_chain

    def making(*arguments, **options):
        made.append(make(*arguments, **options))
        return made[0]

    monkeypatch.setattr(report_module, "make_chain", making)
    report = folder / "report.json"
    result = run("demo", photo, "-o", folder / "out.png", "--prior", "gaussian",
                 "--task", "inpaint-random", "--report", report, *options)  # fmt: skip
    assert result.exit_code == 0, result.output
    numbers = json.loads(report.read_text())
    assert {"num_steps": numbers["timesteps"], "eta": numbers["eta"],
            "spacing": numbers["spacing"]} == chain  # fmt: skip
    assert numbers["method"] == method
    grid = timestep_grid(chain["num_steps"], spacing=chain["spacing"])
    assert torch.equal(made[0].coefficients.timesteps, grid)
    assert made[0].coefficients.rule.eta == chain["eta"]


def test_few_steps_asked(demo, refuses):
    chain = ("--sampler", "interpolated", "--method", "ddnm", "--timesteps", "30")
    chain += ("--spacing", "uniform")
    refuses(*chain, "--eta", "1", message="eta: the chain renews its noise too fast")
    message = "form: got 'noise'; it is of the parallel sampler"
    refuses(*chain, "--eta", "0.1", "--form", "noise", message=message)
    result = demo("--task", "sr2", *chain, "--eta", "0.1")
    assert "interpolated; about" in result.output
    assert "1 sweep, 8 network evaluations" in result.output  # under the Gaussian prior


@pytest.mark.parametrize("task", ["pool4", "inpaint-random"])
@pytest.mark.parametrize("sampler", ["parallel", "sequential"])
def test_samples_are_the_runs_with_their_seeds(demo, folder, sampler, task):
    """The sheet shows every single run to rounding, OUT is their mean, and white the scale."""
    options = ("--task", task, "--sampler", sampler, "--form", "noise")
    report = folder / "report.json"
    result = demo(*options, "--samples", 3, "--seed", 4, "--report", report)
    assert result.exit_code == 0, result.output
    names = ["out.png", "out-side-by-side.png", "out-samples.png", "out-deviation.png"]
    assert result.stdout.splitlines()[-5:] == [str(folder / name) for name in names] + [str(report)]
    numbers, sheet = json.loads(report.read_text()), pixels(folder / "out-samples.png")
    singles, scores = [], []
    for k in range(3):
        one = folder / f"{k}.png"
        demo(*options, "--seed", 4 + k, "--report", folder / "one.json", out=one)
        singles.append(pixels(one))
        scores.append(json.loads((folder / "one.json").read_text()))
        left = 8 + k * (192 + 8)
        shown = sheet[8 : 8 + 192 : 6, left : left + 192 : 6]
        assert abs(shown - singles[k]).max() <= 1
    assert abs(singles[0] - singles[1]).max() > 5
    assert abs(pixels(folder / "out.png") - np.mean(singles, axis=0)).max() <= 2

    for name in ("psnr", "ssim"):
        each = [score[f"{name}_after"] for score in scores]
        assert numbers[f"{name}_after"] == pytest.approx(each[0], abs=1e-3)
        assert numbers[f"{name}_average"] == pytest.approx(np.mean(each), abs=1e-3)
        assert numbers[f"{name}_mean"] > numbers[f"{name}_average"]
    assert (
        f"restored {numbers['psnr_after']:.2f} dB (average of 3: {numbers['psnr_average']:.2f} dB, "
        f"mean of 3: {numbers['psnr_mean']:.2f} dB)\n"
    ) in result.stdout
    assert "--samples 8" not in result.stdout
    assert numbers["samples"] == 3
    assert numbers["nfe"] == sum(score["nfe"] for score in scores)

    deviation = np.sqrt(np.var(singles, axis=0, ddof=1).mean(axis=-1))
    white = numbers["deviation_white"]
    assert white == pytest.approx(deviation.max(), abs=1)
    assert f"of the 3 samples: white is {white:.1f} of 255 levels" in result.stdout
    picture = pixels(folder / "out-deviation.png")[..., 0]
    assert picture.max() == 255
    assert abs(picture * white / 255 - deviation).max() <= 1
    panel, gap, caption = 192, 8, 40
    beside = pixels(folder / "out-side-by-side.png")
    assert beside.shape == (panel + gap + caption, 5 * panel + 6 * gap, 3)


def test_many_samples_make_rows(demo, folder):
    assert demo("--task", "sr2", "--samples", 9).exit_code == 0
    panel, gap, caption = 192, 8, 40
    sheet = pixels(folder / "out-samples.png")
    assert sheet.shape == (2 * (panel + gap + caption), 8 * panel + 9 * gap, 3)


def test_the_seed_decides(demo, folder):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        demo("--task", "pool4", "--seed", seed, out=folder / f"{name}.png")
    a, b, c = (pixels(folder / f"{name}.png") for name in "abc")
    assert (a == b).all()
    assert (a != c).any()


def test_size_crops_and_shrinks(demo, folder, tmp_path):
    generator = torch.Generator().manual_seed(0)
    wide = save_image(tmp_path / "wide.png", torch.rand(3, 40, 61, generator=generator))
    result = demo("--size", 16, "--task", "sr4", photo=wide)
    assert result.exit_code == 0, result.output
    assert pixels(folder / "out.png").shape == (16, 16, 3)


def test_photos_need_not_be_square(demo, folder, tmp_path):
    wide = save_image(tmp_path / "wide.png", torch.zeros(3, 16, 40))
    result = demo("--task", "sr8", photo=wide)
    assert result.exit_code == 0, result.output
    assert pixels(folder / "out.png").shape == (16, 40, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "I;16", "CMYK"])
def test_photos_of_other_kinds(demo, folder, photo, tmp_path, mode):
    other = tmp_path / "other.tif"
    if mode == "I;16":
        values = np.linspace(0, 65535, 1024).astype(np.uint16).reshape(32, 32)
        Image.fromarray(values).save(other)
    else:
        Image.open(photo).convert(mode).save(other.with_suffix(".tif" if mode != "P" else ".png"))
        other = next(tmp_path.glob("other.*"))
    result = demo("--task", "sr2", photo=other)
    assert result.exit_code == 0, result.output
    assert pixels(folder / "out.png").shape == (32, 32, 3)


def test_a_photo_too_small_for_ssim(demo, folder, tmp_path):
    small = save_image(tmp_path / "small.png", torch.zeros(3, 8, 8))
    result = demo("--task", "sr2", "--report", folder / "report.json", photo=small)
    assert result.exit_code == 0, result.output
    assert "SSIM  pseudo-inverse –, bicubic enlargement –, restored –\n" in result.stdout
    assert json.loads((folder / "report.json").read_text())["ssim_after"] is None


@pytest.mark.parametrize("ending", [".png", ".jpg", ".TIFF"])
def test_endings(demo, folder, ending):
    assert demo("--task", "sr2", out=folder / f"out{ending}").exit_code == 0
    assert pixels(folder / f"out{ending}").shape == (32, 32, 3)
    assert (folder / "out-side-by-side.png").is_file()


def test_a_run_that_does_not_converge_says_so(demo, folder, bent_file):
    result = demo("--task", "inpaint-box", "--sampler", "parallel", "--form", "noise",
                  "--sweeps", 1, "--report", folder / "report.json", prior=bent_file)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "warning: not converged after 1 sweeps: largest relative residual" in result.stderr
    assert "1 sweep, 5 network evaluations" in result.stdout
    assert "NOT converged" in result.stdout
    assert (folder / "out.png").is_file()
    assert json.loads((folder / "report.json").read_text())["converged"] is False


def test_another_architecture_is_a_drop_in(demo, folder, unet_folder):
    for sampler in ("parallel", "sequential"):
        options = ("--task", "inpaint-random", "--sampler", sampler, "--dtype", "float64")
        options += ("--method", "ddnm")
        result = demo(*options, "--max-batch", 2, prior=unet_folder, out=folder / f"{sampler}.png")
        assert result.exit_code == 0, result.output
    difference = pixels(folder / "parallel.png") - pixels(folder / "sequential.png")
    assert abs(difference).max() <= 1


def test_the_tolerance_decides_when_to_stop(demo, folder, bent_file):
    sweeps = []
    options = ("--form", "noise", "--timesteps", 12, "--report", folder / "report.json")
    options += ("--sampler", "parallel")
    for tolerance in (0.5, 1e-2):
        bent = {"prior": bent_file}
        assert demo("--task", "pool2", *options, "--tolerance", tolerance, **bent).exit_code == 0
        numbers = json.loads((folder / "report.json").read_text())
        assert numbers["tolerance"] == tolerance
        sweeps.append(numbers["sweeps"])
    assert sweeps[0] < sweeps[1] <= 12


def test_device_precision_batches_and_class_reach_the_network(demo, monkeypatch):
    asked = []

    def load(name, **options):
        asked.append((name, *options.values()))
        return whole("gaussian")

    whole = load_module.load_prior
    monkeypatch.setattr(load_module, "load_prior", load)
    options = ("--device", "cpu", "--dtype", "bfloat16", "--max-batch", 3, "--label", 7)
    assert demo("--task", "sr2", *options, prior="photo64").exit_code == 0
    assert asked == [("photo64", torch.device("cpu"), "bfloat16", 3, 7)]


def test_the_bundled_network(demo, folder):
    result = demo("--task", "inpaint-text", "--timesteps", 3, prior="photo64")
    assert result.exit_code == 0, result.output
    before, _, after = map(float, re.findall(r"[\d.]+(?= dB)", result.stdout))
    assert after > before + 1


def test_own_mask(demo, folder, photo, tmp_path):
    kept = np.full((32, 32), 255, dtype=np.uint8)
    kept[8:12, 20:30] = 0
    Image.fromarray(kept).save(tmp_path / "kept.png")
    result = demo("--task", "inpaint-box", "--mask", tmp_path / "kept.png")
    assert result.exit_code == 0, result.output
    changed = abs(pixels(folder / "out.png") - pixels(photo)).max(axis=-1) > 1
    assert changed[8:12, 20:30].mean() > 0.5
    assert not changed[kept > 0].any()


@pytest.mark.parametrize("hole", ["white", "opaque"])
def test_what_is_a_hole_can_be_said_and_is_printed(demo, folder, photo, tmp_path, hole):
    lost = np.zeros((32, 32), dtype=np.uint8)
    lost[8:12, 20:30] = 255
    pixel_mask = lost if hole == "white" else np.stack([0 * lost, lost], axis=-1)
    Image.fromarray(pixel_mask).save(tmp_path / "holes.png")
    mask = ("--mask", tmp_path / "holes.png", "--hole", hole)
    result = demo("--task", "inpaint-box", *mask)
    assert result.exit_code == 0, result.output
    assert f"mask: holes.png: {hole} = hole, 3.9% of 32x32 pixels" in result.stdout
    changed = abs(pixels(folder / "out.png") - pixels(photo)).max(axis=-1) > 1
    assert changed[lost > 0].mean() > 0.5
    assert not changed[lost == 0].any()


def test_names_that_are_not_utf_8(demo, folder, photo, tmp_path):
    name = b"\xff.png".decode(errors="surrogateescape")
    photo.rename(tmp_path / name)
    options = ("--report", folder / "report.json")
    result = demo(*options, photo=tmp_path / name, out=folder / name)
    assert result.exit_code == 0, result.output
    assert "\\xff.png" in result.stdout or "\\udcff.png" in result.stdout
    assert json.loads((folder / "report.json").read_text())["photo"] == str(tmp_path / name)
    assert (folder / name).exists()


def test_bundled_mask(demo, folder):
    report = folder / "report.json"
    result = demo("--task", "old-photo", "--mask", "scratch", "--size", 64, "--report", report)
    assert result.exit_code == 0, result.output
    assert json.loads(report.read_text())["mask"] == "scratch"


def test_a_function_in_a_file_as_prior(demo, folder, tmp_path):
    (tmp_path / "mine.py").write_text("def model(x_t, t):\n    return x_t\n")
    result = demo("--task", "sr2", prior=f"{tmp_path / 'mine.py'}:model")
    assert result.exit_code == 0, result.output


def test_noise_that_is_known(demo, folder):
    """The weighted step takes the noise into account; the plain one says that it does not."""
    scores = {}
    for method in ("ddnm", "weighted"):
        options = ("--task", "deblur-gaussian", "--sigma-y", 0.1, "--method", method)
        result = demo(*options, "--report", folder / "report.json")
        assert result.exit_code == 0, result.output
        said = "sigma_y: RangeNullConsistency does not look at it" in result.stderr
        assert said is (method == "ddnm")
        numbers = json.loads((folder / "report.json").read_text())
        assert (numbers["method"], numbers["sigma_y"]) == (method, 0.1)
        scores[method] = numbers["psnr_after"]
    assert scores["weighted"] > scores["ddnm"] + 6


# --- what it refuses ---


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("task", "sr2, sr4"),
        ("sampler", "auto, parallel, sequential"),
        ("method", METHODS),
        ("form", "noise, data, gaussian"),
        ("solver", "picard, anderson-joint"),
        ("device", "auto, cpu, cuda, mps"),
        ("dtype", "float32, bfloat16, float64"),
        ("preset", "picture, paper"),
        ("spacing", "uniform, quadratic, cubic"),
    ],
)
def test_unknown_names_list_the_known_ones(refuses, no_work, option, known):
    refuses(f"--{option}", "bogus", message=f"{option}: unknown value 'bogus'; known: {known}")


def test_unknown_priors_list_the_known_ones(refuses):
    refuses(prior="bogus", message="no bundled prior (photo64, gaussian)")


def test_a_device_that_is_not_there(refuses, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refuses("--device", "cuda", message="device: 'cuda' is not available on this machine")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("timesteps", 0, "timesteps: got 0; expected an integer >= 1"),
        ("timesteps", -3, "timesteps: got -3"),
        ("timesteps", 1001, "timesteps: got 1001; expected at most 1000"),
        ("sweeps", 0, "sweeps: got 0; expected an integer >= 1"),
        ("max-batch", 0, "max-batch: got 0"),
        ("samples", 0, "samples: got 0; expected an integer >= 1"),
        ("samples", -1, "samples: got -1"),
        ("spacing", 0.5, "spacing: got 0.5; expected an exponent >= 1, or uniform, quadratic"),
        ("spacing", "nan", "spacing: got nan; expected an exponent >= 1"),
        ("spacing", "inf", "spacing: got inf; expected an exponent >= 1"),
        ("eta", 1.5, "eta: got 1.5; expected a number in [0, 1]"),
        ("eta", -0.1, "eta: got -0.1"),
        ("eta", "nan", "eta: got nan"),
        ("tolerance", -1, "tolerance: got -1.0"),
        ("tolerance", "nan", "tolerance: got nan"),
        ("seed", -1, "seed: got -1"),
        ("seed", 2**63, "seed: got 9223372036854775808"),
        ("mask-seed", -1, "mask-seed: got -1"),
        ("size", 4, "size: got 4; expected an integer >= 8"),
        ("sigma-y", -0.1, "sigma-y: got '-0.1'; expected a finite number >= 0, or auto"),
        ("sigma-y", "nan", "sigma-y: got 'nan'"),
        ("sigma-y", "much", "sigma-y: got 'much'"),
        ("sigma-y", 1e6, "on noise hides everything that y says of photos (3, "),
    ],
)
def test_bad_numbers(refuses, option, value, message):
    refuses(f"--{option}", value, message=message)


def test_a_mask_that_is_not_there(refuses, no_work):
    refuses("--mask", "absent.png", message="mask: no mask 'absent.png'; bundled: box, scratch")


def test_an_own_mask_of_another_size(refuses, no_work, tmp_path):
    Image.fromarray(np.eye(30, dtype=bool)).save(tmp_path / "mask.png")
    message = "has 30x30 pixels; expected 32x32, as its photo"
    refuses("--mask", tmp_path / "mask.png", message=message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--mask", "box", "--hole", "grey"), "hole: unknown value 'grey'; known: auto, black"),
        (("--max-pixels", 0), "max-pixels: got 0; expected an integer >= 1"),
        (("--max-pixels", 400), "has 1024 pixels, above the limit of 400"),
    ],
)
def test_bad_picture_options(refuses, no_work, monkeypatch, options, message):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    refuses(*options, message=message)


def test_a_pipe_as_a_photo(refuses, no_work, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    refuses(photo=tmp_path / "pipe.png", message="is a named pipe; expected a photo in a regular")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n garbage", "cut"])
def test_corrupt_photos(refuses, no_work, photo, tmp_path, content):
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:600] if content == "cut" else content)
    refuses(photo=broken, message="is no readable photo")


def test_missing_and_tiny_photos(refuses, no_work, tmp_path):
    refuses(photo=tmp_path / "missing.png", message="missing.png'; bundled: astronaut, brick")
    refuses(photo=tmp_path, message="is a folder; expected a photo")
    tiny = save_image(tmp_path / "tiny.png", torch.zeros(3, 7, 40))
    refuses(photo=tiny, message="has 40x7 pixels; expected at least 8x8")


@pytest.mark.parametrize(
    ("task", "size", "fitting"),
    [
        ("sr4", (30, 41), (28, 40)),
        ("pool2", (17, 16), (16, 16)),
        ("sensing", (24, 70), (16, 64)),
        ("old-photo-sr2", (33, 35), (32, 34)),
        ("inpaint-box", (17, 19), (17, 19)),
    ],
)
def test_a_photo_is_cropped_to_what_the_task_takes(demo, folder, tmp_path, task, size, fitting):
    odd = save_image(tmp_path / "odd.png", torch.zeros(3, *size))
    result = demo("--task", task, photo=odd)
    assert result.exit_code == 0, result.output
    with Image.open(folder / "out.png") as restored:
        assert restored.size == fitting[::-1]
    said = f"cropped to {fitting[1]}x{fitting[0]} pixels, which {task} can take\n" in result.stdout
    assert said is (size != fitting)
    result = demo("--task", task, "--size", 31, photo=odd)
    assert result.exit_code == 0, result.output
    side = {"sr4": 28, "pool2": 30, "sensing": 16, "old-photo-sr2": 30, "inpaint-box": 31}[task]
    assert ("size: " in result.stdout) is (side != 31)
    with Image.open(folder / "out.png") as restored:
        assert restored.size == (side, side)


def test_a_mask_is_cropped_with_its_photo(demo, folder, photo, tmp_path):
    odd = save_image(tmp_path / "odd.png", load_photo(photo)[..., :31, :29])
    kept = np.full((31, 29), 255, dtype=np.uint8)
    kept[8:12, 20:24] = 0
    Image.fromarray(kept).save(tmp_path / "kept.png")
    result = demo("--task", "old-photo-sr2", "--mask", tmp_path / "kept.png", photo=odd)
    assert result.exit_code == 0, result.output
    assert pixels(folder / "out.png").shape == (30, 28, 3)


def test_an_enlargement_that_no_memory_holds(refuses, no_work, monkeypatch):
    monkeypatch.setattr("deqir_lite.restoration.plan.available_memory", lambda device: 10**9)
    refuses("--size", 90000, message="size: 90000 makes 90000x90000 pixels, which need at least ")


def test_a_size_that_the_network_cannot_divide(demo, folder, unet_folder, tmp_path):
    odd = save_image(tmp_path / "odd.png", torch.zeros(3, 16, 17))
    assert demo("--task", "colorization", photo=odd, prior=unet_folder).exit_code == 0
    with Image.open(folder / "out.png") as restored:
        assert restored.size == (17, 16)


def test_more_memory_than_there_is(demo, unet_folder, folder, monkeypatch):
    monkeypatch.setattr("deqir_lite.restoration.plan.available_memory", lambda device: 10**5)
    result = demo("--max-batch", 64, prior=unet_folder)
    assert result.exit_code == 2
    assert "error: memory: 1 image of 32x32 pixels, 64 at once through the network" in result.stderr
    assert "more than 80% of the 0.0001 GB that are free on cpu; less is needed" in result.stderr
    assert list(folder.iterdir()) == []


def test_outputs_that_cannot_be_written(refuses, no_work, monkeypatch, folder, tmp_path, photo):
    nowhere = tmp_path / "nowhere"
    refuses(out=nowhere / "out.png", message=f"out: no folder {str(nowhere)!r} to write 'out.png'")
    refuses(out=folder / "out.xyz", message="ends in '.xyz'; expected one of .png, .jpg")
    refuses(out=folder / "out", message="is no folder that is there, and has no ending; expected")
    refuses(out="/dev/null", message="out: '/dev/null' is a pipe or a device; expected a file")
    refuses("--report", nowhere / "r.json", message=f"report: no folder {str(nowhere)!r}")
    refuses("--report", folder, message="is a folder; expected a file name")
    refuses("--report", folder / "out.png", message="is another output of this command")
    refuses("--report", folder / "out-side-by-side.png", message="is another output")
    for name in ("samples", "deviation"):
        report = folder / f"out-{name}.png"
        refuses("--samples", 2, "--report", report, message="is another output")


def test_the_photo_is_never_overwritten(refuses, photo, tmp_path):
    content = photo.read_bytes()
    detour = tmp_path / "out" / ".." / photo.name
    refuses(out=detour, message="is the photo; take another name")
    beside = shutil.copy(photo, tmp_path / "a-side-by-side.png")
    refuses(photo=beside, out=tmp_path / "a.png", message="is the photo; take another name")
    assert photo.read_bytes() == content
    assert not (tmp_path / "a.png").exists()


def test_priors_that_cannot_be_loaded(refuses, unet_folder):
    weights = unet_folder / "diffusion_pytorch_model.safetensors"
    scheduler = unet_folder / "scheduler_config.json"
    whole = weights.read_bytes()
    for content in (b"", b"garbage", whole[:-100]):
        weights.write_bytes(content)
        refuses(prior=unet_folder, message="are corrupt or of another architecture")
    weights.unlink()
    refuses(prior=unet_folder, message="holds no diffusion_pytorch_model.safetensors")
    weights.write_bytes(whole)
    scheduler.write_text("{")
    refuses(prior=unet_folder, message="scheduler_config.json is not valid JSON")
    scheduler.unlink()
    refuses(prior=unet_folder, message="holds no scheduler_config.json")
    refuses(prior=unet_folder / "missing", message="missing' is no folder, no hub id (owner/name)")


@pytest.fixture
def greedy_prior(monkeypatch, gaussian_prior):
    """(error): the prior of the command needs more memory than there is, and says so thus."""

    def make(error):
        def greedy(x_t, t):
            raise error

        greedy.schedule = gaussian_prior.schedule
        monkeypatch.setattr(load_module, "load_prior", lambda *arguments, **options: greedy)

    return make


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: not enough memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    ],
)
def test_out_of_memory_names_what_helps(demo, folder, greedy_prior, error):
    greedy_prior(error)
    size, one, steps = "a --size below 32", "--max-batch 1", "fewer --timesteps"
    walk = "--sampler sequential"
    for options, helps in (
        ([], [size, one, steps, walk]),
        (["--max-batch", 1], [size, steps, walk]),
        (["--sampler", "sequential"], [size, steps]),
        (["--samples", 4], [size, one, "fewer --samples", steps, walk]),
        (["--samples", 4, "--sampler", "sequential"], [size, one, "fewer --samples", steps]),
    ):
        several = "4 samples of " if "--samples" in options else ""
        result = demo(*options)
        assert result.exit_code == 2
        assert isinstance(result.exception, SystemExit), "a traceback"
        assert result.stderr.endswith(  # after the progress bar
            f"error: out of memory with {several}a photo of 32x32 pixels and T = 5; less is needed "
            f"with {', '.join(helps)}\n"
        )
        assert list(folder.iterdir()) == []


def test_out_of_memory_with_the_default_chain_names_no_length(run, folder, photo, greedy_prior):
    greedy_prior(MemoryError())
    result = run("demo", photo, "-o", folder / "out.png", "--sampler", "sequential")
    assert result.stderr.endswith(
        "error: out of memory with a photo of 32x32 pixels; less is needed with a --size below 32, "
        "fewer --timesteps\n"
    )


def test_other_errors_of_a_prior_are_not_taken_for_it(demo, greedy_prior):
    greedy_prior(RuntimeError("shapes differ"))
    assert isinstance(demo().exception, RuntimeError)


def test_a_failure_in_the_middle_leaves_no_file(refuses, monkeypatch):
    def fail(*arguments, **options):
        raise ValueError("two\nlines")

    monkeypatch.setattr(restoration_module, "restore_problem", fail)
    refuses(message="error: two lines")
