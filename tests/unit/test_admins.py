"""Who is an admin by name: of what is ours alone, and whose tokens only the cluster judges."""

import pytest
from pydantic import ValidationError

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, SECRET, Kind, Viewer
from holdfast.services.rights import DOWNLOADS, TEST_MAILS, AdminsByName
from holdfast.settings import WebSettings

ADA = Viewer("ada@example.com")


class Nobody:
    """A Reviewer that knows nobody, and allows nothing."""

    def identify(self, token: str) -> Viewer | None:
        del token
        return None

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        del viewer, verb, kind, namespace
        return False


@pytest.mark.parametrize("kind", [BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, DOWNLOADS, TEST_MAILS])
def test_an_admin_may_do_all_that_is_ours(kind: Kind) -> None:
    assert AdminsByName(Nobody(), [ADA.name]).allows(ADA, "create", kind, "team")
    assert AdminsByName(Nobody(), [ADA.name]).allows(ADA, "list", kind, None)


@pytest.mark.parametrize("name", ["bob@example.com", "Ada@example.com", "ada@example.com.evil.example", ""])
def test_nobody_else_may_more_than_before(name: str) -> None:
    assert not AdminsByName(Nobody(), [ADA.name]).allows(Viewer(name), "get", BACKUP_POLICY, "team")


def test_an_admin_is_none_of_what_is_not_ours() -> None:
    assert not AdminsByName(Nobody(), [ADA.name]).allows(ADA, "get", SECRET, "team")


def test_a_name_makes_no_token_good() -> None:
    assert AdminsByName(Nobody(), [ADA.name]).identify(ADA.name) is None


@pytest.mark.parametrize(
    "value", ["admin", "system:anonymous", "system:serviceaccount:team:worker", "ada@example.com, *"]
)
def test_only_addresses_name_an_admin(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HOLDFAST_ADMIN_EMAIL", value)
    with pytest.raises(ValidationError, match="not an address"):
        WebSettings()
