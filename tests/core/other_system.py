"""A process in which Beholder sees a system without POSIX: what torch and Python themselves use stays as it is.

Run with ``python other_system.py CODE``: modules of Beholder get an ``os`` and a ``signal`` that lack what Windows
lacks, ``sys.platform`` is "win32" to them, and modules such as ``fcntl`` are not there.
"""

from __future__ import annotations

import builtins
import os
import signal
import sys
import types
from pathlib import Path
from typing import Any

MISSING_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
MISSING_IN_OS = {
    "chown", "confstr", "fchmod", "fchown", "fdatasync", "fork", "forkpty", "getegid", "geteuid", "getgid",
    "getgroups", "getloadavg", "getpgid", "getpriority", "getuid", "killpg", "lchown", "lockf", "mkfifo",
    "mknod", "nice", "pathconf", "posix_fadvise", "posix_fallocate", "posix_spawn", "pread", "preadv",
    "pwrite", "pwritev", "register_at_fork", "sched_getaffinity", "sched_setaffinity", "sched_yield",
    "sendfile", "setpriority", "setsid", "setuid", "statvfs", "sync", "sysconf", "uname", "wait", "wait3",
    "wait4", "WNOHANG", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW",
}  # fmt: skip
MISSING_IN_SIGNAL = {
    "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGSTOP", "SIGTSTP", "SIGUSR1", "SIGUSR2", "SIG_BLOCK",
    "SIG_SETMASK", "SIG_UNBLOCK", "alarm", "pthread_kill", "pthread_sigmask", "setitimer", "sigpending", "sigwait",
}  # fmt: skip


def lack(module: types.ModuleType, missing: set[str], **changed: Any) -> types.ModuleType:
    """A module without some of its names."""
    poorer = types.ModuleType(module.__name__)
    vars(poorer).update({name: value for name, value in vars(module).items() if name not in missing} | changed)
    return poorer


def refuse_kill(pid: int, number: int) -> None:
    raise AssertionError(f"os.kill({pid}, {number}) ends a process on Windows, or sends it Ctrl-C")


_open = os.open


def open_no_folder(path: Any, flags: int, *more: Any, **keywords: Any) -> int:
    if Path(path).is_dir():
        raise PermissionError(13, "a folder cannot be opened on Windows", str(path))
    return _open(path, flags, *more, **keywords)


POORER = {
    "os": lack(os, MISSING_IN_OS, name="nt", kill=refuse_kill, open=open_no_folder),
    "signal": lack(signal, MISSING_IN_SIGNAL),
    "sys": lack(sys, set(), platform="win32"),
}
_import = builtins.__import__


def import_poorer(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    caller = str((globals or {}).get("__name__", ""))
    if caller.partition(".")[0] == "beholder" and level == 0:
        if name in MISSING_MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name in POORER:
            return POORER[name]
    return _import(name, globals, locals, fromlist, level)


if __name__ == "__main__":
    builtins.__import__ = import_poorer
    exec(compile(sys.argv[1], "code", "exec"), {"__name__": "__main__"})
