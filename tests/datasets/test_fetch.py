"""fetch(): what a download that goes wrong leads to, with a server that goes wrong on purpose."""

import gzip
import hashlib
import io
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from k2c.cli import main as k2c_command
from k2c.datasets import FetchError, damaged, downloads, fetch, is_cached, local_path, read_registry, verify
from k2c.errors import K2CError

# A reserved name: no resolver knows it.
NOWHERE = {
    "kind": "url",
    "base": "http://no-such-host.invalid/",
    "downloads": [{"url": "x", "to": "data.bin"}],
}


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def url_source(server, **download) -> dict:
    return {"kind": "url", "base": server.url, "downloads": [download]}


def everything_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_file_arrives_once_and_is_used_from_then_on(one_file, server, payload, cache):
    path = fetch("toy", one_file)
    assert path == cache / "toy" / "data.bin" == local_path("toy", one_file)
    assert path.read_bytes() == payload
    assert fetch("toy", one_file) == path
    assert len(server.seen) == 1
    assert is_cached("toy", one_file) and verify("toy", one_file) == []
    assert everything_in(cache / "toy") == {"data.bin", ".verified.json"}


@pytest.mark.parametrize("fault", ["truncate", "wrong", "close", "stall", 500, 503, 429])
def test_a_faulty_answer_is_tried_again(fault, one_file, server, payload):
    server.script["/data.bin"] = [fault]
    assert fetch("toy", one_file).read_bytes() == payload
    assert len(server.seen) == 2


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_what_arrived_is_not_sent_again(fault, one_file, server, payload):
    server.script["/data.bin"] = [fault, fault]
    fetch("toy", one_file)
    starts = [int(asked.strip("bytes=-")) if asked else 0 for _, asked in server.seen]
    assert starts == sorted(set(starts)), starts  # each try continued where the last one stopped
    assert starts[1] >= len(payload) * 0.3


def test_a_later_call_resumes_too(one_file, server, payload):
    server.script["/data.bin"] = ["truncate", 500, 500]
    with pytest.raises(FetchError):
        fetch("toy", one_file)
    assert fetch("toy", one_file).read_bytes() == payload
    assert server.seen[-1][1] == f"bytes={len(payload) // 2}-"


def test_a_server_that_cannot_resume_starts_again(one_file, server, payload):
    server.can_resume = False
    server.script["/data.bin"] = ["truncate"]
    assert fetch("toy", one_file).read_bytes() == payload


@pytest.mark.parametrize("left_over", [b"stale", b"x" * 600_000])
def test_a_partial_file_of_something_else_is_thrown_away(left_over, one_file, server, payload, cache):
    server.script["/data.bin"] = ["truncate", 500, 500]
    with pytest.raises(FetchError):
        fetch("toy", one_file)
    (part,) = (cache / "toy" / ".downloads").glob("*.part")
    part.write_bytes(left_over)  # shorter: the resumed whole has the wrong hash; longer: nothing to resume
    assert fetch("toy", one_file).read_bytes() == payload


def test_a_wrong_file_never_gets_the_final_name(one_file, server, cache):
    server.script["/data.bin"] = ["wrong"] * 9
    with pytest.raises(FetchError, match=r"wrong content \(tried 3 times\)"):
        fetch("toy", one_file)
    assert len(server.seen) == 3
    assert not local_path("toy", one_file).exists() and not is_cached("toy", one_file)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_not_there_is_asked_for_once(status, toy, server, payload):
    server.files |= {"/old.bin": payload, "/new.bin": payload}
    server.script["/old.bin"] = [status] * 9
    sources = [
        url_source(server, url=f"{name}.bin", hash=sha256(payload), to="data.bin") for name in ("old", "new")
    ]
    fetch("toy", toy({"data.bin": payload}, sources))
    assert [path for path, _ in server.seen] == ["/old.bin", "/new.bin"]


