"""``beholder metamers make``, ``null`` and ``template``."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import wavfile

from beholder._core.errors import InputError
from beholder.cli._main import app, run, split_globals
from beholder.evaluation import read_judgements
from beholder.experiments.design._stimulus_table import read_stimulus_table
from beholder.models import write_template
from beholder.stimuli import METAMER_COLUMNS, NullSet, read_metamer_table

from .conftest import NETWORK

Call = Callable[..., tuple[int, str, str]]
LOSS, IMAGES, SOUNDS = "inversion_loss_layer", "400_16_class_imagenet_val", "psychophysics_wsj400_jsintest"
PREPROCESSING = 'input_range = (0.0, 1.0)\npreprocessing = {"kind": "image", "resize": 40, "crop": 40}\n'


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``eyes/`` and ``ears/``, as ``metamers template`` writes them, for smaller pictures and shorter sounds."""
    folder = tmp_path_factory.mktemp("templates")
    kind: Any
    for name, kind, smaller in (
        ("eyes", "picture", {"112": "48"}),
        (
            "ears",
            "sound",
            {"Cochleagram()": "Cochleagram(4000, n_filters=12)", "n_samples = 40000": "n_samples = 4000"},
        ),
    ):
        file = write_template(folder / name, kind) / "build_network.py"
        for old, new in smaller.items():
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
    return folder


@pytest.fixture
def workplace(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``net.py`` and ``images/``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").symlink_to(place / "images")
    (tmp_path / "net.py").write_text(f"{NETWORK}\n\n{PREPROCESSING}", encoding="utf-8")
    return tmp_path


def read_picture(path: str) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def copy_directory(source: Path, name: str) -> Path:
    target = Path(name)
    (target / "example").mkdir(parents=True)
    for file in ("build_network.py", *(f"example/{path.name}" for path in (source / "example").iterdir())):
        (target / file).write_bytes((source / file).read_bytes())
    return target


# --- the document's command lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "make 7 -D 'model_analysis_folders/audio_networks/kell2018'",
        "make 7 -D 'model_analysis_folders/visual_networks/alexnet'",
        "make 7 -I 100 -N 4 -D 'model_analysis_folders/audio_networks/kell2018'",
        "make 7 -I 100 -N 4 -D 'model_analysis_folders/visual_networks/alexnet'",
        f"make 0 -D DIR -I 3000 -N 8 -L {LOSS} -F {IMAGES} -R 0 -E 0.05 -Z 1 -O -S -DP",
        f"make 0 -D DIR -I 3000 -N 8 -L {LOSS} -F {SOUNDS} -R 0 -E 1e-7 -Z 1 -O -V -S",
        f"make 0 --DIRECTORY DIR --ITERATIONS 9 --NUMREPITER 2 --LOSSFUNCTION {LOSS} --INPUTIMAGEFUNC {IMAGES} "
        "--RANDOMSEED 1 --NOISE_SCALE 0.05 --STEP_SIZE 1 --OVERWRITE_PICKLE --OVERRIDE_SAVE --DATASET_PREPROC",
        f"make 0 --DIRECTORY DIR --INPUTAUDIOFUNC {SOUNDS} --OVERRIDE_SAVE --STRICT",
        "null -N 100 -I 0 -R 0 --shuffle -D 'model_analysis_folders/visual_networks/alexnet'",
        "null -N 100 -I 0 -R 0 -D 'model_analysis_folders/audio_networks/kell2018'",
        "null -N 1000000 -P null_dist -I 3 -R 4 -O --no-shuffle -D DIR",
    ],
)
def test_lines_of_the_document_are_understood(line: str) -> None:
    tokens = split_globals(["metamers", *shlex.split(line)])[0]
    app.parse_args(tokens, print_error=False, exit_on_error=False)


