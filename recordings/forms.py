"""Filters of the lists. They live in the address and check shape only."""

from typing import Any

from django import forms

from recordings.models import Sink

STATES = (("", "All"), ("open", "Open"), ("sealed", "Sealed"))
DOORS = (("", "any door"), ("snowflake", "Snowflake"), ("rest", "REST"), ("mcp", "MCP"))
_NAMES = 200


class _Clean(forms.Form):
    """A bound form whose good fields count, whatever is wrong with the others."""

    def wanted(self) -> dict[str, Any]:
        if not self.is_bound:
            return {}
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    def offer(self, name: str, empty: str, values: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", empty), *((value, value) for value in values)]


class SessionFilter(_Clean):
    """Show <all> sessions by <any agent> on <any connection> through <any door> since <date>."""

    state = forms.ChoiceField(label="Show", required=False, choices=STATES)
    principal = forms.ChoiceField(label="sessions by", required=False)
    connection = forms.ChoiceField(label="on", required=False)
    door = forms.ChoiceField(label="through", required=False, choices=DOORS)
    since = forms.DateField(
        label="from", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label="to", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    q = forms.CharField(
        label="Find in titles",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Find in titles"}),
    )

    def __init__(self, data: Any, *, principals: list[str], connections: list[str]) -> None:
        super().__init__(data or None)
        self.offer("principal", "anyone", principals[:_NAMES])
        self.offer("connection", "any connection", connections[:_NAMES])


class AuditFilter(_Clean):
    """Show <any action> by <anyone> from <date> to <date>."""

    action = forms.ChoiceField(label="Show", required=False)
    actor = forms.ChoiceField(label="by", required=False)
    since = forms.DateField(
        label="from", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label="to", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    q = forms.CharField(
        label="Find an object or a person",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Object, person or id"}),
    )

    def __init__(self, data: Any, *, actions: list[str], actors: list[str]) -> None:
        super().__init__(data or None)
        self.offer("action", "every action", actions[:_NAMES])
        self.offer("actor", "anyone", actors[:_NAMES])


class SinkForm(forms.Form):
    """A sink as it is typed; whether it may be called is the service's question."""

    name = forms.SlugField(max_length=60, help_text="Letters, numbers and dashes, such as siem.")
    kind = forms.ChoiceField(choices=Sink.Kind.choices)
    address = forms.CharField(
        max_length=500,
        required=False,
        help_text="https://… for a webhook or Splunk, tls://host:6514 for syslog (tcp:// and "
        "udp:// too), a file's name for a file, nothing for standard output.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret = forms.CharField(
        label="Key",
        max_length=500,
        required=False,
        strip=True,
        help_text="Splunk: the collector's token. Webhook: what signs each body; left empty, one "
        "is made and shown once. It is kept sealed and never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    with_audit = forms.BooleanField(label="The audit trail", required=False, initial=True)
    with_events = forms.BooleanField(
        label="Events of sessions",
        required=False,
        initial=True,
        help_text="Without statements, prompts and rows: these never leave.",
    )
    from_start = forms.BooleanField(
        label="From the very first record",
        required=False,
        help_text="Otherwise what happens from now on.",
    )
