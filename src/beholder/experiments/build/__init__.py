"""A plan to a folder that a server or a page can show."""