def test_pictures_from_the_documents_line_to_verdicts(
    workplace: Path, templates: Path, beholder: Call, caplog: pytest.LogCaptureFixture
) -> None:
    """``make IDX -D``, then ``null -D``: the published recipe, everything under the directory."""
    copy_directory(templates / "eyes", "eyes")
    before = set(workplace.iterdir())
    line = f"make 1 -D eyes -F eyes/example -I 4 -N 3 -L {LOSS} -R 0 -E 1/20 -Z 1 -O -S"
    code, out, err = beholder("metamers", *shlex.split(line))
    assert code == 0, err
    assert "-Z is of the published recipe, which is used" in err
    assert "the centre square, resized; -DP for the network's own" in err
    assert "metamers that fail are always kept" in err
    assert "checkpoints are always read strictly" not in err
    assert "beholder metamers null -D eyes" in err
    assert "metamers of 4 x 3 steps lie in a folder of their own: eyes/metamers/eyes_I4_N3" in err
    assert out.splitlines()[-1] == "eyes/metamers/eyes_I4_N3/results.parquet"
    table: Any = read_metamer_table("eyes/metamers/eyes_I4_N3")
    assert set(table["layer"]) == {"relu1", "relu2", "relu3", "avgpool", "final"}
    assert set(table["stimulus_id"]) == {"star"}
    assert set(table["recipe"]) == {"published"}
    assert set(table["steps"]) == {12}
    assert table["passed"].isna().all()
    assert read_picture("eyes/metamers/eyes_I4_N3/relu1/star/metamer.png").shape == (48, 48, 3)
    code, out, err = beholder("metamers", *shlex.split("null -N 6 -P null_dist -I 0 -R 0 -O --shuffle -D eyes"))
    assert code == 0, err
    assert out.splitlines()[0] == "6 pairs; what a metamer has to exceed:"
    assert out.splitlines()[-1] == "eyes/null_dist/eyes"
    assert NullSet("eyes/null_dist/eyes").layers == ("relu1", "relu2", "relu3", "avgpool", "final")
    judged: Any = read_metamer_table("eyes/metamers/eyes_I4_N3")
    assert not judged["percentile"].isna().any()
    assert judged["passed"].notna().sum() == 5
    assert set(workplace.iterdir()) == before


