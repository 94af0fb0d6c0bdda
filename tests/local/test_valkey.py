"""Embedded Valkey: on a socket only, shared when it is already there."""

import redis

from hoopweb.local import processes
from hoopweb.local.valkey import EmbeddedValkey


def test_starts_on_a_socket_only_and_stops(tmp_path):
    server = EmbeddedValkey(tmp_path)
    client = redis.Redis.from_url(server.start())
    try:
        assert client.ping()
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("appendonly") == {"appendonly": "no"}
    finally:
        client.close()
        pid = server.pid
        server.stop()
    assert pid
    assert not processes.is_alive(pid)
    assert not server.socket.exists()


def test_a_second_one_shares_the_first(tmp_path):
    first, second = EmbeddedValkey(tmp_path), EmbeddedValkey(tmp_path)
    try:
        assert first.start() == second.start()
        second.stop()
        with redis.Redis.from_url(first.url) as client:
            assert client.ping()
    finally:
        first.stop()


def test_a_dead_socket_is_replaced(tmp_path):
    first = EmbeddedValkey(tmp_path)
    first.start()
    assert first.pid
    processes.end_stranger(first.pid)
    first.stop()
    second = EmbeddedValkey(tmp_path)
    try:
        second.start()
    finally:
        second.stop()
