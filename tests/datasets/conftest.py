"""A data registry whose files come from a local web server that misbehaves as told."""

import hashlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw, ImageFilter

from k2c.datasets import Registry, downloads, read_registry

USER_CACHE = os.environ.get("K2C_DATA")


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: "FaultyServer"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Range")))
        script = self.server.script[self.path]
        step = script.pop(0) if script else "ok"
        content = self.server.files.get(self.path)
        if content is None or isinstance(step, int):
            self.send_error(step if isinstance(step, int) else 404)
            return
        if step == "close":
            self.close_connection = True
            return
        if step == "wrong":
            content = bytes(reversed(content))
        self._send(content, step)

    def _send(self, content: bytes, step: str) -> None:
        start = 0
        asked = self.headers.get("Range")
        if asked and self.server.can_resume:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        for name, value in self.server.extra_headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        half = start + (len(content) - start) // 2
        self.wfile.write(content[start:half])
        if step == "truncate":
            self.close_connection = True
            return
        if step == "stall":
            self.server.released.wait(10)
            return
        if step == "slow":
            time.sleep(0.5)
        self.wfile.write(content[half:])


class FaultyServer(ThreadingHTTPServer):
    """Serves `files`; `script[path]` is what goes wrong, request by request, before it works.

    A step is a status code, "truncate", "stall", "close" (gone before the answer), "wrong" (another content of the
    same length), "slow" or "ok".
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.script: dict[str, list[str | int]] = defaultdict(list)
        self.seen: list[tuple[str, str | None]] = []
        self.extra_headers: dict[str, str] = {}
        self.can_resume = True
        self.released = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is part of the tests

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.released.set()
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no proxy, short waits."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("K2C_DATA", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("K2C_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "RETRY_WAITS", (0.01, 0.01))
    monkeypatch.setattr(downloads, "READ_TIMEOUT", 0.5)
    return folder


@pytest.fixture
def user_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of whoever runs the tests, where the real data may be."""
    if USER_CACHE is None:
        monkeypatch.delenv("K2C_DATA")
    else:
        monkeypatch.setenv("K2C_DATA", USER_CACHE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the kit's folders with nothing in them: tests write their own registry and data there."""
    folder = tmp_path / "home"
    (folder / "course").mkdir(parents=True)
    (folder / "course" / "syllabus.yml").touch()
    (folder / "data").mkdir()
    monkeypatch.setenv("K2C_HOME", str(folder))
    return folder


def registry_entry(files: dict[str, bytes], sources: list[dict]) -> dict:
    described = {name: {"hash": sha256(content), "size": len(content)} for name, content in files.items()}
    about = {"title": "Toy", "licence": "CC0", "citation": "nobody", "download_size": 1}
    return {**about, "files": described, "sources": sources}


class RegistryFile:
    """Writes a registry with one data set, and reads it back as the kit does."""

    def __init__(self, path: Path, dataset_id: str = "toy") -> None:
        self.path, self.dataset_id = path, dataset_id

    def __call__(self, files: dict[str, bytes], sources: list[dict]) -> Registry:
        self.path.write_text(yaml.safe_dump({self.dataset_id: registry_entry(files, sources)}))
        return read_registry(self.path)


@pytest.fixture
def toy(tmp_path: Path) -> RegistryFile:
    return RegistryFile(tmp_path / "registry.yml")


@pytest.fixture
def home_registry(home: Path) -> Callable[[str], RegistryFile]:
    """Like `toy`, for the registry that the kit itself reads: `home_registry("mnist")(files, sources)`."""
    return lambda dataset_id: RegistryFile(home / "data" / "registry.yml", dataset_id)


@pytest.fixture
def payload() -> bytes:
    """Half a megabyte that does not compress."""
    return b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(16_384))


@pytest.fixture
def one_file(toy: RegistryFile, server: FaultyServer, payload: bytes) -> Registry:
    """The data set `toy`: one file, one server, nothing wrong yet."""
    server.files["/data.bin"] = payload
    download = {"url": "data.bin", "hash": sha256(payload), "to": "data.bin"}
    return toy({"data.bin": payload}, [{"kind": "url", "base": server.url, "downloads": [download]}])


def draw_eye(
    seed: int, size: int = 160, red: int = 170, blur: float = 0.0, margin: float = 0.1
) -> np.ndarray:
    """A disc on black with dark lines from one point: enough of an eye for the code, at no cost."""
    random = np.random.default_rng(seed)
    eye = Image.new("RGB", (size, size), (red, red // 2, red // 4))
    pen = ImageDraw.Draw(eye)
    start = np.array([size * random.uniform(0.2, 0.8), size * random.uniform(0.4, 0.6)])
    for _ in range(14):
        heading = random.uniform(0, 2 * np.pi) + np.cumsum(random.normal(0, 0.25, 30))
        steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * size / 30
        line = [tuple(point) for point in start + np.cumsum(steps, axis=0)]
        pen.line(line, fill=(red * 5 // 6, red // 3, red // 6), width=max(1, size // 80))
    grain = Image.fromarray(random.normal(128, 25, (size // 3, size // 3, 3)).clip(0, 255).astype(np.uint8))
    eye = Image.blend(eye, grain.resize(eye.size, Image.Resampling.BICUBIC), 0.1)
    eye = eye.filter(ImageFilter.GaussianBlur(blur)) if blur else eye
    field = Image.new("L", (size, size), 0)
    inset = round(size * margin)
    ImageDraw.Draw(field).ellipse((inset, inset, size - 1 - inset, size - 1 - inset), fill=255)
    return np.asarray(Image.composite(eye, Image.new("RGB", (size, size)), field))


@pytest.fixture(scope="session", name="draw_eye")
def draw_eye_fixture() -> Callable[..., np.ndarray]:
    """`draw_eye(seed, size=160, red=170, blur=0, margin=0.1)`: uint8 (size, size, 3)."""
    return draw_eye
