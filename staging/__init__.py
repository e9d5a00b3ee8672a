"""Bring bytes to where they are needed, and nowhere else. Knows locations and transfers, never jobs."""
