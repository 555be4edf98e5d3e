"""Which channels an operator allows is said in its environment."""

import pytest
from pydantic import ValidationError

from holdfast.domain.channels import SCHEMES
from holdfast.settings import OperatorSettings


@pytest.fixture(autouse=True)
def image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_IMAGE", "holdfast:1")


@pytest.mark.parametrize(
    ("value", "allowed"), [(None, SCHEMES), ("", ()), ("slack, pagerduty", ("slack", "pagerduty"))]
)
def test_what_is_named_is_allowed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, value: str | None, allowed: tuple[str, ...]
) -> None:
    if value is not None:
        monkeypatch.setenv("HOLDFAST_CHANNEL_SCHEMES", value)
    assert OperatorSettings().channel_schemes == allowed


@pytest.mark.parametrize("scheme", ["json", "file", "syslog", "Slack"])
def test_what_does_not_speak_https_cannot_be_allowed(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("HOLDFAST_CHANNEL_SCHEMES", f"slack,{scheme}")
    with pytest.raises(ValidationError, match=f"there is no channel {scheme}"):
        OperatorSettings()
