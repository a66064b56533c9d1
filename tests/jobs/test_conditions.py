"""Conditions of long work: keywords of every function of long work, which hold for all that it calls."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

import beholder as bh
from beholder._core.errors import InputError, UnknownNameError
from beholder.jobs import ClusterWord, Conditions, long_work, parse_cluster, read_conditions

SRC = Path(bh.__file__).parent
NO_CLUSTER = {"train", "build_tasks"}
"""Work that is one piece, which one place does."""
NO_NUMBERS = {"build_tasks"}
"""Work whose bytes are the same on every machine."""


@long_work
def inner(*, cluster: str | None = None, mixed: bool = False) -> Conditions:
    return read_conditions()


@long_work
def outer(*, cluster: str | None = None, mixed: bool = False, own: str | None = None) -> Conditions:
    return inner(cluster=own)


def test_what_is_not_told_anew_holds_for_all_that_is_called() -> None:
    assert outer() == Conditions()
    assert outer(cluster="local:2", mixed=True) == Conditions("local:2", mixed=True)
    assert outer(cluster="local:2", own="dask:h:1") == Conditions("dask:h:1")
    assert read_conditions() == Conditions()


def test_a_number_of_workers_beside_another_is_refused_at_once() -> None:
    @long_work
    def work(*, workers: int = 1, cluster: str | None = None) -> int:
        return workers

    assert [work(workers=2, cluster="local:2"), work(cluster="local:2"), work(workers=3, cluster="slurm")] == [2, 1, 3]
    with pytest.raises(InputError, match=r"workers or cluster local:N; got workers=3 with cluster local:2"):
        work(workers=3, cluster="local:2")


def test_they_end_with_the_function_however_that_ends() -> None:
    @long_work
    def fail(*, cluster: str | None = None) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fail(cluster="local:2")
    assert read_conditions() == Conditions()


@functools.cache
def list_functions() -> dict[str, tuple[ast.FunctionDef, bool]]:
    """Functions of modules with long work or workers, and whether each is long work."""
    found: dict[str, tuple[ast.FunctionDef, bool]] = {}
    for file in sorted(SRC.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "@long_work" not in text and "workers: int" not in text:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                names = {each.id for each in node.decorator_list if isinstance(each, ast.Name)}
                found[node.name] = node, "long_work" in names
    return found


def test_every_function_of_long_work_has_all_of_the_keywords_with_their_defaults() -> None:
    found = {name: node for name, (node, is_long) in list_functions().items() if is_long}
    assert len(found) >= 19
    for name, node in found.items():
        pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        own = {
            each.arg: (ast.unparse(each.annotation or each), ast.unparse(default)) for each, default in pairs if default
        }
        expected = {
            "cluster": ("str | None", "None"), "mixed": ("bool", "False"), "dry_run": ("bool", "False"),
        }  # fmt: skip
        if name in NO_CLUSTER:
            del expected["cluster"]
        if name in NO_NUMBERS:
            del expected["mixed"]
        assert {key: own.get(key) for key in expected} == expected, name


def test_functions_that_take_workers_are_long_work() -> None:
    takers = {
        name: is_long for name, (node, is_long) in list_functions().items()
        if any(each.arg == "workers" for each in node.args.kwonlyargs) and not name.startswith("_")
    }  # fmt: skip
    assert len(takers) >= 15
    assert {name for name, is_long in takers.items() if not is_long} == {
        "default_options",
        "grade",
        "iter_training_batches",
    }


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("local:3", ClusterWord("local", n_workers=3)),
        ("dask:tcp://h:8786", ClusterWord("dask", address="tcp://h:8786")),
        ("lsf", ClusterWord("lsf")),
        ("script:time=1:00:00, gpus=1", ClusterWord("script", options={"time": "1:00:00", "gpus": "1"})),
    ],
)
def test_words_for_clusters(word: str, found: ClusterWord) -> None:
    assert parse_cluster(word) == found


def test_options_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "gpu.toml"
    file.write_text('partition = "gpu"\nlines = ["module load cuda"]\n', encoding="utf-8")
    assert parse_cluster(f"slurm:{file}").options == {"partition": "gpu", "lines": ["module load cuda"]}
    file.write_text("partition = ", encoding="utf-8")
    with pytest.raises(InputError, match="expected a TOML file of options"):
        parse_cluster(f"slurm:{file}")


@pytest.mark.parametrize(
    "word", ["slrm", "local", "local:0", "local:-1", "local:two", "dask", "dask:", "slurm:gpu", "slurm:=1"]
)
def test_words_that_are_none(word: str) -> None:
    with pytest.raises((InputError, UnknownNameError), match="expected"):
        parse_cluster(word)
    with pytest.raises(InputError):
        inner(cluster=word)
