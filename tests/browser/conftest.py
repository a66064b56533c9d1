"""Real browsers, a real server, and somebody who takes part."""

from __future__ import annotations

import contextlib

import pytest
from tests.browser.built_folders import build_folder
from tests.browser.firefox import open_firefox
from tests.browser.participant import Participant
from tests.browser.webkit import open_webkit

from beholder.experiments import open_server, open_store, read_experiment


@pytest.fixture(scope="session")
def firefox():
    """The Firefox that most tests share."""
    with open_firefox() as browser:
        yield browser


@pytest.fixture(scope="session")
def webkit():
    """WebKitGTK; each context is a browser of its own."""
    with open_webkit() as browser:
        yield browser


OTHERS = ("firefox", "webkit")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """In the browsers that Playwright does not drive, everything is slow but what is marked ``everywhere``."""
    for item in items:
        name = item.callspec.params.get("browser") if hasattr(item, "callspec") else None
        if name in OTHERS and not item.get_closest_marker("everywhere"):
            item.add_marker("slow")


@pytest.fixture(params=["chromium", *OTHERS])
def browser(request):
    """Each browser in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=OTHERS)
def other_browser(request):
    """Either of the browsers that Playwright does not drive."""
    return request.getfixturevalue(request.param)


def name_browser(browser):
    """Which it is."""
    return getattr(browser, "name", "chromium")


def skip_in(browser, *names, why):
    """What these browsers cannot be made to do."""
    if (name := name_browser(browser)) in names:
        pytest.skip(f"{name}: {why}")


class Lab:
    """Serves built folders, and sends participants to them."""

    def __init__(self, browser, folder, stack):
        self.browser, self.folder, self.stack = browser, folder, stack
        self.name = name_browser(browser)
        self.participants = []

    def serve(self, kind, n_trials=2, changes=None, **options):
        """Build and serve an experiment; its address."""
        path = self.folder / f"exp_{len(list(self.folder.iterdir()))}"
        build_folder(path / "built", kind, n_trials, changes, **options)
        self.experiment = experiment = read_experiment(path / "built")
        self.store = self.stack.enter_context(contextlib.closing(open_store(experiment, path / "answers.sqlite")))
        self.database = path / "answers.sqlite"
        self.server = self.stack.enter_context(contextlib.ExitStack())
        self.url = self.server.enter_context(open_server(experiment, self.store)).url
        return self.url

    def serve_again(self):
        """Serve the same under the same address, once ``server`` is closed."""
        port = int(self.url.rpartition(":")[2])
        self.server.enter_context(open_server(self.experiment, self.store, port=port))

    def invite(self, url, *, context=None, person=Participant, **options):
        """Somebody opens the page."""
        if context is None:
            options.setdefault("viewport", {"width": 1280, "height": 720})
            context = self.stack.enter_context(contextlib.closing(self.browser.new_context(**options)))
        self.participants.append(person(context, url))
        return self.participants[-1]


@contextlib.contextmanager
def open_lab(browser, folder):
    """See :class:`Lab`. What any page complained about, or asked of anybody else, fails the test."""
    with contextlib.ExitStack() as stack:
        made = Lab(browser, folder, stack)
        yield made
        for person in made.participants:
            assert person.complaints == []
            assert person.foreign == []


@pytest.fixture
def lab(browser, tmp_path):
    """Participants come with each browser in turn."""
    with open_lab(browser, tmp_path) as made:
        yield made


@pytest.fixture
def chromium_lab(chromium, tmp_path):
    """Participants come with Chromium: where a test needs what only its driver can do."""
    with open_lab(chromium, tmp_path) as made:
        yield made


@pytest.fixture
def other_lab(other_browser, tmp_path):
    """Participants come with Firefox, then with WebKit."""
    with open_lab(other_browser, tmp_path) as made:
        yield made
