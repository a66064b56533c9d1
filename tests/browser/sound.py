"""A sound device that nobody hears: where a machine has none, Firefox's sounds stand still."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from tests.browser.processes import find_program, make_home, run_program


@contextlib.contextmanager
def open_sound_device() -> Iterator[dict[str, str]]:
    """PulseAudio with nothing behind it while the block runs; the environment of programs that shall use it."""
    program = find_program("pulseaudio")
    with make_home() as environment:
        home = Path(environment["HOME"])
        place = home / "socket"
        listen = f"--load=module-native-protocol-unix socket={place} auth-anonymous=1"
        command = [program, "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes",
                   "--load=module-null-sink", listen]  # fmt: skip
        log = home / "log.txt"
        with run_program(command, environment, log) as process:
            end = time.monotonic() + 20
            while not place.exists():
                assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")
                time.sleep(0.02)
            yield {"PULSE_SERVER": f"unix:{place}"}
