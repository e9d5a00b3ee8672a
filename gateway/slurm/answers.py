"""Judge what `sbatch` answered: the job is in Slurm, Slurm refused it, or nobody knows.

Only an answer that came from slurmctld, or that sbatch gave before it asked, is a refusal. Everything else is doubt:
a request whose answer got lost may have been accepted, and one that timed out was seen to be accepted later.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.ids import SlurmJobId
from gateway.slurm.runner import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Slurm has the job."""

    job_id: SlurmJobId
    cluster: str | None = None
    """Where a federation or `--clusters` put it; None is the default cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Slurm does not want the job as it is, and will not want it later either."""

    message: str
    """For its owner: what Slurm said, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """Nothing follows: the job may or may not be in Slurm."""

    message: str


SbatchVerdict = Accepted | Refused | Uncertain

_REFUSALS: Final = frozenset({1, 255})
"""sbatch ends so when slurmctld, or it itself, says no. A site's wrapper around a killed sbatch ended with 137."""

_ID: Final = re.compile(r"(\d+)(?:;(\S+))?")
_PREFIX: Final = re.compile(r"^sbatch: (?:error: )?(?:Batch job submission failed: )?")
_NOISE: Final = re.compile(r'^Try "sbatch --help"|^sbatch: (?:debug|info|verbose|warning|lua)', re.IGNORECASE)
_STDERR_MAX: Final = 2000

# Slurm's texts (src/common/slurm_errno.c) for a request without an answer, and for "not now".
_NO_ANSWER: Final = re.compile(
    r"""
      unable[ ]to[ ](?:contact|connect)
    | socket[ ]timed[ ]out | connection[ ](?:refused|timed[ ]out|reset) | no[ ]route[ ]to[ ]host
    | zero[ ]bytes[ ]were | insane[ ]message[ ]length | header[ ]lengths[ ]are[ ]longer
    | communication[ ](?:connection|shutdown)[ ]failure | message[ ](?:send|receive)[ ]failure
    | unexpected[ ]message | unspecified[ ]error | protocol[ ](?:authentication|version)
    | incompatible[ ]versions | munge | authentication | credential
    | backup[ ]controller | standby[ ]mode | configuration[ ]source | could[ ]not[ ]establish
    | name[ ]or[ ]service[ ]not[ ]known | failure[ ]in[ ]name[ ]resolution
    | temporarily[ ]unavailable | temporarily[ ]unable | sleeping[ ]and[ ]retrying | try[ ]again
    | job[ ]queue[ ]full | interrupted[ ]system[ ]call | cannot[ ]allocate[ ]memory
    | too[ ]many[ ]open[ ]files | resource[ ]temporarily
    """,
    re.IGNORECASE | re.VERBOSE,
)

_HINTS: Final = (
    ("Invalid partition", "Choose one of the partitions that `sgw sinfo` lists."),
    ("Invalid account", "Your account may not be used here: leave `--account` out, or ask the operator."),
    ("Invalid qos", "Leave `--qos` out, or ask the operator which ones your account has."),
    ("Invalid feature", "No node has what `--constraint` asks for."),
    ("generic resource", "No node has what `--gres` or `--gpus` asks for."),
    ("Requested time limit is invalid", "Ask for less time: the partition's longest is in `sgw sinfo`."),
    ("Requested node configuration is not available", "No node is that large: ask for fewer CPUs, GPUs or memory."),
    ("Requested partition configuration not available", "Ask for less: the partition's limits are in `sgw sinfo`."),
    ("More processors requested than permitted", "Ask for fewer CPUs."),
    ("Node count specification invalid", "Ask for a number of nodes that the partition has."),
    ("Memory specification", "Ask for less memory than a node has."),
    ("Invalid node name", "The node named in `--nodelist` or `--exclude` does not exist."),
    ("Invalid job array", "Use a smaller array: the largest task number is the cluster's `MaxArraySize`."),
    ("dependency", "`--dependency` names a job that does not exist."),
    ("reservation", "The reservation does not exist, is over, or is not yours."),
    ("license", "The cluster has no such licence."),
    ("DOS line breaks", "Save the script with UNIX line ends, for instance with `dos2unix`."),
    ("NULL character", "The file is not a script: it contains a NUL byte."),
    ("This does not look like a batch script", "Begin the script with a line such as `#!/bin/bash`."),
    ("Pathname of a file, directory or other parameter too long", "The script is larger than the cluster accepts."),
    ("QOSMax", "A limit of your quality of service is reached; it may fit when others of your jobs have ended."),
    ("AssocMax", "A limit of your account is reached; it may fit when others of your jobs have ended."),
    ("accounting/QOS policy", "The account's or QOS's limits in Slurm forbid it: ask for less, or ask the operator."),
    ("unrecognized option", "This cluster's Slurm has no such option."),
    ("Access/permission denied", "Ask the operator: Slurm does not let this user do that."),
)


def read_answer(answer: Answer) -> SbatchVerdict:
    """Judge one answer. It was written below a tenant's directory, so an accepted id still has to be found in Slurm."""
    if answer.exit_code is None:
        return Uncertain(message=f"sbatch was not started ({answer.error or 'no reason given'}).")
    said = _lines(answer.stderr)
    if answer.exit_code == 0:
        return _accepted(answer.stdout) or Uncertain(message="sbatch succeeded without saying a job id.")
    if answer.exit_code < 0:
        return Uncertain(message=f"sbatch was killed by signal {-answer.exit_code}.")
    own_words = any(line.startswith("sbatch:") for line in answer.stderr.splitlines())
    if not own_words or answer.exit_code not in _REFUSALS or _accepted(answer.stdout) is not None:
        return Uncertain(message=f"sbatch ended with exit code {answer.exit_code}: {' '.join(said) or 'no message'}")
    text = "; ".join(said)
    # The last word counts: sbatch also tells of the tries before.
    if _NO_ANSWER.search(said[-1]):
        return Uncertain(message=text)
    return Refused(message=_explain(text))


def _accepted(stdout: str) -> Accepted | None:
    """`--parsable` prints `id` or `id;cluster` on a line of its own; a site's plug-ins may print others."""
    found = [match for match in map(_ID.fullmatch, stdout.split("\n")) if match]
    if len(found) != 1:
        return None
    return Accepted(job_id=SlurmJobId(found[0][1]), cluster=found[0][2])


def _lines(stderr: str) -> list[str]:
    """Return Slurm's sentences without their prefixes and repetitions."""
    lines = [line for line in stderr[-_STDERR_MAX:].splitlines() if line.strip() and not _NOISE.search(line)]
    return list(dict.fromkeys(_PREFIX.sub("", line).strip() for line in lines))


def _explain(text: str) -> str:
    hint = next((hint for word, hint in _HINTS if word.lower() in text.lower()), None)
    sentence = text if text.endswith((".", "!", "?")) else f"{text}."
    return f"{sentence} {hint}" if hint else sentence
