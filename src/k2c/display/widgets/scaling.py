"""How far a training scales, by slider; and a ring all-reduce that steps."""

from dataclasses import asdict, replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from k2c.display.style import COLOURS
from k2c.display.widgets.base import LectureWidget, front_end
from k2c.errors import K2CError
from k2c.parallel.cost import StepCost, bandwidth_for, gigabit, speed_up

WAYS = {"ring": "ring all-reduce", "tree": "tree", "parameter_server": "one parameter server"}
_NODES = (2, 4, 8, 16, 32, 64, 128, 256)
_GRADIENTS = (1, 2, 3, 6, 4, 7, 5, 8)  # of the workers of a ring; the first four are the lecture's


class ScalingCurves(LectureWidget):
    """Speed-up against the number of workers, by the speed of the link and the size of the model.

    Parameters
    ----------
    step
        One worker's step, alone; its bytes of gradient are where the slider starts.
    latency
        Seconds of a message of no bytes.
    """

    front = "scaling"
    _esm = front_end(front)

    def __init__(self, step: StepCost, latency: float = 30e-6) -> None:
        if step.gradient_bytes <= 0:
            raise K2CError(
                "This step has no bytes of gradient, so nothing is exchanged. Give StepCost its gradient_bytes."
            )
        self.start, self.latency = step, latency
        megabytes = float(np.clip(step.gradient_bytes / 1e6, 0.1, 10_000))
        data = {"step": asdict(step), "latency": latency, "nodes": list(_NODES), "megabytes": megabytes}
        super().__init__(data, nodes=64, link=10.0, model=megabytes, overlap=True)

    def curves(self) -> dict[str, list[float]]:
        """Return the speed-up of each way to exchange, for 1, 2, 4 ... workers up to the slider's."""
        return {way: [self._speed_up(n, way) for n in self._counts()] for way in WAYS}

    def draw(self) -> tuple[Figure, str]:
        """Draw speed-up and efficiency, for where the front end does not run."""
        counts, curves = self._counts(), self.curves()
        figure = Figure(figsize=(11.0, 4.6), layout="constrained")
        speed, efficiency = figure.subplots(1, 2)
        speed.plot(counts, counts, color=COLOURS["grey"], linestyle="--", linewidth=1.4, label="ideal")
        for (way, values), marker in zip(curves.items(), "os^", strict=True):
            speed.plot(counts, values, marker=marker, label=WAYS[way])
            efficiency.plot(counts, np.divide(values, counts), marker=marker)
        speed.set(title="speed-up", xlabel="workers", xscale="log", yscale="log")
        efficiency.set(title="efficiency", xlabel="workers", xscale="log", ylim=(0, 1.05))
        for axes in (speed, efficiency):
            axes.set_xticks(counts, [str(n) for n in counts])
            axes.minorticks_off()
        speed.set_yticks(counts, [str(n) for n in counts])
        figure.legend(loc="outside lower center", ncols=4)
        return figure, self._words({way: values[-1] for way, values in curves.items()})

    def _counts(self) -> list[int]:
        return [1, *(n for n in _NODES if n <= self.values["nodes"])]

    def _step(self) -> StepCost:
        return replace(self.start, gradient_bytes=self.values["model"] * 1e6)

    def _speed_up(self, workers: int, way: str) -> float:
        link = gigabit(self.values["link"], self.latency)
        return speed_up(self._step(), workers, link, way, self.values["overlap"])

    def _words(self, last: dict[str, float]) -> str:
        n = self.values["nodes"]
        needed = bandwidth_for(self._step(), n, 0.9 * n, self.latency, "ring", self.values["overlap"])
        wanted = (
            "no link is fast enough for a ring to reach 90%"
            if needed is None
            else f"a ring reaches 90% with {_short(8 * needed / 1e9)} Gbit/s"
        )
        link, model = (_short(self.values[name]) for name in ("link", "model"))
        told = ", ".join(f"{WAYS[way]} {value:.1f} times" for way, value in last.items())
        return (
            f"{n} workers, a link of {link} Gbit/s, {model} MB of gradient: {told} as fast as one; {wanted}."
        )


