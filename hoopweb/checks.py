"""What has to be there before a server starts: each by number, with its cure.

Three kinds. ``configuration`` reads settings only and runs with every command. ``readiness`` also
asks the database and Redis; a server or worker that is about to start runs it, and so does
``manage.py check --deploy``. Errors keep a server from starting; warnings are logged.
docs/operating.md explains every number.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004

from hoopweb.lib import crypto, env, outgoing

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
_SECRET_KEY_LENGTH = 50
# A key made by a person rather than drawn at random repeats itself.
_FEWEST_DISTINCT_BYTES = 16
_SHORTEST_PREFIX = 4
_MAKE_KEY = (
    "python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
)


def _error(number: int, text: str, hint: str) -> Error:
    return Error(text, hint=hint, id=f"hoopweb.E{number:03}")


def _warning(number: int, text: str, hint: str) -> Warning:
    return Warning(text, hint=hint, id=f"hoopweb.W{number:03}")


def _secret_key() -> Iterator[CheckMessage]:
    key = settings.SECRET_KEY
    if key == "not-given" or len(key) < _SECRET_KEY_LENGTH:
        yield _error(
            1,
            f"SECRET_KEY is missing or shorter than {_SECRET_KEY_LENGTH} characters.",
            "Set SECRET_KEY (or SECRET_KEY_FILE), for instance to what "
            "python -c 'import secrets; print(secrets.token_urlsafe(48))' prints.",
        )


def _ring(number: int, name: str, value: str, what: str) -> Iterator[CheckMessage]:
    hint = f"Set {name} (or {name}_FILE) to <name>:<key>, the key as printed by {_MAKE_KEY}"
    if not value:
        yield _error(number, f"{name} is missing: {what}.", hint)
        return
    try:
        keys = crypto.KeyRing.parse(value).keys.values()
    except crypto.CryptoError as error:
        yield _error(number, f"{name} cannot be read: {error}.", hint)
        return
    yield from _drawn_at_random(name, keys)


def _drawn_at_random(name: str, keys: Any) -> Iterator[CheckMessage]:
    if any(len(set(key)) < _FEWEST_DISTINCT_BYTES for key in keys):
        yield _error(
            11,
            f"{name} holds a key that was not drawn at random.",
            f"Make a new one by {_MAKE_KEY}",
        )


def _keys() -> Iterator[CheckMessage]:
    yield from _ring(
        2, "HOOPWEB_KEYS", settings.HOOPWEB_KEYS, "credentials and payloads are sealed with it"
    )
    yield from _ring(
        3, "HOOPWEB_TOKEN_PEPPERS", settings.TOKEN_PEPPERS, "agents' tokens are proved by it"
    )


def _checkpoint_key() -> Iterator[CheckMessage]:
    name = "HOOPWEB_CHECKPOINT_KEY"
    hint = f"Set {name} (or {name}_FILE) to a key as printed by {_MAKE_KEY}"
    if not settings.CHECKPOINT_KEY:
        yield _error(4, f"{name} is missing: checkpoints are signed with it.", hint)
        return
    try:
        # The same 32 bytes that a ring's key has, without a name of its own.
        ring = crypto.KeyRing.parse(f"checkpoint:{settings.CHECKPOINT_KEY}")
    except crypto.CryptoError:
        yield _error(4, f"{name} is not 32 bytes as base64.", hint)
        return
    yield from _drawn_at_random(name, ring.keys.values())


def _local_keys_elsewhere() -> Iterator[CheckMessage]:
    """The demo's keys lie in a file beside the code, which is no place for real ones."""
    if settings.LOCAL:
        return
    try:
        kept = (settings.VAR_DIR / "keys.env").read_text(encoding="utf-8")
    except OSError:
        return
    values = {line.partition("=")[2] for line in kept.splitlines() if not line.startswith("#")}
    for name, value in (
        ("SECRET_KEY", settings.SECRET_KEY),
        ("HOOPWEB_KEYS", settings.HOOPWEB_KEYS),
        ("HOOPWEB_TOKEN_PEPPERS", settings.TOKEN_PEPPERS),
        ("HOOPWEB_CHECKPOINT_KEY", settings.CHECKPOINT_KEY),
    ):
        if value and value in values:
            yield _error(
                11,
                f"{name} is the demo's, outside local mode.",
                "Make keys of its own for this installation, or set HOOPWEB_LOCAL=1 if this is a "
                "laptop.",
            )


