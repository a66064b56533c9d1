"""Files of weights: found, read, renamed, checked."""
