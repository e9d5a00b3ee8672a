"""Whatever tenants write and whatever Slurm prints: nothing is faked, nothing raises."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.slurm import capacity, parse
from gateway.slurm.answers import read_answer
from gateway.slurm.runner import Answer
from gateway.testing import slurm_text
from gateway.testing.fake_controller import FakeJob

MARK = "\x1e5eed\x1e"
PIECES = st.sampled_from(["\n", "\x1f", "\x1e", "36", "COMPLETED", "N/A", ":", "|", " ", "%", "\0", "é", ""])
FREE = st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=8).map("".join).filter(lambda text: "5eed" not in text)
NOISE = st.lists(st.one_of(PIECES, st.just(MARK), st.text(max_size=6)), max_size=60).map("".join)


def job(number: int, name: str, workdir: str) -> FakeJob:
    return FakeJob(
        job_id=number,
        split=True,
        user="ada",
        uid=1000,
        name=name,
        account="acme",
        partition="cpu",
        workdir=workdir,
        submitted=number,
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(FREE, FREE), max_size=5))
def test_names_and_directories_come_back_as_they_were_written(texts: list[tuple[str, str]]) -> None:
    # A mark is made anew for each query: what was written before cannot hold its digits, but anything else.
    jobs = [job(number, *each) for number, each in enumerate(texts, 1)]
    found, unread = parse.queue(slurm_text.squeue(jobs, MARK), MARK)
    assert unread == 0
    assert [(one.job_id, one.name, one.workdir) for one in found] == [
        (str(n), *each) for n, each in enumerate(texts, 1)
    ]


@settings(max_examples=150, deadline=None)
@given(NOISE)
def test_no_text_makes_a_parser_raise(text: str) -> None:
    parse.queue(text, MARK)
    parse.accounting(text, MARK)
    capacity.pools(text)
    parse.controller(text)
    parse.accounting_backlog(text)
    read_answer(Answer(exit_code=1, stdout=text, stderr=text, error=None, started=0, ended=0))
    read_answer(Answer(exit_code=0, stdout=text, stderr=text, error=None, started=0, ended=0))
