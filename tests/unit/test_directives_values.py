"""Every kind of value is read by sbatch's rules and written back so that it means the same."""

from datetime import datetime, timedelta, timezone

import pytest

from gateway.directives.diagnostics import BadValue
from gateway.directives.values.arrays import parse_array
from gateway.directives.values.choices import parse_mail_types
from gateway.directives.values.dependencies import Dependency, parse_dependencies
from gateway.directives.values.durations import parse_duration, parse_time_limit
from gateway.directives.values.exports import Export, parse_export
from gateway.directives.values.gres import Gres, parse_gpus, parse_gres
from gateway.directives.values.hosts import fold_hosts, parse_hosts, unfold_hosts
from gateway.directives.values.moments import parse_moment
from gateway.directives.values.quantities import parse_count, parse_integer, parse_memory, parse_nodes
from gateway.directives.values.signals import Signal, parse_signal
from gateway.directives.values.words import check_plain, parse_names, parse_path

NOW = datetime(2026, 3, 10, 15, 30, 20, tzinfo=timezone(timedelta(hours=1)))
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", HOUR), ("10:00", 10 * MINUTE), ("10:30", 11 * MINUTE), ("1:0:0", HOUR), ("48:00:00", 2 * DAY),
        ("0-06", 6 * HOUR), ("1-", DAY), ("1-12:00", 36 * HOUR), ("0-00:30", 30 * MINUTE),
        ("100-23:0:00", 101 * DAY - HOUR),
        ("0:10:0", 10 * MINUTE), ("00:00:10", MINUTE), ("0", None), ("INFINITE", None), ("unlimited", None),
        ("-1", None),
    ],
)  # fmt: skip
def test_time_limits_are_full_minutes_rounded_up(text: str, seconds: int | None) -> None:
    limit = parse_time_limit(text)
    assert limit.seconds == seconds
    assert parse_time_limit(str(limit)) == limit


def test_other_durations_keep_their_seconds() -> None:
    assert parse_duration("10:30").seconds == 630


