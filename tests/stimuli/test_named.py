import numpy as np
import pytest
from scipy.io import savemat

from beholder._core.errors import InputError, StimulusError, UnknownNameError
from beholder.stimuli import StimulusSet, list_named_sets, load_wnids

TRUE = [490, 361, 171, 822, 0, 999]  # class indices of the pictures drawn here
NAMES = [f"ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, 7)]


@pytest.fixture
def flat(tmp_path, fill):
    return fill(tmp_path / "val", *NAMES)


def check(stimuli):
    assert stimuli.targets.tolist() == TRUE
    assert stimuli.labels == tuple(load_wnids()[i] for i in TRUE)
    assert stimuli.files == tuple(NAMES)
    assert stimuli.layout == "flat"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("val.txt", lambda i, k: f"{NAMES[i]} {k}"),
        ("val.txt", lambda i, k: f"val/{NAMES[i]} {load_wnids()[k]}"),
        ("imagenet_2012_validation_synset_labels.txt", lambda i, k: load_wnids()[k]),
        ("LOC_val_solution.csv", lambda i, k: f"{NAMES[i][:-5]},{load_wnids()[k]} 1 2 3 4 {load_wnids()[k]} 5 6 7 8"),
        ("ground_truth.csv", lambda i, k: f"{NAMES[i]},{k}"),
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_every_form_of_ground_truth_gives_positions_in_the_sorted_wnids(flat, name, line, beside):
    head = "ImageId,PredictionString\n" if name.startswith("LOC") else ""
    order = [3, 1, 0, 2, 5, 4] if "ILSVRC" in line(0, 0) else range(6)
    text = head + "".join(line(i, TRUE[i]) + "\n" for i in order)
    ((flat.parent if beside else flat) / name).write_text(text)
    check(StimulusSet.from_named("imagenet-val", flat))
    (flat / NAMES[0]).unlink()
    assert StimulusSet.from_named("imagenet-val", flat).targets.tolist() == TRUE[1:]


def make_devkit(folder, order):
    """The development kit's own order of classes: number k stands for wnid ``order[k - 1]``; groups follow."""
    folder.mkdir(parents=True, exist_ok=True)
    synsets = np.zeros(1002, dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")])
    for k in range(1002):
        wnid = load_wnids()[order[k]] if k < 1000 else "n00001740"
        synsets[k] = (float(k + 1), wnid, "words")
    savemat(folder / "meta.mat", {"synsets": synsets})


def test_devkit_numbers_are_read_in_the_devkits_order(flat):
    order = np.random.default_rng(0).permutation(1000)
    numbers = [int(np.flatnonzero(order == k)[0]) + 1 for k in TRUE]
    devkit = flat.parent / "ILSVRC2012_devkit_t12" / "data"
    make_devkit(devkit, order)
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{number}\n" for number in numbers))
    check(StimulusSet.from_named("imagenet-val", flat))


def test_devkit_numbers_without_their_order_are_refused(flat):
    truth = flat / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n2\n3\n4\n5\n6\n")
    with pytest.raises(InputError, match=r"meta\.mat.*own order.*LOC_val_solution") as caught:
        StimulusSet.from_named("imagenet-val", flat)
    assert "\n" not in str(caught.value)
    (flat / "meta.mat").write_text("no matlab")
    with pytest.raises(InputError, match="does not read"):
        StimulusSet.from_named("imagenet-val", flat)
    make_devkit(flat, range(1000))
    truth.write_text("1\n2\n3\n4\n5\n1001\n")
    with pytest.raises(InputError, match="from 1 to 1000; got 1001"):
        StimulusSet.from_named("imagenet-val", flat)


def test_ground_truth_that_does_not_fit_is_refused(flat):
    def write(text):
        (flat / "val.txt").write_text(text)
        return pytest.raises(InputError)

    whole = [f"{name} {i + 1}" for i, name in enumerate(NAMES)]
    with write("\n".join([*whole[:5], f"{NAMES[5]} 1000"])) as caught:
        StimulusSet.from_named("imagenet-val", flat)
    assert "0 to 999" in str(caught.value)
    with write("\n".join(whole[:5])) as caught:
        StimulusSet.from_named("imagenet-val", flat)
    assert isinstance(caught.value, StimulusError)
    assert "00000006" in str(caught.value)
    with write("n01440764\nn01440764\n") as caught:
        StimulusSet.from_named("imagenet-val", flat)
    assert "from 1 to 2" in str(caught.value)
    with write("\n".join(["n99999999"] * 6)) as caught:
        StimulusSet.from_named("imagenet-val", flat)
    assert "n99999999" in str(caught.value)
    with write("some words that are no classes\nx\n") as caught:
        StimulusSet.from_named("imagenet-val", flat)
    assert "one or two entries" in str(caught.value)
    (flat / "val.txt").unlink()
    with pytest.raises(InputError, match=r"none at .*LOC_val_solution\.csv"):
        StimulusSet.from_named("imagenet-val", flat)
    with pytest.raises(InputError, match="no file at"):
        StimulusSet.from_named("imagenet-val", flat, ground_truth="none.txt")


def test_ground_truth_may_be_named(flat, tmp_path):
    truth = tmp_path / "elsewhere.txt"
    truth.write_text("".join(f"{load_wnids()[k]}\n" for k in TRUE))
    check(StimulusSet.from_named("imagenet-val", flat, ground_truth=truth))


def test_synset_folders_count_all_thousand_classes_even_when_few_are_there(tmp_path, fill):
    wnids = [load_wnids()[i] for i in (7, 300)]
    stimuli = StimulusSet.from_named("imagenet-val", fill(tmp_path, f"{wnids[1]}/a.JPEG", f"{wnids[0]}_cock/b.JPEG"))
    assert stimuli.targets.tolist() == [7, 300]
    assert stimuli.layout == "classes"
    fill(tmp_path, "misc/c.JPEG")
    with pytest.raises(InputError, match="misc"):
        StimulusSet.from_named("imagenet-val", tmp_path)


def test_other_folders_and_names_are_refused(tmp_path, fill):
    with pytest.raises(InputError, match="without either"):
        StimulusSet.from_named("imagenet-val", fill(tmp_path, "cats/a.png"))
    with pytest.raises(UnknownNameError, match="'imagenet-val'"):
        StimulusSet.from_named("imagenet", tmp_path)
    assert "imagenet-val" in list_named_sets()


def test_the_sample_has_the_targets_of_its_folders(shared_data):
    stimuli = StimulusSet.from_named("imagenet-val", shared_data / "imagenet_sample")
    assert stimuli.targets.tolist() == list(range(1000))
