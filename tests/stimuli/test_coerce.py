"""Whatever names or holds stimuli becomes the same set: one rule for each reading."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from beholder._core.errors import InputError, StimulusError
from beholder.stimuli import StimulusSet, as_stimulus_set, open_image, save_sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of different sizes, one turned by its EXIF tag, one with transparent pixels."""
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for name, size in (
        ("a.png", (12, 9, 3)),
        ("b.png", (10, 16, 4)),
        ("c.jpg", (9, 14, 3)),
    ):
        picture = Image.fromarray(rng.integers(0, 255, size, dtype=np.uint8))
        exif = Image.Exif()
        exif[274] = 6
        picture.save(tmp_path / "pictures" / name, **({"exif": exif, "quality": 95} if name == "c.jpg" else {}))
    return tmp_path / "pictures"


def read_all(stimuli: StimulusSet) -> list[np.ndarray]:
    return [np.asarray(open_image(stimuli.source(i), keep_alpha=True)) for i in range(len(stimuli))]


def test_one_picture_is_one_stimulus_not_its_rows(folder: Path) -> None:
    for one in (Image.open(folder / "a.png"), folder / "a.png", str(folder / "a.png")):
        stimuli = as_stimulus_set(one)
        assert len(stimuli) == 1 and stimuli.kind == "image"
        assert np.array_equal(read_all(stimuli)[0], read_all(as_stimulus_set(folder))[0])
    assert len(as_stimulus_set(np.zeros((256, 256, 3), np.uint8))) == 1
    assert len(as_stimulus_set(np.zeros((256, 200, 3), np.float32))) == 1


def test_pictures_however_they_are_given_are_the_same(folder: Path) -> None:
    files = sorted(folder.iterdir())
    wanted = read_all(as_stimulus_set(folder))
    ways = {
        "paths": files,
        "strings": [str(path) for path in files],
        "a tuple": tuple(files),
        "a generator of paths": (path for path in files),
        "pictures": [Image.open(path) for path in files],
        "a generator of pictures": (Image.open(path) for path in files),
        "a table": pd.DataFrame({"file": [str(path) for path in files]}),
        "a column": pd.Series([str(path) for path in files]),
        "an array of paths": np.array([str(path) for path in files]),
    }
    for name, way in ways.items():
        stimuli = as_stimulus_set(way)
        assert stimuli.kind == "image", name
        for found, true in zip(read_all(stimuli), wanted, strict=True):
            assert np.array_equal(found, true), name


def test_a_table_keeps_its_columns(folder: Path) -> None:
    frame = pd.DataFrame(
        {
            "path": [str(folder / "c.jpg"), str(folder / "a.png")],
            "label": ["x", "y"],
            "Größe": [1, 2],
            "id": ["q", "p"],
        },
        index=[7, 7],
    )
    stimuli = as_stimulus_set(frame)
    assert stimuli.ids == ("q", "p") and stimuli.labels == ("x", "y") and stimuli.conditions == {"Größe": [1, 2]}
    assert stimuli.path(0).samefile(folder / "c.jpg")
    with pytest.raises(InputError, match="a column named file"):
        as_stimulus_set(pd.DataFrame({"x": [1]}))


