"""Put canary credentials into a running stack: ``python -m tests.flows.plant FILE`` reads them
from a file, so that no command line holds one, and prints what it made.
"""

import json
import sys
from pathlib import Path

import django

django.setup()

from django.db.models import F  # noqa: E402

from accounts.models import Agent  # noqa: E402
from connections import services  # noqa: E402
from tests import factories  # noqa: E402


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    agent = Agent.objects.get(name="cleaner")
    for name, credential in plan["credentials"].items():
        row = factories.connection(name)
        row.port, row.role = plan["port"], "GATEWAY"
        row.save()
        services.set_credential(connection=row, by=None, login_name="HOOPWEB", **credential)
        factories.allow(row, agent)
        row.rules.update(position=F("position") + 1)
        row.rules.create(
            slug="files",
            position=0,
            effect="allow",
            match={"classes": ["put", "get"], "objects": ["SHOP.CRM.FILES"]},
        )


if __name__ == "__main__":
    main()
