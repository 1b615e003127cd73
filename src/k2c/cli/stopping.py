"""How a command is stopped: by Ctrl-C, by `kill`, or by a terminal that is closed."""

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_WORDS = {"SIGINT": "by Ctrl-C", "SIGTERM": "by SIGTERM", "SIGHUP": "since its terminal was closed (SIGHUP)"}
_SECONDS_TO_STOP = 2.0  # a signal is often sent twice: to the group and to the process

_listener = 0
_received = signal.SIGINT
_since = -_SECONDS_TO_STOP


class Stopped(KeyboardInterrupt):
    """A command was stopped; the message says what is left of its work and how to go on."""


def listen() -> None:
    """Let every signal that asks this process to end do what Ctrl-C does.

    What is ignored stays ignored, as `nohup` wants it.
    """
    global _listener
    _listener = os.getpid()
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def ignore() -> None:
    """Ignore further signals while the last output is written."""
    for name in _SIGNALS:
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)


def status() -> int:
    """Return the exit status of a command that was stopped: 130 after Ctrl-C, 143 after `kill`."""
    return 128 + _received


def sentence(error: BaseException) -> str:
    """Return what is said of it: who stopped the command, and what the command itself says."""
    return f"Stopped {_WORDS[signal.Signals(_received).name]}. {error}".rstrip()


@contextmanager
def when_stopped(advice: str) -> Iterator[None]:
    """Turn Ctrl-C in the block into `Stopped` with a sentence on what is left of the work and how to go on.

    Raises
    ------
    Stopped
        Then, with that advice.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Stopped(advice) from error


@contextmanager
def unmasked() -> Iterator[None]:
    """Raise the interrupt that code in the block turned into an error of its own, as imports of compiled code do."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, KeyboardInterrupt):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        raise cause from None


def _stop(number: int, frame: Any) -> None:
    global _received, _since
    if os.getpid() != _listener:  # a fork, which ends as any process does
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return
    if time.monotonic() - _since < _SECONDS_TO_STOP:
        return
    _received, _since = signal.Signals(number), time.monotonic()
    # What asyncio reports of tasks that nobody waits for any more, such as a cell whose kernel has just been ended.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    raise KeyboardInterrupt
