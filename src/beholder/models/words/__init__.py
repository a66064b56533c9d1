"""Class names and texts: prompts, tokens, zero-shot readouts."""
