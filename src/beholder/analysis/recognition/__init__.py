"""How often people and networks are right, where, and on which stimuli."""
