"""Statements that move files: PUT, GET, LIST and REMOVE, and the stages that COPY INTO names.

The SQL parser reads little of these and loses some of it, so they have a grammar of their own, of
plain characters only. What it does not cover is refused. The text that is sent is made from what
was read, with the stage's full name.
"""

import re
from dataclasses import dataclass

from sqlglot import exp

from connections.sql.analysis import Analysis, refused
from connections.sql.context import SessionContext
from connections.sql.facts import Facts, ObjectName, Problem, Transfer
from connections.sql.names import qualify, stored

TRANSFERS = frozenset({"put", "get"})

_WORD = re.compile(r"\s*(PUT|GET|LIST|LS|REMOVE|RM)\s", re.IGNORECASE)
_CLASSES = {"LS": "list", "RM": "remove"}
_NAME = r'(?:[A-Za-z_][A-Za-z0-9_$]*|"[ !#-&(-\[\]-~]+")'
_STAGE = rf"@(?:~|(?:{_NAME}\.){{0,2}}%?{_NAME})"
# Two slashes or two hyphens begin a comment, where no quotes stand around them.
_PATH = r"(?:/(?:(?!--)[A-Za-z0-9_.=+-])+)*/?"
_SPACED = r"(?:/[ !#-&(-.0-\[\]-~]+)*/?"
_STAGE_TOKEN = rf"(?:{_STAGE}{_PATH}(?=\s|\Z)|'{_STAGE}{_SPACED}')"
_FILE = r"file://[!-&(-:<-~]+|'file://[ -&(-\[\]-~]+'"
_LITERAL = r"'(?:[ -&(-\[\]-~]|\\[^0-7xu]|'')*'"
_OPTION = rf"\s+([A-Za-z_]+)\s*=\s*([A-Za-z0-9_]+|{_LITERAL})"
_FORMS = {
    "put": (
        re.compile(rf"(?P<file>{_FILE})\s+(?P<stage>{_STAGE_TOKEN})(?P<options>(?:{_OPTION})*)\s*"),
        {"PARALLEL": r"\d{1,2}", "AUTO_COMPRESS": "TRUE|FALSE", "OVERWRITE": "TRUE|FALSE"}
        | {"SOURCE_COMPRESSION": "[A-Z0-9_]+"},
    ),
    "get": (
        re.compile(rf"(?P<stage>{_STAGE_TOKEN})\s+(?P<file>{_FILE})(?P<options>(?:{_OPTION})*)\s*"),
        {"PARALLEL": r"\d{1,2}", "PATTERN": "'.*'"},
    ),
    "list": (
        re.compile(rf"(?P<stage>{_STAGE_TOKEN})(?P<file>)(?P<options>(?:{_OPTION})*)\s*"),
        {"PATTERN": "'.*'"},
    ),
    "remove": (
        re.compile(rf"(?P<stage>{_STAGE_TOKEN})(?P<file>)(?P<options>(?:{_OPTION})*)\s*"),
        {"PATTERN": "'.*'"},
    ),
}
_PARTS = re.compile(rf"@(?:(~)|(?:({_NAME})\.)??(?:({_NAME})\.)?(%?)({_NAME}))(/.*)?", re.DOTALL)
_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")
_PLAIN_PATH = re.compile(_PATH)
_WAY_OUT = (
    "Write it as Snowflake documents it, without comments, in plain characters: "
    "PUT file://… @DATABASE.SCHEMA.STAGE."
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A place in a stage: the stage's full name, and the path in it, with its leading slash."""

    name: ObjectName
    path: str

    @property
    def flags(self) -> frozenset[str]:
        """How far it reaches: a user's stage is everybody's who works through the connection."""
        if self.name.database == "~":
            return frozenset({"stage", "user-stage"})
        own = {"table-stage"} if self.name.name.startswith("%") else set()
        return frozenset({"stage", *own})

    def spelled(self) -> str:
        """As it is sent: in full, in quotes where the path or a name needs them."""
        name = self.name
        if name.database == "~":
            text = f"@~{self.path}"
        else:
            own = "%" if name.name.startswith("%") else ""
            last = own + _spelled(name.name.removeprefix("%") if own else name.name)
            text = f"@{_spelled(name.database)}.{_spelled(name.schema)}.{last}{self.path}"
        plain = '"' not in text and _PLAIN_PATH.fullmatch(self.path)
        return text if plain else f"'{text}'"

    def moved(self, direction: str, file: str = "") -> Transfer:
        return Transfer(direction, str(self.name), self.path, file)


def _spelled(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else f'"{name}"'


def read_stage(text: str, context: SessionContext) -> Stage | None:
    """The stage that ``@…`` or ``'@…'`` names; None where that is not proved."""
    if not re.fullmatch(_STAGE_TOKEN, text):
        return None
    match = _PARTS.fullmatch(text.strip("'"))
    if match is None:
        return None
    user, database, schema, own, name, path = match.groups()
    path = path or ""
    if ".." in path.split("/"):
        return None
    if user:
        return Stage(ObjectName("~", "", "", "stage"), path)
    parts = tuple(_stored(part) for part in (database, schema, name))
    full = qualify((parts[0], parts[1], parts[2]), context, "stage")
    if full is None:
        return None
    return Stage(full._replace(name=own + full.name), path)


def _stored(part: str | None) -> str:
    if not part:
        return ""
    return part[1:-1] if part.startswith('"') else stored(part)


def is_command(text: str) -> bool:
    """Whether a text is one of the statements that only move or list files."""
    return _WORD.match(text) is not None


def analyse_command(text: str, context: SessionContext, flags: frozenset[str]) -> Analysis:
    """PUT, GET, LIST or REMOVE: its stage, its file and its options, or why they are not proved."""
    word = _WORD.match(text)
    assert word is not None
    spelled = word[1].upper()
    kind = _CLASSES.get(spelled, spelled.lower())
    form, known = _FORMS[kind]
    found = form.fullmatch(text, word.end())
    stage = read_stage(found["stage"], context) if found is not None else None
    if found is None or stage is None:
        problem = Problem(
            "unproved-transfer", f"What this {kind.upper()} would move cannot be told.", _WAY_OUT
        )
        return refused(kind, problem, flags=flags | {"stage"})
    options: dict[str, str] = {}
    for name, value in re.findall(_OPTION, found["options"]):
        key = name.upper()
        given = value if value.startswith("'") else value.upper()
        if key in options or not re.fullmatch(known.get(key, r"(?!)"), given):
            problem = Problem(
                "unknown-syntax", f"{kind.upper()} does not take {key} so.", "Leave it out."
            )
            return refused(kind, problem, flags=flags | {"stage"})
        options[key] = given
    said = [stage.spelled(), found["file"]] if kind == "get" else [found["file"], stage.spelled()]
    said += [f"{key} = {value}" for key, value in options.items()]
    more = {"overwrite"} if options.get("OVERWRITE") == "TRUE" else set()
    names = (stage.name,)
    facts = Facts(
        kind,
        reads=names if kind in {"get", "list"} else (),
        writes=names if kind in {"put", "remove"} else (),
        flags=flags | stage.flags | more,
        transfer=stage.moved(kind, found["file"].strip("'")),
    )
    sent = " ".join(part for part in said if part)
    return Analysis(facts, tree=exp.Command(this=kind.upper(), expression=sent))


def listing_of(sent: str) -> str:
    """What lists the files of a PUT or GET, given as it is sent. Raises ValueError."""
    word = _WORD.match(sent)
    kind = word[1].lower() if word is not None else ""
    form = _FORMS.get(kind)
    found = form[0].fullmatch(sent, word.end()) if word is not None and form is not None else None
    if found is None or kind not in TRANSFERS:
        raise ValueError("this text carries no files")
    pattern = re.search(rf"PATTERN\s*=\s*({_LITERAL})", found["options"])
    return f"LIST {found['stage']}" + (f" PATTERN = {pattern[1]}" if pattern else "")
