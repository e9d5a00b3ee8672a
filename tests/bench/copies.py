"""Fill a gateway's SQLite database with copies of one job, quicker than by submitting them."""

import sqlite3
from typing import Final

_TABLES: Final = ("jobs", "steps", "attempts", "job_scripts")
_STEPS_FROM: Final = 10_000_000


def multiply(connection: sqlite3.Connection, model: int, *, first: int, count: int) -> None:
    """Copy a job, with its step, attempt and script but without its events, to the ids from `first` on."""
    for table in _TABLES:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        made = {"job_id": f"{first} + n", "step_id": f"{_STEPS_FROM + first} + n"}
        made["attempt_id"] = f"({first} + n) || '-main-1-0badcafe'"
        made["id"] = {"steps": made["step_id"], "attempts": made["attempt_id"]}.get(table, made["job_id"])
        values = ", ".join(made.get(column, column) for column in columns)
        connection.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count - 1}) "
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, numbers "
            f"WHERE {'id' if table == 'jobs' else 'job_id'} = {model}"
        )
    connection.commit()
