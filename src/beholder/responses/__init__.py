"""Human answers: schema, store, export, exclusions."""
