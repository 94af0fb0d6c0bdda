"""Model fields that keep their content sealed."""

from typing import Any

from django.db import models

from hoopweb.lib import crypto


class _Sealed(str):
    """Ciphertext as it came from the database, not opened yet."""

    __slots__ = ()


class _Opening:
    """Opens a sealed value on first use, bound to its model, column and row."""

    def __init__(self, field: "EncryptedTextField") -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        value = instance.__dict__.get(self.field.attname)
        if isinstance(value, _Sealed):
            opened = crypto.unseal(value.encode(), context=self.field.context_of(instance))
            value = instance.__dict__[self.field.attname] = opened.decode()
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that the database never sees in clear.

    The row's primary key must be known before saving (a UUID), because the ciphertext is bound to
    it. Reading raises CryptoError when the value was moved, changed, or its key is gone.
    """

    def contribute_to_class(
        self,
        cls: type[models.Model],
        name: str,
        private_only: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _Opening(self))

    def context_of(self, instance: models.Model) -> str:
        return f"{self.model._meta.label_lower}.{self.name}:{instance.pk}"  # noqa: SLF001

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        return _Sealed(value) if value else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: ARG002, FBT001
        value = model_instance.__dict__.get(self.attname)
        # Nothing is nothing: an empty text stays empty.
        if not value or isinstance(value, _Sealed):
            return value
        sealed = crypto.seal(str(value).encode(), context=self.context_of(model_instance))
        return _Sealed(sealed.decode())

    def get_prep_value(self, value: Any) -> Any:
        if not value or isinstance(value, _Sealed):
            return value
        # Filters and bulk updates know no row to bind to, so they must not carry clear text.
        raise crypto.CryptoError(
            "an encrypted field is written by saving its row, never by a query"
        )
