"""Statements over the fixture, made by chance: joins, CTEs, recursion, set operations, nesting,
laterals, windows, pivots, stars, semi-structured values.
"""

from hypothesis import strategies as st

from tests.connections.sql.chance import Chance
from tests.connections.sql.fragments import TABLES, Fragments

_SHADOWS = ("ORDERS", "VENDORS", "CUSTOMERS")
_CITIES = ("'Oslo'", "'Lima'", "'Rome'")


class Grammar(Fragments):
    def statement(self):
        chance, ctes, clauses = self.chance, {}, []
        recursive = False
        for _ in range(chance.pick((0, 0, 1, 1, 2))):
            shadow = chance.percent(8)
            name = chance.pick(_SHADOWS) if shadow else chance.name("w")
            if name in ctes:
                continue
            if not shadow and chance.percent(15):
                text, outs, names = self.recursion(name)
                recursive = True
            else:
                text, outs = self.query(dict(ctes))
                names = ""
                if chance.percent(20):
                    outs = tuple((f"K{i}", k) for i, (_, k) in enumerate(outs))
                    names = f" ({', '.join(n for n, _ in outs)})"
            ctes[name] = outs
            clauses.append(f"{name}{names} AS ({text})")
        text, _ = self.query(ctes)
        if not clauses:
            return text
        return f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(clauses)} {text}"

    def recursion(self, name):
        """A walk over the customers, one step at a time."""
        chance = self.chance
        start = [("c.ID", "n"), ("c.EMAIL", "t"), ("c.SSN", "t"), ("c.CITY", "t")]
        step = [*start, ("r.E", "t"), ("r.N", "n")]
        first = self.expression(start, "t", 1)
        more = self.expression(step, "t", 1)
        test = f" AND {self.expression(step, 'b', 1)}" if chance.percent(30) else ""
        outs = (("N", "n"), ("E", "t"))
        text = (
            f"SELECT c.ID, {first} FROM PROD.CRM.CUSTOMERS c WHERE c.ID <= 2 UNION ALL "
            f"SELECT r.N + 2, {more} FROM {name} r"
            f" JOIN PROD.CRM.CUSTOMERS c ON c.ID = r.N + 2{test}"
        )
        return text, outs, " (N, E)"

    def query(self, ctes, outer=(), kinds=None):
        """A query and its outputs as (name, kind). ``kinds`` says which outputs are wanted."""
        chance = self.chance
        text, outs = self.select(ctes, outer, kinds)
        if self.budget > 0 and chance.percent(14):
            return self.combined(text, outs, ctes, outer)
        if chance.percent(12) and not outer:
            order = chance.pick((*tuple(n for n, _ in outs), "1"))
            everything = ", ".join(str(i + 1) for i in range(len(outs)))
            limit = f" LIMIT {1 + chance.below(4)}" if chance.percent(50) else ""
            down = chance.pick(("", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST"))
            text = f"{text} ORDER BY {order}{down}, {everything}{limit}"
        return text, outs

    def combined(self, left, outs, ctes, outer):
        chance = self.chance
        operator = chance.pick(("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "MINUS"))
        right, theirs = self.select(ctes, outer, [k for _, k in outs], plain=True)
        if chance.percent(15) and operator.startswith("UNION"):
            named = tuple(n for n, _ in outs)
            if len(set(named)) == len(named) and named == tuple(n for n, _ in theirs):
                return f"{left} {operator} BY NAME {right}", outs
        # The parser takes MINUS after GROUP BY ALL for a name.
        apart = chance.percent(50) or left.endswith("GROUP BY ALL")
        text = f"({left}) {operator} ({right})" if apart else f"{left} {operator} {right}"
        if self.budget > 0 and chance.percent(20):
            third, _ = self.select(ctes, outer, [k for _, k in outs], plain=True)
            text = f"({text}) {chance.pick(('UNION ALL', 'EXCEPT', 'INTERSECT'))} ({third})"
        return text, outs

    def select(self, ctes, outer, kinds=None, *, plain=False):
        chance = self.chance
        self.budget -= 1
        if kinds is None and not outer and not plain:
            shape = chance.below(16)
            if shape == 1:
                return self.pivot()
            if shape == 2:
                return self.unpivot()
            if shape in (3, 4, 5):
                return self.star(ctes)
        text, items = self.sources(ctes, outer)
        scope = self.scope(items, bare=len(items) == 1)
        seen = scope + list(outer)
        where = f" WHERE {self.expression(seen, 'b', 2, ctes)}" if chance.percent(45) else ""
        wanted = list(kinds or self.kinds())
        shape = chance.below(10)
        if shape in (1, 2):
            return self.grouped(text, where, seen, wanted, ctes)
        if shape == 3 and not outer:
            return self.windowed(text, where, scope, wanted)
        if shape == 4:
            outs = tuple((f"C{i}", k) for i, k in enumerate(wanted))
            listed = ", ".join(f"{self.aggregate(scope, k, ctes)} AS {n}" for n, k in outs)
            return f"SELECT {listed} FROM {text}{where}", outs
        distinct = "DISTINCT " if shape == 5 else ""
        listed, outs, seen = [], [], list(seen)
        for i, kind in enumerate(wanted):
            name = self.output(i, items)
            made = self.expression(seen, kind, 2, ctes)
            listed.append(f"{made}{chance.pick((' AS ', ' '))}{name}")
            outs.append((name, kind))
            free = all(n != name for item in items for n, _ in item.columns)
            if not distinct and free and chance.percent(25):
                seen.append((name, kind))  # a later item may use the alias
        return f"SELECT {distinct}{', '.join(listed)} FROM {text}{where}", tuple(outs)

    def output(self, number, items):
        """A name for an output; sometimes one that a real column has, which goes before it."""
        if self.chance.percent(6):
            names = [n for n, _ in items[0].columns if "::" not in n]
            if number < len(names):
                return names[number]
        return f"C{number}"

    def grouped(self, text, where, scope, wanted, ctes):
        """The last output is an aggregate; the others, or a key that is not shown, form groups."""
        chance = self.chance
        outs = tuple((f"C{i}", k) for i, k in enumerate(wanted))
        keys = [self.expression(scope, k, 1) for k in wanted[:-1]]
        last = f"{self.aggregate(scope, wanted[-1])} AS {outs[-1][0]}"
        listed = [f"{key} AS {n}" for key, (n, _) in zip(keys, outs, strict=False)]
        having = ""
        if chance.percent(25):
            having = f" HAVING {self.aggregate(scope, 'n')} >= {chance.below(2)}"
        ordinals = ", ".join(str(i + 1) for i in range(len(keys)))
        columns = [ref for ref, k in scope if k != "v"]
        if not keys and columns:
            clause = chance.pick(columns)
        elif not keys:
            return f"SELECT {last} FROM {text}{where}", outs
        elif all(any(ref in key for ref, _ in scope) for key in keys):
            # The parser takes no comparison inside ROLLUP, CUBE and the like.
            clause = chance.pick(
                (ordinals, ", ".join(keys), "ALL")
                if "b" in wanted[:-1]
                else (
                    ordinals,
                    ", ".join(keys),
                    "ALL",
                    f"ROLLUP ({', '.join(keys)})",
                    f"CUBE ({', '.join(keys)})",
                    f"GROUPING SETS (({', '.join(keys)}), ({keys[0]}))",
                )
            )
        else:
            clause = ordinals
        sql = f"SELECT {', '.join([*listed, last])} FROM {text}{where} GROUP BY {clause}{having}"
        return sql, outs

    def windowed(self, text, where, scope, wanted):
        chance = self.chance
        outs = tuple((f"C{i}", k) for i, k in enumerate(wanted))
        listed = ", ".join(
            f"{self.window(scope, k) if k in 'tn' and chance.percent(70) else self.leaf(scope, k)}"
            f" AS {n}"
            for n, k in outs
        )
        qualify = ""
        if chance.percent(50):
            qualify = f" QUALIFY {self.window(scope, 'n')} {chance.pick(('<= 2', '= 1', '>= 1'))}"
        return f"SELECT {listed} FROM {text}{where}{qualify}", outs

    def star(self, ctes):
        """``*`` over one source and all that may hang on it."""
        chance = self.chance
        text, item = self.source(ctes, ())
        columns = list(item.columns)
        names = [n for n, _ in columns]
        star = chance.pick(("*", f"{item.alias}.*"))
        scope = self.scope([item], bare=True)
        shape = chance.below(6)
        if len(set(names)) != len(names) or len(names) < 2:
            shape = 0
        chosen = names[chance.below(len(names))]
        kind = dict(columns)[chosen]
        if shape == 1:
            star += chance.pick((f" EXCLUDE ({chosen})", f" EXCLUDE {chosen}"))
            columns = [c for c in columns if c[0] != chosen]
        elif shape == 2:
            star += f" REPLACE ({self.expression(scope, kind, 2)} AS {chosen})"
        elif shape == 3:
            star += f" RENAME ({chosen} AS Z9)"
            columns = [("Z9" if n == chosen else n, k) for n, k in columns]
        elif shape == 4 and any("A" in n for n in names):
            star += " ILIKE '%a%'"
            columns = [c for c in columns if "A" in c[0]]
        elif shape == 5:
            star += f", {self.expression(scope, 'n', 2)} AS Z8"
            columns.append(("Z8", "n"))
        where = f" WHERE {self.expression(scope, 'b', 2, ctes)}" if chance.percent(35) else ""
        return f"SELECT {star} FROM {text}{where}", tuple(columns)

    def pivot(self):
        chance = self.chance
        value, total = chance.pick(
            (
                ("EMAIL", "MAX"),
                ("SSN", "MIN"),
                ("BALANCE", "SUM"),
                ("ID", "COUNT"),
                ("EMAIL", "COUNT"),
            )
        )
        key = chance.pick(("ID", "FULL_NAME", "SSN"))
        if key == value:
            key = "FULL_NAME"
        by = chance.pick(("CITY", "CITY", "EMAIL"))
        if by == value:
            by = "CITY"
        members = _CITIES[:2] if by == "CITY" else ("'sales@paper.example'", "'***'")
        kind = "n" if total in ("SUM", "COUNT") else "t"
        alias = chance.name("p")
        text = (
            f"SELECT * FROM (SELECT {key}, {by}, {value} FROM PROD.CRM.CUSTOMERS) PIVOT"
            f"({total}({value}) FOR {by} IN ({', '.join(members)})) AS {alias} (A1, A2, A3)"
        )
        return text, (("A1", "n" if key == "ID" else "t"), ("A2", kind), ("A3", kind))

    def unpivot(self):
        chance = self.chance
        names = chance.some(("EMAIL", "CITY", "SSN", "FULL_NAME"), 2)
        alias = chance.name("u")
        nulls = " INCLUDE NULLS" if chance.percent(15) else ""
        text = (
            f"SELECT * FROM (SELECT ID, {', '.join(names)} FROM PROD.CRM.CUSTOMERS) UNPIVOT{nulls}"
            f" (V1 FOR N1 IN ({', '.join(names)})) AS {alias}"
        )
        return text, (("ID", "n"), ("N1", "t"), ("V1", "t"))


SIZE = 500


def written(data):
    """The statement that these bytes stand for."""
    return Grammar(Chance(data), budget=5).statement()


def statements():
    return st.binary(min_size=SIZE, max_size=SIZE).map(written)


__all__ = ["SIZE", "TABLES", "statements", "written"]
