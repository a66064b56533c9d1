"""What networks learn from: labelled stimuli, read batch by batch."""
