"""Stimulus files to what a network takes."""
