"""A byte-addressed log that many can follow. Import from the modules; README.md says which."""
