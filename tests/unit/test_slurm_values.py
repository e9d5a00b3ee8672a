"""Single values, as Slurm prints them."""

import pytest

from gateway.slurm import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5:00", 300),
        ("1:00", 60),
        ("1:00:00", 3600),
        ("4-00:00:00", 345_600),
        ("1-12", 129_600),
        ("1-12:30", 131_400),
        ("30", 1800),
        ("00:00", 0),
        ("UNLIMITED", None),
        ("INVALID", None),
        ("NOT_SET", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_durations_become_seconds(text: str, seconds: int | None) -> None:
    assert values.duration(text) == seconds


@pytest.mark.parametrize("text", ["N/A", "Unknown", "None", "", "0", "2026-11-21T05:00:00", "-1"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert values.moment(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4000M", 4000 << 20),
        ("3.91G", round(3.91 * 2**30)),
        ("3468K", 3468 << 10),
        ("3670016", 3670016),
        ("0", 0),
        ("", None),
        ("16?", None),
    ],
)
def test_sizes_are_read_in_powers_of_1024(text: str, number: int | None) -> None:
    assert values.size(text) == number


def test_numbers_may_be_larger_than_64_bits_and_must_be_ascii() -> None:
    assert values.number("18446744073709551616") == 2**64
    assert values.number("١٢") is None
    assert values.number("1K") is None


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("0", (0, None)), ("768", (3, None)), ("33280", (130, None)), ("9", (0, 9)), ("253", (0, 125)), ("", (0, None))],
)
def test_a_wait_status_is_exit_code_and_signal(status: str, meaning: tuple[int, int | None]) -> None:
    assert values.wait_status(status) == meaning


@pytest.mark.parametrize(
    ("pair", "meaning"), [("3:0", (3, None)), ("0:15", (0, 15)), ("", (0, None)), (":", (0, None))]
)
def test_accountings_pair_is_exit_code_and_signal(pair: str, meaning: tuple[int, int | None]) -> None:
    assert values.exit_pair(pair) == meaning


@pytest.mark.parametrize(
    ("gres", "count"),
    [
        ("(null)", 0),
        ("", 0),
        ("gpu", 1),
        ("gpu:2", 2),
        ("gpu:a100:4(S:0-1)", 4),
        ("gpu:1g.5gb:7", 7),
        ("gpu:a100:4(S:0-1),gpu:t4:1", 5),
        ("lustre:1,gpu:2", 2),
        ("gpu_memory:80", 0),
        ("shard:8", 0),
    ],
)
def test_gpus_are_counted(gres: str, count: int) -> None:
    assert values.gpus(gres) == count
