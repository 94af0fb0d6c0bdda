"""The one guard of every address that an admin may write: no call of ours goes into the house.

Refused are addresses that are not public: this machine, private and link-local networks, the
clouds' metadata services. The operator opens networks by ``HOOPWEB_ALLOWED_NETWORKS``; local mode
opens this machine. Clients made here look at the very address that they connect to, so a name
that changes its answer between the look and the call gains nothing, and they follow no redirect.
"""

import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK = ("127.0.0.0/8", "::1/128")
# Azure's answers on a public address; the others are here so that a wide network never opens them.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "fd00:ec2::254"),
    )
)
# These carry an IPv4 address within.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
TIMEOUT = (5, 15)
NO_ADDRESS = "Its host has no address. Check the name, and DNS where the gateway runs."


class AddressRefused(OSError):
    """The gateway does not call there. The text names the address and the cure."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Which networks beyond the public ones may be called, and whether plain http may be used."""

    networks: tuple[Network, ...] = ()
    plain_http: bool = False

    @classmethod
    def of(cls, networks: Iterable[str], *, local: bool) -> "Policy":
        """Raises ValueError for what is not a network such as ``10.1.0.0/16``."""
        named = [*networks, *(_LOOPBACK if local else ())]
        return cls(tuple(map(ipaddress.ip_network, named)), plain_http=local)

    def admits(self, address: str) -> bool:
        """Whether a connection may go to this IP address."""
        try:
            # A scope such as %eth0 belongs to link-local addresses.
            found = _inner(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if found in _METADATA:
            # Named one by one or not at all.
            return any(found in net and net.num_addresses == 1 for net in self.networks)
        if any(found in net for net in self.networks if net.version == found.version):
            return True
        return found.is_global and not found.is_multicast


def policy() -> Policy:
    """What the operator of this installation has set."""
    from django.conf import settings

    return Policy.of(settings.ALLOWED_NETWORKS, local=settings.LOCAL)


def checked_url(url: str, *, rules: Policy | None = None) -> str:
    """``url`` if its shape may be stored and called: https, a host, no user, no fragment.

    An address written as a number is judged here, a name when it is called. Raises AddressRefused.
    """
    rules = rules or policy()
    try:
        parts = urlsplit(url)
        host, scheme, _ = parts.hostname or "", parts.scheme, parts.port
    except ValueError:
        host = scheme = ""
        parts = urlsplit("")
    if not host or scheme not in {"http", "https"} or not url.isprintable() or "\\" in url:
        raise AddressRefused("Write a whole address, for example https://login.example.com/path.")
    if parts.username or parts.password or parts.fragment:
        raise AddressRefused("Write the address without user, password and #fragment.")
    if scheme == "http" and not rules.plain_http:
        raise AddressRefused("The address must start with https://.")
    if literal := _literal(host):
        _judge(host, [literal], rules)
    return url


def vetted(host: str, port: int, *, rules: Policy | None = None) -> list[str]:
    """The addresses of ``host``, all of which may be called.

    One refused answer refuses the name: an honest name has none. Raises AddressRefused, and
    OSError when the name has no address.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    _judge(host, addresses, rules or policy())
    return addresses


def socket_for(info: Any) -> socket.socket:
    """A socket, as aiohttp's ``socket_factory``, for an address that may be called.

    ``info`` is a line of ``getaddrinfo``. Raises AddressRefused, which aiohttp tells as a failed
    connection.
    """
    family, kind, proto, _, place = info
    address = str(place[0])
    # The proxy is the operator's choice, and where it leads is the proxy's own to judge.
    if not policy().admits(address) and address not in _proxy_addresses():
        _judge(address, [address], policy())
    return socket.socket(family, kind, proto)


def proxied(url: str) -> bool:
    """Whether the operator's proxy carries calls to ``url``; then names are resolved there."""
    parts = urlsplit(url)
    return parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")


class Session(requests.Session):
    """A client for addresses that admins write: pinned, and blind to redirects.

    Where the operator has set a proxy, the proxy decides where names lead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mount("https://", _Pinned())
        self.mount("http://", _Pinned())

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        """As ``requests`` does it, with time limits. Raises AddressRefused for the shape."""
        checked_url(url)
        options.setdefault("timeout", TIMEOUT)
        return super().request(method, url, **options)

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        """None: a redirect would lead past what was checked, and take secrets along."""
        return


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _pinned(self)


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _pinned(self)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Pinned(HTTPAdapter):
    """Connects to the addresses that were judged, by number; TLS still asks for the name."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def _pinned(connection: HTTPConnection) -> socket.socket:
    failure: OSError | None = None
    try:
        addresses = vetted(connection._dns_host, connection.port)  # noqa: SLF001
    except socket.gaierror as error:
        raise NewConnectionError(connection, NO_ADDRESS) from error
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error
    for address in addresses:
        try:
            return socket.create_connection((address, connection.port), _seconds(connection))
        except OSError as error:
            failure = error
    said = getattr(failure, "strerror", None) or failure
    raise NewConnectionError(connection, f"No connection: {said}.")


def _seconds(connection: HTTPConnection) -> float:
    given = connection.timeout
    return float(given) if isinstance(given, int | float) else float(TIMEOUT[0])


def _proxy_addresses() -> set[str]:
    found: set[str] = set()
    for proxy in getproxies().values():
        with contextlib.suppress(ValueError, OSError):
            answers = socket.getaddrinfo(urlsplit(proxy).hostname, None)
            found |= {str(item[4][0]) for item in answers}
    return found


def _literal(host: str) -> str:
    """The number that ``host`` is, also in the old spellings that the system's resolver takes."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        # 2130706433, 0x7f.1 and the like.
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return ""


def _judge(host: str, addresses: list[str], rules: Policy) -> None:
    for address in addresses:
        if not rules.admits(address):
            said = host if host == address else f"{host} ({address})"
            raise AddressRefused(
                f"{said} is in a network that the gateway does not call. If it is meant, the "
                "operator adds the network to HOOPWEB_ALLOWED_NETWORKS."
            )


def _inner(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