def _database_given() -> Iterator[CheckMessage]:
    if not env.text("DATABASE_URL"):
        yield _error(
            5,
            "DATABASE_URL is missing.",
            "Set DATABASE_URL (or DATABASE_URL_FILE) to postgresql://user:password@host:port/name; "
            "`make demo` starts a Postgres of its own.",
        )


def _checkpoint_dir() -> Iterator[CheckMessage]:
    directory = settings.CHECKPOINT_DIR
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        yield _error(
            9,
            f"Checkpoints cannot be written to {directory}: {error.strerror}.",
            "Set HOOPWEB_CHECKPOINT_DIR to a directory that this account may write, outside the "
            "database's reach.",
        )


def _site_url() -> Iterator[CheckMessage]:
    parts = urlsplit(settings.SITE_URL)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield _error(
            10,
            f"SITE_URL is not an address: {settings.SITE_URL!r}.",
            "Set SITE_URL to where people open the console, https://hoopweb.example.com for "
            "instance.",
        )
        return
    if not settings.LOCAL and parts.scheme != "https":
        yield _error(
            10,
            "SITE_URL must start with https:// outside local mode.",
            "Put a proxy with TLS in front (docker/ has one) and set SITE_URL to its address, or "
            "set HOOPWEB_LOCAL=1 if this is a laptop.",
        )
    hosts = settings.ALLOWED_HOSTS
    known = any(
        host == "*"
        or host.strip("[]") == parts.hostname
        or (host.startswith(".") and parts.hostname.endswith(host))
        for host in hosts
    )
    if not known:
        yield _error(
            16,
            f"ALLOWED_HOSTS does not hold SITE_URL's host, {parts.hostname}.",
            f"Add {parts.hostname} to ALLOWED_HOSTS; otherwise every page answers 400.",
        )


def _laptop_only() -> Iterator[CheckMessage]:
    if settings.LOCAL:
        return
    if settings.LOCAL_ACCOUNTS:
        yield _warning(
            12,
            "LOCAL_ACCOUNTS is on outside local mode: people may sign in by password.",
            "Set up a provider (OIDC_ISSUER, or SAML_IDP_METADATA), then LOCAL_ACCOUNTS=0.",
        )
    if settings.DEBUG:
        yield _error(
            15,
            "DEBUG is on outside local mode: error pages would show settings and statements.",
            "Take DEBUG out of the environment.",
        )


def _oidc() -> Iterator[CheckMessage]:
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    missing = [name for name in names if not env.text(name)]
    if missing and len(missing) < len(names):
        yield _error(
            13,
            f"The OpenID provider is half set: {', '.join(missing)} missing.",
            "Set all of OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET, or none.",
        )


def _saml() -> Iterator[CheckMessage]:
    from accounts.saml import configuration

    for problem in configuration.problems():
        yield _error(
            21,
            problem,
            "Set SAML_IDP_METADATA (or SAML_IDP_METADATA_FILE) to the provider's metadata, or "
            "SAML_IDP_ENTITY_ID, SAML_IDP_SSO_URL and SAML_IDP_CERTIFICATE; SAML_SP_KEY and "
            "SAML_SP_CERTIFICATE together. docs/operating.md has examples.",
        )


def _networks() -> Iterator[CheckMessage]:
    try:
        outgoing.policy()
    except ValueError as error:
        yield _error(
            18,
            f"HOOPWEB_ALLOWED_NETWORKS cannot be read: {error}.",
            "Write networks such as 10.20.0.0/16,192.0.2.7/32, or leave it empty.",
        )


