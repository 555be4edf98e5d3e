"""Nothing stands on a page of the documents that no test tries: who types what, and what its manifests are."""

import pytest

from holdfast.domain.mail_settings import read_mail_settings
from holdfast.resources.policy import BackupPolicySpec
from holdfast.resources.restore_run import RestoreRunSpec
from tests.support.runbook import PAGES, ROOT, blocks_of, lines_of, manifests_of

READER = "integration/kube/test_pages.py"
RUNBOOK = "integration/engine/test_runbook.py"
PLUGIN = "integration/kube/test_plugin.py"
NODE = "e2e/test_running.py"
NOBODY = ""
"""It takes Docker, it is what all of this is started by, or it only names something for the lines behind it."""

TYPED_BY = {
    "README.md": {
        "make": NOBODY,
        "kind": NOBODY,
        "docker": NOBODY,
        "export": NOBODY,
        "helm": READER,
        "kubectl": READER,
        "holdfast": RUNBOOK,
    },
    "api.md": {"helm": READER, "kubectl": READER, "export": NOBODY, "curl": "integration/kube/test_web.py"},
    "dashboard.md": {"helm": READER, "kubectl": READER},
    "encryption.md": {"holdfast": RUNBOOK, "kubectl": READER},
    "export.md": {"holdfast": RUNBOOK, "mongorestore": RUNBOOK},
    "health.md": {"kubectl": READER},
    "index.md": {
        "kind": NOBODY,
        "docker": NOBODY,
        "helm": READER,
        "kubectl": READER,
        "kubectl holdfast": PLUGIN,
        "echo": READER,
    },
    "installing.md": {"helm": READER, "helm test": NODE, "kubectl": READER},
    "kubectl.md": {"pip": NOBODY, "kubectl": PLUGIN, "kubectl holdfast": PLUGIN},
    "many-policies.md": {"helm": READER, "kubectl": READER},
    "migrating.md": {"kubectl": READER, "holdfast": RUNBOOK},
    "monitoring.md": {"helm": READER, "kubectl": NOBODY},  # only a node forwards a port
    "multi-tenant.md": {"kubectl": READER},
    "notifications.md": {"helm": READER, "kubectl": READER},
    "restore.md": {
        "kubectl": "integration/kube/test_drills.py",
        "export": NOBODY,
        "holdfast": "integration/engine/test_point_in_time.py",
    },
    "upgrading.md": {"helm": READER},
    "retention.md": {"kubectl": READER, "holdfast": RUNBOOK},
    "runbooks.md": {"kubectl": READER, "kubectl holdfast": PLUGIN, "holdfast": RUNBOOK},
}


def program(line: str) -> str:
    words = line.split()
    return " ".join(words[:2]) if line.startswith(("kubectl holdfast ", "helm test ")) else words[0]


def test_each_command_of_each_page_is_typed_by_a_test() -> None:
    found = {page: {program(line) for line in lines_of(page)} for page in PAGES}
    assert {page: programs for page, programs in found.items() if programs} == {
        page: set(programs) for page, programs in TYPED_BY.items()
    }


@pytest.mark.parametrize("page", TYPED_BY)
def test_who_types_a_page_names_it(page: str) -> None:
    for file in {*TYPED_BY[page].values()} - {NOBODY, NODE, READER}:  # the reader takes all pages but those of others
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f'"{page}"' in text or f'/ "{page}"' in text


@pytest.mark.parametrize("page", PAGES)
def test_each_block_of_a_page_is_of_a_kind_that_is_tried(page: str) -> None:
    # What is printed or kept, and not typed, is told by its language.
    assert {block.language for block in blocks_of(page)} <= {"", "console", "ini", "js", "json", "text", "yaml"}


def test_the_settings_for_gmail_are_settings_of_mail() -> None:
    (block,) = [block for block in blocks_of("notifications.md") if block.language == "ini"]
    server = read_mail_settings(dict(line.split("=", 1) for line in block.text.splitlines()), "the page").server
    assert server is not None
    assert (str(server), server.implicit_tls) == ("smtp.gmail.com:465", True)


@pytest.mark.parametrize("page", PAGES)
def test_each_manifest_of_a_page_is_one(page: str) -> None:
    for body in manifests_of(page):
        if body["kind"] == "BackupPolicy":
            BackupPolicySpec.model_validate(body["spec"])
        elif body["kind"] == "RestoreRun":
            RestoreRunSpec.model_validate(body["spec"])
        else:
            assert (body["kind"], page) in {("ConfigMap", "notifications.md"), ("Kustomization", "gitops.md")}
