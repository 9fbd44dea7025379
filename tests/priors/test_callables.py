"""A reader's own function as a prior."""

import pytest
import torch

from deqir_lite import load_gaussian, load_prior
from deqir_lite.priors.base import ModelPrior
from deqir_lite.schedule import cosine_schedule, linear_schedule

SOURCE = """
import torch
from deqir_lite.priors import ModelPrior
from deqir_lite.schedule import cosine_schedule

def halved(x_t, t):
    return x_t / 2

def make():
    return ModelPrior(halved, cosine_schedule(), prediction_type="sample")

class Net(torch.nn.Module):
    def forward(self, x, t):
        return 3 * x

net = Net()
number = 7

def three(a, b, c):
    return a

def broken():
    raise RuntimeError("no weights")
"""


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 8, 8, generator=generator), torch.tensor([10, 900])


@pytest.fixture
def module(tmp_path, monkeypatch):
    """my_own_prior.py in the current folder; returns its path."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_own_prior.py"
    path.write_text(SOURCE)
    yield path
    monkeypatch.delitem(__import__("sys").modules, "my_own_prior", raising=False)


def test_a_function_predicts_the_noise_on_the_linear_schedule(inputs):
    prior = load_prior(lambda x_t, t: 2 * x_t)
    assert torch.equal(prior(*inputs), 2 * inputs[0])
    assert torch.equal(prior.schedule.alpha_bar, linear_schedule().alpha_bar)


def test_a_prior_is_taken_as_it_is():
    prior = load_gaussian()
    assert load_prior(prior) is prior
    assert load_prior(lambda: prior) is prior


def test_a_torch_module_is_a_model_and_no_factory(inputs):
    class Net(torch.nn.Module):
        def forward(self, x, t):
            return 3 * x

    assert torch.equal(load_prior(Net())(*inputs), 3 * inputs[0])


@pytest.mark.parametrize("place", ["my_own_prior", "my_own_prior.py", "./my_own_prior.py"])
def test_names_of_functions(module, inputs, place):
    assert torch.equal(load_prior(f"{place}:halved")(*inputs), inputs[0] / 2)
    assert torch.equal(load_prior(f"{place}:net")(*inputs), 3 * inputs[0])
    made = load_prior(f"{place}:make")
    assert isinstance(made, ModelPrior)
    assert made.prediction_type == "sample"
    assert torch.equal(made.schedule.alpha_bar, cosine_schedule().alpha_bar)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("my_own_prior:absent", ValueError, "prior: my_own_prior has no 'absent'"),
        ("my_own_prior:number", ValueError, "prior: my_own_prior:number failed: prior: got 7; exp"),
        ("my_own_prior:three", ValueError, r"or model\(x_t, t\) -> eps"),
        ("my_own_prior:broken", ValueError, "prior: my_own_prior:broken failed: no weights"),
        ("not_there:make", FileNotFoundError, "prior: no module 'not_there'"),
        ("not_there.py:make", FileNotFoundError, r"prior: no file 'not_there\.py'"),
        ("syntax.py:make", ValueError, r"prior: importing syntax\.py failed: "),
        ("missing.py:make", ValueError, r"prior: importing missing\.py failed: No module named"),
    ],
)
def test_names_that_lead_nowhere(module, name, error, message):
    (module.parent / "syntax.py").write_text("def f(:\n")
    (module.parent / "missing.py").write_text("import not_there_either\n")
    with pytest.raises(error, match=message):
        load_prior(name)


def test_a_prior_of_a_readers_own_class_keeps_what_else_it_has(inputs):
    class Own:
        schedule, size_divisor = cosine_schedule(), 4

        def __call__(self, x_t, t):
            return x_t.double()

    own = Own()
    prior = load_prior(own)
    assert prior.schedule is own.schedule
    assert prior.size_divisor == 4
    assert torch.equal(prior(*inputs), inputs[0])
    assert prior(*inputs).dtype == torch.float32
    assert not hasattr(prior, "gaussian")


def test_factories_that_fail():
    with pytest.raises(ValueError, match=r"^prior: <lambda> failed: division by zero$"):
        load_prior(lambda: 1 / 0)
