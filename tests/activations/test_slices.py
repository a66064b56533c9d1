import io

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.activations.formats._slices import get_shape, slices2tensor, tensor2slices
from beholder.activations.formats._text_io import fill_from_text, format_rows, parse_numbers


def save_text(rows, fmt="%.18e"):
    buffer = io.BytesIO()
    np.savetxt(buffer, rows, fmt=fmt)
    return buffer.getvalue()


def write_as_published(path, features):
    """The published script's loop."""
    with open(path, "w") as file:
        file.write(f"# Array shape: {features.shape}\n")
        for tensor in features:
            for matrix in tensor:
                np.savetxt(file, matrix, fmt="%-7.5f")
                file.write("# New slice\n")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4, 1e-12, 1e12, 1e22])
def test_formatting_matches_savetxt(dtype, scale):
    rng = np.random.default_rng(0)
    with np.errstate(over="ignore"):
        rows = (rng.standard_normal((60, 31)) * scale).astype(dtype)
    rows[0, :5] = [0, -0.0, np.nan, np.inf, -np.inf]
    rows[1:4] = np.maximum(rows[1:4], 0)
    assert format_rows(rows, "e18") == save_text(rows)
    assert format_rows(rows, "fixed5") == save_text(rows, "%-7.5f")


def test_formatting_matches_savetxt_for_any_bits():
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2**32, 60_000, dtype=np.uint32).view(np.float32).reshape(-1, 3)
    rows = rows[np.isfinite(rows).all(axis=1)]
    assert format_rows(rows, "e18") == save_text(rows)
    assert format_rows(rows, "fixed5") == save_text(rows, "%-7.5f")


@pytest.mark.parametrize("divisor", [64, 2**12, 2**20, 2**21])
def test_ties_go_to_even(divisor):
    ties = np.arange(-4000, 4000).reshape(-1, 5) / divisor
    for rows in (ties, ties.astype(np.float32), ties + 1024):
        assert format_rows(rows, "e18") == save_text(rows)
        assert format_rows(rows, "fixed5") == save_text(rows, "%-7.5f")


def test_doubles_near_a_tie_are_rounded_as_printf_does():
    rows = (np.random.default_rng(2).integers(0, 10**9, (400, 5)) + 0.5) / 1e5
    assert format_rows(rows, "fixed5") == save_text(rows, "%-7.5f")


def test_powers_of_ten_and_their_neighbours():
    powers = np.array([10.0**k for k in range(-30, 30)], dtype=np.float32)
    rows = np.stack([np.nextafter(powers, np.float32(0)), powers, np.nextafter(powers, np.float32(np.inf))])
    assert format_rows(rows, "e18") == save_text(rows)


def test_integers_are_written_as_savetxt_writes_them():
    rows = np.array([[0], [7], [-12], [10**12 + 1]])
    assert format_rows(rows, "e18") == save_text(rows)


def test_exact_spelling_reads_back_the_same_bits():
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 2**32, 30_000, dtype=np.uint32).view(np.float32).reshape(-1, 3)
    rows = rows[np.isfinite(rows).all(axis=1)]
    text = format_rows(rows, "exact")
    assert text.count(b"\n") == len(rows)
    again = np.array([[float(word) for word in line.split()] for line in text.splitlines()])
    np.testing.assert_array_equal(again.astype(np.float32).view(np.uint32), rows.view(np.uint32))
    np.testing.assert_array_equal(parse_numbers(text).astype(np.float32), rows.ravel())


def test_parsing_skips_comments_and_any_white_space():
    text = b"# Array shape: (1, 2)\n 1.5  -2e-3\t7\r\n# New slice 12\nnan inf\n"
    np.testing.assert_array_equal(parse_numbers(text), [1.5, -2e-3, 7, np.nan, np.inf])
    with pytest.raises(ValueError, match="abc"):
        parse_numbers(b"1 abc")


