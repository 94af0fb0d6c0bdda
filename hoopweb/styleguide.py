"""Every component on one page, full, empty and too long. Mounted while DEBUG is on."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.middleware import public

GIVEN = """-- monthly revenue by city, worst first
select c.city, sum(i.amount) revenue, max(c.email) contact
from prod.retail.line_items i join prod.crm.customers c on c.id = i.customer_id
where i.sold_on >= '2026-01-01' and c.country = 'DE'
group by 1 order by 2 limit 50"""

SENT = (
    "SELECT C.CITY, SUM(I.AMOUNT) AS REVENUE, MAX(C.EMAIL) AS CONTACT FROM PROD.RETAIL.LINE_ITEMS"
    " AS I JOIN (SELECT ID, CITY, COUNTRY, REGEXP_REPLACE(EMAIL, '^[^@]+', '•••') AS EMAIL FROM"
    " PROD.CRM.CUSTOMERS) AS C ON C.ID = I.CUSTOMER_ID WHERE I.SOLD_ON >= '2026-01-01' AND"
    " C.COUNTRY = 'DE' GROUP BY 1 ORDER BY 2 LIMIT 50"
)

HOSTILE = (
    "SELECT '<script>alert(1)</script>' AS \u202ex\u200b, NAME FROM \u0410CCOUNTS -- \u00a0end"
)

LONG = (
    "EXTREMELY_LONG_DATABASE_NAME.A_SCHEMA_THAT_NOBODY_SHORTENED.CUSTOMERS_WITH_EVERY_COLUMN_2026"
)


@dataclass(frozen=True)
class Reason:
    text: str
    way_out: str = ""
    rule: str = ""
    code: str = ""


@dataclass(frozen=True)
class Vote:
    by: str
    verdict: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Event:
    """What components/timeline.html reads of an event."""

    number: int
    kind: str
    title: str
    at: datetime
    offset: str
    tone: str = "neutral"
    icon: str = "document-text"
    text: str = ""
    sql: str = ""
    sent: str = ""


@dataclass(frozen=True)
class Statement:
    id: str
    text: str
    state: str
    agent: str
    person: str
    connection: str
    at: datetime
    tables: list[str] = field(default_factory=list)
    took: int | None = None


class ConnectionForm(forms.Form):
    name = forms.CharField(help_text="As people will say it: “Production, analytics”.")
    account = forms.CharField(
        help_text="The part of the address before .snowflakecomputing.com.",
        widget=forms.TextInput(attrs={"placeholder": "xy12345.eu-central-1"}),
    )
    warehouse = forms.ChoiceField(
        choices=[("", "Default of the role"), ("s", "WH_SMALL"), ("m", "WH_MEDIUM")], required=False
    )
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    effect = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[("allow", "Allow"), ("review", "Ask a reviewer"), ("deny", "Deny")],
    )
    enabled = forms.BooleanField(
        required=False, help_text="Agents meet it from the moment you save."
    )


class FilterForm(forms.Form):
    state = forms.ChoiceField(
        label="Show",
        required=False,
        choices=[("", "all statements"), ("w", "waiting"), ("d", "denied")],
    )
    agent = forms.ChoiceField(
        label="by", required=False, choices=[("", "any agent"), ("b", "billing-bot")]
    )
    since = forms.ChoiceField(
        label="in",
        required=False,
        choices=[("", "the last 24 hours"), ("7", "the last 7 days"), ("30", "the last 30 days")],
    )
    q = forms.CharField(
        label="holding",
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "any text"}),
    )


def _statements(now: datetime) -> list[Statement]:
    texts = [
        (
            "awaiting_approval",
            "UPDATE PROD.CRM.CUSTOMERS SET SEGMENT = 'lapsed' WHERE LAST_ORDER < '2025-06-01'",
        ),
        ("succeeded", GIVEN),
        ("denied", "COPY INTO @~/dump FROM PROD.CRM.CUSTOMERS"),
        ("running", "SELECT COUNT(*) FROM PROD.RETAIL.LINE_ITEMS"),
        ("failed", "SELECT * FROM PROD.RETAIL.NO_SUCH_TABLE"),
        ("unknown", "MERGE INTO PROD.RETAIL.STOCK USING STAGE.STOCK ON STOCK.ID = STAGE.STOCK.ID"),
        ("rejected", "DELETE FROM PROD.CRM.CONTACTS"),
        ("expired", "UPDATE PROD.RETAIL.PRODUCTS SET PRICE = PRICE * 1.02"),
        ("queued", "SELECT CITY, COUNT(*) FROM PROD.RETAIL.STORES GROUP BY 1"),
    ]
    return [
        Statement(
            id=f"st_{i:04x}9f2c",
            text=text,
            state=state,
            agent=["billing-bot", "support-copilot", "etl-writer"][i % 3],
            person=["Ada Lindqvist", "Tom Okafor", ""][i % 3],
            connection=["Production", "Analytics"][i % 2],
            at=now - timedelta(minutes=4 * i * i + 1),
            took=None if state in {"awaiting_approval", "queued"} else 180 * (i + 1) ** 2,
        )
        for i, (state, text) in enumerate(texts)
    ]


def _events(now: datetime) -> list[Event]:
    start = now - timedelta(minutes=12)
    rows: list[tuple[str, str, str, str, str, int]] = [
        (
            "session.opened",
            "Session opened",
            "neutral",
            "signal",
            "By billing-bot through the REST door, on Production.",
            0,
        ),
        (
            "message",
            "Prompt",
            "running",
            "chat-bubble-left",
            "Which cities lost the most revenue this quarter? E-mail the customers there.",
            1,
        ),
        ("statement", "Statement", "neutral", "code-bracket", "", 4),
        (
            "decision",
            "Allowed, masked",
            "masked",
            "eye-slash",
            "Rule reads-of-retail allows it. EMAIL is masked as e-mail.",
            4,
        ),
        ("outcome", "Succeeded", "allowed", "check-circle", "50 rows in 820 ms.", 6),
        ("statement", "Statement", "neutral", "code-bracket", "", 21),
        (
            "decision",
            "Review",
            "waiting",
            "pause-circle",
            "Writes to PROD.CRM need one vote of the data stewards.",
            21,
        ),
        (
            "vote",
            "Approved by Maja Berg",
            "allowed",
            "check-circle",
            "Looks right: 214 rows, all lapsed.",
            190,
        ),
        ("outcome", "Succeeded", "allowed", "check-circle", "214 rows changed in 1.4 s.", 193),
        ("statement", "Statement", "neutral", "code-bracket", "", 230),
        (
            "decision",
            "Denied",
            "denied",
            "no-symbol",
            "Unloading to a stage takes data out of masking. Read it in pages instead.",
            230,
        ),
        (
            "session.sealed",
            "Session sealed",
            "neutral",
            "lock-closed",
            "27 events. Chain head 9f2c41d07be3.",
            410,
        ),
    ]
    texts = iter(
        (
            GIVEN,
            "update customers set segment = 'lapsed' where last_order < '2025-06-01'",
            "copy into @~/dump from customers",
        )
    )
    sent = iter(
        (
            SENT,
            "UPDATE PROD.CRM.CUSTOMERS SET SEGMENT = 'lapsed' WHERE LAST_ORDER < '2025-06-01'",
            "",
        )
    )
    return [
        Event(
            number=i,
            kind=kind,
            title=title,
            at=start + timedelta(seconds=seconds),
            offset=f"{seconds // 60:02d}:{seconds % 60:02d}",
            tone=tone,
            icon=icon,
            text=text,
            sql=next(texts) if kind == "statement" else "",
            sent=next(sent) if kind == "statement" else "",
        )
        for i, (kind, title, tone, icon, text, seconds) in enumerate(rows, start=1)
    ]


def context(request: HttpRequest) -> dict[str, Any]:
    """Samples in each shape that a page may meet."""
    now = datetime.now(UTC)
    refused = ConnectionForm({"name": "", "account": "https://xy12345", "effect": ""})
    refused.add_error("account", "Leave out “https://”. Type only the account identifier.")
    hours = [f"{h:02d}:00" for h in range(24)]
    columns = [
        {"name": "ID", "type": "fixed"},
        {"name": "CITY", "type": "text"},
        {"name": "REVENUE", "type": "fixed"},
        {"name": "EMAIL", "type": "text", "mask": "e-mail"},
        {"name": "SSN", "type": "text", "mask": "last 4"},
        {"name": "SOLD_ON", "type": "date"},
        {"name": "NOTE", "type": "text"},
    ]
    cities = ["Hamburg", "Köln", "Leipzig", "Bremen", "Dresden", "Ulm"]
    rows = [
        (
            10_000 + i,
            cities[i % 6],
            (i * 7919) % 100_000 / 7,
            "•••@example.com",
            f"•••-••-{i % 10000:04d}",
            (now - timedelta(days=i)).date(),
            None
            if i % 3
            else "a note that is much longer than the column wants to be, as notes are",
        )
        for i in range(1000)
    ]
    return {
        "now": now,
        "given": GIVEN,
        "sent": SENT,
        "hostile": HOSTILE,
        "long": LONG,
        "statement_states": [
            "received",
            "denied",
            "awaiting_approval",
            "queued",
            "running",
            "succeeded",
            "failed",
            "cancelled",
            "unknown",
            "rejected",
            "expired",
            "withdrawn",
        ],
        "approval_states": ["pending", "approved", "rejected", "expired", "withdrawn", "revoked"],
        "statements": _statements(now),
        "events": _events(now),
        "denied": [
            Reason(
                "Unloading PROD.CRM.CUSTOMERS to a stage takes protected columns out of masking.",
                "Read the rows through the gateway instead: they come masked, in pages.",
                "no-unloads",
                "unload_denied",
            ),
            Reason(
                "The stage @~ belongs to nobody whom the gateway knows.", "", "", "unknown_object"
            ),
        ],
        "review": [
            Reason(
                "Writes to PROD.CRM need one vote of the data stewards.",
                "",
                "crm-writes-reviewed",
                "review_required",
            )
        ],
        "allowed": [
            Reason(
                "Reads of retail are allowed to agents of the analytics team.",
                "",
                "reads-of-retail",
            )
        ],
        "lineage": [
            {
                "column": "PROD.CRM.CUSTOMERS.EMAIL",
                "uses": ["projected", "aggregated"],
                "strategy": "e-mail",
            },
            {"column": "PROD.CRM.CUSTOMERS.CITY", "uses": ["projected", "grouped"], "strategy": ""},
            {
                "column": "PROD.RETAIL.LINE_ITEMS.AMOUNT",
                "uses": ["aggregated", "ordered"],
                "strategy": "",
            },
        ],
        "votes": [
            Vote(
                "Maja Berg",
                "approve",
                now - timedelta(minutes=3),
                "Looks right: 214 rows, all lapsed.",
            ),
            Vote(
                "Jon Vale",
                "reject",
                now - timedelta(hours=2),
                "Wrong quarter. Ask again with the dates of Q3.",
            ),
        ],
        "facts_list": [
            ("Connection", "Production"),
            ("Role", "AGENT_READER"),
            ("Warehouse", "WH_SMALL"),
            ("Door", "REST"),
            ("Policy", "Revision 14"),
            ("Digest", "9f2c41d07be3a1"),
        ],
        "sparks": [3, 4, 2, 8, 6, 9, 12, 7, 5, 9, 14, 11],
        "hours": [
            (
                hour,
                {
                    "allowed": 20 + (i * 13) % 37,
                    "masked": (i * 7) % 19,
                    "waiting": 1 if i % 5 == 0 else 0,
                    "denied": (i * 5) % 7 if i % 3 == 0 else 0,
                },
            )
            for i, hour in enumerate(hours)
        ],
        "no_hours": [],
        "top_tables": [
            ("PROD.RETAIL.LINE_ITEMS", 1841, "#"),
            ("PROD.CRM.CUSTOMERS", 920, "#"),
            ("PROD.RETAIL.STORES", 311, "#"),
            (LONG, 12, "#"),
        ],
        "columns": columns,
        "few_rows": rows[:6],
        "many_rows": rows,
        "form": ConnectionForm(initial={"enabled": True}),
        "refused": refused,
        "filter_form": FilterForm(request.GET),
        "tab_list": [
            {"label": "Rules", "url": "#", "current": True, "count": 12},
            {"label": "Protections", "url": "#", "count": 4},
            {"label": "History", "url": "#"},
        ],
        "setup_steps": [
            {"label": "Account", "url": "#", "mark": "done"},
            {"label": "Method", "url": "#", "mark": "done"},
            {"label": "Test", "url": "#", "mark": "failed"},
            {"label": "Catalogue", "url": "#", "current": True},
            {"label": "Confirm"},
        ],
        "soon": now + timedelta(minutes=42),
        "earlier": now - timedelta(days=3),
        "long_ago": now - timedelta(days=400),
    }


@public
def styleguide(request: HttpRequest) -> HttpResponse:
    """Draw the page; the samples stand in for rows."""
    if "toasts" in request.GET:
        messages.success(request, "Grant revoked. The agent asks again next time.")
        messages.error(request, "The connection was not saved: Snowflake refused the key.")
    return render(request, "styleguide.html", context(request))
