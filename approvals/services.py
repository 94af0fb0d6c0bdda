"""Asking for approval, voting, and what a vote leaves behind."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.signals import announce
from approvals import notify
from approvals.models import ApprovalRequest, Grant, RequestTransition, Vote
from approvals.signals import request_decided
from approvals.states import TRANSITIONS, RequestState
from connections.models import Connection
from hoopweb.lib.errors import (
    Conflict,
    IllegalTransition,
    InvalidRequest,
    NotAllowed,
    NotFound,
    SelfApproval,
)
from recordings import services as recordings
from recordings.kinds import EventKind

MAX_GRANT_MINUTES = 7 * 24 * 60
REASON_LENGTH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request is about, as the pipeline judged it."""

    statement_id: UUID
    session_id: UUID
    connection: Connection
    actor: dict[str, str]
    owner_id: UUID | None
    # Whom the agent acts for, when they have an account.
    behind_id: UUID | None = None
    digest: str
    prompt: str
    sql_given: str
    sql_sent: str
    binds: str
    statement_class: str
    facts: dict[str, Any]
    reasons: list[dict[str, Any]]
    protections: list[dict[str, Any]]
    reviewers: tuple[str, ...]
    votes_needed: int
    expires_minutes: int
    policy_revision: int
    catalogue_version: int


def _move(request: ApprovalRequest, target: RequestState) -> None:
    """Move a locked request, or raise IllegalTransition."""
    source = RequestState(request.state)
    if (source, target) not in TRANSITIONS:
        raise IllegalTransition(
            f"This request is {source} and can no longer become {target}.", state=str(source)
        )
    RequestTransition.objects.create(request=request, source=source, target=target)
    request.state = target
    request.decided_at = timezone.now()
    request.save(update_fields=["state", "decided_at"])


def _lock(request_id: UUID) -> ApprovalRequest:
    try:
        return ApprovalRequest.objects.select_for_update().get(pk=request_id)
    except ApprovalRequest.DoesNotExist as error:
        raise NotFound("There is no such request.") from error


def _tell(request: ApprovalRequest) -> None:
    notify.row_changed(
        "approval",
        request.pk,
        connection_id=request.connection_id,
        people=(request.owner_id, request.principal_id),
    )


def _settle(
    request: ApprovalRequest, target: RequestState, actor: dict[str, Any], reason: str = ""
) -> None:
    """Move, record, and tell the gateway, all in the caller's transaction."""
    _move(request, target)
    said = {"reason": reason} if reason else {}
    recordings.append(
        session_id=request.session_id,
        kind=EventKind.APPROVAL_DECIDED,
        actor=actor,
        statement_id=request.statement_id,
        data={"request_id": str(request.pk), "state": str(target), **said},
    )
    request_decided.send(sender=ApprovalRequest, request=request, reason=reason)
    _tell(request)


SYSTEM = {"kind": "system", "id": "", "name": "Hoopweb"}


@transaction.atomic
def open_request(ask: Ask) -> ApprovalRequest:
    """Record the ask and show it to those who may answer."""
    now = timezone.now()
    request = ApprovalRequest.objects.create(
        statement_id=ask.statement_id,
        session_id=ask.session_id,
        connection=ask.connection,
        principal_kind=ask.actor["kind"],
        principal_id=ask.actor["id"],
        principal_name=ask.actor["name"],
        on_behalf_of=ask.actor.get("on_behalf_of", ""),
        owner_id=ask.owner_id,
        behind_id=ask.behind_id,
        digest=ask.digest,
        role=ask.connection.role,
        policy_revision=ask.policy_revision,
        catalogue_version=ask.catalogue_version,
        prompt=ask.prompt,
        sql_given=ask.sql_given,
        sql_sent=ask.sql_sent,
        binds=ask.binds,
        statement_class=ask.statement_class,
        facts=ask.facts,
        reasons=ask.reasons,
        protections=ask.protections,
        reviewers=list(ask.reviewers),
        votes_needed=ask.votes_needed,
        created_at=now,
        expires_at=now + timedelta(minutes=ask.expires_minutes),
    )
    recordings.append(
        session_id=ask.session_id,
        kind=EventKind.APPROVAL_REQUESTED,
        actor=ask.actor,
        statement_id=ask.statement_id,
        data={
            "request_id": str(request.pk),
            "reviewers": list(ask.reviewers),
            "votes_needed": ask.votes_needed,
            "expires_at": request.expires_at.isoformat(),
            "reasons": ask.reasons,
        },
    )
    _tell(request)
    return request


