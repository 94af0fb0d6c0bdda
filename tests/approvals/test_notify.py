"""Words about rows: said once, in the background, and never in the way of the work."""

import asyncio
import time
import uuid

import pytest
from channels.layers import get_channel_layer
from django.db import connection, transaction

from approvals import notify

pytestmark = pytest.mark.django_db(transaction=True)


def leaving_nothing_open(act) -> None:
    try:
        act()
    finally:
        connection.close()


def heard(group: str, act) -> list[dict]:
    """What someone in ``group`` hears while ``act`` happens and a moment after."""

    async def listen() -> list[dict]:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(group, channel)
        await asyncio.to_thread(leaving_nothing_open, act)
        found = []
        while True:
            try:
                async with asyncio.timeout(1.5):
                    found.append(await layer.receive(channel))
            except TimeoutError:
                await layer.group_discard(group, channel)
                return found

    return asyncio.run(listen())


def test_words_about_one_row_are_said_once_and_of_each_row():
    shop, one, two = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()

    def act() -> None:
        with transaction.atomic():
            for _ in range(5):
                notify.row_changed("session", one, connection_id=shop)
            notify.row_changed("statement", two, connection_id=shop)

    found = heard(notify.connection_group(shop), act)
    assert sorted((m["kind"], m["id"]) for m in found) == [
        ("session", str(one)),
        ("statement", str(two)),
    ]


def test_a_session_that_goes_on_is_spoken_of_once_a_second():
    shop, busy = uuid.uuid4(), uuid.uuid4()

    def act() -> None:
        for _ in range(20):
            notify.row_changed("session", busy, connection_id=shop)
            time.sleep(0.03)

    # At once, and once more after the last.
    assert len(heard(notify.connection_group(shop), act)) == 2


def test_nothing_is_said_of_what_was_rolled_back():
    shop = uuid.uuid4()

    def act() -> None:
        with transaction.atomic():
            notify.row_changed("session", uuid.uuid4(), connection_id=shop)
            transaction.set_rollback(True)

    assert heard(notify.connection_group(shop), act) == []


def test_a_layer_that_is_away_costs_the_work_nothing(settings):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"], "prefix": "away"},
        }
    }
    from channels.layers import channel_layers

    channel_layers.backends.clear()
    try:
        started = time.perf_counter()
        for _ in range(50):
            notify.row_changed("session", uuid.uuid4(), connection_id=uuid.uuid4())
        assert time.perf_counter() - started < 0.5
        assert notify.wait_until_said(10)
    finally:
        channel_layers.backends.clear()
