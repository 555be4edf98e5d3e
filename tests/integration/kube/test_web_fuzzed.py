"""The API against its own OpenAPI document: whatever is sent, the answer is one that the document names, and no 5xx."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import run, seen
from tests.support.web_process import WebProcess

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 20
"""For each endpoint, of what fits the document and of what does not."""
ENDLESS = "/api/events"
"""It answers until somebody leaves; its parameters are test_web_events' matter."""


@pytest.mark.parametrize("mode", GenerationMode)
def test_whatever_is_sent_the_answer_is_one_of_the_document(
    here: Namespace, web: WebProcess, viewer: str, mode: GenerationMode
) -> None:
    here.apply(policy(), run("one"))
    seen(here, web, viewer, f"/api/runs?namespace={here.name}", 1)
    document = schemathesis.openapi.from_dict(web.get("/api/openapi.json").json)
    found = [one.ok() for one in document.get_all_operations() if isinstance(one, Ok)]
    operations = [one for one in found if one.path != ENDLESS]
    assert len(operations) == 8, "each but the endless one"
    address, headers = f"http://127.0.0.1:{web.port}", {"Authorization": f"Bearer {viewer}"}
    statuses = set().union(*(_try(one, mode, address, headers) for one in operations))
    assert {GenerationMode.POSITIVE: 200, GenerationMode.NEGATIVE: 422}[mode] in statuses, statuses


def _try(operation: Any, mode: GenerationMode, address: str, headers: dict[str, str]) -> set[int]:
    """The statuses of the answers."""
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: Any) -> None:
        answer = case.call_and_validate(base_url=address, headers=headers, checks=CHECKS, timeout=20)
        statuses.add(answer.status_code)

    answered()
    return statuses
