"""Read and write what a job waits for; the numbers are the gateway's job ids."""

import re
from dataclasses import dataclass

from gateway.directives.diagnostics import BadValue

AFTER = ("after", "afterany", "afterburstbuffer", "aftercorr", "afternotok", "afterok")
_TYPE = re.compile(r"([a-z]+)(?::(.+))?", re.IGNORECASE)
_TARGET = re.compile(r"(slurm:)?(\d{1,10})(?:_(\d{1,10}|\*))?(?:\+(\d{1,8}))?", re.IGNORECASE | re.ASCII)
_TARGETS = re.compile(r"(?:slurm:)?[^:]+", re.IGNORECASE)
_HINT = (
    "use type:id[:id…] with afterok, afterany, afternotok, aftercorr or after, or singleton; slurm:ID names a Slurm job"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One job to wait for, or `singleton`."""

    type: str
    """One of AFTER, or `singleton`, which has no job."""
    job: int | None = None
    in_slurm: bool = False
    """The number is Slurm's and passes through; otherwise it is the gateway's."""
    task: str | None = None
    """A task of an array job: its number, or `*`."""
    delay_minutes: int = 0

    def __str__(self) -> str:
        if self.job is None:
            return self.type
        task = f"_{self.task}" if self.task else ""
        delay = f"+{self.delay_minutes}" if self.delay_minutes else ""
        return f"{self.type}:{'slurm:' if self.in_slurm else ''}{self.job}{task}{delay}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Everything a job waits for: all of it, or with `any` the first that comes true."""

    items: tuple[Dependency, ...]
    any: bool = False

    def __str__(self) -> str:
        return ("?" if self.any else ",").join(str(item) for item in self.items) or "0"


def parse_dependencies(text: str) -> Dependencies:
    """Read `--dependency`: `afterok:12:13,afterany:slurm:99`, `singleton`, `a?b` for any of them, `0` for none."""
    if text == "0":
        return Dependencies(items=())
    if "," in text and "?" in text:
        raise BadValue("mixes ',' (all) with '?' (any)", "use one of the two")
    items = [item for part in re.split("[,?]", text) for item in _parse_one(part)]
    return Dependencies(items=tuple(items), any="?" in text)


def _parse_one(text: str) -> list[Dependency]:
    if text.lower() == "singleton":
        return [Dependency(type="singleton")]
    if text.isdecimal():
        text = f"afterany:{text}"  # sbatch's old form, a bare job number
    match = _TYPE.fullmatch(text)
    kind = match[1].lower() if match else ""
    if not match or kind not in AFTER or not match[2] or match[2].startswith(":") or match[2].endswith(":"):
        raise BadValue(f"{text!r} is not a dependency", _HINT)
    return [_parse_target(kind, target, text) for target in _TARGETS.findall(match[2])]


def _parse_target(kind: str, text: str, whole: str) -> Dependency:
    match = _TARGET.fullmatch(text)
    if not match or int(match[2]) == 0:
        raise BadValue(f"{text!r} in {whole!r} is not a job id", _HINT)
    if match[4] and kind != "after":
        raise BadValue(f"a delay ({text!r}) goes only with 'after'")
    return Dependency(
        type=kind,
        job=int(match[2]),
        in_slurm=bool(match[1]),
        task=match[3],
        delay_minutes=int(match[4] or 0),
    )
