"""An oracle for masked outputs that knows nothing of the judge: run twice, compare.

The query runs on DuckDB over made-up rows, once as they are and once with protected values
replaced by others. What filters rows is taken out first, so that only the flow of values shows: an
output whose values differ is tainted. Many small trials, each changing some of the protected
columns, search for rows that reach the query's branches. Where the changed columns form groups,
equal values are replaced by equal ones and nothing else becomes equal; where the number of rows
still differs, the changed values chose rows, and the trial says nothing.
"""

import re
import threading
import time

import sqlglot
from fakesnow.instance import FakeSnow
from sqlglot import exp

from tests.connections.sql.madeup import Maker

# Functions that the engine does not have. For taint it is enough that a result depends on the
# arguments.
MACROS = """
CREATE TYPE GEOGRAPHY AS VARCHAR;
CREATE MACRO ST_GEOGRAPHYFROMWKB(x) AS x::VARCHAR;
CREATE MACRO ST_GEOGFROMWKB(x) AS x::VARCHAR;
CREATE MACRO ST_MAKEPOINT(x, y) AS x::VARCHAR || ' ' || y::VARCHAR;
CREATE MACRO ST_POINT(x, y) AS x::VARCHAR || ' ' || y::VARCHAR;
CREATE MACRO TO_GEOGRAPHY(x) AS x::VARCHAR;
CREATE MACRO ST_DISTANCE(a, b) AS hash(a::VARCHAR || '-' || b::VARCHAR) % 1000;
CREATE MACRO ST_UNION_AGG(x) AS LISTAGG(x::VARCHAR);
CREATE MACRO ST_AREA(a) AS hash(a::VARCHAR) % 1000;
CREATE MACRO ST_INTERSECTS(a, b) AS hash(a::VARCHAR || '-' || b::VARCHAR) % 3 > 0;
CREATE MACRO ST_CONTAINS(a, b) AS hash(a::VARCHAR || '-' || b::VARCHAR) % 3 > 0;
CREATE MACRO ST_WITHIN(a, b) AS hash(a::VARCHAR || '-' || b::VARCHAR) % 3 > 0;
CREATE MACRO ST_DWITHIN(a, b, c) AS hash(a::VARCHAR || '-' || b::VARCHAR) % 3 > 0;
CREATE MACRO AS_TIME(x) AS TRY_CAST(x::VARCHAR AS TIMESTAMP);
CREATE MACRO TRY_TO_TIMESTAMP_NTZ(x) AS TRY_CAST(x AS TIMESTAMP);
CREATE MACRO TRY_TO_TIMESTAMP(x) AS TRY_CAST(x AS TIMESTAMP);
"""


_MOST_ROWS = 300
_PATIENCE = 5  # seconds for one run


def columns_of(entry):
    return [
        (d, s, t, c, kind)
        for d, schemas in entry["schema"].items()
        for s, tables in schemas.items()
        for t, columns in tables.items()
        for c, kind in columns.items()
    ]


def unfiltered(sql, changed=None):
    """The query without what only chooses rows, where that leaves it a query. With ``changed``
    names, joins stay that name none of them.
    """
    tree = sqlglot.parse_one(sql, dialect="snowflake")
    for parse in tree.find_all(exp.ParseJSON):
        parse.set("safe", True)
    kept = _read_in_expressions(tree)
    for select in tree.find_all(exp.Select):
        if id(select) in kept or _inside_expression(select):
            continue
        for key in ("where", "having", "qualify", "limit", "offset"):
            select.set(key, None)
        for join in select.args.get("joins") or []:
            on = join.args.get("on")
            if on is not None and (changed is None or _names(on) & changed):
                join.set("on", exp.true())
    if tree.args.get("limit"):
        tree.set("limit", None)
    return tree


def _names(node):
    return {c.name.upper() for c in node.find_all(exp.Column)}


def _read_in_expressions(tree):
    """The SELECTs of recursive CTEs, and of those that a subquery in an expression reads: what
    such a subquery filters, its value tells.
    """
    ctes = {c.alias.upper(): c.this for c in tree.find_all(exp.CTE)}
    wanted = [
        table.name.upper()
        for select in tree.find_all(exp.Select)
        if _inside_expression(select)
        for table in select.find_all(exp.Table)
    ]
    wanted += [n for n, q in ctes.items() if n in {t.name.upper() for t in q.find_all(exp.Table)}]
    found, seen = set(), set()
    while wanted:
        name = wanted.pop()
        if name in ctes and name not in seen:
            seen.add(name)
            found |= {id(select) for select in ctes[name].find_all(exp.Select)}
            wanted += [table.name.upper() for table in ctes[name].find_all(exp.Table)]
    return found


def _inside_expression(select):
    node = select.parent
    while isinstance(node, (exp.SetOperation, exp.Subquery)):
        node = node.parent
    return not (node is None or isinstance(node, (exp.CTE, exp.From, exp.Join, exp.Lateral)))


def _shown(value):
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