def test_hosts_that_cannot_be_reached_are_skipped_at_once(toy, server, payload, monkeypatch):
    monkeypatch.setattr("k2c.datasets.downloads.RETRY_WAITS", (30, 30))
    server.files["/data.bin"] = payload
    refusing = {"kind": "url", "base": "http://127.0.0.1:1/", "downloads": [{"url": "x", "to": "data.bin"}]}
    registry = toy(
        {"data.bin": payload}, [NOWHERE, refusing, url_source(server, url="data.bin", to="data.bin")]
    )
    began = time.monotonic()
    fetch("toy", registry)
    assert time.monotonic() - began < 10


def test_the_next_source_continues_where_a_mirror_broke_off(toy, server, payload):
    server.files |= {"/a/data.bin": payload, "/b/data.bin": payload}
    server.script["/a/data.bin"] = ["truncate", 500, 500]
    sources = [
        url_source(server, url=f"{name}/data.bin", hash=sha256(payload), to="data.bin") for name in "ab"
    ]
    fetch("toy", toy({"data.bin": payload}, sources))
    assert server.seen[-1] == ("/b/data.bin", f"bytes={len(payload) // 2}-")


def test_the_message_says_what_was_tried_and_what_to_do(toy, server):
    sources = [NOWHERE, url_source(server, url="gone.bin", to="data.bin")]
    with pytest.raises(FetchError) as caught:
        fetch("toy", toy({"data.bin": b"x"}, sources))
    message = str(caught.value)
    assert "no-such-host.invalid: the host name cannot be resolved" in message
    assert "404" in message and "k2c data fetch toy" in message
    assert "\n" not in message and "Traceback" not in message


def test_gzip_and_zip_become_their_final_files(toy, server, payload):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("folder/b.txt", b"second")
    server.files |= {"/a.gz": gzip.compress(payload), "/b.zip": packed.getvalue()}
    server.extra_headers["Content-Encoding"] = "x-gzip"  # as some servers say of a stored .gz
    downloads = [
        {"url": "a.gz", "unpack": "gzip", "to": "raw/a"},
        {"url": "b.zip", "unpack": "zip", "to": {"raw/b": "folder/b.txt"}},
    ]
    registry = toy(
        {"raw/a": payload, "raw/b": b"second"}, [{"kind": "url", "base": server.url, "downloads": downloads}]
    )
    folder = fetch("toy", registry)
    assert (folder / "raw" / "a").read_bytes() == payload
    assert (folder / "raw" / "b").read_bytes() == b"second"


def test_an_archive_writes_nothing_outside_its_folder(toy, server, tmp_path, cache):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("../evil", "../../evil", "/tmp/k2c-evil", "good"):
            archive.writestr(name, b"good")
    server.files["/a.zip"] = packed.getvalue()
    source = url_source(server, url="a.zip", unpack="zip", to={"one": "good", "two": "../evil"})
    fetch("toy", toy({"one": b"good", "two": b"good"}, [source]))
    assert everything_in(cache / "toy") == {"one", "two", ".verified.json"}
    assert not [path for path in tmp_path.rglob("*evil*")] and not Path("/tmp/k2c-evil").exists()
    with pytest.raises(K2CError, match=r"'\.\./evil' must be a relative path"):
        toy({"../evil": b"good"}, [url_source(server, url="a.zip", unpack="zip", to={"../evil": "good"})])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not an archive", "damaged"),
        (gzip.compress(b"x" * 100)[:-9], "damaged"),
        (gzip.compress(b"x" * 10**6), "more"),
    ],
)
def test_a_bad_archive_is_refused(content, said, toy, server):
    server.files["/a.gz"] = content
    registry = toy({"a": b"x" * 100}, [url_source(server, url="a.gz", unpack="gzip", to="a")])
    with pytest.raises(FetchError, match=said):
        fetch("toy", registry)


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 8]) + content[middle + 1 :]
    path.write_bytes({"a bit": flipped, "cut short": content[:-1], "empty": b""}[how])


