"""What a file of activations holds."""
