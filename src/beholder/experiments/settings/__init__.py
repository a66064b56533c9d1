"""The settings of an experiment, their presets and checks."""
