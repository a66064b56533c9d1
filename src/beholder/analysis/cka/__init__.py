"""Centred kernel alignment of layers, regions and networks."""
