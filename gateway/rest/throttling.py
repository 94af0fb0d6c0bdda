"""How much one principal may ask."""

import time
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from hoopweb.lib.rate import WINDOW, wait
from hoopweb.lib.rate import count as _count

REQUESTS = 1200
# Each costs analysis, a decision and a recording.
STATEMENTS = 300


class PerPrincipal(BaseThrottle):
    """So many requests a minute for a person or an agent, over all its tokens and browsers."""

    scope = "requests"

    @property
    def limit(self) -> int:
        return int(getattr(settings, "API_REQUESTS_PER_MINUTE", REQUESTS))

    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002
        window = int(time.time()) // WINDOW
        return _count(f"{self.scope}:{request.user.pk}", window) <= self.limit

    def wait(self) -> float:
        return wait()


class StatementsPerPrincipal(PerPrincipal):
    """So many statements a minute."""

    scope = "statements"

    @property
    def limit(self) -> int:
        return int(getattr(settings, "API_STATEMENTS_PER_MINUTE", STATEMENTS))

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.method != "POST" or super().allow_request(request, view)
