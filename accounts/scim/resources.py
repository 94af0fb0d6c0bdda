"""Users and groups as SCIM spells them, and as our services take them. What is not named here is
not kept: a directory may send it, and it is dropped.
"""

from typing import Annotated, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from scim2_models import (
    URN,
    Context,
    InvalidValueException,
    Meta,
    Mutability,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Uniqueness,
)
from scim2_models.resources.group import GroupMember
from scim2_models.resources.user import Email, GroupMembership, Name

from accounts.models import DirectoryGroup, DirectoryPerson
from accounts.services import provisioning

MOST_RESULTS = 200


class User(Resource[Any]):
    """A person."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None


class Group(Resource[Any]):
    """A group."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    members: list[GroupMember] | None = None


# What real providers send beyond the letter: attributes we do not keep, the value of a member to be
# removed beside the path, and a replaced entry that is not there yet.
POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
CONFIG = ServiceProviderConfig.model_validate(
    {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_RESULTS},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token that an admin issues for this directory.",
                "primary": True,
            }
        ],
    }
)
PROVIDER = ScimProvider(
    models=[User, Group],
    resource_types=[ResourceType.from_resource(User), ResourceType.from_resource(Group)],
    config=CONFIG,
    policy=POLICY,
)


def user_of(row: DirectoryPerson, base: str) -> User:
    """A person as the directory sees them; ``base`` is the address of the service."""
    kept = row.details
    return User.model_validate(
        {
            "schemas": [str(User.__schema__)],
            "id": str(row.pk),
            "externalId": row.external_id or None,
            "userName": row.user.username,
            "displayName": kept.get("displayName"),
            "name": kept.get("name"),
            "emails": kept.get("emails"),
            "active": row.user.is_active,
            "groups": [
                {
                    "value": str(group.pk),
                    "display": group.name,
                    "$ref": f"{base}/Groups/{group.pk}",
                    "type": "direct",
                }
                for group in row.groups.all()
            ]
            or None,
            "meta": _meta("User", row, f"{base}/Users/{row.pk}"),
        }
    )


def group_of(row: DirectoryGroup, base: str) -> Group:
    """A group as the directory sees it."""
    return Group.model_validate(
        {
            "schemas": [str(Group.__schema__)],
            "id": str(row.pk),
            "externalId": row.external_id or None,
            "displayName": row.name,
            "members": [
                {
                    "value": str(person.pk),
                    "display": str(person.user),
                    "$ref": f"{base}/Users/{person.pk}",
                    "type": "User",
                }
                for person in row.members.all()
            ]
            or None,
            "meta": _meta("Group", row, f"{base}/Groups/{row.pk}"),
        }
    )


def person_said(user: User) -> provisioning.Person:
    """What the services take of a user. Raises InvalidValueException."""
    username = _line(user.user_name, "userName", 150)
    emails = [each for each in user.emails or [] if each.value]
    primary = next((each for each in emails if each.primary), emails[0] if emails else None)
    email = str(primary.value) if primary else ""
    # Entra and others name people by their address and send no other.
    email = email or (username if _is_email(username) else "")
    if email and not _is_email(email):
        raise InvalidValueException(detail="emails: this is no e-mail address.")
    details = user.model_dump(include={"name", "display_name", "emails"})
    return provisioning.Person(
        username=username,
        name=_name(user)[:120] or username[:120],
        email=email,
        active=user.active is not False,
        external_id=_line(user.external_id, "externalId", 255, empty=True),
        details={key: details[key] for key in ("name", "displayName", "emails") if key in details},
    )


def group_said(group: Group) -> provisioning.Group:
    """What the services take of a group. Raises InvalidValueException."""
    members = set()
    for member in group.members or []:
        if member.type not in {None, "User"}:
            raise InvalidValueException(detail="members: groups in groups are not kept.")
        try:
            members.add(UUID(str(member.value)))
        except ValueError as error:
            raise InvalidValueException(detail="members: there is no such user.") from error
    return provisioning.Group(
        name=_line(group.display_name, "displayName", 255),
        external_id=_line(group.external_id, "externalId", 255, empty=True),
        members=frozenset(members),
    )


def _meta(kind: str, row: DirectoryPerson | DirectoryGroup, location: str) -> dict[str, Any]:
    return Meta(
        resource_type=kind,
        created=row.created_at,
        last_modified=row.changed_at,
        location=location,
        version=etag_of(row),
    ).model_dump(scim_ctx=Context.DEFAULT)


def etag_of(row: DirectoryPerson | DirectoryGroup) -> str:
    return f'W/"{row.version}"'


def _name(user: User) -> str:
    """How the person is called in the console."""
    if user.display_name:
        return _plain(user.display_name)
    if user.name is None:
        return ""
    parts = (user.name.given_name, user.name.family_name)
    return _plain(user.name.formatted or " ".join(part for part in parts if part))


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable()).strip()


def _line(value: str | None, name: str, longest: int, *, empty: bool = False) -> str:
    """One line of text, to the letter: a shortened name could be somebody else's."""
    text = value or ""
    if (not text and not empty) or len(text) > longest or not text.isprintable():
        raise InvalidValueException(
            detail=f"{name}: text of {0 if empty else 1} to {longest} printable characters."
        )
    return text


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254  # noqa: PLR2004 - the column's width
