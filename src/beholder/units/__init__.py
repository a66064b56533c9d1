"""Units: sampling, recording, exemplars."""
