"""What workers do for connections. Ids in; each task may come twice or late and does no harm."""

from celery import shared_task

from connections import services


@shared_task(name="connections.tasks.sync_catalogue", soft_time_limit=600, time_limit=660)
def sync_catalogue(sync_id: int) -> None:
    """Read one connection's catalogue."""
    services.sync_catalogue(sync_id)


@shared_task(name="connections.tasks.test_connection", soft_time_limit=150, time_limit=170)
def test_connection(run_id: int) -> None:
    """Try one connection out, a step at a time."""
    services.run_connection_test(run_id)


@shared_task(name="connections.tasks.sample_values", soft_time_limit=900, time_limit=930)
def sample_values(run_id: int) -> None:
    """Run the detectors over a few rows of each table of one connection."""
    services.run_sampling(run_id)


@shared_task(name="connections.tasks.sweep_runs", time_limit=60)
def sweep_runs() -> None:
    """Give up tests and samplings whose worker is gone; send what a lost broker forgot."""
    services.sweep_runs()


@shared_task(name="connections.tasks.sync_stale_catalogues", time_limit=120)
def sync_stale_catalogues() -> None:
    """Queue the catalogues that have grown old, and what a lost broker forgot."""
    services.sweep_catalogues()
