"""Tables, views and a stage, filled in one go."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from connections.upstream.emulator import information
from connections.upstream.emulator.engine import Engine
from connections.upstream.emulator.warehouse.crm import Crm
from connections.upstream.emulator.warehouse.retail import Retail
from connections.upstream.emulator.warehouse.scale import SMALL, Scale

DATABASE = "SHOP"
SEED = 20_261_031

_TABLES = {
    "RETAIL.DATES": """DAY DATE, YEAR NUMBER(4,0), QUARTER NUMBER(1,0), MONTH NUMBER(2,0),
        WEEKDAY VARCHAR(3), IS_WEEKEND BOOLEAN""",
    "RETAIL.STORES": """STORE_ID NUMBER(38,0), NAME VARCHAR(80), CITY VARCHAR(60),
        COUNTRY VARCHAR(40), OPENED_ON DATE, FLOOR_SPACE NUMBER(38,0)""",
    "RETAIL.PRODUCTS": """PRODUCT_ID NUMBER(38,0), SKU VARCHAR(12), NAME VARCHAR(80),
        CATEGORY VARCHAR(20), BRAND VARCHAR(30), UNIT_COST NUMBER(12,2), LIST_PRICE NUMBER(12,2),
        LAUNCHED_ON DATE, IS_ACTIVE BOOLEAN""",
    "RETAIL.CUSTOMERS": """CUSTOMER_ID NUMBER(38,0), CUSTOMER_CODE VARCHAR(12), CITY VARCHAR(60),
        COUNTRY VARCHAR(40), SEGMENT VARCHAR(20), LOYALTY_TIER VARCHAR(12),
        HOME_STORE_ID NUMBER(38,0), SIGNED_UP_ON DATE""",
    "RETAIL.ORDERS": """ORDER_ID NUMBER(38,0), CUSTOMER_ID NUMBER(38,0), STORE_ID NUMBER(38,0),
        ORDER_DATE DATE, ORDERED_AT TIMESTAMP_NTZ, CHANNEL VARCHAR(10), STATUS VARCHAR(12),
        TOTAL NUMBER(12,2)""",
    "RETAIL.ORDER_LINES": """LINE_ID NUMBER(38,0), ORDER_ID NUMBER(38,0), LINE_NO NUMBER(38,0),
        PRODUCT_ID NUMBER(38,0), QUANTITY NUMBER(38,0), UNIT_PRICE NUMBER(12,2),
        DISCOUNT_PERCENT NUMBER(3,0), AMOUNT NUMBER(12,2)""",
    "RETAIL.RETURNS": """RETURN_ID NUMBER(38,0), LINE_ID NUMBER(38,0), ORDER_ID NUMBER(38,0),
        CUSTOMER_ID NUMBER(38,0), PRODUCT_ID NUMBER(38,0), RETURNED_ON DATE,
        QUANTITY NUMBER(38,0), REASON VARCHAR(40), REFUND NUMBER(12,2)""",
    "CRM.CONTACTS": """CONTACT_ID NUMBER(38,0), CUSTOMER_ID NUMBER(38,0), FULL_NAME VARCHAR(100),
        EMAIL VARCHAR(120), PHONE VARCHAR(24), SSN VARCHAR(11), CARD_NUMBER VARCHAR(19),
        BIRTH_DATE DATE, STREET VARCHAR(80), CITY VARCHAR(60), COUNTRY VARCHAR(40),
        CONSENT BOOLEAN, CREATED_AT TIMESTAMP_NTZ""",
    "CRM.PAYMENTS": """PAYMENT_ID NUMBER(38,0), ORDER_ID NUMBER(38,0), CONTACT_ID NUMBER(38,0),
        METHOD VARCHAR(12), CARD_LAST4 VARCHAR(4), AMOUNT NUMBER(12,2), PAID_AT TIMESTAMP_NTZ,
        IS_SETTLED BOOLEAN""",
    "CRM.SUPPORT_TICKETS": """TICKET_ID NUMBER(38,0), CONTACT_ID NUMBER(38,0),
        OPENED_AT TIMESTAMP_NTZ, CHANNEL VARCHAR(10), PRIORITY VARCHAR(10), STATUS VARCHAR(10),
        SUBJECT VARCHAR(80), BODY VARCHAR(2000)""",
}

_PERSONAL = {
    "SHOP.CRM.CONTACTS": {
        "FULL_NAME": "name",
        "EMAIL": "email",
        "PHONE": "phone",
        "SSN": "national identifier",
        "CARD_NUMBER": "payment card",
        "BIRTH_DATE": "date of birth",
        "STREET": "address",
    },
    "SHOP.CRM.PAYMENTS": {"CARD_LAST4": "payment card"},
}

_OTHERS = (
    """CREATE OR REPLACE VIEW SHOP.RETAIL.REVENUE_BY_CITY AS
SELECT c.CITY, c.COUNTRY, DATE_TRUNC('MONTH', o.ORDER_DATE) AS MONTH,
       COUNT(*) AS ORDERS, SUM(o.TOTAL) AS REVENUE
