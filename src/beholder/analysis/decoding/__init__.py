"""Decoding: conditions told from layers, by classifiers that are tested on stimuli left out."""
