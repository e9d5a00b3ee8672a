"""Tenants and their users, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from gateway.auth import tenants
from gateway.db import tables
from gateway.db.database import Database
from gateway.errors import Forbidden
from gateway.wire import TenantRequest, UserRequest
from tests.core_world import principal

ROOT = principal("root")


def test_a_unix_user_belongs_to_one_tenant_also_when_two_ask_at_once(database: Database) -> None:
    for tenant in ("acme", "globex"):
        tenants.create_tenant(database, ROOT, TenantRequest(id=tenant))
    together = Barrier(2)

    def add(tenant: str, number: int) -> bool:
        together.wait(30)
        try:
            tenants.create_user(database, ROOT, tenant, UserRequest(name=f"new{number}", unix_user=f"shared{number}"))
        except Forbidden:
            return False
        return True

    rounds = range(20)
    with ThreadPoolExecutor(2) as pool:
        for number in rounds:
            asked = [pool.submit(add, tenant, number) for tenant in ("acme", "globex")]
            assert sorted(each.result(30) for each in asked) == [False, True], number
    u = tables.users.c
    with database.read() as connection:
        found = connection.execute(tables.users.select().where(u.name.like("new%"))).all()
    assert len(found) == len(rounds)
