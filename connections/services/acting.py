"""Who may change a connection and its policy."""

from accounts.models import User
from accounts.principal import Role
from accounts.services.acting import actor_of
from connections.models import Connection
from hoopweb.lib.errors import NotAllowed

__all__ = ["actor_of", "may_change", "need_admin", "need_admin_of"]


def may_change(by: User, connection: Connection) -> bool:
    return connection.pk in by.scope(Role.ADMIN)


def need_admin_of(by: User | None, connection: Connection, what: str) -> None:
    """Raises NotAllowed unless ``by`` administers ``connection``; None is the installation."""
    if by is not None and not may_change(by, connection):
        raise NotAllowed(f"Only an admin of {connection.name} may {what}. Ask one of them.")


def need_admin(by: User | None, what: str) -> None:
    """Raises NotAllowed unless ``by`` administers everything."""
    if by is not None and not by.is_admin:
        raise NotAllowed(f"Only an admin of all connections may {what}. Ask one of them.")
