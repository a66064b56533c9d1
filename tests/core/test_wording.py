"""What messages call a setting: a flag at the command line, a keyword in Python."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.wording import at_command_line, count_items, format_count, format_number, pick_words, use_keywords


@pytest.mark.parametrize(
    ("flags", "keywords"),
    [
        ("another --out_path, or --overwrite to replace it", "another out_path, or overwrite=True to replace it"),
        ("--batch_size of 1 or more", "batch_size of 1 or more"),
        ("--batch_size 4, --model_path FILE", "batch_size=4, model_path=FILE"),
        ("--percentile LOW HIGH from 0 to 100", "percentile=(LOW, HIGH) from 0 to 100"),
        ("--reduce srp:1024 or --dtype float32", 'reduce="srp:1024" or dtype="float32"'),
        ("--device cpu: finished parts are kept", 'device="cpu": finished parts are kept'),
        ("--scheme document|released", "scheme document|released"),
        ("--model_name NAME; try --rnd_seed 3", "model=NAME; try seed=3"),
        ("-sc FOLDER, or fewer with -N", "catch_source=FOLDER, or fewer with n_pairs"),
        ("`beholder models fetch a --x` or --append", "`beholder models fetch a --x` or append=True"),
        ("try beholder layers a --json; --skip_bad", "try beholder layers a --json; skip_bad=True"),
        ("at least as many units as trials (-nt 21)", "at least as many units as trials (n_trials=21)"),
        ("try -nt 21, -nh 42 or -upm 7", "try n_trials=21, n_tasks=42 or n_units=7"),
        ("-nb 2 with -maxb 9, -nr 3", "n_batches=2 with max_batch=9, n_references=3"),
        ("-L some_loss, -Z; another -t; -s FOLDER", 'loss="some_loss", step_size; another folder; sources=FOLDER'),
        ("got resnet18--random, a--b", "got resnet18--random, a--b"),
    ],
)
def test_flags_become_keywords(flags: str, keywords: str) -> None:
    assert use_keywords(flags) == keywords
    with at_command_line():
        assert str(InputError(flags)) == f"expected {flags}"
    assert str(ConfigurationChanged(flags)) == f"expected {keywords}"


def test_the_same_error_reads_right_in_either_place() -> None:
    with pytest.raises(InputError) as caught:
        bh.load_model("torchvision:alexnet@random", device="mps:7")
    assert 'device="auto"' in str(caught.value) and "--" not in str(caught.value)
    with at_command_line():
        assert "--device auto" in str(caught.value)
    assert pickle.dumps(caught.value)


@pytest.mark.parametrize("n", [0, 1, 2, 12_345])
@pytest.mark.parametrize(
    ("one", "many"),
    [("stimulus", "stimuli"), ("natural stimulus", "natural stimuli"), ("category", "categories"), ("pass", "passes"),
     ("batch", "batches"), ("verdict", "verdicts"), ("class", "classes"), ("spoken word", "spoken words")],
)  # fmt: skip
def test_counts_agree_with_what_is_counted(n: int, one: str, many: str) -> None:
    assert format_count(n, one) == f"{n:,} {one if n == 1 else many}"
    assert count_items(n, many) == f"{n:,} {one if n == 1 else many}"


def test_numbers_keep_three_digits() -> None:
    values = (0.0004567, 0.5, 12.34, 999.4, 1000.4, -0.0, -2.5e-7, float("-inf"))
    told = ["0.000457", "0.5", "12.3", "999", "1,000", "0", "−2.5e−07", "−∞"]
    assert [format_number(value) for value in values] == told


def test_measured_proportions_are_written_one_way() -> None:
    """By ``format_share``: "84.4 %", not "84 %", "84%" or "84.375 %" elsewhere."""
    other = re.compile(r"\.\d(f\} %|%\})")
    told = {
        path.name
        for path in Path(bh.__file__).parent.rglob("*.py")
        if path.name != "wording.py" and other.search(path.read_text(encoding="utf-8"))
    }
    assert told == set()


def test_words_for_who_reads_them() -> None:
    assert pick_words("--axes 'stimulus unit'", "axes='stimulus unit'") == "axes='stimulus unit'"
    with at_command_line():
        assert pick_words("--axes 'stimulus unit'", "axes='stimulus unit'") == "--axes 'stimulus unit'"
