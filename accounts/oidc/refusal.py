"""Why somebody does not get in by the provider, in a word for the audit trail and in words."""

from accounts.models import User
from hoopweb.lib.errors import HoopwebError, NotAllowed


class SignInRefused(NotAllowed):
    """A sign-in that ends here. ``why`` is kept in the audit trail, ``detail`` is shown."""

    def __init__(
        self,
        why: str,
        detail: str,
        *,
        user: User | None = None,
        subject: str = "",
        groups: list[str] | None = None,
        status: int = 403,
    ) -> None:
        super().__init__(detail)
        self.why = why
        self.user = user
        self.subject = subject
        self.groups = groups
        self.status = status


class ProviderUnreachable(HoopwebError):
    """The provider does not answer, or not as a provider does. ``detail`` is for the operator."""

    status = 503