def why_not(request: ApprovalRequest, user: User) -> str | None:
    """Why this person may not vote on the request, in words; None when they may."""
    if user.pk in request.people:
        return (
            "You cannot decide on your own request, nor on one of your own agent or of an agent "
            "that acts for you."
        )
    if request.connection_id not in user.reviews:
        return f"Only reviewers of {request.connection} decide here. Ask an admin for the role."
    if request.reviewers and not user.team_slugs & set(request.reviewers):
        return f"The rule asks for a reviewer of: {', '.join(request.reviewers)}."
    if request.votes.filter(reviewer=user).exists():
        return "You have voted on this request."
    return None


def _check_vote(
    request: ApprovalRequest, by: User, *, choice: str, reason: str, digest: str
) -> None:
    """Raise unless this answer, by this person, to this locked request, counts."""
    if not ApprovalRequest.objects.visible_to(by).filter(pk=request.pk).exists():
        raise NotFound("There is no such request.")
    if (hindrance := why_not(request, by)) is not None:
        if by.pk in request.people:
            raise SelfApproval(hindrance)
        raise NotAllowed(hindrance)
    if choice not in Vote.Choice.values:
        raise InvalidRequest("choice must be approve or reject.", field="choice")
    if choice == Vote.Choice.REJECT and not reason:
        raise InvalidRequest("Say why you reject: the agent reads your reason.", field="reason")
    if len(reason) > REASON_LENGTH:
        raise InvalidRequest(f"Keep the reason under {REASON_LENGTH} characters.", field="reason")
    if digest != request.digest:
        raise Conflict("The statement is not the one you looked at. Reload the page.")
    if not request.is_pending:
        raise IllegalTransition(
            f"This request is already {request.state}.", state=str(request.state)
        )
    if request.expires_at <= timezone.now():
        raise IllegalTransition("This request has expired.", state=str(RequestState.EXPIRED))


@transaction.atomic
def vote(
    *,
    request_id: UUID,
    by: User,
    choice: str,
    reason: str = "",
    digest: str,
    grant_minutes: int | None = None,
    address: str | None = None,
) -> ApprovalRequest:
    """One reviewer's answer to exactly the statement that ``digest`` names.

    The last approval needed lets the statement run; one rejection ends the request. Raises
    NotFound, SelfApproval, NotAllowed, InvalidRequest, Conflict or IllegalTransition.
    """
    request = _lock(request_id)
    reason = reason.strip()
    _check_vote(request, by, choice=choice, reason=reason, digest=digest)
    if grant_minutes is not None and not 0 < grant_minutes <= MAX_GRANT_MINUTES:
        raise InvalidRequest("A grant lasts between one minute and seven days.", field="grant")

    row = Vote.objects.create(
        request=request, reviewer=by, choice=choice, reason=reason, digest=digest
    )
    actor = by.as_principal().as_actor()
    recordings.append(
        session_id=request.session_id,
        kind=EventKind.VOTE,
        actor=actor,
        statement_id=request.statement_id,
        data={
            "request_id": str(request.pk),
            "choice": choice,
            "reason": reason,
            "reviewer": str(by),
            "grant_minutes": grant_minutes,
        },
    )
    if choice == Vote.Choice.REJECT:
        _settle(request, RequestState.REJECTED, actor)
    else:
        if grant_minutes is not None:
            _grant(request, row, minutes=grant_minutes)
        approvals = request.votes.filter(choice=Vote.Choice.APPROVE).count()
        if approvals >= request.votes_needed:
            _settle(request, RequestState.APPROVED, actor)
        else:
            _tell(request)
    _note(request, "vote-cast", by, address, {"choice": choice, "grant_minutes": grant_minutes})
    return request


