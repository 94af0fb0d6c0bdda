"""Statements over the fixture, made by chance: joins, CTEs, set operations, functions, nesting."""

from hypothesis import strategies as st

TABLES = {
    "PROD.CRM.CUSTOMERS": {
        "ID": "n",
        "EMAIL": "t",
        "SSN": "t",
        "FULL_NAME": "t",
        "CITY": "t",
        "BALANCE": "n",
    },
    "PROD.CRM.ORDERS": {
        "ORDER_ID": "n",
        "CUSTOMER_ID": "n",
        "STATUS": "t",
        "AMOUNT": "n",
        "CHANNEL": "t",
    },
    "PROD.CRM.VENDORS": {"ID": "n", "NAME": "t", "EMAIL": "t", "CITY": "t"},
    "PROD.CRM.V_CONTACTS": {"ID": "n", "CONTACT": "t", "CITY": "t"},
}

_TEXT_OF_TEXT = [
    "UPPER({0})",
    "LOWER({0})",
    "REVERSE({0})",
    "TRIM({0})",
    "SUBSTR({0}, 1, 5)",
    "LEFT({0}, 4)",
    "RIGHT({0}, 4)",
    "REPLACE({0}, 'a', 'b')",
    "{0} || '-' || {1}",
    "COALESCE({0}, {1}, 'none')",
    "CONCAT({0}, {1})",
    "NVL({0}, {1})",
    "NULLIF({0}, {1})",
    "IFF({0} = {1}, {0}, 'other')",
    "CASE WHEN {0} IS NULL THEN 'none' WHEN {0} > {1} THEN {0} ELSE {1} END",
    "SPLIT_PART({0}, '@', 1)",
    "MD5({0})",
    "SHA2({0})",
    "HEX_ENCODE({0})",
    "GREATEST({0}, {1})",
    "{0}::VARCHAR",
    "TRANSLATE({0}, '0123456789', 'abcdefghij')",
    "LPAD({0}, 12, '*')",
]
_NUMBER_OF_TEXT = ["LENGTH({0})", "ASCII({0})", "IFF({0} LIKE '%a%', 1, 0)", "TRY_TO_NUMBER({0})"]
_NUMBER_OF_NUMBER = ["ABS({0})", "{0} + {1}", "{0} * 2", "COALESCE({0}, 0)", "ROUND({0}, 1)"]
_TESTS = [
    "{0} IS NULL",
    "{0} IS NOT NULL",
    "{0} = {1}",
    "{0} <> {1}",
    "{0} > {1}",
    "{0} IN ({1}, {0})",
    "{0} BETWEEN {1} AND {0}",
    "NOT ({0} = {1})",
]
_AGGREGATES = {
    "t": ["MAX({0})", "MIN({0})"],
    "n": ["SUM({0})", "MAX({0})", "COUNT({0})", "COUNT(DISTINCT {0})", "COUNT(*)"],
}


@st.composite
def expression(draw, columns, kind, depth=2):
    """An expression of a kind, ``t`` or ``n``, over columns of both kinds."""
    own = [c for c, k in columns if k == kind]
    leaf = draw(st.sampled_from(own)) if own else ("'x'" if kind == "t" else "1")
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return leaf
    if kind == "t":
        form = draw(st.sampled_from(_TEXT_OF_TEXT))
        inner = [draw(expression(columns, "t", depth - 1)) for _ in range(2)]
    elif draw(st.booleans()):
        form = draw(st.sampled_from(_NUMBER_OF_TEXT))
        inner = [draw(expression(columns, "t", depth - 1)) for _ in range(2)]
    else:
        form = draw(st.sampled_from(_NUMBER_OF_NUMBER))
        inner = [draw(expression(columns, "n", depth - 1)) for _ in range(2)]
    return form.format(*inner)


@st.composite
def condition(draw, columns):
    kind = draw(st.sampled_from("tn"))
    parts = [draw(expression(columns, kind, 1)) for _ in range(2)]
    return draw(st.sampled_from(_TESTS)).format(*parts)


@st.composite
def source(draw, ctes, depth, number):
    """A FROM item with its alias and the columns it gives under that alias."""
    alias = f"s{number}"
    choice = draw(st.integers(0, 3))
    if choice == 0 and depth > 0:
        text, outs = draw(query(ctes, depth - 1))
        return f"({text}) AS {alias}", [(f"{alias}.{n}", k) for n, k in outs]
    if choice == 1 and ctes:
        name = draw(st.sampled_from(sorted(ctes)))
        return f"{name} AS {alias}", [(f"{alias}.{n}", k) for n, k in ctes[name]]
    table = draw(st.sampled_from(sorted(TABLES)))
    return f"{table} AS {alias}", [(f"{alias}.{n}", k) for n, k in TABLES[table].items()]


@st.composite
def select(draw, ctes, depth):
    first, columns = draw(source(ctes, depth, 0))
    text = first
    for number in range(1, 1 + draw(st.integers(0, 2))):
        item, more = draw(source(ctes, depth, number))
        columns = columns + more
        join = draw(st.sampled_from(["JOIN", "LEFT JOIN"]))
        text += f" {join} {item} ON {draw(condition(columns))}"
    shape = draw(st.integers(0, 4))
    where = f" WHERE {draw(condition(columns))}" if draw(st.booleans()) else ""
    width = draw(st.integers(1, 3))
    kinds = [draw(st.sampled_from("ttn")) for _ in range(width)]
    items = [draw(expression(columns, k)) for k in kinds]
    outs = [(f"C{i}", k) for i, k in enumerate(kinds)]
    if shape == 0:
        keys = ", ".join(f"{item} AS C{i}" for i, item in enumerate(items))
        kind = draw(st.sampled_from("tn"))
        form = draw(st.sampled_from(_AGGREGATES[kind]))
        total = form.format(draw(expression(columns, kind, 1)))
        grouped = ", ".join(str(i + 1) for i in range(width))
        outs.append((f"C{width}", kind))
        return f"SELECT {keys}, {total} AS C{width} FROM {text}{where} GROUP BY {grouped}", outs
    distinct = "DISTINCT " if shape == 1 else ""
    listed = ", ".join(f"{item} AS C{i}" for i, item in enumerate(items))
    return f"SELECT {distinct}{listed} FROM {text}{where}", outs


@st.composite
def query(draw, ctes, depth):
    """A query and its output columns with their kinds."""
    text, outs = draw(select(ctes, depth))
    if depth and draw(st.integers(0, 3)) == 0:
        operator = draw(st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]))
        table = draw(st.sampled_from(sorted(TABLES)))
        columns = list(TABLES[table].items())
        listed = ", ".join(draw(expression(columns, k, 1)) for _, k in outs)
        text = f"{text} {operator} SELECT {listed} FROM {table}"
    return text, outs


@st.composite
def statement(draw):
    ctes, clauses = {}, []
    for number in range(draw(st.integers(0, 2))):
        text, outs = draw(query(dict(ctes), 1))
        ctes[f"W{number}"] = outs
        clauses.append(f"W{number} AS ({text})")
    text, _ = draw(query(ctes, 2))
    return (f"WITH {', '.join(clauses)} " if clauses else "") + text
