"""What is compared, and what cannot be."""

import math
import warnings

import pytest

from deqir_lite.methods import METHODS
from deqir_lite.studies.comparison.settings import Setting, plan, possible


def test_the_chain_is_the_methods_own_or_as_told():
    own, told = plan(["dps"], ["sr2"], [16], timesteps=[None, 2])
    assert own == Setting("dps", "none", "sr2", 16, 0.0, METHODS["dps"].num_steps, 1.0, None)
    assert told == own._replace(timesteps=2)
    (made,) = plan(["ddnm"], ["sr2"], [16], eta=[0.5], spacing=["uniform"], timesteps=[3])
    assert made.chain == {"num_steps": 3, "eta": 0.5, "spacing": 1.0}


def test_what_says_nothing_about_a_method_makes_no_second_row():
    assert len(plan(["pinv"], ["sr2"], [16], timesteps=[2, 3], forms=["none", "noise"])) == 1
    assert len(plan(["dps"], ["sr2"], [16], eta=[0.1, 0.9])) == 1
    assert len(plan(["ddnm"], ["sr2"], [16], eta=[0.1, 0.9], spacing=[3.0, "cubic"])) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["dnm"]}, "methods: unknown value 'dnm'; known: pinv, baseline, gaussian"),
        ({"forms": ["sequential"]}, "forms: unknown value 'sequential'; known: none, noise"),
        ({"tasks": ["sr3"]}, "tasks: unknown value 'sr3'"),
        ({"sizes": [4]}, "sizes: got 4; expected an integer >= 8"),
        ({"sizes": [17]}, "17"),
        ({"sigma_y": [-0.1]}, "sigma-y: got -0.1; expected a finite number >= 0"),
        ({"sigma_y": [math.nan]}, "sigma-y: got nan; expected a finite number >= 0"),
        ({"timesteps": [0]}, "timesteps: got 0; expected an integer >= 1"),
        ({"eta": [1.5]}, "eta: got 1.5"),
        ({"eta": [math.nan]}, "eta: got nan"),
        ({"spacing": [0.5]}, "spacing: got 0.5; expected an exponent >= 1"),
    ],
)
def test_refuses(options, message):
    usual = {"methods": ["ddnm"], "tasks": ["sr2"], "sizes": [16]}
    with pytest.raises(ValueError, match=message):
        plan(**usual | options)


def test_a_method_that_cannot_do_a_task_is_left_out_by_name(gaussian_prior):
    wanted = plan(["ddnm", "ilvr"], ["sr2", "inpaint-text"], [16], forms=["none", "gaussian"])
    done, lines = possible(wanted, gaussian_prior)
    assert {s for s in wanted if s not in done} == {
        s for s in wanted if (s.method, s.task) == ("ilvr", "inpaint-text")
    }
    assert [line.split(" cannot do ")[0] for line in lines] == [
        "left out: ilvr",
        "left out: ilvr, gaussian form",
    ]
    assert all("inpaint-text: method: ilvr shrinks" in line for line in lines)


def test_noise_for_a_method_that_is_blind_to_it_is_said_once(gaussian_prior):
    wanted = plan(["ddnm", "weighted"], ["sr2", "pool2"], [16], sigma_y=[0.0, 0.1, 0.2])
    with pytest.warns(UserWarning, match="^ddnm: sigma_y: .* does not look at it") as said:
        assert possible(wanted, gaussian_prior) == (wanted, [])
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        possible([s for s in wanted if s.sigma_y == 0], gaussian_prior)


def test_a_name_may_bring_parameters(gaussian_prior):
    wanted = plan(
        ["ddnm", "ddnm:returns=2x3:spacing=uniform", "dps:scale=2:timesteps=4"], ["sr2"], [16]
    )
    assert [(s.timesteps, s.spacing, s.eta) for s in wanted] == [
        (20, 3.0, 1.0),
        (20, 1.0, 1.0),
        (4, 1.0, None),
    ]
    assert possible(wanted, gaussian_prior) == (wanted, [])


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("dps:size=1", "methods: got 'dps:size=1'; parameters of dps, after a colon each: scale="),
        ("dps:scale=much", "methods: got 'dps:scale=much'; expected a number as scale"),
        ("ddnm:returns=20x3", "returns: got a length of 20 for 20 timesteps; expected at most 19"),
    ],
)
def test_refuses_parameters(method, message):
    with pytest.raises(ValueError, match=message):
        plan([method], ["sr2"], [16])
