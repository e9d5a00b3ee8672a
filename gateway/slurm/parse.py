"""Read what Slurm's commands print, never trusting it to be complete: pure.

What cannot be understood is counted as unread and costs nothing else. `queue` reads 10,000 jobs in well below 100 ms.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from gateway.ids import SlurmJobId
from gateway.slurm import values
from gateway.slurm.commands import ACCOUNTING_FIELDS, QUEUE_FIELDS, SEPARATOR
from gateway.slurm.states import phase_of, state_word
from gateway.slurm.transport import Outcome, SlurmJob
from gateway.states import Phase

_CONFIG: Final = re.compile(r"^(\w+)\s*=\s(.*?)\s*$", re.MULTILINE)
_DBD_QUEUE: Final = re.compile(r"^DBD Agent queue size:\s*(\d+)", re.MULTILINE)

_duration = lru_cache(maxsize=1024)(values.duration)
_wait_status = lru_cache(maxsize=1024)(values.wait_status)
_phase = lru_cache(maxsize=256)(phase_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """What `scontrol show config` says of a running slurmctld."""

    version: str
    boot_time: int
    private: frozenset[str]
    """What ordinary users may not see of others: `jobs`, `nodes`, …"""
    slurm_user: str
    accounting: bool
    """Whether there is a slurmdbd."""


def queue(text: str, mark: str) -> tuple[list[SlurmJob], int]:
    """Read squeue's answer; returns the jobs and how many records could not be understood."""
    # Every record is: fields, name, mark, working directory, mark, newline. Only we know the mark, so whatever a
    # tenant wrote into name or directory stays inside them.
    pieces = text.split(mark)
    unread = int(pieces.pop().strip() != "")
    if len(pieces) % 2:
        pieces.pop()
        unread = 1
    jobs = []
    for head, workdir in zip(pieces[::2], pieces[1::2], strict=True):
        try:
            jobs.append(_job(head.removeprefix("\n").split(SEPARATOR, len(QUEUE_FIELDS)), workdir))
        except ValueError:
            unread += 1
    return jobs, unread


def recollection(job: SlurmJob) -> Outcome:
    """Take what the controller remembers of a job for how it ended."""
    ran = job.started is not None and job.ended is not None
    return Outcome(
        job_id=job.job_id,
        array_job_id=job.array_job_id,
        array_task=values.number(job.array_tasks or ""),
        uid=job.uid,
        state=job.state,
        exit_code=job.exit_code or 0,
        signal=job.signal,
        submitted=job.submitted,
        started=job.started,
        ended=job.ended,
        elapsed_s=max(0, (job.ended or 0) - (job.started or 0)) if ran else None,
        cpus=job.cpus,
        nodes=job.nodes,
        node_list=job.node_list,
        failed_node=None,
        max_rss_kb=None,
        workdir=job.workdir,
        tres=job.tres,
    )


def accounting(text: str, mark: str) -> tuple[list[Outcome], int]:
    """Read sacct's answer, oldest first; a job's steps only add the memory they used, the largest task of any.

    For up to 5 s slurmdbd shows a short job as ended, by user 0 and without a directory (seen on 22.05.8, with an
    empty queue between slurmctld and slurmdbd). Such a record does not say whose it is and is left out.
    """
    *records, rest = text.split(f"{mark}\n")
    unread = int(rest.strip() != "")
    outcomes: list[Outcome] = []
    current: str | None = None
    for record in records:
        fields = record.split(mark)
        job_id, dot, _step = fields[1].partition(".") if len(fields) == len(ACCOUNTING_FIELDS) else ("", "", "")
        if not job_id.isdecimal():
            unread += 1
        elif not dot:
            current = job_id if fields[0] else None
            outcomes += [_outcome(fields)] if current else []
        elif job_id == current:
            peak_kb = (values.size(fields[-2]) or 0) // 1024
            outcomes[-1] = replace(outcomes[-1], max_rss_kb=max(outcomes[-1].max_rss_kb or 0, peak_kb) or None)
    return sorted(outcomes, key=lambda one: one.submitted or 0), unread


def controller(text: str) -> Controller | None:
    """Read `scontrol show config`; None when what matters is missing."""
    said = dict(_CONFIG.findall(text))
    boot_time = values.moment(said.get("BOOT_TIME", ""))
    version = said.get("SLURM_VERSION", "")
    if boot_time is None or not version:
        return None
    return Controller(
        version=version,
        boot_time=boot_time,
        private=frozenset(said.get("PrivateData", "none").replace("none", "").split(",")) - {""},
        slurm_user=said.get("SlurmUser", "").partition("(")[0],
        accounting="slurmdbd" in said.get("AccountingStorageType", ""),
    )


def accounting_backlog(text: str) -> int | None:
    """Read from sdiag how many records slurmctld still has to send to slurmdbd."""
    found = _DBD_QUEUE.search(text)
    return None if found is None else int(found[1])


def _job(fields: Sequence[str], workdir: str) -> SlurmJob:
    """Raises ValueError when a field that no decision can do without is missing."""
    job_id, array, tasks, state, reason, uid, submitted, started, ended, limit, cpus, nodes, where, status = fields[:14]
    account, partition, tres, name = fields[14:]
    if not (job_id.isdecimal() and state):
        raise ValueError(job_id)
    state = state_word(state)
    phase = _phase(state)
    over = phase is Phase.FINALIZING
    exit_code, signal = _wait_status(status) if over else (None, None)
    in_array = tasks not in {"N/A", ""}
    return SlurmJob(
        job_id=SlurmJobId(job_id),
        array_job_id=SlurmJobId(array) if in_array else None,
        array_tasks=tasks if in_array else None,
        state=state,
        reason="" if reason == "None" else reason,
        uid=int(uid),
        name=name,
        account=account,
        partition=partition,
        submitted=values.moment(submitted),
        # Of a job that has not started this is when Slurm thinks it will, of one that runs when its limit is over.
        started=None if phase is Phase.QUEUED else values.moment(started),
        ended=values.moment(ended) if over else None,
        time_limit_s=_duration(limit),
        cpus=int(cpus or 0),
        nodes=int(nodes or 0),
        node_list=where,
        workdir=workdir,
        exit_code=exit_code,
        signal=signal,
        tres=tres,
    )


def _outcome(fields: Sequence[str]) -> Outcome:
    workdir, raw_id, shown_id, uid, state, code, submitted, started, ended, elapsed, cpus, nodes, where = fields[:13]
    array, underscore, task = shown_id.partition("_")
    exit_code, signal = values.exit_pair(code)
    return Outcome(
        job_id=SlurmJobId(raw_id),
        array_job_id=SlurmJobId(array) if underscore else None,
        array_task=values.number(task),
        uid=values.number(uid),
        state=state_word(state),
        exit_code=exit_code,
        signal=signal,
        submitted=values.moment(submitted),
        started=values.moment(started),
        ended=values.moment(ended),
        elapsed_s=values.number(elapsed),
        cpus=values.number(cpus),
        nodes=values.number(nodes),
        node_list="" if where == "None assigned" else where,
        failed_node=None,
        max_rss_kb=None,
        workdir=workdir,
        tres=fields[-1],
    )
