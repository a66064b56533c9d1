"""Interpretability of single units, by what people (or machines) tell of them in two-alternative trials."""
