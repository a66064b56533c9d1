import pytest
from built_folders import FAST

pytestmark = pytest.mark.browser

OTHERS = [(kind, keyboard) for kind in FAST for keyboard in (True, False)]
BY_DEFAULT = [("2afc", True), ("recognition", False)]


def check_whole_experiment(lab, kind, keyboard):
    url = lab.serve(kind)
    person = lab.invite(url)
    assert person.take_part(keyboard=keyboard) == "done"
    assert {"consent", "instructions", "trial", "end"} <= set(person.screens)
    state = person.read_state()
    assert (state["step"], state["n_done"]) == ("done", 2)


@pytest.mark.parametrize(("kind", "keyboard"), BY_DEFAULT)
def test_whole_experiment(lab, kind, keyboard):
    check_whole_experiment(lab, kind, keyboard)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "keyboard"), [each for each in OTHERS if each not in BY_DEFAULT])
def test_whole_experiment_of_every_kind(lab, kind, keyboard):
    check_whole_experiment(lab, kind, keyboard)