DAMAGE = {
    "a bit": r"its hash is sha256:[0-9a-f]{64}, and must be sha256:[0-9a-f]{64}",
    "cut short": "it has 524,287 bytes, and must have 524,288",
    "empty": "it has 0 bytes, and must have 524,288",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_file_that_was_damaged_in_the_cache_is_fetched_again_and_that_is_said(
    how, one_file, server, payload
):
    path = fetch("toy", one_file)
    damage(path, how)
    assert not is_cached("toy", one_file)
    said = f"{re.escape(str(path))} is damaged: {DAMAGE[how]}\\."
    (problem,) = verify("toy", one_file)
    assert re.fullmatch(said, problem) and damaged("toy", one_file) == [problem]
    with pytest.warns(UserWarning, match=f"{said} It is fetched again"):
        assert fetch("toy", one_file).read_bytes() == payload
    assert len(server.seen) == 2 and damaged("toy", one_file) == []


@pytest.mark.parametrize("how", DAMAGE)
def test_offline_a_damaged_file_is_called_damaged(how, one_file, monkeypatch):
    path = fetch("toy", one_file)
    damage(path, how)
    monkeypatch.setenv("K2C_OFFLINE", "1")
    said = (
        rf"'toy' is damaged in the cache \({re.escape(str(path))} is damaged: {DAMAGE[how]}\), and K2C_OFFLINE forbids "
        r"the network\. Unset K2C_OFFLINE and run: k2c data fetch toy"
    )
    with pytest.raises(FetchError, match=said):
        fetch("toy", one_file)


def test_a_damaged_file_that_no_source_gives_again_is_called_damaged(one_file, server):
    damage(fetch("toy", one_file), "cut short")
    server.files.clear()
    with (
        pytest.warns(UserWarning),
        pytest.raises(FetchError, match=r"is damaged in the cache .* no source gives it"),
    ):
        fetch("toy", one_file)


def test_no_single_bit_can_change_unnoticed(toy, cache, monkeypatch):
    monkeypatch.setenv("K2C_OFFLINE", "1")
    payload, chance = os.urandom(2000), random.Random(0)
    registry = toy({"data.bin": payload}, [NOWHERE])
    file = cache / "toy" / "data.bin"
    file.parent.mkdir(parents=True)
    file.write_bytes(payload)
    assert fetch("toy", registry) == file
    for turn in range(300):
        content = bytearray(payload)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        os.utime(file, ns=(turn, turn))
        with pytest.raises(FetchError, match="is damaged"):
            fetch("toy", registry)


def test_damage_that_left_size_and_time_alone_is_found_by_the_next_process(one_file, cache, monkeypatch):
    path = fetch("toy", one_file)
    state = path.stat()
    damage(path, "a bit")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    monkeypatch.setattr("k2c._system.sealed._good", {})  # as another process begins
    assert not is_cached("toy", one_file)


@pytest.mark.parametrize("how", DAMAGE)
def test_the_command_says_damaged_and_not_absent(how, home_registry, payload, cache):
    home_registry("toy")({"data.bin": payload}, [NOWHERE])
    path = cache / "toy" / "data.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(payload)
    damage(path, how)
    said = CliRunner().invoke(k2c_command, ["data", "list"]).output
    assert "damaged" in said and "not here" not in said
    verified = CliRunner().invoke(k2c_command, ["data", "verify"])
    assert verified.exit_code == 1 and "data.bin is damaged" in verified.output


def test_only_what_is_missing_is_fetched(toy, server):
    server.files |= {"/a": b"aaa", "/b": b"bbb"}
    downloads = [{"url": name, "to": name} for name in "ab"]
    registry = toy({"a": b"aaa", "b": b"bbb"}, [{"kind": "url", "base": server.url, "downloads": downloads}])
    (fetch("toy", registry) / "b").unlink()
    assert [problem.rpartition("/")[2] for problem in verify("toy", registry)] == ["b is missing."]
    fetch("toy", registry)
    assert [path for path, _ in server.seen] == ["/a", "/b", "/b"]


def test_offline_uses_the_cache_and_nothing_else(one_file, server, monkeypatch):
    monkeypatch.setenv("K2C_OFFLINE", "1")
    with pytest.raises(FetchError, match="K2C_OFFLINE forbids the network"):
        fetch("toy", one_file)
    assert server.seen == []
    monkeypatch.setenv("K2C_OFFLINE", "0")
    fetch("toy", one_file)
    monkeypatch.setenv("K2C_OFFLINE", "1")
    fetch("toy", one_file)


def test_two_processes_do_one_download(one_file, server, payload, cache, monkeypatch):
    """Also after a third one was killed in the middle of its download."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("needs fork")
    monkeypatch.setattr(downloads, "READ_TIMEOUT", 20)
    server.script["/data.bin"] = ["stall", "slow"]
    start = multiprocessing.get_context("fork").Process
    killed = start(target=fetch, args=("toy", one_file))
    killed.start()
    while not any(part.stat().st_size for part in (cache / "toy" / ".downloads").glob("*.part")):
        assert killed.is_alive()
        time.sleep(0.01)
    time.sleep(0.2)
    killed.kill()
    killed.join()
    several = [start(target=fetch, args=("toy", one_file)) for _ in range(3)]
    for process in several:
        process.start()
    for process in several:
        process.join(60)
        assert process.exitcode == 0
    assert local_path("toy", one_file).read_bytes() == payload
    assert [asked is None for _, asked in server.seen] == [True, False]  # one for all, and it resumed


def test_a_reader_never_sees_half_a_file(one_file, server, payload):
    server.script["/data.bin"] = ["slow"]
    path, sizes = local_path("toy", one_file), set()
    fetching = threading.Thread(target=fetch, args=("toy", one_file))
    fetching.start()
    while fetching.is_alive():
        sizes.add(path.stat().st_size if path.exists() else None)
        time.sleep(0.001)
    assert sizes <= {None, len(payload)}


@pytest.fixture
def open_folder():
    """A folder that another user can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="k2c-test-"))
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def ordinary_user():
    """Root may write anywhere, so root becomes somebody else for a while."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX permissions")
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def make_read_only(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_read_only_cache_serves_what_it_has(one_file, payload, open_folder, monkeypatch):
    monkeypatch.setenv("K2C_DATA", str(open_folder))
    monkeypatch.setenv("K2C_OFFLINE", "1")
    path = open_folder / "toy" / "data.bin"
    path.parent.mkdir()
    path.write_bytes(payload)
    make_read_only(open_folder)
    with ordinary_user():
        assert fetch("toy", one_file) == path
    assert everything_in(open_folder) == {"toy/data.bin"}


def test_a_read_only_cache_without_the_data_says_so(one_file, open_folder, monkeypatch):
    monkeypatch.setenv("K2C_DATA", str(open_folder))
    make_read_only(open_folder)
    said = r"'toy' is not in the cache .* \(Permission denied\)\. Set K2C_DATA to a folder that you can write to\."
    with ordinary_user(), pytest.raises(FetchError, match=said):
        fetch("toy", one_file)


def test_a_file_in_the_place_of_the_cache_says_so(one_file, cache):
    cache.write_text("in the way")
    with pytest.raises(FetchError, match="Set K2C_DATA to a folder that you can write to"):
        fetch("toy", one_file)


NO_ROOM = r"There is no room left for the data set 'toy' \(0\.5 MB\) in .*\. Free some space, or set K2C_DATA"


def test_a_full_disk_says_so(one_file, tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "k2c-test", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a small disk here (needs root)")
    try:
        monkeypatch.setenv("K2C_DATA", str(disk / "cache"))
        with pytest.raises(FetchError, match=NO_ROOM):
            fetch("toy", one_file)
        assert everything_in(disk) <= {"cache/.toy.lock"}  # what would not fit is not left behind
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_that_may_not_grow_says_so(one_file):
    """The same where nothing can be mounted: a limit on the size of a file."""
    resource = pytest.importorskip("resource", reason="POSIX only")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(FetchError, match=NO_ROOM):
            fetch("toy", one_file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_an_unknown_id_gets_the_nearest_one(one_file):
    with pytest.raises(K2CError, match=r"There is no data set 'tyo'; did you mean 'toy'"):
        fetch("tyo", one_file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("toy: {title: T}", "toy.licence: Field required"),
        ("toy: [1]", "map each id to the fields"),
        ("toy: {a: b", "expected"),
        ("", "map each id"),
    ],
)
def test_a_registry_with_a_mistake_says_where(text, said, toy):
    toy.path.write_text(text)
    with pytest.raises(K2CError, match=said):
        read_registry(toy.path)
