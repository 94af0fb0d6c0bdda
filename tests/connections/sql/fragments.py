"""Expressions and FROM clauses over the fixture, by chance. ``grammar`` makes queries of them."""

from dataclasses import dataclass

from tests.connections.sql import forms

TABLES = {
    "CUSTOMERS": "ID:n EMAIL:t SSN:t FULL_NAME:t CITY:t BALANCE:n",
    "ORDERS": "ORDER_ID:n CUSTOMER_ID:n ORDER_TS:d STATUS:t AMOUNT:n CHANNEL:t",
    "VENDORS": "ID:n NAME:t EMAIL:t CITY:t",
    "DELETED_ACCOUNTS": "ID:n CUSTOMER_ID:n DROP_REASON:t UPDATED_AT:d EMAIL_OPT_IN:b",
    "EVENTS": "EVENT_ID:n CUSTOMER_ID:n EVENT_TS:d PAYLOAD:v",
    "V_CONTACTS": "ID:n CONTACT:t CITY:t",
    "V_CITIES": "CITY:t PEOPLE:n TOP_EMAIL:t WEALTH:n",
    "V_NESTED": "ID:n MAILBOX:t CONTACT:t",
    "V_FLAGS": "ID:n FLAG:t SSN:t SIZE:n",
}
# The first is what shrinking ends with; what is protected comes up most.
_TABLES = ("CUSTOMERS",) * 7 + tuple(TABLES) + ("ORDERS", "VENDORS", "EVENTS", "V_CONTACTS")
_COLUMNS = {
    table: tuple(tuple(c.split(":")) for c in columns.split()) for table, columns in TABLES.items()
}
_KINDS = "ttttnnnbdv"


@dataclass(frozen=True)
class Item:
    """A source in a FROM clause: its alias, and its columns as (name, kind)."""

    alias: str
    columns: tuple


