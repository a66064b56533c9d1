"""Scripts for SLURM: an array of jobs that run one command side by side, and a job after it that puts together."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast, final

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.files import write_text
from beholder._core.hashing import hash_settings
from beholder.jobs._array import COMMAND, ENDS, FOLDER, LATE, MERGE, MISSING, MORE, PLANS, TASK

HOME = "beholder-jobs"
"""Folder of scripts, in the working directory."""
ARRAY_SCRIPT, MERGE_SCRIPT, SUBMIT_SCRIPT = "array.sh", "merge.sh", "submit.sh"
_OFFLINE = ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_RESTARTS = 200
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
        Seconds before the end of its time at which a job is told.
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
        known = {each.name: each for each in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in options.items():
            if name not in known:
                raise UnknownNameError("option of --cluster script", name, known)
            values[name] = _read_value(name, value, known[name].default)
        read = cls(**values)
        if read.tasks < 1:
            raise InputError("tasks of 1 or more in --cluster script", got=str(read.tasks))
        if read.time:
            read_wall_time(read.time)
        return read

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


def _read_value(name: str, value: Any, default: object) -> Any:
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


@final
@dataclass(frozen=True)
class JobScripts:
    """Scripts that were written, and what to type.

    Attributes
    ----------
    folder : Path
        Where they lie.
    n_tasks : int
        Jobs of the array; 0 where every part is there, and only the job after it is left.
    n_left, n_parts : int or None
        Parts that are missing, of how many; None where no task has told yet which there are.
    """

    folder: Path
    n_tasks: int
    n_left: int | None = None
    n_parts: int | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def command(self) -> str:
        """What to type."""
        return shlex.join(["bash", str(self.folder / SUBMIT_SCRIPT)])

    def describe(self) -> list[str]:
        """Lines for people."""
        left = "" if self.n_left is None else f" for {self.n_left:,} of {self.n_parts:,} parts, which are missing"
        array = f"an array of {self.n_tasks:,} jobs{left}, and one after it that puts together what they made"
        if not self.n_tasks:
            array = f"every one of {self.n_parts:,} parts is there: one job, which puts them together"
        return [array, *self.notes, "to submit it, type:", f"  {self.command}",
                f"logs: {self.folder / 'logs'}; to go on later, the same command again"]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"folder": str(self.folder), "submit": self.command, "tasks": self.n_tasks, "left": self.n_left,
                "parts": self.n_parts}  # fmt: skip


def write_scripts(
    command: Sequence[str], name: str, options: ScriptOptions, *, again: str, place: Path | None = None
) -> JobScripts:
    """Write the scripts of a command; written again, the array has as many jobs as there are parts missing, at most.

    Parameters
    ----------
    command : sequence of str
        What each job runs.
    name : str
        Of the jobs.
    options : ScriptOptions
    again : str
        What writes them again, for the job that finds parts missing.
    place : path, optional
        Folder of the scripts; default one of this command below ``beholder-jobs`` in the working directory.
    """
    cwd = Path.cwd()
    folder = place or cwd / HOME / f"{name}-{hash_settings([list(command), str(cwd)])[:8]}"
    n_left, n_parts = count_left(folder)
    (folder / MORE).unlink(missing_ok=True)
    n_tasks, notes = _count_tasks(options, n_left)
    if not options.constraint and not options.gpus:
        notes.append("no constraint is given: nodes of another kind refuse parts, see docs/cluster.md")
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / MISSING).unlink(missing_ok=True)
    write_text(folder / COMMAND, again + "\n")
    if n_tasks:
        write_text(folder / ARRAY_SCRIPT, format_array(command, name, options, folder, cwd, n_tasks))
    else:
        (folder / ARRAY_SCRIPT).unlink(missing_ok=True)
    write_text(folder / MERGE_SCRIPT, format_merge(command, name, options, folder, cwd))
    write_text(folder / SUBMIT_SCRIPT, format_submit(folder, has_array=n_tasks > 0))
    return JobScripts(folder, n_tasks, n_left, n_parts, tuple(notes))


def _count_tasks(options: ScriptOptions, n_left: int | None) -> tuple[int, list[str]]:
    n_tasks = options.tasks if n_left is None else min(options.tasks, n_left)
    most = read_array_limit()
    if most is not None and n_tasks > most:
        return most, [f"this cluster's arrays have {most:,} jobs at most, not {n_tasks:,}"]
    return n_tasks, []


def read_array_limit() -> int | None:
    """The most jobs that an array of this cluster has; None where the queue is not to be asked."""
    if shutil.which("scontrol") is None:
        return None
    try:
        said = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said.stdout, re.MULTILINE)
    return None if found is None else int(found[1]) - 1


def count_left(folder: Path) -> tuple[int | None, int | None]:
    """Parts without a receipt, and all, of the plans that tasks have noted; None where not all of them are known."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / PLANS).glob("*.json"))]
    if not records or (folder / MORE).exists():
        return None, None
    n_left = n_parts = 0
    for record in records:
        receipts = Path(record["jobs"]) / "receipts"
        made = {path.stem for path in receipts.glob("*.json")}
        n_parts += len(record["parts"])
        n_left += sum(key not in made for key in record["parts"])
    return n_left, n_parts


