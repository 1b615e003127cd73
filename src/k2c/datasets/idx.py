"""The IDX format of the MNIST files: a magic number, the dimensions, the bytes."""

from pathlib import Path

import numpy as np

from k2c.errors import K2CError

_UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Returns
    -------
    numpy.ndarray
        uint8, writable, with as many dimensions as the header states.

    Raises
    ------
    K2CError
        When the file is not such a file, or its length and its header disagree.

    Notes
    -----
    Two zero bytes, the type code, the number of dimensions, then each dimension as a big-endian 32-bit
    integer (the MNIST homepage describes the format).
    """
    content = np.fromfile(path, dtype=np.uint8)
    if (
        content.size < 4
        or tuple(content[:3]) != (0, 0, _UNSIGNED_BYTE)
        or content.size < 4 + 4 * int(content[3])
    ):
        raise K2CError(f"{path} is not an IDX file of unsigned bytes.")
    header = 4 + 4 * int(content[3])
    shape = content[4:header].view(">u4").astype(int)
    values = content[header:]
    if values.size != np.prod(shape):
        raise K2CError(f"{path} holds {values.size:,} values but its header promises {np.prod(shape):,}.")
    return values.reshape(shape)


def to_idx(values: np.ndarray) -> bytes:
    """Return a uint8 array as the content of an IDX file."""
    header = bytes([0, 0, _UNSIGNED_BYTE, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    return header + np.ascontiguousarray(values, dtype=np.uint8).tobytes()
