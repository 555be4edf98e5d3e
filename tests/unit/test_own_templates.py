"""A policy may bring templates of its own; whatever is wrong about them, the mail goes and people are told."""

import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.ports import CONFIG_MAP
from holdfast.services.own_templates import SIZE_LIMIT
from holdfast.specs.letters import TEMPLATE_NAMES
from tests.support.kube_objects import NAMESPACE
from tests.support.notify_site import Site

GOOD, OTHER = "backup_success.txt", "backup_success.html"
SHIPPED = Path(__file__).parents[2] / "templates"


class Templates(Site):
    """A policy that names the ConfigMap ``words``."""

    def __init__(self) -> None:
        super().__init__(notifications={"email": {"templatesRef": {"name": "words"}}})

    def bring(self, **changes: Any) -> None:
        if old := self.cluster.get(CONFIG_MAP, NAMESPACE, "words"):
            self.cluster.delete(CONFIG_MAP, old)
        self.cluster.put(CONFIG_MAP, {"metadata": {"name": "words", "namespace": NAMESPACE, "uid": "w"}, **changes})

    def ready(self) -> tuple[str, str, str]:
        return self.condition("TemplatesReady")


@pytest.fixture
def site() -> Templates:
    return Templates()


def test_they_go_with_the_mail(site: Templates) -> None:
    site.bring(data={GOOD: "All is well."})
    site.settle()
    site.ends("a", "Succeeded")
    site.settle()
    assert site.mailer.sent[0].own == {GOOD: "All is well."}
    assert site.ready() == ("True", "Configured", f"Mails are made by ConfigMap default/words: {GOOD}.")


def test_a_policy_without_any_says_nothing_of_them() -> None:
    site = Site()
    site.settle()
    assert "TemplatesReady" not in str(site.policy()["status"]["conditions"])


def test_a_config_map_that_is_not_there_is_said_and_mail_goes(site: Templates) -> None:
    site.settle()
    site.ends("a", "Succeeded")
    site.settle()
    assert site.ready()[:2] == ("False", "ConfigMapMissing")
    assert (len(site.mailer.sent), site.mailer.sent[0].own) == (1, {})
    assert site.condition()[0] == "True"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (OTHER, "never compiles", "it never compiles"),
        ("backup_sucess.txt", "x", "there is no template of that name"),
        (OTHER, "x" * (SIZE_LIMIT + 1), f"it has {SIZE_LIMIT + 1} characters"),
    ],
)
def test_one_that_cannot_be_used_is_named_and_the_others_are_used(
    site: Templates, name: str, text: str, words: str
) -> None:
    site.bring(data={GOOD: "All is well.", name: text})
    site.settle()
    site.ends("a", "Succeeded")
    site.settle()
    status, reason, message = site.ready()
    assert (status, reason) == ("False", "TemplateFailed")
    assert f"{name}: {words}" in message
    assert site.mailer.sent[0].own == {GOOD: "All is well."}
    assert ("Warning", "TemplateFailed") in site.cluster.recorded


def test_one_that_fails_in_use_is_told_and_the_mail_is_sent_once(site: Templates) -> None:
    site.bring(data={GOOD: "fails in use"})
    site.settle()
    site.ends("a", "Succeeded")
    site.settle()
    assert len(site.mailer.sent) == 1
    [delivery] = site.deliveries("a")
    assert (delivery["phase"], delivery["reason"]) == ("Sent", "TemplateFailed")
    assert site.ready()[:2] == ("False", "TemplateFailed")
    assert f"{GOOD}: it fails in use" in site.ready()[2]
    assert ("Warning", "TemplateFailed") in site.cluster.recorded
    assert site.condition()[:2] == ("True", "Configured")


def test_once_it_is_mended_it_is_not_said_any_more(site: Templates) -> None:
    site.bring(data={GOOD: "fails in use"})
    site.settle()
    site.ends("a", "Succeeded")
    site.settle()
    site.bring(data={GOOD: "All is well."})
    site.settle()
    assert site.ready()[:2] == ("True", "Configured")


def test_templates_can_be_brought_for_each_that_is_shipped() -> None:
    shipped = {path.name for path in SHIPPED.iterdir()}
    assert shipped - TEMPLATE_NAMES == {"test.html", "test.txt"}
    assert shipped >= TEMPLATE_NAMES


def test_the_documents_name_each() -> None:
    page = (SHIPPED.parent / "docs/notifications.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", page[page.index("## Mails in your own words") :]))
    assert {name.partition(".")[0] for name in TEMPLATE_NAMES} <= named
