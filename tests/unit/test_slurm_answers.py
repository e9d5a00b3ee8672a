"""What sbatch said, and what follows. The texts are those of sbatch 22.05.8, unless a case says otherwise."""

from dataclasses import replace

import pytest

from gateway.ids import SlurmJobId
from gateway.slurm.answers import Accepted, Refused, Uncertain, read_answer
from gateway.slurm.runner import Answer

FAILED = "sbatch: error: Batch job submission failed: "


def answer(exit_code: int | None, stdout: str = "", stderr: str = "", error: str | None = None) -> Answer:
    return Answer(exit_code=exit_code, stdout=stdout, stderr=stderr, error=error, started=1.0, ended=2.0)


@pytest.mark.parametrize(
    ("stdout", "accepted"),
    [
        ("36\n", Accepted(job_id=SlurmJobId("36"))),
        ("36;other\n", Accepted(job_id=SlurmJobId("36"), cluster="other")),
        ("lua: have a nice day\n67108865\n", Accepted(job_id=SlurmJobId("67108865"))),
    ],
)
def test_an_id_on_a_line_of_its_own_is_an_acceptance(stdout: str, accepted: Accepted) -> None:
    assert read_answer(answer(0, stdout, "sbatch: warning: something\n")) == accepted


@pytest.mark.parametrize("stdout", ["", "Submitted batch job 36\n", "36\n37\n", "36.5\n"])
def test_success_without_exactly_one_id_is_doubt(stdout: str) -> None:
    assert isinstance(read_answer(answer(0, stdout)), Uncertain)


@pytest.mark.parametrize(
    "stderr",
    [
        FAILED + "Unable to contact slurm controller (connect failure)\n",
        FAILED + "Socket timed out on send/recv operation\n",
        FAILED + "Zero Bytes were transmitted or received\n",
        FAILED + "Unspecified error\n",
        FAILED + "Protocol authentication error\n",
        FAILED + "Resource temporarily unavailable\n",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n",
        "sbatch: error: If munged is up, restart with --num-threads=10\n"
        + FAILED
        + "Invalid authentication credential\n",
        "sbatch: fatal: Could not establish a configuration source\n",
        "sbatch: error: Invalid partition\n" + FAILED + "Insane message length\n",
    ],
)
def test_a_lost_answer_is_doubt_and_never_a_refusal(stderr: str) -> None:
    verdict = read_answer(answer(1, "", stderr))
    assert isinstance(verdict, Uncertain)
    assert "sbatch:" not in verdict.message


@pytest.mark.parametrize(
    "given",
    [
        answer(-9),
        answer(None, error="deadline"),
        answer(None, error="void"),
        answer(1),
        answer(1, "36\n", FAILED + "Invalid partition name specified\n"),
    ],
    ids=["killed", "deadline", "void", "silent", "an id and an error"],
)
def test_an_answer_that_is_none_is_doubt(given: Answer) -> None:
    assert isinstance(read_answer(given), Uncertain)


@pytest.mark.parametrize(
    ("exit_code", "stderr", "sentence"),
    [
        (
            1,
            "sbatch: error: invalid partition specified: nope\n" + FAILED + "Invalid partition name specified\n",
            "invalid partition specified: nope; Invalid partition name specified. Choose one of the partitions",
        ),
        (1, FAILED + "Invalid account or account/partition combination specified\n", "leave `--account` out"),
        (1, FAILED + "Invalid qos specification\n", "leave `--qos` out"),
        (1, FAILED + "Invalid feature specification\n", "`--constraint`"),
        (1, "sbatch: error: Invalid generic resource (gres) specification\n", "`--gres`"),
        (1, FAILED + "Requested reservation is invalid\n", "reservation"),
        (1, FAILED + "Invalid node name specified\n", "`--nodelist`"),
        (1, FAILED + "Invalid license specification\n", "licence"),
        (1, FAILED + "Invalid job array specification\n", "MaxArraySize"),
        (
            1,
            "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
            + FAILED
            + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n",
            "quality of service is reached",
        ),
        (
            1,
            "sbatch: error: AssocMaxSubmitJobLimit\n" + FAILED + "Job violates accounting/QOS policy\n",
            "limit of your account is reached",
        ),
        (255, "sbatch: error: Invalid --time specification\n", "Invalid --time specification."),
        (
            255,
            "sbatch: unrecognized option '--bogus'\nTry \"sbatch --help\" for more information\n",
            "unrecognized option '--bogus'. This cluster's Slurm has no such option.",
        ),
        (1, FAILED + "A sentence that no table here knows\n", "A sentence that no table here knows."),
    ],
)
def test_a_refusal_says_what_slurm_said_and_what_to_do(exit_code: int, stderr: str, sentence: str) -> None:
    verdict = read_answer(answer(exit_code, "", stderr))
    assert isinstance(verdict, Refused)
    assert sentence.lower() in verdict.message.lower()


def test_earlier_tries_do_not_turn_a_refusal_into_doubt() -> None:
    stderr = (
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n"
        + FAILED
        + "Invalid qos specification\n"
    )
    assert isinstance(read_answer(answer(1, "", stderr)), Refused)


def test_a_sites_wrapper_around_a_killed_sbatch_has_not_refused():
    said = Answer(exit_code=137, stdout="", stderr="Killed\n", error=None, started=0.0, ended=1.0)
    assert isinstance(read_answer(said), Uncertain)
    assert isinstance(read_answer(replace(said, stderr="sbatch: error: x\nKilled\n")), Uncertain)
    assert isinstance(read_answer(replace(said, exit_code=1)), Uncertain)
