"""A synthetic eye, by slider; and what augmentation makes of an image."""

import io
from itertools import product
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from skimage.measure import approximate_polygon, find_contours

from k2c.display.fundus import OUTLINES
from k2c.display.photographs import draw_photograph
from k2c.display.style import COLOURS
from k2c.display.widgets.base import LectureWidget, data_url, front_end
from k2c.synthetic.fundus import Eye, EyeDrawing, draw_eye
from k2c.training.augment import GaussianNoise, Rotate180

GRADES = ("none", "mild", "moderate", "severe", "proliferative")
_EYES_OF_A_PAGE = (3, 11, 24, 42)
_VARIANT_SIDE = 240  # pixels: enough to see noise, and six of them are made anew while a slider moves


class SyntheticEye(LectureWidget):
    """The photograph of a synthetic eye: grade, blur, and where the lesions are, by slider.

    Parameters
    ----------
    seed
        Which eye.
    size
        Pixels of the photograph's side.
    """

    front = "eye"
    kind = "jpeg"
    _esm = front_end(front)

    def __init__(self, seed: int = 11, size: int = 320) -> None:
        self.size = size
        eyes = sorted({seed, *range(100)})
        kinds = draw_eye(Eye(seed=seed), size).masks
        data = {"size": size, "eyes": eyes, "blurs": [number / 4 for number in range(17)]}
        data["colours"] = dict(zip(kinds, OUTLINES, strict=True))
        super().__init__(data | self._seen(seed, 3, 0.0), eye=seed, grade=3, blur=0.0, lesions=True)

    def answer(self, asked: dict[str, Any]) -> None:
        """Draw the eye that the front end wants to show."""
        self.data = {**self.data, **self._seen(asked["eye"], asked["grade"], asked["blur"])}

    def page_data(self) -> dict[str, Any]:
        """Return a few eyes with every grade, at five strengths of the blur."""
        frames: dict[str, str] = {}
        marks: dict[str, Any] = {}
        eyes, blurs = sorted({self.values["eye"], *_EYES_OF_A_PAGE}), [0, 1, 2, 3, 4]
        for eye, grade, blur in product(eyes, range(5), blurs):
            seen = self._seen(eye, grade, blur)
            frames |= seen["frames"]
            marks |= seen["marks"]
        return {**self.data, "eyes": eyes, "blurs": blurs, "frames": frames, "marks": marks}

    def drawing(self) -> EyeDrawing:
        """Return the photograph that the sliders ask for, with its truth."""
        return self._drawing(self.values["eye"], self.values["grade"], self.values["blur"])

    def _drawing(self, eye: int, grade: int, blur: float) -> EyeDrawing:
        return draw_eye(Eye(seed=eye, grade=grade, blur=blur), self.size)

    def _seen(self, eye: int, grade: int, blur: float) -> dict[str, Any]:
        """Return a photograph, and what is where in it, as the front end shows them."""
        drawing, file = self._drawing(eye, grade, blur), io.BytesIO()
        Image.fromarray(drawing.image).save(file, "WEBP", quality=70, method=6)
        marks = {  # pairs, because a notebook's file sorts what has names
            "counts": [[kind, n] for kind, n in drawing.counts.items() if n],
            "paths": [[kind, _outline(mask)] for kind, mask in drawing.masks.items() if mask.any()],
        }
        frame = data_url(file.getvalue(), "webp")
        return {"frames": {f"{eye}/{grade}/{blur:g}": frame}, "marks": {f"{eye}/{grade}": marks}}

    def draw(self) -> tuple[Figure, str]:
        """Draw the photograph, with the lesions outlined beside it."""
        drawing, grade, lesions = self.drawing(), self.values["grade"], self.values["lesions"]
        figure = Figure(figsize=(8.6, 4.6), layout="constrained")
        plain, marked = figure.subplots(1, 2)
        draw_photograph(plain, drawing.image)
        draw_photograph(marked, drawing.image)
        plain.set_title("what the camera sees")
        marked.set_title("where the lesions are" if lesions else "where would you look?")
        kinds = [kind for kind, mask in drawing.masks.items() if mask.any() and lesions]
        for kind in kinds:
            colour = self.data["colours"][kind]
            marked.contour(drawing.masks[kind], levels=[0.5], colors=[COLOURS[colour]], linewidths=1.6)
            marked.plot([], [], color=COLOURS[colour], label=kind.replace("_", " "))
        if kinds:
            figure.legend(loc="outside lower center", ncols=len(kinds), fontsize=11)
        found = ", ".join(f"{kind.replace('_', ' ')} {n}" for kind, n in drawing.counts.items() if n)
        return (
            figure,
            f"Grade {grade} ({GRADES[grade]}), blur {self.values['blur']:g}: {found or 'no lesions'}.",
        )


def _outline(mask: np.ndarray) -> str:
    """Return the outlines of a mask as a path of SVG, within half a pixel."""
    parts = []
    for contour in find_contours(np.pad(mask, 1).astype(float), 0.5):
        corners = (approximate_polygon(contour, 0.4) - 0.5)[:, ::-1]
        parts.append("M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in corners) + "Z")
    return "".join(parts)


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


class AugmentationSliders(LectureWidget):
    """Six random variants of an image, by the strength of the noise and the chance of a turn.

    Parameters
    ----------
    image
        uint8 (H, W, 3).
    """

    front = "augmentation"
    kind = "jpeg"
    _esm = front_end(front)

    def __init__(self, image: Any) -> None:
        self.image, file = np.asarray(image), io.BytesIO()
        small = Image.fromarray(self.image)
        small.thumbnail((_VARIANT_SIDE, _VARIANT_SIDE))
        small.save(file, "WEBP", quality=90)
        super().__init__({"image": data_url(file.getvalue(), "webp")}, noise=0.1, turned=0.5, draws=0)

    def draw(self) -> tuple[Figure, str]:
        """Draw the variants."""
        noise, turned = self.values["noise"], self.values["turned"]
        figure = Figure(figsize=(8.0, 5.6), layout="constrained")
        for axes, image in zip(
            figure.subplots(2, 3).flat,
            augmented(self.image, noise, turned, seed=self.values["draws"]),
            strict=True,
        ):
            draw_photograph(axes, image)
        figure.suptitle("Six variants", x=0.01, ha="left")
        return (
            figure,
            f"Six variants: noise of {noise:.0%} of the range, and a turn with a chance of {turned:.0%}.",
        )
