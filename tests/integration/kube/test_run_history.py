"""What ``kubectl describe`` shows of a run explains what became of it."""

from tests.integration.kube.shop import Shop


def test_describe_tells_a_backup_from_the_wish_to_its_end(shop: Shop) -> None:
    backup_id = shop.back_up()
    told = {reason for reason, _ in shop.events("by-hand")}
    assert {"Pending", "Running", "Succeeded"} <= told
    shown = shop.here.kubectl("describe", "br/by-hand")
    assert f"Backup {backup_id} is whole and verified" in shown


def test_describe_tells_why_a_run_was_cancelled(shop: Shop) -> None:
    body = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupRun", "metadata": {"name": "by-hand"}}
    shop.here.apply({**body, "spec": {"policyRef": {"name": "shop"}}})
    shop.here.wait_for_status("br", "by-hand", phase="Pending")
    shop.here.kubectl("patch", "br/by-hand", "--type=merge", '--patch={"spec":{"cancel":true}}')
    shop.here.wait_for_status("br", "by-hand", seconds=3, phase="Cancelled")
    told = shop.here.wait(lambda: dict(shop.events("by-hand")).get("Cancelled"), "the event is there", 5)
    assert told.startswith("CancelRequested: ")
