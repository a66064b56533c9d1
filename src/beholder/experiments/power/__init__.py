"""How many participants a design needs."""
