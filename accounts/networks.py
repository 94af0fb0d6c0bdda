"""Networks from which a token is accepted, in CIDR form."""

import ipaddress
from collections.abc import Iterable, Sequence

from hoopweb.lib.errors import InvalidRequest

MOST = 50


def parse(given: Iterable[str]) -> list[str]:
    """The networks in their usual form, without repeats. Raises InvalidRequest for what is none."""
    found: list[str] = []
    for text in filter(None, (each.strip() for each in given)):
        try:
            network = str(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise InvalidRequest(
                f"{text[:60]} is not a network. Write it as 10.1.0.0/16, 2001:db8::/32, or one "
                "address.",
                field="networks",
            ) from None
        if network not in found:
            found.append(network)
    if len(found) > MOST:
        raise InvalidRequest(f"At most {MOST} networks. Join them into larger ones.")
    return found


def admits(networks: Sequence[str], address: str | None) -> bool:
    """Whether ``address`` is in one of them; anywhere when there are none.

    An address that cannot be read is in no network.
    """
    if not networks:
        return True
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ipaddress.ip_network(each) for each in networks)
