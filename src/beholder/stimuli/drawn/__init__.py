"""Sets that are drawn or made by rule."""