def _references() -> Iterator[CheckMessage]:
    if any(len(prefix) < _SHORTEST_PREFIX for prefix in settings.REFERENCE_ENVIRONMENT):
        yield _error(
            19,
            "HOOPWEB_REFERENCE_ENVIRONMENT opens nearly every variable.",
            f"Write beginnings of at least {_SHORTEST_PREFIX} characters, SNOWFLAKE_ for instance.",
        )
    for directory in settings.REFERENCE_DIRECTORIES:
        if not os.path.isabs(directory) or os.path.realpath(directory) == os.sep:  # noqa: PTH117
            yield _error(
                19,
                f"HOOPWEB_REFERENCE_DIRECTORIES holds {directory!r}.",
                "Write whole paths of directories that hold such secrets and nothing else.",
            )
    plain = settings.VAULT_ADDR and not settings.VAULT_ADDR.startswith("https://")
    if plain and not settings.LOCAL:
        yield _error(
            19,
            "VAULT_ADDR must start with https:// outside local mode.",
            "Say Vault's address with TLS; VAULT_CACERT names its authority.",
        )


_CONFIGURATION: tuple[Callable[[], Iterator[CheckMessage]], ...] = (
    _secret_key,
    _keys,
    _checkpoint_key,
    _local_keys_elsewhere,
    _database_given,
    _checkpoint_dir,
    _site_url,
    _laptop_only,
    _oidc,
    _saml,
    _networks,
    _references,
)


def configuration(**_: Any) -> list[CheckMessage]:
    """What settings alone can tell."""
    return [message for check in _CONFIGURATION for message in check()]


def _store() -> Iterator[CheckMessage]:
    from django.db import DatabaseError, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if not plan:
            yield from _emulator()
    except DatabaseError as error:
        yield _error(
            6,
            f"Postgres does not answer: {str(error).strip().splitlines()[0]}.",
            "Check DATABASE_URL (host, port, name, password) and that Postgres takes connections.",
        )
        return
    finally:
        if not connection.in_atomic_block:
            connection.close()
    if plan:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:3])
        yield _error(
            7,
            f"{len(plan)} migrations are not applied: {names}{' …' if len(plan) > 3 else ''}.",  # noqa: PLR2004
            "Run `python manage.py migrate`, then start again.",
        )


def _emulator() -> Iterator[CheckMessage]:
    if settings.LOCAL:
        return
    connections = apps.get_model("connections", "Connection")
    found = connections._default_manager.filter(  # noqa: SLF001 - Django's documented name
        is_active=True, host__in=_LOCAL_HOSTS
    )
    if names := sorted(found.values_list("name", flat=True)):
        yield _warning(
            14,
            f"Connections point at the emulator outside local mode: {', '.join(names)}.",
            "Register the real Snowflake account under Connections and disable these.",
        )


def _redis() -> Iterator[CheckMessage]:
    import redis

    try:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1
        )
        with client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        yield _warning(
            8,
            f"Redis does not answer: {type(error).__name__}.",
            "Check REDIS_URL. Nothing is lost without it: workers find statements every few "
            "seconds instead of at once, and pages do not update by themselves.",
        )


def _static_files() -> Iterator[CheckMessage]:
    collected = settings.STATIC_ROOT / "staticfiles.json"
    backend = settings.STORAGES["staticfiles"]["BACKEND"]  # type: ignore[index]
    if "Manifest" in backend and not collected.exists():
        yield _error(
            17,
            f"Styles and scripts are not collected in {settings.STATIC_ROOT}.",
            "Run `python manage.py collectstatic --noinput`, then start again.",
        )


def readiness(**_: Any) -> list[CheckMessage]:
    """What only the surroundings can tell."""
    return [message for check in (_store, _redis, _static_files) for message in check()]


def enlist() -> None:
    """Make them known to ``manage.py``."""
    register(configuration)
    register(readiness, deploy=True)


def refuse_to_start_unready(*, what: str = "the server") -> None:
    """End this process with the reasons when an error stands; print warnings and go on."""
    found = configuration()
    # Without its settings nothing can be asked of the database.
    if not any(message.is_serious() for message in found):
        # A server with several workers imports us within its loop, where Django asks no database.
        with ThreadPoolExecutor(1) as beside:
            found += beside.submit(readiness).result()
    for message in found:
        print(f"{message.id}: {message.msg}\n    {message.hint}", file=sys.stderr)  # noqa: T201
    if any(message.is_serious() for message in found):
        print(  # noqa: T201
            f"Not starting {what}. docs/operating.md explains each number.", file=sys.stderr
        )
        sys.stderr.flush()
        # Plain exit codes: a supervisor must see a failure, and no traceback helps anybody.
        raise SystemExit(os.EX_CONFIG)
