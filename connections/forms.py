"""The shapes of what people type here. They check and tidy; only services save."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings

from accounts.models import Agent, Team, User
from connections.models import Connection, Credential
from connections.services.given import PROVIDERS
from connections.services.places import checked_place
from hoopweb.lib.errors import InvalidRequest

Method = Credential.Method
Source = Credential.Source


def open_sources() -> list[tuple[str, str]]:
    """Where a secret may lie: sealed here, and the places that the operator has opened."""
    opened = {
        Source.SEALED: True,
        Source.ENVIRONMENT: settings.REFERENCE_ENVIRONMENT,
        Source.FILE: settings.REFERENCE_DIRECTORIES,
        Source.VAULT: settings.REFERENCE_VAULT,
        Source.AWS: settings.REFERENCE_AWS,
    }
    return [(value, label) for value, label in Source.choices if opened[Source(value)]]


def text_field(
    label: str,
    help_text: str = "",
    *,
    required: bool = False,
    max_length: int = 120,
    initial: Any = None,
    **attrs: Any,
) -> forms.CharField:
    """One line of text that is a name rather than prose."""
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=required,
        max_length=max_length,
        initial=initial,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"} | attrs),
    )


class Renewable:
    """A bound form whose hidden revision is renewed after a conflict; the rest stays as typed."""

    data: Any

    def renew_revision(self, revision: int) -> None:
        self.data = self.data.copy()
        self.data["revision"] = str(revision)


class PlaceForm(Renewable, forms.Form):
    """Where Snowflake is, what a session starts with, and how much a statement may take."""

    name = text_field(
        "Name",
        "Agents ask for the connection by this name. Lower case letters, digits, - and _.",
        required=True,
        max_length=60,
        placeholder="sales-prod",
    )
    description = text_field("Description", max_length=400)
    account = text_field(
        "Account",
        "The account identifier, or any address of your account: both are understood.",
        required=True,
        max_length=200,
        placeholder="MYORG-ACCOUNT1",
    )
    role = text_field("Role", "Everything runs as this role, so give it as little as will do.")
    warehouse = text_field("Warehouse")
    database = text_field("Database", "Names without a database are looked up here.")
    schema = text_field("Schema")
    catalogue_databases = text_field(
        "Databases in the catalogue",
        "Separated by commas. What is not in the catalogue is denied. Empty means the database "
        "above.",
        max_length=2000,
    )
    max_rows = forms.IntegerField(
        label="Rows at most", initial=10_000, min_value=1, help_text="A longer result is cut."
    )
    timeout_seconds = forms.IntegerField(
        label="Seconds at most", initial=300, min_value=1, help_text="A longer statement is ended."
    )
    host = text_field(
        "Host",
        "Only where it is not account.snowflakecomputing.com, for example with PrivateLink.",
        max_length=200,
    )
    port = forms.IntegerField(label="Port", initial=443)
    protocol = forms.ChoiceField(
        label="Protocol", choices=[("https", "https"), ("http", "http (local use only)")]
    )
    queue = text_field(
        "Worker queue",
        "Workers that listen to this queue run its statements. They may stand next to Snowflake.",
        max_length=60,
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    MAIN = ("name", "description", "account")
    SESSION = ("role", "warehouse", "database", "schema")
    LIMITS = ("max_rows", "timeout_seconds")
    RARE = ("host", "port", "protocol", "queue")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["queue"].initial = "hoopweb"
        if not settings.LOCAL:
            del self.fields["protocol"]

    @staticmethod
    def initial_of(row: Connection) -> dict[str, Any]:
        names = (*PlaceForm.MAIN, *PlaceForm.SESSION, *PlaceForm.LIMITS, *PlaceForm.RARE)
        found = {name: getattr(row, name) for name in (*names, "revision")}
        return found | {"catalogue_databases": ", ".join(row.catalogue_databases)}

    def clean(self) -> dict[str, Any]:
        """Say at once what the service would refuse, beside what the fields refuse."""
        given = {k: v for k, v in self.cleaned_data.items() if k in PlaceForm.base_fields}
        given.pop("catalogue_databases", None)
        given.pop("revision", None)
        if not given.get("queue"):
            given.pop("queue", None)
        try:
            checked_place(given)
        except InvalidRequest as error:
            for name, text in error.fields["errors"].items():
                self.add_error(name, text)
        return self.cleaned_data

    def settings(self) -> dict[str, Any]:
        """What the service takes."""
        given = {k: v for k, v in self.cleaned_data.items() if k != "revision"}
        names = given["catalogue_databases"].replace("\n", ",").split(",")
        return given | {"catalogue_databases": names, "queue": given["queue"] or "hoopweb"}

    def group(self, names: Iterable[str]) -> list[forms.BoundField]:
        return [self[name] for name in names if name in self.fields]

    def main(self) -> list[forms.BoundField]:
        return self.group(self.MAIN)

    def session(self) -> list[forms.BoundField]:
        return self.group(self.SESSION)

    def limits(self) -> list[forms.BoundField]:
        return self.group(self.LIMITS)

    def rare(self) -> list[forms.BoundField]:
        return self.group(self.RARE)


class CredentialForm(forms.Form):
    """How we log in. A secret is never put back into the page, not even after an error."""

    method = forms.ChoiceField(
        label="Method",
        help_text="A key pair is the safest: its private half never leaves this server.",
        initial=Method.KEY_PAIR,
    )
    login_name = text_field(
        "Snowflake user",
        "The user that Hoopweb logs in as. Agents never learn its credential.",
        required=True,
        placeholder="HOOPWEB",
    )
    # Needed or not by the method that is chosen: ``__init__`` says which.
    secret = forms.CharField(
        label="Secret",
        max_length=16_000,
        strip=False,
        help_text="The token, client secret or password. It is sealed at once and never shown.",
        widget=forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "new-password", "spellcheck": "false"}
        ),
    )
    source = forms.ChoiceField(
        label="Where the secret lies",
        help_text="Sealed here, or kept elsewhere and read for each login.",
        initial=Source.SEALED,
    )
    reference_name = text_field("Its name there", required=True, max_length=400)
    reference_field = text_field(
        "Entry", "Where the secret has several. In Vault it is “value” if you leave this empty."
    )
    provider = forms.ChoiceField(
        label="Where the gateway runs",
        help_text="Snowflake takes its word for who we are. OIDC is a token that Kubernetes, for "
        "example, mounts as a file.",
        choices=list(zip(PROVIDERS, ("AWS", "Azure", "Google Cloud", "OIDC"), strict=True)),
        required=False,
    )
    token_url = text_field(
        "Token address", "Of your identity provider.", required=True, max_length=400
    )
    client_id = text_field("Client id", required=True, max_length=200)
    scope = text_field("Scope", "For example session:role:READER.", max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        method = self.fields["method"]
        assert isinstance(method, forms.ChoiceField)
        method.choices = [
            choice for choice in Method.choices if settings.LOCAL or choice[0] != Method.PASSWORD
        ]
        source = self.fields["source"]
        assert isinstance(source, forms.ChoiceField)
        source.choices = open_sources()
        self.use_required_attribute = False
        if self.is_bound:
            chosen = self.data.get("method")
            elsewhere = self.data.get("source") not in {None, "", Source.SEALED}
            self.fields["secret"].required = not elsewhere and chosen in {
                Method.PAT,
                Method.OAUTH,
                Method.PASSWORD,
            }
            self.fields["source"].required = False
            self.fields["reference_name"].required = elsewhere
            self.fields["login_name"].required = chosen != Method.WORKLOAD
            for name in ("token_url", "client_id"):
                self.fields[name].required = chosen == Method.OAUTH

    def given(self) -> dict[str, Any]:
        """What ``set_credential`` takes; fields of other methods are left out."""
        data = self.cleaned_data
        found = {"method": data["method"], "login_name": data["login_name"]}
        cloud = data["method"] == Method.WORKLOAD and data["provider"] != "OIDC"
        source = Source.SEALED if cloud else data["source"] or Source.SEALED
        found["source"] = source
        if source != Source.SEALED:
            found["reference"] = {"name": data["reference_name"], "field": data["reference_field"]}
        elif data["method"] in {Method.PAT, Method.OAUTH, Method.PASSWORD}:
            found["secret"] = data["secret"]
        if data["method"] == Method.OAUTH:
            found |= {name: data[name] for name in ("token_url", "client_id", "scope")}
        if data["method"] == Method.WORKLOAD:
            found["provider"] = data["provider"]
        return found

    def elsewhere_open(self) -> bool:
        """Whether the operator has opened any place but our own."""
        return len(open_sources()) > 1

    def opened(self) -> dict[str, str]:
        """What may be named, by place, as a person reads it."""
        return {
            Source.ENVIRONMENT: ", ".join(f"{p}…" for p in settings.REFERENCE_ENVIRONMENT),
            Source.FILE: ", ".join(settings.REFERENCE_DIRECTORIES),
            Source.VAULT: ", ".join(settings.REFERENCE_VAULT),
            Source.AWS: ", ".join(f"{p}…" for p in settings.REFERENCE_AWS),
        }


class AccessForm(forms.Form):
    """Who else may send statements."""

    holder = forms.ChoiceField(label="Who")
    days = forms.ChoiceField(
        label="Until",
        required=False,
        choices=[
            ("", "no end"),
            ("1", "in a day"),
            ("7", "in a week"),
            ("30", "in 30 days"),
            ("90", "in 90 days"),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        holder = self.fields["holder"]
        assert isinstance(holder, forms.ChoiceField)
        holder.choices = [
            ("", "choose a team, an agent or a person"),
            ("Teams", [(f"team:{team.pk}", str(team)) for team in Team.objects.all()]),
            (
                "Agents",
                [(f"agent:{a.pk}", str(a)) for a in Agent.objects.filter(is_active=True)],
            ),
            (
                "People",
                [
                    (f"user:{user.pk}", str(user))
                    for user in User.objects.filter(is_active=True).order_by("name")
                ],
            ),
        ]

    def chosen(self) -> Team | Agent | User:
        kind, _, key = self.cleaned_data["holder"].partition(":")
        model: Any = {"team": Team, "agent": Agent, "user": User}[kind]
        row: Team | Agent | User = model.objects.get(pk=key)
        return row
