from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from recordings import services
from recordings.export import bundle, name_of
from recordings.models import Session


class Command(BaseCommand):
    help = "Write a session as a signed bundle that can be checked without this installation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("session", type=UUID)
        parser.add_argument(
            "--to", type=Path, default=None, help="the file to write (default: <its name>.zip)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        session = Session.objects.filter(pk=options["session"]).first()
        if session is None:
            raise CommandError(f"There is no session {options['session']}.", returncode=2)
        target: Path = options["to"] or Path(name_of(session))
        if target.exists():
            raise CommandError(f"{target} exists. Name another file with --to.", returncode=2)
        # Before the first byte leaves: an export that nobody wrote down must not exist.
        services.audit(
            actor=services.SYSTEM,
            action="session-exported",
            kind="session",
            object_id=str(session.pk),
            object_name=str(session),
            after={"by": "manage.py export_session"},
        )
        target.write_bytes(bundle(session))
        self.stdout.write(str(target))
