"""Workers as jobs of SLURM, PBS or LSF, which dask-jobqueue submits and cancels: one process and one GPU a job."""

# dask-jobqueue and distributed have no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

from beholder._core.errors import InputError, MissingExtra
from beholder._core.progress import logger
from beholder.jobs._cluster import ClusterWord
from beholder.jobs._script_options import read_options
from beholder.jobs._scripts import HOME

_DEATH_SECONDS = 300


@final
@dataclass(frozen=True)
class QueueOptions:
    """What each job asks the queue for, by words of ``--cluster slurm:NAME=VALUE,…`` or a TOML file.

    Attributes
    ----------
    partition, account, qos, constraint : str
        As the queue names them (a partition is a queue of PBS and LSF); a constraint keeps jobs on one kind of machine.
    time : str
        Wall time of a job, as the queue writes it.
    memory : str
        Of a job: ``16GB``.
    cpus : int
        Cores of a job.
    gpus : str
        GPUs of a job, a number, or a kind and a number: ``a100:1``.
    setup : sequence of str
        Lines of shell before the worker: ``module load``, ``conda activate``.
    extra : sequence of str
        Further words for the queue: ``--exclude=node7``.
    interface : str
        Network interface of the nodes: ``ib0``.
    python : str
        Of the nodes; default this one.
    wait : float
        Seconds in which a job has to start; default no limit.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    time: str = ""
    memory: str = "8GB"
    cpus: int = 1
    gpus: str = ""
    setup: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    interface: str = ""
    python: str = sys.executable
    wait: float | None = None

    @classmethod
    def read(cls, kind: str, options: Mapping[str, Any]) -> QueueOptions:
        """Options as they were given, checked.

        Raises
        ------
        UnknownNameError
            No such option.
        InputError
            A value that is none of its kind.

        >>> QueueOptions.read("slurm", {"partition": "gpu", "cpus": "4", "setup": "module load cuda"}).setup
        ('module load cuda',)
        """
        wait = read_seconds(options.get("wait"), None)
        rest = {name: value for name, value in options.items() if name != "wait"}
        read = cls(**read_options(kind, rest, {each.name: each.default for each in fields(cls)}), wait=wait)
        if read.cpus < 1:
            raise InputError(f"cpus of 1 or more in --cluster {kind}", got=str(read.cpus))
        return read

    def list_keywords(self, kind: str) -> dict[str, Any]:
        """Keywords of dask-jobqueue's class."""
        resources = {
            "slurm": {"gpus": f"--gres=gpu:{self.gpus}", "constraint": f"--constraint={self.constraint}",
                      "qos": f"--qos={self.qos}"},
            "pbs": {"gpus": f"-l ngpus={self.gpus}", "constraint": f"-l {self.constraint}", "qos": f"-q {self.qos}"},
            "lsf": {"gpus": f'-gpu "num={self.gpus}"', "constraint": f'-R "{self.constraint}"',
                    "qos": f"-sla {self.qos}"},
        }[kind]  # fmt: skip
        words = [word for name, word in resources.items() if getattr(self, name)]
        own = {"slurm": "account", "pbs": "account", "lsf": "project"}[kind]
        asked = {"queue": self.partition, own: self.account, "walltime": self.time, "interface": self.interface}
        return {name: value for name, value in asked.items() if value} | {
            "cores": self.cpus, "memory": self.memory, "processes": 1, "python": self.python,
            "job_script_prologue": [f"cd {shlex.quote(str(Path.cwd()))}", *self.setup],
            "job_extra_directives": [*words, *self.extra], "log_directory": str(Path(HOME) / "logs"),
            "death_timeout": _DEATH_SECONDS, "job_name": "beholder", "local_directory": "${TMPDIR:-/tmp}",
        }  # fmt: skip


def read_seconds(value: Any, default: float | None) -> float | None:
    """Seconds above 0 to wait for workers, as an option says."""
    if value is None:
        return default
    with contextlib.suppress(TypeError, ValueError):
        if (seconds := float(value)) > 0:
            return seconds
    raise InputError("wait=SECONDS above 0 in --cluster", got=str(value))


@contextlib.contextmanager
def open_queue(cluster: ClusterWord) -> Generator[tuple[Any, QueueOptions, Callable[[int], None]]]:
    """Start a scheduler here, whose workers are jobs, which are cancelled in the end.

    Yields
    ------
    distributed.Client, QueueOptions, callable
        The last asks for so many jobs.
    """
    kind = cluster.kind
    options = QueueOptions.read(kind, cluster.options)
    try:
        import dask_jobqueue  # pyright: ignore[reportMissingImports]
        from distributed import Client
        from distributed.security import Security
    except ImportError as error:
        raise MissingExtra("dask-jobqueue", "cluster", f"--cluster {kind}") from error
    start: Any = getattr(dask_jobqueue, f"{kind.upper()}Cluster")
    _check_command(kind)
    home = Path(HOME)
    (home / "logs").mkdir(parents=True, exist_ok=True)
    keys = Path(tempfile.mkdtemp(prefix=".keys-", dir=home.absolute()))
    jobs = start(
        **options.list_keywords(kind), security=Security.temporary(), shared_temp_directory=str(keys),
        scheduler_options={"dashboard_address": ":0"},
    )  # fmt: skip
    try:
        with Client(jobs, set_as_default=False) as client:
            logger.info("jobs of %s, logs in %s; dashboard %s", kind, home / "logs", client.dashboard_link)

            def scale(n: int) -> None:
                jobs.adapt(minimum=n, maximum=n, interval="5s")  # a job that ends before the work is asked for again

            yield client, options, scale
    finally:
        with contextlib.suppress(Exception):
            jobs.close()
        shutil.rmtree(keys, ignore_errors=True)


def _check_command(kind: str) -> None:
    name = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub"}[kind]
    if shutil.which(name) is None:
        raise InputError(
            f"the command {name} for --cluster {kind}", got=f"none in {os.environ.get('PATH', '')}",
            hint="a login node of the cluster",
        )  # fmt: skip
