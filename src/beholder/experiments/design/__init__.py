"""Plans: which stimuli in which trials for whom."""
