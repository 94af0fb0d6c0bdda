"""What a test asks of the emulator itself: the log of statements, and faults to order."""

import asyncio
from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connections.upstream.emulator.bodies import body_of
from connections.upstream.emulator.engine import Engine
from connections.upstream.emulator.faults import Fault, Faults
from connections.upstream.emulator.journal import Journal


@dataclass(slots=True)
class Controls:
    """Routes below ``/_emulator``; the loopback interface is their only guard."""

    engine: Engine
    journal: Journal
    faults: Faults

    def routes(self) -> list[Route]:
        return [
            Route("/_emulator/statements", self.statements, methods=["GET"]),
            Route("/_emulator/faults", self.order_fault, methods=["POST"]),
            Route("/_emulator/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_emulator/ready", self.ready, methods=["GET"]),
        ]

    async def statements(self, request: Request) -> Response:
        """Every statement that arrived, oldest first; ``tag`` and ``text`` narrow them down."""
        tag, text = request.query_params.get("tag"), request.query_params.get("text")
        return JSONResponse(
            [
                asdict(entry)
                for entry in self.journal
                if (tag is None or tag in entry.query_tag) and (text is None or text in entry.sql)
            ]
        )

    async def order_fault(self, request: Request) -> Response:
        try:
            self.faults.orders.append(Fault.parse(await body_of(request)))
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse([asdict(order) for order in self.faults.orders])

    async def clear_faults(self, request: Request) -> Response:  # noqa: ARG002
        self.faults.orders.clear()
        return JSONResponse([])

    async def ready(self, request: Request) -> Response:  # noqa: ARG002
        databases = await asyncio.to_thread(self.engine.databases)
        return JSONResponse({"databases": sorted(databases)})
