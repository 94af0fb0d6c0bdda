"""Between analysis and verdict: which masks stand where, what is copied, what may be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp
from sqlglot.errors import UnsupportedError

from connections.masking.strategies import PLACEHOLDER, column_salt, masked, strictest
from connections.masking.verdict import Ruleset, Verdict
from connections.policy.engine import decide
from connections.policy.protections import column_tags
from connections.policy.types import (
    AppliedProtection,
    Decision,
    Effect,
    Protection,
    Reason,
    Subject,
)
from connections.sql.analysis import Analysis
from connections.sql.catalogue import Catalogue
from connections.sql.facts import ColumnName, Facts, Problem, Use
from connections.sql.headers import pin_headers
from connections.sql.names import quoted
from connections.sql.relation import BaseColumn
from connections.sql.rewrite import Mask, replace_scan
from connections.sql.scope import TableScan
from connections.sql.syntax import render

_WRITES = ("insert", "update", "delete", "merge", "truncate", "create-", "alter-", "call", "set")
_SILENT = frozenset({Use.NULL_TESTED, Use.COUNTED})
_MOST_NAMED = 5
MAX_REWRITTEN = 20_000  # columns of all masking subqueries together


class Judgement:
    """One statement between its analysis and its verdict."""

    def __init__(
        self, sql: str, analysis: Analysis, catalogue: Catalogue, ruleset: Ruleset
    ) -> None:
        self.sql = sql
        self.analysis = analysis
        self.catalogue = catalogue
        self.ruleset = ruleset
        self._met: dict[ColumnName, tuple[list[Protection], bool]] = {}
        self._masked: list[tuple[BaseColumn, Use]] | None = None
        self._salts: set[str] = set()

    def verdict(self, subject: Subject, estimate: Mapping[str, int] | None) -> Verdict:
        analysis = self.analysis
        copies = self._copies()
        facts = replace(analysis.facts, flags=analysis.facts.flags | self._flags(copies))
        applied = self._applied()
        decision = decide(
            facts,
            subject=subject,
            rules=self.ruleset.rules,
            protections=applied,
            tags=lambda: {t for c in facts.columns for t in column_tags(c.column, self.catalogue)},
            estimate=estimate,
        )
        names = tuple(o.name for o in analysis.outputs)
        if decision.effect == Effect.DENY or analysis.tree is None:
            return Verdict(facts, decision, self.sql, output_names=names)
        reviewed_copy = bool(copies) and decision.effect == Effect.REVIEW
        failed = None if reviewed_copy else self._rewrite()
        if failed is not None:
            facts = replace(facts, problems=(*facts.problems, failed))
            reason = Reason(failed.code, failed.text, way_out=failed.way_out)
            return Verdict(facts, Decision(Effect.DENY, (reason,)), self.sql, output_names=names)
        try:
            sent = render(analysis.tree, analysis.prefix)
        except (UnsupportedError, RecursionError):
            return self._unsendable(facts, names)
        if self._masked_uses() and not reviewed_copy:
            reasons = (*decision.reasons, self._masked_reason())
            decision = replace(decision, reasons=reasons)
        positions = tuple(
            i
            for i, out in enumerate(analysis.outputs)
            if any(self._protections(s)[0] for s in out.value.sources)
        )
        return Verdict(
            facts,
            decision,
            self.sql,
            sql_sent=sent,
            output_names=names if self._returns_rows() else (),
            masked_outputs=positions if self._returns_rows() and not reviewed_copy else (),
            masks=bool(self._masked_uses()) and not reviewed_copy,
            sql_shown=self._without_salts(sent),
            copies=copies if reviewed_copy else (),
        )

    def _unsendable(self, facts: Facts, names: tuple[str, ...]) -> Verdict:
        reason = Reason(
            "unsendable",
            "The statement cannot be written again without loss after it was judged.",
            way_out="Write it with simpler or more usual clauses.",
        )
        return Verdict(facts, Decision(Effect.DENY, (reason,)), self.sql, output_names=names)

    def _returns_rows(self) -> bool:
        return self.analysis.facts.statement_class == "select"

    # protections

    def _protections(self, base: BaseColumn) -> tuple[list[Protection], bool]:
        """What protects a column, and whether it is derived from what is protected."""
        name = base.name
        known = self._met.get(name)
        if known is not None:
            return known
        found = self.ruleset.compiled.of(name, self.catalogue)
        derived = False
        view = self.analysis.lineage.get(name)
        if view is not None and not found:
            for source in sorted(view.sources):
                more = self.ruleset.compiled.of(source, self.catalogue)
                if more:
                    found += more
                    derived = derived or source != view.passed
        self._met[name] = (found, derived)
        return found, derived

    def _masked_uses(self) -> list[tuple[BaseColumn, Use]]:
        if self._masked is None:
            self._masked = [
                (base, use)
                for base, use, _ in self.analysis.uses
                if use not in _SILENT and self._protections(base)[0]
            ]
        return self._masked

    def _applied(self) -> tuple[AppliedProtection, ...]:
        uses: dict[tuple[str, str, str], set[str]] = {}
        for base, use, _ in self.analysis.uses:
            for protection in self._protections(base)[0]:
                key = (protection.id, str(base.name), protection.strategy)
                uses.setdefault(key, set()).add(str(use))
        return tuple(
            AppliedProtection(id_, column, strategy, tuple(sorted(found)))
            for (id_, column, strategy), found in sorted(uses.items())
        )

    def _masked_reason(self) -> Reason:
        names = sorted({str(base.name) for base, _ in self._masked_uses()})
        shown = ", ".join(names[:_MOST_NAMED]) + (" and more" if len(names) > _MOST_NAMED else "")
        return Reason(
            "masked",
            f"Masked wherever the statement uses them: {shown}.",
            way_out="Null tests and bare counts of these columns are true; all else sees the mask.",
        )

    # writes

    def _is_write(self) -> bool:
        return self.analysis.facts.statement_class.startswith(_WRITES)

    def _copies(self) -> tuple[tuple[ColumnName, str], ...]:
        found = []
        for written in self.analysis.written:
            for base in sorted(written.sources, key=lambda b: (b.name, b.scan)):
                for protection in self._protections(base)[0]:
                    pair = (written.column, protection.id)
                    if pair not in found:
                        found.append(pair)
        return tuple(found)

    def _flags(self, copies: Sequence[object]) -> set[str]:
        flags = set()
        if copies:
            flags.add("copies-protected")
        if self._is_write():
            copied = {b for w in self.analysis.written for b in w.sources}
            tested = [
                base
                for base, use in self._masked_uses()
                if use is not Use.PROJECTED or base not in copied
            ]
            if tested:
                flags.add("tests-protected")
            tree = self.analysis.tree
            if tree is not None and _writes_mask(tree):
                flags.add("writes-mask")
        for name, old, _, _ in self.analysis.moved:
            column = BaseColumn(-1, ColumnName(name, old))
            if self._protections(column)[0]:
                flags.add("moves-protected")
        return flags

    # rewriting

    def _rewrite(self) -> Problem | None:
        analysis = self.analysis
        writing = self._is_write()
        size = 0
        for scan in analysis.scans:
            if not self._guarded(scan) or (writing and not self._touched(scan)):
                continue
            masks = self._masks(scan) if scan.index not in analysis.targets else {}
            if masks and not _stands_in(scan.node, analysis.tree):
                return _IMPOSSIBLE
            if masks:
                size += len(scan.table.columns)
                if size > MAX_REWRITTEN:
                    return Problem(
                        "too-complex",
                        "The masked statement would grow too large.",
                        "Read fewer tables in one statement.",
                    )
                bare = self._bare(scan, masks)
                if bare:
                    pin_headers(analysis.outputs)
                replace_scan(scan, masks, keep_name=not _matched(scan.node), bare=bare)
        for base, _ in self._masked_uses():
            if base.scan in analysis.targets:
                return Problem(
                    "mask-impossible",
                    f"The protected column {base.name} is used where no mask can stand.",
                    "Leave the column out.",
                )
        return None

    def _masks(self, scan: TableScan) -> dict[str, Mask]:
        """A mask for each protected column of a scan that is not merely counted."""
        masks: dict[str, Mask] = {}
        for column in scan.table.columns:
            base = scan.base(column.name)
            found, derived = self._protections(base)
            if found and not self._only_counted(base):
                masks[column.name] = self._mask(base, column.type, found, derived=derived)
        return masks

    def _bare(self, scan: TableScan, masks: Mapping[str, Mask]) -> dict[str, str]:
        """Columns that are masked for one use and counted for another, by the names under which
        the counts find them as they are. None where a star or a clause would find them too.
        """
        names: dict[str, str] = {}
        alias = scan.node.args.get("alias")
        shown = scan.index in self.analysis.starred or (alias is not None and alias.columns)
        if shown or scan.node.args.get("pivots") or _matched(scan.node):
            return names
        for silent in self.analysis.silent:
            column = silent.base.name.column
            if silent.base.scan != scan.index or column not in masks:
                continue
            strategy = strictest([p.strategy for p in self._protections(silent.base)[0]])
            if strategy == "null" or (silent.distinct and strategy != "hash"):
                name = f"{column} ({scan.index})"
                names[name] = column
                silent.node.set("this", quoted(name))
        return names

    def _guarded(self, scan: TableScan) -> bool:
        """Whether any column of the scan can be protected at all, looked up once for the table."""
        table = scan.table
        return table.definition is not None or bool(self.ruleset.compiled.of_table(table.name))

    def _touched(self, scan: TableScan) -> bool:
        """Whether a protected column of the scan takes part in anything but counts."""
        bases = {b for b, _ in self._masked_uses()} | self.analysis.evaluated
        return any(b.scan == scan.index and self._protections(b)[0] for b in bases)

    def _only_counted(self, base: BaseColumn) -> bool:
        if base in self.analysis.evaluated:
            return False
        uses = {use for b, use, _ in self.analysis.uses if b == base}
        return Use.COUNTED in uses and uses <= _SILENT

    def _mask(
        self, base: BaseColumn, type_: str, found: list[Protection], *, derived: bool
    ) -> Mask:
        name = strictest([p.strategy for p in found])
        options = next((p.options for p in found if p.strategy == name), {})
        view = self.analysis.lineage.get(base.name)
        origin = view.passed if view is not None and view.passed is not None else base.name
        salt = column_salt(self.ruleset.salt, str(origin))
        self._salts.add(salt)
        return lambda column: masked(name, column, type_, salt, options, derived=derived)

    def _without_salts(self, text: str) -> str:
        for salt in self._salts:
            text = text.replace(salt, "(salt)")
        return text


_IMPOSSIBLE = Problem(
    "mask-impossible",
    "A protected table is read where no mask can stand.",
    "Read it in a plain FROM clause.",
)


def _stands_in(node: exp.Expr, tree: exp.Expr | None) -> bool:
    """Whether a node is still part of the tree that will be rendered."""
    around: exp.Expr | None = node
    while around is not None and around is not tree:
        around = around.parent
    return around is not None


def _matched(node: exp.Expr) -> bool:
    """Whether MATCH_RECOGNIZE follows: it allows no alias before it."""
    select = node.find_ancestor(exp.Select)
    return select is not None and select.args.get("match") is not None


def _writes_mask(tree: exp.Expr) -> bool:
    return any(
        literal.is_string and (literal.this.startswith(PLACEHOLDER))
        for literal in tree.find_all(exp.Literal)
    )
