from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hoopweb.lib import crypto
from hoopweb.lib.resealing import Result, count_by_key, reseal, sealed_columns
from recordings.resealing import count_bodies_by_key, reseal_bodies

_BODIES = "recorded bodies"


class Command(BaseCommand):
    help = (
        "Seal everything again under the first key of HOOPWEB_KEYS, while servers run, and say "
        "what each key still seals. It may be stopped and started again. Exits with 1 when "
        "something is left under another key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--report", action="store_true", help="only say what each key seals")

    def handle(self, *_args: Any, **options: Any) -> None:
        ring = crypto.ring()
        closed: list[str] = []
        if not options["report"]:
            closed = self._rotate()
        left = self._report(ring)
        for line in closed:
            self.stderr.write(self.style.ERROR(line))
        if left:
            raise CommandError(
                f"{left} values are not under {ring.primary}. Keep the other keys, see that every "
                "server and worker has this ring, and run this again.",
                returncode=1,
            )
        spare = sorted(set(ring.keys) - {ring.primary})
        self.stdout.write(
            self.style.SUCCESS(
                f"Everything is under {ring.primary}."
                + (f" These seal nothing here any more: {', '.join(spare)}." if spare else "")
            )
        )

    def _rotate(self) -> list[str]:
        closed: list[str] = []
        for model, column in sealed_columns():
            closed += self._said(f"{model._meta.label_lower}.{column.name}", reseal(model, column))  # noqa: SLF001
        return closed + self._said(_BODIES, reseal_bodies())

    def _said(self, what: str, result: Result) -> list[str]:
        if result.resealed:
            self.stdout.write(f"{what}: {result.resealed} sealed again")
        return result.closed

    def _report(self, ring: crypto.KeyRing) -> int:
        """Says how many values of what each key seals; gives how many are not under the first."""
        total: Counter[str] = Counter()
        places = {
            f"{model._meta.label_lower}.{column.name}": count_by_key(model, column)  # noqa: SLF001
            for model, column in sealed_columns()
        }
        for place, found in {**places, _BODIES: count_bodies_by_key()}.items():
            total += found
            for key, count in sorted(found.items()):
                known = "" if key in ring.keys else ", which this ring does not have"
                self.stdout.write(f"{place}: {count} under {key}{known}")
        return sum(total.values()) - total[ring.primary]
