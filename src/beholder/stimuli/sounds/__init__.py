"""Sounds: files, sentences, syllables."""
