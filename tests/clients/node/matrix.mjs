// The Node SDK. One line of JSON for each behaviour that the arguments name; see programs/common.py.
import readline from "node:readline";
import snowflake from "snowflake-sdk";

const env = process.env;
const NAME = env.CLIENT_NAME;
const ROWS = Number(env.CLIENT_ROWS);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const input = readline.createInterface({ input: process.stdin });
const answers = input[Symbol.asyncIterator]();

snowflake.configure({ logLevel: "OFF", additionalLogToConsole: false });

class Cannot extends Error {}

async function ask(what) {
  say({ ask: what });
  return (await answers.next()).value;
}

function check(condition, what) {
  if (!condition) throw new Error(typeof what === "string" ? what : JSON.stringify(what));
}

const held = (word) =>
  `SELECT ID, NOTE || ' for ${NAME}' AS NOTE FROM SHOP.LAB.VAULT ` +
  `WHERE NOTE <> '${word} ${NAME}' ORDER BY ID`;

const isOwn = (rows) =>
  check(rows.map((row) => row.NOTE).join() === `first for ${NAME},second for ${NAME}`, rows);

async function fetched(connection, sqlText) {
  const { statement } = await execute(connection, sqlText, { asyncExec: true });
  const found = await connection.getResultsFromQueryId({ queryId: statement.getQueryId() });
  const rows = [];
  for await (const row of found.streamRows()) rows.push(row);
  return rows;
}

async function connect(more = {}) {
  const connection = snowflake.createConnection({
    account: env.CLIENT_ACCOUNT,
    username: env.CLIENT_USER,
    accessUrl: `http://${env.CLIENT_HOST}:${env.CLIENT_PORT}`,
    authenticator: "PROGRAMMATIC_ACCESS_TOKEN",
    token: env.CLIENT_TOKEN,
    database: "SHOP",
    schema: "LAB",
    warehouse: "WH",
    ...more,
  });
  await new Promise((done, failed) =>
    connection.connect((error) => (error ? failed(error) : done())),
  );
  return connection;
}

const execute = (connection, sqlText, more = {}) =>
  new Promise((done, failed) => {
    connection.execute({
      sqlText,
      ...more,
      complete: (error, statement, rows) => (error ? failed(error) : done({ statement, rows })),
    });
  });

async function using(work, more) {
  const connection = await connect(more);
  try {
    return await work(connection);
  } finally {
    await new Promise((done) => connection.destroy(done));
  }
}

const rowsOf = (sql, more) => using(async (c) => (await execute(c, sql, more)).rows);

async function refusal(sql) {
  try {
    await rowsOf(sql);
  } catch (error) {
    return error;
  }
  throw new Error("nothing was refused");
}

const DENIED = "GRANT SELECT ON TABLE SHOP.LAB.TYPES TO ROLE PUBLIC";
const MASKED = "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY CONTACT_ID";

