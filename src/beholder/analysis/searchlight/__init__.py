"""Where in the brain: RDMs of neighbourhoods, compared with every layer in one pass."""