def test_reading_cuts_anywhere_without_harm():
    rows = np.random.default_rng(4).standard_normal((7, 13))
    text = save_text(rows) + b"# New slice\n" + save_text(rows)
    from beholder.activations.formats._text_io import read_numbers

    for size in (30, 64, 333, 10_000):
        pieces = np.concatenate(list(read_numbers(io.BytesIO(text), size)))
        np.testing.assert_array_equal(pieces, np.tile(rows.ravel(), 2))


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (1, 1, 1, 1), (2, 3, 1, 7)])
def test_slices_are_the_published_bytes(tmp_path, shape):
    features = np.random.default_rng(5).standard_normal(shape).astype(np.float32) * 3
    tensor2slices(tmp_path, "activations.txt", features)
    write_as_published(tmp_path / "old.txt", features)
    assert (tmp_path / "activations.txt").read_bytes() == (tmp_path / "old.txt").read_bytes()
    again = slices2tensor(tmp_path, "old.txt")
    assert again.dtype == np.float64
    assert get_shape(tmp_path, "old.txt") == again.shape == shape
    np.testing.assert_allclose(again, features, rtol=0, atol=5.0001e-6)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6), (2, 3, 4, 5), (2, 1, 2, 3, 4), (0, 3, 4), (3,)])
def test_any_number_of_axes(tmp_path, shape):
    features = np.round(np.random.default_rng(6).standard_normal(shape), 5)
    if len(shape) == 1:
        with pytest.raises(InputError, match="two or more axes"):
            tensor2slices(tmp_path, "a.txt", features)
        return
    tensor2slices(tmp_path, "a.txt", features)
    np.testing.assert_array_equal(slices2tensor(tmp_path, "a.txt"), features)


def test_exact_precision_round_trips_and_blocks_do_not_show(tmp_path, monkeypatch):
    import beholder.activations.formats._slices as slices

    features = np.random.default_rng(7).standard_normal((9, 3, 4, 4)).astype(np.float32)
    tensor2slices(tmp_path, "a.txt", features, precision="exact")
    np.testing.assert_array_equal(slices2tensor(tmp_path, "a.txt"), features)
    monkeypatch.setattr(slices, "_BLOCK_BYTES", 500)
    tensor2slices(tmp_path, "b.txt", features, precision="exact")
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()
    with pytest.raises(InputError, match="precision"):
        tensor2slices(tmp_path, "c.txt", features, precision="much")


def test_tensors_are_taken_too(tmp_path):
    torch = pytest.importorskip("torch")
    tensor2slices(tmp_path, "a.txt", torch.full((2, 1, 2, 2), 0.25))
    np.testing.assert_array_equal(slices2tensor(tmp_path, "a.txt"), np.full((2, 1, 2, 2), 0.25))


def test_wrong_files_are_refused_in_one_line(tmp_path):
    tensor2slices(tmp_path, "a.txt", np.ones((2, 2, 2)))
    text = (tmp_path / "a.txt").read_text()
    (tmp_path / "short.txt").write_text(text.replace("1.00000 1.00000\n", "", 1))
    (tmp_path / "long.txt").write_text(text + "1 2 3\n")
    (tmp_path / "words.txt").write_text(text.replace("1.00000", "one", 1))
    (tmp_path / "plain.txt").write_text("1 2 3\n")
    for name, message in [
        ("short.txt", "8 numbers"),
        ("long.txt", "8 numbers"),
        ("words.txt", "8 numbers"),
        ("plain.txt", "Array shape"),
        ("absent.txt", "no file"),
    ]:
        with pytest.raises(InputError, match=message):
            slices2tensor(tmp_path, name)


def test_fill_counts(tmp_path):
    with pytest.raises(InputError, match="got 3"):
        fill_from_text(io.BytesIO(b"1 2 3"), np.empty(4), "x")


def test_no_channels_at_all(tmp_path):
    tensor2slices(tmp_path, "a.txt", np.zeros((2, 0, 3, 3)))
    assert slices2tensor(tmp_path, "a.txt").shape == (2, 0, 3, 3)
