"""The tags draw what they are given, and nothing that hides in it."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory

from hoopweb.templatetags import drawing, sqltext, words

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOSTILE = "</pre></code><script>alert('x')</script><img src=x onerror=alert(1)>"


def draw(source: str, **context) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


# Words


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=10), "just now"),
        (timedelta(seconds=50), "1 min ago"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=5, minutes=50), "5 h ago"),
        (timedelta(days=1, hours=1), "1 day ago"),
        (timedelta(days=6), "6 days ago"),
        (timedelta(days=20), "1 Nov"),
        (timedelta(days=400), "17 Oct 2025"),
        (timedelta(seconds=-5), "in a moment"),
        (timedelta(minutes=-42), "in 42 min"),
        (timedelta(hours=-3), "in 3 h"),
    ],
)
def test_relative(ago, text):
    assert words.relative(NOW - ago, NOW) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "—"),
        (0, "0 ms"),
        (820, "820 ms"),
        (3400, "3.4 s"),
        (125_000, "2 min 5 s"),
        (7_200_000, "2 h"),
        (timedelta(seconds=1.5), "1.5 s"),
    ],
)
def test_duration(ms, text):
    assert words.duration(ms) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(947, "947"), (1000, "1k"), (12_400, "12.4k"), (1_200_000, "1.2M")]
)
def test_compact(amount, text):
    assert words.compact(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0 B"), (1536, "1.5 KB"), (5 * 1024**3, "5.0 GB"), (None, "—")]
)
def test_size(amount, text):
    assert words.size(amount) == text


@pytest.mark.parametrize(
    ("word", "count", "text"),
    [("entries", 1, "entry"), ("rules", 1, "rule"), ("rules", 0, "rules"), ("rules", 2, "rules")],
)
def test_counted(word, count, text):
    assert words.counted(word, count) == text


def test_every_state_of_statements_and_approvals_has_a_sign():
    from approvals.states import RequestState
    from gateway.states import StatementState

    for state in (*RequestState, *StatementState):
        assert str(state.value) in words.STATES


def test_an_unknown_state_is_shown_as_it_is():
    assert "Half done" in draw("{% state 'half_done' %}")


# SQL


def test_sql_escapes_hostile_text_everywhere():
    html = draw("{% sql text sent=text %}{{ text|sql_line }}", text=f"SELECT '{HOSTILE}'")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_sql_copies_the_text_untouched():
    text = "select 'a\"b' -- <done>"
    copied = re.search(r'data-copy-text="([^"]*)"', draw("{% sql text %}", text=text))
    assert copied
    assert copied[1] == "select &#x27;a&quot;b&#x27; -- &lt;done&gt;"


@pytest.mark.parametrize(
    "char", ["\u202e", "\u200b", "\u00a0", "\ufeff", "\u2028", "\x00", "\u00ad"]
)
def test_hidden_characters_are_named(char):
    html = "".join(line.html for line in sqltext.lines(f"SELECT a{char}b"))
    assert f"U+{ord(char):04X}" in html


def test_a_letter_of_another_script_stands_out():
    (line,) = sqltext.lines("SELECT * FROM \u0410CCOUNTS")
    assert 't-err">\u0410' in line.html


def test_words_and_names_are_told_apart():
    (line,) = sqltext.lines('MERGE INTO C USING "TYPE" ON C.KEY = SUM(1)')
    assert 't-k">MERGE' in line.html
    assert 't-n">C<' in line.html
    assert 't-n">"TYPE"' in line.html
    assert 't-n">KEY' in line.html
    assert 't-nf">SUM' in line.html


def test_snowflake_signs_are_no_errors():
    (line,) = sqltext.lines("SELECT $1, v:a::int FROM @stage/x WHERE q = :p")
    assert "t-err" not in line.html


@pytest.mark.parametrize("text", ["", "\n", "a\n", "SELECT 1\n\n", "x" * 200_000, "(" * 5000])
def test_lines_are_those_of_the_text(text):
    assert len(sqltext.lines(text)) == text.count("\n") + 1
    sqltext.tidy(text)


def test_lines_survive_a_lone_surrogate():
    assert sqltext.lines("SELECT '\ud800'")


def test_a_comment_in_a_list_ends_where_its_line_ended():
    html = draw("{{ text|sql_line }}", text="-- why\nSELECT 1")
    assert "SELECT" not in html.split("</span>")[0]


def test_difference_marks_what_changed_and_only_that():
    lines = sqltext.difference("SELECT A, MASK(B) FROM T", "select a, b from t")
    assert [line.sign for line in lines] == ["", "-", "+", ""]


def test_difference_minds_case_inside_quotes():
    lines = sqltext.difference("SELECT 'ABC'", "select 'abc'")
    assert {line.sign for line in lines} == {"-", "+"}


def test_sql_without_text_says_so():
    assert "No text was recorded" in draw("{% sql '' %}")


# Grid

COLUMNS = [{"name": "ID", "type": "fixed"}, {"name": "EMAIL", "type": "text", "mask": "e-mail"}]


def test_grid_escapes_and_names_masks():
    html = draw("{% grid columns rows %}", columns=COLUMNS, rows=[(1, HOSTILE), (2, None)])
    assert "<script" not in html
    assert "masked: e-mail" in html
    assert 'class="grid-null"' in html


def test_a_large_grid_hands_its_rows_to_the_script():
    rows = [(i, "<b>") for i in range(150)]
    html = draw("{% grid columns rows %}", columns=COLUMNS, rows=rows)
    block = re.search(
        r'<script id="[\w-]+" type="application/json">(.*?)</script>', html, re.DOTALL
    )
    assert block
    assert "<b>" not in block[1]
    data = json.loads(block[1])
    assert len(data["rows"]) == 150
    assert data["rows"][0] == ["0", "<b>"]
    assert html.count("<tr>") == 101


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
        (True, "true"),
        (b"\x00\xff", "00FF"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),  # noqa: DTZ001
        ({"a": [1]}, "{&quot;a&quot;: [1]}"),
    ],
)
def test_grid_values_lose_nothing(value, text):
    assert f">{text}</td>" in draw(
        "{% grid columns rows %}", columns=[{"name": "V", "type": "x"}], rows=[(value,)]
    )


# Charts


def test_bars_have_a_table_with_every_number():
    rows = [("10:00", {"allowed": 12, "denied": 3}), ("11:00", {"masked": 7})]
    html = draw("{% bars rows label='By hour' %}", rows=rows)
    assert "<svg" in html
    assert "<caption>By hour</caption>" in html
    table = html[html.index("<table") :]
    for number in ("12", "3", "7"):
        assert f"<td>{number}</td>" in table


def test_bars_without_data_say_so():
    html = draw("{% bars rows label='x' %}", rows=[])
    assert "<svg" not in html
    assert "Nothing" in html


def test_bars_never_hide_a_small_amount():
    drawn, top = drawing.bars([("a", {"allowed": 99_999, "denied": 1})])
    assert top == 100_000
    assert all(bar.height >= 1 for bar in drawn)


def test_spark_says_its_numbers():
    html = draw("{% spark values label='An hour' %}", values=[1, 5, 2])
    assert 'aria-label="An hour: 1, 5, 2"' in html
    assert "<svg" not in draw("{% spark values label='x' %}", values=[])
    assert "<svg" in draw("{% spark values label='x' %}", values=[0, 0])


@pytest.mark.parametrize(("top", "edge"), [(0, 1), (1, 1), (3, 4), (41, 50), (99, 100), (120, 200)])
def test_axis_ends_with_a_round_number(top, edge):
    assert drawing.nice(top) == edge


# Forms


class Form(forms.Form):
    name = forms.CharField(help_text="As people say it.")
    colour = forms.ChoiceField(choices=[("a", "A")], widget=forms.RadioSelect, required=False)
    agreed = forms.BooleanField(required=False)


def test_a_refused_form_keeps_entries_and_names_its_errors():
    form = Form({"name": "", "colour": "<x>"})
    html = draw(
        "{% include 'components/form.html' with form=form submit='Save rule' %}",
        form=form,
        request=RequestFactory().get("/"),
    )
    assert "Nothing was saved" in html
    assert 'href="#id_name"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert "Save rule" in html
    assert "<x>" not in html
    described = re.search(r'name="name"[^>]*aria-describedby="([^"]+)"', html)
    assert described
    assert all(f'id="{word}"' in html for word in described[1].split())


class Filters(forms.Form):
    state = forms.ChoiceField(label="", required=False, choices=[("", "every state")])
    agent = forms.ChoiceField(label="by", required=False, choices=[("", "anyone")])
    q = forms.CharField(label="", required=False, widget=forms.TextInput(attrs={"type": "search"}))


def test_every_filter_has_a_label():
    html = draw(
        "{% include 'components/filters.html' with form=form lead='Show' %}",
        form=Filters({}),
        request=RequestFactory().get("/"),
    )
    assert html.count("<label") == 3
    assert re.search(r'<label for="id_state">\s*Show\s*</label>', html)
    assert re.search(r'<label class="unseen" for="id_q">\s*q\s*</label>', html)


def test_query_changes_one_key_and_keeps_the_rest():
    request = RequestFactory().get("/?state=w&cursor=a&state=d")
    assert draw("{% query cursor='b' %}", request=request) == "?state=w&amp;state=d&amp;cursor=b"
    assert draw("{% query cursor=None %}", request=request) == "?state=w&amp;state=d"


def test_when_is_machine_readable_and_exact():
    html = draw("{% when moment %}", moment=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert 'datetime="2026-01-02T03:04:05.000Z"' in html
    assert "2 Jan 2026, 03:04:05 UTC" in html
    assert "never" in draw("{% when None empty='never' %}")


def test_names_are_escaped():
    html = draw(
        "{% principal name on_behalf_of=name %}{% object name %}{% copy name %}{% state name %}",
        name='"><script>x</script>',
    )
    assert "<script" not in html


def test_a_call_and_a_short_case_stay_on_their_line():
    mask = (
        "CASE WHEN CHARINDEX('@', EMAIL) > 0 THEN '***@' || SPLIT_PART(EMAIL, '@', 2) ELSE '*' END"
    )
    tidied = sqltext.tidy(
        f"SELECT CONTACT_ID, CUSTOMER_ID, {mask} AS EMAIL, CITY FROM SHOP.CRM.CONTACTS"
    )
    assert mask in tidied
    assert not any(line.isspace() or not line for line in tidied.split("\n"))
    broken = sqltext.tidy("SELECT A FROM T WHERE COALESCE((SELECT MAX(B) FROM U), 0) > 1")
    assert broken.count("\n") > 2, "a query within a call is broken into clauses"
