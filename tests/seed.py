"""Fill an empty database for a running stack: ``python -m tests.seed PORT`` prints what it made."""

import json
import sys

import django

django.setup()

from accounts.principal import Role  # noqa: E402
from accounts.services import issue_token  # noqa: E402
from accounts.services.directories import create_directory, issue_directory_token  # noqa: E402
from accounts.services.provisioning import Person, create_person  # noqa: E402
from tests import factories  # noqa: E402


def main() -> None:
    connection = factories.connection("shop")
    connection.port = int(sys.argv[1])
    connection.save()
    owner = factories.person("olga", Role.DEVELOPER)
    agent = factories.agent("cleaner", owner=owner)
    factories.allow(connection, agent)
    # Reads of people's data wait for a reviewer here.
    vault = factories.connection("vault")
    vault.port = connection.port
    vault.save()
    vault.rules.create(
        slug="reads-of-people",
        position=0,
        effect="review",
        match={"classes": ["select"], "objects": ["SHOP.CRM.*"]},
    )
    factories.allow(vault, agent)
    factories.person("rita", Role.REVIEWER)
    factories.person("otto", Role.AUDITOR)
    factories.person("ada", Role.ADMIN)
    factories.person("stan")
    issued = issue_token(agent=agent, label="test", by=owner)
    # Somebody whom a directory keeps, with an agent of their own.
    directory = create_directory(name="Okta", by=None)
    scim = issue_directory_token(directory=directory, label="test", by=None)
    leaver = create_person(directory=directory, said=Person(username="lea", name="Lea")).user
    leaver.set_password(factories.PASSWORD)
    leaver.save()
    theirs = factories.agent("sweeper", owner=leaver)
    factories.allow(connection, theirs)
    other = factories.agent("other", owner=owner)
    factories.allow(connection, other)
    other_token = issue_token(agent=other, label="other", by=owner)
    print(  # noqa: T201
        json.dumps(
            {
                "token": issued.text,
                "connection": str(connection.pk),
                "agent": str(agent.pk),
                "scim": scim.text,
                "leavers_token": issue_token(agent=theirs, label="test", by=leaver).text,
                "other_token": other_token.text,
            }
        )
    )


if __name__ == "__main__":
    main()
