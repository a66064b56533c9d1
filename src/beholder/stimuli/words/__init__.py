"""Lists of words and labels."""
