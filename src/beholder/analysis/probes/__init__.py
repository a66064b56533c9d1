"""Linear probes: classes read out of frozen layers, with parts to fit, to choose and to test."""