def _short(number: float) -> str:
    """Return three digits of a number, without a power of ten."""
    return np.format_float_positional(number, precision=3, fractional=False, trim="-")


def ring_states(values: np.ndarray) -> list[np.ndarray]:
    """Return what each worker holds at the start of a ring all-reduce and after each of its 2 (n - 1) rounds.

    In a round each worker sends one piece to its right: first sums that grow, then sums that are complete.

    Parameters
    ----------
    values
        (n, n): row i is what worker i starts with, one number for each of n pieces.
    """
    n, states = len(values), [np.array(values)]
    for number in range(2 * (n - 1)):
        before, after = states[-1], states[-1].copy()
        for worker, piece, adds in sent_in(n, number):
            right = (worker + 1) % n
            after[right, piece] = before[worker, piece] + (before[right, piece] if adds else 0)
        states.append(after)
    return states


def sent_in(n: int, number: int) -> list[tuple[int, int, bool]]:
    """Return who sends which piece in a round (from 0), and whether the receiver adds it to its own."""
    adds = number < n - 1
    first = number if adds else number - (n - 1) - 1
    return [(worker, (worker - first) % n, adds) for worker in range(n)]


class RingSteps(LectureWidget):
    """A ring all-reduce, round by round: who sends which piece, and what everybody holds then.

    It opens at the end of the first half, when each worker holds one complete sum.

    Parameters
    ----------
    workers
        How many stand in the ring, 2 to 8.
    """

    front = "ring"
    _esm = front_end(front)

    def __init__(self, workers: int = 4) -> None:
        if workers not in range(2, 9):
            raise K2CError(f"workers is {workers!r}. A ring has 2 to 8 of them here.")
        super().__init__({"gradients": list(_GRADIENTS)}, workers=workers, round=workers - 1)

    def draw(self) -> tuple[Figure, str]:
        """Draw what each worker holds; what has just arrived is framed, complete sums are blue."""
        n = self.values["workers"]
        number = min(self.values["round"], 2 * (n - 1))
        start = np.repeat(np.array(_GRADIENTS[:n])[:, None], n, axis=1)
        state = ring_states(start)[number]
        complete = state == start.sum(axis=0)
        figure = Figure(figsize=(1.0 + 1.05 * n, 1.3 + 0.72 * n), layout="constrained")
        axes = figure.subplots()
        arrived = {
            ((worker + 1) % n, piece) for worker, piece, _ in (sent_in(n, number - 1) if number else [])
        }
        for (worker, piece), value in np.ndenumerate(state):
            place, face = (
                (piece - 0.46, worker - 0.42),
                COLOURS["sky"] if complete[worker, piece] else "#EEEEEE",
            )
            edge = COLOURS["red"] if (worker, piece) in arrived else "none"
            axes.add_patch(Rectangle(place, 0.92, 0.84, facecolor=face, edgecolor=edge, linewidth=3))
            axes.text(piece, worker, f"{value}", ha="center", va="center", color="#222222", fontsize=15)
        axes.set(xlim=(-0.6, n - 0.4), ylim=(n - 0.4, -0.6), xticks=range(n), yticks=range(n), xlabel="piece")
        axes.set_yticklabels([f"worker {worker}" for worker in range(n)])
        axes.set_title(f"round {number} of {2 * (n - 1)}")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        return figure, self._words(n, number, int(complete.sum()))

    def _words(self, n: int, number: int, complete: int) -> str:
        if number == 0:
            what = "At the start each worker has its own gradient, cut into pieces."
        elif number < n:
            what = "Each worker sent one piece to the next, who added it to its own."
        else:
            what = "Each worker passed on a complete sum, and the next one took it as it is."
        sent = f"So far each has sent {number}/{n} of the gradient."
        return f"{what} {complete} of {n * n} pieces are complete. {sent}"
