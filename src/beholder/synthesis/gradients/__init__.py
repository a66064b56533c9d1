"""Gradients through a network: views of it, rectifiers that let gradients pass."""
