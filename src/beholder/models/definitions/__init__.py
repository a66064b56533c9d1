"""What a model is named by and made from: sources, aliases, definitions, devices."""
