"""What is done to a published file when it has come."""

from __future__ import annotations

import logging
from pathlib import Path

from beholder._core.errors import InputError
from beholder.stimuli.images._objects import unpack_objects
from beholder.stimuli.sounds._sentences import unpack_sentences

logger = logging.getLogger("beholder")

OBJECTS = "rsa-92"
OBJECTS_FILE = "Kriegeskorte_Neuron2008_supplementalData.mat"
SENTENCES = "metamers-400-sentences"
SENTENCES_FILE = "word_WSJ_validation_jsin_400words_1samplesperword_with_metadata.pckl"


def prepare_asset(name: str, folder: Path) -> None:
    """What is done to an asset when it has come: sentences become sounds, and the pictures of a MATLAB file pictures.

    A file that cannot be read is kept.
    """
    unpack = {SENTENCES: (unpack_sentences, SENTENCES_FILE), OBJECTS: (unpack_objects, OBJECTS_FILE)}
    if name in unpack:
        function, file = unpack[name]
        try:
            function(folder / file, folder)
        except InputError as error:
            logger.warning("%s is here, but cannot be used as stimuli: %s", name, error)
