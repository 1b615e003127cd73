"""Callbacks that keep what a training run measures in files: a CSV table, and scalars for TensorBoard."""

import csv
import os
import socket
import struct
import time
from pathlib import Path

from k2c.errors import K2CError
from k2c.training.learner import Callback, Learner

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, bits in reverse


class CSVLog(Callback):
    """Write the rows of the history to a CSV file, anew after every epoch: it is whole at any time.

    Parameters
    ----------
    file
        The table. The folder is made if need be.
    """

    order = 10

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.file = Path(file)

    def after_epoch(self, learner: Learner) -> None:
        """Write all rows so far."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_name(f".{self.file.name}.part")
        with part.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, learner.history.columns, restval="", lineterminator="\n")
            table.writeheader()
            table.writerows(learner.history.rows)
        part.replace(self.file)


class TensorBoardLog(Callback):
    """Write the numbers of every epoch for TensorBoard. Its package is needed to look at them, not here.

    Parameters
    ----------
    folder
        For one training run: `tensorboard --logdir` is given the folder of several.

    Raises
    ------
    K2CError
        When the folder cannot be made.
    """

    order = 10

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise K2CError(f"{folder} cannot be made ({error.strerror}). Name another folder.") from error
        self._file: Path | None = None

    def after_epoch(self, learner: Learner) -> None:
        """Append the row of the epoch."""
        now = time.time()
        if self._file is None:
            self._file = self.folder / f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}"
            self._append(_event(now, 0, _text(3, b"brain.Event:2")))
        step = int(learner.history.last["epoch"])
        for name, value in learner.history.last.items():
            if name != "epoch" and isinstance(value, int | float):
                scalar = _text(1, name.encode()) + b"\x15" + struct.pack("<f", value)
                self._append(_event(now, step, _text(5, _text(1, scalar))))

    def _append(self, record: bytes) -> None:
        assert self._file is not None
        length = struct.pack("<Q", len(record))
        with self._file.open("ab") as stream:
            stream.write(length + _checked(length) + record + _checked(record))


def _event(when: float, step: int, what: bytes) -> bytes:
    """Return an Event of TensorFlow's, in the encoding of protocol buffers: fields 1 (time) and 2 (step), then what."""
    return b"\x09" + struct.pack("<d", when) + b"\x10" + _number(step) + what


def _text(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _number(len(content)) + content


def _number(value: int) -> bytes:
    """Return a whole number seven bits at a time, the lowest first."""
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def _checked(content: bytes) -> bytes:
    """Return the masked CRC-32C of TensorFlow's record files."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
