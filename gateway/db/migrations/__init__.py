"""Change the schema of a database that already holds jobs, step by step."""
