"""Feature visualizations of units."""
