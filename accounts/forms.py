"""Shapes of what people type. Forms never write."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from accounts import networks
from accounts.models import Team, User
from accounts.principal import Role, TokenScope
from accounts.seams import ConnectionName
from hoopweb.lib.errors import InvalidRequest

_AUTOFILL_OFF = {"autocomplete": "off", "spellcheck": "false"}
# Hashing a megabyte is a way to keep the server busy.
PASSWORD_LENGTH = 256


class SignInForm(forms.Form):
    """A name and a password. Whether they fit together is the service's question."""

    name = forms.CharField(
        label="User name or e-mail",
        max_length=200,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "username",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )
    password = forms.CharField(
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ChangePasswordForm(forms.Form):
    """The present password, and the new one once: it can be shown while typing."""

    old = forms.CharField(
        label="Present password",
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label="New password",
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters, nothing common, nothing like your name.",
    )
    again = forms.CharField(
        label="New password again",
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_new(self) -> str:
        new: str = self.cleaned_data["new"]
        password_validation.validate_password(new, self.user)
        return new

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if {"new", "again"} <= cleaned.keys() and cleaned["new"] != cleaned["again"]:
            self.add_error("again", "The two new passwords differ.")
        return cleaned


class PersonForm(forms.Form):
    """A new person. Where local accounts are on, with a first password."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    username = forms.SlugField(
        label="User name",
        max_length=60,
        widget=forms.TextInput(attrs=_AUTOFILL_OFF),
        help_text="Lower case letters, digits and -. It stays.",
    )
    email = forms.EmailField(
        label="E-mail", required=False, widget=forms.EmailInput(attrs=_AUTOFILL_OFF)
    )
    teams = forms.ModelMultipleChoiceField(
        Team.objects.all(), required=False, widget=forms.CheckboxSelectMultiple
    )
    password = forms.CharField(
        label="First password",
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. Hand it over in person; they can change it.",
    )

    def __init__(self, *args: Any, local: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not local:
            del self.fields["password"]

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).lower()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if password := cleaned.get("password"):
            person = User(username=cleaned.get("username", ""), email=cleaned.get("email", ""))
            try:
                password_validation.validate_password(password, person)
            except ValidationError as error:
                self.add_error("password", error)
        return cleaned


class TeamsForm(forms.Form):
    """The teams that someone is in."""

    teams = forms.ModelMultipleChoiceField(
        Team.objects.all(),
        label="In these teams",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


class TeamForm(forms.Form):
    """A new team."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs=_AUTOFILL_OFF))
    slug = forms.SlugField(
        label="Short name",
        max_length=60,
        widget=forms.TextInput(attrs=_AUTOFILL_OFF),
        help_text="Rules name the team by it, so it stays: lower case letters, digits and -.",
    )

    def clean_slug(self) -> str:
        return str(self.cleaned_data["slug"]).lower()


class RoleForm(forms.Form):
    """A role, everywhere or on one connection."""

    role = forms.ChoiceField(
        choices=[("", "Choose a role"), *((r.value, r.value.capitalize()) for r in Role)]
    )
    connection = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, connections: Sequence[ConnectionName], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["connection"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "everywhere"), *((str(c.id), f"on {c.name}") for c in connections)]


class AgentForm(forms.Form):
    """An agent. Its owner answers for it, and never approves what it asks."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs=_AUTOFILL_OFF))
    description = forms.CharField(
        max_length=400,
        required=False,
        widget=forms.TextInput(attrs=_AUTOFILL_OFF),
        help_text="What it does, in a sentence. Reviewers read it beside its requests.",
    )
    owner = forms.ModelChoiceField(
        User.objects.filter(is_active=True),
        empty_label=None,
        help_text="Answers for the agent, and cannot approve what it asks.",
    )
    teams = forms.ModelMultipleChoiceField(
        Team.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What a team may use, its agents may use.",
    )

    def __init__(self, *args: Any, by: User, held: Iterable[Team] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not by.is_admin:
            del self.fields["owner"]
            teams = self.fields["teams"]
            assert isinstance(teams, forms.ModelMultipleChoiceField)
            mine = {team.pk for team in by.teams.all()} | {team.pk for team in held}
            teams.queryset = Team.objects.filter(pk__in=mine)
            if not mine:
                del self.fields["teams"]


SCOPES = {
    TokenScope.RUN: "run statements, cancel them, open and close sessions",
    TokenScope.READ: "read its statements, results and approval requests",
    TokenScope.SESSIONS: "read and export its sessions",
    TokenScope.SIMULATE: "ask what would be decided",
}
_LIVES = (1, 7, 30, 90)


class TokenForm(forms.Form):
    """A new token for an agent."""

    label = forms.CharField(
        label="Used for",
        max_length=120,
        widget=forms.TextInput(attrs={**_AUTOFILL_OFF, "placeholder": "nightly job"}),
        help_text="Where it is used, so that you know which one to revoke.",
    )
    days = forms.TypedChoiceField(label="Expires after", coerce=int)
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=[(str(scope), words) for scope, words in SCOPES.items()],
        initial=[str(scope) for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
        help_text="Leave out what this place does not need: a leaked token opens that much less.",
    )
    networks = forms.CharField(
        label="Only from these networks",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={**_AUTOFILL_OFF, "rows": 2, "placeholder": "10.20.0.0/16"}),
        help_text="One on each line, as 10.20.0.0/16, 2001:db8::/32 or one address. Empty: from "
        "anywhere. Behind a proxy, the proxy's word on the address counts only when the server "
        "trusts it.",
    )
    connections = forms.MultipleChoiceField(
        label="Only for these connections",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: every connection that the agent may use, now and later.",
    )

    def clean_networks(self) -> list[str]:
        try:
            return networks.parse(str(self.cleaned_data["networks"]).splitlines())
        except InvalidRequest as error:
            raise ValidationError(error.detail) from error

    def __init__(
        self, *args: Any, connections: Sequence[ConnectionName], most_days: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        days = self.fields["days"]
        assert isinstance(days, forms.TypedChoiceField)
        offered = sorted({*(n for n in _LIVES if n < most_days), most_days})
        days.choices = [(n, "1 day" if n == 1 else f"{n} days") for n in offered]
        days.initial = offered[-1]
        field = self.fields["connections"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(str(c.id), c.name) for c in connections]
        if not connections:
            del self.fields["connections"]


class RotateForm(forms.Form):
    """How long the old token works beside its successor."""

    overlap = forms.TypedChoiceField(
        label="The old token ends",
        coerce=int,
        choices=[(0, "at once"), (1, "in 1 hour"), (24, "in 24 hours"), (168, "in 7 days")],
        initial=24,
        help_text="Put the new token in place meanwhile; both work until then.",
    )


class DirectoryForm(forms.Form):
    """A directory that keeps people and groups here."""

    name = forms.CharField(
        max_length=120,
        widget=forms.TextInput(attrs={**_AUTOFILL_OFF, "placeholder": "Okta"}),
        help_text="As the audit trail names it.",
    )
    issuer = forms.CharField(
        label="Its people sign in by",
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={**_AUTOFILL_OFF, "placeholder": "https://idp.example"}),
        help_text="The provider's issuer, to the letter. Only its sign-ins are matched to this "
        "directory's people. Empty: none are.",
    )


class DirectoryTokenForm(forms.Form):
    """A token for a directory."""

    label = forms.CharField(
        label="Used for",
        max_length=120,
        widget=forms.TextInput(attrs={**_AUTOFILL_OFF, "placeholder": "provisioning app"}),
    )
    days = forms.TypedChoiceField(
        label="Expires after",
        coerce=int,
        choices=[(90, "90 days"), (180, "180 days"), (365, "365 days")],
        initial=365,
        help_text="Rotate it before: both tokens work side by side meanwhile.",
    )