def test_a_debug_run_and_the_full_one_side_by_side(
    workplace: Path, templates: Path, beholder: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one model directory; each goes on, null fills both, and all that reads metamers finds both."""
    from beholder.synthesis.metamers import _recipe as _metamer_recipe

    monkeypatch.setattr(_metamer_recipe, "_STEPS", 6)
    copy_directory(templates / "eyes", "eyes")
    usual, other = Path("eyes/metamers/eyes"), Path("eyes/metamers/eyes_I4_N3")
    line = ["metamers", "make", "0", "-D", "eyes", "-F", "eyes/example", "--layers", "relu1", "final"]
    for steps, folder in ((["-I", "4", "-N", "3"], other), ([], usual), (["-I", "6", "-N", "1"], usual)):
        code, out, err = beholder(*line, *steps)
        assert code == 0, err
        assert out.splitlines()[-1] == f"{folder}/results.parquet"
    runs = {folder: read_metamer_table(folder) for folder in (usual, other)}
    assert [max(table["steps"]) for table in runs.values()] == [6, 12]
    times = {path: path.stat().st_mtime_ns for path in Path("eyes/metamers").rglob("*.png")}
    assert beholder(*line, "-I", "4", "-N", "3")[0] == 0
    assert beholder(*line)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times
    code, _, err = beholder("metamers", "null", "-D", "eyes", "-N", "6")
    assert code == 0, err
    assert [path.name for path in Path("eyes/null_dist").iterdir() if not path.name.startswith(".")] == ["eyes"]
    for folder in runs:
        assert f"percentiles and verdicts filled in: {folder}/results.parquet" in err
        assert not read_metamer_table(folder)["percentile"].isna().any()
    code, _, err = beholder(*line, "-I", "4", "-N", "3", "--seed", "1")  # judged as it is made
    assert code == 0, err
    assert not read_metamer_table(other)["percentile"].isna().any()
    code, out, err = beholder("report", "eyes", "--out", "page.html")
    assert code == 0, err
    page = Path("page.html").read_text()
    assert "not tell apart?</h2>" in page
    assert "not tell apart, in 4 × 3 steps?</h2>" in page
    assert "metamers are not tested" not in page
    assert page.count("the dashed line is the best of them") == 2  # both have the null distribution
    told = [kind.name for kind in read_stimulus_table(list(runs), keep_failed=True).conditions]
    assert told == ["original", "eyes/relu1", "eyes/final", "eyes_I4_N3/relu1", "eyes_I4_N3/final"]
    for folder in runs:
        code, out, err = beholder("show", folder)
        assert code == 0, err
    code, _, refused = beholder("metamers", "judge", "eyes/metamers", "--models", "file:eyes/build_network.py")
    assert code == 2
    for folder in runs:
        told = f"beholder metamers judge eyes/metamers --sets {folder.name}"
        assert f"`{told}`" in refused.splitlines()[-1]
        code, out, err = beholder(*shlex.split(told)[1:], "--models", "file:eyes/build_network.py")
        assert code == 0, err
        assert (folder / "judgements.parquet").is_file()
        assert len(read_judgements("eyes/metamers", [folder.name]).models) == 1
    code, _, err = beholder("metamers", "judge", "eyes/metamers", "--sets", "eyes_I4", "--json")
    assert code == 2 and "try 'eyes_I4_N3'" in err.splitlines()[-1]
    with pytest.raises(InputError, match="one set of metamers a network"):
        read_judgements("eyes/metamers")


def test_a_folder_of_other_steps_that_is_there_goes_on(
    workplace: Path, templates: Path, beholder: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``metamers/{model}`` as earlier versions filled it, whatever the steps; the usual ones then stand beside it."""
    from beholder.synthesis import make_metamers
    from beholder.synthesis.metamers import _recipe as _metamer_recipe

    monkeypatch.setattr(_metamer_recipe, "_STEPS", 6)
    copy_directory(templates / "eyes", "eyes")
    stimuli, layers = "eyes/example/star.png", ["final"]
    earlier = make_metamers("file:eyes", stimuli, layers, iterations=4, repeats=3, out_path="eyes/metamers")
    assert earlier.path == Path("eyes/metamers/eyes")
    line = ["metamers", "make", stimuli, "-D", "eyes", "--layers", "final", "relu1"]
    for steps, name in ((["-I", "4", "-N", "3"], "eyes"), ([], "eyes_I6_N1"), (["-I", "2"], "eyes_I2_N1")):
        code, out, err = beholder(*line, *steps)
        assert code == 0, err
        assert out.splitlines()[-1] == f"eyes/metamers/{name}/results.parquet"
        assert set(read_metamer_table(f"eyes/metamers/{name}")["layer"]) == {"final", "relu1"}
    for name in ("eyes", ".eyes.metamers.jobs"):
        shutil.rmtree(f"eyes/metamers/{name}")
    assert beholder(*line)[1].splitlines()[-1] == "eyes/metamers/eyes_I6_N1/results.parquet"


def test_sounds_from_the_documents_line(workplace: Path, templates: Path, beholder: Call) -> None:
    copy_directory(templates / "ears", "ears")
    line = f"make 0 -D ears -F ears/example -I 2 -N 2 -L {LOSS} -R 0 3 -E 1e-7 -Z 1 -O -S --layers cochleagram final"
    code, out, err = beholder("metamers", *shlex.split(line))
    assert code == 0, err
    assert "checkpoints are always read strictly" in err
    assert "metamers that fail are always kept" not in err
    assert "20000 Hz" in out
    for name in ("metamer.wav", "metamer_seed3.wav"):
        rate, samples = wavfile.read(workplace / "ears" / "metamers" / "ears_I2_N2" / "cochleagram" / "high" / name)
        assert (rate, samples.shape, samples.dtype) == (20000, (4000,), np.float32)
    code, _, err = beholder("metamers", "make", "0", "-D", "ears", "-F", "ears/example", "-V", "--STRICT", "-I", "2",
                            "--layers", "final", "--out_path", "others")  # fmt: skip
    assert code == 0, err
    assert "metamers that fail are always kept" in err
    assert "checkpoints are always read strictly" in err
    assert set(read_metamer_table("ears/others/ears_I2_N1")["recipe"]) == {"default"}
    code, out, err = beholder("metamers", "null", "-D", "ears", "-N", "3", "--no_shuffle", "-I", "1", "--json")
    assert code == 0, err
    assert json.loads(out)["maxima"][0]["layer"] == "cochleagram"


def test_preparation_and_start_of_the_data_set(workplace: Path, templates: Path, beholder: Call) -> None:
    """``-DP``: its own transform in place of the centre square, its ``init_noise_mean`` in place of the middle."""
    folder = copy_directory(templates / "eyes", "eyes")
    file = folder / "build_network.py"
    text = file.read_text().replace(
        "min_value, max_value = 0.0, 1.0", "min_value, max_value = 0.0, 1.0\n    init_noise_mean = 0.25"
    )
    file.write_text(text.replace("picture = picture.crop((left, top, left + side, top + side)).resize((48, 48))",
                                 "picture = picture.resize((48, 48)).rotate(180)"))  # fmt: skip
    picture = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(picture).save("picture.png")
    for name, flags in (("plain", []), ("own", ["-DP"])):
        line = ["picture.png", "-D", "eyes", "--layers", "final", "--recipe", "published", "-I", "1", "-N", "1"]
        code, _, err = beholder("metamers", "make", *line, "--out_path", name, *flags)
        assert code == 0, err
    plain, own = (read_picture(f"eyes/{name}/eyes_I1_N1/originals/picture.png") for name in ("plain", "own"))
    square = Image.fromarray(picture).crop((15, 0, 75, 60)).resize((48, 48), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(plain, np.asarray(square))
    np.testing.assert_array_equal(own, np.asarray(Image.fromarray(picture).resize((48, 48)).rotate(180)))
    told = json.loads(Path("eyes/own/eyes_I1_N1/provenance.json").read_text())["outputs"]["."]["settings"]["recipe"]
    assert told["noise_mean"] == 0.25


def test_numbers_without_the_published_sets_are_one_line(
    workplace: Path, templates: Path, beholder: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHOLDER_HOME", str(workplace / "home"))
    for name, asset in (("eyes", "metamers-400-pictures"), ("ears", "metamers-400-sentences")):
        code, out, err = beholder("metamers", "make", "0", "-D", templates / name, "-I", "100", "-N", "4")
        assert (code, out) == (2, "")
        assert f"beholder assets fetch {asset}" in err.splitlines()[-1]


# --- networks by name ------------------------------------------------------------------------------------------------


def test_make_null_and_make_again(workplace: Path, beholder: Call) -> None:
    line = ["metamers", "make", "file:net.py", "images", "--layers", "0", "2", "-I", "30", "--seed", "0", "1"]
    code, out, err = beholder(*line, "--json")
    assert code == 0, err
    tables = json.loads(out)
    assert set(tables) == {"metamers", "layers", "skipped", "files"}
    assert len(tables["metamers"]) == 6 * 2 * 2
    assert set(tables["metamers"][0]) == set(METAMER_COLUMNS)
    assert all(row["passed"] is None for row in tables["metamers"])
    assert [(row["layer"], row["n"]) for row in tables["layers"]] == [("0", 12), ("2", 12)]
    assert tables["files"] == [{"file": "metamers/net/results.parquet"}]
    code, out, err = beholder("metamers", "null", "file:net.py", "images", "-N", "20", "--json")
    assert code == 0, err
    maxima = {row["layer"]: row for row in json.loads(out)["maxima"]}
    assert set(maxima) == set(NullSet("null_dist/net").layers) >= {"0", "2"}
    assert maxima["2"]["db_snr"] == NullSet("null_dist/net")["2"]["db_snr"].max()
    times = {path: path.stat().st_mtime_ns for path in Path("metamers").rglob("*.png")}
    code, out, err = beholder(*line, "--resume")
    assert code == 0, err
    assert {path: path.stat().st_mtime_ns for path in times} == times
    lines = out.splitlines()
    assert lines[0].startswith("24 metamers of file:")
    columns = "layer decision rule n db_snr db_snr_saved spearman_saved pearson_saved same_prediction passed"
    assert lines[1].split() == columns.split()
    n_passed = int(lines[2].split()[-1])
    own = pd.read_parquet("metamers/net/results.parquet").query("layer == measured_layer and layer == '0'")
    assert n_passed == own["passed"].sum()
    assert f"{int(read_metamer_table('metamers/net')['passed'].sum())} of 24 metamers pass" in err


def test_words_are_understood_in_any_of_their_forms(workplace: Path, templates: Path, beholder: Call) -> None:
    flags = ["--layers", "0", "-I", "2", "--json"]
    files = sorted(Path("images/cat").iterdir())[:2]
    for i, words in enumerate(
        [
            ["file:net.py", *files],
            ["--model_name", "file:net.py", *files],
            ["-m", "file:net.py", "0", "1", "-F", "images"],
            ["-m", "file:net.py", "0", "1", "--in_path", "images"],
        ]
    ):
        code, out, err = beholder("metamers", "make", *words, *flags, "--out_path", f"out{i}")
        assert code == 0, err
        assert [row["stimulus_id"] for row in json.loads(out)["metamers"]] == ["picture_0", "picture_2"]
    Path("table.csv").write_text("file,label\nimages/dog/picture_1.png,dog\n")
    code, out, err = beholder("metamers", "make", "file:net.py", "table.csv", *flags)
    assert code == 0, err
    assert [row["stimulus_id"] for row in json.loads(out)["metamers"]] == ["picture_1"]
    code, out, err = beholder("metamers", "null", "-m", "file:net.py", "-ip", "images", "-N", "3", "--layers", "0")
    assert code == 0, err


def test_template(workplace: Path, beholder: Call) -> None:
    code, out, err = beholder("metamers", "template", "--sound", "mine", "--json")
    assert code == 0, err
    assert [row["file"] for row in json.loads(out)["files"]] == [
        "mine/build_network.py", "mine/example/high.wav", "mine/example/low.wav"
    ]  # fmt: skip
    code, out, err = beholder("metamers", "template", "pictures")
    assert code == 0, err
    assert out.splitlines()[-1] == "beholder metamers make pictures/example/star.png -D pictures"
    code, _, err = beholder(*shlex.split(out.splitlines()[-1])[1:], "-I", "2", "--layers", "final")
    assert code == 0, err


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("make", "MODEL STIMULI…, or IDX -D DIR; got neither a network nor -D"),
        ("make file:net.py", "stimuli: files, a folder, or their numbers in -F; got none"),
        ("make file:net.py nowhere --layers 0", "nothing at nowhere"),
        ("make file:nowhere.py images --layers 0", "nowhere.py"),
        ("make file:net.py images --layers 9", "got '9'; try one of 0, 1, 2"),
        ("make file:net.py images", "--layers NAME…"),
        ("make file:net.py images --layers 0 --recipe quick", "published"),
        ("make file:net.py images --layers 0 --recipe default -Z 1", "--recipe published with -Z"),
        ("make file:net.py images --layers 0 -L other_loss", "inversion_loss_layer"),
        (
            "make file:net.py images --layers 0 -E lots",
            "above 0 for --noise_scale, such as 0.05 or 1/20; got lots",
        ),
        ("make file:net.py images --layers 0 -E 1/0", "a number above 0 for --noise_scale"),
        ("make file:net.py images --layers 0 -Z -1", "a number above 0 for --step_size"),
        ("make file:net.py images --layers 0 -I 0", "at least one iteration"),
        ("make file:net.py images --layers 0 -R -3", "seeds of 0 or more"),
        ("make file:net.py images --layers 0 -F images", "-F with numbers of stimuli"),
        ("make file:net.py 99 --layers 0 -F images", "numbers of stimuli from 0 to 5; got 99"),
        ("make file:net.py 0 --layers 0 -F nowhere", "-F nowhere"),
        ("make file:net.py images images/cat/picture_0.png --layers 0", "one folder, or files"),
        ("make file:net.py images --layers 0 --device cuda:7", "cuda:7"),
        ("make file:net.py images --layers 0 --batch_size 0", "at least one metamer in a batch; got 0"),
        ("make file:net.py images --layers 0 --threads 0", "at least one thread; got 0"),
        ("make 0 -D nowhere", "a directory with a build_network.py after -D; got no directory nowhere"),
        ("make file:net.py sounds --layers 0", "sound"),
        ("null", "MODEL FOLDER, or -D DIR; got neither a network nor -D"),
        ("null file:net.py", "a folder of natural stimuli, or -D DIR with a training set; got neither"),
        ("null file:net.py nowhere", "nothing at nowhere"),
        ("null file:net.py images images", "one folder of stimuli"),
        ("null file:net.py one", "at least two stimuli; got 1"),
        ("null file:net.py images -N 0", "at least one pair"),
        ("null file:net.py images -N 4 --no_shuffle", "8 stimuli for 4 pairs in order"),
        ("null file:net.py images -N two", "two"),
        ("null file:net.py images --layers 9", "got '9'; try one of 0, 1, 2"),
        ("null file:net.py images -R -1", "a seed and a split of 0 or more"),
        ("make 0 -D images", "a directory with a build_network.py after -D; got none in images"),
        ("null -D nowhere -N 3", "a directory with a build_network.py after -D; got no directory nowhere"),
        ("template --picture --sound mine", "--picture or --sound; got both"),
        ("template net.py", "a file at net.py"),
        ("template", "beholder metamers template --help"),
    ],
)
def test_wrong_input_is_one_line(line: str, message: str, workplace: Path, beholder: Call) -> None:
    (workplace / "one").mkdir()
    (workplace / "one" / "a.png").write_bytes((workplace / "images" / "cat" / "picture_0.png").read_bytes())
    (workplace / "sounds").mkdir()
    wavfile.write(workplace / "sounds" / "a.wav", 8000, np.zeros(800, np.float32))
    before = set(workplace.iterdir())
    code, out, err = beholder("metamers", *shlex.split(line))
    assert (code, out) == (2, "")
    *others, last = err.strip().splitlines()
    assert message in last
    usual = ("no weights were named", "published recipe", "pictures are prepared as in")
    assert all(any(words in each for words in usual) for each in others)
    assert set(workplace.iterdir()) == before


def test_other_settings_name_the_difference(workplace: Path, beholder: Call) -> None:
    line = ["metamers", "make", "file:net.py", "images/cat/picture_0.png", "--layers", "0", "-I", "3"]
    assert beholder(*line)[0] == 0
    code, _, err = beholder(*line, "--target_db", "20")
    assert code == 2
    assert "recipe.target_db was 45.0, now 20.0" in err.splitlines()[-1]
    assert beholder(*line, "--target_db", "20", "-O")[0] == 0


@pytest.mark.parametrize("name", ["make", "null", "template"])
def test_help_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["metamers", name, "--help"]) == 0
    assert f"  beholder metamers {name}" in capsys.readouterr().out


def test_json_is_alone_on_stdout(workplace: Path, beholder: Call) -> None:
    logging.getLogger("beholder").setLevel(logging.INFO)
    code, out, err = beholder("metamers", "make", "file:net.py", "images/cat", "--layers", "0", "-I", "2", "--json")
    assert code == 0, err
    assert json.loads(out)
    assert "\n" in err
