"""Know what a job is and what may happen to it."""
