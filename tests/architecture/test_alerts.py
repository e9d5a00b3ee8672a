"""Alert on figures that exist: what the rules ask for is what the service exports."""

import re

from tests.architecture.source import ROOT, below

ALERTS = ROOT / "ansible" / "roles" / "monitoring" / "files" / "sgw-alerts.yml"
DERIVED = re.compile(r"_(bucket|sum|count|total)$")


def test_every_alert_asks_for_a_figure_that_is_exported():
    [metrics] = below("gateway/api/metrics.py")
    exported = set(re.findall(r'"(sgw_\w+)"', metrics.text))
    asked = set(re.findall(r"\bsgw_\w+", re.sub(r"#.*", "", ALERTS.read_text())))
    assert asked
    assert {name for name in asked if name not in exported and DERIVED.sub("", name) not in exported} == set()


def test_every_alert_says_what_is_wrong_and_what_to_do():
    alerts = ALERTS.read_text().split("- alert: ")[1:]
    assert len(alerts) >= 5
    for alert in alerts:
        assert re.search(r"^ +summary: \S", alert, re.MULTILINE), alert
        assert re.search(r"^ +action: \S", alert, re.MULTILINE), alert
