"""What can go wrong while data is fetched, told apart by what helps against it."""

from k2c.errors import K2CError


class FetchError(K2CError):
    """A data set is neither in the cache nor to be had: what was tried, why it failed, and what to do."""


class SourceFailed(Exception):
    """The source cannot give the data, and asking it again would not help: go on to the next one."""


class SourceFaulty(SourceFailed):
    """The source was slow or broken this time: worth another try."""