FROM SHOP.RETAIL.ORDERS AS o
JOIN SHOP.RETAIL.CUSTOMERS AS c ON c.CUSTOMER_ID = o.CUSTOMER_ID
WHERE o.STATUS <> 'Cancelled'
GROUP BY c.CITY, c.COUNTRY, DATE_TRUNC('MONTH', o.ORDER_DATE)""",
    """CREATE OR REPLACE VIEW SHOP.RETAIL.REFUNDS_BY_CITY AS
SELECT c.CITY, c.COUNTRY, DATE_TRUNC('MONTH', r.RETURNED_ON) AS MONTH,
       COUNT(*) AS RETURNED_LINES, SUM(r.REFUND) AS REFUNDED
FROM SHOP.RETAIL.RETURNS AS r
JOIN SHOP.RETAIL.CUSTOMERS AS c ON c.CUSTOMER_ID = r.CUSTOMER_ID
GROUP BY c.CITY, c.COUNTRY, DATE_TRUNC('MONTH', r.RETURNED_ON)""",
    """CREATE OR REPLACE VIEW SHOP.RETAIL.PRODUCT_SALES AS
SELECT p.PRODUCT_ID, p.SKU, p.NAME, p.CATEGORY,
       SUM(l.QUANTITY) AS UNITS, SUM(l.AMOUNT) AS REVENUE
FROM SHOP.RETAIL.ORDER_LINES AS l
JOIN SHOP.RETAIL.PRODUCTS AS p ON p.PRODUCT_ID = l.PRODUCT_ID
GROUP BY p.PRODUCT_ID, p.SKU, p.NAME, p.CATEGORY""",
    """CREATE OR REPLACE VIEW SHOP.CRM.CONTACT_CARD AS
SELECT k.CONTACT_ID, k.FULL_NAME, k.EMAIL, k.PHONE, k.CONSENT,
       c.CUSTOMER_ID, c.CUSTOMER_CODE, c.CITY, c.COUNTRY, c.LOYALTY_TIER
FROM SHOP.CRM.CONTACTS AS k
JOIN SHOP.RETAIL.CUSTOMERS AS c ON c.CUSTOMER_ID = k.CUSTOMER_ID""",
    """CREATE OR REPLACE VIEW SHOP.CRM.OPEN_TICKETS AS
SELECT t.TICKET_ID, t.OPENED_AT, t.PRIORITY, t.SUBJECT, t.BODY, k.FULL_NAME, k.EMAIL
FROM SHOP.CRM.SUPPORT_TICKETS AS t
JOIN SHOP.CRM.CONTACTS AS k ON k.CONTACT_ID = t.CONTACT_ID
WHERE t.STATUS <> 'Closed'""",
    "CREATE STAGE IF NOT EXISTS SHOP.RETAIL.EXPORTS",
)


def is_built(engine: Engine) -> bool:
    """Whether a build once came to its end here."""
    if DATABASE not in engine.databases():
        return False
    found = engine.duck_conn.cursor().execute(
        "SELECT count(*) FROM duckdb_views() WHERE database_name = ? AND view_name = ?",
        [DATABASE, "OPEN_TICKETS"],  # the last one that is made
    )
    row = found.fetchone()
    return row is not None and row[0] == 1


def build(
    engine: Engine,
    *,
    small: bool = False,
    seed: int = SEED,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Make the warehouse, over whatever an earlier, unfinished build left."""
    scale = SMALL if small else Scale()
    retail = Retail(scale, seed)
    crm = Crm(retail)
    fill: dict[str, Callable[[], pa.Table]] = {
        "RETAIL.DATES": retail.dates,
        "RETAIL.STORES": retail.stores,
        "RETAIL.PRODUCTS": retail.products,
        "RETAIL.CUSTOMERS": retail.customers,
        "RETAIL.ORDERS": retail.orders,
        "RETAIL.ORDER_LINES": retail.order_lines,
        "RETAIL.RETURNS": retail.returns,
        "CRM.CONTACTS": crm.contacts,
        "CRM.PAYMENTS": crm.payments,
        "CRM.SUPPORT_TICKETS": crm.tickets,
    }
    if DATABASE not in engine.databases():
        engine.create_database(DATABASE)
    connection = engine.connection(DATABASE)
    cursor = connection.cursor()
    for schema in ("RETAIL", "CRM"):
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {DATABASE}.{schema}")
    duck: Any = connection._duck_conn  # noqa: SLF001 - rows go in as Arrow, past SQL text
    for name, columns in _TABLES.items():
        cursor.execute(f"CREATE OR REPLACE TABLE {DATABASE}.{name} ({columns})")
        rows = fill[name]()
        duck.register("_rows", rows)
        duck.execute(f"INSERT INTO {DATABASE}.{name} SELECT * FROM _rows")  # noqa: S608
        duck.unregister("_rows")
        progress(f"{name}: {rows.num_rows:,} rows")
    for text in _OTHERS:
        cursor.execute(text)
        if text.startswith("CREATE OR REPLACE VIEW"):
            name = text.split()[4]
            information.keep_view_text(duck, name.split("."), text)
    for table, columns_of in _PERSONAL.items():
        for column, value in columns_of.items():
            information.tag_column(duck, table, column, value)
    duck.execute(f"CHECKPOINT {DATABASE}")
    connection.close()
