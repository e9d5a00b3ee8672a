"""Offer the fixtures that several folders of tests share."""

from tests.databases import database, database_url, empty_url, opener, postgres, postgres_url
from tests.live import dev_cluster, live

__all__ = ["database", "database_url", "dev_cluster", "empty_url", "live", "opener", "postgres", "postgres_url"]
