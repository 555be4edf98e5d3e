"""Which moves a run may make, whoever reports what and in whatever order."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.phases import MOVES, TERMINAL, Phase, may_move
from holdfast.domain.run_end import RunEnd
from holdfast.resources.run import BackupRunStatus
from holdfast.specs import run_status

NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)
UNDER_WAY = sorted(set(Phase) - TERMINAL)


def report(status: BackupRunStatus, phase: Phase) -> BackupRunStatus:
    if phase in TERMINAL:
        end = RunEnd(phase, reason=phase, message="It is over.")
        return run_status.ended(status, end, now=NOW, generation=1)
    return run_status.moved(status, phase, reason=phase, message="", now=NOW, generation=1)


def test_each_phase_has_its_moves() -> None:
    assert set(MOVES) == set(Phase)


def test_from_wherever_a_run_is_it_can_end_in_each_way() -> None:
    assert all(MOVES[phase] >= TERMINAL for phase in UNDER_WAY)


@given(st.lists(st.sampled_from(Phase)))
def test_reports_in_any_order_make_no_other_moves(phases: list[Phase]) -> None:
    status = BackupRunStatus(phase=Phase.PENDING)
    for phase in phases:
        before, status = status, report(status, phase)
        assert before.phase is not None
        assert status.phase is not None
        assert status.phase is before.phase or may_move(before.phase, status.phase)


@given(st.sampled_from(sorted(TERMINAL)), st.sampled_from(Phase))
def test_what_has_ended_is_changed_by_no_later_report(end: Phase, later: Phase) -> None:
    status = report(BackupRunStatus(phase=Phase.RUNNING), end)
    assert report(status, later) == status
