"""Ground floor: errors, seeds, files, hashes, provenance, progress. Knows no domain words."""
