"""A regression network and a Palette: what they see, what they make of it, their folders."""

import json

import pytest
import torch

from deqir_lite._files import write_together
from deqir_lite.operators import make_task
from deqir_lite.priors.files import class_name_of
from deqir_lite.priors.load import load_gaussian, load_prior
from deqir_lite.priors.residual import ResidualPrior
from deqir_lite.priors.unet import ResidualUNet
from deqir_lite.restoration import restore_parallel
from deqir_lite.supervised import Palette, RegressionNetwork


def network(inputs, seed=0):
    torch.manual_seed(seed)
    made = ResidualUNet((8, 16), blocks=1, inputs=inputs)
    torch.nn.init.normal_(made.output.weight, std=0.05)
    return made


def regression():
    return RegressionNetwork("sr4", network(3), torch.tensor([0.2]))


def palette(made=None):
    scale = torch.linspace(0.02, 0.6, 1000)
    return Palette("inpaint-random", load_gaussian(), made or network(6), scale)


def image(size=(16, 16), batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, *size, generator=generator) * 2 - 1


@pytest.mark.parametrize("task", ["sr4", "colorization", "deblur-gaussian"])
@pytest.mark.parametrize("size", [(16, 16), (20, 12)])
def test_a_regression_adds_to_the_pseudo_inverse_of_any_operator(task, size):
    """Also of other sizes than its layers divide, and in the precision of y."""
    made, operator = regression(), make_task(task, size)
    y = operator.A(image(size))
    restored, seen = made.restore(operator, y), operator.pinv(y)
    assert restored.shape == seen.shape
    assert made.restore(operator, y.double()).dtype == torch.float64
    if size == (16, 16):
        expected = seen + 0.2 * made.network(seen, torch.tensor([0.2, 0.2]).log())
        torch.testing.assert_close(restored, expected)
    alone = torch.cat([made.restore(operator, one) for one in y.split(1)])
    torch.testing.assert_close(restored, alone, rtol=1e-4, atol=1e-5)


def test_a_palette_with_no_weight_on_what_it_sees_is_the_prior():
    made, plain = network(6), network(3)
    weights = plain.state_dict()
    entry = torch.zeros_like(made.input.weight)
    entry[:, :12] = weights["input.weight"]
    made.load_state_dict({**weights, "input.weight": entry})
    prior = ResidualPrior(load_gaussian(), plain, palette().scale)
    x, t = image(seed=1), torch.tensor([10, 600])
    torch.testing.assert_close(palette(made).given(image())(x, t), prior(x, t))


def test_what_a_palette_sees_decides_its_sample():
    made, operator = palette(), make_task("inpaint-random", (16, 16))
    y = operator.A(image(batch=1))
    sample = made.restore(operator, y)
    assert sample.shape == (1, 3, 16, 16)
    torch.testing.assert_close(made.restore(operator, y), sample)
    for other in (made.restore(operator, y, seed=1), made.restore(operator, -y)):
        assert (other - sample).abs().mean() > 0.01


def test_each_image_of_a_batch_has_its_own_condition():
    """Also in the stacks of states that a parallel solver asks about."""
    from deqir_lite.chain import make_chain
    from deqir_lite.operators import NoMeasurement

    made, condition = palette(), image(seed=3)
    prior, nothing = made.given(condition), NoMeasurement((16, 16))
    x, t = image(seed=1), torch.tensor([300, 300])
    both = prior(x, t)
    for i in range(2):
        one = made.given(condition[i : i + 1])(x[i : i + 1], t[:1])
        torch.testing.assert_close(both[i : i + 1], one, rtol=1e-4, atol=1e-5)
    chain = make_chain(prior, nothing, torch.empty(2, 0), num_steps=5)
    walked = chain.sequential()[-1]
    torch.testing.assert_close(restore_parallel(chain).x0, walked, rtol=0, atol=2e-3)


@pytest.mark.parametrize("make", [regression, palette])
def test_a_folder_is_read_back(make, tmp_path):
    made = make()
    write_together(tmp_path, made.files())
    assert class_name_of(tmp_path) == made.kind
    loaded = type(made).load(tmp_path)
    assert loaded.task == made.task
    torch.testing.assert_close(loaded.scale, made.scale)
    for name, value in made.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value.half().float()), name
    operator = make_task("inpaint-random", (16, 16))
    y = operator.A(image(batch=1))
    torch.testing.assert_close(
        loaded.restore(operator, y), made.restore(operator, y), rtol=0, atol=2e-2
    )


@pytest.mark.parametrize("make", [regression, palette])
def test_a_folder_of_another_kind_or_a_damaged_one_is_refused(make, tmp_path):
    made = make()
    write_together(tmp_path, made.files())
    other = Palette if make is regression else RegressionNetwork
    with pytest.raises(ValueError, match=rf"^networks: \S+ holds a {made.kind}; expected a "):
        other.load(tmp_path)
    with pytest.raises(ValueError, match=r"^prior: \S+ holds a .*evaluate --networks \S+`$"):
        load_prior(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"channels": [8, 24]}))
    with pytest.raises(ValueError, match=r"^networks: the weights in \S+ are of another arch"):
        type(made).load(tmp_path)
    (tmp_path / "residual.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"^networks: \S+ holds no residual\.safetensors"):
        type(made).load(tmp_path)


def test_other_folders_have_another_kind_or_none(tmp_path):
    assert class_name_of(tmp_path) is None
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    assert class_name_of(tmp_path) == "UNet2DModel"
