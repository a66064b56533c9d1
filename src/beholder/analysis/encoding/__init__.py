"""Encoding: responses predicted from layers, by regressions that are tested on stimuli left out."""
