"""Model metamers."""
