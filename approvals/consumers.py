"""The inbox socket: one per open console, carrying "row N changed"."""

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from accounts.models import User
from approvals import notify
from approvals.models import ApprovalRequest

NOT_SIGNED_IN = 4401
MAY_NOT = 4403


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
        user = self.scope.get("user")
        if not isinstance(user, User) or not user.is_active:
            await self.close(NOT_SIGNED_IN)
            return
        self.user = user
        self.joined = await database_sync_to_async(_groups_of)(user)
        for group in self.joined:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        await self._say_count()

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, *_: Any, **__: Any) -> None:
        return

    async def row_changed(self, message: dict[str, Any]) -> None:
        await self.send_json({"type": f"{message['kind']}.changed", "id": message["id"]})
        if message["kind"] == "approval":
            await self._say_count()

    async def _say_count(self) -> None:
        count = await database_sync_to_async(self._count)()
        await self.send_json({"type": "approvals.count", "count": count})

    def _count(self) -> int:
        # Roles may have changed since the socket opened: read them again.
        user = User.objects.get(pk=self.user.pk)
        return ApprovalRequest.objects.decidable_by(user).count()
