"""Links from a lecture's page to places where it runs: what `course/site/links.yml` says."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from k2c._system.yaml_file import open_yaml
from k2c.course.syllabus import not_allowed
from k2c.errors import K2CError

FILE = "links.yml"
_HOST = r"https?://[^\s/?#]+"


class Links(BaseModel):
    """Where the kit's notebooks lie, and which servers open them from there."""

    model_config = ConfigDict(extra="forbid")
    repository: str = Field(pattern=rf"^{_HOST}(/[^\s/?#]+){{2}}$")
    branch: str = Field(default="main", pattern=r"^[\w./-]+$")
    folder: str = Field(default="notebooks", pattern=r"^[\w./-]+$")
    jupyterhub: str = Field(default="", pattern=rf"^({_HOST}[^\s?#]*)?$")
    binder: str = Field(default="", pattern=rf"^({_HOST}[^\s?#]*)?$")
    colab: str = Field(default="", pattern=rf"^({_HOST}[^\s?#]*)?$")

    @model_validator(mode="after")
    def _colab_reads_github(self) -> "Links":
        if self.colab and not self.repository.startswith("https://github.com/"):
            raise ValueError("Colab opens notebooks of https://github.com/... only: leave colab out")
        return self

    def theme_options(self) -> dict[str, Any]:
        """Return what the site's theme makes its buttons from."""
        buttons = {f"{name}_url": getattr(self, name) for name in ("jupyterhub", "colab")}
        return {
            "repository_url": self.repository,
            "repository_provider": "github" if "//github.com/" in self.repository else "gitlab",
            "repository_branch": self.branch,
            "path_to_docs": self.folder,
            "launch_buttons": buttons | {"binderhub_url": self.binder, "notebook_interface": "jupyterlab"},
        }


def launch_links(folder: Path) -> dict[str, Any]:
    """Return the theme's options for the links that the pages' folder configures; none where nothing is set.

    Raises
    ------
    K2CError
        When an entry is not allowed, with its line.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    file = open_yaml(path)
    if file.content is None:
        return {}
    if file.twice:
        line, name = file.twice[0]
        raise K2CError(f"{path} is not allowed: line {line}: {name} is given twice.")
    try:
        return Links.model_validate(file.content).theme_options()
    except ValidationError as error:
        raise K2CError(not_allowed(path, file, (), error)) from error
