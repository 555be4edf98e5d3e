"""Whatever is wrong ends in a terminal phase, or a condition, that tells a person what to do, and shows no secret."""

from collections.abc import Iterator

import pytest

from tests.e2e.site import Site
from tests.support.schedules import NOT_NOW


@pytest.fixture(autouse=True)
def _no_secret_is_shown(site: Site) -> Iterator[None]:
    yield
    said = site.everything_said()
    assert "Traceback" not in said
    if site.password:
        assert site.password not in said


def failed(site: Site, reason: str, phase: str = "Failed") -> str:
    """Start a run; the message with which it ends for a reason."""
    status = site.ended(site.start(), phase)
    assert status["reason"] == reason
    return str(status["message"])


def test_a_missing_secret(site: Site) -> None:
    site.policy()
    assert f"no Secret {site.namespace}/timetrack" in site.not_ready("SecretMissing")
    assert "Secret" in failed(site, "SecretMissing")


def test_a_secret_that_comes_later_makes_the_policy_ready(site: Site) -> None:
    site.policy()
    site.not_ready("SecretMissing")
    site.secret(site.uri())
    site.kubectl.wait("backuppolicy/timetrack", "condition=Ready", 30)


def test_a_missing_key(site: Site) -> None:
    site.secret(site.uri(), key="OTHER")
    site.policy()
    assert "no key MONGODB_URI" in site.not_ready("SecretMissing")
    assert "MONGODB_URI" in failed(site, "SecretMissing")


@pytest.mark.parametrize("uri", ["localhost:27017", "mongodb://user:p@ss/w@rd@host/db", "mongodb://", "\x01"])
def test_a_malformed_uri(site: Site, uri: str) -> None:
    site.secret(uri)
    site.policy()
    site.not_ready("InvalidUri")
    assert "uriSecretRef" in failed(site, "InvalidUri") or "MONGODB_URI" in failed(site, "InvalidUri")


def test_a_wrong_password(site: Site) -> None:
    site.fill()
    site.secret(site.uri().replace(site.password, "wrong-secret-word"))
    site.policy()
    assert "password" in failed(site, "AuthenticationFailed")
    assert "wrong-secret-word" not in site.everything_said()


def test_an_unreachable_host(site: Site) -> None:
    site.secret("mongodb://nowhere.invalid:27017/db?serverSelectionTimeoutMS=500")
    site.policy(job={"backoffLimit": 0})
    assert "nowhere.invalid" in failed(site, "SourceUnavailable")


def test_a_missing_encryption_key(site: Site) -> None:
    site.fill()
    site.secret(site.uri())
    site.policy(encryption={"keySecretRef": {"name": "backup-key"}})
    assert "backup-key" in site.not_ready("SecretMissing")
    assert "backup-key" in failed(site, "InvalidKey")


def test_a_wrong_encryption_key(site: Site) -> None:
    site.fill()
    site.secret(site.uri())
    site.secret("not-really-a-secret-key", name="backup-key", key="HOLDFAST_KEY")
    site.policy(encryption={"keySecretRef": {"name": "backup-key"}})
    assert "does not hold an encryption key" in failed(site, "InvalidKey")


def test_no_right_to_read_one_collection(site: Site) -> None:
    site.fill()
    names = ["users", "userGoals", "feedback", "feedbackVotes", "dayReflections", "backupmetadatas", "backupdatas"]
    actions = ["find", "listIndexes", "insert", "update", "remove", "collStats"]
    site.mongod.client["admin"].command(
        {
            "createRole": f"all-but-entries-{site.database}",
            "privileges": [
                {"resource": {"db": site.database, "collection": ""}, "actions": ["listCollections", "dbStats"]},
                *({"resource": {"db": site.database, "collection": n}, "actions": actions} for n in names),
            ],
            "roles": [],
        }
    )
    site.secret(site.uri({"role": f"all-but-entries-{site.database}", "db": "admin"}))
    site.policy()
    status = site.ended(site.start(), "PartiallyFailed")
    failing = [one for one in status["collections"] if one["phase"] == "Failed"]
    assert [one["name"] for one in failing] == ["timeEntries"]
    assert "may not read" in failing[0]["error"]
    assert status["collections"][0]["name"] == "timeEntries"
    assert status["backupId"]


def test_a_named_collection_that_does_not_exist_is_a_warning(site: Site) -> None:
    site.ready(source={"collections": ["users", "invoices"]})
    status = site.back_up()
    assert any("invoices" in warning for warning in status["warnings"])


def test_no_right_to_write_to_the_store(site: Site) -> None:
    site.fill()
    site.secret(site.uri({"role": "read", "db": site.database}))
    site.policy()
    assert "readWrite" in failed(site, "NotAuthorized")


@pytest.mark.parametrize("cron", ["every day", "61 * * * *", "0 2 * *", "TZ=UTC 0 2 * * *"])
def test_a_bad_cron_expression(site: Site, cron: str) -> None:
    site.secret(site.uri())
    site.policy(schedule={"cron": cron})
    assert "spec.schedule.cron" in site.not_ready("InvalidSpec")


def test_an_unknown_time_zone(site: Site) -> None:
    site.secret(site.uri())
    site.policy(schedule={"timeZone": "Mars/Olympus"})
    assert "Mars/Olympus" in site.not_ready("InvalidSpec")


def test_an_invalid_change_keeps_the_last_good_cronjob(site: Site) -> None:
    site.ready()
    site.policy(schedule={"cron": "no cron"})
    assert site.not_ready("InvalidSpec")
    assert site.kubectl.get("cronjob/timetrack")["spec"]["schedule"] == NOT_NOW


def test_a_run_of_a_policy_that_does_not_exist(site: Site) -> None:
    status = site.ended(site.start("nothing"), "Failed")
    assert status["reason"] == "PolicyNotFound"


def test_an_image_that_cannot_be_pulled(site: Site) -> None:
    site.fill()
    site.secret(site.uri())
    site.policy(job={"image": "holdfast.invalid/none:1", "imagePullPolicy": "Never", "startTimeoutSeconds": 10})
    assert "holdfast.invalid/none:1" in failed(site, "ImagePullFailed")


def test_a_memory_limit_that_is_too_small(site: Site) -> None:
    site.fill()
    site.secret(site.uri())
    limits = {"requests": {"cpu": "10m", "memory": "24Mi"}, "limits": {"memory": "24Mi"}}
    site.policy(job={"resources": limits, "backoffLimit": 0})
    assert "memory" in failed(site, "OOMKilled")


def test_a_pod_that_no_node_takes(site: Site) -> None:
    site.secret(site.uri())
    site.policy(job={"nodeSelector": {"planet": "mars"}, "startTimeoutSeconds": 10})
    assert failed(site, "Unschedulable")


def test_a_run_that_takes_too_long(site: Site) -> None:
    site.ready(job={"activeDeadlineSeconds": 60})
    site.hold()
    assert "activeDeadlineSeconds" in failed(site, "DeadlineExceeded")
