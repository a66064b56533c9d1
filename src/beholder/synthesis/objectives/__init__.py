"""What is made larger or matched."""
