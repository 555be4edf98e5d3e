"""What mails say, word for word: each kind is kept under letters/ in both its forms.

HOLDFAST_KEEP_LETTERS=1 writes them anew; look at the difference before you commit it.
"""

import os
import re
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import pytest

from holdfast.domain.mail_settings import Sender
from holdfast.errors import MailRefused
from holdfast.mail.render import Renderer
from holdfast.ports import Letter
from holdfast.specs.weekly_letter import week_facts
from tests.support.letters import EVIL, NOW, WEEK_DUE, letters, policy

KEPT = Path(__file__).parent / "letters"
SENDER = Sender("backups@example.com", "Backups")
LETTERS = letters()
ROOT = Path(__file__).parents[2]


def rendered(letter: Letter) -> EmailMessage:
    return Renderer().render(letter, SENDER)


def forms(letter: Letter) -> Sequence[str]:
    """Subject and text, and HTML."""
    message = rendered(letter)
    text, html = (part.get_content().replace("\r\n", "\n") for part in message.iter_parts())
    return f"Subject: {message['Subject']}\n\n{text}", html


@pytest.mark.parametrize("template", sorted(LETTERS))
def test_it_reads_as_it_did(template: str) -> None:
    paths = [KEPT / f"{template}.{kind}" for kind in ("txt", "html")]
    for path, form in zip(paths, forms(LETTERS[template]), strict=True):
        if os.environ.get("HOLDFAST_KEEP_LETTERS"):
            KEPT.mkdir(exist_ok=True)
            path.write_text(form, encoding="utf-8")
        assert form == path.read_text(encoding="utf-8")


def test_every_kind_is_kept() -> None:
    assert {path.stem for path in KEPT.iterdir()} == set(LETTERS)


@pytest.mark.parametrize("template", sorted(LETTERS))
def test_nothing_is_loaded_from_outside_and_nothing_runs(template: str) -> None:
    _, html = forms(LETTERS[template])
    assert not re.search(r"<(img|link|script|iframe|object|video)|url\(|@import|src=|\son\w+=", html)


def test_other_peoples_words_are_escaped() -> None:
    text, html = forms(LETTERS["backup_partial"])
    assert EVIL in text
    assert EVIL not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("template", sorted(LETTERS))
def test_lines_are_as_short_as_smtp_asks(template: str) -> None:
    assert max(len(line) for line in rendered(LETTERS[template]).as_bytes().split(b"\r\n")) <= 998


def test_other_alphabets_travel_as_ascii() -> None:
    letter = LETTERS["test"]
    facts = {**letter.facts, "subject": "Zeiterfassung für Köln ☂", "server": "smtp.köln.example"}
    message = rendered(Letter(letter.message_id, letter.to, letter.date, letter.template, facts))
    assert message.as_bytes().isascii()
    assert message["Subject"] == "Zeiterfassung für Köln ☂"
    assert all("smtp.köln.example" in part.get_content() for part in message.iter_parts())


def test_facts_that_are_missing_are_a_fault_of_ours_and_end_in_words() -> None:
    with pytest.raises(MailRefused, match="backup_success cannot be made"):
        rendered(Letter("a@example.com", "admin@example.com", NOW, "backup_success", {"subject": "x"}))


def test_a_week_without_backups_says_so() -> None:
    facts = week_facts(policy(), "timetrack", [], WEEK_DUE)
    assert facts["headline"] == "no backups"
    assert facts["outcome"] == "bad"
    text, _ = forms(Letter("a@example.com", "admin@example.com", NOW, "weekly_summary", facts))
    assert text.count("no backup\n") == 7


def test_the_image_and_the_wheel_get_the_templates() -> None:
    assert '"templates" = "holdfast/templates"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "COPY templates templates" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "!templates" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
