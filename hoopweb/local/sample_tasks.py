"""What the sample agent is asked to do, and how it goes about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Row = list[Any]


class Worker(Protocol):
    """Who does it: thinks aloud, sends statements, reads rows."""

    def think(self, text: str) -> None: ...
    def run(self, sql: str, reason: str, binds: Sequence[Any] = ()) -> dict[str, Any]: ...
    def rows(self, statement: dict[str, Any], limit: int = 100) -> list[Row]: ...


LOST = """SELECT CITY,
       SUM(IFF(MONTH >= DATEADD('month', -6, CURRENT_DATE()), REVENUE, 0)) AS RECENT,
       SUM(IFF(MONTH < DATEADD('month', -6, CURRENT_DATE()), REVENUE, 0)) AS EARLIER
FROM SHOP.RETAIL.REVENUE_BY_CITY
WHERE MONTH >= DATEADD('month', -12, CURRENT_DATE())
GROUP BY CITY
ORDER BY RECENT - EARLIER
LIMIT 5"""
CONTACTS = """SELECT CONTACT_ID, FULL_NAME, EMAIL, CITY
FROM SHOP.CRM.CONTACT_CARD
WHERE CITY IN (?, ?, ?) AND CONSENT
LIMIT 50"""
EXPORT = """COPY INTO @SHOP.RETAIL.EXPORTS/win-back.csv
FROM (SELECT FULL_NAME, EMAIL FROM SHOP.CRM.CONTACT_CARD WHERE CITY IN ({cities}))"""
MARK = """UPDATE SHOP.RETAIL.CUSTOMERS
SET SEGMENT = 'Win-back'
WHERE CITY IN (?, ?, ?)
  AND CUSTOMER_ID IN (SELECT CUSTOMER_ID FROM SHOP.CRM.CONTACTS WHERE CONSENT)"""
MARKED = """SELECT CITY, COUNT(*) AS CUSTOMERS
FROM SHOP.RETAIL.CUSTOMERS WHERE SEGMENT = 'Win-back' GROUP BY CITY ORDER BY CITY"""
LOST_PROMPT = "Which cities lost most revenue in the last six months? E-mail the customers there."


def lost_revenue(work: Worker) -> None:
    """The story of the demo: count, look, be refused, find another way, ask a person."""
    work.think("I compare the last six months with the six before, by city.")
    lost = work.rows(work.run(LOST, "Find the cities that lost most; totals only, no persons."))
    if len(lost) < 3:  # noqa: PLR2004
        work.think("I found no cities to compare, so there is nobody to write to. I stop.")
        return
    cities = tuple(str(row[0]) for row in lost[:3])
    work.think(f"{', '.join(cities)} lost most. I look up who agreed to be written to.")
    found = work.run(CONTACTS, "Whom to e-mail in the three cities.", cities)
    if any(column["masked"] for column in found["columns"]):
        work.think("The addresses are masked, so I cannot write to anybody. I export a list.")
    listed = ", ".join("'" + city.replace("'", "''") + "'" for city in cities)
    denied = work.run(EXPORT.format(cities=listed), "Hand a list to the mailing tool.")
    if denied["state"] == "denied":
        ways = [r["way_out"] for r in denied["decision"]["reasons"] if r["way_out"]]
        said = f" It says: {ways[0]}" if ways else ""
        work.think(
            f"Nothing leaves through a stage.{said} The mailing tool can read a segment instead: "
            "I mark the customers, and no address leaves the warehouse."
        )
    marked = work.run(
        MARK, "Mark consenting customers; the mailing tool reads the segment.", cities
    )
    _after_asking(work, marked)


def _after_asking(work: Worker, marked: dict[str, Any]) -> None:
    state = marked["state"]
    if state == "succeeded":
        counted = work.rows(work.run(MARKED, "Check what was marked before the mailing starts."))
        told = ", ".join(f"{city}: {number}" for city, number in counted) or "nobody"
        work.think(f"Approved and done. In the segment now: {told}. The mailing can start.")
    elif state == "rejected":
        why = marked["approval"]["reason"]
        work.think(f"The reviewer said no: {why} I change nothing and hand back the three cities.")
    elif state == "expired":
        work.think("Nobody decided in time, so nothing was changed. I shall ask again tomorrow.")
    else:
        work.think(f"The change did not happen ({state}). I hand back the cities and stop.")


@dataclass(frozen=True)
class Chore:
    """A small task of the loop: what was asked, and statements with their reasons."""

    prompt: str
    steps: tuple[tuple[str, str], ...]


CHORES = (
    Chore(
        "Why do customers send things back?",
        (
            (
                "Count returns by reason.",
                """SELECT REASON, COUNT(*) AS N, SUM(REFUND) AS REFUNDED
