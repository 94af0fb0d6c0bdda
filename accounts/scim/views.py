"""The endpoints. Each parses, calls a service and renders."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from scim2_models import Context, PatchOp, ResponseParameters, SearchRequest

from accounts.addresses import address_of
from accounts.middleware import public
from accounts.models import Directory, DirectoryGroup, DirectoryPerson
from accounts.scim import answers, finding, resources
from accounts.scim.answers import Refused, answer
from accounts.scim.entrance import directory_of
from accounts.scim.resources import Group, User
from accounts.services import provisioning
from hoopweb.lib.strict_json import loads

_TYPES = {"application/scim+json", "application/json"}
_COUNT = 100
_LONGEST_FILTER = 1000
Row = DirectoryPerson | DirectoryGroup
Handler = Callable[..., HttpResponse]


def _base() -> str:
    return f"{settings.SITE_URL}/scim/v2"


def endpoint(purpose: str, **methods: Handler) -> Any:
    """A view of these methods, for directories only, whose every answer has SCIM's form."""

    @csrf_exempt
    @public
    def view(request: HttpRequest, **named: Any) -> HttpResponse:
        try:
            directory = directory_of(request)
            handler = methods.get(request.method or "")
            if handler is None:
                allowed = ", ".join(methods)
                raise Refused(405, f"Only {allowed} here.", headers={"Allow": allowed})  # noqa: TRY301
            with resources.PROVIDER:
                return handler(request, directory, **named)
        except Exception as raised:  # noqa: BLE001 - every failure has an answer of this form
            return answers.of_exception(raised)

    view.__doc__ = purpose
    return view


class Kind:
    """Users or groups: how rows are found, shown, read and changed."""

    def __init__(
        self,
        *,
        shape: type[User] | type[Group],
        rows: Callable[[Directory], QuerySet[Any]],
        fields: dict[str, tuple[str, bool]],
        shown: Callable[[Any, str], Any],
        said: Callable[[Any], Any],
        create: Callable[..., Row],
        change: Callable[..., Row],
        delete: Callable[..., None],
        argument: str,
    ) -> None:
        self.shape, self.rows, self.fields = shape, rows, fields
        self.shown, self.said = shown, said
        self.create, self.change, self.delete, self.argument = create, change, delete, argument

    def one(self, directory: Directory, row_id: UUID) -> Row:
        row: Row | None = self.rows(directory).filter(pk=row_id).first()
        if row is None:
            raise Refused(404, f"There is no such {self.argument}.")
        return row

    def rendered(self, row: Row, ctx: Context, request: HttpRequest, status: int) -> HttpResponse:
        fresh = self.rows(row.directory).get(pk=row.pk)
        found = self.shown(fresh, _base())
        headers = {"ETag": resources.etag_of(fresh), "Location": found.meta.location}
        return answer(found.model_dump(scim_ctx=ctx, **_wanted(self, request)), status, headers)


USERS = Kind(
    shape=User,
    rows=lambda directory: provisioning.people_of(directory).prefetch_related("groups"),
    fields=finding.USER_FIELDS,
    shown=resources.user_of,
    said=resources.person_said,
    create=provisioning.create_person,
    change=provisioning.change_person,
    delete=provisioning.delete_person,
    argument="person",
)
GROUPS = Kind(
    shape=Group,
    rows=lambda directory: provisioning.groups_of(directory).prefetch_related("members__user"),
    fields=finding.GROUP_FIELDS,
    shown=resources.group_of,
    said=resources.group_said,
    create=provisioning.create_group,
    change=provisioning.change_group,
    delete=provisioning.delete_group,
    argument="group",
)


def collection(kind: Kind) -> Any:
    """``/Users`` and ``/Groups``."""

    def listed(request: HttpRequest, directory: Directory) -> HttpResponse:
        asked = _search(kind, request)
        start, count = asked.start_index or 1, asked.count
        most = min(_COUNT if count is None else count, resources.MOST_RESULTS)
        rows = kind.rows(directory).order_by("created_at", "pk")
        if asked.filter:
            narrowed = rows.filter(finding.narrowing(asked.filter, kind.fields))
            seen = (kind.shown(row, _base()) for row in narrowed)
            matching = [each for each in seen if asked.filter.match(each)]
            total, page = len(matching), matching[start - 1 : start - 1 + most]
        else:
            total = rows.count()
            page = [kind.shown(row, _base()) for row in rows[start - 1 : start - 1 + most]]
        ctx, wanted = Context.RESOURCE_QUERY_RESPONSE, _wanted(kind, request)
        return answer(
            {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                "totalResults": total,
                "startIndex": start,
                "itemsPerPage": len(page),
                "Resources": [each.model_dump(scim_ctx=ctx, **wanted) for each in page],
            }
        )

    def made(request: HttpRequest, directory: Directory) -> HttpResponse:
        given = kind.shape.model_validate(
            _body(request), scim_ctx=Context.RESOURCE_CREATION_REQUEST
        )
        row = kind.create(directory=directory, said=kind.said(given), address=address_of(request))
        return kind.rendered(row, Context.RESOURCE_CREATION_RESPONSE, request, 201)

    return endpoint(f"A directory's {kind.argument} list.", GET=listed, POST=made)


