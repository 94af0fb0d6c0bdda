"""mozilla-django-oidc, with the checks that it leaves out and without settings of its own."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import import_from_settings

from accounts.addresses import address_of
from accounts.mapping import Source
from accounts.models import User
from accounts.oidc import id_token, people, provider
from accounts.oidc.refusal import ProviderUnreachable, SignInRefused

# How Django names this backend in a browser's session.
BACKEND = "accounts.oidc.backend.Backend"


def library_setting(name: str, *default: Any) -> Any:
    """A setting of the library, from ours or from the provider's own description."""
    ours: dict[str, Callable[[], Any]] = {
        "OIDC_RP_CLIENT_ID": lambda: settings.OIDC_CLIENT_ID,
        "OIDC_RP_CLIENT_SECRET": lambda: settings.OIDC_CLIENT_SECRET,
        "OIDC_RP_SCOPES": lambda: " ".join(settings.OIDC_SCOPES),
        "OIDC_USE_PKCE": lambda: True,
        "OIDC_OP_AUTHORIZATION_ENDPOINT": lambda: provider.discovered().authorization_endpoint,
    }
    return ours[name]() if name in ours else import_from_settings(name, *default)


class Backend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Exchanges the code, checks the ID token and finds the person."""

    get_settings = staticmethod(library_setting)
    get_user = ModelBackend.get_user  # the library's lets disabled people stay

    def __init__(self) -> None:
        """Made with every request that has a session, so nothing is asked of the provider here."""
        self.UserModel = User
        self.OIDC_RP_CLIENT_ID = settings.OIDC_CLIENT_ID
        self.OIDC_RP_CLIENT_SECRET = settings.OIDC_CLIENT_SECRET

    def authenticate(  # type: ignore[override, unused-ignore]
        self, request: HttpRequest | None, *, nonce: str, code_verifier: str
    ) -> User | None:
        """These names and no others: a password is never tried here."""
        user: User | None = super().authenticate(request, nonce=nonce, code_verifier=code_verifier)
        return user

    def get_token(self, payload: dict[str, str]) -> dict[str, Any]:
        """Exchange the code, in the way that the provider takes the client's secret."""
        found = provider.discovered()
        auth = None
        if found.takes_basic:
            auth = (quote(payload["client_id"], ""), quote(payload.pop("client_secret"), ""))
        answer = provider.ask("POST", found.token_endpoint, data=payload, auth=auth)
        if answer.status_code in {400, 401, 403}:
            raise SignInRefused(
                "code_refused",
                "Your provider took its own answer back, or does not know this Hoopweb. Sign in "
                "again; when it stays so, ask whoever runs Hoopweb here.",
            )
        return provider.json_of(answer)

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        claims = id_token.verify(
            token or "",
            keys=lambda fresh: provider.keys(fresh=fresh),
            issuer=settings.OIDC_ISSUER,
            client_id=settings.OIDC_CLIENT_ID,
            nonce=kwargs.get("nonce") or "",
        )
        self.request.oidc_claims = claims  # for the view: whose session it is
        return claims

    def store_tokens(self, access_token: str, id_token: str) -> None:  # noqa: ARG002
        """The access token is of no use later. The ID token is for signing out (the view)."""
        self.request.oidc_id_token = id_token

    def get_userinfo(
        self, access_token: str, id_token: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """Claims with those that the provider tells only when asked; the signed ones win."""
        del id_token
        url = provider.discovered().userinfo_endpoint
        if not url or (people.groups_of(payload) is not None and "email" in payload):
            return payload
        headers = {"Authorization": f"Bearer {access_token}"}
        more = provider.json_of(provider.ask("GET", url, headers=headers))
        if more.get("sub") != payload["sub"]:
            raise ProviderUnreachable(f"{url} answered about somebody else.")
        return {**more, **payload}

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        claims = self.get_userinfo(access_token, id_token, payload)
        return people.admit(
            claims,
            issuer=settings.OIDC_ISSUER,
            source=Source.OIDC,
            groups=people.groups_of(claims) or [],
            address=address_of(self.request),
        )
