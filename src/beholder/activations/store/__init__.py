"""The store of activations: arrays, tables, health, lazy reading."""
