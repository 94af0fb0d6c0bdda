"""The inbox socket: who hears what."""

import json

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore

from accounts import services
from accounts.models import SignIn, User
from accounts.principal import Role
from approvals import consumers, notify
from approvals.routing import websocket_urlpatterns
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
application = URLRouter(websocket_urlpatterns)


class Socket(ApplicationCommunicator):
    """A browser's end of the socket."""

    def __init__(self, user, session=None):
        super().__init__(
            application,
            {
                "type": "websocket",
                "path": "/ws/inbox/",
                "headers": [],
                "subprotocols": [],
                "query_string": b"",
                "user": user,
                **({"session": session} if session is not None else {}),
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


def socket(user, session=None):
    return Socket(user, session)


async def closed(communicator):
    """The code with which the server closes."""
    while True:
        said = await communicator.receive_output(5)
        if said["type"] == "websocket.close":
            return said["code"]


async def test_nobody_listens_without_signing_in():
    communicator = socket(AnonymousUser())
    await communicator.connect()
    assert await closed(communicator) == 4401
    assert await communicator.receive_nothing(timeout=0.1)


async def test_a_disabled_person_is_refused():
    user = await sync_to_async(factories.person)(is_active=False)
    communicator = socket(user)
    await communicator.connect()
    assert await closed(communicator) == 4401


async def test_a_person_who_is_disabled_is_cut_off():
    user = await sync_to_async(factories.person)()
    communicator = socket(user)
    await communicator.connect()
    await communicator.receive_json_from()
    await sync_to_async(services.disable_user)(user=user, by=None)
    assert await closed(communicator) == 4401


async def test_one_browser_signed_out_cuts_its_socket_and_no_other():
    @sync_to_async
    def browser(user):
        session = SessionStore()
        session.create()
        SignIn.objects.create(user=user, session_key=session.session_key)
        return session

    user = await sync_to_async(factories.person)()
    one, two = await browser(user), await browser(user)
    here, there = socket(user, one), socket(user, two)
    for communicator in (here, there):
        await communicator.connect()
        await communicator.receive_json_from()
    await sync_to_async(SignIn.objects.filter(session_key=one.session_key).end)()
    assert await closed(here) == 4401
    assert await there.receive_nothing(timeout=0.3)
    await there.disconnect()


async def test_a_lost_role_narrows_what_an_open_socket_hears():
    @sync_to_async
    def prepare():
        team = factories.team("reviewers")
        grant = services.grant_role(role=Role.REVIEWER, team=team, by=None)
        return grant, factories.person(teams=[team])

    grant, reviewer = await prepare()
    communicator = socket(reviewer)
    await communicator.connect()
    await communicator.receive_json_from()
    assert await hear_everywhere(communicator)
    await communicator.receive_json_from()
    await sync_to_async(services.revoke_role)(grant=grant, by=None)
    assert await communicator.receive_json_from() == {"type": "access.changed"}
    assert await communicator.receive_json_from() == {"type": "approvals.count", "count": 0}
    assert not await hear_everywhere(communicator)
    await communicator.disconnect()


async def test_a_socket_asks_again_by_itself(monkeypatch):
    monkeypatch.setattr(consumers, "LOOK_EVERY", 0.05)
    user = await sync_to_async(factories.person)()
    communicator = socket(user)
    await communicator.connect()
    await communicator.receive_json_from()
    # No word of it: the row alone.
    await sync_to_async(User.objects.filter(pk=user.pk).update)(is_active=False)
    assert await closed(communicator) == 4401


async def hear_everywhere(communicator):
    layer = get_channel_layer()
    message = {"type": "row.changed", "kind": "session", "id": "one"}
    await layer.group_send(notify.EVERYWHERE, message)
    return not await communicator.receive_nothing(timeout=0.3)


async def hear(communicator, connection_id):
    layer = get_channel_layer()
    await layer.group_send(
        notify.connection_group(connection_id),
        {"type": "row.changed", "kind": "session", "id": "one"},
    )
    return not await communicator.receive_nothing(timeout=0.3)


async def test_a_reviewer_hears_of_their_connections_and_of_no_other():
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
