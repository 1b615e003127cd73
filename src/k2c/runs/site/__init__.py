"""The course as static pages that open from the file system, without a server and without the network."""

from k2c.runs.site.build import build_site

__all__ = ["build_site"]
