"""A column without a name comes back under the text that the agent gave it."""

import pytest

from connections.management.commands.judge import judge_line
from tests.connections.sql.test_syntax import CATALOGUE, RULESET

FROM = "FROM PROD.CRM.CUSTOMERS"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (f"SELECT nvl( id,1 ), city {FROM}", ["NVL( ID,1 )", "CITY"]),
        (f"SELECT id::varchar, 'x' || city {FROM}", ["ID::VARCHAR", "'X' || CITY"]),
        (f"SELECT count( * ), max(balance) as m {FROM}", ["COUNT( * )", "M"]),
        (f"SELECT ID != 1, ID {FROM} WHERE ID > 1", ["ID != 1", "ID"]),
        (f"SELECT *, parse_json(city):b.C {FROM}", ["ID", "EMAIL", "SSN", "FULL_NAME", "CITY"]),
        ("WITH a AS (SELECT 1+1 AS x) (SELECT x+1 FROM a)", ["X + 1"]),
        ("WITH a AS (SELECT 1+1 AS x) SELECT x+1 FROM a", ["X+1"]),
        ("(SELECT 1+1) UNION ALL (SELECT 2+2)", ["1+1"]),
        ("SELECT DISTINCT TOP 3 id+1, extract(year from current_date) " + FROM, ["ID+1"]),
        (f"SELECT id IS DISTINCT FROM 1, iff(id=1,2,3) {FROM}", ["ID IS DISTINCT FROM 1"]),
        (
            f"SELECT CASE WHEN id=1 THEN 'a' END, [1,2], {{'k':1}} {FROM}",
            ["CASE WHEN ID=1 THEN 'A' END"],
        ),
        ("SELECT 1+1 -- one\n, 2+2 /* two */", ["1+1", "2+2"]),
        ("SELECT 1 /* one */ +1", ["1 + 1"]),
        ("SELECT 1+1,", ["1+1"]),
        (f"SELECT * FROM (SELECT count(*), id+1 {FROM} GROUP BY 2)", ["COUNT(*)", "ID + 1"]),
        ("SELECT '" + "x" * 300 + "'||'y'", ["'" + "X" * 300 + "' || 'Y'"]),
        (f"SELECT email||'x' {FROM}", ["EMAIL||'X'"]),
    ],
)
def test_headers(text, columns):
    verdict = judge_line({"id": "t", "sql": text}, CATALOGUE, RULESET)
    assert verdict["decision"] in {"allow", "mask"}, verdict
    assert verdict["columns"][: len(columns)] == columns
    for name in verdict["columns"]:
        bare = name.isidentifier()
        quoted = '"' + name.replace('"', '""') + '"'
        assert bare or quoted in verdict["sql_sent"] or name in verdict["sql_sent"].upper()


def test_what_runs_is_headed_as_it_was_given():
    verdict = judge_line({"id": "t", "sql": f"SELECT nvl(city,'-') {FROM}"}, CATALOGUE, RULESET)
    assert verdict["sql_sent"].startswith("SELECT NVL(city, '-') AS \"NVL(CITY,'-')\" FROM")


@pytest.mark.parametrize(
    ("item", "scans"),
    [
        ("(SELECT max(email) FROM PROD.CRM.CUSTOMERS)||'x'", 2),
        ("1+1 IN (SELECT ssn FROM PROD.CRM.CUSTOMERS)", 2),
        ("max( email )", 1),
    ],
)
def test_a_name_takes_no_mask_away(item, scans):
    verdict = judge_line({"id": "t", "sql": f"SELECT {item} {FROM}"}, CATALOGUE, RULESET)
    assert (verdict["decision"], verdict["columns"]) == ("mask", [item.upper()])
    assert verdict["sql_sent"].count("'***'") == 2 * scans


def test_copies_are_not_given_names():
    text = f"CREATE TABLE PROD.CRM.N AS SELECT nvl( id,1 ) AS a {FROM}"
    verdict = judge_line({"id": "t", "sql": text}, CATALOGUE, RULESET)
    assert "NVL( " not in verdict["sql_sent"]
