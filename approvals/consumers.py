"""The inbox socket: one per open console, carrying "row N changed"."""

import asyncio
import contextlib
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError

from accounts.console import is_signed_in
from accounts.models import User
from approvals import notify
from approvals.models import ApprovalRequest

NOT_SIGNED_IN = 4401
# How often a socket asks again by itself whether it may stay, should the word of it be lost.
LOOK_EVERY = 30.0


def _groups_of(user: User) -> set[str]:
    """The groups whose rows this person may see, as ``visible_to`` has it."""
    groups = {notify.person_group(user.pk)}
    for scope in (user.reviews, user.audits):
        if scope.everywhere:
            groups.add(notify.EVERYWHERE)
        groups |= {notify.connection_group(c) for c in scope.connections}
    return groups


class InboxConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Speaks only; what a browser says is ignored."""

    async def connect(self) -> None:
        self.joined: set[str] = set()
        self.looking: asyncio.Task[None] | None = None
        user = self.scope.get("user")
        # The key of the browser's session; a signed-out browser's is gone.
        session = self.scope.get("session")
        self.key: str | None = session.session_key if session is not None else None
        if not isinstance(user, User) or not user.is_active:
            # Opened first: a browser learns no code from a socket that was never open.
            await self.accept()
            await self.close(NOT_SIGNED_IN)
            return
        self.user = user
        await self._join(await database_sync_to_async(_groups_of)(user))
        await self.accept()
        self.looking = asyncio.create_task(self._look_again())
        await self._say_count()

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        if self.looking is not None:
            self.looking.cancel()
        await self._join(set())

    async def receive(self, *_: Any, **__: Any) -> None:
        return

    async def row_changed(self, message: dict[str, Any]) -> None:
        await self.send_json({"type": f"{message['kind']}.changed", "id": message["id"]})
        if message["kind"] == "approval":
            await self._say_count()

    async def access_changed(self, message: dict[str, Any]) -> None:  # noqa: ARG002
        """Ask again who this is: closed when signed out or disabled, else hearing what is left."""
        groups = await database_sync_to_async(self._groups_now)()
        if groups is None:
            await self.close(NOT_SIGNED_IN)
            return
        if groups != self.joined:
            await self._join(groups)
            await self.send_json({"type": "access.changed"})
            await self._say_count()

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with contextlib.suppress(DatabaseError):
                await self.access_changed({})

    async def _join(self, groups: set[str]) -> None:
        left, self.joined = self.joined, groups
        for group in left - groups:
            await self.channel_layer.group_discard(group, self.channel_name)
        for group in groups - left:
            await self.channel_layer.group_add(group, self.channel_name)

    async def _say_count(self) -> None:
        count = await database_sync_to_async(self._count)()
        await self.send_json({"type": "approvals.count", "count": count})

    def _groups_now(self) -> set[str] | None:
        user = User.objects.filter(pk=self.user.pk, is_active=True).first()
        if user is None or (self.key is not None and not is_signed_in(self.key)):
            return None
        return _groups_of(user)

    def _count(self) -> int:
        # Roles may have changed since the socket opened: read them again.
        user = User.objects.get(pk=self.user.pk)
        return ApprovalRequest.objects.decidable_by(user).count()
