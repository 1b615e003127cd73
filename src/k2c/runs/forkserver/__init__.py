"""Kernels forked from one process that has imported what a lecture imports: a start costs a fork, not five seconds."""

from k2c.runs.forkserver.client import ForkServer, can_fork, own_server
from k2c.runs.forkserver.provisioner import ForkProvisioner

__all__ = ["ForkProvisioner", "ForkServer", "can_fork", "own_server"]