FROM SHOP.RETAIL.RETURNS GROUP BY REASON ORDER BY N DESC""",
            ),
            (
                "The products behind them.",
                """SELECT p.NAME, COUNT(*) AS N
FROM SHOP.RETAIL.RETURNS AS r
JOIN SHOP.RETAIL.PRODUCTS AS p ON p.PRODUCT_ID = r.PRODUCT_ID
GROUP BY p.NAME ORDER BY N DESC LIMIT 10""",
            ),
        ),
    ),
    Chore(
        "Summarise the newest support tickets.",
        (
            (
                "Read the newest open tickets.",
                """SELECT OPENED_AT, PRIORITY, SUBJECT, FULL_NAME, EMAIL
FROM SHOP.CRM.OPEN_TICKETS ORDER BY OPENED_AT DESC LIMIT 20""",
            ),
            (
                "Whether the cards of these customers are on file.",
                "SELECT CONTACT_ID, CARD_NUMBER, SSN FROM SHOP.CRM.CONTACTS LIMIT 5",
            ),
        ),
    ),
    Chore(
        "Discontinued products still show up in the shop. Clean that up.",
        (
            (
                "Count them by category.",
                """SELECT CATEGORY, COUNT(*) AS N
FROM SHOP.RETAIL.PRODUCTS WHERE NOT IS_ACTIVE GROUP BY CATEGORY ORDER BY N DESC""",
            ),
            (
                "Take the oldest out of the catalogue.",
                """DELETE FROM SHOP.RETAIL.PRODUCTS
WHERE NOT IS_ACTIVE AND LAUNCHED_ON < '2019-01-01'""",
            ),
        ),
    ),
    Chore(
        "Which stores sell least for their floor space? Put it on the dashboard.",
        (
            (
                "Revenue by square metre.",
                """SELECT s.NAME, s.CITY, SUM(o.TOTAL) / MAX(s.FLOOR_SPACE) AS PER_METRE
FROM SHOP.RETAIL.ORDERS AS o
JOIN SHOP.RETAIL.STORES AS s ON s.STORE_ID = o.STORE_ID
GROUP BY s.NAME, s.CITY ORDER BY PER_METRE LIMIT 10""",
            ),
            (
                "Let the dashboard's role read orders.",
                "GRANT SELECT ON TABLE SHOP.RETAIL.ORDERS TO ROLE DASHBOARD",
            ),
        ),
    ),
)


def chore(work: Worker, what: Chore) -> None:
    """Work through a small task; a refusal of one step does not end it."""
    for reason, sql in what.steps:
        found = work.run(sql, reason)
        masked = [c["name"] for c in found["columns"] if c["masked"]]
        if found["state"] == "succeeded" and masked:
            work.think(f"{reason} Done; {' and '.join(masked)} came masked, which is enough here.")
        elif found["state"] == "succeeded":
            work.think(f"{reason} Done: {found['row_count']} rows.")
        else:
            work.think(f"{reason} Not done ({found['state']}); I go on without it.")
