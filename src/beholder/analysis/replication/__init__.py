"""The metamer study's whole set of measurements of one network."""