def _note(
    request: ApprovalRequest,
    action: str,
    by: User,
    address: str | None,
    after: dict[str, Any] | None = None,
) -> None:
    recordings.audit(
        actor=by.as_principal().as_actor(),
        action=action,
        kind="request",
        object_id=str(request.pk),
        object_name=f"{request.principal_name} on {request.connection}",
        after=after,
        address=address,
    )


def _grant(request: ApprovalRequest, row: Vote, *, minutes: int) -> Grant:
    if request.votes_needed > 1:
        raise InvalidRequest("A request that needs several votes cannot be granted for a time.")
    return Grant.objects.create(
        connection=request.connection,
        principal_id=request.principal_id,
        principal_name=request.principal_name,
        digest=request.digest,
        sql_sent=request.sql_sent,
        policy_revision=request.policy_revision,
        vote=row,
        granted_by=row.reviewer,
        expires_at=timezone.now() + timedelta(minutes=minutes),
    )


@transaction.atomic
def withdraw(*, request_id: UUID, actor: dict[str, Any], reason: str = "") -> ApprovalRequest:
    """The one who asked takes the request back, or may no longer ask: then with the reason."""
    request = _lock(request_id)
    _settle(request, RequestState.WITHDRAWN, actor, reason)
    return request


@transaction.atomic
def expire(*, request_id: UUID) -> bool:
    """Close a pending request whose time is up; False when it was decided or still has time."""
    request = _lock(request_id)
    if not request.is_pending or request.expires_at > timezone.now():
        return False
    _settle(request, RequestState.EXPIRED, SYSTEM)
    return True


@transaction.atomic
def revoke(*, request_id: UUID, by: User, address: str | None = None) -> ApprovalRequest:
    """A reviewer takes an approval back before the statement has started."""
    request = _lock(request_id)
    if request.connection_id not in by.reviews:
        raise NotAllowed(f"Only reviewers of {request.connection} revoke an approval.")
    if request.used_at is not None:
        raise IllegalTransition("The statement has already started.", state=str(request.state))
    _settle(request, RequestState.REVOKED, by.as_principal().as_actor())
    _note(request, "approval-revoked", by, address)
    return request


def use(*, request_id: UUID, digest: str) -> str | None:
    """Spend an approval inside the transaction that starts the statement.

    Returns None when it covers ``digest`` now, else why it does not.
    """
    request = _lock(request_id)
    if request.used_at is not None:
        return "The approval was already used."
    if not request.covers(digest):
        if request.state == RequestState.APPROVED and request.digest == digest:
            return "The approval expired before the statement could run."
        return "The approval does not cover this statement."
    request.used_at = timezone.now()
    request.save(update_fields=["used_at"])
    return None


def use_grant(*, connection: Connection, principal_id: UUID, digest: str) -> Grant | None:
    """The live grant that covers this statement, counted as used; None when there is none."""
    grant = (
        Grant.objects.live()
        .select_for_update()
        .filter(connection=connection, principal_id=principal_id, digest=digest)
        .first()
    )
    if grant is None:
        return None
    grant.use_count += 1
    grant.last_used_at = timezone.now()
    grant.save(update_fields=["use_count", "last_used_at"])
    return grant


def holds(*, grant_id: UUID) -> bool:
    """Whether a grant still stands, held so inside the transaction that starts the statement."""
    return Grant.objects.live().select_for_update().filter(pk=grant_id).exists()


@transaction.atomic
def revoke_grant(*, grant_id: UUID, by: User, address: str | None = None) -> Grant:
    """End a standing permission now. Raises NotFound or NotAllowed."""
    grant = Grant.objects.visible_to(by).select_for_update().filter(pk=grant_id).first()
    if grant is None:
        raise NotFound("There is no such grant.")
    if grant.connection_id not in by.reviews:
        raise NotAllowed(f"Only reviewers of {grant.connection} revoke a grant.")
    if grant.revoked_at is None:
        grant.revoked_at = timezone.now()
        grant.save(update_fields=["revoked_at"])
        announce(grants=[grant.pk])
        recordings.audit(
            actor=by.as_principal().as_actor(),
            action="grant-revoked",
            kind="grant",
            object_id=str(grant.pk),
            object_name=str(grant),
            address=address,
        )
    return grant