class Oracle:
    """One query of a corpus over its own tables. ``error`` says why it cannot run, if so."""

    def __init__(self, entry):
        self.entry = entry
        self.maker = Maker(entry["sql"])
        self.connection = FakeSnow().connect(database="ORACLE", schema="PUBLIC")
        self.duck = self.connection._duck_conn
        self.duck.execute("SET threads = 1; SET memory_limit = '1GB'; SET temp_directory = ''")
        self.duck.execute(MACROS)
        self._create()
        self.texts = {}
        self.error = self.text(None)[1]

    def text(self, changed):
        """What runs where these names change, or why nothing does."""
        if changed not in self.texts:
            error = None
            for way in (self._engine, self._engine_with_times, self._emulator):
                try:
                    text = _forgiving(way(unfiltered(self.entry["sql"], changed)))
                    self.duck.execute(text)
                except Exception as problem:  # noqa: BLE001 - the reason is told to the caller
                    error = error or " ".join(str(problem).split())
                else:
                    self.texts[changed] = text, None
                    break
            else:
                self.texts[changed] = None, error
        return self.texts[changed]

    def _engine(self, tree):
        return tree.sql("duckdb", identify=True)

    def _engine_with_times(self, tree):
        return re.sub(r"\bTO_TIMESTAMP\(", "AS_TIME(", self._engine(tree))

    def _emulator(self, tree):
        cursor = self.connection.cursor()
        cursor.execute(tree.sql("snowflake"))
        return cursor._last_sql

    def _create(self):
        """Every table, with values to come in the columns that the query may name."""
        sql = self.entry["sql"].upper()
        self.tables = {}
        for d, s, t, c, kind in columns_of(self.entry):
            self.tables.setdefault((d, s, t), {})[c] = kind
        for (d, s, t), columns in self.tables.items():
            self.duck.execute(f"ATTACH IF NOT EXISTS ':memory:' AS \"{d}\"")
            self.duck.execute(f'CREATE SCHEMA IF NOT EXISTS "{d}"."{s}"')
            spelled = ", ".join(f'"{c}" {_duck_type(k)}' for c, k in columns.items())
            self.duck.execute(f'CREATE TABLE "{d}"."{s}"."{t}" ({spelled})')
            self.tables[d, s, t] = {
                c: k for c, k in columns.items() if "*" in sql or c.upper() in sql
            }

    def run(self, text, data):
        for (d, s, t), columns in data.items():
            self.duck.execute(f'DELETE FROM "{d}"."{s}"."{t}"')
            names = ", ".join(f'"{c}"' for c in columns)
            rows = ", ".join(f"({', '.join(row)})" for row in zip(*columns.values(), strict=True))
            self.duck.execute(f'INSERT INTO "{d}"."{s}"."{t}" ({names}) VALUES {rows}')
        stop = threading.Timer(_PATIENCE, self.duck.interrupt)
        stop.start()
        try:
            cursor = self.duck.execute(text)
            rows = cursor.fetchall()
        finally:
            stop.cancel()
        return len(rows), [
            sorted(_shown(r[i]) for r in rows) for i in range(len(cursor.description))
        ]

    def trial(self, protected, seed):
        """The positions that differ, or None where the rows cannot be compared."""
        maker = self.maker.seeded(seed)
        changed = protected if seed % 4 == 0 else [protected[seed % len(protected)]]
        names = frozenset(c.upper() for _, _, _, c, _ in changed)
        text, error = self.text(names if seed % 3 else None)
        if error:
            text, _ = self.text(None)
        groups = forms_groups(self.maker.tree, names)
        rows = maker.random.choice((1, 1, 3, 4))
        if rows ** len(self.tables) > _MOST_ROWS:  # every join that is taken out multiplies them
            rows = 1
        data = {
            table: {c: [maker.value(c, k) for _ in range(rows)] for c, k in columns.items()}
            for table, columns in self.tables.items()
            if columns
        }
        count, before = self.run(text, data)
        cells = _cells(data)
        swap = {}
        for d, s, t, c, kind in changed:
            if c in data.get((d, s, t), {}):
                data[d, s, t][c] = maker.swapped(
                    data[d, s, t][c], c, kind, swap if groups else None
                )
        mixes = groups and self.maker.tree.find(exp.SetOperation)
        if mixes and _pattern(cells) != _pattern(_cells(data)):
            return None
        again, after = self.run(text, data)
        if not count or count != again:
            return None
        return {i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}


def _forgiving(text):
    """Values that do not fit become NULL."""
    return re.sub(r"(?<!TRY_)\bCAST\(", "TRY_CAST(", text)


def _cells(data):
    return [value for columns in data.values() for values in columns.values() for value in values]


def _pattern(cells):
    """Which of them are equal."""
    first = {}
    return [first.setdefault(cell, i) for i, cell in enumerate(cells)]


def _duck_type(kind):
    base = kind.split("(")[0].upper()
    if base in {"VARIANT", "OBJECT", "ARRAY"}:
        return "JSON"
    if base in {"GEOGRAPHY", "GEOMETRY", "BINARY"}:
        return "VARCHAR"
    return sqlglot.exp.DataType.build(kind, dialect="snowflake").sql("duckdb")


def forms_groups(tree, names):
    """Whether columns of these names may decide what is grouped, unfolded or told apart."""
    if tree.find(exp.Group, exp.Distinct, exp.Lateral, exp.TableFromRows) is None:
        return False
    return bool(_names(tree) & names)


class Finding:
    """What the trials of one query have shown."""

    def __init__(self, error=None):
        self.tainted = set()
        self.trials = 0
        self.error = error


def oracle(entry, protected, expected, *, least=24, most=400, seconds=20):
    """Tainted positions over all trials. It looks on while it misses any of ``expected``, which
    it takes for nothing else.
    """
    found = Finding()
    query = Oracle(entry)
    if query.error:
        found.error = query.error
        return found
    ends = time.process_time() + seconds
    for seed in range(most):
        if found.trials >= least and found.tainted >= expected:
            break
        if time.process_time() > ends and seed >= least:
            break
        try:
            shown = query.trial(protected, seed)
        except Exception as error:  # noqa: BLE001 - these values do not fit, others may
            found.error = " ".join(str(error).split())
            continue
        if shown is not None:
            found.tainted |= shown
            found.trials += 1
    if found.trials:
        found.error = None
    return found