class Fragments:
    """``budget`` is how many SELECTs may still be written."""

    def __init__(self, chance, budget):
        self.chance = chance
        self.budget = budget

    def query(self, ctes, outer=(), kinds=None):
        raise NotImplementedError

    # expressions over ``scope``, a list of (reference, kind)

    def leaf(self, scope, kind):
        own = [ref for ref, k in scope if k == kind]
        if own and not self.chance.percent(12):
            return self.chance.pick(own)
        return self.chance.pick(forms.LITERALS[kind])

    def expression(self, scope, kind, depth=2, ctes=None):
        chance = self.chance
        if depth <= 0 or (kind != "b" and not chance.percent(55)):
            return self.leaf(scope, kind)
        if ctes is not None and self.budget > 0 and chance.percent(9):
            return self.subquery(scope, kind, ctes)
        variants = [ref for ref, k in scope if k == "v" and forms.simple(ref)]
        if variants and forms.PATHS[kind] and chance.percent(25):
            return forms.fill(chance.pick(forms.PATHS[kind]), lambda _: chance.pick(variants))
        form = chance.pick(forms.SCALARS[kind])
        return forms.fill(form, lambda k: self.expression(scope, k, depth - 1, ctes))

    def aggregate(self, scope, kind, ctes=None):
        form = self.chance.pick(forms.AGGREGATES[kind])
        return forms.fill(form, lambda k: self.expression(scope, k, 1, ctes))

    def window(self, scope, kind):
        chance = self.chance

        def part(what):
            if what not in "wp":
                return self.expression(scope, what, 1)
            by = ""
            if what == "p" or chance.percent(50):
                by = f"PARTITION BY {self.expression(scope, chance.pick('tn'), 1)}"
            if what == "p":
                return by
            order = [self.expression(scope, chance.pick("tn"), 1), *self.keys(scope)]
            down = " DESC" if chance.percent(30) else ""
            return f"{by} ORDER BY {order[0]}{down}, {', '.join(order[1:] or ['1'])}".strip()

        return forms.fill(chance.pick(forms.WINDOWS[kind]), part)

    def keys(self, scope):
        """Numbers in sight, so that an order leaves as little as possible to the engine's mood."""
        return [ref for ref, k in scope if k == "n"][:2]

    def subquery(self, scope, kind, ctes):
        """A query as an expression; it may refer to the columns around it."""
        chance = self.chance
        scope = [(ref, k) for ref, k in scope if "." in ref]
        if kind == "b":
            form = chance.pick(("EXISTS", "NOT EXISTS", "IN", "NOT IN", "= ANY", "<> ALL"))
            if "EXISTS" in form:
                return f"{form} ({self.query(ctes, scope)[0]})"
            inner = chance.pick("tn")
            left = self.expression(scope, inner, 1)
            outer = scope if chance.percent(40) else ()
            text = self.query(ctes, outer, inner)[0]
            if text.startswith("("):  # which the parser takes for a function's arguments
                text = f"SELECT * FROM ({text}) {chance.name('q')}"
            return f"{left} {form} ({text})"
        text, outs = self.query(ctes, scope if chance.percent(60) else (), kind)
        form = chance.pick(forms.AGGREGATES[kind][:2])
        name = chance.name("q")
        filled = forms.fill(form, lambda k: f"{name}.{outs[0][0]}" if k == kind else "1")
        return f"(SELECT {filled} FROM ({text}) {name})"

    # sources

    def spelled(self, table):
        return self.chance.pick(
            (
                f"PROD.CRM.{table}",
                f"PROD.CRM.{table}",
                f"CRM.{table}",
                f'"PROD"."CRM"."{table}"',
                f"prod.crm.{table.lower()}",
                f"IDENTIFIER('PROD.CRM.{table}')",
                f"TABLE('PROD.CRM.{table}')",
            )
        )

    def source(self, ctes, outer):
        """One item, without what it is joined by."""
        chance = self.chance
        alias = chance.name("s")
        shape = chance.below(20)
        if shape in (1, 2, 3) and self.budget > 0:
            text, outs = self.query(ctes)
            if shape == 1 and chance.percent(50):
                outs = tuple((f"R{i}", k) for i, (_, k) in enumerate(outs))
                names = ", ".join(n for n, _ in outs)
                return f"({text}) AS {alias} ({names})", Item(alias, outs)
            return f"({text}) AS {alias}", Item(alias, outs)
        if shape in (4, 5, 6, 7, 8) and ctes:
            name = chance.pick(sorted(ctes))
            if chance.percent(25):
                return name, Item(name, ctes[name])
            return f"{name} AS {alias}", Item(alias, ctes[name])
        if shape == 9:
            rows = ", ".join(
                f"({chance.pick(forms.LITERALS['t'])}, {chance.pick(forms.LITERALS['n'])})"
                for _ in range(1 + chance.below(3))
            )
            return f"(VALUES {rows}) AS {alias} (A, B)", Item(alias, (("A", "t"), ("B", "n")))
        table = chance.pick(_TABLES)
        item = Item(alias, _COLUMNS[table])
        if shape == 10 and not outer:
            return f"PROD.CRM.{table}", Item(table, item.columns)
        return f"{self.spelled(table)}{chance.pick((' AS ', ' '))}{alias}", item

    def unfolded(self, scope):
        """LATERAL FLATTEN over what stands before it."""
        chance = self.chance
        alias = chance.name("f")
        variants = [ref for ref, k in scope if k == "v"]
        given = f"ARRAY_CONSTRUCT({self.leaf(scope, 't')}, {self.leaf(scope, 't')})"
        if variants and chance.percent(60):
            given = f"{chance.pick(variants)}:tags"
        elif chance.percent(30):
            given = f"SPLIT({self.leaf(scope, 't')}, '-')"
        columns = (("VALUE::VARCHAR", "t"), ("INDEX", "n"))
        return f", LATERAL FLATTEN(input => {given}) {alias}", Item(alias, columns)

    def sources(self, ctes, outer):
        """A FROM clause and its items."""
        chance = self.chance
        text, first = self.source(ctes, outer)
        items = [first]
        for _ in range(chance.pick((0, 0, 0, 1, 1, 1, 2))):
            shape = chance.below(14)
            if shape == 1 and self.budget > 0:
                alias = chance.name("l")
                inner, outs = self.query(ctes, self.scope(items))
                text += f", LATERAL ({inner}) AS {alias}"
                items.append(Item(alias, outs))
                continue
            if shape == 2:
                more, item = self.unfolded(self.scope(items))
                text += more
                items.append(item)
                continue
            more, item = self.source(ctes, outer)
            if any(i.alias == item.alias for i in items):
                continue
            common = [n for n, _ in items[0].columns if n in {m for m, _ in item.columns}]
            if shape == 3 and common and len(items) == 1:
                text += (
                    f" {chance.pick(('JOIN', 'LEFT JOIN', 'FULL JOIN'))} {more} USING ({common[0]})"
                )
                gone = {common[0]}
                kept = tuple(c for c in item.columns if c[0] not in gone)
                item = Item(item.alias, kept)
            elif shape == 4 and len(items) == 1 and common:
                text += f" NATURAL JOIN {more}"
                item = Item(item.alias, tuple(c for c in item.columns if c[0] not in common))
            elif shape in (5, 6):
                text += f"{chance.pick((' CROSS JOIN ', ', '))}{more}"
            else:
                kind = chance.pick(
                    ("JOIN", "LEFT JOIN", "INNER JOIN", "RIGHT JOIN", "FULL OUTER JOIN")
                )
                on = self.joining([*items], item)
                text += f" {kind} {more} ON {on}"
            items.append(item)
        return text, items

    def joining(self, items, item):
        """A condition that mostly finds partners."""
        chance = self.chance
        scope, theirs = self.scope(items), self.scope([item])
        if chance.percent(25):
            return self.expression(scope + theirs, "b", 1)
        kind = chance.pick("nnt")
        equal = f"{self.leaf(scope, kind)} = {self.leaf(theirs, kind)}"
        return (
            equal
            if chance.percent(75)
            else f"{equal} AND {self.expression(scope + theirs, 'b', 1)}"
        )

    def scope(self, items, *, bare=False):
        """Every column in sight with one way to name it; ``bare`` where that is one source's."""
        chance = self.chance
        found = []
        for item in items:
            for name, kind in item.columns:
                spelling = chance.below(8)
                if bare and spelling == 1:
                    found.append((name, kind))
                elif spelling == 2 and "::" not in name:
                    found.append((f'{item.alias}."{name}"', kind))
                elif spelling == 3:
                    found.append((f"{item.alias}.{name.lower()}", kind))
                else:
                    found.append((f"{item.alias}.{name}", kind))
        return found

    def kinds(self, least=1, most=3):
        return [self.chance.pick(_KINDS) for _ in range(least + self.chance.below(most))]
