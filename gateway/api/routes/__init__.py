"""Map URLs to use-cases."""
