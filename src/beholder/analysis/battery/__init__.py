"""Networks on the stimuli of a published experiment, beside the people who took it."""
