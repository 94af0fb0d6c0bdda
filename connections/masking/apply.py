"""The second layer over results: detectors on whole Arrow columns, on headers and on texts."""

import re
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import re2

from connections.masking.detectors import DETECTORS, Detector, Finding, compiled, redact


def scan(
    table: pa.Table, detectors: Sequence[Detector] = DETECTORS
) -> tuple[pa.Table, tuple[Finding, ...]]:
    """Mask what detectors find in the text columns and in the headers of a table.

    A column without a hit comes back as the very same column; types and metadata never change.
    """
    findings: list[Finding] = []
    columns, fields = [], []
    chosen = tuple(detectors)
    for field, column in zip(table.schema, table.columns, strict=True):
        name, found = _scan_name(field.name, chosen)
        findings += [Finding(f.detector, field.name, f.count, f.action) for f in found]
        cleaned, more = _column(column, field, detectors)
        findings += more
        columns.append(cleaned)
        fields.append(field.with_name(name) if name != field.name else field)
    schema = pa.schema(fields, metadata=table.schema.metadata)
    return pa.Table.from_arrays(columns, schema=schema), tuple(findings)


# Names of columns in which nothing was found: the same ones come with every result. Names that
# held something are not kept.
_clean: set[tuple[str, tuple[Detector, ...]]] = set()
_MOST_CLEAN = 4096
# Rows that Python joins more quickly than Arrow.
_FEW = 250
_WHOLE = re.compile(r"\\[Az]|\(\?[a-zA-Z]*-")


def _scan_name(name: str, detectors: tuple[Detector, ...]) -> tuple[str, tuple[Finding, ...]]:
    if (name, detectors) in _clean:
        return name, ()
    text, findings = scan_text(name, detectors)
    if not findings:
        if len(_clean) >= _MOST_CLEAN:
            _clean.clear()
        _clean.add((name, detectors))
    return text, findings


def scan_text(
    text: str, detectors: Sequence[Detector] = DETECTORS
) -> tuple[str, tuple[Finding, ...]]:
    """Mask what detectors find in one text: an upstream error, a header, a comment."""
    findings = []
    for detector in detectors:
        text, hits = redact(text, detector)
        if hits:
            findings.append(Finding(detector.name, "", hits, detector.action))
    return text, tuple(findings)


def _column(
    column: pa.ChunkedArray, field: pa.Field, detectors: Sequence[Detector]
) -> tuple[pa.ChunkedArray, list[Finding]]:
    kind = field.type
    if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        plain, findings = _text_column(column.cast(kind.value_type), field.name, detectors)
        changed = any(f.action == "mask" for f in findings)
        return (plain.dictionary_encode().cast(kind) if changed else column), findings
    if _is_text(kind):
        return _text_column(column, field.name, detectors)
    return column, []


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text_column(
    column: pa.ChunkedArray, name: str, detectors: Sequence[Detector]
) -> tuple[pa.ChunkedArray, list[Finding]]:
    """Look for all detectors in one pass; only rows that any of them hit are looked at again."""
    if not detectors or _is_plainly_clean(column, tuple(detectors)):
        return column, []
    try:
        hits = pc.fill_null(pc.match_substring_regex(column, _any_of(tuple(detectors))), False)
    except pa.ArrowInvalid:
        # Own patterns may be too much for one expression.
        return _each(column, name, detectors)
    if not pc.any(hits).as_py():
        return column, []
    rows = pc.filter(column, hits)
    cleaned, findings = _each(rows, name, detectors)
    if cleaned is rows:
        return column, findings
    return _replaced(column, hits, cleaned.combine_chunks()), findings


def _is_plainly_clean(column: pa.ChunkedArray, detectors: tuple[Detector, ...]) -> bool:
    """Whether a column holds nothing, seen in one look over all of its rows as lines: Arrow looks
    at each row by itself, and reads the pattern anew for each column. That takes three times as
    long where rows are short, and longer than all rows where they are few.
    """
    pattern = _within_lines(detectors)
    if pattern is None:
        return False
    try:
        expression = compiled(pattern)
        return all(expression.search(_lines(chunk)) is None for chunk in column.chunks)
    except (pa.ArrowException, re2.error):
        return False  # more than Arrow can join, or than one expression may be


def _lines(rows: pa.Array) -> str | bytes:
    if len(rows) < _FEW:
        return "\n".join(filter(None, rows.to_pylist()))
    if rows.null_count:
        return _lines(rows.drop_null())
    whole = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    joined: bytes = pc.binary_join(whole, pa.scalar("\n", rows.type))[0].as_buffer().to_pybytes()
    return joined


@lru_cache(maxsize=256)
def _within_lines(detectors: tuple[Detector, ...]) -> str | None:
    """A pattern that hits lines wherever any of the detectors hits one of them by itself; None
    where one asks for the ends of a whole text.
    """
    if any(_WHOLE.search(detector.pattern) for detector in detectors):
        return None
    return f"(?m){_any_of(detectors)}"


@lru_cache(maxsize=256)
def _any_of(detectors: tuple[Detector, ...]) -> str:
    return "|".join(f"(?:{detector.pattern})" for detector in detectors)


def _each(
    column: pa.ChunkedArray, name: str, detectors: Sequence[Detector]
) -> tuple[pa.ChunkedArray, list[Finding]]:
    """One detector after the other, each over what those before it left."""
    findings = []
    for detector in detectors:
        if detector.hint and not pc.any(pc.match_substring(column, detector.hint)).as_py():
            continue
        hits = pc.fill_null(pc.match_substring_regex(column, detector.pattern), False)
        number = pc.sum(hits).as_py() or 0
        if not number:
            continue
        if detector.check is None:
            if detector.action == "mask":
                replaced = pc.replace_substring_regex(
                    column, detector.pattern, detector.replacement
                )
                column = replaced.cast(column.type)
            findings.append(Finding(detector.name, name, number, detector.action))
            continue
        column, number = _checked(column, hits, detector)
        if number:
            findings.append(Finding(detector.name, name, number, detector.action))
    return column, findings


def _checked(
    column: pa.ChunkedArray, hits: pa.ChunkedArray, detector: Detector
) -> tuple[pa.ChunkedArray, int]:
    """Look closer at the rows that the pattern hit, and only at those."""
    compiled(detector.pattern)
    rows = pc.filter(column, hits).to_pylist()
    cleaned, total = [], 0
    for text in rows:
        new, count = redact(text, detector)
        cleaned.append(new)
        total += bool(count)
    if not total or detector.action != "mask":
        return column, total
    return _replaced(column, hits, pa.array(cleaned, type=column.type)), total


def _replaced(column: pa.ChunkedArray, rows: pa.ChunkedArray, values: pa.Array) -> pa.ChunkedArray:
    """The column with other values in the rows that are marked."""
    flat = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    mask = rows.combine_chunks() if rows.num_chunks != 1 else rows.chunk(0)
    replaced = pc.replace_with_mask(flat, mask, values)
    return pa.chunked_array([replaced], type=column.type)
