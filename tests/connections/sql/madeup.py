"""Made-up values for the columns of a query: those that it compares them with, and others."""

import ast
import json
import random

import sqlglot
from sqlglot import exp

_FEW = 3
_OFTEN = 0.6
_KINDS = ("literals", "literals", "mixed", "numbers", "dates", "stamps", "json", "words")


class Maker:
    def __init__(self, sql, seed=0):
        self.tree = sqlglot.parse_one(sql, dialect="snowflake")
        literals = list(self.tree.find_all(exp.Literal))
        self.texts = sorted({i.this for i in literals if i.is_string and i.this}) or ["a"]
        self.numbers = sorted({int(float(i.this)) for i in literals if not i.is_string}) or [1]
        self.compared = _compared(self.tree)
        self.keys = sorted(_keys(self.tree))
        self.parsed = {
            column.name.upper()
            for parse in self.tree.find_all(exp.ParseJSON)
            for column in parse.find_all(exp.Column)
        }
        self.random = random.Random(seed)
        self.kinds = {}
        self.few = None

    def seeded(self, seed):
        """The same maker with other chances. In every other trial there are few values, so that
        joins find partners; texts of a column are of one kind.
        """
        self.random = random.Random(seed)
        self.kinds = {}
        self.few = {} if seed % 2 else None
        return self

    def value(self, column, kind):
        """A literal for a column of this type."""
        if self.few is None:
            return self._value(column, kind)
        if self.compared.get(column.upper()) and self.random.random() < _OFTEN:
            self.kinds[column] = "literals"
            return self._value(column, kind)
        pool = self.few.setdefault(kind, [])
        if len(pool) < _FEW:
            pool.append(self._value(column, kind))
        return self.random.choice(pool)

    def _value(self, column, kind):
        base = kind.split("(")[0].upper()
        chance = self.random
        if base in {"NUMBER", "DECIMAL", "INT", "BIGINT", "FLOAT", "DOUBLE", "REAL"}:
            return str(self._number(column))
        if base == "DATE":
            return f"'{self._date()}'"
        if base.startswith("TIMESTAMP"):
            return f"'{self._date()} 0{chance.randint(1, 9)}:02:03'"
        if base == "TIME":
            return f"'0{chance.randint(1, 9)}:02:03'"
        if base == "BOOLEAN":
            return chance.choice(["TRUE", "FALSE"])
        if base in {"VARIANT", "OBJECT", "ARRAY"}:
            return _quoted(json.dumps(self._json()))
        return _quoted(self._text(column))

    def swapped(self, values, column, kind, swap=None):
        """Other values for the same rows. With a map to fill, equal where these are equal."""
        if swap is None:
            return [self._like(v, column, kind) for v in values]
        for old in values:
            for _ in range(50):
                if old in swap:
                    break
                new = self._like(old, column, kind, swap)
                # A document in place of none would unfold into rows that were not there.
                if new != old and new not in swap.values() and _is_json(new) == _is_json(old):
                    swap[old] = new
        return [swap.get(v, v) for v in values]

    def _like(self, old, column, kind, swap=None):
        if old in ("TRUE", "FALSE"):
            return "FALSE" if old == "TRUE" else "TRUE"
        if _is_json(old):
            return _quoted(
                json.dumps(self._reshaped(json.loads(old[1:-1].replace("''", "'")), swap))
            )
        return self._value(column, kind)

    def _reshaped(self, value, swap):
        """JSON of the same shape with other leaves and keys; with a map, equal where these are."""
        if isinstance(value, dict):
            return {
                k if k in self.keys else self._other(k, self._key, swap): self._reshaped(v, swap)
                for k, v in value.items()
            }
        if isinstance(value, list):
            return [self._reshaped(v, swap) for v in value]
        return self._other(value, self._leaf, swap)

    def _other(self, old, make, swap):
        """A part of a document in place of another: unfolded, parts form groups, too."""
        if swap is None:
            return make()
        place = (make.__name__, repr(old))
        taken = {part for known, part in swap.items() if isinstance(known, tuple)}
        for _ in range(50):
            if place in swap:
                break
            new = make()
            if repr(new) not in taken:
                swap[place] = repr(new)
        return ast.literal_eval(swap[place]) if place in swap else old

    def _key(self):
        return f"k{self.random.randint(1, 99)}"

    def _number(self, column):
        chance = self.random
        near = [n + d for n in self._compared_numbers(column) for d in (-1, 0, 1)]
        pools = [
            near,
            near,
            self.numbers,
            range(1, 51),
            (0, 1, 2010, 2019, 20190203, 1_600_000_000),
        ]
        return chance.choice(chance.choice([p for p in pools if p]))

    def _compared_numbers(self, column):
        return [
            int(float(i.this)) for i in self.compared.get(column.upper(), ()) if not i.is_string
        ]

    def _date(self):
        chance = self.random
        dates = [t[:10] for t in self.texts if _is_date(t)]
        if dates and chance.random() < _OFTEN:
            return chance.choice(dates)
        return f"20{chance.randint(10, 25)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}"

    def _text(self, column):
        """A text of the kind that this column holds in this trial."""
        chance = self.random
        if column.upper() in self.parsed and chance.random() < _OFTEN:
            self.kinds[column] = "json"
        kind = self.kinds.setdefault(column, chance.choice(_KINDS))
        own = [i.this for i in self.compared.get(column.upper(), ()) if i.is_string]
        if kind == "literals":
            return chance.choice(own or self.texts).replace("%", "")
        if kind == "mixed":
            return chance.choice([*own, *self.texts, f"t{chance.randint(1, 99)}"]).replace("%", "")
        if kind == "numbers":
            return str(self._number(column))
        if kind == "dates":
            return self._date()
        if kind == "stamps":
            return f"{self._date()} 0{chance.randint(1, 9)}:02:03"
        if kind == "json":
            return json.dumps(self._json())
        return " ".join(chance.choice(["alpha", "beta", "Gamma", "x1", "y"]) for _ in range(3))

    def _json(self, depth=2):
        """An object with every key that the query asks for, or a list of such."""
        chance = self.random
        made = {
            k: self._json(depth - 1) if depth and chance.random() < _OFTEN else self._leaf()
            for k in self.keys
        }
        made[self._key()] = self._leaf()
        shape = chance.randrange(3)
        if shape == 0:
            return made
        if shape == 1:
            return [made]
        return [self._leaf(), self._leaf()]

    def _leaf(self):
        chance = self.random
        return chance.choice([chance.randint(1, 99), chance.choice(self.texts), True, "z9"])


def _compared(tree):
    """For each column's name, the literals that stand in one comparison with it."""
    found = {}
    kinds = (exp.Binary, exp.In, exp.Between, exp.Case, exp.If, exp.Func)
    for column in tree.find_all(exp.Column):
        node = column.find_ancestor(*kinds)
        for _ in range(3):
            if node is None:
                break
            found.setdefault(column.name.upper(), []).extend(node.find_all(exp.Literal))
            if isinstance(node, (exp.EQ, exp.In, exp.Between, exp.Like, exp.ILike)):
                break
            node = node.find_ancestor(*kinds)
    return found


def _keys(tree):
    for node in tree.find_all(exp.JSONPathKey):
        yield node.this
    for node in tree.find_all(exp.Bracket):
        for part in node.expressions:
            if isinstance(part, exp.Literal) and part.is_string:
                yield part.this


def _is_json(literal):
    return literal.startswith(("'{", "'["))


def _is_date(text):
    return len(text) >= len("2000-01-01") and text[4:5] == "-" and text[:4].isdigit()


def _quoted(text):
    return "'" + text.replace("'", "''") + "'"
