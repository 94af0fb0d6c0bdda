"""Lets the laboratory's agent come with tokens of a provider:
``python -m tests.clients.trust ISSUER AUDIENCE JWK``.
"""

import json
import sys

import django


def main() -> None:
    django.setup()
    from accounts.models import Agent, Issuer

    url, audience, key = sys.argv[1:]
    issuer = Issuer.objects.create(
        name="Laboratory",
        issuer=url,
        audiences=[audience],
        algorithms=["RS256"],
        given_keys=[json.loads(key)],
    )
    agent = Agent.objects.get(name="drivers")
    agent.identities.create(issuer=issuer, subject="drivers")


if __name__ == "__main__":
    main()
