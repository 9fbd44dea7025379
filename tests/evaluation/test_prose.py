"""The sentences around the tables follow the theory and the numbers of the tables."""

import pytest
import torch

from deqir_lite.evaluation import Pictures, Setting, prose


def test_decibels_of_exact_samples():
    """Squared errors of one exact sample, and of the mean of n, around the posterior mean."""
    errors = torch.randn(9, 200_000, generator=torch.Generator().manual_seed(0))
    truth, samples = errors[0], errors[1:]
    one = ((samples[0] - truth) ** 2).mean()
    mean = ((samples.mean(dim=0) - truth) ** 2).mean()
    exact = (truth**2).mean()
    assert f"{10 * torch.log10(one / exact):.1f}" == "3.0"
    assert f"{10 * torch.log10(mean / exact):.1f}" == "0.5"
    assert f"{10 * torch.log10(one / mean):.1f}" == "2.5"
    assert "10 log₁₀(1 + 1/8) = 0.51 dB" in prose.sampler(8, 128, [])


def test_nature_names_the_range_of_the_table(made_up):
    assert prose.nature(made_up.results) == ""
    made_up("sr2", 64, 20, 1.0, "a.png", 30.0, single=True)
    assert prose.nature(made_up.results) == ""
    made_up.results.settings["seeds"] = 8
    made_up("sr4", 64, 20, 1.0, "a.png", 30.0)
    text = prose.nature(made_up.results)
    assert "10 log₁₀ 2 = 3.01 dB" in text
    assert "(2 / (1 + 1/8)) = 2.50 dB" in text
    assert '"one" is 2.00 dB below "mean"' in text
    made_up("sr8", 64, 20, 1.0, "a.png", 30.0)
    made_up.results.samples[Setting("sr8", 64, 20, 1.0), "a.png"]["single"]["psnr"] = [29.5, 29.5]
    assert '"one" is 0.50 to 2.00 dB below "mean"' in prose.nature(made_up.results)


def test_gains_are_explained_only_where_there_are_some():
    assert "positive difference" not in prose.sampler(8, 128, [])
    assert "A positive difference (sr2, sr4)" in prose.sampler(8, 128, ["sr2", "sr4"])


@pytest.mark.parametrize("photo", ["a.png", "b.png"])
def test_the_figure_shows_the_first_coloured_photo(made_up, photo):
    pictures = Pictures(made_up.results.folder)
    made_up("sr2", 64, 100, 1.0, "a.png", 30.0)
    made_up("colorization", 128, 100, 1.0, "a.png", 30.0)
    assert "This" not in prose.figure(made_up.results, "x.png", pictures)
    pictures.rows[Setting("sr2", 64, 100, 1.0)] = None
    text = prose.figure(made_up.results, "x.png", pictures)
    assert text.endswith(
        "](x.png)\n\nThis is a photo at 64 pixels, restored with chains of T = 100 steps."
    )
    made_up("colorization", 64, 20, 1.0, photo, 30.0)
    assert f"This is {photo} at 64" in prose.figure(made_up.results, "x.png", pictures)


def test_settings_without_samples_tell_nothing_of_chains(made_up):
    made_up("sr2", 64, 20, 1.0, "a.png", None)
    made_up.results.context = {"prior": "photo64", "photos": None}
    text = prose.settings(made_up.results)
    assert "a.png, b.png" in text
    assert "TV: A⁺y, smoothed 60 times" in text
    for word in ("Device", "network", "Versions", "eta ", "seeds", "timesteps", "; ."):
        assert word not in text


def test_settings_name_machine_and_seeds(made_up):
    made_up("sr2", 64, 20, 1.0, "a.png", 30.0)
    text = prose.settings(made_up.results)
    assert text.endswith("Device: D. Precision inside the network: x. Versions: p 1.")
    assert "have the seeds 0 to 1 and are walked" in text
    made_up("sr4", 64, 20, 1.0, "a.png", 30.0, single=True)
    assert "have the seeds 0 to 1, or 0 alone, and" in prose.settings(made_up.results)


def test_settings_of_a_single_seed(made_up):
    made_up("sr4", 64, 20, 1.0, "a.png", 30.0, single=True)
    assert "The chains have seed 0 and are" in prose.settings(made_up.results)


def test_settings_say_how_the_chains_were_chosen(made_up):
    made_up("inpaint-box", 64, 20, 1.0, "a.png", 30.0)
    text = prose.settings(made_up.results)
    assert "Their timesteps follow a power law of exponent 3." in text
    assert "best mean" not in text
    made_up("inpaint-box", 64, 20, 0.9, "a.png", 30.0)
    assert "the one with the best mean was chosen, on these" in prose.settings(made_up.results)


def test_settings_do_not_vouch_for_other_photos(made_up):
    made_up("sr2", 64, 20, 1.0, "a.png", 30.0)
    assert "none of them used to train" in prose.settings(made_up.results)
    made_up.results.context["photos"] = "my photos"
    text = prose.settings(made_up.results)
    assert "none of them" not in text
