"""One optimiser loop, its recipe and its result."""
