"""Two moving averages of one network."""

import pytest
import torch

from deqir_lite.training.averages import WeightAverages


def test_each_average_follows_its_own_rate():
    network = torch.nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(0.0)
    averages = WeightAverages(network, (0.5, 0.9))
    expected = {0.5: 0.0, 0.9: 0.0}
    for step in range(1, 40):
        with torch.no_grad():
            network.weight.fill_(float(step))
        averages.update(step)
        for decay in expected:
            used = min(decay, (1 + step) / (10 + step))
            expected[decay] = used * expected[decay] + (1 - used) * step
    for decay, value in expected.items():
        assert averages.weights[decay]["weight"].item() == pytest.approx(value, rel=1e-5)
    assert network.weight.item() == 39.0


def test_state_is_restored_and_must_fit():
    torch.manual_seed(0)
    averages = WeightAverages(torch.nn.Linear(2, 3), (0.5, 0.9))
    averages.weights[0.5]["bias"].fill_(7.0)
    other = WeightAverages(torch.nn.Linear(2, 3), (0.5, 0.9))
    other.load_state_dict(averages.state_dict())
    for decay, weights in averages.weights.items():
        assert all(torch.equal(other.weights[decay][name], v) for name, v in weights.items())
    with pytest.raises(KeyError):
        WeightAverages(torch.nn.Linear(2, 3), (0.5, 0.8)).load_state_dict(averages.state_dict())
    with pytest.raises(RuntimeError):
        WeightAverages(torch.nn.Linear(5, 3), (0.5,)).load_state_dict(averages.state_dict())
