"""Sets of stimuli, from folders, tables, arrays, names."""
