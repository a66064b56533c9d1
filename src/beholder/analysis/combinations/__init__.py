"""Several RDMs together: weighted combinations and the variance that models share."""
