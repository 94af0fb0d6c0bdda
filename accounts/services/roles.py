"""Teams and roles. Nobody gives a role to themselves: duties stay apart."""

from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import RoleGrant, Team, User
from accounts.principal import Role
from accounts.services.acting import actor_of, need_admin
from accounts.signals import announce
from hoopweb.lib.errors import Conflict, InvalidRequest, NotAllowed
from recordings.services import audit


def create_team(*, slug: str, name: str, by: User | None, address: str | None = None) -> Team:
    """A team that rules, roles and access can name. Raises Conflict when the slug is taken."""
    need_admin(by, "create teams")
    try:
        with transaction.atomic():
            team = Team.objects.create(slug=slug, name=name)
            audit(
                actor=actor_of(by),
                action="team-created",
                kind="team",
                object_id=str(team.pk),
                object_name=name,
                after={"slug": slug},
                address=address,
            )
    except IntegrityError as error:
        raise Conflict(f"There is a team {slug} already. Choose another short name.") from error
    return team


def grant_role(
    *,
    role: Role,
    by: User | None,
    user: User | None = None,
    team: Team | None = None,
    connection_id: UUID | None = None,
    connection_name: str = "",
    address: str | None = None,
) -> RoleGrant:
    """Give a role to one person or one team, everywhere or on one connection. Idempotent.

    Raises NotAllowed when the one who grants would receive it.
    """
    need_admin(by, "grant roles")
    if (user is None) == (team is None):
        raise InvalidRequest("A role goes to one person or to one team. Name exactly one.")
    _not_to_oneself(by, user, team)
    with transaction.atomic():
        grant, made = RoleGrant.objects.get_or_create(
            role=role, user=user, team=team, connection_id=connection_id
        )
        if made:
            audit(
                actor=actor_of(by),
                action="role-granted",
                kind="person" if user else "team",
                object_id=str((user or team).pk),  # type: ignore[union-attr]
                object_name=str(user or team),
                after=_said(grant, connection_name),
                address=address,
            )
    if user:
        user.forget_access()
    return grant


def revoke_role(
    *, grant: RoleGrant, by: User | None, connection_name: str = "", address: str | None = None
) -> None:
    """Take a role away. The last admin of the installation stays."""
    need_admin(by, "revoke roles")
    with transaction.atomic():
        # Locked together: two admins revoking each other at once must not leave none.
        admins = list(
            RoleGrant.objects.select_for_update()
            .filter(role=Role.ADMIN, connection_id=None)
            .order_by("pk")
        )
        if not RoleGrant.objects.filter(pk=grant.pk).exists():
            return
        if grant in admins and not _anyone_holds([g for g in admins if g != grant]):
            raise Conflict(
                "This is the last admin. Make someone else an admin first, then revoke this role."
            )
        RoleGrant.objects.filter(pk=grant.pk).delete()
        holders = [grant.user_id] if grant.user_id else _people_of(grant.team)
        announce(people=[each for each in holders if each is not None])
        holder = grant.user or grant.team
        audit(
            actor=actor_of(by),
            action="role-revoked",
            kind="person" if grant.user_id else "team",
            object_id=str(grant.user_id or grant.team_id),
            object_name=str(holder),
            before=_said(grant, connection_name),
            address=address,
        )


def _people_of(team: Team | None) -> list[UUID]:
    return [] if team is None else list(team.people.values_list("pk", flat=True))


def _said(grant: RoleGrant, connection_name: str) -> dict[str, str]:
    where = connection_name or (str(grant.connection_id) if grant.connection_id else "everywhere")
    return {"role": str(grant.role), "on": where}


def _not_to_oneself(by: User | None, user: User | None, team: Team | None) -> None:
    if by is None:
        return
    if by == user or (team is not None and team.people.filter(pk=by.pk).exists()):
        raise NotAllowed(
            "Nobody grants a role to themselves, nor to a team that they are in. Ask another admin."
        )


def _anyone_holds(grants: list[RoleGrant]) -> bool:
    users = [g.user_id for g in grants if g.user_id]
    teams = [g.team_id for g in grants if g.team_id]
    return (
        User.objects.filter(is_active=True, pk__in=users).exists()
        or User.objects.filter(is_active=True, teams__in=teams).exists()
    )