def test_arrays_go_by_the_stated_rules() -> None:
    zeros = np.zeros
    for array, n, kind in (
        (zeros((5, 8, 9, 3), np.uint8), 5, "image"), (zeros((5, 3, 8, 9), np.uint8), 5, "image"),
        (zeros((5, 8, 9)), 5, "image"), (zeros((8, 9, 3), np.uint8), 1, "image"), (zeros((5, 100)), 5, "array"),
        (zeros((5, 3)), 5, "array"), (zeros((5, 1, 8, 9)), 5, "image"),
    ):  # fmt: skip
        stimuli = as_stimulus_set(array)
        assert (len(stimuli), stimuli.kind) == (n, kind), array.shape
    for array, message in (
        (zeros((3, 8, 9)), "one picture or three grey ones; try x\\[None\\]"),
        (zeros((8, 9), np.uint8), "one grey picture or 8 rows"),
        (zeros(100), "one stimulus or 100 numbers"),
        (zeros(()), "got ndarray"),
        ([1, 2, 3], "item 0: int"),
        ([zeros((8, 9, 3), np.uint8), zeros(4)], "stimuli of one shape, or pictures; got shapes"),
        ([], "at least one stimulus"),
        (["a.png", zeros((8, 9, 3))], "a list of both"),
        ({"a": 1}, "got dict"), (7, "got int"), (b"abc", "got bytes"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            as_stimulus_set(array)


def test_the_shape_that_a_network_takes_decides_first() -> None:
    grey = np.zeros((3, 8, 9), np.float32)
    assert len(as_stimulus_set(grey, shape=(8, 9))) == 3
    assert len(as_stimulus_set(grey, shape=(3, 8, 9))) == 1
    assert len(as_stimulus_set(np.zeros((8, 9, 3)), shape=(9, 3))) == 8
    assert len(as_stimulus_set(np.zeros(100), shape=(100,))) == 1


def test_lists_of_arrays_and_of_sounds_of_several_lengths() -> None:
    rng = np.random.default_rng(0)
    same = [rng.random((8, 9, 3)) for _ in range(4)]
    assert np.array_equal(as_stimulus_set(same).source(2), same[2])
    uneven = [rng.integers(0, 255, (8, 9, 3), dtype=np.uint8), rng.integers(0, 255, (5, 6), dtype=np.uint8)]
    stimuli = as_stimulus_set(uneven)
    assert stimuli.kind == "image" and np.array_equal(stimuli[[1]].source(0), uneven[1])
    sounds = as_stimulus_set([np.zeros(100, np.float32), np.ones(120, np.float32)])
    assert sounds.kind == "sound" and sounds.source(1).shape == (120,)
    with pytest.raises(StimulusError, match=r"in \[0, 1\]; got values from"):
        as_stimulus_set([same[0] * 255, same[1][:4]])
    assert len({stimuli.hash_stimulus(0), stimuli.hash_stimulus(1), sounds.hash_stimulus(0)}) == 3


def test_files_are_named_once_and_folders_are_told(folder: Path) -> None:
    with pytest.raises(InputError, match=r"files that differ; got .*a\.png twice"):
        as_stimulus_set([folder / "a.png", folder / "a.png"])
    with pytest.raises(InputError, match="a list with the folder"):
        as_stimulus_set([folder, folder / "a.png"])
    assert len(as_stimulus_set([folder])) == 3
    with pytest.raises(InputError, match=r"no file at .*missing\.png"):
        as_stimulus_set(["missing.png"])


def test_labels_that_are_integers_count_as_integers(tmp_path: Path, folder: Path) -> None:
    labels = [str(i) for i in range(12)]
    for name in labels:
        (tmp_path / "classes" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "classes" / name / f"x{name}.png")
    stimuli = StimulusSet.from_folder(tmp_path / "classes")
    assert dict(zip(stimuli.labels, stimuli.targets.tolist(), strict=True)) == {str(i): i for i in range(12)}
    rows = "".join(f"{folder / 'a.png'},i{name},{name}\n" for name in labels)
    (tmp_path / "table.csv").write_text("file,id,label\n" + rows)
    assert StimulusSet.from_table(tmp_path / "table.csv").targets.tolist() == list(range(12))
    arrays = np.zeros((12, 4, 4, 3), np.uint8)
    assert StimulusSet.from_arrays(arrays, labels=labels).targets.tolist() == list(range(12))
    mixed = [*labels[:11], "cat"]
    assert StimulusSet.from_arrays(arrays, labels=mixed).targets.tolist() == [sorted(mixed).index(x) for x in mixed]


# --- data sets of other libraries -----------------------------------------------------------------------------------


def test_torch_data_sets_keep_their_labels() -> None:
    torch = pytest.importorskip("torch")
    data = torch.utils.data
    x, y = torch.rand(6, 3, 8, 8), torch.tensor([4, 4, 2, 2, 9, 9])
    stimuli = as_stimulus_set(data.TensorDataset(x, y))
    assert stimuli.targets.tolist() == y.tolist() and np.array_equal(stimuli.source(3), x[3].numpy())
    part = as_stimulus_set(data.Subset(data.TensorDataset(x, y), [5, 0]))
    assert part.ids == ("000005", "000000") and part.targets.tolist() == [9, 4]

    class Own(data.Dataset):
        classes = ("ant", "bee")

        def __len__(self) -> int:
            return 4

        def __getitem__(self, i: int) -> tuple:
            return Image.fromarray(np.full((5 + i, 6, 3), i, np.uint8)), i % 2

    own = as_stimulus_set(Own())
    assert own.labels == ("ant", "bee", "ant", "bee") and own.source(3).shape == (8, 6, 3)

    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(torch.arange(24.0).reshape(2, 12))

    assert np.array_equal(as_stimulus_set(Stream()).source(1), np.arange(12.0, 24))


def test_image_folders_are_their_files(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    vision = pytest.importorskip("torchvision")
    for i, name in enumerate(["10/x", "2/y", "2/z"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 5, 3), 40 * i, np.uint8)).save(tmp_path / f"{name}.png")
    plain = vision.datasets.ImageFolder(tmp_path)
    stimuli = as_stimulus_set(plain)
    assert stimuli.layout == "classes" and [Path(file).name for file in stimuli.files] == ["x.png", "y.png", "z.png"]
    assert stimuli.labels == ("10", "2", "2") and stimuli.targets.tolist() == plain.targets == [0, 1, 1]
    changed = as_stimulus_set(vision.datasets.ImageFolder(tmp_path, vision.transforms.ToTensor()))
    assert changed.source(2).shape == (3, 4, 5) and changed.targets.tolist() == [0, 1, 1]
    assert np.allclose(changed.source(2), 80 / 255)


def test_loaders_must_keep_the_order() -> None:
    torch = pytest.importorskip("torch")
    data = torch.utils.data
    x = torch.rand(5, 3, 8, 8)
    whole = data.TensorDataset(x)
    assert len(as_stimulus_set(data.DataLoader(whole, batch_size=2))) == 5
    assert len(as_stimulus_set(data.DataLoader(whole, batch_size=2, drop_last=True))) == 4
    for loader in (
        data.DataLoader(whole, shuffle=True),
        data.DataLoader(whole, sampler=data.RandomSampler(whole)),
        data.DataLoader(whole, sampler=data.SubsetRandomSampler([1, 2])),
        data.DataLoader(whole, batch_sampler=data.BatchSampler(data.RandomSampler(whole), 2, False)),
    ):
        with pytest.raises(InputError, match="one that shuffles or samples; try shuffle=False"):
            as_stimulus_set(loader)
    with pytest.raises(InputError, match="collate_fn"):
        as_stimulus_set(data.DataLoader(whole, collate_fn=list))


def test_hugging_face_columns_are_files(tmp_path: Path, folder: Path) -> None:
    library = pytest.importorskip("datasets")
    files = [str(path) for path in sorted(folder.iterdir())]
    table = library.Dataset.from_dict(
        {"picture": files, "label": [1, 0, 1], "size": ["s", "m", "l"], "stimulus_id": ["x", "y", "z"]},
        features=library.Features(
            picture=library.Image(), label=library.ClassLabel(names=["ant", "bee"]), size=library.Value("string"),
            stimulus_id=library.Value("string"),
        ),
    )  # fmt: skip
    stimuli = as_stimulus_set(table)
    assert stimuli.ids == ("x", "y", "z") and stimuli.labels == ("bee", "ant", "bee")
    assert stimuli.targets.tolist() == [1, 0, 1] and stimuli.conditions == {"size": ["s", "m", "l"]}
    for found, true in zip(read_all(stimuli), read_all(as_stimulus_set(folder)), strict=True):
        assert np.array_equal(found, true)
    assert stimuli.hash_stimulus(2) == as_stimulus_set(folder).hash_stimulus(2)
    with pytest.raises(InputError, match=r"dataset\['train'\]"):
        as_stimulus_set(library.DatasetDict(train=table))
    with pytest.raises(InputError, match="one column of images or sounds; got only"):
        as_stimulus_set(table.remove_columns(["picture"]))
    save_sound(tmp_path / "x.wav", np.sin(np.arange(800) / 7).astype(np.float32), 8000)
    sounds = as_stimulus_set(
        library.Dataset.from_dict({"audio": [str(tmp_path / "x.wav")]}).cast_column("audio", library.Audio())
    )
    assert sounds.kind == "sound" and sounds.source(0) == (tmp_path / "x.wav").read_bytes()


def test_coercion_loads_no_library(folder: Path) -> None:
    import subprocess

    code = (
        "import sys; from beholder.stimuli import as_stimulus_set; as_stimulus_set([sys.argv[1]]); "
        "assert not {'torch', 'torchvision', 'datasets', 'pandas'} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code, str(folder / "a.png")], check=True, timeout=60)
