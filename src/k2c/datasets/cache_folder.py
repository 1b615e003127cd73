"""One data set's folder in the cache: which of its files are in place, and how a new one gets there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from k2c._system.atomic import atomic_path
from k2c._system.plain_file import read_json
from k2c._system.sealed import look_once
from k2c.datasets.downloads import SourceFaulty, hash_of
from k2c.datasets.registry import Entry

STAMPS = ".verified.json"
LARGE = 1 << 27  # bytes; above that, hashing a file takes a second on a slow processor


@dataclass(frozen=True)
class CacheFolder:
    """The files of one data set in the cache.

    Every file was hashed when it came, and each process hashes it again when it first uses it. For large ones, the size
    and time of change at that moment are kept in a small file beside them, and they are hashed again only if those
    changed since.
    """

    entry: Entry
    folder: Path

    @property
    def downloads(self) -> Path:
        """Folder for what is on its way: partial downloads, archives."""
        return self.folder / ".downloads"

    @property
    def path(self) -> Path:
        """The file of a data set that has just one, else the folder."""
        names = list(self.entry.files)
        return self.folder / names[0] if len(names) == 1 else self.folder

    def missing(self) -> list[str]:
        """Return the names of the files that are not there, or not as the registry describes them."""
        known = self._stamps()
        seen = {name: stamp for name in self.entry.files if (stamp := self._stamp(name))}
        good = {name: stamp for name, stamp in seen.items() if self._is_good(name, known.get(name) == stamp)}
        if any(known.get(name) != stamp for name, stamp in good.items()):
            with suppress(OSError), atomic_path(self.folder / STAMPS) as part:  # a read-only cache works too
                part.write_text(json.dumps(good))
        return [name for name in self.entry.files if name not in good]

    def damaged(self) -> list[str]:
        """Return a sentence for each file that is there, but not as the registry describes it."""
        paths = [(name, self.folder / name) for name in self.missing()]
        return [f"{path} {self.problem(name)}." for name, path in paths if path.is_file()]

    def _is_good(self, name: str, stamped: bool) -> bool:
        path, known = self.folder / name, self.entry.files[name].hash
        if stamped and path.stat().st_size > LARGE:
            return True
        return path.is_file() and look_once(path, lambda _: self.problem(name), known) is None

    def problem(self, name: str) -> str | None:
        """Hash one file and say what is wrong with it, or return None."""
        path, expected = self.folder / name, self.entry.files[name]
        if not path.is_file():
            return "is missing"
        if expected.size is not None and path.stat().st_size != expected.size:
            return f"is damaged: it has {path.stat().st_size:,} bytes, and must have {expected.size:,}"
        found = hash_of(path, expected.hash)
        return (
            None
            if found == expected.hash
            else f"is damaged: its hash is {found}, and must be {expected.hash}"
        )

    @contextmanager
    def publish(self, name: str) -> Iterator[Path]:
        """Yield a temporary path that becomes the final file `name` if it then has the right hash.

        Raises
        ------
        SourceFaulty
            When it has not; nothing is left behind.
        """
        with atomic_path(self.folder / name) as part:
            yield part
            known = self.entry.files[name].hash
            if hash_of(part, known) != known:
                raise SourceFaulty(f"{Path(name).name} arrived with the wrong content")

    def _stamp(self, name: str) -> list[object] | None:
        try:
            state = (self.folder / name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return [self.entry.files[name].hash, state.st_size, state.st_mtime_ns]

    def _stamps(self) -> dict[str, object]:
        try:
            content = read_json(self.folder / STAMPS)
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}
