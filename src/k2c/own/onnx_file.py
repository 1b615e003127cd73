"""A classifier as an ONNX file: from the pixels of a square image to probabilities and maps of where."""

import json
import os
import tempfile
import warnings
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from k2c._system.advice import pip_install
from k2c._system.atomic import atomic_path
from k2c.errors import K2CError
from k2c.models.class_maps import AnswerGraph, Answers
from k2c.models.own_classifier import OwnClassifier

if TYPE_CHECKING:
    import onnx

OPSET = 17  # read by every runtime since 2022
_SMALL = 256  # numbers; shorter weights, such as biases, keep 32 bits
_LARGEST = np.iinfo(np.int16).max


def export_onnx(own: OwnClassifier, file: str | os.PathLike[str]) -> None:
    """Write a classifier as an ONNX file that any runtime reads, such as `onnxruntime`.

    Its input `images` is uint8 (N, S, S, 3), what `k2c.models.square_of` makes of an image; the colours are
    normalised inside. Its outputs are those of `k2c.models.AnswerGraph`, equal to torch's within 1e-4: `logits`,
    `probabilities`, `top` and `maps`. Names of the classes, the size and the card stand in its metadata.

    Parameters
    ----------
    own
        The classifier: see `load_classifier` and `imagenet_classifier`.
    file
        Where to write; it appears when it is complete.

    Raises
    ------
    K2CError
        When the package onnx is missing, or the network has no class activation map.
    """
    content = onnx_bytes(own)
    with atomic_path(file) as part:
        part.write_bytes(content)


def onnx_bytes(own: OwnClassifier, short: bool = False) -> bytes:
    """Return the content of the file.

    Parameters
    ----------
    own
        The classifier.
    short
        Keep the weights in 16 bits, half as large; they are multiplied out to 32 bits when the model is loaded.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise K2CError(
            f"Writing ONNX needs the package onnx. Install it with: {pip_install('[export]')}"
        ) from error
    model = onnx.load_model_from_string(_exported(own))
    if short:
        _shorten(model)
    about = {
        "classes": json.dumps(own.classes, ensure_ascii=False),
        "kind": own.kind,
        "multi_label": json.dumps(own.multi_label),
        "preprocessing": json.dumps(asdict(own.network.preprocessing)),
        **asdict(own.card),
    }
    onnx.helper.set_model_props(model, about)
    return model.SerializeToString()


def share_weights(models: dict[str, bytes]) -> tuple[dict[str, bytes], dict[tuple[str, ...], bytes]]:
    """Take out of ONNX files the weights that two or more of them have in common.

    Returns
    -------
    tuple of dict and dict
        The files, and by the names of the files that have them in common: weights, which those files read as
        external data from a file of these names with `-` between them.
    """
    import onnx
    from onnx.external_data_helper import set_external_data

    parsed = {name: onnx.load_model_from_string(content) for name, content in models.items()}
    owners: dict[bytes, tuple[str, ...]] = {}
    for name, model in parsed.items():
        for data in {each.raw_data for each in model.graph.initializer if len(each.raw_data) > _SMALL}:
            owners[data] = (*owners.get(data, ()), name)
    shared: defaultdict[tuple[str, ...], bytearray] = defaultdict(bytearray)
    places: dict[bytes, int] = {}
    for model in parsed.values():
        for weights in model.graph.initializer:
            data = weights.raw_data
            group = owners.get(data, ())
            if len(group) < 2:
                continue
            if data not in places:
                places[data] = len(shared[group])
                shared[group] += data
            set_external_data(weights, "-".join(group), places[data], len(data))
            weights.ClearField("raw_data")
    slim = {name: model.SerializeToString() for name, model in parsed.items()}
    return slim, {group: bytes(data) for group, data in shared.items()}


def _exported(own: OwnClassifier) -> bytes:
    graph = AnswerGraph(own).cpu().eval()
    side = own.network.preprocessing.size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    named = ["images", *Answers._fields]
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # Torch's other exporter does the same in four times the time, and needs a second package.
        warnings.simplefilter("ignore")
        file = Path(folder, "model.onnx")
        torch.onnx.export(
            graph, (example,), file, dynamo=False, opset_version=OPSET, input_names=named[:1],
            output_names=named[1:], dynamic_axes={name: {0: "N"} for name in named},
        )  # fmt: skip
        return file.read_bytes()


def _shorten(model: "onnx.ModelProto") -> None:
    """Store weights as 16-bit integers, with a scale for each output channel, and let the graph multiply them out.

    A weight is then wrong by at most 1/65,534 of the largest of its channel. Float16, of the same size, keeps eleven
    binary digits of each number: probabilities of a fine-tuned network were wrong by up to 0.025, those from
    integers by 0.002.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph, nodes, kept = model.graph, [], []
    for weights in graph.initializer:
        values: Any = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < _SMALL:
            kept.append(weights)
            continue
        integers, scale, wide = (f"{weights.name}_{part}" for part in ("integers", "scale", "wide"))
        steps = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / np.float32(_LARGEST)
        whole = np.rint(values / np.where(steps == 0, 1, steps)).astype(np.int16)
        kept += [numpy_helper.from_array(whole, integers), numpy_helper.from_array(steps, scale)]
        nodes.append(helper.make_node("Cast", [integers], [wide], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [wide, scale], [weights.name]))
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