def format_array(
    command: Sequence[str], name: str, options: ScriptOptions, folder: Path, cwd: Path, n_tasks: int
) -> str:
    """The script of the array."""
    throttle = f"%{options.throttle}" if options.throttle else ""
    head = [
        "#!/bin/bash",
        "# Each job makes parts until none is left or its time is nearly over; started again, it goes on.",
        f"#SBATCH --array=0-{n_tasks - 1}{throttle}",
        *options.list_directives(f"beholder-{name}", f"{folder}/logs/%A_%a.log"),
        f"#SBATCH --signal=B:USR1@{options.lead}",
        "#SBATCH --requeue",
    ]
    lines = [*head, "", *_prepare(options, folder, cwd), f'export {TASK}="$SLURM_ARRAY_TASK_ID/{n_tasks}"']
    if options.time:
        lines.append(f"export {ENDS}=$(( $(date +%s) + {read_wall_time(options.time)} ))")
    else:
        ends = '$(squeue --noheader --job "$SLURM_JOB_ID" --format %e)'
        lines.append(f'export {ENDS}=$(date --date "{ends}" +%s 2>/dev/null)')
    return "\n".join([*lines, "", *_run_interruptible(command), ""])


def _run_interruptible(command: Sequence[str]) -> list[str]:
    """The command beside the shell, which hands it the queue's signals and starts the job again where it is late."""
    return [
        "trap 'kill -USR1 \"$task\" 2>/dev/null' USR1",
        "trap 'kill -TERM \"$task\" 2>/dev/null' TERM",
        f"{shlex.join(command)} &",
        "task=$!",
        'wait "$task"; code=$?',
        'while kill -0 "$task" 2>/dev/null; do wait "$task"; code=$?; done',
        f'if [ "$code" -eq {LATE} ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {_RESTARTS} ]; then',
        '    scontrol requeue "$SLURM_JOB_ID"',
        "fi",
        'exit "$code"',
    ]


def format_merge(command: Sequence[str], name: str, options: ScriptOptions, folder: Path, cwd: Path) -> str:
    """The script of the job after the array."""
    return "\n".join([
        "#!/bin/bash",
        "# Puts together what the jobs of the array made, or names the parts that are missing.",
        *options.list_directives(f"beholder-{name}-merge", f"{folder}/logs/merge_%j.log"),
        "", *_prepare(options, folder, cwd), f"export {TASK}={MERGE}", "", f"exec {shlex.join(command)}", "",
    ])  # fmt: skip


def _prepare(options: ScriptOptions, folder: Path, cwd: Path) -> list[str]:
    return [
        *options.setup,
        f"cd {shlex.quote(str(cwd))} || exit 1",
        "# nodes without a network: weights are fetched before, by beholder models fetch",
        f"export {' '.join(f'{each}=1' for each in _OFFLINE)}",
        f"export {FOLDER}={shlex.quote(str(folder))}",
    ]


def format_submit(folder: Path, *, has_array: bool) -> str:
    """The script that submits both."""
    array, merge = (shlex.quote(str(folder / each)) for each in (ARRAY_SCRIPT, MERGE_SCRIPT))
    lines = ["#!/bin/bash", "set -e"]
    if has_array:
        lines += [
            f"array=$(sbatch --parsable {array})",
            f'merge=$(sbatch --parsable --dependency="afterany:${{array%%;*}}" {merge})',
            'echo "submitted the array ${array%%;*}, and ${merge%%;*} after it"',
        ]
    else:
        lines += [f"merge=$(sbatch --parsable {merge})", 'echo "submitted ${merge%%;*}"']
    return "\n".join([*lines, ""])


def find_python() -> list[str]:
    """What starts Beholder in a job: this interpreter, by its whole path."""
    return [sys.executable, "-m", "beholder.cli"]
