"""Make a person who administers the whole installation: the first one, who can add the others.

The password is asked for on a terminal, or read from the first line of standard input; it never
stands on a command line, where everyone on the machine could read it.
"""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import services
from accounts.principal import Role
from hoopweb.lib.errors import HoopwebError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", help="as pages and recordings show it")
        parser.add_argument("--email", default="")

    def handle(self, *_args: Any, **given: Any) -> None:
        password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        try:
            validate_password(password)
            with transaction.atomic():
                person = services.create_user(
                    username=given["username"],
                    name=given["name"] or given["username"].title(),
                    email=given["email"],
                    password=password,
                    by=None,
                )
                services.grant_role(role=Role.ADMIN, user=person, by=None)
        except ValidationError as error:
            raise CommandError("This password will not do: " + " ".join(error.messages)) from error
        except HoopwebError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(
            f"{person} administers this installation. Give reviewers and auditors their roles "
            "under Settings: an admin holds neither."
        )
