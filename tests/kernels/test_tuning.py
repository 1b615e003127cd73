"""The tuner: every shape computes the same, the fastest is kept by device, and nothing depends on the file."""

import os
import subprocess
import sys
import warnings
from itertools import chain

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from k2c import kernels
from k2c.errors import K2CError
from k2c.kernels import tuner
from k2c.kernels.build import NEVER, SHAPES, options_of
from k2c.kernels.opencl import OpenCLOps


@pytest.fixture
def tuned(tmp_path, monkeypatch):
    """Turn the tuner on, with a cache of its own and no more time than for the defaults."""
    monkeypatch.setenv("K2C_TUNE", "1")
    monkeypatch.setenv("K2C_DATA", str(tmp_path))
    monkeypatch.setattr(tuner, "BUDGET", 0.01)
    return tmp_path / "kernels"


def opencl():
    try:
        return OpenCLOps(device=kernels.opencl_devices()[0])
    except K2CError as error:
        pytest.skip(str(error))


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def assert_close(got, expected, magnitude=None):
    scale = np.abs(expected if magnitude is None else magnitude).max()
    assert np.abs(got - expected).max() <= 1e-6 * scale


every_shape = pytest.mark.parametrize(
    ("file", "at"), [(file, at) for file, shapes in SHAPES["cpu"].items() for at in range(len(shapes))]
)


@every_shape
def test_every_shape_computes_the_same(ops, file, at):
    shapes = SHAPES[ops.kind].get(file, ())
    if at >= len(shapes):
        pytest.skip("a shape of CPUs")
    shaped = ops.shaped({file: dict(shapes[at])})
    a, b = draw(1003), draw(1003)[::-1].copy()
    long = shaped.shaped({file: dict(shapes[at]) | {"LONG": 1}})
    for device in (shaped, long):
        assert_close(device.get(device.vector_add(device.put(a), device.put(b))), a + b)
        assert_close(device.get(device.relu(device.put(a))), np.maximum(a, 0))
    m, n = draw(37, 65), draw(65, 83)
    assert_close(shaped.get(shaped.matmul(shaped.put(m), shaped.put(n))), m @ n, np.abs(m) @ np.abs(n))
    x, w, bias, dy = draw(3, 2, 14, 20), draw(7, 2, 5, 5), draw(7), draw(3, 7, 10, 16)
    seen = sliding_window_view(x, (5, 5), (2, 3))
    p, q = shaped.put(x), shaped.put(w)
    y = np.einsum("nchwij,fcij->nfhw", seen, w, dtype=np.float64) + bias[:, None, None]
    assert_close(shaped.get(shaped.conv2d(p, q, shaped.put(bias))), y, 10 * y)
    dx, dw, _ = shaped.conv2d_backward(p, q, shaped.put(dy))
    expected = np.einsum("nchwij,nfhw->fcij", seen, dy, dtype=np.float64)
    assert_close(shaped.get(dw), expected, 10 * expected)
    padded = np.pad(dy, ((0, 0), (0, 0), (4, 4), (4, 4)))
    back = np.einsum("nfhwij,fcij->nchw", sliding_window_view(padded, (5, 5), (2, 3)), w[:, :, ::-1, ::-1])
    assert_close(shaped.get(dx), back, 10 * back)


def test_a_table_names_every_shape_and_the_one_in_use(tuned, capfd):
    table = kernels.tuning(opencl())
    files = {file: shapes for file, shapes in SHAPES["cpu"].items() if len(shapes) > 1}
    assert [row.shape for row in table.rows] == list(chain(*files.values()))
    assert [row.file for row in table.rows if row.chosen] == list(files)
    assert all(row.milliseconds for row in table.rows if row.chosen)
    assert all(row.milliseconds or "not measured: out of time" in row.note for row in table.rows)
    assert "* matmul.cl          TILE=16, ROWS=6, WIDE=4" in repr(table)
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "k2c measures the kernels' shapes" in said.err


