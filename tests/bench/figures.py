"""Keep what was measured, and show it beside what we aim for, what raw Slurm did, and what the nearest rival does."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of a table. Numbers are named with their unit: `p50_ms`, `jobs_per_s`."""

    what: str
    numbers: dict[str, float] = field(default_factory=dict)
    aim: str = ""
    raw: str = ""
    """What Slurm's own commands did, in the same run."""
    rival: str = ""
    """FirecREST v2 (35e1d08) on 2 shared cores against the same Slurm 22.05.8, measured once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One table."""

    title: str
    figures: Sequence[Figure]
    note: str = ""


def spread(seconds: Sequence[float], *shares: float) -> dict[str, float]:
    """Sum latencies up, in milliseconds: p50 and p99, or the shares asked for."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        f"p{share * 100:g}_ms": ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
        for share in shares or (0.5, 0.99)
    }


def as_text(topic: Topic) -> str:
    """Write a topic as a Markdown table."""
    lines = [f"\n## {topic.title}\n", "| what | here | aim | raw Slurm | rival |", "|---|---|---|---|---|"]
    lines += [
        f"| {each.what} | {_shown(each.numbers)} | {each.aim} | {each.raw} | {each.rival} |" for each in topic.figures
    ]
    return "\n".join([*lines, *(["", topic.note] if topic.note else [])])


def as_json(topics: Sequence[Topic]) -> str:
    """Write all topics as one JSON document."""
    return json.dumps([asdict(topic) for topic in topics], indent=2)


def _shown(numbers: dict[str, float]) -> str:
    return ", ".join(_number(name, value) for name, value in numbers.items())


def _number(name: str, value: float) -> str:
    text = f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"
    words = name.split("_")
    for ending, unit in (("per_s", "/s"), ("MiB", " MiB"), ("ms", " ms"), ("s", " s"), ("percent", " %")):
        if name.endswith(f"_{ending}") or name == ending:
            label = " ".join(words[: len(words) - len(ending.split("_"))])
            return f"{label} {text}{unit}".strip()
    return f"{' '.join(words)} {text}"
