"""What the approval pages take in. Shape only; services decide."""

from django import forms

from approvals.models import Vote

GRANTS = (
    ("", "Only this once"),
    ("15", "This statement again for 15 minutes"),
    ("60", "This statement again for an hour"),
    ("480", "This statement again for 8 hours"),
)
STATES = (
    ("waiting", "waiting for a decision"),
    ("mine", "waiting for me"),
    ("decided", "already decided"),
    ("all", "all"),
)


class VoteForm(forms.Form):
    choice = forms.ChoiceField(choices=Vote.Choice.choices)
    reason = forms.CharField(required=False, max_length=1000, widget=forms.Textarea)
    grant = forms.ChoiceField(required=False, choices=GRANTS)
    digest = forms.RegexField(r"^[0-9a-f]{64}$")


class FilterForm(forms.Form):
    show = forms.ChoiceField(label="requests", required=False, choices=STATES)
    connection = forms.ChoiceField(label="on", required=False)
    q = forms.CharField(
        label="Find",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Agent or SQL"}),
    )

    def __init__(self, *args: object, connections: list[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["connection"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "any connection"), *((c, c) for c in connections)]
