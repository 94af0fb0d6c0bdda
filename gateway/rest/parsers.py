"""Reading a body: JSON of a bounded size and depth. Anything else is refused by name."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from hoopweb.lib.errors import ErrorCode, HoopwebError
from hoopweb.lib.strict_json import MAX_BYTES, NotReadable, loads


class TooLarge(HoopwebError):
    """The body is longer than this endpoint takes."""

    code = ErrorCode.TOO_LARGE
    status = 413


class StrictJSONParser(BaseParser):
    """``application/json`` and nothing that merely resembles it."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise TooLarge(
                f"The body is longer than {MAX_BYTES} bytes. Send less, or send it in parts.",
                limit=MAX_BYTES,
            )
        try:
            return loads(content)
        except NotReadable as error:
            raise ParseError(str(error)) from error
