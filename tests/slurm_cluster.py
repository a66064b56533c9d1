"""A SLURM of one node in a temporary folder, from Debian's slurmctld, slurmd, slurm-client and munge."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def find_missing() -> list[str]:
    """Programs that are not installed."""
    return [program for program in PROGRAMS if _find(program) is None]


def _find_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


CONFIGURATION = """
ClusterName=beholder
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
ReturnToService=2
KillWait=5
MessageTimeout=60
MaxArraySize=5
SlurmdParameters=config_overrides
NodeName={node} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN Feature=avx2
PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def open_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start a SLURM; yields the variables with which its commands find it. Skips where it is not installed.

    ``folder`` has a short path: sockets lie in it.
    """
    missing = find_missing()
    if missing or os.geteuid():
        need = "root" if not missing else ", ".join(missing)
        pytest.skip(f"a real SLURM: {need} is missing (Debian's slurmctld slurmd slurm-client munge)")
    folder.chmod(0o700)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    place = {"folder": folder, "node": platform.node().partition(".")[0], "ports": _find_ports(2)}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**place), encoding="utf-8")
    variables = {"SLURM_CONF": str(folder / "slurm.conf")}
    environment = {**os.environ, **variables}
    munge = [f"--{name}={folder}/munge.{end}" for name, end in _MUNGE.items()]
    try:
        for command in (["munged", "--force", *munge], ["slurmctld"], ["slurmd"]):
            program = _find(command[0])
            assert program is not None
            subprocess.run([program, *command[1:]], env=environment, check=True, timeout=60)
        wait_for(lambda: "idle" in ask(["sinfo", "-h", "-o", "%T"], variables), 60)
        yield variables
    finally:
        ask(["scancel", "--signal=KILL", "--full", "--user", "root"], variables)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not ask(["squeue", "-h", "-t", "R,CG"], variables), 30)
        for name in ("slurmd", "slurmctld", "munge"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((folder / f"{name}.pid").read_text(encoding="utf-8")), signal.SIGTERM)


_MUNGE = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}


def ask(command: list[str], variables: dict[str, str]) -> str:
    """What a command of SLURM says."""
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False).stdout


def wait_for(is_so: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.5)
