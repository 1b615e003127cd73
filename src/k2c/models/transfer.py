"""A small head on a network that has seen a million images."""

from collections import OrderedDict

from torch import Tensor, nn

from k2c.models.backbones import Backbone


class TransferModel(nn.Module):
    """Pooled features of a frozen backbone, a hidden layer with ReLU, and two logits.

    The backbone is a fixed function: its weights get no gradient, and its batch normalisations keep their statistics,
    also after `model.train()`. So its features may be computed once (`k2c.models.pooled_features`) and `model.head`
    trained on them: the same model, hundreds of times faster.

    Parameters
    ----------
    backbone
        Any of `k2c.models.backbone`.

    Attributes
    ----------
    backbone
        From inputs, float32 (N, 3, S, S), to features.
    head
        `nn.Sequential` from features, float32 (N, n_features), to logits: flatten, linear1 (128 wide), relu, linear2.
        Its start depends on torch's seed alone.

    References
    ----------
    Yosinski, Clune, Bengio, Lipson: How transferable are features in deep neural networks? (2014)
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        self.head = nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                linear1=nn.Linear(backbone.n_features, 128),
                relu=nn.ReLU(),
                linear2=nn.Linear(128, 2),
            )
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, float32 (N, 2), of inputs, float32 (N, 3, S, S)."""
        return self.head(self.backbone(inputs))

    def train(self, mode: bool = True) -> "TransferModel":
        """Choose training or evaluation mode for the head; the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self
