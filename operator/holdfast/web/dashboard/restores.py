"""Restores: what is asked for, the plan, and the restore itself, live."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from holdfast.domain.restoring import Existing, Strategy
from holdfast.errors import HoldfastError, InvalidSpec, RunNotFound
from holdfast.ports import RESTORE_RUN
from holdfast.services.ask_restore import RestoreWish, ask_plan, ask_restore, can_be_done, restore_name
from holdfast.services.rights import check_right
from holdfast.web.dashboard.actions import audited
from holdfast.web.dashboard.desk import Desk, Name, Namespace, go_to
from holdfast.web.dashboard.door import Change, SignedIn, Visitor
from holdfast.web.dashboard.views.restore import restore_view
from holdfast.web.dashboard.views.restore_form import LATEST, restore_form

Chosen = Annotated[str, Query(max_length=253)]


def add_restores(router: APIRouter, desk: Desk) -> None:
    @router.get("/policies/{namespace}/{name}/restore")
    def restore_form_page(visitor: SignedIn, namespace: Namespace, name: Name, run: Chosen = "") -> Response:
        """What is to be restored, and where to; ``run``: whose backup."""
        _check_right(desk, visitor, namespace)
        return _form_page(desk, visitor, namespace, name, {"run": run})

    @router.post("/policies/{namespace}/{name}/restore")
    def plan(request: Request, visitor: SignedIn, form: Change, namespace: Namespace, name: Name) -> Response:
        """Ask for a plan; on to its page."""
        try:
            with audited(desk, request, visitor.viewer, "PlanRestore", namespace, name) as entry:
                policy = desk.look_up.policy(visitor.viewer, namespace, name)
                _check_right(desk, visitor, namespace)
                wish = _wish(form)
                made = ask_plan(desk.cluster, desk.reviewer, visitor.viewer, policy, wish, desk.clock())
                entry.name = made
        except InvalidSpec as error:
            return _form_page(desk, visitor, namespace, name, form, error)
        return _on_to(desk, namespace, made)

    @router.get("/restores/{namespace}/{name}")
    def restore_page(visitor: SignedIn, namespace: Namespace, name: Name) -> Response:
        return _restore_page(desk, visitor, namespace, name)

    @router.post("/restores/{namespace}/{name}/apply")
    def apply(request: Request, visitor: SignedIn, form: Change, namespace: Namespace, name: Name) -> Response:
        """Do what was planned; on to its page."""
        try:
            with audited(desk, request, visitor.viewer, "Restore", namespace, name) as entry:
                planned = desk.look_up.restore(visitor.viewer, namespace, name)
                confirmed = form.get("confirm", "").strip()
                made = ask_restore(desk.cluster, desk.reviewer, visitor.viewer, planned, confirmed)
                entry.name = made
        except InvalidSpec as error:
            return _restore_page(desk, visitor, namespace, name, error)
        return _on_to(desk, namespace, made)


def _check_right(desk: Desk, visitor: Visitor, namespace: str) -> None:
    check_right(desk.reviewer, visitor.viewer, "create", RESTORE_RUN, namespace, role="restore")


def _on_to(desk: Desk, namespace: str, name: str) -> Response:
    desk.arrivals.wait_for(RESTORE_RUN, namespace, name)
    return go_to(f"/restores/{namespace}/{name}")


def _form_page(
    desk: Desk,
    visitor: Visitor,
    namespace: str,
    name: str,
    given: Mapping[str, str],
    problem: HoldfastError | None = None,
) -> Response:
    policy = desk.look_up.policy(visitor.viewer, namespace, name)
    view = restore_form(policy, desk.look_up.runs_of(policy).models(), given)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    return desk.pages.page("restore-form.html", visitor, {"view": view, "problem": str(problem or "")}, status)


def _restore_page(
    desk: Desk, visitor: Visitor, namespace: str, name: str, problem: HoldfastError | None = None
) -> Response:
    run = desk.look_up.restore(visitor.viewer, namespace, name)
    may_apply = can_be_done(run) and desk.may(visitor, "create", RESTORE_RUN, namespace)
    facts = {
        "view": restore_view(run),
        "may_apply": may_apply,
        "done_by": _done_by(desk, visitor, namespace, restore_name(run)) if can_be_done(run) else "",
        "problem": str(problem or ""),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    return desk.pages.page("restore.html", visitor, facts, status)


def _done_by(desk: Desk, visitor: Visitor, namespace: str, name: str) -> str:
    """The restore that came of a plan, if there is one."""
    try:
        return desk.look_up.restore(visitor.viewer, namespace, name).metadata.name
    except RunNotFound:
        return ""


def _wish(form: Mapping[str, str]) -> RestoreWish:
    try:
        existing = Existing(form.get("existing", ""))
    except ValueError as error:
        raise InvalidSpec("Choose what becomes of collections that are there.", hint="One of the three.") from error
    try:
        strategy = Strategy(form.get("strategy", Strategy.AUTO))
    except ValueError as error:
        raise InvalidSpec("There is no such way to restore.", hint="Choose one of the three.") from error
    backup, moment = form.get("backup", LATEST), form.get("moment", "").strip()
    return RestoreWish(
        database=form.get("database", "").strip(),
        backup_id=None if backup == LATEST else backup,
        moment=_moment(moment) if moment else None,
        existing=existing,
        include=_lines(form.get("include", "")),
        exclude=_lines(form.get("exclude", "")),
        rename=_renames(form.get("rename", "")),
        strategy=strategy,
        secret=form.get("uri_secret", "").strip() or None,
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidSpec(f"{text!r} is no time.", hint="Write it such as 2026-11-23T01:59:59Z.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _lines(text: str) -> tuple[str, ...]:
    """Names, one a line; each once."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _renames(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs such as ``users=people``, one a line."""
    pairs = []
    for line in _lines(text):
        old, _, new = (part.strip() for part in line.partition("="))
        if not old or not new:
            raise InvalidSpec(f"{line!r} names no two collections.", hint="Write it such as users=users_of_march.")
        pairs.append((old, new))
    twice = sorted({old for old, _ in pairs if sum(one == old for one, _ in pairs) > 1})
    if twice:
        raise InvalidSpec(f"{', '.join(twice)} cannot get two names.", hint="Give each collection one name.")
    return tuple(pairs)
