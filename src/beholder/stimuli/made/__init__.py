"""Folders of stimuli made for networks: metamers, null distributions, optimised units."""
