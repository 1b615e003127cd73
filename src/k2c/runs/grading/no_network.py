"""Importing this forbids the network to a process, but for itself: for machines where no namespace can.

An audit hook cannot be taken away again by Python code. It is no wall: code in C, or in another process, gets by.
"""

import sys
from typing import Any

_LOCAL = ("127.", "::1", "localhost")


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "localhost"  # a path is a socket on this machine
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0] or "localhost"
    else:
        return
    if not str(host).startswith(_LOCAL):
        raise OSError("There is no network while a notebook is graded.")


sys.addaudithook(_refuse)
