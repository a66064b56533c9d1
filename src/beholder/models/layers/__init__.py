"""Layers, units and what the axes of an activation are."""
