"""A server that speaks S3, in a process of its own; the client side is the real one."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "something",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""What reaches the server, beside ``AWS_ENDPOINT_URL_S3``, which a process reads when it connects."""


@contextlib.contextmanager
def serve_s3(port: int | None = None) -> Iterator[str]:
    """Run the server; yields its address."""
    if port is None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    environment = {**os.environ, **SETTINGS, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(600):
            with contextlib.suppress(OSError):
                opener.open(f"{address}/moto-api/", timeout=5).close()
                break
            assert server.poll() is None, "the server ended"
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


def connect_s3(address: str) -> Any:
    """A client of the server, for what a test puts there."""
    import s3fs

    return s3fs.S3FileSystem(
        key=SETTINGS["AWS_ACCESS_KEY_ID"], secret=SETTINGS["AWS_SECRET_ACCESS_KEY"], endpoint_url=address,
        skip_instance_cache=True, use_listings_cache=False,
    )  # fmt: skip


def upload(client: Any, folder: Path, target: str) -> None:
    """Put every file of a folder below a bucket's name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            client.pipe_file(f"{target}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@contextlib.contextmanager
def open_bucket(address: str, environment: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """An empty bucket, as ``s3://`` and its name, and a client for it; deleted at the end."""
    for name, value in {**SETTINGS, "AWS_ENDPOINT_URL_S3": address, "no_proxy": "127.0.0.1"}.items():
        environment.setenv(name, value)
    client, name = connect_s3(address), f"lab-{uuid.uuid4().hex[:12]}"
    client.mkdir(name)
    try:
        yield f"s3://{name}", client
    finally:
        client.rm(name, recursive=True)


def forget_connections() -> None:
    """Let the next use of an address look at the environment again."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sessions that nobody closes
        gc.collect()
