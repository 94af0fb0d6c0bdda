"""Logging in: who asks, through which connection, with what of it; then a session at Snowflake."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.utils import timezone
from starlette.requests import Request
from starlette.responses import Response

from accounts.authentication import authenticate_bearer
from accounts.bearer import Bearer, BearerRefused
from accounts.principal import Principal
from connections import services as connections
from connections.judge import SessionContext, judge
from connections.models import Connection
from connections.policy.types import Effect, Subject
from connections.upstream.errors import UpstreamError, UpstreamUnreachable
from connections.upstream.types import Target, UpstreamSession
from gateway import contexts, logins, wire_sessions
from gateway.snowflake import parameters, replies, upstreams
from gateway.snowflake.bodies import address_of, body_of
from gateway.snowflake.errors import NOT_PERMITTED, Refusal
from gateway.snowflake.hops import hop
from hoopweb.lib.errors import HoopwebError

log = structlog.get_logger(__name__)
SERVER_VERSION = "9.0.0"
_BAD_CREDENTIAL = {"OAUTH": "390303"}
_NAME = re.compile(r'(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)')


@dataclass(frozen=True, slots=True)
class Ask:
    """A login request, as far as anything here reads it."""

    authenticator: str
    secret: str
    account: str
    client: str
    client_version: str
    places: Mapping[str, str]
    parameters: Mapping[str, Any]
    secondary_roles: str
    address: str | None

    @classmethod
    def parse(cls, data: Mapping[str, Any], query: Mapping[str, str], address: str | None) -> "Ask":
        environment = data.get("CLIENT_ENVIRONMENT")
        environment = environment if isinstance(environment, dict) else {}
        authenticator = str(data.get("AUTHENTICATOR") or "").upper()
        if not authenticator and environment.get("OAUTH_TYPE"):
            authenticator = "OAUTH"
        given = data.get("SESSION_PARAMETERS")
        return cls(
            authenticator=authenticator or "SNOWFLAKE",
            secret=str(data.get("TOKEN") or data.get("PASSWORD") or ""),
            account=str(data.get("ACCOUNT_NAME") or ""),
            client=str(data.get("CLIENT_APP_ID") or ""),
            client_version=str(data.get("CLIENT_APP_VERSION") or ""),
            places={
                name: query[asked]
                for name, asked in (
                    ("role", "roleName"),
                    ("warehouse", "warehouse"),
                    ("database", "databaseName"),
                    ("schema", "schemaName"),
                )
                if query.get(asked)
            },
            parameters=given if isinstance(given, dict) else {},
            secondary_roles=str(data.get("SECONDARY_ROLES") or ""),
            address=address,
        )


@dataclass(frozen=True, slots=True)
class _Admitted:
    bearer: Bearer
    connection: Connection
    target: Target
    query_tag: str


async def log_in(request: Request) -> Response:
    """A driver logs in, with an agent token or a JWT in the body."""
    body = await body_of(request)
    data = body.get("data")
    ask = Ask.parse(
        data if isinstance(data, dict) else {}, request.query_params, address_of(request)
    )
    admitted = await hop(_admit, ask)
    upstream = await _upstream(admitted)
    session, tokens = await hop(_open, ask, admitted, upstream)
    await upstreams.adopt(session, admitted.target, upstream)
    log.info("wire_login", client=ask.client, connection=admitted.connection.name)
    return replies.success(_said(session, tokens, upstream, ask))


async def sign_on(request: Request) -> Response:
    """Single sign-on by a browser is refused: agents have none."""
    await request.body()
    raise Refusal(
        "390400",
        "This gateway takes no browser or Okta login. Use authenticator=oauth with a token of your "
        "organisation's provider, or authenticator=programmatic_access_token with an agent token.",
        "08001",
    )


def _admit(ask: Ask) -> _Admitted:
    bearer = _who(ask)
    principal = bearer.principal
    connection = _connection(ask, principal)
    subject = Subject(
        kind=str(principal.kind),
        id=str(principal.id),
        name=principal.name,
        groups=principal.groups,
        on_behalf_of=principal.on_behalf_of,
        connection=connection.name,
        door=wire_sessions.DOOR,
        at=timezone.now(),
    )
    places = _places(ask, connection, subject)
    given = parameters.forwarded(
        ask.parameters,
        client=ask.client,
        allowed=lambda text: _effect(text, connection, subject) == Effect.ALLOW,
    )
    target = replace(
        connections.target_for(connection),
        role=places.get("role", connection.role),
        warehouse=places.get("warehouse", connection.warehouse),
        database=places.get("database", connection.database),
        schema=places.get("schema", connection.schema),
        session_parameters=given,
    )
    tag = str(parameters.named(ask.parameters, "QUERY_TAG") or "")
    return _Admitted(bearer, connection, target, tag)


def _who(ask: Ask) -> Bearer:
    if ask.authenticator not in {"OAUTH", "PROGRAMMATIC_ACCESS_TOKEN", "SNOWFLAKE"}:
        raise Refusal(
            "390100",
            f"This gateway does not take authenticator {ask.authenticator[:40].lower()}. Use oauth "
            "or programmatic_access_token with a token of the gateway.",
            "28000",
        )
    try:
        return authenticate_bearer(ask.secret, door=wire_sessions.DOOR, address=ask.address)
    except BearerRefused as error:
        code = _BAD_CREDENTIAL.get(ask.authenticator, "390100")
        raise Refusal(code, error.detail, "28000") from error


def _connection(ask: Ask, principal: Principal) -> Connection:
    """The connection that the account names. Drivers turn case and underscores as they like."""
    wanted = ask.account.lower().replace("_", "-")
    usable = {row.name.lower().replace("_", "-"): row for row in _usable(principal)}
    # What stands after a point is a region or the gateway's own domain.
    found = usable.get(wanted) or usable.get(wanted.partition(".")[0])
    if found is None:
        names = ", ".join(sorted(row.name for row in usable.values())) or "none yet"
        raise Refusal(
            "390201",
            f"There is no connection named {ask.account[:60]!r} that {principal.name} may use. Set "
            f"the driver's account to the name of a connection. Usable now: {names}.",
            "08001",
        )
    return found


def _usable(principal: Principal) -> list[Connection]:
    return list(Connection.objects.usable_by(principal))


def _places(ask: Ask, connection: Connection, subject: Subject) -> dict[str, str]:
    """What of the connection is asked for; anything beyond its own is judged as USE would be."""
    places = {}
    for name in contexts.PLACES:
        asked = ask.places.get(name)
        if not asked:
            continue
        if not _NAME.fullmatch(asked):
            raise Refusal("390400", f"{asked[:60]!r} is no name of a {name}.", "08001")
        quoted = asked.startswith('"')
        stored = asked[1:-1].replace('""', '"') if quoted else asked.upper()
        own = getattr(connection, name) or ""
        if stored == own or (not quoted and stored == own.upper()):
            continue
        escaped = stored.replace('"', '""')
        _permit(f'USE {name.upper()} "{escaped}"', name, asked, connection, subject)
        places[name] = asked
    if ask.secondary_roles and ask.secondary_roles.upper() != "NONE":
        _permit("USE SECONDARY ROLES ALL", "secondary roles", "ALL", connection, subject)
    return places


def _permit(text: str, kind: str, asked: str, connection: Connection, subject: Subject) -> None:
    effect = _effect(text, connection, subject)
    if effect != Effect.ALLOW:
        how = "is denied" if effect == Effect.DENY else "needs a reviewer"
        raise Refusal(
            "390400",
            f"The {kind} {asked[:60]} {how} on {connection.name}. Leave it out: the gateway works "
            "with the connection's own. An admin can allow it by a rule.",
            NOT_PERMITTED,
        )


def _effect(text: str, connection: Connection, subject: Subject) -> Effect:
    verdict = judge(
        text,
        context=SessionContext(database=connection.database or None),
        catalogue=connections.catalogue_for(connection),
        ruleset=connections.ruleset_for(connection),
        subject=subject,
    )
    return verdict.decision.effect


async def _upstream(admitted: _Admitted) -> UpstreamSession:
    try:
        return await upstreams.log_in(admitted.target)
    except UpstreamUnreachable as error:
        log.warning("wire_login_unreachable", connection=admitted.connection.name)
        text = "cannot be reached from the gateway now"
        raise _no_upstream(admitted, text) from error
    except UpstreamError as error:
        log.warning("wire_login_refused", connection=admitted.connection.name, code=error.code)
        raise _no_upstream(admitted, f"refused the gateway's login ({error.code})") from error
    except HoopwebError as error:
        raise _no_upstream(admitted, f"is not set up: {error.detail}") from error


def _no_upstream(admitted: _Admitted, what: str) -> Refusal:
    return Refusal(
        "390400",
        f"You are known to the gateway, but Snowflake behind connection {admitted.connection.name} "
        f"{what}. An admin can test the connection under Connections.",
        "08001",
    )


def _open(
    ask: Ask, admitted: _Admitted, upstream: UpstreamSession
) -> tuple[Any, wire_sessions.Tokens]:
    context = {name: getattr(upstream, name) for name in contexts.PLACES}
    return wire_sessions.open_session(
        principal=admitted.bearer.principal,
        agent_token_id=admitted.bearer.token_id,
        login_until=admitted.bearer.session_until,
        connection=admitted.connection,
        client=ask.client,
        client_version=ask.client_version,
        context=context,
        query_tag=admitted.query_tag,
        upstream=upstream,
    )


def _said(
    session: Any, tokens: wire_sessions.Tokens, upstream: UpstreamSession, ask: Ask
) -> dict[str, Any]:
    return {
        "token": tokens.session,
        "masterToken": tokens.master,
        "validityInSeconds": logins.left(session, wire_sessions.TOKEN_LIFE),
        "masterValidityInSeconds": logins.left(session, wire_sessions.MASTER_LIFE),
        "sessionId": session.number,
        "displayUserName": session.principal["name"],
        "serverVersion": SERVER_VERSION,
        "firstLogin": False,
        "remMeToken": None,
        "remMeValidityInSeconds": 0,
        "healthCheckInterval": 45,
        "newClientForUpgrade": None,
        "idToken": None,
        "idTokenValidityInSeconds": 0,
        "mfaToken": None,
        "mfaTokenValidityInSeconds": 0,
        "parameters": parameters.told(upstream.parameters, ask.parameters),
        "sessionInfo": {
            "databaseName": upstream.database,
            "schemaName": upstream.schema,
            "warehouseName": upstream.warehouse,
            "roleName": upstream.role,
        },
    }
