"""What is done to a published file when it has come."""

from __future__ import annotations

import logging
from pathlib import Path

from beholder._core.errors import InputError
from beholder.stimuli.sounds._sentences import unpack_sentences

logger = logging.getLogger("beholder")

SENTENCES = "metamers-400-sentences"
SENTENCES_FILE = "word_WSJ_validation_jsin_400words_1samplesperword_with_metadata.pckl"


def prepare_asset(name: str, folder: Path) -> None:
    """What is done to an asset when it has come: the sentences become sounds. A file that cannot be read is kept."""
    if name == SENTENCES:
        try:
            unpack_sentences(folder / SENTENCES_FILE, folder)
        except InputError as error:
            logger.warning("%s is here, but cannot be used as stimuli: %s", name, error)
