"""The ledger says what is ours after any crash: written before the making, and never wrong about another boot."""

from pathlib import Path

from gateway.devcluster.ledger import Ledger


def test_what_was_made_is_listed_in_order_until_it_is_gone(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger", boot_id="one")
    ledger.made("link", "br0")
    ledger.made("link", "c1")
    ledger.made("process", "slurmd-c1", pid=7, start_time=70)
    ledger.gone("link", "br0")

    assert [entry.name for entry in ledger.entries("link")] == ["c1"]
    assert [entry.facts for entry in ledger.entries("process")] == [{"pid": 7, "start_time": 70}]
    assert ledger.find("link", "br0") is None


def test_a_later_entry_of_the_same_name_replaces_the_earlier_one(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger", boot_id="one")
    ledger.made("process", "slurmctld", pid=7, start_time=70)
    ledger.made("process", "slurmctld", pid=8, start_time=80)

    assert [entry.facts["pid"] for entry in ledger.entries("process")] == [8]


def test_another_process_reads_what_the_first_one_wrote(tmp_path: Path):
    Ledger(tmp_path / "ledger", boot_id="one").made("netns", "c1", pin="/somewhere")

    assert Ledger(tmp_path / "ledger", boot_id="one").find("netns", "c1") is not None


def test_a_reboot_takes_everything_but_users_along(tmp_path: Path):
    before = Ledger(tmp_path / "ledger", boot_id="one")
    before.made("process", "slurmctld", pid=7, start_time=70)
    before.made("link", "br0")
    before.made("user", "sgwdemo-ada")

    after = Ledger(tmp_path / "ledger", boot_id="two")

    assert after.entries("process") == []
    assert after.entries("link") == []
    assert [entry.name for entry in after.entries("user")] == ["sgwdemo-ada"]


def test_a_line_cut_by_a_crash_announces_nothing(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger", boot_id="one")
    ledger.made("link", "br0")
    with ledger.path.open("a") as file:
        file.write('{"op": "made", "kind": "li')

    assert [entry.name for entry in ledger.entries("link")] == ["br0"]


def test_what_is_written_after_a_cut_line_is_read(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger", boot_id="one")
    with ledger.path.open("a") as file:
        file.write('{"op": "made", "kind": "li')
    ledger.made("link", "br0")

    assert [entry.name for entry in ledger.entries("link")] == ["br0"]
