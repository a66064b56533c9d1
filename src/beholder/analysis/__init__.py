"""Analysis: from activations, recordings and responses to tables and figures."""
