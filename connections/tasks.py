"""What workers do for connections. Ids in; each task may come twice or late and does no harm."""

from celery import shared_task

from connections import services


@shared_task(name="connections.tasks.sync_catalogue", soft_time_limit=600, time_limit=660)
def sync_catalogue(sync_id: int) -> None:
    """Read one connection's catalogue."""
    services.sync_catalogue(sync_id)


@shared_task(name="connections.tasks.sync_stale_catalogues", time_limit=120)
def sync_stale_catalogues() -> None:
    """Queue the catalogues that have grown old, and what a lost broker forgot."""
    services.sweep_catalogues()
