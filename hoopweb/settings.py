"""All settings, from the environment. docs/operating.md lists every variable.

``HOOPWEB_LOCAL=1`` is the laptop's mode: local accounts, plain http, keys made on first start.
Anything else is production: it refuses to start without its keys (hoopweb.checks).
"""

import sys
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from hoopweb.lib import env
from hoopweb.logging import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("HOOPWEB_VAR", str(BASE_DIR / "var")))
TESTING = "pytest" in sys.modules

LOCAL = env.flag("HOOPWEB_LOCAL")
DEBUG = env.flag("DEBUG")
VERSION = "0.1.0"

# Keys. Empty means "not given": hoopweb.checks names each missing one with its cure.
SECRET_KEY = env.text("SECRET_KEY") or "not-given"
HOOPWEB_KEYS = env.text("HOOPWEB_KEYS")
TOKEN_PEPPERS = env.text("HOOPWEB_TOKEN_PEPPERS")
CHECKPOINT_KEY = env.text("HOOPWEB_CHECKPOINT_KEY")
# Public keys of earlier ones, comma separated: what they signed stays verifiable.
CHECKPOINT_RETIRED_KEYS = env.text("HOOPWEB_CHECKPOINT_RETIRED_KEYS")
# Signed checkpoints are written here too, outside the database's reach.
CHECKPOINT_DIR = Path(env.text("HOOPWEB_CHECKPOINT_DIR", str(VAR_DIR / "checkpoints")))
# Files of JSON lines for a SIEM lie here; an admin names them, the operator says where.
SINK_DIR = Path(env.text("HOOPWEB_SINK_DIR", str(VAR_DIR / "sinks")))

SITE_URL = env.text("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# Networks beside the public ones that addresses written by admins may lead into.
ALLOWED_NETWORKS = env.words("HOOPWEB_ALLOWED_NETWORKS")
SECURE = SITE_URL.startswith("https://")

# Where credentials may lie instead of being sealed in the database; empty closes each place.
REFERENCE_ENVIRONMENT = env.words("HOOPWEB_REFERENCE_ENVIRONMENT")
REFERENCE_DIRECTORIES = env.words("HOOPWEB_REFERENCE_DIRECTORIES")
REFERENCE_VAULT = env.words("HOOPWEB_REFERENCE_VAULT")
REFERENCE_AWS = env.words("HOOPWEB_REFERENCE_AWS")
# Hosts that an OAuth secret which lies elsewhere may be sent to.
REFERENCE_TOKEN_HOSTS = env.words("HOOPWEB_REFERENCE_TOKEN_HOSTS")
REFERENCE_SECONDS = env.number("HOOPWEB_REFERENCE_SECONDS", 60)
VAULT_ADDR = env.text("VAULT_ADDR").rstrip("/")
VAULT_NAMESPACE = env.text("VAULT_NAMESPACE")
VAULT_CACERT = env.text("VAULT_CACERT")
VAULT_AUTH_MOUNT = env.text("VAULT_AUTH_MOUNT")
# Files, read at each use: whoever renews them need not restart us.
VAULT_TOKEN_FILE = env.text("VAULT_TOKEN_FILE")
VAULT_ROLE_ID = env.text("VAULT_ROLE_ID")
VAULT_SECRET_ID_FILE = env.text("VAULT_SECRET_ID_FILE")
VAULT_KUBERNETES_ROLE = env.text("VAULT_KUBERNETES_ROLE")
VAULT_KUBERNETES_TOKEN_FILE = env.text(
    "VAULT_KUBERNETES_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

INSTALLED_APPS = [
    "hoopweb",
    "accounts",
    "recordings",
    "connections",
    "approvals",
    "gateway",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "django_filters",
    "django_htmx",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "heroicons",
    "rest_framework",
]

MIDDLEWARE = [
    "hoopweb.middleware.StoreFailure",
    "django.middleware.security.SecurityMiddleware",
    # Before the files, which answer for themselves: these too carry the headers.
    "csp.middleware.CSPMiddleware",
    "hoopweb.middleware.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "hoopweb.middleware.RequestName",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.console.Inactivity",
    "accounts.oidc.renewal.Renewal",
    "accounts.middleware.RefusalsRecorded",
    "accounts.middleware.SignInRequired",
]

ROOT_URLCONF = "hoopweb.urls"
ASGI_APPLICATION = "hoopweb.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "hoopweb.context.console",
            ],
        },
    },
]

