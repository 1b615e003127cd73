"""A small head on a network that has seen a million images."""

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from k2c.errors import K2CError
from k2c.models.backbones import Backbone

HEAD_OVER_BACKBONE = 10.0  # how much faster the head learns by default


class TransferModel(nn.Module):
    """Pooled features of a backbone, a hidden layer with ReLU, and logits.

    Frozen, the backbone is a fixed function: its weights get no gradient, and its batch normalisations keep
    their statistics, also after `model.train()`. Its features may then be computed once
    (`k2c.models.pooled_features`) and `model.head` trained on them: the same model, hundreds of times faster.

    Parameters
    ----------
    backbone
        Any of `k2c.models.backbone`.
    n_classes
        The number of logits.
    hidden
        Width of the hidden layer.
    freeze
        Whether only the head learns.

    Attributes
    ----------
    backbone
        From inputs, float32 (N, 3, S, S), to features.
    head
        `nn.Sequential` from features, float32 (N, n_features), to logits: flatten, linear1, relu, linear2. Its
        start depends on torch's seed alone.
    frozen
        Whether the backbone is.

    References
    ----------
    Yosinski, Clune, Bengio, Lipson: How transferable are features in deep neural networks? (2014)
    """

    def __init__(
        self, backbone: Backbone, n_classes: int = 2, hidden: int = 128, freeze: bool = True
    ) -> None:
        super().__init__()
        if n_classes < 1 or hidden < 1:
            raise K2CError(f"n_classes is {n_classes} and hidden is {hidden}. Both must be 1 or more.")
        self.backbone = backbone
        self.head = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                linear1=nn.Linear(backbone.n_features, hidden),
                relu=nn.ReLU(),
                linear2=nn.Linear(hidden, n_classes),
            )
        )
        self.frozen = freeze
        self.freeze(freeze)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, float32 (N, n_classes), of inputs, float32 (N, 3, S, S)."""
        return self.head(self.backbone(inputs))

    def freeze(self, freeze: bool = True) -> None:
        """Freeze the backbone, or let it learn. Make the optimiser anew after this."""
        self.frozen = freeze
        self.backbone.requires_grad_(not freeze)
        self.train(self.training)

    def train(self, mode: bool = True) -> "TransferModel":
        """Choose training or evaluation mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def parameter_groups(self, head: float = 1e-3, backbone: float | None = None) -> list[dict[str, Any]]:
        """Return what an optimiser is made with: each part's weights with a learning rate of their own.

        Parameters
        ----------
        head
            Learning rate of the head, which comes first.
        backbone
            Learning rate of the backbone, which is left out when it is frozen. A tenth of the head's by
            default: what a million images taught shall not be lost in the first steps.

        Raises
        ------
        K2CError
            When a learning rate is given for a frozen backbone.

        It is what an optimiser takes: `torch.optim.AdamW(model.parameter_groups(head=1e-3, backbone=1e-4))`.
        """
        groups: list[dict[str, Any]] = [{"params": list(self.head.parameters()), "lr": head}]
        if not self.frozen:
            rate = head / HEAD_OVER_BACKBONE if backbone is None else backbone
            return [*groups, {"params": self.backbone.features_parameters(), "lr": rate}]
        if backbone is not None:
            raise K2CError(
                f"The backbone is frozen, so it has no use for the learning rate {backbone:g}. "
                "Leave it out, or let the backbone learn with model.freeze(False)."
            )
        return groups
