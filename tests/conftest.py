"""Offer the fixtures that several folders of tests share, and give every test that needs a cluster the dev cluster."""

import os

import pytest

from tests.databases import database, database_url, empty_url, opener, postgres, postgres_url
from tests.live import dev_cluster, find_dev_cluster, live

__all__ = ["database", "database_url", "dev_cluster", "empty_url", "live", "opener", "postgres", "postgres_url"]

_FOUND = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FOUND] = find_dev_cluster().root.exists()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("cluster"):
            item.fixturenames.insert(0, "dev_cluster")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take down a cluster that was brought up for the tests; one that was found stays, and SGW_KEEP=1 keeps any."""
    if hasattr(session.config, "workerinput") or session.config.stash[_FOUND] or os.environ.get("SGW_KEEP"):
        return
    cluster = find_dev_cluster()
    if os.getuid() == 0 and cluster.root.exists():
        cluster.down()
