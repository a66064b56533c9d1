import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from beholder._core.errors import BeholderError, InputError, StimulusError
from beholder.stimuli import IMAGENET_MEAN_COLOUR, open_image, save_picture


def as_array(image):
    return np.asarray(image).astype(int)


def encode(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF"])
def test_plain_pictures_are_what_pillow_reads(tmp_path, picture, form):
    file = tmp_path / f"x.{form.lower()}"
    picture(1, (33, 21)).save(file)
    read = open_image(file)
    with Image.open(file) as reference:
        assert np.array_equal(as_array(read), as_array(reference.convert("RGB")))
    assert read.mode == "RGB"
    assert np.array_equal(as_array(read), as_array(open_image(file.read_bytes())))


def test_real_jpegs_are_pixel_identical(shared_data):
    for file in sorted((shared_data / "imagenet_sample").glob("*/*.jpg"))[:200:10]:
        with Image.open(file) as reference:
            assert np.array_equal(as_array(open_image(file)), as_array(reference.convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_is_applied(picture, orientation, form):
    upright = np.asarray(picture(2))
    # how a camera stores an upright scene for each orientation tag (TIFF 6.0, tag 274)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if form == "WEBP" else {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    read = open_image(encode(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif, **options))
    assert read.size == (upright.shape[1], upright.shape[0])
    assert np.abs(as_array(read) - upright).max() <= (6 if form == "JPEG" else 0)


def test_damaged_exif_is_said_and_the_picture_kept(picture, caplog):
    words_for_an_orientation = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x02AB\0\0\0\0\0\0\0"
    for damage in (b"garbage here", b"II*\0\x08\0\0\0\xff\xff", words_for_an_orientation):
        data = encode(picture(1), "JPEG", exif=b"Exif\0\0" + damage)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert open_image(data).size == (20, 14)
    assert "EXIF cannot be read" in caplog.text


def test_alpha_is_laid_over_the_mean_colour_or_kept(picture):
    rgb = np.asarray(picture(3))
    alpha = np.linspace(0, 255, rgb.shape[1]).astype(np.uint8)[None].repeat(rgb.shape[0], axis=0)
    data = encode(Image.fromarray(np.dstack([rgb, alpha])))
    share = alpha[..., None] / 255
    for background in (IMAGENET_MEAN_COLOUR, (10, 200, 30)):
        expected = share * rgb + (1 - share) * np.array(background)
        assert np.abs(as_array(open_image(data, background=background)) - expected).max() <= 1
    assert tuple(as_array(open_image(data))[0, 0]) == (124, 116, 104)
    kept = open_image(data, keep_alpha=True)
    assert kept.mode == "RGBA"
    assert np.array_equal(np.asarray(kept), np.dstack([rgb, alpha]))
    assert np.asarray(open_image(encode(picture(3)), keep_alpha=True))[..., 3].min() == 255
    opaque = encode(Image.fromarray(np.dstack([rgb, np.full_like(alpha, 255)])))
    assert np.array_equal(as_array(open_image(opaque)), rgb)


def test_grey_with_alpha_and_keyed_transparency(picture):
    grey = np.asarray(picture(4, mode="L"))
    alpha = np.zeros_like(grey)
    alpha[:, 10:] = 255
    read = as_array(open_image(encode(Image.fromarray(np.dstack([grey, alpha]), "LA"))))
    assert np.array_equal(read[:, 10:], grey[:, 10:, None].repeat(3, axis=2))
    assert (read[:, :10] == IMAGENET_MEAN_COLOUR).all()
    red = np.zeros((4, 6, 3), np.uint8)
    red[:, :3] = (255, 0, 0)
    read = as_array(open_image(encode(Image.fromarray(red), transparency=(255, 0, 0))))
    assert (read[:, :3] == IMAGENET_MEAN_COLOUR).all()
    assert (read[:, 3:] == 0).all()


def test_palette_with_and_without_transparency(picture):
    palette = picture(5).quantize(16)
    data = encode(palette)
    assert np.array_equal(as_array(open_image(data)), as_array(palette.convert("RGB")))
    first = int(np.asarray(palette)[0, 0])
    read = as_array(open_image(encode(palette, transparency=first)))
    hidden = np.asarray(palette) == first
    assert (read[hidden] == IMAGENET_MEAN_COLOUR).all()
    assert np.array_equal(read[~hidden], as_array(palette.convert("RGB"))[~hidden])


def test_cmyk_grey_and_one_bit(picture):
    ink = picture(6, (32, 32)).convert("CMYK")
    read = as_array(open_image(encode(ink, "JPEG", quality=100, subsampling=0)))
    assert np.abs(read - as_array(picture(6, (32, 32)))).mean() < 3
    grey = picture(6, mode="L")
    assert np.array_equal(as_array(open_image(encode(grey))), as_array(grey)[..., None].repeat(3, axis=2))
    bits = picture(6, mode="1")
    assert np.array_equal(as_array(open_image(encode(bits)))[..., 0], np.asarray(bits) * 255)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_span_black_to_white(form):
    ramp = np.linspace(0, 65535, 300).astype(np.uint16).reshape(15, 20)
    read = as_array(open_image(encode(Image.fromarray(ramp), form)))
    assert np.array_equal(read[..., 1], np.rint(ramp / 257))
    assert read[0, 0].tolist() == [0, 0, 0]
    assert read[-1, -1].tolist() == [255, 255, 255]


def test_integer_and_float_grey_of_known_range_only():
    ramp = np.linspace(0, 65535, 12).astype(np.int32).reshape(3, 4)
    assert np.array_equal(as_array(open_image(encode(Image.fromarray(ramp), "TIFF")))[..., 0], np.rint(ramp / 257))
    unit = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(as_array(open_image(encode(Image.fromarray(unit), "TIFF")))[..., 0], np.rint(unit * 255))
    with pytest.raises(StimulusError, match=r"16 bits.*bytes \(values from"):
        open_image(encode(Image.fromarray(ramp * 1000), "TIFF"))
    with pytest.raises(StimulusError, match=r"float pixels in \[0, 1\]"):
        open_image(encode(Image.fromarray(unit * 255), "TIFF"))


def test_sixteen_bit_grey_with_a_transparent_value():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\x00" + struct.pack(">3H", 0, 40000, 65535) for _ in range(2))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 3, 2, 16, 0, 0, 0, 0))
    data += chunk(b"tRNS", struct.pack(">H", 40000)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert as_array(open_image(data))[0].tolist() == [[0, 0, 0], list(IMAGENET_MEAN_COLOUR), [255, 255, 255]]


def test_the_first_frame_of_an_animation_is_taken(picture, tmp_path):
    frames = [picture(i, mode="P") for i in range(3)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "x.gif") as reference:
        expected = as_array(reference.convert("RGB"))
    assert np.array_equal(as_array(open_image(tmp_path / "x.gif")), expected)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_truncated_files_are_named(tmp_path, picture, form, keep):
    file = tmp_path / f"cut.{form.lower()}"
    data = encode(Image.effect_noise((64, 64), 60).convert("RGB"), form)
    file.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(StimulusError, match=f"cut.{form.lower()}") as caught:
        open_image(file)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_files_that_are_no_pictures_are_named(tmp_path):
    (tmp_path / "x.png").write_text("hello")
    with pytest.raises(StimulusError, match=r"x\.png, which is no image"):
        open_image(tmp_path / "x.png")
    (tmp_path / "x.wav").write_text("hello")
    with pytest.raises(StimulusError, match=r"x\.wav, a sound; try bh\.wrap\(…, sample_rate="):
        open_image(tmp_path / "x.wav")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(StimulusError, match=r"empty\.jpg"):
        open_image(tmp_path / "empty.jpg")
    with pytest.raises(StimulusError, match=r"no file at .*none\.png"):
        open_image(tmp_path / "none.png")
    with pytest.raises(StimulusError, match=str(tmp_path)):
        open_image(tmp_path)
    with pytest.raises(StimulusError, match="brick 7"):
        open_image(b"no", name="brick 7")


def test_random_damage_never_gives_anything_but_a_stimulus_error(picture):
    rng = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "TGA", "PCX", "ICO", "PPM"):
        data = bytearray(encode(picture(1, (32, 32)), form))
        for _ in range(25):
            damaged = data.copy()
            for place in rng.integers(0, len(data), 4):
                damaged[place] = rng.integers(0, 256)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    image = open_image(bytes(damaged))
                except StimulusError:
                    continue
            assert image.mode == "RGB"


def test_a_machine_in_trouble_is_not_blamed_on_the_picture(monkeypatch):
    def fail(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(BeholderError, match="too many open files") as caught:
        open_image("x.png")
    assert not isinstance(caught.value, StimulusError)
    assert caught.value.exit_code == 1


def test_decompression_bombs_are_refused(monkeypatch, picture):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(StimulusError, match="at most 200 pixels"):
        open_image(encode(picture(1)))


def test_draft_mode_is_asked_for_by_name(picture):
    data = encode(picture(1, (640, 480)), "JPEG")
    assert open_image(data).size == (640, 480)
    assert open_image(data, draft=(160, 120)).size == (160, 120)
    assert open_image(data, draft=(161, 120)).size == (320, 240)
    exif = Image.Exif()
    exif[274] = 6
    turned = encode(picture(1, (640, 480)), "JPEG", exif=exif)
    assert open_image(turned, draft=(120, 160)).size == (120, 160)


def test_pictures_are_written_exactly_and_again_the_same(tmp_path, picture):
    image = picture(1)
    save_picture(tmp_path / "new" / "x.png", image)
    save_picture(tmp_path / "y.png", np.asarray(image))
    assert np.array_equal(as_array(open_image(tmp_path / "new" / "x.png")), as_array(image))
    assert (tmp_path / "new" / "x.png").read_bytes() == (tmp_path / "y.png").read_bytes()
    save_picture(tmp_path / "z.jpg", image)
    assert open_image(tmp_path / "z.jpg").size == image.size
    for name in ("x.txt", "x", "x.psd"):
        with pytest.raises(InputError, match="picture file name"):
            save_picture(tmp_path / name, image)
