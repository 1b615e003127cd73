"""The process that runs one submission: closes itself in, then executes the notebook and asks for the answers.

Started by path (`python -P sandbox.py`), so that it loads nothing of k2c. It is on the student's side of the wall:
nothing that it reports is a verdict, only values, which `k2c grade` judges in its own process.
"""

import ctypes
import json
import os
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ANSWERS_MIME = "application/vnd.k2c.answers+json"
CELL_BYTES, NOTEBOOK_BYTES, ANSWER_BYTES = 2_000_000, 20_000_000, 1_000_000
FILE_BYTES = 1 << 30
_OUTPUTS = ("stream", "display_data", "update_display_data", "execute_result", "error")
_CUT = "\n[the rest was too long to keep]\n"


def main() -> None:
    """Read a job from standard input (a line of JSON), do it, and wait to be killed."""
    job = json.loads(sys.stdin.readline())
    work = Path(job["work"])
    confined = confine(work, job)
    if job.get("probe"):
        print(json.dumps(confined))
        return
    threading.Thread(target=_end_with_the_grader, daemon=True).start()
    with (work / "progress.jsonl").open("a", encoding="utf-8", buffering=1) as file:

        def report(**facts: Any) -> None:
            file.write(json.dumps(facts) + "\n")

        report(end=execute(job, work, report, guarded=not confined["network"]))
        threading.Event().wait()  # the grader reads, then kills this process with everything that it started


def _end_with_the_grader() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def confine(work: Path, job: dict[str, Any]) -> dict[str, bool]:
    """Set limits, and inside namespaces of its own: only the loopback device, only `work` writable."""
    if os.name != "posix":
        return {"network": False, "files": False}
    import resource

    os.nice(10)  # so that the grader still gets its turn beside a thousand processes
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    if not job["namespaces"]:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(
                36, 1, 0, 0, 0
            )  # PR_SET_CHILD_SUBREAPER: nothing that it starts gets away
        return {"network": False, "files": False}
    if job["user_namespace"]:  # counts what this namespace started, so it bounds the submission alone
        resource.setrlimit(resource.RLIMIT_NPROC, (job["tasks"], job["tasks"]))
    return {"network": _only_loopback(), "files": _only_writable(work, job["memory"])}


def _only_loopback() -> bool:
    """Switch on the loopback device, which the kernel's messages need; tell whether it is the only one."""
    import fcntl

    request, flags = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS; IFF_UP | IFF_RUNNING
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, request, struct.pack("16sH14s", b"lo", flags, b""))
        up = {
            name
            for _, name in socket.if_nameindex()
            if struct.unpack_from(
                "H", fcntl.ioctl(device, 0x8913, struct.pack("16s16s", name.encode(), b"")), 16
            )[0]
            & 1
        }
    return up == {"lo"}


def _only_writable(work: Path, memory: int) -> bool:
    """Make every file system read-only but the folder `work` and a fresh /dev/shm."""
    libc = ctypes.CDLL(None, use_errno=True)
    bind, here, recursive, read_only = (
        4096,
        -100,
        0x8000,
        0x1,
    )  # MS_BIND, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY
    folder = os.fsencode(work)

    def set_attributes(path: bytes, flags: int, add: int, clear: int) -> bool:
        attributes = struct.pack("QQQQ", add, clear, 0, 0)
        return (
            libc.syscall(442, here, path, flags, attributes, len(attributes)) == 0
        )  # mount_setattr, Linux 5.12

    return (
        libc.mount(folder, folder, None, bind, None) == 0
        and libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 6, f"size={memory}".encode()) == 0
        and set_attributes(b"/", recursive, read_only, 0)
        and set_attributes(folder, 0, 0, read_only)
        and set_attributes(b"/dev/shm", 0, 0, read_only)
    )


def execute(job: dict[str, Any], work: Path, report: Callable[..., None], guarded: bool) -> str:
    """Execute the notebook, whatever its cells raise; return `done`, `timed out` or `crashed`."""
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    notebook = nbformat.read(work / "notebook.ipynb", as_version=4)
    deadline = time.monotonic() + job["seconds"]
    client = _client(notebook, job, work, deadline, guarded)
    try:
        with client.setup_kernel():
            for index, cell in enumerate(notebook.cells):
                report(cell=index)
                client.execute_cell(cell, index)
                for check in job["checks"].get(str(index), ()):
                    report(exercise=check["exercise"], answers=_ask(client, check, index))
            nbformat.write(notebook, work / "executed.ipynb")
            return "done"
    except CellTimeoutError:
        end = "timed out"
    except (DeadKernelError, Exception) as error:
        report(error=f"{type(error).__name__}: {error}"[:500])
        end = "crashed"
    nbformat.write(notebook, work / "executed.ipynb")
    return end


def _ask(client: Any, check: dict[str, Any], index: int) -> list[Any] | None:
    """Return what the answer gives for each call, or None; the notebook does not show that it was asked."""
    from nbformat.v4 import new_code_cell

    module = '__import__("k2c.course.exercises", fromlist=["k2c"])'
    arguments = f"{check['calls']!r}, lambda: ({check['answer']}), {check['uses']!r}"
    asked = new_code_cell(f"{module}.print_answers({arguments})")
    kept = client.nb.cells[index]
    try:
        client.execute_cell(asked, index, store_history=False)
    finally:
        client.nb.cells[index] = kept
    shown = [output.data[ANSWERS_MIME] for output in asked.outputs if ANSWERS_MIME in output.get("data", {})]
    return json.loads(shown[-1]) if shown and len(shown[-1]) <= ANSWER_BYTES else None


def _client(notebook: Any, job: dict[str, Any], work: Path, deadline: float, guarded: bool) -> Any:
    from nbclient import NotebookClient
    from nbformat.v4 import new_output

    class CappedClient(NotebookClient):
        """Keeps what fits; a line says where something was left out."""

        room = NOTEBOOK_BYTES
        used: Counter[int]

        def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] not in _OUTPUTS:
                return super().process_message(msg, cell, cell_index)
            size = 200 + len(json.dumps(msg["content"], default=str))
            if self.used[id(cell)] + size > min(CELL_BYTES, self.room):
                if self.used[id(cell)] <= CELL_BYTES:
                    self.used[id(cell)] = CELL_BYTES + 1
                    cell.outputs.append(new_output("stream", name="stderr", text=_CUT))
                return None
            self.used[id(cell)] += size
            self.room -= size
            return super().process_message(msg, cell, cell_index)

    guard = Path(__file__).with_name("no_network.py")
    load_guard = f"--IPKernelApp.exec_lines=__import__('runpy').run_path({str(guard)!r})"
    client = CappedClient(
        notebook,
        allow_errors=True,
        kernel_name="python3",
        timeout_func=lambda cell: max(1, round(deadline - time.monotonic())),
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(work)}},
        extra_arguments=[load_guard] if guarded else [],
    )
    client.used = Counter()
    return client


if __name__ == "__main__":
    main()
