"""The same network with other preparation of its stimuli."""

from __future__ import annotations

from dataclasses import replace

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.network._model import Model
from beholder.models.preprocessing._base import Preprocessing
from beholder.models.preprocessing._image import ImagePreprocessing


@suggest_keywords
def use_draft(model: Model) -> Model:
    """The model, whose pictures are decoded at reduced size: faster, and other pixels.

    Raises
    ------
    InputError
        It does not take picture files.
    """
    preprocessing = model.preprocessing
    if not isinstance(preprocessing, ImagePreprocessing):
        raise InputError("a model of pictures with --draft", got=model.name)
    return _prepare_by(model, replace(preprocessing, draft=True))


@suggest_keywords
def use_published_preparation(model: Model) -> Model:
    """Pictures as the model-metamers scripts prepare them: the centre square of the full short side, resized.

    Networks of anything but square colour pictures, or of no known preparation, come back as they are.
    """
    own, shape = model.preprocessing, model.input_shape
    if model.modality != "image" or shape is None or len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2]:
        return model
    size = (shape[1], shape[2])
    if isinstance(own, ImagePreprocessing):
        square = replace(own, resize=shape[1], crop=size, crop_mode="square", interpolation="bicubic")
    elif own.to_dict().get("kind") == "dataset" and model.input_range == (0.0, 1.0):
        square = ImagePreprocessing(
            resize=shape[1],
            crop=size,
            crop_mode="square",
            interpolation="bicubic",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        )
    else:
        return model
    return _prepare_by(model, square)


def _prepare_by(model: Model, preprocessing: Preprocessing) -> Model:
    spec = replace(model.spec, preprocessing=preprocessing) if model.spec else None
    return replace(model, preprocessing=preprocessing, spec=spec)
