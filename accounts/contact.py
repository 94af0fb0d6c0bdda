"""Whom to ask for access: the operator may name somebody (``ACCESS_CONTACT``)."""

from django.conf import settings

NO_PLACE = (
    "Your provider signed you in, but nothing that it says of you gives you a place here. Ask "
    "{whom} to give one of your groups a place, or to have you put into a group that has one."
)
NAME_TAKEN = (
    "Your provider signed you in, and an account here has your user name or your e-mail address "
    "already. Whether it is yours, an admin has to say: ask {whom} to open that person under "
    "Settings, where you now stand as somebody waiting, and to link you. Then sign in again."
)


def whom_to_ask() -> str:
    """A person, a team or an address, as a sentence takes it."""
    return settings.ACCESS_CONTACT or "an admin of Hoopweb"


def link() -> str:
    """Where a click on the contact leads; empty when it is only a name."""
    contact = str(settings.ACCESS_CONTACT)
    if contact.startswith("https://"):
        return contact
    return f"mailto:{contact}" if "@" in contact and " " not in contact else ""


def no_place() -> str:
    """What a person reads whom no mapping rule gives anything."""
    return NO_PLACE.format(whom=whom_to_ask())


def name_taken() -> str:
    """What a person reads whose name an account has that is not their provider's."""
    return NAME_TAKEN.format(whom=whom_to_ask())
