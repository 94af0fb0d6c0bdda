"""Forms of expressions by kind: ``t``ext, ``n``umber, ``d``ate, ``b``oolean, ``v``ariant.

``{t}``, ``{n}`` … is where an expression of that kind goes.
"""

import re
from string import Formatter

LITERALS = {
    "t": ("'a'", "'it''s'", "''", "'Oslo'", "'sales@paper.example'", "'%a%'", "'Ø'"),
    "n": ("1", "0", "-3", "40", "2.5"),
    "d": ("'2026-02-01'::TIMESTAMP", "TO_TIMESTAMP('2026-03-01 10:00:00')"),
    "b": ("TRUE", "FALSE"),
    "v": ("PARSE_JSON('{\"a\":1}')",),
}

SCALARS = {
    "t": (
        "UPPER({t})",
        "LOWER({t})",
        "TRIM({t})",
        "LTRIM({t}, 'c')",
        "REVERSE({t})",
        "INITCAP({t})",
        "SUBSTR({t}, 1, 5)",
        "SUBSTRING({t}, LENGTH({t}), 3)",
        "LEFT({t}, 4)",
        "RIGHT({t}, 4)",
        "REPLACE({t}, 'a', 'b')",
        "REPLACE({t}, '-')",
        "TRANSLATE({t}, '0123456789', 'abcdefghij')",
        "{t} || '-' || {t}",
        "CONCAT({t}, {t})",
        "CONCAT_WS('-', {t}, {t})",
        "COALESCE({t}, {t}, 'none')",
        "NVL({t}, {t})",
        "IFNULL({t}, 'none')",
        "NVL2({t}, {t}, 'none')",
        "NULLIF({t}, {t})",
        "IFF({b}, {t}, {t})",
        "CASE WHEN {b} THEN {t} ELSE {t} END",
        "CASE WHEN {b} THEN {t} WHEN {b} THEN 'x' END",
        "CASE {t} WHEN {t} THEN 'same' ELSE {t} END",
        "DECODE({t}, {t}, 'same', {t})",
        "SPLIT_PART({t}, '@', 1)",
        "SPLIT_PART({t}, '-', -1)",
        "MD5({t})",
        "SHA1({t})",
        "SHA2({t})",
        "SHA2({t}, 256)",
        "HEX_ENCODE({t})",
        "LOWER(HEX_ENCODE({t}))",
        "GREATEST({t}, {t})",
        "LEAST({t}, {t})",
        "LPAD({t}, 12, '*')",
        "RPAD({t}, 30, 'x')",
        "REPEAT({t}, 2)",
        "INSERT({t}, 1, 2, 'zz')",
        "REGEXP_REPLACE({t}, '[a-f]', '#')",
        "REGEXP_SUBSTR({t}, '[a-z]+')",
        "{t}::VARCHAR",
        "CAST({n} AS VARCHAR)",
        "TO_CHAR({n})",
        "TO_VARCHAR({t})",
        "TRY_CAST({t} AS VARCHAR)",
        "TO_CHAR({d})",
        "ARRAY_CONSTRUCT({t}, {t})[0]::VARCHAR",
        "ARRAY_TO_STRING(ARRAY_CONSTRUCT({t}, {t}), ',')",
        "OBJECT_CONSTRUCT('a', {t}, 'b', {t}):a::VARCHAR",
        "SPLIT({t}, '@')[0]::VARCHAR",
        "TO_JSON(OBJECT_CONSTRUCT('k', {t}))",
        "({t})",
    ),
    "n": (
        "LENGTH({t})",
        "LEN({t})",
        "ASCII({t})",
        "UNICODE({t})",
        "CHARINDEX('a', {t})",
        "POSITION('n' IN {t})",
        "EDITDISTANCE({t}, {t})",
        "REGEXP_COUNT({t}, '[0-9]')",
        "TRY_TO_NUMBER({t})",
        "TRY_CAST({t} AS NUMBER)",
        "TRY_TO_NUMBER(REPLACE({t}, '-', ''))",
        "IFF({b}, {n}, {n})",
        "CASE WHEN {b} THEN 1 ELSE 0 END",
        "DECODE({t}, {t}, 1, 0)",
        "ABS({n})",
        "-({n})",
        "SIGN({n})",
        "{n} + {n}",
        "{n} - {n}",
        "({n} + 1) * 2",
        "{n} % 7",
        "MOD({n}, 7)",
        "DIV0({n}, {n})",
        "ROUND({n}, 1)",
        "FLOOR({n})",
        "CEIL({n})",
        "COALESCE({n}, 0)",
        "ZEROIFNULL({n})",
        "NULLIFZERO({n})",
        "NULLIF({n}, {n})",
        "GREATEST({n}, {n})",
        "YEAR({d})",
        "DATE_PART(month, {d})",
        "DATEDIFF(day, {d}, {d})",
        "EXTRACT(day FROM {d})",
        "ARRAY_SIZE(SPLIT({t}, 'a'))",
    ),
    "d": (
        "DATE_TRUNC('month', {d})",
        "DATEADD(day, 1, {d})",
        "COALESCE({d}, {d})",
        "IFF({b}, {d}, {d})",
        "LAST_DAY({d})::TIMESTAMP",
        "TRY_TO_TIMESTAMP({t})",
    ),
    "b": (
        "{t} IS NULL",
        "{t} IS NOT NULL",
        "{n} IS NULL",
        "{t} = {t}",
        "{t} <> {t}",
        "{t} > {t}",
        "{n} = {n}",
        "{n} >= {n}",
        "{d} < {d}",
        "{t} IN ({t}, {t})",
        "{t} NOT IN ('x', {t})",
        "{n} BETWEEN {n} AND {n}",
        "{t} LIKE '%a%'",
        "{t} ILIKE 'C%'",
        "{t} NOT LIKE {t}",
        "{t} LIKE 'a^%%' ESCAPE '^'",
        "{t} LIKE ANY ('%a%', '9%')",
        "REGEXP_LIKE({t}, '.*[ae].*')",
        "CONTAINS({t}, 'a')",
        "STARTSWITH({t}, 'c')",
        "ENDSWITH({t}, {t})",
        "{t} IS DISTINCT FROM {t}",
        "{t} IS NOT DISTINCT FROM NULL",
        "EQUAL_NULL({t}, {t})",
        "EQUAL_NULL({t}, NULL)",
        "({t}, {n}) = ({t}, {n})",
        "NOT ({b})",
        "({b} AND {b})",
        "({b} OR {b})",
        "({b}) IS NULL",
        "COALESCE({b}, FALSE)",
    ),
    "v": (
        "TO_VARIANT({n})",
        "PARSE_JSON('{{\"a\":' || LENGTH({t}) || '}}')",
        "OBJECT_CONSTRUCT('a', {t}, 'n', {n})",
        "OBJECT_CONSTRUCT_KEEP_NULL('a', {t})",
        "ARRAY_CONSTRUCT({t}, {t})",
    ),
}
# What takes a variant apart, where there is one.
PATHS = {
    "t": ("{v}:type::VARCHAR", "{v}['type']::VARCHAR", "GET({v}, 'type')::VARCHAR"),
    "n": ("{v}:n::NUMBER", "ARRAY_SIZE({v}:tags)"),
    "b": ("{v}:type IS NULL", "{v}:type = 'click'"),
    "v": ("{v}:tags", "{v}:tags[0]", "GET_PATH({v}, 'tags')"),
    "d": (),
}

