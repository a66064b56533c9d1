"""One forward pass: which layers, where the stimuli are, hooks."""
