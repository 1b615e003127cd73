"""What is trained: experiments by name, and jobs that other processes can rebuild."""

import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from k2c.errors import K2CError, unknown
from k2c.training.evaluate import Loss
from k2c.training.learner import Callback

if TYPE_CHECKING:
    from torchmetrics import Metric

Json = bool | int | float | str | None | list[Any] | dict[str, Any]


@dataclass
class Experiment:
    """Everything that one worker needs to train: the function behind a name returns it.

    Attributes
    ----------
    model
        Gives logits for inputs.
    train, valid
        Examples by number: a `TensorDataset` or any other map-style data set. Every worker sees all of them and
        takes its own part.
    loss
        Gives the *mean* loss of a batch for `(logits, targets)`; the average over workers is exact for means.
    optimizer
        Makes the optimiser of some parameters: `lambda p: torch.optim.Adadelta(p, lr=1.0)`.
    epochs
        Passes over `train`.
    batch_size
        Examples that *one* worker takes at a time; N workers together take N times as many per step.
    metrics
        torchmetrics objects by name, measured on `valid`.
    shuffle, seed
        Whether each epoch has its own order, and what chooses the orders and every worker's random numbers.
    transform
        Applied to the inputs of every training batch; a random one draws from the worker's own stream.
    callbacks
        As in `training.fit`; they run in every worker.
    partitioned
        Whether `train` holds this worker's examples alone; every epoch then has the order of the first.
    """

    model: nn.Module
    train: Any
    loss: Loss
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    epochs: int
    batch_size: int
    valid: Any = None
    metrics: "Mapping[str, Metric]" = field(default_factory=dict)
    shuffle: bool = True
    seed: int = 0
    transform: Callable[[Tensor], Tensor] | None = None
    callbacks: Sequence[Callback] = ()
    partitioned: bool = False


Maker = Callable[..., Experiment]
_makers: dict[str, Maker] = {}
_locators: dict[str, Callable[[dict[str, Json]], dict[str, Json]]] = {}


def experiment(
    name: str, locate: Callable[[dict[str, Json]], dict[str, Json]] | None = None
) -> Callable[[Maker], Maker]:
    """Register the function below as an experiment.

    Its parameters need defaults that JSON can hold. Write it into a module or a file, not into a notebook:
    the workers are processes of their own, and import it there.

    Parameters
    ----------
    name
        What `Job` calls it.
    locate
        Makes the paths among a job's parameters absolute, where the user who makes the job stands.
    """

    def register(maker: Maker) -> Maker:
        _makers[name] = maker
        if locate:
            _locators[name] = locate
        return maker

    return register


def all_experiments() -> dict[str, Maker]:
    """Return the functions behind the experiments that this process has registered, the kit's own too, by name."""
    return dict(sorted(_makers.items()))


def _maker_of(name: str) -> Maker:
    if name not in _makers:
        raise K2CError(
            f"{unknown('experiment', name, all_experiments())} One of your own needs the file that registers it: "
            "--module FILE on the command line, Job(..., module=FILE) in Python."
        )
    return _makers[name]


@dataclass(frozen=True)
class Job:
    """The name of a registered experiment and its parameters; JSON text that any process can build from.

    Parameters
    ----------
    experiment
        The name.
    parameters
        What differs from the defaults: numbers, text, lists.
    module
        Where the experiment is registered, a module's name or a file's path; found when it is left out.

    Raises
    ------
    K2CError
        For a name or a parameter that does not exist, a value that JSON cannot hold, or an experiment that
        was written into a notebook, where other processes cannot find it.
    """

    experiment: str
    parameters: dict[str, Json] = field(default_factory=dict)
    module: str = ""

    def __post_init__(self) -> None:
        if self.module:
            object.__setattr__(self, "module", _import(self.module))
        maker = _maker_of(self.experiment)
        known = list(inspect.signature(maker).parameters)
        for name in self.parameters:
            if name not in known:
                raise K2CError(unknown(f"parameter of {self.experiment!r}", name, known))
        if self.experiment in _locators:
            object.__setattr__(self, "parameters", _locators[self.experiment](self.parameters))
        try:
            json.dumps(self.parameters, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise K2CError(
                f"The parameters of {self.experiment!r} must travel as JSON, and {error}. Use numbers, text, "
                "True, False, None and lists of them."
            ) from error
        object.__setattr__(self, "module", self.module or _home(self.experiment, maker))

    @property
    def seed(self) -> int:
        """The experiment's parameter `seed`, or 0: it decides the first weights too."""
        declared = inspect.signature(_maker_of(self.experiment)).parameters.get("seed")
        default = 0 if declared is None or declared.default is inspect.Parameter.empty else declared.default
        return int(self.parameters.get("seed", default))  # type: ignore[arg-type]

    def build(self) -> Experiment:
        """Return the experiment, made anew."""
        made = _maker_of(self.experiment)(**self.parameters)
        for name in ("epochs", "batch_size"):
            if getattr(made, name) < 1:
                raise K2CError(
                    f"{name} of {self.experiment!r} is {getattr(made, name)}. It must be 1 or more."
                )
        return made

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"experiment": self.experiment, "parameters": self.parameters, "module": self.module}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Job":
        """Return the job that `to_json` wrote, in whatever process."""
        return cls(content["experiment"], dict(content["parameters"]), content["module"])


def _home(name: str, maker: Maker) -> str:
    """Return how another process imports the module that registered an experiment."""
    module, file = maker.__module__, getattr(inspect.getmodule(maker), "__file__", None)
    if module.startswith("k2c.") or (file and module != "__main__" and _on_path(module, Path(file))):
        return module
    if file is None:
        raise K2CError(
            f"The experiment {name!r} was written into a notebook or typed in, and the workers are other "
            "processes, which cannot see it. Put it into a file (%%writefile my_experiment.py in a cell), "
            "then `import my_experiment`."
        )
    return str(Path(file).resolve())


def _on_path(module: str, file: Path) -> bool:
    """Tell whether `import module` would find this file in a new process."""
    stem = file.parent if file.name == "__init__.py" else file.with_suffix("")
    relative = Path(*module.split("."))
    return any((Path(entry or ".") / relative).resolve() == stem.resolve() for entry in sys.path)


def _import(module: str) -> str:
    """Import a module by its name or its file, once, and return how any process finds it.

    Raises
    ------
    K2CError
        When it is not there, or raises an error while it is imported.
    """
    path = Path(module).expanduser().resolve()
    try:
        if not module.endswith(".py"):
            importlib.import_module(module)
            return module
        if not path.is_file():
            raise K2CError(f"There is no file {path}, where the experiment is said to be registered.")
        if not any(getattr(known, "__file__", None) == str(path) for known in list(sys.modules.values())):
            _load(path)
    except K2CError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise _cannot_import(module, error) from error
        raise K2CError(
            f"There is no module {module!r}, where the experiment is said to be registered. Give the path of its "
            "file, which ends in .py, or the name of a module that `import` finds."
        ) from error
    except Exception as error:
        raise _cannot_import(module, error) from error
    return str(path)


def _load(path: Path) -> None:
    name = f"k2c_experiment_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # as for every name that ends in .py
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        del sys.modules[name]
        raise


def _cannot_import(module: str, error: Exception) -> K2CError:
    return K2CError(
        f"{module}, where the experiment is said to be registered, cannot be imported. "
        f"{type(error).__name__}: {error}. Mend it, then start again."
    )
