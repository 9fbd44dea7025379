"""Where the files of a model are looked for, and what is said when they are not there."""

import huggingface_hub
import pytest
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from deqir_lite.priors.files import locate


@pytest.fixture
def folder(tmp_path):
    for name in ("a.json", "unet/a.json", "b.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """(files, error): a hub that holds these files, and raises the error for all others."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def make(files, error):
        def download(hub_id, name, subfolder=None):
            assert hub_id == "owner/name"
            asked.append(f"{subfolder}/{name}" if subfolder else name)
            if asked[-1] in files:
                return str(tmp_path / asked[-1])
            raise error

        monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
        return asked

    return make


def test_the_first_place_and_the_first_name_count(folder):
    assert locate(folder, ("unet", ""), "a.json") == ("unet", folder / "unet" / "a.json")
    assert locate(folder, ("", "unet"), "a.json") == ("", folder / "a.json")
    assert locate(str(folder), ("unet", ""), "b.safetensors", "b.bin") == ("", folder / "b.bin")


def test_a_folder_without_the_file(folder):
    with pytest.raises(FileNotFoundError) as caught:
        locate(folder, ("unet", ""), "c.json", "d.json")
    assert str(caught.value) == f"prior: {folder} holds no c.json, nor does its subfolder unet"


@pytest.mark.parametrize("error", [EntryNotFoundError("404"), LocalEntryNotFoundError("offline")])
def test_the_hub_is_asked_for_all_places(hub, tmp_path, error):
    """Without a network too: the file at the root may be in the cache."""
    asked = hub(["a.bin"], error)
    assert locate("owner/name", ("unet", ""), "a.sft", "a.bin") == ("", tmp_path / "a.bin")
    assert asked == ["unet/a.sft", "unet/a.bin", "a.sft", "a.bin"]


def test_a_file_that_the_hub_does_not_have(hub):
    hub([], EntryNotFoundError("404\nsecond line"))
    with pytest.raises(FileNotFoundError) as caught:
        locate("owner/name", ("unet", ""), "config.json")
    expected = "prior: owner/name on the hub holds no config.json, nor does its subfolder unet"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    "error",
    [
        LocalEntryNotFoundError("no network\nsecond line"),
        ConnectionError("no network\nsecond line"),
        huggingface_hub.errors.HFValidationError("a bad name\nsecond line"),
    ],
)
def test_a_hub_that_does_not_answer(hub, error):
    hub([], error)
    with pytest.raises(FileNotFoundError) as caught:
        locate("owner/name", ("unet", ""), "config.json")
    assert str(caught.value) == (
        "prior: no folder 'owner/name', and the hub did not deliver it "
        f"({type(error).__name__}); is there a network, and is the name right?"
    )