def single(kind: Kind) -> Any:
    """``/Users/{id}`` and ``/Groups/{id}``."""

    def shown(request: HttpRequest, directory: Directory, row_id: UUID) -> HttpResponse:
        row = kind.one(directory, row_id)
        if request.headers.get("If-None-Match") == resources.etag_of(row):
            return answer(None, 304, {"ETag": resources.etag_of(row)})
        return kind.rendered(row, Context.RESOURCE_QUERY_RESPONSE, request, 200)

    def replaced(request: HttpRequest, directory: Directory, row_id: UUID) -> HttpResponse:
        row = _unchanged(request, kind.one(directory, row_id))
        given = kind.shape.model_validate(
            _body(request), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST
        )
        given.replace(kind.shown(row, _base()))
        return _changed(request, row, given)

    def patched(request: HttpRequest, directory: Directory, row_id: UUID) -> HttpResponse:
        row = _unchanged(request, kind.one(directory, row_id))
        operations = PatchOp[kind.shape].model_validate(  # type: ignore[name-defined]
            _body(request), scim_ctx=Context.RESOURCE_PATCH_REQUEST
        )
        current = kind.shown(row, _base())
        if isinstance(row, DirectoryPerson):
            # The directory changes its own word, not what an admin has made of it here.
            current.active = row.active
        operations.patch(current)
        return _changed(request, row, current)

    def _changed(request: HttpRequest, row: Row, wanted: Any) -> HttpResponse:
        changed = kind.change(
            **{kind.argument: row}, said=kind.said(wanted), address=address_of(request)
        )
        return kind.rendered(changed, Context.RESOURCE_REPLACEMENT_RESPONSE, request, 200)

    def deleted(request: HttpRequest, directory: Directory, row_id: UUID) -> HttpResponse:
        row = _unchanged(request, kind.one(directory, row_id))
        kind.delete(**{kind.argument: row}, address=address_of(request))
        return answer(None, 204)

    return endpoint(
        f"One {kind.argument} of a directory.",
        GET=shown,
        PUT=replaced,
        PATCH=patched,
        DELETE=deleted,
    )


def _unchanged(request: HttpRequest, row: Row) -> Row:
    """The row, unless the caller has seen another version of it."""
    wanted = request.headers.get("If-Match", "*")
    if wanted not in {"*", resources.etag_of(row)}:
        raise Refused(412, "This has changed since you read it. Read it again.")
    return row


def _search(kind: Kind, request: HttpRequest) -> Any:
    if len(request.GET.get("filter", "")) > _LONGEST_FILTER:
        raise Refused(400, f"A filter has at most {_LONGEST_FILTER} signs.", "invalidFilter")
    # Sorting is not offered (ServiceProviderConfig), so a wish for it is not looked at.
    known = {"filter", "startIndex", "count"}
    asked = {name: request.GET[name] for name in known & request.GET.keys()}
    return SearchRequest[kind.shape].model_validate(asked)  # type: ignore[name-defined]


def _wanted(kind: Kind, request: HttpRequest) -> dict[str, Any]:
    """Which attributes the caller wants or does without."""
    known = {"attributes", "excludedAttributes"}
    asked = {name: request.GET[name] for name in known & request.GET.keys()}
    shape = ResponseParameters[kind.shape]  # type: ignore[name-defined]
    return {"response_parameters": shape.model_validate(asked)} if asked else {}


def _body(request: HttpRequest) -> Any:
    if request.content_type not in _TYPES:
        raise Refused(415, f"Send {answers.MEDIA_TYPE}.")
    return loads(request.body)


def _config(request: HttpRequest, directory: Directory) -> HttpResponse:  # noqa: ARG001
    found = resources.CONFIG.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
    place = f"{_base()}/ServiceProviderConfig"
    found["meta"] = {"resourceType": "ServiceProviderConfig", "location": place}
    return answer(found)


def _described(items: Any, path: str, kind: str) -> tuple[Handler, Handler]:
    """List and detail of what describes the service."""

    def every() -> dict[str, Any]:
        found = {}
        for item in items:
            body = item.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
            body["meta"] = {"resourceType": kind, "location": f"{_base()}/{path}/{body['id']}"}
            found[str(body["id"]).casefold()] = body
        return found

    def listed(request: HttpRequest, directory: Directory) -> HttpResponse:  # noqa: ARG001
        if "filter" in request.GET:
            raise Refused(403, "These cannot be filtered.")
        found = list(every().values())
        return answer(
            {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                "totalResults": len(found),
                "startIndex": 1,
                "itemsPerPage": len(found),
                "Resources": found,
            }
        )

    def one(request: HttpRequest, directory: Directory, name: str) -> HttpResponse:  # noqa: ARG001
        found = every().get(name.casefold())
        if found is None:
            raise Refused(404, f"There is no {kind} of this name.")
        return answer(found)

    return listed, one


def _nowhere(request: HttpRequest, directory: Directory, **_: Any) -> HttpResponse:  # noqa: ARG001
    raise Refused(404, "There is no such endpoint. /ResourceTypes lists what there is.")


_schemas, _schema = _described(resources.PROVIDER.schemas, "Schemas", "Schema")
_types, _type = _described(resources.PROVIDER.resource_types, "ResourceTypes", "ResourceType")
config = endpoint("What this SCIM service can do.", GET=_config)
schemas = endpoint("The schemas of SCIM resources.", GET=_schemas)
schema = endpoint("One schema.", GET=_schema)
resource_types = endpoint("The kinds of SCIM resources.", GET=_types)
resource_type = endpoint("One kind of resource.", GET=_type)
nowhere = endpoint(
    "Any other address below SCIM's.",
    **dict.fromkeys(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), _nowhere),
)
