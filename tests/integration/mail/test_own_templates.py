"""Templates of users run in a process that can do little: real ones, among them those of nobody's friend."""

import json
import re
import time
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

import pytest
import yaml

from holdfast.domain.mail_settings import Sender
from holdfast.mail.brand import Brand
from holdfast.mail.render import Renderer
from holdfast.ports import Letter
from tests.support.letters import EVIL, letters

SENDER = Sender("backups@example.com")
LETTERS = letters()


def composed(own: Mapping[str, str], template: str = "backup_partial") -> tuple[str, str, str]:
    """Text, HTML, and what was wrong."""
    known = LETTERS[template]
    letter = Letter(known.message_id, known.to, known.date, known.template, known.facts, own)
    message, fault = Renderer(Brand("Ops", "#123456", "https://holdfast.example.com/")).compose(letter, SENDER)
    return *_forms(message), fault


def _forms(message: EmailMessage) -> tuple[str, str]:
    text, html = (part.get_content() for part in message.iter_parts())
    return text, html


def shipped(template: str) -> tuple[str, str]:
    return composed({}, template)[:2]


def test_words_of_ones_own_become_the_mail_and_the_rest_is_ours() -> None:
    text, html, fault = composed({"backup_partial.txt": "Not all of {{ database }}: {{ run.message }}"})
    assert text == "Not all of timetrack: 1 of 6 collections could not be backed up: feedback.\n"
    assert html == shipped("backup_partial")[1]
    assert fault == ""


def test_ours_can_be_extended_and_a_frame_of_ones_own_is_that_of_all() -> None:
    own = {
        "backup_partial.html": '{% extends "run.html" %}{% block heading %}Hm: {{ database }}{% endblock %}',
        "base.html": "<h1>{{ brand.name }}</h1>{% block heading %}{% endblock %}",
    }
    _, html, fault = composed(own)
    assert (html, fault) == ("<h1>Ops</h1>Hm: timetrack\n", "")


@pytest.mark.parametrize("template", sorted(LETTERS))
def test_with_our_own_texts_each_mail_is_what_we_ship(template: str) -> None:
    """All facts and words arrive in the other process."""
    text, html, fault = composed({"nothing.txt": ""}, template)
    assert ((text, html), fault) == (shipped(template), "")


def test_the_example_in_the_documents_works() -> None:
    page = (Path(__file__).parents[3] / "docs/notifications.md").read_text(encoding="utf-8")
    [example] = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: ConfigMap" in block]
    text, html, fault = composed(yaml.safe_load(example)["data"], "backup_failure")
    assert text.startswith("timetrack has no new backup: The database db.example.org:27017")
    assert "timetrack has no new backup</div>" in html
    assert fault == ""


def test_facts_are_escaped_in_html_only() -> None:
    own = {f"backup_partial.{kind}": "{{ run.failed_collections[0][1] }}" for kind in ("txt", "html")}
    text, html, _ = composed(own)
    assert EVIL in text
    assert EVIL not in html


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{% for %}", "line 1: Expected an expression"),
        ("one\n{{ nobody }}", "'nobody' is undefined"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ('{% include "/etc/passwd" %}', "/etc/passwd"),
        ('{% include "../pyproject.toml" %}', "pyproject"),
        ("{{ ().__class__.__base__.__subclasses__() }}", "unsafe"),
        ("{{ database.__init__.__globals__ }}", "unsafe"),
        ("{% for i in range(10000000) %}x{% endfor %}", "OverflowError"),
        ("{{ 'x' * 300000 }}", "it makes 300001 characters"),
        ("{{ 'x' * 3000000000 }}", "MemoryError"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "more time or memory"),
        ("{{ 10 ** (10 ** 10) }}", "more time or memory"),
    ],
)
def test_one_that_fails_or_wants_too_much_gives_way_to_ours(source: str, words: str) -> None:
    begin = time.monotonic()
    text, html, fault = composed({"backup_partial.txt": source})
    assert words in fault
    assert (text, html) == shipped("backup_partial")
    assert time.monotonic() - begin < 40


def test_what_does_not_compile_is_found_before_there_is_a_mail() -> None:
    own = {
        "backup_success.txt": "{{ fine }}",
        "backup_failure.txt": "{% if %}",
        "backup_failure.html": "{{ name | nofilter }}",
    }
    faults = Renderer().faults(own)
    assert set(faults) == {"backup_failure.txt", "backup_failure.html"}
    assert "nofilter" in faults["backup_failure.html"]


def test_the_process_knows_nothing_of_the_operators_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SECRET", "hunter2")
    text, _, fault = composed({"backup_partial.txt": "{{ self._TemplateReference__context }}"})
    assert "hunter2" not in json.dumps([text, fault])
