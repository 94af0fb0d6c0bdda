"""What exists on a connection, read again on demand and when it has grown old."""

import asyncio
from datetime import datetime, timedelta

import structlog
from asgiref.sync import async_to_sync, sync_to_async
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from connections.models import Catalogue, CatalogueSync, Connection
from connections.services.acting import actor_of, need_admin_of
from connections.services.values import target_for
from connections.sql.catalogue import Catalogue as CatalogueValue
from connections.upstream.client import connect
from connections.upstream.errors import LoginRefused, UpstreamFailure, UpstreamUnreachable
from connections.upstream.metadata import CatalogueRead, read_catalogue
from connections.upstream.types import Target
from hoopweb.lib.errors import HoopwebError
from recordings.services import audit

log = structlog.get_logger(__name__)

STALE_AFTER = timedelta(hours=6)
# A worker that said nothing for so long is gone; its run is given up and may be asked for again.
LOST_AFTER = timedelta(minutes=15)
# A queued run whose message was lost with the broker is sent again.
RESEND_AFTER = timedelta(minutes=2)
KEEP_VERSIONS = 10
OPEN = ("queued", "running")


def request_catalogue_sync(
    *, connection: Connection, by: User | None, address: str | None = None
) -> CatalogueSync:
    """Queue one reading of the catalogue; one that is under way is joined."""
    need_admin_of(by, connection, "read its catalogue again")
    try:
        with transaction.atomic():
            if found := connection.syncs.filter(state__in=OPEN).first():
                return found
            sync = CatalogueSync.objects.create(connection=connection)
            if by is not None:
                audit(
                    actor=actor_of(by),
                    action="catalogue-sync-requested",
                    kind="connection",
                    object_id=str(connection.pk),
                    object_name=connection.name,
                    address=address,
                )
            send_sync(sync)
    except IntegrityError:
        # Somebody else queued one between our look and our row; theirs serves both.
        return connection.syncs.filter(state__in=OPEN).latest("queued_at")
    return sync


def send_sync(sync: CatalogueSync) -> None:
    """Wake a worker once this transaction stands. A lost message is sent again by the sweep."""
    from connections.tasks import sync_catalogue as task

    sync_id, queue = sync.pk, sync.connection.queue

    # A function with a name: Django logs it when the broker is gone and the call fails.
    def wake() -> None:
        task.apply_async(args=(sync_id,), queue=queue, ignore_result=True)

    transaction.on_commit(wake, robust=True)


def sync_catalogue(sync_id: int) -> CatalogueSync | None:
    """Read the catalogue and keep it when it differs. None when another worker has this run."""
    claimed = CatalogueSync.objects.filter(pk=sync_id, state="queued").update(
        state="running", started_at=timezone.now(), detail="Logging in"
    )
    if not claimed:
        return None
    sync = CatalogueSync.objects.select_related("connection").get(pk=sync_id)
    try:
        found = async_to_sync(_read)(sync, target_for(sync.connection))
    except HoopwebError as error:
        return _finish(sync, "failed", error.detail)
    except UpstreamFailure as error:
        return _finish(sync, "failed", f"Snowflake said: {error}", _cure_of(error))
    except Exception as error:
        # The page has to say that it failed whatever happened; the log has the rest.
        log.exception("catalogue-sync-failed", connection=sync.connection.name)
        return _finish(
            sync,
            "failed",
            f"Reading the catalogue failed unexpectedly ({type(error).__name__}).",
            "Test the connection, then read the catalogue again. The worker's log has the details.",
        )
    return _finish(sync, "done", _keep(sync.connection, found.catalogue), " ".join(found.notes))


async def _read(sync: CatalogueSync, target: Target) -> CatalogueRead:
    row = sync.connection
    names = row.catalogue_databases or ([row.database] if row.database else [])
    said: list[asyncio.Future[None]] = []

    def progress(text: str) -> None:
        said.append(asyncio.ensure_future(sync_to_async(_say_progress)(sync.pk, text)))

    async with connect(target) as session:
        found = await read_catalogue(session, names, progress=progress)
    await asyncio.gather(*said)
    return found


def _cure_of(error: UpstreamFailure) -> str:
    if isinstance(error, LoginRefused | UpstreamUnreachable):
        return "Test the connection: it says which step fails and what helps."
    return (
        "Grant the role USAGE on the database and its schemas, or take the database out of the "
        "connection's list. Then read the catalogue again."
    )


def _keep(connection: Connection, value: CatalogueValue) -> str:
    """Store a new version only when something changed, and say what was found."""
    tables = len(value.tables)
    columns = sum(len(table.columns) for table in value.tables.values())
    counted = f"{tables:,} tables and views with {columns:,} columns"
    content = sorted(value.to_json(), key=lambda row: (row["database"], row["schema"], row["name"]))
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        last = row.catalogues.filter(version=row.catalogue_version).first()
        if last is not None and last.content == content:
            # The version stands for the content, so looking again only makes it fresh.
            row.catalogues.filter(pk=last.pk).update(synced_at=timezone.now())
            return f"Nothing changed: {counted}"
        row.catalogue_version += 1
        Catalogue.objects.create(
            connection=row,
            version=row.catalogue_version,
            content=content,
            table_count=tables,
            column_count=columns,
        )
        row.save(update_fields=["catalogue_version"])
        row.catalogues.filter(version__lte=row.catalogue_version - KEEP_VERSIONS).delete()
    return f"Found {counted}"


def _finish(sync: CatalogueSync, state: str, detail: str, cure: str = "") -> CatalogueSync:
    width = 400
    CatalogueSync.objects.filter(pk=sync.pk, state="running").update(
        state=state, finished_at=timezone.now(), detail=detail[:width], cure=cure[:width]
    )
    sync.refresh_from_db()
    return sync


def _say_progress(sync_id: int, detail: str) -> None:
    CatalogueSync.objects.filter(pk=sync_id, state="running").update(detail=detail[:400])


def sweep_catalogues() -> int:
    """Give up lost runs, send lost messages again, read what has grown old; says how many."""
    now = timezone.now()
    CatalogueSync.objects.filter(state="running", started_at__lt=now - LOST_AFTER).update(
        state="failed",
        finished_at=now,
        detail="The worker that read the catalogue went away.",
        cure="Read the catalogue again. It is read again by itself within a few hours.",
    )
    sent = 0
    with transaction.atomic():
        for sync in CatalogueSync.objects.select_related("connection").filter(
            state="queued", queued_at__lt=now - RESEND_AFTER
        ):
            send_sync(sync)
            sent += 1
    for connection in _stale(now - STALE_AFTER):
        request_catalogue_sync(connection=connection, by=None)
        sent += 1
    return sent


def _stale(limit: datetime) -> list[Connection]:
    """Open connections with a catalogue that nobody has looked at again since ``limit``.

    A first reading is asked for by a person, once the credential works; a failed one waits as
    long as a good one, so that a broken login is not tried every few minutes.
    """
    fresh = Catalogue.objects.filter(synced_at__gte=limit).values("connection_id")
    tried = CatalogueSync.objects.filter(queued_at__gte=limit).values("connection_id")
    return list(
        Connection.objects.filter(is_active=True, catalogue_version__gt=0, credential__isnull=False)
        .exclude(pk__in=fresh)
        .exclude(pk__in=tried)
    )