@pytest.mark.parametrize("text", ["", "abc", "30s", "1:2:3:4", "1-2-3", "-5", "1.5", "9" * 40, "1::2", "\u0661"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_time_limit(text)


@pytest.mark.parametrize(
    ("text", "mb"),
    [("40", 40), ("460000", 460000), ("500M", 500), ("12g", 12288), ("512MB", 512), ("440gb", 450560),
     ("1T", 2**20),
     ("1023K", 1), ("1025k", 2), ("0", 0)],
)  # fmt: skip
def test_memory_is_in_megabytes_with_and_without_a_unit(text: str, mb: int) -> None:
    assert parse_memory(text).mb == mb
    assert parse_memory(str(parse_memory(text))).mb == mb


@pytest.mark.parametrize("text", ["", "-1", "1.5G", "1Gi", "G", "4 G", "4GG", "9" * 30, "9" * 18 + "T"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_memory(text)


@pytest.mark.parametrize(
    ("text", "low", "high", "canonical"),
    [
        ("2", 2, 2, "2"),
        ("2-4", 2, 4, "2-4"),
        ("-4", 1, 4, "1-4"),
        ("1k", 1024, 1024, "1024"),
        ("1-2K", 1, 2048, "1-2048"),
    ],
)
def test_node_counts_are_ranges(text: str, low: int, high: int, canonical: str) -> None:
    nodes = parse_nodes(text)
    assert (nodes.min, nodes.max, str(nodes)) == (low, high, canonical)


@pytest.mark.parametrize("text", ["0", "0-2", "4-2", "2-", "=2", "x", "", "-", "1,2", "9" * 25])
def test_what_is_no_node_count_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_nodes(text)


def test_counts_are_whole_and_bounded() -> None:
    assert parse_count("0032") == 32
    assert parse_integer("-5") == -5
    for text in ["0", "-1", "1e3", "1.0", "", "2147483648", " 1", "1_000"]:
        with pytest.raises(BadValue):
            parse_count(text)


@pytest.mark.parametrize(
    ("text", "count", "throttle", "canonical"),
    [("1,3-5%2", 4, 2, "1,3-5%2"), ("0-10:5", 3, None, "0-10:5"), ("[1-3]", 3, None, "1-3"),
     ("1-100:20", 5, None, "1-100:20"),
     ("4,7,22", 3, None, "4,7,22"), ("1-10,5-15", 15, None, "1-10,5-15"), ("7,7", 1, None, "7,7"),
     ("1-5%0", 5, None, "1-5"),
     ("1,5-20%4", 17, 4, "1,5-20%4"), ("0-4,[6]", 6, None, "0-4,6")],
)  # fmt: skip
def test_array_tasks_are_counted_once_each(text: str, count: int, throttle: int | None, canonical: str) -> None:
    array = parse_array(text)
    assert (array.count(cap=1000), array.throttle, str(array)) == (count, throttle, canonical)


def test_a_huge_array_is_counted_without_being_listed() -> None:
    assert parse_array("0-999999999").count(cap=1000) == 1_000_000_000
    assert parse_array("0-999999999,5-999999999").count(cap=1000) > 1000


@pytest.mark.parametrize("text", ["", "a", "5-1", "1-5:0", "1,,2", "-1", "1-2-3", "1%x", "9" * 12, "1-5:"])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_array(text)


def test_gres_have_names_types_and_counts() -> None:
    gres = parse_gres("gpu:gh200:4,nvme:1k,shard")
    assert gres.items == (
        Gres(name="gpu", type="gh200", count=4),
        Gres(name="nvme", count=1024),
        Gres(name="shard", count=1),
    )
    assert (gres.gpus, str(gres)) == (4, "gpu:gh200:4,nvme:1024,shard:1")
    assert parse_gres("gpu:H100.10gb:1").items == (Gres(name="gpu", type="H100.10gb"),)
    assert parse_gres("gpu:4").items == (Gres(name="gpu", count=4),)
    assert str(parse_gres("none")) == "none"


@pytest.mark.parametrize("text", ["", "gpu:", ":2", "gpu:a:b:1", "gpu:-1", "gpu,", "help", "gpu:2;rm"])
def test_what_is_no_gres_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_gres(text)


def test_gpus_may_have_types_and_a_socket_suffix() -> None:
    gpus = parse_gpus("volta:3,kepler:1")
    assert (gpus.count, str(gpus)) == (4, "volta:3,kepler:1")
    assert parse_gpus("tesla_v100-pcie-16gb:1(S:0)").items == (("tesla_v100-pcie-16gb", 1),)
    for text in ["", "foo", "volta:", "-1", "volta:x"]:
        with pytest.raises(BadValue):
            parse_gpus(text)


def test_dependencies_name_jobs_of_the_gateway_or_of_slurm() -> None:
    wanted = parse_dependencies("afterok:12:13_4,AFTERANY:slurm:99,singleton,after:7+10")
    assert wanted.items == (
        Dependency(type="afterok", job=12),
        Dependency(type="afterok", job=13, task="4"),
        Dependency(type="afterany", job=99, in_slurm=True),
        Dependency(type="singleton"),
        Dependency(type="after", job=7, delay_minutes=10),
    )
    assert str(wanted) == "afterok:12,afterok:13_4,afterany:slurm:99,singleton,after:7+10"
    assert parse_dependencies(str(wanted)) == wanted


def test_a_question_mark_means_any_and_a_bare_number_means_afterany() -> None:
    either = parse_dependencies("afterok:1?afternotok:2_*")
    assert (either.any, str(either)) == (True, "afterok:1?afternotok:2_*")
    assert parse_dependencies("17").items == (Dependency(type="afterany", job=17),)
    assert parse_dependencies("0").items == ()


@pytest.mark.parametrize(
    "text", ["", "foo", "afterok", "afterok:", "afterok:x", "afterok:0", "expand:5", "afterok:1,afterany:2?singleton",
             "afterok:1+5", "afterok:slurm:", "afterok::1", "$JOB", "afterok:1,"]
)  # fmt: skip
def test_what_is_no_dependency_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_dependencies(text)


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("USR1", Signal(number=10)), ("SIGUSR2@600", Signal(number=12, seconds=600)),
        ("kill", Signal(number=9)),
        ("B:USR1@30", Signal(number=10, seconds=30, batch_shell=True)),
        ("15@180", Signal(number=15, seconds=180)),
        ("RB:TERM", Signal(number=15, batch_shell=True, reservation=True)),
        ("BUSR1", Signal(number=10, batch_shell=True)),
    ],
)  # fmt: skip
def test_signals_have_names_numbers_and_flags(text: str, signal: Signal) -> None:
    assert parse_signal(text) == signal
    assert parse_signal(str(signal)) == signal


@pytest.mark.parametrize("text", ["", "FOO", "0", "65", "USR1@", "USR1@70000", "X:USR1", "USR1@5s"])
def test_what_is_no_signal_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_signal(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-03-10T15:30:20"), ("now+1hour", "2026-03-10T16:30:20"),
        ("now+90", "2026-03-10T15:31:50"),
        ("now + 2 days", "2026-03-12T15:30:20"), ("now-1minute", "2026-03-10T15:29:20"),
        ("16:00", "2026-03-10T16:00:00"),
        ("15:30", "2026-03-11T15:30:00"), ("3:00 PM", "2026-03-11T15:00:00"),
        ("12:15am", "2026-03-11T00:15:00"),
        ("midnight", "2026-03-11T00:00:00"), ("teatime", "2026-03-10T16:00:00"),
        ("tomorrow", "2026-03-11T00:00:00"),
        ("today 18:00", "2026-03-10T18:00:00"), ("2026-01-20T12:34", "2026-01-20T12:34:00"),
        ("2026-01-20", "2026-01-20T00:00:00"),
        ("01/20/27-10:00:05", "2027-01-20T10:00:05"), ("0120", "2027-01-20T00:00:00"),
        ("12.24", "2026-12-24T00:00:00"),
        ("uts1800000000", "2027-01-15T09:00:00"), ("02/29", "2028-02-29T00:00:00"),
    ],
)  # fmt: skip
def test_moments_are_resolved_when_they_are_asked_for(text: str, expected: str) -> None:
    moment = parse_moment(text)
    assert moment.at(NOW).replace(tzinfo=None).isoformat() == expected
    assert str(moment) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "later", "25:00", "13/40", "2026-02-30", "now+1parsec", "13:00pm", "-", "uts5",
        "now+99999999days", "now-999999999weeks", "0000-01-01", "9999-12-31T23:59:59",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_moment(text)


def test_exports_keep_quoted_values_together() -> None:
    export = parse_export("ALL,PATH,STAGE=x,LIST='1,2',EMPTY=")
    assert export == Export(everything=True, names=("PATH",), values=(("STAGE", "x"), ("LIST", "1,2"), ("EMPTY", "")))
    assert parse_export(str(export)) == export
    assert str(parse_export("none")) == "NONE"
    assert str(parse_export("all")) == "ALL"
    for text in ["", "A=1,,B", "1A=2", "A-B", "X='1,2", "$(id)"]:
        with pytest.raises(BadValue):
            parse_export(text)


def test_node_lists_are_counted_and_never_read_from_a_file() -> None:
    assert parse_hosts("n[1-3,7],m2").count == 5
    assert parse_hosts("r[1-2]n[01-10]").count == 20
    for text in ["/etc/passwd", "./hosts", "", "n[1-", "n[1-x]", "a b", "n[1-999999999]"]:
        with pytest.raises(BadValue):
            parse_hosts(text)


def test_words_are_checked() -> None:
    assert parse_names("a,,b") == ("a", "b")
    assert parse_mail_types("begin,END") == "BEGIN,END"
    assert parse_path("NONE") == "/dev/null"
    assert parse_path("~/%x-$HOME") == "~/%x-$HOME"
    for parse, text in [(parse_names, "a b"), (parse_names, ""), (parse_mail_types, "BEGIN,SOON"), (parse_path, " ")]:
        with pytest.raises(BadValue):
            parse(text)


@pytest.mark.parametrize("text", ["a\nb", "a\0b", "\x1b[31m", "a\x7f", "\x85", "\u2028", "\udcff", "x" * 11])
def test_control_characters_broken_text_and_length_are_refused(text: str) -> None:
    with pytest.raises(BadValue):
        check_plain(text, longest=10)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("c1", ["c1"]),
        ("c[9-11]", ["c9", "c10", "c11"]),
        ("c[1-2,5],login", ["c1", "c2", "c5", "login"]),
        ("n[07-09,10]", ["n07", "n08", "n09", "n10"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("gpu,gpu1", ["gpu", "gpu1"]),
        ("", []),
    ],
)
def test_lists_of_hosts_are_unfolded(text: str, names: list[str]) -> None:
    assert unfold_hosts(text) == names


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["c10", "c2", "c1", "c9", "c1"], "c[1-2,9-10]"),
        (["n100", "n098", "n099", "n97"], "n[97,098-100]"),
        (["login", "b1", "gpu1", "gpu"], "b1,gpu,gpu1,login"),
        (["r1n1", "r1n2", "r2n1"], "r1n[1-2],r2n1"),
        ([], ""),
    ],
)
def test_names_of_hosts_are_folded_as_slurm_does(names: list[str], text: str) -> None:
    assert fold_hosts(names) == text
