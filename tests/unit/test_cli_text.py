"""Times, columns, task lists and addresses are written and read as Slurm does."""

from datetime import UTC, datetime

import pytest

from gateway.cli.addresses import parse_address, parse_addresses
from gateway.cli.columns import Column, parse_format, queue_cell, record_cell
from gateway.cli.errors import UsageError
from gateway.cli.rows import task_expression
from gateway.cli.states import COMPACT, words_of
from gateway.cli.times import parse_moment, queue_duration, record_duration

NOW = datetime(2026, 11, 21, 5, 19, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "queue", "record"),
    [
        (0, "0:00", "00:00:00"),
        (59, "0:59", "00:00:59"),
        (3661, "1:01:01", "01:01:01"),
        (86400, "1-00:00:00", "1-00:00:00"),
        (864000 + 3661, "10-01:01:01", "10-01:01:01"),
        (-5, "0:00", "00:00:00"),
    ],
)
def test_durations_are_slurms(seconds: int, queue: str, record: str) -> None:
    assert (queue_duration(seconds), record_duration(seconds)) == (queue, record)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20", "2026-11-20T00:00:00"),
        ("2026-11-20T08:30", "2026-11-20T08:30:00"),
        ("2026-11-20 08:30:05", "2026-11-20T08:30:05"),
        ("11/20", "2026-11-20T00:00:00"),
        ("11/20/25", "2025-11-20T00:00:00"),
        ("1120", "2026-11-20T00:00:00"),
        ("112025", "2025-11-20T00:00:00"),
        ("11/20-", None),
        ("8:05", "2026-11-21T08:05:00"),
        ("08:05:09", "2026-11-21T08:05:09"),
        ("today", "2026-11-21T00:00:00"),
        ("noon", "2026-11-21T12:00:00"),
        ("now", "2026-11-21T05:19:30"),
        ("now-2hours", "2026-11-21T03:19:30"),
        ("NOW+1day", "2026-11-22T05:19:30"),
        ("now-30", "2026-11-21T05:19:00"),
        ("1795238370", "2026-11-21T05:19:30"),
        ("2026-13-01", None),
        ("25:00", None),
        ("", None),
        ("1345", None),
    ],
)
def test_moments_are_read_as_sacct_reads_them(text: str, moment: str | None) -> None:
    if moment is None:
        with pytest.raises(ValueError, match="is not a time"):
            parse_moment(text, NOW, UTC)
    else:
        assert parse_moment(text, NOW, UTC).isoformat() == f"{moment}+00:00"


@pytest.mark.parametrize(
    ("tasks", "text"),
    [
        ([0], "0"),
        ([3, 1, 2], "1-3"),
        ([0, 1, 2, 5, 8], "0-2,5,8"),
        (range(1, 31, 3), "1-28:3"),
        ([1, 4, 7, 10], "1,4,7,10"),
        (range(0, 12, 2), "0,2,4,6,8,10"),
        (range(0, 14, 2), "0-12:2"),
    ],
)
def test_waiting_tasks_are_written_as_squeue_writes_them(tasks: list[int], text: str) -> None:
    assert task_expression(tasks) == text


def test_a_ragged_list_of_tasks_is_cut_as_squeue_cuts_it() -> None:
    text = task_expression([n * n for n in range(40)])
    assert len(text) == 63
    assert text.endswith("...")


@pytest.mark.parametrize(
    ("form", "text", "cut", "cell"),
    [
        ("%.5j", "abcdefg", True, "abcde"),
        ("%.5j", "abcdefg", False, "abcdefg"),
        ("%5j", "abcdefg", False, "abcde"),
        ("%.5j", "abc", True, "  abc"),
        ("%5j", "abc", True, "abc  "),
        ("%j", "abcdefg", True, "abcdefg"),
    ],
)
def test_cells_of_squeue_are_padded_and_cut_as_slurm_does(form: str, text: str, *, cut: bool, cell: str) -> None:
    _, (column,) = parse_format(form)
    assert queue_cell(text, column, cut=cut) == cell


def test_a_format_keeps_the_text_around_its_fields() -> None:
    prefix, columns = parse_format("id %i| %.9P ")
    assert prefix == "id "
    assert columns == (
        Column(letter="i", width=0, right=False, suffix="| "), Column(letter="P", width=9, right=True, suffix=" "),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "width", "cell"), [("abc", 5, "  abc "), ("abc", -5, "abc   "), ("abcdef", 5, "abcd+ "), ("ab", 2, "ab ")]
)
def test_cells_of_sacct_mark_what_they_cut(text: str, width: int, cell: str) -> None:
    assert record_cell(text, width) == cell


def test_states_have_long_and_short_forms_in_any_case() -> None:
    assert words_of("pd, Running,OOM,canceled") == {"PENDING", "RUNNING", "OUT_OF_MEMORY", "CANCELLED"}
    assert words_of("all") == set(COMPACT)
    assert words_of("SUSPENDED") == set()
    with pytest.raises(ValueError, match="'ASLEEP' is not a state"):
        words_of("R,ASLEEP")


def test_addresses_name_jobs_and_tasks() -> None:
    assert [str(a) for a in parse_addresses(["7,36_1", "36_[2-4,9-13:2]"])] == [
        "7", "36_1", "36_2", "36_3", "36_4", "36_9", "36_11", "36_13",
    ]  # fmt: skip
    for text in ("", "0", "-1", "7_", "7_x", "7_[1", "7;8", "\uff11\uff12", "7\n", "9" * 30):
        with pytest.raises(UsageError):
            parse_address(text)
    for empty in ("", " ", ","):
        with pytest.raises(UsageError, match="empty"):
            parse_addresses([empty])
