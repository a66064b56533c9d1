"""Real Chromium, a real server, and somebody who takes part."""

from __future__ import annotations

import contextlib
import os
import shutil

import pytest
from tests.browser.built_folders import build_folder
from tests.browser.participant import Participant

from beholder.experiments import open_server, open_store, read_experiment


@pytest.fixture(scope="session")
def start_chromium():
    """Starts a browser, given further flags; with ``profile``, a folder, its one context.

    Where there is none, these tests fail in CI and skip elsewhere.
    """
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        assert not os.environ.get("CI"), "no Chromium on PATH"
        pytest.skip("no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:

        def start(*more, profile=None):
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


class Lab:
    """Serves built folders, and sends participants to them."""

    def __init__(self, chromium, folder, stack):
        self.chromium, self.folder, self.stack = chromium, folder, stack
        self.participants = []

    def serve(self, kind, n_trials=2, changes=None, **options):
        """Build and serve an experiment; its address."""
        path = self.folder / f"exp_{len(list(self.folder.iterdir()))}"
        build_folder(path / "built", kind, n_trials, changes, **options)
        experiment = read_experiment(path / "built")
        self.store = self.stack.enter_context(contextlib.closing(open_store(experiment, path / "answers.sqlite")))
        self.database = path / "answers.sqlite"
        return self.stack.enter_context(open_server(experiment, self.store)).url

    def invite(self, url, *, context=None, **options):
        """Somebody opens the page."""
        if context is None:
            options.setdefault("viewport", {"width": 1280, "height": 720})
            context = self.stack.enter_context(contextlib.closing(self.chromium.new_context(**options)))
        person = Participant(context, url)
        self.participants.append(person)
        return person


@pytest.fixture
def lab(chromium, tmp_path):
    """See :class:`Lab`. What any page complained about, or asked of anybody else, fails the test."""
    with contextlib.ExitStack() as stack:
        made = Lab(chromium, tmp_path, stack)
        yield made
        for person in made.participants:
            assert person.complaints == []
            assert person.foreign == []
