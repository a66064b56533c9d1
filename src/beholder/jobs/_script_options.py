"""What the jobs of a script ask the queue for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast, final

from beholder._core.errors import InputError, UnknownNameError

_WORD = re.compile(r"[^\s\"'\\$`;&|<>]+")


@final
@dataclass(frozen=True)
class ScriptOptions:
    """What the jobs of a script ask the queue for, by words of ``--cluster script:NAME=VALUE,…`` or a TOML file.

    Attributes
    ----------
    partition, account, qos, constraint : str
        As the queue names them; a constraint keeps the jobs on machines of one kind.
    time : str
        Wall time of a job as SLURM writes it: ``04:00:00``, ``2-00``, minutes.
    memory : str
        Of a job: ``32G``.
    cpus : int
        Cores of a job.
    gpus : str
        GPUs of a job, a number, or a kind and a number: ``a100:1``.
    tasks : int
        How many jobs at most.
    throttle : int
        How many of them run at the same time.
    lead : int
        Seconds before the end of its time at which a job is told, a quarter of its time at most.
    setup : sequence of str
        Lines of shell before the command: ``module load``, ``conda activate``.
    extra : sequence of str
        Further words for ``#SBATCH``: ``--exclude=node7``.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    time: str = ""
    memory: str = ""
    cpus: int = 0
    gpus: str = ""
    tasks: int = 16
    throttle: int = 0
    lead: int = 120
    setup: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> ScriptOptions:
        """Options as they were given, checked.

        Raises
        ------
        UnknownNameError
            No such option.
        InputError
            A value that is none of its kind.

        >>> ScriptOptions.read({"partition": "gpu", "cpus": "8", "setup": "module load cuda"}).setup
        ('module load cuda',)
        """
        read = cls(**read_options("script", options, {each.name: each.default for each in fields(cls)}))
        if read.tasks < 1:
            raise InputError("tasks of 1 or more in --cluster script", got=str(read.tasks))
        if read.time:
            read_wall_time(read.time)
        return read

    def settle_lead(self) -> int:
        """Seconds before its end at which a job is told: no more than a quarter of its time."""
        return min(self.lead, read_wall_time(self.time) // 4) if self.time else self.lead

    def list_directives(self, name: str, logs: str) -> list[str]:
        """``#SBATCH`` lines that every job has."""
        asked = {
            "job-name": name, "output": logs, "open-mode": "append", "nodes": "1", "ntasks": "1",
            "partition": self.partition, "account": self.account, "qos": self.qos, "constraint": self.constraint,
            "time": self.time, "mem": self.memory, "cpus-per-task": self.cpus or "",
            "gres": f"gpu:{self.gpus}" if self.gpus else "",
        }  # fmt: skip
        lines = [f"#SBATCH --{key}={_quote(str(value))}" for key, value in asked.items() if value]
        return [*lines, *(f"#SBATCH {word}" for word in self.extra)]


def read_options(kind: str, options: Mapping[str, Any], known: Mapping[str, object]) -> dict[str, Any]:
    """The values of options of jobs, as they were given; ``known`` are their defaults by name.

    Raises
    ------
    UnknownNameError
        No such option.
    InputError
        A value that is none of its kind.
    """
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of --cluster {kind}", name, known)
    return {name: read_option(name, value, known[name]) for name, value in options.items()}


def read_option(name: str, value: Any, default: object) -> Any:
    """The value of an option of jobs, of the kind of its default: lines, a whole number or a word."""
    if isinstance(default, tuple):
        lines = cast("list[Any]", value) if isinstance(value, list) else [value]
        if not all(isinstance(line, str) for line in lines):
            raise InputError(f"lines of text for the option {name}", got=repr(lines))
        return tuple(lines)
    if isinstance(default, int):
        if isinstance(value, bool) or not str(value).isdecimal():
            raise InputError(f"a whole number for the option {name}", got=repr(value))
        return int(value)
    text = str(value)
    if not isinstance(value, str | int | float) or isinstance(value, bool) or "\n" in text:
        raise InputError(f"a word for the option {name}", got=text)
    return text


def _quote(text: str) -> str:
    return text if _WORD.fullmatch(text) else f'"{text}"'


def read_wall_time(text: str) -> int:
    """Seconds of a wall time as SLURM writes it.

    Raises
    ------
    InputError
        It is none.

    >>> [read_wall_time(each) for each in ("90", "10:30", "04:00:00", "2-00", "1-12:30")]
    [5400, 630, 14400, 172800, 131400]
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if found is None:
        raise InputError("a wall time as SLURM writes it, such as 04:00:00 or 2-00", got=text)
    days, *rest = found.groups()
    parts = [int(part) for part in rest if part is not None]
    if days is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        return ((int(days) * 24 + hours) * 60 + minutes) * 60 + seconds
    if len(parts) == 1:
        return parts[0] * 60
    hours, minutes, seconds = parts if len(parts) == 3 else (0, *parts)
    return (hours * 60 + minutes) * 60 + seconds
