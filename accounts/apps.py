from typing import Any

from django.apps import AppConfig
from django.apps import apps as registry
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """People, agents and how they prove who they are."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import console

        post_migrate.connect(_install_default_rule, sender=self)
        user_logged_in.connect(console.begin)


def _install_default_rule(*, apps: Any = registry, **_: Any) -> None:
    """Whenever the tables were made or emptied, which names no registry: also when a command goes
    back to before this one.
    """
    from accounts.services.mapping import install_default

    try:
        rules = apps.get_model("accounts", "MappingRule")
    except LookupError:
        return
    install_default(rules)
