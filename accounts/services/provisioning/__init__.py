"""What a directory does to its own people and groups. It sees and changes nobody else's."""

from accounts.services.provisioning.groups import (
    Group,
    change_group,
    create_group,
    delete_group,
    groups_of,
)
from accounts.services.provisioning.matching import (
    kept,
    link_sign_in,
    match_sign_in,
    people_of_issuer,
)
from accounts.services.provisioning.people import (
    Person,
    change_person,
    create_person,
    delete_person,
    people_of,
    place_of,
)

__all__ = [
    "Group",
    "Person",
    "change_group",
    "change_person",
    "create_group",
    "create_person",
    "delete_group",
    "delete_person",
    "groups_of",
    "kept",
    "link_sign_in",
    "match_sign_in",
    "people_of",
    "people_of_issuer",
    "place_of",
]
