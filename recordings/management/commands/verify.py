from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from recordings.models import Session
from recordings.verify import verify_all, verify_session


class Command(BaseCommand):
    help = (
        "Check recordings against their hashes, seals, signed checkpoints and the files outside "
        "the database. Exits with 1 when anything is wrong, and names it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--session", type=UUID, help="check this session only")

    def handle(self, *_args: Any, **options: Any) -> None:
        findings = self._one(options["session"]) if options["session"] else self._all()
        if not findings:
            self.stdout.write(self.style.SUCCESS("Nothing is wrong."))
            return
        for text in findings:
            self.stdout.write(self.style.ERROR(text))
        count = len(findings)
        raise CommandError(f"{count} finding{'s' if count != 1 else ''}.", returncode=1)

    def _one(self, session_id: UUID) -> list[str]:
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            raise CommandError(f"There is no session {session_id}.", returncode=2)
        result = verify_session(session)
        for line in result.checked:
            self.stdout.write(f"checked {line}")
        return [str(finding) for finding in result.findings]

    def _all(self) -> list[str]:
        report = verify_all()
        self.stdout.write(
            f"checked {report.sessions} sessions with {report.events} events, "
            f"{report.checkpoints} checkpoints, {report.audit_entries} audit entries"
        )
        return [str(finding) for finding in report.findings]
