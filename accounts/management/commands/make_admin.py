"""Make someone an admin from the server's own shell: the first one, or when all others are gone.

In the console nobody gives themselves a role, so this is the way in that the operator has. It
stands in the audit trail as the installation's doing.
"""

import getpass
import sys
from typing import Any

from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import services
from accounts.models import User
from accounts.principal import Role
from hoopweb.lib.errors import HoopwebError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="as the person signs in, or as the provider says it")
        parser.add_argument("--name", default="", help="for a person who is not here yet")
        parser.add_argument("--email", default="")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            user = User.objects.filter(username__iexact=options["username"]).first()
            user = user or self._create(options)
            services.grant_role(role=Role.ADMIN, user=user, by=None)
        except HoopwebError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(
            f"{user} is an admin. Reviewers and auditors are other people: grant those roles "
            "under Settings."
        )

    def _create(self, options: dict[str, Any]) -> User:
        password = None
        if settings.LOCAL_ACCOUNTS:
            password = self._password(options["username"])
        return services.create_user(
            username=options["username"],
            name=options["name"] or options["username"],
            email=options["email"],
            password=password,
            by=None,
        )

    def _password(self, username: str) -> str:
        """Typed, or piped in: never an argument, which every process can read."""
        typed = sys.stdin.isatty()
        password = getpass.getpass("Password: ") if typed else sys.stdin.readline().rstrip("\n")
        try:
            password_validation.validate_password(password, User(username=username))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return password
