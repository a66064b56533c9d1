"""How often networks are right: of natural and graded stimuli, and under attack."""
