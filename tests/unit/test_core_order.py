"""What the controller writes into an attempt's directory is what the wrapper in it reads."""

import json
import re
from pathlib import Path

from gateway.agent import wrapper
from gateway.controller.order import make_order
from gateway.ids import AttemptId, JobId, UnixUser
from gateway.jobs.spec import JobSpec
from gateway.settings import ClusterSettings
from tests.core_world import SPEC

CLUSTER = ClusterSettings(runas_socket=Path("/run/runas"), attempts_root=Path("/jobs"), wake_dir=Path("/wake"))
READ = set(re.findall(r'attempt(?:\.get\(|\[)"(\w+)"', Path(wrapper.__file__).read_text()))


def test_the_wrapper_finds_every_fact_that_was_written_for_it() -> None:
    spec = JobSpec.from_json({**SPEC, "args": ["one", "two three"], "env": [["A", "b"]]})
    order = make_order(
        job=JobId(7), attempt=AttemptId("7-main-1-0badcafe"), number=1, user=UnixUser("ada"), uid=1001, spec=spec,
        script=b"#!/bin/sh\n", cluster=CLUSTER, deadline=0.0,
    )  # fmt: skip
    facts = json.loads(order.files["attempt.json"])
    assert facts.keys() - READ == {"number"}, "for people only"
    assert READ - facts.keys() == {"submit_dir"}, "has a default"
    assert (facts["args"], facts["env"]) == (["one", "two three"], {"A": "b"})