const behaviours = {
  async "connect-token"() {
    check((await rowsOf("SELECT 1 AS N"))[0].N === 1, "1");
  },
  async "connect-jwt"() {
    if (!env.CLIENT_JWT) throw new Cannot("no provider");
    const more = { authenticator: "OAUTH", token: env.CLIENT_JWT };
    const rows = await using(async (c) => (await execute(c, "SELECT 1 AS N")).rows, more);
    check(rows[0].N === 1, rows);
  },
  async types() {
    const [one, two] = await rowsOf("SELECT * FROM SHOP.LAB.TYPES ORDER BY N");
    check(one.N === 1 && one.D === 12.5 && one.F === 1.5, one);
    check(one.T === "ä€😀" && one.B === true, one);
    check(one.BI.toString("hex") === "00ff", one);
    check(one.DAY.toISOString().startsWith("2024-02-29"), one);
    check(one.V.a === 1 && one.A.length === 2, one);
    check(Object.entries(two).every(([key, value]) => key === "N" || key === "TM" || value === null), two);
  },
  async binds() {
    const sql = "SELECT CITY FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = ?";
    const rows = await rowsOf(sql, { binds: [2] });
    check(rows.length === 1 && rows[0].CITY === "Lima", rows);
  },
  async executemany() {
    await using(async (c) => {
      await execute(c, "DELETE FROM SHOP.LAB.NOTES WHERE WHO = ?", { binds: [NAME] });
      const binds = Array.from({ length: 25 }, (_, n) => [n, NAME, `note ${n}`]);
      await execute(c, "INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (?, ?, ?)", { binds });
      const sql = "SELECT COUNT(*) AS C, SUM(ID) AS S FROM SHOP.LAB.NOTES WHERE WHO = ?";
      const { rows } = await execute(c, sql, { binds: [NAME] });
      check(Number(rows[0].C) === 25 && Number(rows[0].S) === 300, rows);
    });
  },
  async describe() {
    await using(async (c) => {
      const { statement } = await execute(c, MASKED, { describeOnly: true });
      const names = statement.getColumns().map((column) => column.getName());
      check(names.join() === "CONTACT_ID,EMAIL", names);
    });
  },
  async async() {
    await using(async (c) => {
      const rows = await fetched(c, "SELECT COUNT(*) AS C FROM SHOP.LAB.TYPES");
      check(Number(rows[0].C) === 2, rows);
    });
  },
  async multi() {
    await using(async (c) => {
      const found = [];
      await new Promise((done, failed) => {
        c.execute({
          sqlText: "SELECT 1 AS A; SELECT 2 AS B; SELECT 3 AS C",
          parameters: { MULTI_STATEMENT_COUNT: 3 },
          complete: (error, statement, rows) => {
            if (error) return failed(error);
            found.push(rows);
            return statement.hasNext() ? statement.NextResult() : done();
          },
        });
      });
      check(JSON.stringify(found) === '[[{"A":1}],[{"B":2}],[{"C":3}]]', found);
    });
  },
  async transaction() {
    const who = `tx ${NAME}`;
    await using(async (c) => {
      await execute(c, "DELETE FROM SHOP.LAB.NOTES WHERE WHO = ?", { binds: [who] });
      for (const [ending, expected] of [["ROLLBACK", 0], ["COMMIT", 1]]) {
        await execute(c, "BEGIN");
        await execute(c, "INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (1, ?, 'x')", {
          binds: [who],
        });
        await execute(c, ending);
        const sql = "SELECT COUNT(*) AS C FROM SHOP.LAB.NOTES WHERE WHO = ?";
        const { rows } = await execute(c, sql, { binds: [who] });
        check(Number(rows[0].C) === expected, `${rows[0].C} rows after ${ending}`);
      }
    });
  },
  async "session-state"() {
    await using(async (c) => {
      await execute(c, "SET CITY_WANTED = 'Lima'");
      const sql = "SELECT CONTACT_ID FROM SHOP.CRM.CONTACTS WHERE CITY = $CITY_WANTED";
      const { rows } = await execute(c, sql);
      check(rows.length === 1 && rows[0].CONTACT_ID === 2, rows);
      await execute(c, "CREATE TEMPORARY TABLE SHOP.LAB.MINE_NODE (ID NUMBER(38,0), NOTE VARCHAR)");
      await execute(c, "INSERT INTO SHOP.LAB.MINE_NODE VALUES (5, 'five')");
      const found = await execute(c, "SELECT NOTE FROM SHOP.LAB.MINE_NODE");
      check(found.rows[0].NOTE === "five", found.rows);
    });
  },
  async cancel() {
    await using(async (c) => {
      const error = await new Promise((done, failed) => {
        const statement = c.execute({
          sqlText: held("never"),
          complete: (e) => (e ? done(e) : failed(new Error("nothing was cancelled"))),
        });
        setTimeout(() => statement.cancel(() => {}), 3000);
      });
      check(Number(error.code) === 604 || error.sqlState === "57014", `${error.code} ${error}`);
    });
    await ask("withdrawn");
  },
  async masked() {
    const rows = await rowsOf(MASKED);
    check(rows.map((row) => row.CONTACT_ID).join() === "1,2,3", rows);
    check(rows[0].EMAIL && rows[1].EMAIL && !/canary|pii/.test(JSON.stringify(rows)), rows);
  },
  async denied() {
    const error = await refusal(DENIED);
    check(error.sqlState === "42501" && Number(error.code) > 0, `${error.code} ${error.sqlState}`);
    check(/denied.*admin/s.test(error.message), error.message);
  },
  async "held-approved"() {
    isOwn(await rowsOf(held("approve")));
  },
  async "held-async"() {
    await using(async (c) => isOwn(await fetched(c, held("approve"))));
  },
  async arrow() {
    throw new Cannot("it reads JSON only");
  },
  async "held-rejected"() {
    const error = await refusal(held("reject"));
    check(error.sqlState === "42501", `${error.sqlState} ${error.message}`);
    check(/Rita/.test(error.message) && /not today/.test(error.message), error.message);
  },
  async "held-long"() {
    isOwn(await rowsOf(held("late")));
  },
  async million() {
    await using(async (c) => {
      const { statement } = await execute(c, "SELECT ID, WORD, AMOUNT FROM SHOP.LAB.BIG", {
        streamResult: true,
      });
      let count = 0;
      let total = 0;
      for await (const row of statement.streamRows()) {
        count += 1;
        total += Number(row.ID);
      }
      check(count === ROWS, `${count} rows of ${ROWS}`);
      check(total === (ROWS * (ROWS - 1)) / 2, `the ids add up to ${total}`);
    });
  },
  async restart() {
    await using(async (c) => {
      await execute(c, "SET KEPT = 'over'");
      await ask("restart");
      const { rows } = await execute(c, "SELECT $KEPT AS K");
      check(rows[0].K === "over", rows);
    });
  },
};

for (const name of process.argv.slice(2)) {
  const started = Date.now();
  const line = { behaviour: name, ok: true };
  try {
    if (!behaviours[name]) throw new Cannot("not tried with this client");
    await behaviours[name]();
  } catch (error) {
    if (error instanceof Cannot) Object.assign(line, { ok: null, why: error.message });
    else Object.assign(line, { ok: false, error: `${error.name}: ${error.message}`.slice(0, 600) });
  }
  say({ ...line, seconds: (Date.now() - started) / 1000 });
}
process.exit(0);
