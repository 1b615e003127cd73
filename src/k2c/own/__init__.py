"""Your own images: a folder in, a classifier out, as a file, as ONNX or as one web page."""

from k2c.own.fine_tuning import FineTuned, fine_tune
from k2c.own.onnx_file import export_onnx
from k2c.own.page import export_page

__all__ = ["FineTuned", "export_onnx", "export_page", "fine_tune"]
