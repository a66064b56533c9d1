"""Names: aliases, panels, and what a name leads to."""
