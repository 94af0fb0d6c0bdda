"""An oracle for masked outputs that knows nothing of the judge: run twice, compare.

The query runs in the emulator over made-up rows whose values come from the query's own literals,
once as they are and once with every protected value replaced by another (equal values by equal
values). What filters rows is taken out first, so that only the flow of values shows: an output
whose values differ is tainted. Over single rows nothing else can show; over several rows a new
grouping may show too, so these are asked only where no protected column forms groups.
"""

import random

import sqlglot
from fakesnow.instance import FakeSnow
from sqlglot import exp


def _plain(kind):
    """A type that the emulator has too."""
    base = kind.split("(")[0].upper()
    return "VARCHAR" if base in {"GEOGRAPHY", "GEOMETRY", "BINARY"} else kind


def columns_of(entry):
    return [
        (d, s, t, c, kind)
        for d, schemas in entry["schema"].items()
        for s, tables in schemas.items()
        for t, columns in tables.items()
        for c, kind in columns.items()
    ]


def unfiltered(sql):
    """The query without what only chooses rows, where that leaves it a query."""
    tree = sqlglot.parse_one(sql, dialect="snowflake")
    recursive = {
        id(select)
        for cte in tree.find_all(exp.CTE)
        if any(t.name.upper() == cte.alias.upper() for t in cte.this.find_all(exp.Table))
        for select in cte.this.find_all(exp.Select)
    }
    for select in tree.find_all(exp.Select):
        if id(select) in recursive or _inside_expression(select):
            continue
        for key in ("where", "having", "qualify", "limit", "offset"):
            select.set(key, None)
        for join in select.args.get("joins") or []:
            if join.args.get("on") is not None:
                join.set("on", exp.true())
    if tree.args.get("limit"):
        tree.set("limit", None)
    return tree


def _inside_expression(select):
    node = select.parent
    while isinstance(node, (exp.SetOperation, exp.Subquery)):
        node = node.parent
    return not (node is None or isinstance(node, (exp.CTE, exp.From, exp.Join, exp.Lateral)))


def _shown(value):
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


class Oracle:
    """One query of a corpus in its own emulator."""

    def __init__(self, entry, seed, rows):
        self.entry = entry
        self.rows = rows
        self.random = random.Random(f"{entry['id']}-{seed}")
        tree = unfiltered(entry["sql"])
        self.sql = tree.sql("snowflake")
        literals = list(tree.find_all(exp.Literal))
        original = sqlglot.parse_one(entry["sql"], dialect="snowflake")
        literals += list(original.find_all(exp.Literal))
        self.texts = [i.this for i in literals if i.is_string and i.this] or ["a"]
        if seed % 3 == 1:  # texts that are numbers, for queries that cast them
            self.texts = ["7", "12", "2019"]
        elif seed % 3 == 2:  # or dates
            self.texts = ["2019-01-02", "2020-03-04", "2021-05-06"]
        self.literal = seed % 3 == 0
        self.numbers = [int(float(i.this)) for i in literals if not i.is_string] or [1]
        self.connection = FakeSnow().connect(database="ORACLE", schema="PUBLIC")
        self.data = {}

    def prepare(self):
        cursor = self.connection.cursor()
        for d, schemas in self.entry["schema"].items():
            cursor.execute(f'CREATE DATABASE IF NOT EXISTS "{d}"')
            for s, tables in schemas.items():
                cursor.execute(f'CREATE SCHEMA IF NOT EXISTS "{d}"."{s}"')
                for t, columns in tables.items():
                    spelled = ", ".join(f'"{c}" {_plain(k)}' for c, k in columns.items())
                    cursor.execute(f'CREATE TABLE "{d}"."{s}"."{t}" ({spelled})')
                    for c, kind in columns.items():
                        self.data[d, s, t, c] = [self.value(kind) for _ in range(self.rows)]

    def value(self, kind):
        base = kind.split("(")[0].upper()
        if base in {"NUMBER", "DECIMAL", "INT", "BIGINT", "FLOAT", "DOUBLE", "REAL"}:
            return str(self.random.choice([*self.numbers, self.random.randint(1, 50)]))
        if base == "DATE":
            return f"'20{self.random.randint(10, 25)}-0{self.random.randint(1, 9)}-11'"
        if base.startswith("TIMESTAMP"):
            return f"'20{self.random.randint(10, 25)}-0{self.random.randint(1, 9)}-11 01:02:03'"
        if base == "TIME":
            return f"'0{self.random.randint(1, 9)}:02:03'"
        if base == "BOOLEAN":
            return self.random.choice(["TRUE", "FALSE"])
        if base in {"VARIANT", "OBJECT", "ARRAY"}:
            return f"PARSE_JSON('[{{\"a\":{self.random.randint(1, 99)}}}]')"
        text = self.random.choice(self.texts + [f"t{self.random.randint(1, 99)}"] * self.literal)
        return "'" + text.replace("\\", "\\\\").replace("'", "''").replace("%", "") + "'"

    def run(self, data):
        cursor = self.connection.cursor()
        tables = {}
        for (d, s, t, c), values in data.items():
            tables.setdefault((d, s, t), {})[c] = values
        for (d, s, t), columns in tables.items():
            cursor.execute(f'DELETE FROM "{d}"."{s}"."{t}"')
            names = ", ".join(f'"{c}"' for c in columns)
            rows = " UNION ALL ".join(
                "SELECT " + ", ".join(values[i] for values in columns.values())
                for i in range(self.rows)
            )
            cursor.execute(f'INSERT INTO "{d}"."{s}"."{t}" ({names}) {rows}')
        cursor.execute(self.sql)
        rows = cursor.fetchall()
        return [sorted(_shown(r[i]) for r in rows) for i in range(len(cursor.description))]

    def tainted(self, protected):
        """Positions whose values depend on the protected columns, as far as these rows show."""
        before = self.run(self.data)
        changed = dict(self.data)
        for d, s, t, c, kind in protected:
            swap = {}
            for old in self.data[d, s, t, c]:
                while old not in swap:
                    new = self.value(kind)
                    if kind.upper().startswith("BOOL"):
                        new = "FALSE" if old == "TRUE" else "TRUE"
                    if new != old and new not in swap.values():
                        swap[old] = new
            changed[d, s, t, c] = [swap[v] for v in self.data[d, s, t, c]]
        after = self.run(changed)
        return {i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}


def forms_groups(entry, protected):
    """Whether a protected column may decide how rows are grouped, unfolded or told apart."""
    tree = sqlglot.parse_one(entry["sql"], dialect="snowflake")
    names = {c.upper() for _, _, _, c, _ in protected}
    if tree.find(exp.Group, exp.Distinct, exp.Lateral, exp.TableFromRows) is None:
        return False
    return any(column.name.upper() in names for column in tree.find_all(exp.Column))


def oracle(entry, protected, seeds=3):
    """Tainted positions over all trials that the emulator can run; None where it can run none."""
    found, ran = set(), 0
    several = not forms_groups(entry, protected)
    for seed in range(seeds):
        for rows in (1, 3) if several else (1,):
            try:
                trial = Oracle(entry, seed, rows)
                trial.prepare()
                found |= trial.tainted(protected)
                ran += 1
            except Exception:  # noqa: BLE001, S112 - what the emulator cannot run proves nothing
                continue
    return found if ran else None
