"""The rows of the table, and how they get into README.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

README = Path(__file__).with_name("README.md")
_END = "<!-- end of table -->"


@dataclass(frozen=True)
class Row:
    """One measure. `values` are those of the rounds; the median counts. `at_least`: whether more is better."""

    measure: str
    values: Sequence[float]
    target: float
    unit: str = "×"  # noqa: RUF001 (it is one)
    at_least: bool = False
    detail: str = ""

    @property
    def met(self) -> bool:
        value = median(self.values)
        return value >= self.target if self.at_least else value <= self.target

    def __str__(self) -> str:
        spread = f"{min(self.values):.2f} to {max(self.values):.2f}" if len(self.values) > 1 else ""
        sign = "≥" if self.at_least else "≤"
        verdict = "met" if self.met else "**not met**"
        return (
            f"| {self.measure} | {sign} {self.target:g} {self.unit} | {median(self.values):.2f} {self.unit} | {spread} "
            f"| {verdict} | {self.detail} |"
        )


def write(rows: Sequence[Row], heading: str, target: str = "bench") -> None:
    """Put the table into README.md in place of the last one that ``make`` made of this ``target``."""
    begin = f"<!-- table: made by `make {target}` -->"
    head = "| measure | target | median | rounds | | detail |\n|---|---|---|---|---|---|"
    table = "\n".join([heading, "", head, *map(str, rows)])
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(_END)
    README.write_text(f"{before}{begin}\n{table}\n{_END}{after}", encoding="utf-8")
