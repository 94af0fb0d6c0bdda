"""The process that judges large statements: requests on stdin, verdicts on stdout, pickled."""

import os
import pickle
import resource
import struct
import sys
import threading
from typing import Any, BinaryIO

from connections.masking.judgement import Judgement
from connections.masking.verdict import Ruleset, Verdict
from connections.sql import guard
from connections.sql.analyse import analyse
from connections.sql.catalogue import Catalogue

MEMORY = 2 * 1024**3
STACK = 512 * 1024**2
RECURSION = 60_000
_LENGTH = struct.Struct(">Q")


def _read(stream: BinaryIO) -> Any:
    size = stream.read(_LENGTH.size)
    if len(size) < _LENGTH.size:
        return EOFError
    return pickle.loads(stream.read(_LENGTH.unpack(size)[0]))  # noqa: S301 - our own parent


def _write(stream: BinaryIO, answer: object) -> None:
    data = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer one request after the other until the pipe closes."""
    catalogue = Catalogue()
    while True:
        request = _read(source)
        if request is EOFError:
            return
        if request is None:
            _write(target, "ready")
            continue
        sql, context, fresh, rules, subject, estimate = request
        if fresh is not None:
            catalogue = fresh
        analysis = analyse(sql, context, catalogue, guard.scan(sql))
        ruleset = Ruleset(*rules)
        verdict: Verdict = Judgement(sql, analysis, catalogue, ruleset).verdict(subject, estimate)
        _write(target, verdict)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(RECURSION)
    threading.stack_size(STACK)
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    thread = threading.Thread(target=serve, args=(source, target))
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
