"""The rule of a policy, as people write it."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from holdfast.domain.retention import Rule
from holdfast.errors import InvalidSpec
from holdfast.resources.retention import RetentionSpec
from holdfast.services.write_status import parse_policy
from tests.support.kube_objects import policy_body, policy_model

NOTHING = {"keepDaily": 0, "keepMonthly": 0}


def rule(**retention: Any) -> Rule:
    return policy_model(retention=retention).spec.retention.rule


def test_the_default_is_seven_dailies_and_one_about_a_month_old() -> None:
    assert policy_model().spec.retention.rule == Rule(keep_daily=7, keep_monthly=1)


def test_what_is_named_is_kept_beside_the_default() -> None:
    assert rule(keepLast=3) == Rule(keep_last=3, keep_daily=7, keep_monthly=1)
    assert rule(**NOTHING, keepLast=3) == Rule(keep_last=3)


def test_every_part_reaches_the_planner() -> None:
    counts = {"keepLast": 1, "keepHourly": 2, "keepDaily": 3, "keepWeekly": 4, "keepMonthly": 5, "keepYearly": 6}
    within = timedelta(days=90)
    assert rule(**counts, keepWithin="90d", minSuccessful=7) == Rule(1, 2, 3, 4, 5, 6, within, 7)


@pytest.mark.parametrize(
    ("retention", "said"),
    [
        ({"keepDaily": -1}, "spec.retention.keepDaily"),
        ({"minSuccessful": 0}, "spec.retention.minSuccessful"),
        ({"keepWithin": "90 days"}, "spec.retention.keepWithin"),
        ({"keepWithin": "0d"}, "spec.retention.keepWithin: '0d' is not a duration"),
        (NOTHING, "spec.retention keeps nothing"),
        ({"keepForever": True}, "spec.retention.keepForever"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_its_field(retention: dict[str, Any], said: str) -> None:
    body = policy_body(retention=retention)
    with pytest.raises(InvalidSpec, match=said.replace(".", r"\.")):
        parse_policy(body)


def test_a_time_alone_is_a_rule() -> None:
    assert rule(**NOTHING, keepWithin="36h") == Rule(keep_within=timedelta(hours=36))


def test_the_limits_are_those_of_the_schema() -> None:
    with pytest.raises(ValidationError):
        RetentionSpec(keep_last=10_001)
