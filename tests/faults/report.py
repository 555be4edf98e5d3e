"""What a run of faults did and found, as Markdown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.checks import is_imported, length_of, phase_of, unpruned
from tests.faults.plan import Fault, Target, Way
from tests.support.kubectl import Object

_HEAD = """\
# Faults

Made by `make test-faults`: see [README.md](README.md#faults). How often each target was struck,
and what became of it all.
"""


@dataclass
class Result:
    """``wrong``: what must hold and does not, in sentences."""

    seed: int
    minutes: float
    faults: Sequence[Fault] = ()
    missed: Sequence[Fault] = ()
    came_back: Sequence[str] = ()
    runs: Sequence[Object] = ()
    restored: int = 0
    mails: int = 0
    doubled: int = 0
    entries: int = 0
    calm_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def markdown(result: Result) -> str:
    """A table of the faults, what became of the runs, and the verdict."""
    struck = Counter((fault.target, fault.way) for fault in result.faults)
    lines = [
        _HEAD,
        f"Seed {result.seed}, {result.minutes:g} minutes, {len(result.faults)} faults.",
        "",
        f"| target | {' | '.join(Way)} |",
        f"|---|{'---|' * len(Way)}",
    ]
    lines += [f"| {target} | {' | '.join(str(struck[target, way]) for way in Way)} |" for target in Target]
    lines += ["", *_runs(result.runs)]
    lines += [
        f"- Restored and compared: {result.restored} backups, up to {result.entries} transactions of the ledger.",
        f"- Mails: {result.mails}, {result.doubled} of them a second time under the same Message-ID.",
        f"- The first good backup of every policy, with its prune, after the last fault: {result.calm_seconds:.0f} s.",
    ]
    if result.missed:
        lines.append(f"- Not struck, as there was nothing to strike: {', '.join(map(str, result.missed))}.")
    if result.came_back:
        again = Counter(result.came_back)
        lines.append(f"- Ended by themselves and were started again: {', '.join(sorted(again))}.")
    lines += ["", "All is well." if not result.wrong else "**Wrong:**"]
    lines += [f"- {one}" for one in result.wrong]
    return "\n".join(lines) + "\n"


def _runs(every: Sequence[Object]) -> list[str]:
    runs = [run for run in every if not is_imported(run)]
    phases = Counter(map(phase_of, runs))
    reasons = Counter(str(run["status"].get("reason")) for run in runs if phase_of(run) != "Succeeded")
    again = sum(run["status"].get("attempts", 0) > 1 for run in runs if phase_of(run) == "Succeeded")
    longest = max((length_of(run).total_seconds() for run in runs if phase_of(run)), default=0)
    said = ", ".join(f"{count} {phase}" for phase, count in phases.most_common())
    lines = [f"- Runs: {len(runs)}, of them {said}. {again} succeeded at a later try. The longest: {longest:.0f} s."]
    if len(every) > len(runs):
        lines.append(
            f"- Given back by the catalogue, as their own run could not tell: {len(every) - len(runs)} backups."
        )
    if late := unpruned(runs):
        told = ", ".join(f"{reason} {count}" for reason, count in late.most_common())
        lines.append(f"- Good backups whose prune was left to the next one: {late.total()} ({told}).")
    if reasons:
        lines.append(f"- Reasons: {', '.join(f'{reason} {count}' for reason, count in reasons.most_common())}.")
    return lines
