"""The dev cluster's settings refuse what cannot work and come back from the state directory as they were."""

from pathlib import Path

import pytest

from gateway.devcluster.errors import DevClusterError
from gateway.devcluster.settings import DevSettings


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("root", Path("/tmp/sgw"), "/tmp"),
        ("root", Path("/tmp"), "/tmp"),
        ("root", Path("relative"), "absolute"),
        ("name", "far-too-long", "at most 9"),
        ("name", "a.b", "letters"),
        ("base_port", 32768, "32765"),
        ("base_port", 80, "1024"),
        ("subnet", "10.77", "three numbers"),
        ("subnet", "10.77.256", "three numbers"),
        ("subnet", "10.77.0.0/24", "three numbers"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(field: str, value: object, word: str):
    with pytest.raises(DevClusterError, match=word):
        DevSettings(**{field: value})  # type: ignore[arg-type]


def test_settings_survive_the_state_directory():
    settings = DevSettings(root=Path("/srv/x"), name="other", accounting=False, tenants={"t": ("u", "v")})

    assert DevSettings.from_json(settings.to_json()) == settings


def test_every_machine_has_its_own_address_and_a_device_name_that_fits():
    settings = DevSettings(name="a23456789")

    addresses = [machine.address for machine in settings.machines] + [settings.controller]
    assert len(set(addresses)) == len(addresses)
    assert all(len(f"{settings.name}-{machine.name}") <= 15 for machine in settings.machines)
    assert len(settings.bridge) <= 15


def test_an_unknown_machine_is_refused_with_those_there_are():
    with pytest.raises(DevClusterError, match="c1, c2, c3, c4, b1, b2, login"):
        DevSettings().machine("c9")
