"""``policy.yaml``: rules, protections and detectors as one versioned text that round-trips."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from connections.policy.matching import KEYS
from connections.policy.types import DetectorSetting, Effect, Protection, ReviewTerms, Rule

VERSION = 1

_RULE = frozenset({"id", "effect", "position", "revision", "match", "terms", "note", "enabled"})
_TERMS = frozenset({"reviewers", "votes", "expires_minutes"})
_PROTECTION = frozenset(
    {"id", "strategy", "database", "schema", "table", "column", "tag", "options", "enabled"}
)
_DETECTOR = frozenset({"name", "action", "label", "pattern"})


class DocumentError(ValueError):
    """The text is not a policy; the message names the place."""


@dataclass(frozen=True, slots=True)
class Document:
    """All rules and protections of one connection, and what is chosen for its detectors.

    ``detectors`` is None where the text does not speak of them, which is not the same as none:
    each detector that is built in masks unless it is named.
    """

    rules: tuple[Rule, ...] = ()
    protections: tuple[Protection, ...] = ()
    detectors: tuple[DetectorSetting, ...] | None = None


def load(text: str) -> Document:
    """Read a policy. Raises DocumentError with the place of the first fault."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DocumentError(f"This is not YAML: {error}") from error
    top = _mapping(
        data, "the document", frozenset({"version", "rules", "protections", "detectors"})
    )
    if top.get("version") != VERSION:
        raise DocumentError(f"version must be {VERSION}.")
    rules = tuple(
        _rule(item, f"rules[{i}]", i) for i, item in enumerate(_list(top.get("rules"), "rules"))
    )
    protections = tuple(
        _protection(item, f"protections[{i}]")
        for i, item in enumerate(_list(top.get("protections"), "protections"))
    )
    _unique((r.id for r in rules), "rules")
    _unique((p.id for p in protections), "protections")
    if "detectors" not in top:
        return Document(rules, protections)
    detectors = tuple(
        _detector(item, f"detectors[{i}]")
        for i, item in enumerate(_list(top["detectors"], "detectors"))
    )
    _unique((d.name for d in detectors), "detectors")
    return Document(rules, protections, detectors)


def dump(document: Document) -> str:
    """Write a policy such that ``load`` gives it back; what is default is left out."""
    data: dict[str, Any] = {
        "version": VERSION,
        "rules": [_plain_rule(r) for r in document.rules],
        "protections": [_plain_protection(p) for p in document.protections],
    }
    if document.detectors is not None:
        data["detectors"] = [_plain_detector(d) for d in document.detectors]
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    return text


def _rule(item: object, place: str, index: int) -> Rule:
    data = _mapping(item, place, _RULE)
    match = _mapping(data.get("match") or {}, f"{place}.match", KEYS)
    terms = _mapping(data.get("terms") or {}, f"{place}.terms", _TERMS)
    reviewers = terms.get("reviewers", ())
    if not isinstance(reviewers, list | tuple):
        raise DocumentError(f"{place}.terms.reviewers must be a list.")
    return Rule(
        id=_text(data, "id", place),
        effect=_effect(data, place),
        position=_number(data, "position", place, (index + 1) * 10, least=0),
        revision=_number(data, "revision", place, 1),
        match=dict(match),
        terms=ReviewTerms(
            tuple(str(r) for r in reviewers),
            _number(terms, "votes", f"{place}.terms", ReviewTerms().votes),
            _number(terms, "expires_minutes", f"{place}.terms", ReviewTerms().expires_minutes),
        ),
        note=str(data.get("note", "")),
        enabled=_flag(data, place),
    )


def _protection(item: object, place: str) -> Protection:
    data = _mapping(item, place, _PROTECTION)
    column, tag = str(data.get("column", "")), str(data.get("tag", ""))
    if not column and not tag:
        raise DocumentError(f"{place} needs a column or a tag.")
    options = data.get("options") or {}
    if not isinstance(options, dict):
        raise DocumentError(f"{place}.options must be a mapping.")
    return Protection(
        id=_text(data, "id", place),
        strategy=_text(data, "strategy", place),
        database=str(data.get("database", "*")),
        schema=str(data.get("schema", "*")),
        table=str(data.get("table", "*")),
        column=column,
        tag=tag,
        options=dict(options),
        enabled=_flag(data, place),
    )


def _detector(item: object, place: str) -> DetectorSetting:
    data = _mapping(item, place, _DETECTOR)
    # YAML reads a bare off as false.
    action = "off" if data.get("action") is False else data.get("action", "mask")
    if action not in {"mask", "alert", "off"}:
        raise DocumentError(f"{place}.action must be mask, alert or off.")
    words = {key: data.get(key, "") for key in ("label", "pattern")}
    for key, value in words.items():
        if not isinstance(value, str):
            raise DocumentError(f"{place}.{key} must be a text.")
    return DetectorSetting(_text(data, "name", place), action, **words)


def _plain_rule(rule: Rule) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": rule.id,
        "effect": rule.effect.value,
        "position": rule.position,
    }
    if rule.revision != 1:
        data["revision"] = rule.revision
    if rule.match:
        data["match"] = {k: list(v) if isinstance(v, tuple) else v for k, v in rule.match.items()}
    if rule.terms != ReviewTerms():
        data["terms"] = {
            "reviewers": list(rule.terms.reviewers),
            "votes": rule.terms.votes,
            "expires_minutes": rule.terms.expires_minutes,
        }
    if rule.note:
        data["note"] = rule.note
    if not rule.enabled:
        data["enabled"] = False
    return data


def _plain_protection(protection: Protection) -> dict[str, Any]:
    data: dict[str, Any] = {"id": protection.id, "strategy": protection.strategy}
    for key in ("database", "schema", "table"):
        value = getattr(protection, key)
        if value != "*":
            data[key] = value
    for key in ("column", "tag"):
        value = getattr(protection, key)
        if value:
            data[key] = value
    if protection.options:
        data["options"] = dict(protection.options)
    if not protection.enabled:
        data["enabled"] = False
    return data


def _plain_detector(setting: DetectorSetting) -> dict[str, Any]:
    data = {"name": setting.name, "action": setting.action}
    return data | {key: v for key in ("label", "pattern") if (v := getattr(setting, key))}


def _mapping(item: object, place: str, known: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise DocumentError(f"{place} must be a mapping.")
    unknown = sorted(str(k) for k in item if k not in known)
    if unknown:
        raise DocumentError(f"{place} has unknown keys: {', '.join(unknown)}.")
    return item


def _list(item: object, place: str) -> list[Any]:
    if item is None:
        return []
    if not isinstance(item, list):
        raise DocumentError(f"{place} must be a list.")
    return item


def _text(data: Mapping[str, Any], key: str, place: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise DocumentError(f"{place}.{key} must be a text.")
    return value


def _number(data: Mapping[str, Any], key: str, place: str, default: int, *, least: int = 1) -> int:
    value = data.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise DocumentError(f"{place}.{key} must be a whole number of at least {least}.")
    return value


def _flag(data: Mapping[str, Any], place: str) -> bool:
    value = data.get("enabled", True)
    if not isinstance(value, bool):
        raise DocumentError(f"{place}.enabled must be true or false.")
    return value


def _effect(data: Mapping[str, Any], place: str) -> Effect:
    try:
        return Effect(str(data.get("effect")))
    except ValueError as error:
        raise DocumentError(f"{place}.effect must be allow, review or deny.") from error


def _unique(ids: Iterable[str], place: str) -> None:
    seen: set[str] = set()
    for id_ in ids:
        if id_ in seen:
            raise DocumentError(f"{place} names {id_} twice.")
        seen.add(id_)
