"""The inbox socket: who hears what."""

import json

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser

from approvals import notify
from approvals.routing import websocket_urlpatterns
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
application = URLRouter(websocket_urlpatterns)


class Socket(ApplicationCommunicator):
    """A browser's end of the socket."""

    def __init__(self, user):
        super().__init__(
            application,
            {
                "type": "websocket",
                "path": "/ws/inbox/",
                "headers": [],
                "subprotocols": [],
                "query_string": b"",
                "user": user,
            },
        )

    async def connect(self):
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(5)
        return answer["type"] == "websocket.accept", answer.get("code")

    async def receive_json_from(self):
        return json.loads((await self.receive_output(5))["text"])

    async def disconnect(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)


def socket(user):
    return Socket(user)


async def test_nobody_listens_without_signing_in():
    communicator = socket(AnonymousUser())
    connected, code = await communicator.connect()
    assert not connected
    assert code == 4401


async def test_a_disabled_person_is_refused():
    user = await sync_to_async(factories.person)(is_active=False)
    connected, _ = await socket(user).connect()
    assert not connected


async def hear(communicator, connection_id):
    layer = get_channel_layer()
    await layer.group_send(
        notify.connection_group(connection_id),
        {"type": "row.changed", "kind": "session", "id": "one"},
    )
    return not await communicator.receive_nothing(timeout=0.3)


async def test_a_reviewer_hears_of_their_connections_and_of_no_other():
    from accounts.principal import Role

    @sync_to_async
    def prepare():
        one, two = factories.connection(), factories.connection()
        return one, two, factories.person(None, Role.REVIEWER, on=one)

    one, two, reviewer = await prepare()
    communicator = socket(reviewer)
    assert (await communicator.connect())[0]
    assert await communicator.receive_json_from() == {"type": "approvals.count", "count": 0}
    assert await hear(communicator, one.pk)
    assert await communicator.receive_json_from() == {"type": "session.changed", "id": "one"}
    assert not await hear(communicator, two.pk)
    await communicator.disconnect()


async def test_a_stranger_hears_nothing():
    connection = await sync_to_async(factories.connection)()
    communicator = socket(await sync_to_async(factories.person)())
    await communicator.connect()
    await communicator.receive_json_from()
    assert not await hear(communicator, connection.pk)
    await communicator.disconnect()


async def test_what_a_browser_says_is_ignored():
    communicator = socket(await sync_to_async(factories.person)())
    await communicator.connect()
    await communicator.receive_json_from()
    for text in ("{not json", json.dumps({"type": "row.changed"})):
        await communicator.send_input({"type": "websocket.receive", "text": text})
    assert await communicator.receive_nothing(timeout=0.2)
    await communicator.disconnect()
