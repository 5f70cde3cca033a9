"""Writing the prepared data, as the readers find them. Imported by `sources/` alone."""
