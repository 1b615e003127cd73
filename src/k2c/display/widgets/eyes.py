"""A synthetic eye, by slider; and what augmentation makes of an image."""

from typing import Any

import ipywidgets
import numpy as np
import torch
from matplotlib.figure import Figure

from k2c.display.fundus import OUTLINES
from k2c.display.photographs import draw_photograph
from k2c.display.style import COLOURS
from k2c.display.widgets.base import ImageWidget
from k2c.synthetic.fundus import Eye, EyeDrawing, draw_eye
from k2c.training.augment import GaussianNoise, Rotate180

GRADES = ("none", "mild", "moderate", "severe", "proliferative")


class SyntheticEye(ImageWidget):
    """The photograph of a synthetic eye: grade, blur, and where the lesions are, by slider.

    Parameters
    ----------
    seed
        Which eye.
    size
        Pixels of the photograph's side.
    """

    kind = "jpeg"

    def __init__(self, seed: int = 11, size: int = 320) -> None:
        self.size = size
        self.eye = ipywidgets.IntSlider(seed, 0, 99, description="Eye")
        self.grade = ipywidgets.IntSlider(3, 0, 4, description="Grade")
        self.blur = ipywidgets.FloatSlider(0.0, min=0.0, max=4.0, step=0.25, description="Blur")
        self.lesions = ipywidgets.Checkbox(True, description="Show where the lesions are")
        super().__init__([self.eye, self.grade, self.blur, self.lesions])

    def drawing(self) -> EyeDrawing:
        """Return the photograph that the sliders ask for, with its truth."""
        return draw_eye(Eye(seed=self.eye.value, grade=self.grade.value, blur=self.blur.value), self.size)

    def draw(self) -> tuple[Figure, str]:
        """Draw the photograph, with the lesions outlined beside it."""
        drawing, grade = self.drawing(), self.grade.value
        figure = Figure(figsize=(8.6, 4.6), layout="constrained")
        plain, marked = figure.subplots(1, 2)
        draw_photograph(plain, drawing.image)
        draw_photograph(marked, drawing.image)
        plain.set_title("what the camera sees")
        marked.set_title("where the lesions are" if self.lesions.value else "where would you look?")
        colours = dict(zip(drawing.masks, OUTLINES, strict=True))
        kinds = [kind for kind, mask in drawing.masks.items() if mask.any() and self.lesions.value]
        for kind, colour in ((kind, colours[kind]) for kind in kinds):
            marked.contour(drawing.masks[kind], levels=[0.5], colors=[COLOURS[colour]], linewidths=1.6)
            marked.plot([], [], color=COLOURS[colour], label=kind.replace("_", " "))
        if kinds:
            figure.legend(loc="outside lower center", ncols=len(kinds), fontsize=11)
        found = ", ".join(f"{kind.replace('_', ' ')} {n}" for kind, n in drawing.counts.items() if n)
        return figure, f"Grade {grade} ({GRADES[grade]}), blur {self.blur.value:g}: {found or 'no lesions'}."


def augmented(image: np.ndarray, noise: float, turned: float, count: int = 6, seed: int = 0) -> np.ndarray:
    """Return several random variants of an image, uint8 (count, H, W, 3).

    Parameters
    ----------
    image
        uint8 (H, W, 3).
    noise
        Standard deviation of the noise, as a fraction of the range of values.
    turned
        The probability that a variant is upside down.
    """
    generator = torch.Generator().manual_seed(seed)
    batch = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255).repeat(count, 1, 1, 1)
    changed = GaussianNoise(noise, generator=generator)(Rotate180(turned, generator=generator)(batch))
    return changed.permute(0, 2, 3, 1).mul(255).round().byte().numpy()


class AugmentationSliders(ImageWidget):
    """Six random variants of an image, by the strength of the noise and the chance of a turn.

    Parameters
    ----------
    image
        uint8 (H, W, 3).
    """

    kind = "jpeg"

    def __init__(self, image: Any) -> None:
        self.image = np.asarray(image)
        scale: dict[str, Any] = {"min": 0.0, "max": 0.5, "step": 0.02, "description": "Noise"}
        self.noise = ipywidgets.FloatSlider(0.1, **scale)
        self.turned = ipywidgets.FloatSlider(0.5, min=0.0, max=1.0, step=0.1, description="Turned")
        self.draws = ipywidgets.IntSlider(0, 0, 20, description="Draw again")
        super().__init__([self.noise, self.turned, self.draws])

    def draw(self) -> tuple[Figure, str]:
        """Draw the variants."""
        noise, turned = self.noise.value, self.turned.value
        figure = Figure(figsize=(8.0, 5.6), layout="constrained")
        for axes, image in zip(
            figure.subplots(2, 3).flat,
            augmented(self.image, noise, turned, seed=self.draws.value),
            strict=True,
        ):
            draw_photograph(axes, image)
        figure.suptitle("Six variants", x=0.01, ha="left")
        return (
            figure,
            f"Six variants: noise of {noise:.0%} of the range, and a turn with a chance of {turned:.0%}.",
        )
