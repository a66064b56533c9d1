"""Fixtures that every room's tests share."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # as many as cores: more threads take turns, and would keep a core busy waiting
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from beholder._core import progress
from beholder._core.progress import set_quiet
from beholder.figures import _save

sys.path.insert(0, str(Path(__file__).parent))
from flags_once import look_up_once

look_up_once()

# how long an example takes says how busy the machine is
settings.register_profile("any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

if TYPE_CHECKING:
    from file_server import FileServer


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """What is imported here stays to the end: nobody need look through it for garbage, now or later."""
    gc.disable()
    try:
        return (yield)  # pyright: ignore[reportReturnType]
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """What a command run in-process sets for the whole process ends with its test."""
    logger = logging.getLogger("beholder")
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)
    set_quiet(False)
    progress._told.clear()


@pytest.fixture(autouse=True)
def restored_catalogue() -> Iterator[None]:
    """Names of models that a test registers end with it."""
    module = "beholder.models.catalog._entries"
    before = list(sys.modules[module]._REGISTERED) if module in sys.modules else []
    yield
    if module in sys.modules:
        sys.modules[module]._REGISTERED[:] = before


@pytest.fixture(scope="module", autouse=True)
def formats_of_figures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Figures are SVG alone but in modules that say ``EVERY_FORMAT = True``: PDF and PNG take twice as long."""
    with pytest.MonkeyPatch.context() as patch:
        if not getattr(request.module, "EVERY_FORMAT", False):
            patch.setattr(_save, "_FORMATS", {"svg": _save._FORMATS["svg"]})
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pictures, sounds and weights; tests that need them skip where they are absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("BEHOLDER_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip("the folder of real test data is absent (set BEHOLDER_TEST_DATA)")
    return folder


@pytest.fixture
def file_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server of files on this machine, in an environment that is online and knows no proxy."""
    from file_server import serve_files

    for name in ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve_files() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3, in a process of its own."""
    from s3_server import serve_s3

    with serve_s3() as address:
        yield address


@pytest.fixture
def bucket(s3_server: str, asset_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """``s3://`` and the name of an empty bucket, and a client for it, to which the environment leads."""
    from s3_server import open_bucket

    with open_bucket(s3_server, monkeypatch) as opened:
        yield opened


@pytest.fixture
def asset_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of downloads, empty."""
    monkeypatch.setenv("BEHOLDER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def start_chromium():
    """Starts a browser, given further flags; with ``profile``, a folder, its one context; without ``devices``, deaf.

    Where there is none, these tests fail in CI and skip elsewhere.
    """
    from tests.browser.processes import find_program

    program = find_program("chromium", "chromium-browser", "google-chrome")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:

        def start(*more, profile=None, devices=True):
            more = [*(["--use-fake-device-for-media-stream"] if devices else []), *more]
            if profile is None:
                return playwright.chromium.launch(executable_path=program, args=[*flags, *more])
            return playwright.chromium.launch_persistent_context(
                profile, executable_path=program, args=[*flags, *more], no_viewport=True
            )

        yield start


@pytest.fixture(scope="session")
def chromium(start_chromium):
    """The browser that most tests share."""
    with contextlib.closing(start_chromium()) as browser:
        yield browser


progress._SLOW_SECONDS = 3_600.0  # what a busy machine takes long for is no line that a test compares
