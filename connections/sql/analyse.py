"""From a text to what it would do. The only way in: never raises, whatever the text is."""

import re
from dataclasses import replace

from sqlglot import exp
from sqlglot.errors import SqlglotError

from connections.sql import copies, ddl, guard, sessions, stages, writes
from connections.sql.analysis import Analysis, refused
from connections.sql.catalogue import Catalogue
from connections.sql.context import SessionContext
from connections.sql.facts import ColumnName, ColumnUse, Facts, Output, Problem, Use
from connections.sql.functions import function_name
from connections.sql.headers import keep_headers
from connections.sql.relation import BaseColumn
from connections.sql.scope import Record, Scope, TooMuchError
from connections.sql.statements import Statement
from connections.sql.syntax import parse, spelled

_HANDLERS = {**writes.HANDLERS, **copies.HANDLERS, **ddl.HANDLERS, **sessions.HANDLERS}
_EXPLAIN = re.compile(r"\s*(?:USING\s+(TEXT|JSON|TABULAR)\s+)?", re.IGNORECASE)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_BLOCKS = re.compile(r"\s*(?:DECLARE|BEGIN\s+(?!TRANSACTION\b|WORK\b|NAME\b)\w)", re.IGNORECASE)


def analyse(
    text: str,
    context: SessionContext,
    catalogue: Catalogue,
    found: guard.Scan | None = None,
) -> Analysis:
    """Everything that can be proved about a text, or the problems that stand in the way."""
    found = guard.scan(text) if found is None else found
    flags = frozenset({"hidden-characters"} if found.hidden else ())
    if found.problems:
        many = frozenset({"multi-statement"} if found.statements > 1 else ())
        return refused("unknown", *found.problems, flags=flags | many)
    if found.statements == 0:
        return refused("unknown", Problem("empty", "There is no statement.", "Send one."))
    if _BLOCKS.match(text):
        problem = Problem(
            "scripting", "Scripting blocks are not judged.", "Send their statements one by one."
        )
        return refused("scripting", problem, flags=flags | {"dynamic-sql"})
    if found.statements > 1:
        problem = Problem(
            "multi-statement",
            f"The text holds {found.statements} statements.",
            "Send each statement by itself.",
        )
        return refused("multi-statement", problem, flags=flags | {"multi-statement"})
    if stages.is_command(text):
        return stages.analyse_command(text.rstrip().rstrip(";"), context, flags)
    try:
        return _analyse(text, context, catalogue, flags)
    except (RecursionError, MemoryError, TooMuchError):
        return refused(
            "unknown",
            Problem("too-complex", "The statement nests too deeply.", "Split it into parts."),
        )
    except (SqlglotError, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        return refused("unknown", parse_problem(error))


def parse_problem(error: Exception) -> Problem:
    """What the parser says, without its terminal escapes and without the text itself."""
    position = None
    where = ""
    details = getattr(error, "errors", None)
    if details:
        first = details[0]
        if first.get("line") is not None:
            where = f" at line {first['line']}, column {first['col']}"
    return Problem(
        "unparsable",
        f"The statement cannot be parsed{where}.",
        "Check the syntax; scripting and very new syntax are not judged.",
        position,
    )


def _parse(text: str) -> exp.Expr:
    trees = parse(text)
    if len(trees) != 1:
        raise ValueError("not one statement")
    return trees[0]


def _analyse(
    text: str, context: SessionContext, catalogue: Catalogue, flags: frozenset[str]
) -> Analysis:
    tree = _parse(text.rstrip().rstrip(";"))
    prefix = ""
    if isinstance(tree, exp.Command) and tree.name.upper() == "EXPLAIN":
        inner = _command_text(tree)
        match = _EXPLAIN.match(inner)
        assert match is not None
        prefix = f"EXPLAIN USING {match.group(1).upper()} " if match.group(1) else "EXPLAIN "
        tree = _parse(inner[match.end() :])
    statement = Statement(Record(context, catalogue))
    statement.record.flags |= flags
    if isinstance(tree, exp.Command) and tree.name.upper() == "CALL":
        tree, prefix = _call(statement, _command_text(tree)), "CALL "
    elif isinstance(tree, exp.Command) and tree.name.upper() == "SHOW":
        tree = sessions.listed(_command_text(tree)) or tree
        statement.bind(tree, _HANDLERS)
    elif isinstance(tree, exp.Alias) and _word(tree) == "UNSET":
        return refused(
            "set",
            Problem("not-judged", "UNSET is not judged.", "SET the variable to another value."),
        )
    elif isinstance(tree, exp.Alias) and _word(tree) == "START" and _alias(tree) == "TRANSACTION":
        tree = exp.Transaction()
        statement.bind(tree, _HANDLERS)
    else:
        statement.bind(tree, _HANDLERS)
    _account(statement, tree)
    if statement.statement_class == "select" and not prefix and not statement.record.problems:
        statement.outputs = keep_headers(text, tree, statement.outputs)
    return _result(statement, tree, prefix)


_ACCOUNTED = (exp.Table, exp.Query, exp.Func)
_LISTING = frozenset({"show", "use-database", "use-schema", "use-warehouse", "use-role"})


def _account(statement: Statement, tree: exp.Expr) -> None:
    """Nothing in the tree may have escaped: each table, query and function was looked at."""
    if statement.record.problems or statement.statement_class in _LISTING:
        return
    seen = statement.record.visited
    for node in tree.find_all(*_ACCOUNTED):
        if id(node) in seen:
            continue
        statement.record.refuse(
            "unaccounted",
            f"A part of the statement was not analysed: {type(node).__name__}.",
            "Write it with ordinary clauses.",
        )


def _alias(tree: exp.Expr) -> str:
    return str(tree.alias).upper()


def _word(tree: exp.Expr) -> str:
    return tree.this.name.upper() if isinstance(tree.this, exp.Column) else ""


def _command_text(tree: exp.Command) -> str:
    inner = tree.args.get("expression")
    return inner.name if isinstance(inner, exp.Expr) else str(inner or "")


def _call(statement: Statement, text: str) -> exp.Expr:
    """CALL name(arguments): the arguments are judged, the procedure is for people to judge."""
    statement.statement_class = "call"
    select = _parse(f"SELECT {text}")
    items = select.expressions
    plain = isinstance(select, exp.Select) and len(items) == 1
    others = {k for k, v in select.args.items() if v} - {"expressions"}
    node = items[0] if plain and not others else select
    function = node.args["expression"] if isinstance(node, exp.Dot) else node
    if not isinstance(function, exp.Func):
        statement.no_such("This form of CALL")
        return node
    name = spelled(node).split("(", 1)[0].replace('"', "").upper()
    statement.record.functions.add(name)
    statement.record.visited.add(id(function))
    if "$" in name or name.startswith("SNOWFLAKE.") or not isinstance(function, exp.Anonymous):
        statement.record.unknown_functions.add(name)
        statement.record.refuse(
            "unknown-function",
            f"The procedure {function_name(function)} reaches outside the judge's knowledge.",
            "Ask an admin.",
        )
    for argument in function.iter_expressions():
        value = statement.value(argument, Scope())
        statement.row_uses |= value.used(Use.ARGUMENT, name)
    return node


def _result(statement: Statement, tree: exp.Expr, prefix: str) -> Analysis:
    record = statement.record
    if prefix.startswith("EXPLAIN"):
        if statement.statement_class == "select" or not record.problems:
            statement.record.flags.add(f"explains-{statement.statement_class}")
        statement.statement_class = "explain"
    uses = statement.row_uses
    columns = {
        ColumnUse(name, use, function)
        for base, use, function in uses
        for name in _names(base, record)
    }
    facts = Facts(
        statement_class=statement.statement_class,
        reads=tuple(sorted(record.reads)),
        writes=tuple(sorted(statement.writes)),
        columns=tuple(sorted(columns, key=lambda c: (c.column, c.use, c.function or ""))),
        outputs=tuple(
            Output(o.name, frozenset(n for b in o.value.sources for n in _names(b, record)))
            for o in statement.outputs
        ),
        functions=tuple(sorted(record.functions)),
        unknown_functions=tuple(sorted(record.unknown_functions)),
        flags=frozenset(record.flags),
        problems=tuple(record.problems),
        session_changes=tuple(statement.changes),
        transfer=statement.transfer,
    )
    written = {ColumnUse(w.column, Use.WRITTEN) for w in statement.written}
    if written:
        facts = replace(facts, columns=facts.columns + tuple(sorted(written, key=str)))
    return Analysis(
        facts,
        tree=tree,
        prefix=prefix,
        outputs=statement.outputs,
        uses=uses,
        scans=record.scans,
        silent=record.silent,
        starred=record.starred,
        evaluated=record.evaluated,
        lineage=record.lineage,
        written=tuple(statement.written),
        targets=frozenset(statement.targets),
        created=statement.created,
        moved=tuple(statement.moved),
    )


def _names(base: BaseColumn, record: Record) -> set[ColumnName]:
    """A column and, behind a view's column, the columns that it comes from."""
    view = record.lineage.get(base.name)
    return {base.name} if view is None else {base.name, *view.sources}
