"""``policy export|import CONNECTION``: rules and protections as one versioned text."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connections import services
from connections.models import Connection
from hoopweb.lib.errors import HoopwebError


class Command(BaseCommand):
    help = "Write a connection's policy to standard output, or read it from a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="write the policy to standard output")
        export.add_argument("connection")
        read = verbs.add_parser("import", help="put a document in place of the whole policy")
        read.add_argument("connection")
        read.add_argument("file", nargs="?", default="-", help="a path, or - for standard input")

    def handle(self, *_args: str, **options: Any) -> None:
        row = Connection.objects.filter(name=options["connection"]).first()
        if row is None:
            names = ", ".join(Connection.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(
                f"There is no connection called {options['connection']}. There are: {names}."
            )
        if options["verb"] == "export":
            self.stdout.write(services.export_policy(row), ending="")
            return
        try:
            lines = services.import_policy(connection=row, text=_read(options["file"]), by=None)
        except HoopwebError as error:
            raise CommandError(error.detail) from error
        for line in lines:
            self.stdout.write(line)
        row.refresh_from_db()
        said = f"now at revision {row.policy_revision}" if lines else "unchanged"
        self.stderr.write(f"The policy of {row.name} is {said}.")


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}") from error
