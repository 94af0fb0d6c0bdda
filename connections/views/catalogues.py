"""What exists on a connection: search, browse, and read again."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from connections import services
from connections.models import CatalogueSync, Connection
from connections.policy.types import Protection
from connections.services.suggestions import Marks, covers
from connections.sql.catalogue import Catalogue, Column, Table
from connections.views import common
from hoopweb.lib.errors import HoopwebError
from hoopweb.lib.htmx import is_part, part_or_page

PAGE = 60
SHOWN_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class Found:
    """A table of a page of results, with what of it matched."""

    table: Table
    protected: int
    columns: tuple[str, ...] = ()
    more: int = 0


@require_http_methods(["GET", "POST"])
def sync(request: HttpRequest, name: str) -> HttpResponse:
    """POST asks for a reading; GET is the part that shows how far it is."""
    if request.method == "POST":
        row = common.changeable(request, name)
        try:
            services.request_catalogue_sync(connection=row, **common.acting(request))
        except HoopwebError as error:
            common.tell(request, error)
        if not is_part(request):
            return common.home(row)
    else:
        row = common.seen(request, name)
    context = sync_context(request, row)
    response = render(request, "connections/_sync.html", context)
    if request.method == "GET" and not (context["sync"] and context["sync"].is_open):
        # Only a page that watches a reading asks; now that it has ended, all of it is news.
        response.headers["HX-Refresh"] = "true"
    return response


def sync_context(request: HttpRequest, row: Connection) -> dict[str, Any]:
    row.refresh_from_db(fields=["catalogue_version"])
    return {
        "row": row,
        "may_change": common.may_change(request, row),
        "sync": CatalogueSync.objects.filter(connection=row).first(),
        "catalogue": row.catalogues.defer("content").filter(version=row.catalogue_version).first(),
    }


@require_GET
def catalogue(request: HttpRequest, name: str) -> HttpResponse:
    """Schemas, tables and columns as they were read last."""
    row = common.seen(request, name)
    value = services.catalogue_for(row)
    protections = [item.as_value() for item in row.protections.filter(enabled=True)]
    base = {
        "row": row,
        "may_change": common.may_change(request, row),
        "synced": row.catalogues.defer("content").filter(version=row.catalogue_version).first(),
    }
    if wanted := request.GET.get("table"):
        return _one_table(request, base, value, protections, wanted)
    marks = Marks(protections)
    query = request.GET.get("q", "").strip()
    schema = request.GET.get("schema", "")
    only = request.GET.get("only", "")
    matching = _search(value, query, schema)
    if only == "protected":
        matching = [(t, c) for t, c in matching if marks.count(t)]
    elif only == "view":
        matching = [(t, c) for t, c in matching if t.name.kind == "view"]
    start = max(common.whole(request.GET.get("from")) or 0, 0)
    shown = [
        Found(
            table,
            marks.count(table),
            tuple(columns[:SHOWN_COLUMNS]),
            max(len(columns) - SHOWN_COLUMNS, 0),
        )
        for table, columns in matching[start : start + PAGE]
    ]
    context = base | {
        "query": query,
        "schema": schema,
        "only": only,
        "schemas": sorted({f"{t.name.database}.{t.name.schema}" for t in value.tables.values()}),
        "found": shown,
        "first": start + 1,
        "last": start + len(shown),
        "total": len(matching),
        "previous": _page(request, start - PAGE) if start else "",
        "next": _page(request, start + PAGE) if start + PAGE < len(matching) else "",
    }
    return part_or_page(
        request, "connections/catalogue.html", "connections/_catalogue.html", context
    )


def _page(request: HttpRequest, start: int) -> str:
    params = request.GET.copy()
    params["from"] = str(max(start, 0))
    return "?" + params.urlencode()


def _search(value: Catalogue, query: str, schema: str) -> list[tuple[Table, list[str]]]:
    """Tables whose name or one of whose columns has every word of ``query``, best first."""
    words = query.casefold().split()
    found: list[tuple[int, str, Table, list[str]]] = []
    for table in value.tables.values():
        name = str(table.name)
        if schema and f"{table.name.database}.{table.name.schema}" != schema:
            continue
        folded = name.casefold()
        missing = [word for word in words if word not in folded]
        columns: list[str] = []
        if missing:
            columns = [
                column.name
                for column in table.columns
                if all(word in column.name.casefold() for word in missing)
            ]
            if not columns:
                continue
        found.append((len(missing), name, table, columns))
    found.sort(key=lambda item: item[:2])
    return [(table, columns) for _, _, table, columns in found]


def _one_table(
    request: HttpRequest,
    base: dict[str, Any],
    value: Catalogue,
    protections: list[Protection],
    wanted: str,
) -> HttpResponse:
    table = next((t for t in value.tables.values() if str(t.name) == wanted), None)
    rows: list[tuple[Column, Protection | None]] = []
    if table is not None:
        rows = [(column, covers(protections, table, column)) for column in table.columns]
    context = base | {"table": table, "wanted": wanted, "columns": rows}
    return render(
        request, "connections/table.html", context, status=200 if table is not None else 404
    )
