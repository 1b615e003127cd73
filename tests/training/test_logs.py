"""What a training run measured, in files that other programs read."""

import csv
import struct

from k2c.training import CSVLog, TensorBoardLog


def test_a_table_has_a_row_an_epoch(train, blobs, tmp_path):
    _, history = train(3, callbacks=[CSVLog(tmp_path / "new/log.csv")])
    with (tmp_path / "new/log.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["train_loss"]) for row in rows] == history["train_loss"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["log.csv"]


def records(content):
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield content[12 : 12 + length]
        content = content[16 + length :]


def test_tensorboard_gets_every_number_of_every_epoch(train, tmp_path):
    _, history = train(2, callbacks=[TensorBoardLog(tmp_path / "run")])
    (file,) = (tmp_path / "run").iterdir()
    assert file.name.startswith("events.out.tfevents.")
    first, *events = records(file.read_bytes())
    assert first.endswith(b"brain.Event:2")
    losses = [struct.unpack("<f", event[-4:])[0] for event in events if b"train_loss" in event]
    assert losses == [struct.unpack("<f", struct.pack("<f", loss))[0] for loss in history["train_loss"]]
    assert len(events) == 2 * 3  # train_loss, learning_rate, seconds


def test_records_carry_the_checksum_that_tensorflow_expects(tmp_path):
    """The check value of CRC-32C is that of "123456789": e3069283, before the mask."""
    from k2c.training.logs import _checked

    crc = 0xE3069283
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert _checked(b"123456789") == struct.pack("<I", masked)
