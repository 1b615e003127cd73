"""Processes forked from one that has imported what they need: a start costs a fork, not five seconds."""

from k2c._system.forkserver.client import ForkedProcess, ForkServer, can_fork

__all__ = ["ForkServer", "ForkedProcess", "can_fork"]
