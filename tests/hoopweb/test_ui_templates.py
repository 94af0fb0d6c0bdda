"""What holds for every template: nothing inline, no class without a style, no lost module."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
INLINE = {
    "style attribute": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "event handler": re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "htmx handler": re.compile(r"hx-on|data-hx-on|hx-vars|hx-vals=.js:", re.IGNORECASE),
    "inline script": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "style element": re.compile(r"<style", re.IGNORECASE),
    "foreign address": re.compile(r"(?:src|href)\s*=\s*[\"'](?:https?:)?//", re.IGNORECASE),
    "script address": re.compile(r"javascript:", re.IGNORECASE),
    "unescaped text": re.compile(r"\|\s*safe\b|autoescape off"),
}
COMMENT = re.compile(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", re.DOTALL)
TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_nothing_inline(path):
    text = COMMENT.sub("", path.read_text())
    plain = TAG.sub("", text)
    # "safe" stands inside the template's own tags; everything else stands outside them.
    found = [
        what
        for what, pattern in INLINE.items()
        if pattern.search(text if what == "unescaped text" else plain)
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        '<p style="color: red">',
        '<a class="x" onclick="go()">',
        "<script>go()</script>",
        '<script type="module">go()</script>',
        '<button hx-on:click="go()">',
        '<img src="https://elsewhere.example/x.png">',
        "{{ text|safe }}",
    ],
)
def test_the_scan_finds_what_it_looks_for(line):
    assert any(pattern.search(line) for pattern in INLINE.values())


def test_every_named_static_file_exists():
    missing = [
        (name(path), file)
        for path in TEMPLATES
        for file in re.findall(r'\{% static "([^"]+\.(?:js|css|svg))" %\}', path.read_text())
        if not finders.find(file)
    ]
    assert not missing


def test_every_module_of_the_base_exists():
    (names,) = re.findall(
        r'for name in "([^"]+)"\|split_words', (ROOT / "templates/base.html").read_text()
    )
    assert all((ROOT / "static/js" / f"{module}.js").exists() for module in names.split())


def test_every_class_of_a_component_has_a_style():
    css = " ".join(p.read_text() for p in (ROOT / "static/css").glob("*.css"))
    js = " ".join(p.read_text() for p in (ROOT / "static/js").glob("*.js"))
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", css + js))
    missing = set()
    for path in TEMPLATES:
        if path.parent.name not in {"components", "templates", "errors"}:
            continue
        plain = TAG.sub("\0", path.read_text())
        for value in re.findall(r'class="([^"]*)"', plain):
            # A class with a tag inside it is only known when it is drawn.
            missing |= {w for w in value.split() if "\0" not in w} - known
    assert not missing


def test_css_uses_only_named_colours():
    """Colours have their names in tokens.css; elsewhere only the names stand."""
    raw = re.compile(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(", re.IGNORECASE)
    for path in (ROOT / "static/css").glob("*.css"):
        assert not raw.search(path.read_text()), path.name


def test_scripts_never_build_html_from_text():
    banned = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function|document\.write"
    )
    for path in (ROOT / "static/js").glob("*.js"):
        assert not banned.search(path.read_text()), path.name
