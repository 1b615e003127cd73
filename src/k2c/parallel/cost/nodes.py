"""A speed-up that was published against one node: what follows from it, and what does not."""

from dataclasses import dataclass

from k2c.errors import K2CError
from k2c.parallel.cost.model import Link, ring
from k2c.parallel.cost.published import NUMBER_BYTES


@dataclass(frozen=True)
class NodeSpeedUp:
    """How many times as fast as one node without distribution a number of nodes train.

    Attributes
    ----------
    name, source
        Which model on what, and who says so.
    parameters
        Of the model: how many numbers a gradient has.
    epochs, hours
        What one node took: so many epochs in so many hours.
    nodes, per_node
        How many nodes, and processes on each.
    speed_up
        Against that one node, which ran one process.
    """

    name: str
    source: str
    parameters: int
    epochs: int
    hours: float
    nodes: int
    per_node: int
    speed_up: float

    @property
    def workers(self) -> int:
        """All processes."""
        return self.nodes * self.per_node

    @property
    def hours_distributed(self) -> float:
        """What the same epochs take on all nodes."""
        return self.hours / self.speed_up

    @property
    def of_one_node(self) -> float:
        """The speed-up divided by the nodes: how many times as fast as the single node each node is."""
        return self.speed_up / self.nodes

    @property
    def of_one_process(self) -> float:
        """The speed-up divided by the processes: the speed of each process as a fraction of the single node's."""
        return self.speed_up / self.workers

    def images_per_second(self, n_images: int) -> float:
        """Return how many images one node trained on in a second, if an epoch has `n_images`."""
        return self.epochs * n_images / (3600 * self.hours)

    def step_seconds(self, batch_size: int, n_images: int) -> float:
        """Return the seconds of a step of the single node, with `batch_size` images."""
        return batch_size / self.images_per_second(n_images)

    def exchange_seconds(self, link: Link) -> float:
        """Return the seconds in which a ring of all processes averages the gradients, one exchange a step."""
        return ring(self.workers, self.parameters * NUMBER_BYTES, link)

    def blamed_bandwidth(self, batch_size: int, n_images: int, node_gain: float | None = None) -> float:
        """Return the bandwidth, in bytes per second, of a link that would be the only cause of a lower speed-up.

        The source gives neither the batch nor how fast two processes make one node without a network, so both are
        parameters here. Nothing overlaps: the largest bandwidth that can be blamed.

        Parameters
        ----------
        batch_size
            Images of one process in a step.
        n_images
            Images of an epoch.
        node_gain
            How many times as fast as the single process all processes of a node are together, before any network:
            at most `per_node`, which is what None means.

        Raises
        ------
        K2CError
            When the gain does not exceed `of_one_node`: then nothing is left to blame the link for.
        """
        gain = self.per_node if node_gain is None else node_gain
        if gain <= self.of_one_node:
            raise K2CError(
                f"node_gain is {gain:g}, and each node was {self.of_one_node:.3g} times as fast as one alone. Without "
                "a loss there is no link to blame: give a larger gain."
            )
        compute = self.step_seconds(batch_size, n_images) * self.per_node / gain
        waiting = compute * (gain / self.of_one_node - 1)
        sent = 2 * (self.workers - 1) / self.workers * self.parameters * NUMBER_BYTES
        return sent / waiting


RADIOLOGIST = NodeSpeedUp(
    name="DenseNet-121, 32 nodes of 2 processes",
    source="Wilson: Training an AI Radiologist with Distributed Deep Learning (Dell EMC, 2018)",
    parameters=6_968_206,  # with 14 outputs; the source does not give it
    epochs=10,
    hours=50,
    nodes=32,
    per_node=2,
    speed_up=47,
)