AGGREGATES = {
    "t": (
        "MAX({t})",
        "MIN({t})",
        "ANY_VALUE({t})",
        "LISTAGG({t}, ',') WITHIN GROUP (ORDER BY {t})",
        "LISTAGG(DISTINCT {t}, '|') WITHIN GROUP (ORDER BY 1)",
        "MAX_BY({t}, {n})",
        "MIN_BY({t}, {t})",
        "MODE({t})",
        "ARRAY_TO_STRING(ARRAY_AGG({t}) WITHIN GROUP (ORDER BY {t}), ',')",
    ),
    "n": (
        "COUNT(*)",
        "COUNT({t})",
        "COUNT({n})",
        "COUNT(DISTINCT {t})",
        "COUNT(DISTINCT {n})",
        "APPROX_COUNT_DISTINCT({t})",
        "COUNT_IF({b})",
        "SUM({n})",
        "AVG({n})",
        "MAX({n})",
        "MEDIAN({n})",
        "SUM(IFF({b}, 1, 0))",
        "STDDEV({n})",
    ),
    "d": ("MAX({d})", "MIN({d})"),
    "b": ("BOOLOR_AGG({b})", "MAX({t}) IS NULL", "COUNT({t}) > 1"),
    "v": (
        "ARRAY_AGG({t}) WITHIN GROUP (ORDER BY {t})",
        "ARRAY_AGG({n}) WITHIN GROUP (ORDER BY {n})",
    ),
}

WINDOWS = {
    "t": (
        "LAG({t}) OVER ({w})",
        "LEAD({t}, 1, 'end') OVER ({w})",
        "FIRST_VALUE({t}) OVER ({w})",
        "LAST_VALUE({t}) IGNORE NULLS OVER ({w} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
        "MAX({t}) OVER ({p})",
        "NTH_VALUE({t}, 2) OVER ({w})",
    ),
    "n": (
        "ROW_NUMBER() OVER ({w})",
        "RANK() OVER ({w})",
        "DENSE_RANK() OVER ({w})",
        "NTILE(2) OVER ({w})",
        "SUM({n}) OVER ({w} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
        "COUNT({t}) OVER ({p})",
        "COUNT(DISTINCT {t}) OVER ({p})",
        "AVG({n}) OVER ()",
        "PERCENT_RANK() OVER ({w})",
    ),
}

_PARTS = {
    form: tuple((text, field) for text, field, _, _ in Formatter().parse(form))
    for forms in (SCALARS, PATHS, AGGREGATES, WINDOWS)
    for some in forms.values()
    for form in some
}


def fill(form, make):
    """The form with ``make(kind)`` in each of its places."""
    return "".join(
        text + (make(field) if field is not None else "") for text, field in _PARTS[form]
    )


def simple(text):
    """Whether a text may be followed by a path, an index or a cast without brackets."""
    return re.fullmatch(r"[\w.\"]+", text) is not None
