"""Our verdict on recorded scripts is that of the real sbatch of Slurm 22.05.8, or differs for a reason we name."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.directives import Parsed, parse_script
from gateway.directives.demand import NodeShape, demand
from gateway.directives.values.arrays import parse_array
from gateway.directives.values.moments import Moment

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "sbatch-cases-22.05.json").read_text())["cases"]

# label -> (do we accept it?, why this differs from sbatch)
DIFFERENT = {
    "CRLF": (True, "kinder: DOS line breaks are repaired, with a warning"),
    "get-user-env": (False, "stricter: it would start a login shell outside of the job"),
    "hetjob": (False, "stricter: heterogeneous jobs are not supported yet"),
    "packjob": (False, "stricter: heterogeneous jobs are not supported yet"),
    "constraint absent": (True, "only the cluster knows its features; refused at submission"),
    "gpus absent": (True, "only the cluster knows its GPUs; refused at submission"),
    "gres absent": (True, "only the cluster knows its generic resources; refused at submission"),
    "licenses absent": (True, "only the cluster knows its licences; refused at submission"),
    "qos absent": (True, "only the cluster knows its QOS; refused at submission, or replaced by the site's rules"),
}


@pytest.mark.parametrize("case", CASES, ids=[case["label"] for case in CASES])
def test_verdict_and_values_are_those_of_sbatch(case: dict[str, Any]) -> None:
    parsed = parse_script(case["script"].encode(), [*case["options"].split(), "s.sh"])

    sbatch_accepts = case["exit"] == 0
    accepts, _ = DIFFERENT.get(case["label"], (sbatch_accepts, ""))
    assert not parsed.errors if accepts else parsed.errors
    if accepts and sbatch_accepts:
        shown = dict(pair.split("=", 1) for pair in case["scontrol"].split())
        assert {name: _ours(parsed, name, text) for name, text in shown.items()} == shown


def test_every_listed_difference_is_one() -> None:
    verdicts = {case["label"]: case["exit"] == 0 for case in CASES}
    assert all(verdicts[label] is not accepts for label, (accepts, _) in DIFFERENT.items())


def test_an_ambiguous_prefix_is_answered_in_the_words_of_sbatch() -> None:
    case = next(case for case in CASES if case["label"] == "abbreviated long option")
    [error] = parse_script(case["script"].encode()).errors
    assert case["stderr"].split(";Try")[0] == f"sbatch: {error.message}"


def _ours(parsed: Parsed, name: str, theirs: str) -> str:
    """Say what `scontrol show job` would for our reading; the record ends every value at its first blank."""
    d = parsed.directives
    match name:
        case "JobName":
            return str(d.job_name).split()[0]
        case "Comment":
            return str(d.comment).split()[0]
        case "TimeLimit":
            return str(d.time_limit).removeprefix("0-")
        case "NumNodes":
            return f"{d.nodes.min}-{d.nodes.max}" if d.nodes else ""
        case "NumTasks":
            return str(demand(d, NodeShape()).tasks)
        case "MinMemoryNode":
            return str(d.mem_per_node.mb) if d.mem_per_node else ""
        case "OverSubscribe":
            return str(d.exclusive).upper()
        case "StdOut":
            return f"<cwd>/{d.output}"
        case "ArrayTaskThrottle":
            return str(d.array.throttle) if d.array else ""
        case "ArrayTaskId":
            same = d.array and _indexes(str(d.array)) == _indexes(theirs)
            return theirs if same else str(d.array)
        case "EligibleTime" | "StartTime":
            # The record's clock is gone; what stays is that it is an hour from then.
            return theirs if d.begin == Moment(text="now+1hour", offset=3600) else str(d.begin)
    return "not compared"


def _indexes(text: str) -> set[int]:
    return {index for first, last, step in parse_array(text).ranges for index in range(first, last + 1, step)}