def test_what_was_measured_is_kept_and_a_damaged_file_is_measured_again(tuned, capfd):
    first = kernels.tuning(opencl())
    assert "measures" in capfd.readouterr().err
    assert kernels.tuning(opencl()) == first
    assert capfd.readouterr().err == ""
    kernels.tuning(opencl(), again=True)
    assert "measures" in capfd.readouterr().err
    (file,) = tuned.glob("tuning-*.json")
    kept = file.read_bytes()
    for damage in (kept.replace(b'"ITEMS": 4096', b'"ITEMS": 4097', 1), kept[:100], b"", b"[]", b"7"):
        file.write_bytes(damage)
        assert opencl().options(kernels.specification("relu"))["ITEMS"] in (4096, 1024)
        assert "measures" in capfd.readouterr().err
        assert kernels.tuning(opencl()).rows and capfd.readouterr().err == ""


def test_the_fastest_shape_is_the_one_in_use(tuned, monkeypatch):
    times = iter(range(100, 0, -1))
    monkeypatch.setattr(tuner, "_seconds", lambda ops, task: task() and 0.001 * next(times))
    monkeypatch.setattr(tuner, "BUDGET", 60)
    monkeypatch.setattr(tuner, "ROUNDS", 1)
    monkeypatch.setattr(tuner, "_tunable", lambda kind: [("elementwise.cl", SHAPES[kind]["elementwise.cl"])])
    ops = opencl()
    assert ops.options(kernels.specification("relu")) == SHAPES["cpu"]["elementwise.cl"][-1]
    assert ops.options(kernels.specification("matmul_tiled")) == options_of("cpu", "matmul.cl")
    x = draw(1 << 20)
    assert (ops.get(ops.relu(ops.put(x))) == np.maximum(x, 0)).all()


def test_k2c_tune_0_takes_the_defaults_without_measuring(tuned, monkeypatch, capfd):
    monkeypatch.setenv("K2C_TUNE", "0")
    table = kernels.tuning(opencl())
    assert all(row.chosen == (row.shape == options_of("cpu", row.file)) for row in table.rows)
    assert "K2C_TUNE=0" in repr(table) and capfd.readouterr().err == "" and not tuned.exists()


def test_a_cache_that_cannot_be_written_is_a_warning(tuned, tmp_path):
    tuned.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match=r"shapes are not kept.*Set K2C_DATA"):
        assert opencl().options(kernels.specification("relu"))["LONG"] in (1 << 20, NEVER)


def test_processes_measure_a_device_once(tuned):
    code = "from k2c import kernels; from k2c.kernels import tuner; tuner.BUDGET = 0.01; print(kernels.tuning().rows)"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=300) for run in runs]
    assert said[0][0] == said[1][0] != ""
    devices = len(list(tuned.glob("tuning-*.json")))
    assert "".join(errors for _, errors in said).count("measures") == devices


def test_the_runtime_of_a_cpu_is_chosen_by_measurement(tuned, monkeypatch):
    if len(kernels.opencl_devices()) < 2:
        pytest.skip("one runtime here: pip install 'k2c[intel]' adds another")
    for fastest in kernels.opencl_devices():
        wanted = kernels.runtime_of(fastest)
        monkeypatch.setattr(tuner, "cost", lambda ops, wanted=wanted: 0.5 + (ops.runtime != wanted))
        assert kernels.open().runtime == kernels.open("opencl").runtime == wanted
    monkeypatch.setenv("K2C_TUNE", "0")
    assert kernels.open().runtime == kernels.runtime_of(kernels.opencl_devices()[0])


def test_references_have_no_shapes():
    assert kernels.tuning(kernels.open("numpy")).rows == ()


def test_a_settings_change_of_the_driver_is_another_device(monkeypatch):
    before = opencl().identity
    monkeypatch.setitem(os.environ, "CL_CONFIG_CPU_TARGET_ARCH", "core-avx2")
    with warnings.catch_warnings():
        assert opencl().identity != before
