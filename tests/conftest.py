"""Offer the fixtures that several folders of tests share."""

from tests.databases import database, database_url, empty_url, opener, postgres

__all__ = ["database", "database_url", "empty_url", "opener", "postgres"]
