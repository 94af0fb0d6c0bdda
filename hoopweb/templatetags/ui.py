"""Tags and filters of the console. docs/ui.md lists them with examples."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, wraps
from typing import Any

import heroicons
import structlog
from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.template.loader import get_template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from hoopweb.templatetags import drawing, sqltext, words

register = template.Library()

# Server-drawn rows of a grid; more than that and static/js/grid.js takes over.
GRID_ROWS = 100
_Values = Callable[..., dict[str, Any]]
_NUMBERS = frozenset({"fixed", "real", "number", "integer", "int", "float", "decimal", "double"})


# Icons and small marks


def _mark(template_name: str, *, name: str | None = None) -> Callable[[_Values], Any]:
    """An inclusion tag for marks that stand in running text: no white space around them."""

    def register_tag(values: _Values) -> Any:
        @wraps(values)
        def draw(*args: Any, **kwargs: Any) -> SafeString:
            drawn = get_template(template_name).render(values(*args, **kwargs))
            return mark_safe(drawn.strip())  # noqa: S308  drawn by an escaping template

        return register.simple_tag(draw, name=name or values.__name__)

    return register_tag


@lru_cache(maxsize=512)
def _icon(name: str, size: int, extra: str) -> SafeString:
    try:
        svg = heroicons._render_icon(  # noqa: SLF001  the tag of the package draws it anew each time
            "outline", name, size, {"class": f"icon {extra}".strip(), "aria_hidden": "true"}
        )
    except heroicons.IconDoesNotExist:
        svg = heroicons._render_icon(  # noqa: SLF001
            "outline", "stop", size, {"class": "icon", "aria_hidden": "true"}
        )
    return mark_safe(svg)  # noqa: S308  drawn by the package from its own files


@register.simple_tag
def icon(name: str, size: int = 16, extra: str = "") -> SafeString:
    return _icon(str(name), size, str(extra))


@_mark("components/state.html")
def state(value: object, *, large: bool = False, bare: bool = False) -> dict[str, Any]:
    return {
        "sign": words.sign(words.STATES, value),
        "value": str(value),
        "large": large,
        "bare": bare,
    }


def _decision_key(effect: object, *, masked: bool) -> str:
    return "masked" if masked and str(effect) == "allow" else str(effect)


@_mark("components/decision.html")
def decision(effect: object, *, masked: bool = False, large: bool = False) -> dict[str, Any]:
    key = _decision_key(effect, masked=masked)
    return {"sign": words.sign(words.DECISIONS, key), "value": key, "large": large}


@register.simple_tag
def decision_sign(effect: object, *, masked: bool = False) -> words.Sign:
    return words.sign(words.DECISIONS, _decision_key(effect, masked=masked))


@register.simple_tag
def state_sign(value: object) -> words.Sign:
    return words.sign(words.STATES, value)


@_mark("components/badge.html")
def badge(value: str, *, digest: str = "", note: str = "") -> dict[str, Any]:
    return {"sign": words.sign(words.BADGES, value), "digest": digest, "note": note}


@_mark("components/principal.html")
def principal(
    name: str, *, kind: str = "agent", on_behalf_of: str = "", url: str = "", large: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "agent": kind == "agent",
        "on_behalf_of": on_behalf_of,
        "url": url,
        "large": large,
    }


@_mark("components/object.html", name="object")
def object_name(
    name: object, *, masked: bool = False, kind: str = "table", url: str = "", tag: str = ""
) -> dict[str, Any]:
    head, dot, tail = str(name).rpartition(".")
    return {
        "head": head + dot,
        "tail": tail,
        "masked": masked,
        "kind": kind,
        "url": url,
        "tag": tag,
    }


@_mark("components/when.html")
def when(moment: datetime | None, *, prefix: str = "", empty: str = "—") -> dict[str, Any]:
    if moment is None:
        return {"moment": None, "empty": empty}
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return {
        "moment": moment,
        "iso": moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "exact": moment.strftime("%-d %b %Y, %H:%M:%S UTC"),
        "relative": words.relative(moment),
        "prefix": prefix,
    }


@_mark("components/copy.html")
def copy(
    text: object, *, shown: str = "", what: str = "value", mono: bool = True
) -> dict[str, Any]:
    return {"text": str(text), "shown": shown or str(text), "what": what, "mono": mono}


@_mark("components/kbd.html")
def kbd(*keys: str) -> dict[str, Any]:
    return {"keys": keys}


# Numbers


@register.filter
def thousands(value: float | None) -> str:
    return "—" if value is None else f"{value:,}"


@register.filter
def counted(plural: str, count: float) -> str:
    return words.counted(plural, count)


@register.filter
def compact(value: float | None) -> str:
    return words.compact(value)


@register.filter
def size(value: float | None) -> str:
    return words.size(value)


@register.filter
def duration(value: float | None) -> str:
    return words.duration(value)


@register.filter
def short(value: object, length: int = 8) -> str:
    """The beginning of an id or a digest, enough to tell two apart."""
    text = str(value)
    return text if len(text) <= length else text[:length]


# SQL


@register.inclusion_tag("components/sql.html")
def sql(
    given: str = "",
    *,
    sent: str = "",
    wrap: bool = True,
    label: str = "Statement",
    compact: bool = False,
) -> dict[str, Any]:
    """Panes for the text sent and the text given; the copy buttons hold each text untouched."""
    panes: list[dict[str, Any]] = []
    if sent:
        panes.append(
            {
                "key": "sent",
                "label": "Sent",
                "text": sent,
                "html": sqltext.listing(sqltext.lines(sqltext.tidy(sent))),
            }
        )
    if given:
        panes.append(
            {
                "key": "given",
                "label": "Given",
                "text": given,
                "html": sqltext.listing(sqltext.lines(given)),
            }
        )
    if sent and given:
        changed = sqltext.difference(sent, given)
        if changed:
            panes.append(
                {
                    "key": "difference",
                    "label": "Difference",
                    "html": sqltext.listing(changed),
                    "difference": True,
                }
            )
    return {
        "panes": panes,
        "tabbed": len(panes) > 1,
        "wrap": wrap,
        "label": label,
        "compact": compact,
        "uid": secrets.token_hex(3),
    }


@register.filter
def sql_line(text: str, length: int = 160) -> SafeString:
    """One highlighted line for a list: line ends folded, cut at ``length``."""
    kept: list[str] = []
    room = length
    for line in str(text).split("\n"):
        folded = " ".join(line.split())
        if not folded:
            continue
        if len(folded) > room:
            kept.append(folded[:room].rstrip() + "…")
            break
        kept.append(folded)
        room -= len(folded) + 1
    # Coloured before it is joined, so that a comment ends where its line ended.
    return mark_safe(" ".join(line.html for line in sqltext.lines("\n".join(kept))))  # noqa: S308


# Result rows


def _cell(value: Any) -> str | None:
    """A value as text that JSON carries without loss; None stays None."""
    match value:
        case None | str():
            text = value
        case bool():
            text = "true" if value else "false"
        case datetime():
            text = value.isoformat(
                sep=" ", timespec="milliseconds" if value.microsecond else "seconds"
            )
        case bytes() | bytearray() | memoryview():
            text = bytes(value).hex().upper()
        case dict() | list() | tuple():
            text = json.dumps(value, default=str, ensure_ascii=False)
        case _:
            text = str(value)
    return text


@register.inclusion_tag("components/grid.html")
def grid(
    columns: Sequence[Any],
    rows: Sequence[Sequence[Any]],
    *,
    total: int | None = None,
    label: str = "Result",
    note: str = "",
) -> dict[str, Any]:
    """``columns``: mappings or objects with ``name``, ``type`` and ``mask`` (its strategy)."""
    heads = []
    for column in columns:
        get = column.get if isinstance(column, Mapping) else lambda k, c=column: getattr(c, k, "")
        kind = str(get("type") or "")
        heads.append(
            {
                "name": get("name"),
                "type": kind.lower(),
                "mask": get("mask") or "",
                "number": kind.lower().split("(")[0] in _NUMBERS,
            }
        )
    cells = [[_cell(value) for value in row] for row in rows]
    uid = secrets.token_hex(3)
    return {
        "heads": heads,
        "rows": [list(zip(heads, row, strict=False)) for row in cells[:GRID_ROWS]],
        "shown": min(len(cells), GRID_ROWS),
        "count": len(cells),
        "total": total if total is not None else len(cells),
        "masks": [h for h in heads if h["mask"]],
        "data": {"heads": heads, "rows": cells} if len(cells) > GRID_ROWS else None,
        "data_id": f"grid-{uid}",
        "label": label,
        "note": note,
    }


# Charts


@register.inclusion_tag("components/tabs.html")
def settings_tabs(current: str) -> dict[str, Any]:
    """The pages under Settings, as tabs."""
    pages = (
        ("people", "People and roles", "accounts:people"),
        ("mapping", "Mapping rules", "accounts:mapping"),
        ("issuers", "Issuers", "accounts:issuers"),
        ("directories", "Directories", "accounts:directories"),
        ("sinks", "Sinks", "recordings:sinks"),
    )
    return {
        "label": "Settings",
        "tabs": [
            {"label": words, "url": reverse(name), "current": key == current}
            for key, words, name in pages
        ],
    }


@register.inclusion_tag("components/spark.html")
def spark(
    values: Sequence[float], *, label: str, tone: str = "running", width: int = 96, height: int = 24
) -> dict[str, Any]:
    return {
        "spark": drawing.spark(values, width=width, height=height),
        "values": values,
        "label": label,
        "tone": tone,
    }


@register.inclusion_tag("components/bars.html")
def bars(
    rows: Sequence[tuple[str, Mapping[str, float]]],
    *,
    label: str,
    unit: str = "",
    height: int = 120,
) -> dict[str, Any]:
    """``rows``: (label, {tone: amount}), tones as the meanings are named."""
    drawn, top = drawing.bars(rows, height=height)
    present = [t for t in drawing.ORDER if any(amounts.get(t) for _, amounts in rows)]
    names = {s.tone: s for s in reversed(words.DECISIONS.values())} | {
        "failed": words.STATES["failed"],
        "waiting": words.STATES["pending"],
        "running": words.Sign("Statements", "running", "play"),
        "neutral": words.Sign("Other", "neutral", "minus-circle"),
    }
    return {
        "bars": drawn,
        "top": top,
        "label": label,
        "unit": unit,
        "height": height,
        "legend": [names[t] for t in present],
        "heads": [names[t].word for t in present],
        "table": [(name, [amounts.get(t, 0) for t in present]) for name, amounts in rows],
        "first": rows[0][0] if rows else "",
        "middle": rows[len(rows) // 2][0] if len(rows) > 4 else "",  # noqa: PLR2004
        "last": rows[-1][0] if len(rows) > 1 else "",
    }


@register.inclusion_tag("components/ranks.html")
def ranks(rows: Sequence[Any], *, label: str, tone: str = "running") -> dict[str, Any]:
    """``rows``: (name, amount) or (name, amount, url), longest bar first."""
    top = max((row[1] for row in rows), default=0) or 1
    return {
        "rows": [
            {
                "name": row[0],
                "amount": row[1],
                "url": row[2] if len(row) > 2 else "",  # noqa: PLR2004
                "width": round(row[1] / top * 100, 1),
            }
            for row in rows
        ],
        "label": label,
        "tone": tone,
    }


# Forms and messages


@register.filter
def kind(field: BoundField) -> str:
    """How a field is drawn: ``check``, ``choices`` or ``input``."""
    widget = field.field.widget
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return "choices"
    return "check" if isinstance(widget, CheckboxInput) else "input"


@register.filter
def level(message: Any) -> words.Sign:
    """The sign of a Django message, by its level."""
    return words.sign(words.LEVELS, getattr(message, "level_tag", message) or "info")


@register.simple_tag
def request_reference() -> str:
    """The id under which the logs know this request; what an error page asks people to quote."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The address's query with ``changes`` made: None takes a key out."""
    request = context.get("request")
    params = request.GET.copy() if request else {}
    for key, value in changes.items():
        if value is None:
            params.pop(key, None)
        else:
            params[key] = value
    return "?" + (params.urlencode() if hasattr(params, "urlencode") else "")


@register.filter
def split_words(text: str) -> list[str]:
    return text.split()
