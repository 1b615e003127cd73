"""A filter of system calls, as `bwrap --seccomp` and the kernel read it (classic BPF, seccomp(2)).

It refuses what no lecture needs and what other bounds miss: memory that no limit counts (`memfd_create`, `shmget`), new
namespaces, in which a user is root again, and the kernel's rarer interfaces, in which its errors are found.
"""

import platform
import struct

REFUSED = (
    "memfd_create", "memfd_secret", "shmget", "unshare", "setns", "mount", "open_tree", "fsopen", "add_key",
    "request_key", "keyctl", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "ptrace",
)  # fmt: skip
_COMMON = {"memfd_secret": 447, "io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "clone3": 435}
_NUMBERS = {
    "x86_64": _COMMON
    | {"memfd_create": 319, "shmget": 29, "unshare": 272, "setns": 308, "mount": 165, "add_key": 248}
    | {"request_key": 249, "keyctl": 250, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323}
    | {"ptrace": 101, "clone": 56},
    "aarch64": _COMMON
    | {"memfd_create": 279, "shmget": 194, "unshare": 97, "setns": 268, "mount": 40, "add_key": 217}
    | {"request_key": 218, "keyctl": 219, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282}
    | {"ptrace": 117, "clone": 220},
}
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where seccomp_data has them
_ALLOW, _KILL, _ABSENT = 0x7FFF0000, 0x80000000, 0x00050000 | 38  # ENOSYS: programs take another way
_NEW_NAMESPACE = 0x7E020000  # the flags CLONE_NEW* of clone(2)
_X32 = 0x40000000


def filter_for(machine: str | None = None) -> bytes | None:
    """Return the filter for a processor (this machine's by default), or None where its numbers are not known here."""
    machine = machine or platform.machine()
    if machine not in _NUMBERS:
        return None
    numbers = _NUMBERS[machine]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, _ARCHITECTURES[machine]), (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ABSENT),
    ]  # fmt: skip
    for name in (
        *REFUSED,
        "clone3",
    ):  # clone3 has its flags in memory, where no filter can look: glibc takes clone
        steps += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _ABSENT)]
    steps += [
        (_EQUAL, 1, 0, numbers["clone"]), (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NEW_NAMESPACE), (_RETURN, 0, 0, _ABSENT),
        (_RETURN, 0, 0, _ALLOW),
    ]  # fmt: skip
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