# The store of record. Short time-outs: a statement is refused in under two seconds when the
# store is gone, rather than left hanging.
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.database(env.text("DATABASE_URL", "postgresql:///hoopweb")),
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    },
}
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 2)
if not TESTING:
    # Threads of the server and of the worker share few connections; waiting views hold none.
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": env.number("DATABASE_POOL", 12),
        "timeout": 1.5,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL}], "prefix": "hoopweb"},
    },
}

CELERY_BROKER_URL = (
    f"redis+socket://{REDIS_URL.removeprefix('unix://')}"
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "hoopweb"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Publishing must not hold a request up when the broker is gone: the sweep finds the work again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 1,
    "ack_emulation": False,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "gateway.tasks.sweep", "schedule": 2.0, "options": {"expires": 10}},
    "cut-lost": {"task": "gateway.tasks.cut_lost", "schedule": 10.0, "options": {"expires": 10}},
    "expire-approvals": {
        "task": "approvals.tasks.expire_requests",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "seal-idle-sessions": {
        "task": "recordings.tasks.seal_idle_sessions",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "checkpoint": {
        "task": "recordings.tasks.write_checkpoint",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "deliver-to-sinks": {
        "task": "recordings.tasks.deliver_to_sinks",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "end-wire-sessions": {
        "task": "gateway.tasks.end_wire_sessions",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "measure-transfers": {
        "task": "gateway.tasks.measure_transfers",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "sweep-runs": {
        "task": "connections.tasks.sweep_runs",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "sync-catalogues": {
        "task": "connections.tasks.sync_stale_catalogues",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
}

# A laptop serves its own files as they lie; elsewhere they are collected, named by their digests.
SERVE_UNCOLLECTED = LOCAL or DEBUG or TESTING
STORAGES = {
    "default": {
        "BACKEND": env.text("PAYLOAD_STORAGE", "django.core.files.storage.FileSystemStorage"),
        "OPTIONS": {"location": str(VAR_DIR / "payloads")}
        if "FileSystemStorage" in env.text("PAYLOAD_STORAGE", "FileSystemStorage")
        else {},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if SERVE_UNCOLLECTED
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("HOOPWEB_STATIC_ROOT", str(VAR_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
# Our files are for our pages alone.
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_USE_FINDERS = SERVE_UNCOLLECTED

AUTH_USER_MODEL = "accounts.User"
LOCAL_ACCOUNTS = env.flag("LOCAL_ACCOUNTS", default=LOCAL)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "accounts:sign-in"

# A real provider: setting the issuer turns the button on (docs/operating.md).
OIDC_ISSUER = env.text("OIDC_ISSUER")
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET")
OIDC_SCOPES = env.words("OIDC_SCOPES", "openid,email,profile")
OIDC_GROUPS_CLAIM = env.text("OIDC_GROUPS_CLAIM", "groups")
# Whom somebody asks who may sign in and has no place here: a name, a mail or an https address.
ACCESS_CONTACT = env.text("ACCESS_CONTACT")
# How often the provider is asked whether its session still lasts; 0: never.
OIDC_RENEW_MINUTES = env.number("OIDC_RENEW_MINUTES", 15)
# Or a SAML provider, by its metadata or by values. Certificates and keys are PEM.
SAML_IDP_METADATA = env.text("SAML_IDP_METADATA")
SAML_IDP_ENTITY_ID = env.text("SAML_IDP_ENTITY_ID")
SAML_IDP_SSO_URL = env.text("SAML_IDP_SSO_URL")
SAML_IDP_SLO_URL = env.text("SAML_IDP_SLO_URL")
SAML_IDP_CERTIFICATE = env.text("SAML_IDP_CERTIFICATE")
SAML_SP_KEY = env.text("SAML_SP_KEY")
SAML_SP_CERTIFICATE = env.text("SAML_SP_CERTIFICATE")
SAML_ENTITY_ID = env.text("SAML_ENTITY_ID")
SAML_NAMEID_FORMAT = env.text("SAML_NAMEID_FORMAT", "persistent")
SAML_GROUPS_ATTRIBUTE = env.text("SAML_GROUPS_ATTRIBUTE", "groups")
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
if OIDC_ISSUER:
    AUTHENTICATION_BACKENDS.append("accounts.oidc.backend.Backend")

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.number("CONSOLE_SESSION_HOURS", 12) * 3600
# A browser that nobody uses for so long is signed out; 0: not before its hours are over.
CONSOLE_IDLE_MINUTES = env.number("CONSOLE_IDLE_MINUTES", 30)
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "hoopweb.views.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
if SECURE:
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31536000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "accounts.authentication.ConsoleSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "gateway.rest.paging.Cursor",
    "EXCEPTION_HANDLER": "gateway.rest.problems.handle",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hoopweb API",
    "DESCRIPTION": "Send statements through the gateway, follow approvals, read recordings.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # States of several things share the field name; as plain enums they need no invented names.
    "POSTPROCESSING_HOOKS": [],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# Longest life of an agent's token.
AGENT_TOKEN_MAX_DAYS = env.number("AGENT_TOKEN_MAX_DAYS", 90)
# What one token of a directory may ask.
SCIM_REQUESTS_PER_MINUTE = env.number("SCIM_REQUESTS_PER_MINUTE", 1200)
# What one principal may ask of the API.
API_REQUESTS_PER_MINUTE = env.number("API_REQUESTS_PER_MINUTE", 1200)
API_STATEMENTS_PER_MINUTE = env.number("API_STATEMENTS_PER_MINUTE", 300)
# What one principal may send through all doors together.
STATEMENTS_PER_MINUTE = env.number("STATEMENTS_PER_MINUTE", 6000)
# Limits of a statement; a connection may set lower ones.
STATEMENT_MAX_BYTES = env.number("STATEMENT_MAX_BYTES", 256 * 1024)
# What a driver may bind to one statement, arrays of rows included.
BINDS_MAX_BYTES = env.number("BINDS_MAX_BYTES", 8 * 1024 * 1024)
STATEMENT_TIMEOUT_SECONDS = env.number("STATEMENT_TIMEOUT_SECONDS", 600)
RESULT_MAX_ROWS = env.number("RESULT_MAX_ROWS", 100_000)
RESULT_MAX_BYTES = env.number("RESULT_MAX_BYTES", 64 * 1024 * 1024)
SESSION_IDLE_MINUTES = env.number("SESSION_IDLE_MINUTES", 30)
# A running statement whose worker has been silent for so long counts as lost.
WORKER_SILENCE_SECONDS = env.number("WORKER_SILENCE_SECONDS", 20)
# A lost statement that Snowflake does not know counts as never arrived after so long.
RECONCILE_GRACE_SECONDS = env.number("RECONCILE_GRACE_SECONDS", 60)

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

METRICS_TOKEN = env.text("METRICS_TOKEN")
# A worker publishes its own times on this port; 0: not at all.
METRICS_PORT = env.number("METRICS_PORT", 0)
LOGGING = logging_config(
    level=env.text("LOG_LEVEL", "INFO"),
    pretty=env.flag("LOG_PRETTY"),
    secrets=[
        *(SECRET_KEY, CHECKPOINT_KEY, OIDC_CLIENT_SECRET, METRICS_TOKEN),
        *(entry.partition(":")[2] for entry in f"{HOOPWEB_KEYS},{TOKEN_PEPPERS}".split(",")),
    ],
)
LOGGING_CONFIG = "logging.config.dictConfig"

SILENCED_SYSTEM_CHECKS: list[str] = []
