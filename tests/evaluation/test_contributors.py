"""Versions and devices of several runs, side by side."""

import torch

from deqir_lite.evaluation import contributors
from deqir_lite.evaluation.contributors import add_contributors


def test_versions_and_devices_are_joined(monkeypatch):
    context = {"prior": "mine"}
    runs = [("2.13.0", "B"), ("2.9.0", "A"), ("2.13.0", "B"), ("2.9.0", "A")]
    for version, device in runs:
        now = {"python": "3.11", "torch": version}
        monkeypatch.setattr(contributors, "versions", lambda now=now: now)
        monkeypatch.setattr(contributors, "describe_device", lambda _, device=device: device)
        add_contributors(context, torch.device("cpu"))
    assert context == {
        "prior": "mine",
        "versions": {"python": "3.11", "torch": "2.13.0, 2.9.0"},
        "devices": ["A", "B"],
    }


def test_packages_that_are_no_longer_asked_for_stay(monkeypatch):
    monkeypatch.setattr(contributors, "versions", lambda: {"torch": "2.13.0"})
    context = {"versions": {"lpips": "0.1"}, "devices": []}
    add_contributors(context, torch.device("cpu"))
    assert context["versions"] == {"lpips": "0.1", "torch": "2.13.0"}
