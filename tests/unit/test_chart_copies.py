"""The chart's copy of what is generated elsewhere."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_charts_crds_are_those_of_the_models() -> None:
    generated = {path.name: path.read_text() for path in (ROOT / "crds").iterdir()}
    copied = {path.name: path.read_text() for path in (ROOT / "charts/holdfast/crds-generated").iterdir()}
    assert copied == generated, "run `make generate`"
