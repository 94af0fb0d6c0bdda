"""Shapes of issuers, identities and mapping rules as an admin types them. Forms never write."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from accounts.mapping import Condition, Operator, RoleAt, Source
from accounts.models import Issuer, IssuerKind, MappingRule, Team, User
from accounts.models.issuers import LONGEST_SUBJECT, SESSION_HOURS
from accounts.principal import Role
from accounts.seams import ConnectionName
from accounts.services.issuers import DEFAULT_ALGORITHMS, LONGEST_SESSION
from accounts.services.mapping import rule_of
from accounts.signed import ALGORITHMS
from hoopweb.lib.errors import InvalidRequest

_AUTOFILL_OFF = {"autocomplete": "off", "spellcheck": "false"}
CONDITIONS, ROLES = 4, 3
_OPERATORS = [
    (Operator.EQUALS, "is"),
    (Operator.ONE_OF, "is one of"),
    (Operator.GLOB, "is like"),
]
SOURCES = {
    Source.OIDC: "OpenID Connect",
    Source.SAML: "SAML",
    Source.SCIM: "SCIM",
}


def _line(**attrs: str) -> forms.TextInput:
    return forms.TextInput(attrs={**_AUTOFILL_OFF, **attrs})


def _lines(text: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (line.strip() for line in text.splitlines()))))


class IssuerForm(forms.Form):
    """Somebody whose tokens are believed. ``fixed`` leaves out what never changes."""

    name = forms.CharField(max_length=120, widget=_line(placeholder="GitHub Actions"))
    kind = forms.ChoiceField(choices=IssuerKind.choices)
    issuer = forms.CharField(
        max_length=300,
        widget=_line(placeholder="https://token.actions.githubusercontent.com"),
        help_text="Exactly as the tokens' iss says it. It stays: agents are known by its subjects.",
    )
    audiences = forms.CharField(
        max_length=2000,
        widget=forms.Textarea(attrs={**_AUTOFILL_OFF, "rows": 2}),
        help_text="One on each line. A token is taken when its aud holds one of them. Use one that "
        "only Hoopweb's agents ask for, never the client id that people sign in with.",
    )
    jwks_url = forms.CharField(
        label="Address of its keys",
        max_length=500,
        required=False,
        widget=_line(),
        help_text="Empty: where the issuer's own description says. For a cluster, an address "
        "that Hoopweb reaches, such as https://kubernetes.default.svc/openid/v1/jwks.",
    )
    authority = forms.CharField(
        label="Certificate authority of that address",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={**_AUTOFILL_OFF, "rows": 3}),
        help_text="PEM, only where the certificate is not publicly trusted.",
    )
    given_keys = forms.CharField(
        label="Its public keys",
        required=False,
        max_length=200_000,
        widget=forms.Textarea(attrs={**_AUTOFILL_OFF, "rows": 4, "placeholder": '{"keys": […]}'}),
        help_text="A JWK set, where Hoopweb cannot reach the issuer. Then nothing is fetched, and "
        "you replace them here when they change.",
    )
    algorithms = forms.MultipleChoiceField(
        choices=[(name, name) for name in ALGORITHMS],
        initial=list(DEFAULT_ALGORITHMS),
        widget=forms.CheckboxSelectMultiple,
    )
    subject_claim = forms.CharField(
        label="Claim that says who",
        max_length=120,
        initial="sub",
        widget=_line(),
        help_text="For some providers a client id tells agents apart: client_id or azp.",
    )
    groups_claim = forms.CharField(
        label="Claim with groups", max_length=120, required=False, initial="groups", widget=_line()
    )
    name_claim = forms.CharField(
        label="Claim with a person's name",
        max_length=120,
        required=False,
        initial="name",
        widget=_line(),
        help_text="Shown when an agent acts for a person who has no account here.",
    )
    session_hours = forms.IntegerField(
        label="Hours that a driver's session lasts",
        initial=SESSION_HOURS,
        min_value=0,
        max_value=LONGEST_SESSION,
        help_text="A driver logs in with a token once. So long after that it has to log in again, "
        "with a fresh one; what waits for a reviewer is not cut off. 0: as long as the token.",
    )
    within_person = forms.BooleanField(
        label="Within the person's own access",
        required=False,
        help_text="What an agent does for a person then needs that person's access to the "
        "connection too, and tokens for people whom Hoopweb does not know are refused.",
    )

    def __init__(self, *args: Any, fixed: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if fixed:
            del self.fields["issuer"], self.fields["kind"]

    @staticmethod
    def initial_of(row: Issuer) -> dict[str, Any]:
        names = (
            "name", "jwks_url", "authority", "algorithms", "subject_claim", "groups_claim",
            "name_claim", "session_hours", "within_person",
        )  # fmt: skip
        return {name: getattr(row, name) for name in names} | {
            "audiences": "\n".join(row.audiences),
            "given_keys": json.dumps({"keys": row.given_keys}, indent=1) if row.given_keys else "",
        }

    def clean_audiences(self) -> list[str]:
        return _lines(self.cleaned_data["audiences"])

    def clean_given_keys(self) -> Any:
        text = self.cleaned_data["given_keys"].strip()
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError) as error:
            raise ValidationError('This is not JSON. A JWK set begins with {"keys":.') from error


class IdentityForm(forms.Form):
    """As whom an issuer knows an agent."""

    issuer = forms.ModelChoiceField(Issuer.objects.filter(is_active=True), empty_label=None)
    subject = forms.CharField(
        max_length=LONGEST_SUBJECT,
        widget=_line(placeholder="system:serviceaccount:data:loader"),
        help_text="Exactly as the token's sub says it. GitHub: "
        "repo:company/project:ref:refs/heads/main. A token on behalf of somebody: act.sub.",
    )


class _Conditions(forms.Form):
    """Rows of (claim, operator, values), of which the first is needed."""

    name = forms.CharField(
        label="What it is for", max_length=120, widget=_line(placeholder="Data stewards")
    )

    def __init__(self, *args: Any, rule: MappingRule | None = None, **kwargs: Any) -> None:
        initial = dict(kwargs.pop("initial", None) or {})
        if rule is not None:
            initial["name"] = rule.name
            for number, each in enumerate(rule_of(rule).conditions):
                initial[f"claim_{number}"] = each.claim
                initial[f"operator_{number}"] = str(each.operator)
                initial[f"values_{number}"] = "\n".join(each.values)
        kwargs["initial"] = initial
        super().__init__(*args, **kwargs)
        self.count = max(CONDITIONS, len(rule.conditions) if rule else 0)
        for number in range(self.count):
            self.fields[f"claim_{number}"] = forms.CharField(
                label=f"Claim {number + 1}",
                required=number == 0,
                max_length=300,
                widget=_line(placeholder="groups" if number == 0 else ""),
            )
            self.fields[f"operator_{number}"] = forms.ChoiceField(
                label=f"Its value {number + 1}",
                choices=[(str(value), words) for value, words in _OPERATORS],
            )
            self.fields[f"values_{number}"] = forms.CharField(
                label=f"Values {number + 1}",
                required=number == 0,
                max_length=20_000,
                widget=forms.Textarea(attrs={**_AUTOFILL_OFF, "rows": 1}),
            )

    def rows(self) -> list[tuple[Any, Any, Any]]:
        return [
            (self[f"claim_{n}"], self[f"operator_{n}"], self[f"values_{n}"])
            for n in range(self.count)
        ]

    @property
    def has_more(self) -> bool:
        """Whether there is something to see beyond the first condition."""
        rows = self.rows()[1:]
        return any(f.value() or f.errors for claim, _, values in rows for f in (claim, values))

    def conditions(self) -> list[Condition]:
        found = []
        for n in range(self.count):
            claim = self.cleaned_data.get(f"claim_{n}", "").strip()
            values = _lines(self.cleaned_data.get(f"values_{n}", ""))
            if claim or values:
                operator = Operator(self.cleaned_data[f"operator_{n}"])
                found.append(Condition(claim, operator, tuple(values)))
        return found


class PersonRuleForm(_Conditions):
    """A rule that puts people into teams and gives them roles."""

    source = forms.ChoiceField(
        label="For people who come by",
        required=False,
        choices=[("", "any way"), *((str(value), words) for value, words in SOURCES.items())],
    )
    by_name = forms.BooleanField(
        label="Into each team whose short name is a matching value of the first condition",
        required=False,
    )
    teams = forms.ModelMultipleChoiceField(
        Team.objects.all(), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self,
        *args: Any,
        connections: Sequence[ConnectionName],
        rule: MappingRule | None = None,
        **kwargs: Any,
    ) -> None:
        initial: dict[str, Any] = {}
        held: list[RoleAt] = []
        if rule is not None:
            held = sorted(rule_of(rule).roles, key=lambda at: (at.role, str(at.connection_id)))
            initial = {"source": rule.source, "by_name": rule.by_name, "teams": rule.teams.all()}
            for n, at in enumerate(held):
                initial[f"role_{n}"] = str(at.role)
                initial[f"on_{n}"] = str(at.connection_id or "")
        super().__init__(*args, rule=rule, initial=initial, **kwargs)
        self.role_count = max(ROLES, len(held) + 1)
        named = {str(c.id): c.name for c in connections}
        named |= {
            str(at.connection_id): "a connection that is gone"
            for at in held
            if at.connection_id and str(at.connection_id) not in named
        }
        for n in range(self.role_count):
            self.fields[f"role_{n}"] = forms.ChoiceField(
                label=f"Role {n + 1}",
                required=False,
                choices=[("", "no role"), *((r.value, r.value.capitalize()) for r in Role)],
            )
            self.fields[f"on_{n}"] = forms.ChoiceField(
                label=f"Where role {n + 1} holds",
                required=False,
                choices=[("", "everywhere"), *((key, f"on {name}") for key, name in named.items())],
            )

    def role_rows(self) -> list[tuple[Any, Any]]:
        return [(self[f"role_{n}"], self[f"on_{n}"]) for n in range(self.role_count)]

    def values(self) -> dict[str, Any]:
        data = self.cleaned_data
        chosen = [(data[f"role_{n}"], data[f"on_{n}"]) for n in range(self.role_count)]
        return {
            "name": data["name"],
            "source": Source(data["source"]) if data["source"] else None,
            "conditions": self.conditions(),
            "teams": data["teams"],
            "by_name": data["by_name"],
            "roles": {RoleAt(Role(role), UUID(on) if on else None) for role, on in chosen if role},
        }


class AgentRuleForm(_Conditions):
    """A rule by which an issuer's tokens make agents."""

    issuer = forms.ModelChoiceField(Issuer.objects.all(), empty_label=None)
    agent_name = forms.CharField(
        label="Name of the agent",
        max_length=200,
        widget=_line(placeholder="ci of {repository}"),
        help_text="Claims stand in braces. Tokens that give the same name share one agent.",
    )
    owner = forms.ModelChoiceField(
        User.objects.filter(is_active=True),
        empty_label=None,
        help_text="Answers for the agents, and cannot approve what they ask.",
    )
    teams = forms.ModelMultipleChoiceField(
        Team.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What a team may use, its agents may use. Given when an agent is made; "
        "afterwards the agent's own page counts.",
    )

    def __init__(self, *args: Any, rule: MappingRule | None = None, **kwargs: Any) -> None:
        initial: dict[str, Any] = {}
        if rule is not None:
            initial = {name: getattr(rule, name) for name in ("issuer", "agent_name", "owner")}
            initial["teams"] = rule.teams.all()
        super().__init__(*args, rule=rule, initial=initial, **kwargs)

    def values(self) -> dict[str, Any]:
        names = ("name", "issuer", "agent_name", "owner", "teams")
        return {name: self.cleaned_data[name] for name in names} | {"conditions": self.conditions()}


class TrialForm(forms.Form):
    """A token or claims, and as whose they are taken."""

    taken_as = forms.ChoiceField(label="Taken as")
    text = forms.CharField(
        label="Token or claims",
        max_length=64_000,
        widget=forms.Textarea(attrs={**_AUTOFILL_OFF, "rows": 8}),
        help_text='A JWT, or claims such as {"sub": "nora", "groups": ["stewards"]}. It is not '
        "stored and not logged.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["taken_as"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            *((str(value), f"a person by {words}") for value, words in SOURCES.items()),
            *((str(row.pk), f"an agent by {row.name}") for row in Issuer.objects.all()),
        ]

    def chosen(self) -> Source | Issuer:
        """The way of a person, or the issuer of an agent. Raises InvalidRequest."""
        taken = self.cleaned_data["taken_as"]
        if taken in set(Source):
            return Source(taken)
        row = Issuer.objects.filter(pk=taken).first()
        if row is None:
            raise InvalidRequest("This issuer is gone. Choose another.", field="taken_as")
        return row
