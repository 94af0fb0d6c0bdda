// JDBC. One line of JSON for each behaviour that the arguments name; see programs/common.py.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Timer;
import java.util.TimerTask;

public class Matrix {
  interface Work { void run() throws Exception; }

  static final PrintStream OUT = System.out;
  static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));
  static final Map<String, String> ENV = System.getenv();
  static final String NAME = ENV.get("CLIENT_NAME");
  static final long ROWS = Long.parseLong(ENV.getOrDefault("CLIENT_ROWS", "1000000"));
  static final String DENIED = "GRANT SELECT ON TABLE SHOP.LAB.TYPES TO ROLE PUBLIC";
  static final String MASKED =
      "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY CONTACT_ID";

  static class Cannot extends Exception { Cannot(String why) { super(why); } }

  static String text(String value) {
    return '"' + value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n")
        .replace("\r", "").replace("\t", " ") + '"';
  }

  static void ask(String what) throws Exception {
    OUT.println("{\"ask\":" + text(what) + "}");
    OUT.flush();
    IN.readLine();
  }

  static void check(boolean condition, Object what) {
    if (!condition) throw new AssertionError(String.valueOf(what));
  }

  static String held(String word) {
    return "SELECT ID, NOTE || ' for " + NAME + "' AS NOTE FROM SHOP.LAB.VAULT WHERE NOTE <> '"
        + word + " " + NAME + "' ORDER BY ID";
  }

  static final String OWN = "1,first for " + NAME + ";2,second for " + NAME + ";";

  static Connection connect(String authenticator, String token) throws SQLException {
    Properties given = new Properties();
    given.put("account", ENV.get("CLIENT_ACCOUNT"));
    given.put("user", ENV.get("CLIENT_USER"));
    given.put("authenticator", authenticator);
    given.put("token", token);
    given.put("db", "SHOP");
    given.put("schema", "LAB");
    given.put("warehouse", "WH");
    given.put("ssl", "off");
    String url = "jdbc:snowflake://" + ENV.get("CLIENT_HOST") + ":" + ENV.get("CLIENT_PORT") + "/";
    return DriverManager.getConnection(url, given);
  }

  static Connection connect() throws SQLException {
    return connect("programmatic_access_token", ENV.get("CLIENT_TOKEN"));
  }

  static String all(String sql) throws SQLException {
    try (Connection connection = connect(); Statement statement = connection.createStatement()) {
      return all(statement.executeQuery(sql));
    }
  }

  static String all(ResultSet rows) throws SQLException {
    StringBuilder found = new StringBuilder();
    int width = rows.getMetaData().getColumnCount();
    while (rows.next()) {
      for (int i = 1; i <= width; i++) {
        found.append(i > 1 ? "," : "").append(rows.getString(i));
      }
      found.append(';');
    }
    return found.toString();
  }

  static SQLException refusal(String sql) throws Exception {
    try {
      all(sql);
    } catch (SQLException error) {
      return error;
    }
    throw new AssertionError("nothing was refused");
  }

  static final Map<String, Work> BEHAVIOURS = new LinkedHashMap<>();

  static {
    BEHAVIOURS.put("connect-token", () -> check(all("SELECT 1").equals("1;"), "1"));
    BEHAVIOURS.put("connect-jwt", () -> {
      String jwt = ENV.getOrDefault("CLIENT_JWT", "");
      if (jwt.isEmpty()) throw new Cannot("no provider");
      try (Connection c = connect("oauth", jwt); Statement s = c.createStatement()) {
        check(all(s.executeQuery("SELECT 1")).equals("1;"), "1");
      }
    });
    BEHAVIOURS.put("types", () -> {
      try (Connection c = connect(); Statement s = c.createStatement();
          ResultSet r = s.executeQuery("SELECT * FROM SHOP.LAB.TYPES ORDER BY N")) {
        check(r.next(), "a row");
        check(r.getLong(1) == 1 && r.getBigDecimal(2).compareTo(new BigDecimal("12.5")) == 0
            && r.getDouble(3) == 1.5, "numbers");
        check(r.getString(4).equals("ä€😀") && r.getBoolean(5), "text and boolean");
        check(r.getBytes(6).length == 2 && r.getBytes(6)[1] == (byte) 0xff, "binary");
        check(r.getString(7).equals("2024-02-29"), r.getString(7));
        check(r.getTimestamp(9) != null && r.getTimestamp(10) != null, "timestamps");
        check(r.getString(11).contains("\"a\""), r.getString(11));
        check(r.next(), "a second row");
        for (int i = 2; i <= 12; i++) check(r.getObject(i) == null, "null in " + i);
      }
    });
    BEHAVIOURS.put("binds", () -> {
      String sql = "SELECT CITY FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = ?";
      try (Connection c = connect(); PreparedStatement s = c.prepareStatement(sql)) {
        s.setInt(1, 2);
        check(all(s.executeQuery()).equals("Lima;"), "Lima");
      }
    });
    BEHAVIOURS.put("executemany", () -> {
      try (Connection c = connect(); Statement s = c.createStatement()) {
        s.execute("DELETE FROM SHOP.LAB.NOTES WHERE WHO = '" + NAME + "'");
        String sql = "INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (?, ?, ?)";
        try (PreparedStatement p = c.prepareStatement(sql)) {
          for (int n = 0; n < 25; n++) {
            p.setInt(1, n);
            p.setString(2, NAME);
            p.setString(3, "note " + n);
            p.addBatch();
          }
          p.executeBatch();
        }
        String asked = "SELECT COUNT(*), SUM(ID) FROM SHOP.LAB.NOTES WHERE WHO = '" + NAME + "'";
        String found = all(s.executeQuery(asked));
        check(found.equals("25,300;"), found);
      }
    });
    BEHAVIOURS.put("describe", () -> {
      try (Connection c = connect(); PreparedStatement s = c.prepareStatement(MASKED)) {
        ResultSetMetaData m = s.getMetaData();
        check(m.getColumnCount() == 2 && m.getColumnName(2).equals("EMAIL"), "columns");
      }
    });
    BEHAVIOURS.put("async", () -> {
      try (Connection c = connect(); Statement s = c.createStatement()) {
        ResultSet r = s.unwrap(net.snowflake.client.api.statement.SnowflakeStatement.class)
            .executeAsyncQuery("SELECT COUNT(*) FROM SHOP.LAB.TYPES");
        check(all(r).equals("2;"), "2 rows counted");
      }
    });
    BEHAVIOURS.put("held-async", () -> {
      try (Connection c = connect(); Statement s = c.createStatement()) {
        ResultSet r = s.unwrap(net.snowflake.client.api.statement.SnowflakeStatement.class)
            .executeAsyncQuery(held("approve"));
        check(all(r).equals(OWN), "two rows");
      }
    });
    BEHAVIOURS.put("multi", () -> {
      try (Connection c = connect(); Statement s = c.createStatement()) {
        s.unwrap(net.snowflake.client.api.statement.SnowflakeStatement.class)
            .setParameter("MULTI_STATEMENT_COUNT", 3);
        s.execute("SELECT 1 AS A; SELECT 2 AS B; SELECT 3 AS C");
        StringBuilder found = new StringBuilder(all(s.getResultSet()));
        while (s.getMoreResults()) found.append(all(s.getResultSet()));
        check(found.toString().equals("1;2;3;"), found);
      }
    });
    BEHAVIOURS.put("transaction", () -> {
      String who = "tx " + NAME;
      try (Connection c = connect(); Statement s = c.createStatement()) {
        s.execute("DELETE FROM SHOP.LAB.NOTES WHERE WHO = '" + who + "'");
        for (int round = 0; round < 2; round++) {
          c.setAutoCommit(false);
          s.execute("INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (1, '" + who + "', 'x')");
          if (round == 0) c.rollback(); else c.commit();
          c.setAutoCommit(true);
          String found =
              all(s.executeQuery("SELECT COUNT(*) FROM SHOP.LAB.NOTES WHERE WHO = '" + who + "'"));
          check(found.equals(round + ";"), found);
        }
      }
    });
    BEHAVIOURS.put("session-state", () -> {
      try (Connection c = connect(); Statement s = c.createStatement()) {
        s.execute("SET CITY_WANTED = 'Lima'");
        String sql = "SELECT CONTACT_ID FROM SHOP.CRM.CONTACTS WHERE CITY = $CITY_WANTED";
        check(all(s.executeQuery(sql)).equals("2;"), "variable");
        s.execute("CREATE TEMPORARY TABLE SHOP.LAB.MINE_JDBC (ID NUMBER(38,0), NOTE VARCHAR)");
        s.execute("INSERT INTO SHOP.LAB.MINE_JDBC VALUES (5, 'five')");
        check(all(s.executeQuery("SELECT NOTE FROM SHOP.LAB.MINE_JDBC")).equals("five;"), "temporary");
      }
    });
    BEHAVIOURS.put("cancel", () -> {
      try (Connection c = connect(); Statement s = c.createStatement()) {
        new Timer(true).schedule(new TimerTask() {
          public void run() {
            try { s.cancel(); } catch (SQLException error) { error.printStackTrace(); }
          }
        }, 3000);
        try {
          s.executeQuery(held("never"));
          throw new AssertionError("nothing was cancelled");
        } catch (SQLException error) {
          check(error.getErrorCode() == 604 || "57014".equals(error.getSQLState()),
              error.getErrorCode() + " " + error.getMessage());
        }
      }
      ask("withdrawn");
    });
    BEHAVIOURS.put("masked", () -> {
      String found = all(MASKED);
      check(found.startsWith("1,") && found.contains(";3,null;"), found);
      check(!found.contains("canary") && !found.contains("pii"), found);
    });
    BEHAVIOURS.put("denied", () -> {
      SQLException error = refusal(DENIED);
      check("42501".equals(error.getSQLState()) && error.getErrorCode() > 0,
          error.getErrorCode() + " " + error.getSQLState() + " " + error.getMessage());
      check(error.getMessage().contains("denied") && error.getMessage().contains("admin"),
          error.getMessage());
    });
    BEHAVIOURS.put("held-approved",
        () -> check(all(held("approve")).equals(OWN), "two rows"));
    BEHAVIOURS.put("held-rejected", () -> {
      SQLException error = refusal(held("reject"));
      check("42501".equals(error.getSQLState()), error.getSQLState() + " " + error.getMessage());
      check(error.getMessage().contains("Rita") && error.getMessage().contains("not today"),
          error.getMessage());
    });
    BEHAVIOURS.put("held-long",
        () -> check(all(held("late")).equals(OWN), "two rows"));
    BEHAVIOURS.put("million", () -> {
      try (Connection c = connect(); Statement s = c.createStatement();
          ResultSet r = s.executeQuery("SELECT ID, WORD, AMOUNT FROM SHOP.LAB.BIG")) {
        long count = 0, total = 0;
        while (r.next()) { count++; total += r.getLong(1); }
        check(count == ROWS, count + " rows of " + ROWS);
        check(total == ROWS * (ROWS - 1) / 2, "the ids add up to " + total);
      }
    });
    BEHAVIOURS.put("restart", () -> {
      try (Connection c = connect(); Statement s = c.createStatement()) {
        s.execute("SET KEPT = 'over'");
        ask("restart");
        check(all(s.executeQuery("SELECT $KEPT")).equals("over;"), "the variable is kept");
      }
    });
  }

  public static void main(String[] names) throws Exception {
    System.setOut(System.err);
    for (String name : names) {
      long started = System.currentTimeMillis();
      String end;
      try {
        Work work = BEHAVIOURS.get(name);
        if (name.equals("arrow")) throw new Cannot("its interface gives rows, not Arrow");
        if (work == null) throw new Cannot("not tried with this client");
        work.run();
        end = "\"ok\":true";
      } catch (Cannot error) {
        end = "\"ok\":null,\"why\":" + text(error.getMessage());
      } catch (Throwable error) {
        String said = String.valueOf(error);
        end = "\"ok\":false,\"error\":" + text(said.substring(0, Math.min(600, said.length())));
      }
      double seconds = (System.currentTimeMillis() - started) / 1000.0;
      OUT.println("{\"behaviour\":" + text(name) + "," + end + ",\"seconds\":" + seconds + "}");
      OUT.flush();
    }
    System.exit(0);
  }
}
