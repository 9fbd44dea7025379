"""The hub, played by a server on this machine: answers, silence, resets; never the internet."""

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import pytest
import torch

from deqir_lite.priors import hub
from deqir_lite.priors.load import load_prior
from deqir_lite.priors.network import NetworkPrior

COMMIT = "0" * 40


class Handler(BaseHTTPRequestHandler):
    """Files of owner/name as the hub serves them; another mood for every path after ``good``."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        self.server.asked.append((self.command, self.path))
        path = self.path.removeprefix("/owner/name/resolve/main/")
        content = self.server.files.get(path)
        if len(self.server.asked) > self.server.good:
            return self.server.mood(self)
        self.send_response(200 if content is not None else 404)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{abs(hash(content or path)):x}"')
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command == "GET" and content:
            self.wfile.write(content)
        return None

    def be_silent(self):
        self.server.over.wait(60)
        self.close_connection = True

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def status(self, code, error=""):
        self.send_response(code)
        self.send_header("X-Error-Code", error)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def garbage(self):
        self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n")
        self.close_connection = True

    def drip(self):
        """One byte of a header now and then: no time-out of a client ever passes."""
        while not self.server.over.wait(0.1):
            try:
                self.wfile.write(b"H")
            except OSError:
                break
        self.close_connection = True


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server that knows no file yet; the hub of this test, with an empty cache."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.files, made.asked, made.good, made.over = {}, [], 10**6, threading.Event()
    made.mood = Handler.be_silent
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{made.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "PATIENCE", 60.0)
    monkeypatch.chdir(tmp_path)
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def model(make_unet, tmp_path):
    """The files of a tiny network, by path, as at the root of a repository."""
    import diffusers

    folder = tmp_path / "made"
    make_unet(3).save_pretrained(folder)
    diffusers.DDIMScheduler(num_train_timesteps=50).save_pretrained(folder)
    return folder, {path.name: path.read_bytes() for path in folder.iterdir()}


def ask(source="owner/name"):
    return load_prior(source)(torch.zeros(1, 3, 8, 8), torch.tensor([3]))


@pytest.mark.parametrize("place", ["", "unet/"])
def test_a_model_is_fetched_once(server, model, place):
    folder, files = model
    server.files = {
        (place if name != "scheduler_config.json" else place and "scheduler/") + name: content
        for name, content in files.items()
    }
    expected = ask(folder)
    assert torch.equal(ask(), expected)
    assert server.asked
    server.asked.clear()
    server.good = 0  # from now on silent
    assert torch.equal(ask(), expected)
    assert not server.asked  # all is in the cache, and nobody waits


def test_a_latent_pipeline_on_the_hub_is_refused(server, model):
    server.files = dict(model[1])
    server.files["model_index.json"] = (
        b'{"_class_name": "LDMPipeline", "unet": ["diffusers", "UNet2DModel"], '
        b'"vqvae": ["diffusers", "VQModel"], "scheduler": ["diffusers", "DDIMScheduler"]}'
    )
    with pytest.raises(ValueError, match=r"LDMPipeline of .* works on the latents of its vqvae"):
        load_prior("owner/name")


MOODS = {
    "silent": (Handler.be_silent, r"\((TimeoutError: no answer for 0\.6 s|ReadTimeout)"),
    "dripping": (Handler.drip, r"\(\w+"),
    "reset": (Handler.reset, r"\(\w+Error"),
    "garbage": (Handler.garbage, r"\(\w+Error"),
    "500": (lambda handler: handler.status(500), r"500|no answer"),
    "503": (lambda handler: handler.status(503), r"503|no answer"),
    "429": (lambda handler: handler.status(429), r"429|no answer"),
    "no such repository": (lambda handler: handler.status(404, "RepoNotFound"), "RepositoryNotFou"),
    "gated": (lambda handler: handler.status(403, "GatedRepo"), r"GatedRepoError"),
    "not logged in": (lambda handler: handler.status(401), r"401|RepositoryNotFound"),
    "no hub": (lambda handler: handler.status(200), r"\(\w+"),
}


# these say at once that they do not: however slow the machine is, their reason is the one given
DEFINITE = ("no such repository", "gated", "not logged in")


@pytest.mark.parametrize("good", [0, 2, 5])
@pytest.mark.parametrize("mood", MOODS)
def test_a_hub_that_does_not_deliver(server, model, mood, good, caplog, capfd, monkeypatch):
    """From the first, the third or the sixth request on: one line, when patience ends."""
    server.files, server.good = model[1], good
    server.mood, reason = MOODS[mood]
    if mood not in DEFINITE:
        monkeypatch.setattr(hub, "PATIENCE", 0.6)
    with pytest.raises(FileNotFoundError, match=reason) as caught:
        ask()
    message = str(caught.value)
    assert message.startswith("prior: no folder 'owner/name', and the hub did not deliver it (")
    assert message.endswith("; is there a network, and is the name right?")
    assert "\n" not in message
    assert len(message) < 300
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_model_without_the_files(server):
    with pytest.raises(FileNotFoundError) as caught:
        ask()
    assert str(caught.value) == (
        "prior: owner/name on the hub holds no scheduler_config.json, nor does its subfolder "
        "scheduler"
    )
    assert len(server.asked) == 2


def test_no_server(server, monkeypatch):
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}",
    )
    with pytest.raises(FileNotFoundError, match=r"did not deliver it \(\w+"):
        ask()


def test_offline(server, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match=r"did not deliver it \(LocalEntryNotFoundError"):
        ask()
    assert not server.asked


@pytest.mark.parametrize("name", ["owner/na me", "owner/..", "-owner/name-", "owner/" + "n" * 200])
def test_names_that_no_model_has(server, name):
    with pytest.raises(FileNotFoundError, match=r"^prior: [^\n]*$"):
        NetworkPrior.load(name)
