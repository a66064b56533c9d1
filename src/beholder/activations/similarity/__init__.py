"""How alike two sets of activations are."""
