"""The shapes of rules, protections and simulations. They check and tidy; only services save."""

from collections.abc import Mapping
from typing import Any

from django import forms

from accounts.models import Team
from connections.forms import Renewable, text_field
from connections.masking.strategies import STRATEGIES
from connections.models import Connection, Detector, Protection, Rule
from connections.services.checked import DOORS, NUMBERS, WEEKDAYS
from connections.services.kinds import kind_of
from connections.sql.facts import Use

EFFECTS = [
    ("allow", "Allow: it runs at once"),
    ("review", "Review: it waits for a person"),
    ("deny", "Deny: it does not run"),
]
DETECTOR_ACTIONS = [
    ("mask", "Mask: readers see its name in place of the value"),
    ("alert", "Alert only: readers see the value, the recording says that it was there"),
    ("off", "Off: it does not look"),
]
DAYS = list(zip(WEEKDAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))


class PatternsField(forms.CharField):
    """Several patterns, one a line or with commas between."""

    def __init__(self, label: str, help_text: str = "", **attrs: Any) -> None:
        rows = {"rows": 2, "class": "mono", "spellcheck": "false", "autocomplete": "off"}
        super().__init__(
            label=label,
            help_text=help_text,
            required=False,
            max_length=20_000,
            widget=forms.Textarea(attrs=rows | attrs),
        )

    def clean(self, value: Any) -> list[str]:
        text: str = super().clean(value)
        return [
            part.strip() for line in text.splitlines() for part in line.split(",") if part.strip()
        ]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class RuleForm(Renewable, forms.Form):
    """One rule. Every part of the match that is left empty matches everything."""

    slug = text_field(
        "Name",
        "Statements on record name the rule by it, so it stays for good.",
        required=True,
        max_length=60,
        placeholder="no-salaries",
    )
    effect = forms.ChoiceField(label="Effect", choices=EFFECTS, widget=forms.RadioSelect)
    note = text_field("Note", "Agents and reviewers read it as the reason.", max_length=400)
    classes = PatternsField("Statement classes", "Such as select, update, create-*, copy-in, call.")
    objects = PatternsField(
        "Objects", "DATABASE.SCHEMA.NAME with * and ?, such as PROD.HR.*.", placeholder="PROD.HR.*"
    )
    columns = PatternsField("Columns", "Such as PROD.HR.STAFF.SALARY or *.SALARY.")
    uses = forms.MultipleChoiceField(
        label="Column uses",
        required=False,
        choices=[(use.value, use.value) for use in Use],
        widget=forms.CheckboxSelectMultiple,
    )
    tags = PatternsField("Tags", "Of the columns that it meets, such as PII or PRIVACY=*.")
    functions = PatternsField("Functions", "Such as AI_*, SYSTEM$*. Naming one vouches for it.")
    flags = PatternsField(
        "Flags", "Such as star, no-predicate, cross-join, stage, copies-protected, writes-mask."
    )
    principals = PatternsField("Agents and people", "By name, such as billing-bot or person:*.")
    groups = forms.MultipleChoiceField(
        label="Teams", required=False, widget=forms.CheckboxSelectMultiple
    )
    doors = forms.MultipleChoiceField(
        label="Doors",
        required=False,
        choices=[(door, door) for door in DOORS],
        widget=forms.CheckboxSelectMultiple,
    )
    hours = PatternsField("Hours", "In UTC, such as 22:00-06:00.", rows=1)
    weekdays = forms.MultipleChoiceField(
        label="Days", required=False, choices=DAYS, widget=forms.CheckboxSelectMultiple
    )
    min_rows = forms.IntegerField(
        label="Rows at least", required=False, min_value=0, help_text="Where Snowflake estimates."
    )
    min_bytes = forms.IntegerField(label="Bytes at least", required=False, min_value=0)
    reviewers = forms.MultipleChoiceField(
        label="Reviewers",
        required=False,
        help_text="None chosen: any reviewer of the connection.",
        widget=forms.CheckboxSelectMultiple,
    )
    votes = forms.IntegerField(label="Votes needed", initial=1, min_value=1)
    expires_minutes = forms.IntegerField(
        label="Minutes to decide", initial=60, min_value=1, help_text="Then the request expires."
    )
    place = forms.ChoiceField(label="Place", help_text="The first rule that matches decides.")
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    LISTS = ("classes", "objects", "columns", "uses", "tags", "functions", "flags")
    WHO = ("principals", "groups", "doors", "hours", "weekdays")

    def __init__(
        self, *args: Any, row: Connection, rule: Rule | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kept = dict(rule.match) if rule else {}
        teams = [(team.slug, team.name) for team in Team.objects.all()]
        for name in ("groups", "reviewers"):
            chosen = rule.match.get("groups", []) if rule and name == "groups" else []
            chosen = rule.reviewers if rule and name == "reviewers" else chosen
            # A pattern over teams, or one that is gone, stays visible and can be taken out.
            extra = [(slug, slug) for slug in chosen if slug not in dict(teams)]
            self._choices(name, [*teams, *extra])
        if rule is not None:
            del self.fields["slug"], self.fields["place"]
            return
        count = row.rules.count()
        following = [
            (str(place), f"{place}, before {slug}")
            for place, slug in enumerate(row.rules.values_list("slug", flat=True), start=1)
        ]
        self._choices("place", [*following, (str(count + 1), f"{count + 1}, last")])
        self.fields["place"].initial = "1"

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @staticmethod
    def initial_of(rule: Rule) -> dict[str, Any]:
        match = {
            key: value if key in NUMBERS or isinstance(value, list) else [value]
            for key, value in rule.match.items()
        }
        return match | {
            name: getattr(rule, name)
            for name in ("effect", "note", "reviewers", "votes", "expires_minutes", "revision")
        }

    def values(self) -> dict[str, Any]:
        """What ``create_rule`` and ``update_rule`` take."""
        data = self.cleaned_data
        match = {key: value for key, value in self.kept.items() if key not in self.fields}
        for key in (*self.LISTS, *self.WHO):
            if data[key]:
                match[key] = list(data[key])
        match |= {key: data[key] for key in NUMBERS if data[key] is not None}
        names = ("effect", "note", "reviewers", "votes", "expires_minutes")
        return {"match": match} | {name: data[name] for name in names}

    def add_error(self, field: str | None, error: Any) -> None:
        # Services name a part of the match as match.<key>; here each has a field of its own.
        known = field.removeprefix("match_") if field else None
        super().add_error(known if known in self.fields else field, error)

    def what(self) -> list[forms.BoundField]:
        return [self[name] for name in ("classes", "objects", "columns", "tags")]

    def how(self) -> list[forms.BoundField]:
        return [self[name] for name in ("functions", "flags", "uses", "min_rows", "min_bytes")]

    def who(self) -> list[forms.BoundField]:
        return [self[name] for name in self.WHO]

    def review(self) -> list[forms.BoundField]:
        return [self[name] for name in ("reviewers", "votes", "expires_minutes")]


class ProtectionForm(Renewable, forms.Form):
    """A column or a tag, and its mask with the options of each strategy."""

    database = text_field("Database", initial="*")
    schema = text_field("Schema", initial="*")
    table = text_field("Table or view", initial="*")
    column = text_field("Column", "With * and ?, such as *EMAIL*.")
    tag = text_field(
        "Tag", "Instead of a column: protects every column that carries it.", max_length=200
    )
    strategy = forms.ChoiceField(
        label="What readers see",
        choices=[(s.name, f"{s.label}: {s.description}") for s in STRATEGIES.values()],
        widget=forms.RadioSelect,
        initial="redact",
    )
    note = text_field("Note", max_length=400)
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    PLACE = ("database", "schema", "table", "column", "tag")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for strategy in STRATEGIES.values():
            for option in strategy.options:
                self.fields[f"{strategy.name}_{option.name}"] = _option_field(option)

    @staticmethod
    def initial_from(query: Mapping[str, str]) -> dict[str, Any]:
        """What a link proposes, with the mask that usually fits such a column."""
        found = {name: query[name] for name in ProtectionForm.PLACE if query.get(name)}
        kind = kind_of(found.get("column", ""))
        if kind is None or not kind.masks:
            return found
        strategy, options = kind.masks[0]
        return found | {"strategy": strategy} | {f"{strategy}_{k}": v for k, v in options.items()}

    @staticmethod
    def initial_of(item: Protection) -> dict[str, Any]:
        names = (*ProtectionForm.PLACE, "strategy", "note", "revision")
        options = {f"{item.strategy}_{key}": value for key, value in item.options.items()}
        return {name: getattr(item, name) for name in names} | options

    def options_of(self, name: str) -> list[forms.BoundField]:
        """The fields that belong to one strategy."""
        return [self[f"{name}_{option.name}"] for option in STRATEGIES[name].options]

    def place(self) -> list[forms.BoundField]:
        return [self[name] for name in self.PLACE]

    def values(self) -> dict[str, Any]:
        """What ``create_protection`` and ``update_protection`` take."""
        data = self.cleaned_data
        strategy = STRATEGIES[data["strategy"]]
        options = {}
        for option in strategy.options:
            value = data[f"{strategy.name}_{option.name}"]
            if value not in (None, ""):
                options[option.name] = value
        found = {name: data[name] for name in (*self.PLACE, "strategy", "note")}
        for name in ("database", "schema", "table"):
            found[name] = found[name] or "*"
        return found | {"options": options}

    def add_error(self, field: str | None, error: Any) -> None:
        if field and field.startswith("options_"):
            field = f"{self.data.get('strategy')}_{field.removeprefix('options_')}"
        super().add_error(field if field in self.fields else None, error)


class DetectorForm(Renewable, forms.Form):
    """A pattern of one's own, and a text to try it on, which is kept nowhere."""

    name = text_field(
        "Name",
        "Readers see it in place of what is found, such as [staff-number]. It stays for good.",
        required=True,
        max_length=41,
        placeholder="staff-number",
    )
    label = text_field("Label", "What people call it.", max_length=80, placeholder="Staff number")
    pattern = forms.CharField(
        label="Pattern",
        help_text="A regular expression as RE2 reads it. Look-ahead and back-references do not "
        "exist there. Case counts, unless it begins with (?i).",
        max_length=500,
        strip=False,
        widget=forms.TextInput(
            attrs={
                "class": "mono",
                "spellcheck": "false",
                "autocomplete": "off",
                "placeholder": "EMP-[0-9]{6}",
            }
        ),
    )
    action = forms.ChoiceField(
        label="What it does",
        choices=DETECTOR_ACTIONS,
        initial="mask",
        widget=forms.RadioSelect,
    )
    sample = forms.CharField(
        label="Try it on a text",
        help_text="Nothing of it is kept.",
        required=False,
        max_length=20_000,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 4,
                "class": "mono",
                "spellcheck": "false",
                "autocomplete": "off",
                "placeholder": "Paste some text as it stands in a result.",
            }
        ),
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, detector: Detector | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if detector is not None:
            del self.fields["name"]

    @staticmethod
    def initial_of(detector: Detector) -> dict[str, Any]:
        return {key: getattr(detector, key) for key in ("label", "pattern", "action", "revision")}

    def values(self) -> dict[str, Any]:
        """What ``create_detector`` and ``update_detector`` take."""
        names = ("name", "label", "pattern", "action")
        return {name: self.cleaned_data[name] for name in names if name in self.fields}


def _option_field(option: Any) -> forms.Field:
    if option.kind == "choice":
        words = {"last4": "the last four characters", "domain": "the domain of an e-mail"}
        choices = [(choice, words.get(choice, choice)) for choice in option.choices]
        return forms.ChoiceField(
            label=option.label, required=False, choices=choices, initial=option.default
        )
    if option.kind == "number":
        return forms.FloatField(label=option.label, required=False, initial=option.default)
    return text_field(option.label, max_length=200, initial=option.default)


class SimulateForm(forms.Form):
    """A statement, and who would send it where."""

    connection = forms.ChoiceField(label="On")
    principal = forms.ChoiceField(label="as")
    door = forms.ChoiceField(
        label="through", choices=[(door, door) for door in DOORS], initial="rest"
    )
    sql = forms.CharField(
        label="Statement",
        max_length=300_000,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 9,
                "class": "mono",
                "spellcheck": "false",
                "autocomplete": "off",
                "placeholder": "SELECT …",
            }
        ),
    )

    def __init__(
        self,
        *args: Any,
        connections: list[str],
        principals: list[tuple[str, Any]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (
            ("connection", [(c, c) for c in connections]),
            ("principal", principals),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices
