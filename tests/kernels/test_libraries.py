"""Which libraries a call of torch ends in."""

import pytest
import torch

from k2c.kernels import library_calls

a = torch.ones(64, 64)
image, filters = torch.ones(2, 3, 12, 12), torch.ones(4, 3, 5, 5)


def test_a_product_is_found_by_its_operator():
    assert library_calls(lambda: a @ a).operator == "aten::mm"
    assert library_calls(lambda: 7).operator == "none"


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch without MKL")
def test_mkl_reports_what_it_is_called_for():
    assert library_calls(lambda: torch.fft.rfft(a)).calls == ("MKL: FFT",)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")
def test_onednn_reports_a_convolution():
    assert "oneDNN: convolution" in library_calls(lambda: torch.nn.functional.conv2d(image, filters)).calls


def test_nothing_of_the_reports_is_left_on_the_screen(capfd):
    library_calls(lambda: a @ a)
    print("after")
    assert capfd.readouterr() == ("after\n", "")
