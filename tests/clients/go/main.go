// The Go driver. One line of JSON for each behaviour that the arguments name; see
// programs/common.py.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"

	sf "github.com/snowflakedb/gosnowflake"
)

const (
	denied = "GRANT SELECT ON TABLE SHOP.LAB.TYPES TO ROLE PUBLIC"
	masked = "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY CONTACT_ID"
)

var (
	name  = os.Getenv("CLIENT_NAME")
	input = bufio.NewReader(os.Stdin)
	done  = context.Background()
)

type cannot struct{ why string }

func (c cannot) Error() string { return c.why }

func say(line map[string]any) {
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

func ask(what string) {
	say(map[string]any{"ask": what})
	_, _ = input.ReadString('\n')
}

func held(word string) string {
	return fmt.Sprintf(
		"SELECT ID, NOTE || ' for %s' AS NOTE FROM SHOP.LAB.VAULT WHERE NOTE <> '%s %s' ORDER BY ID",
		name, word, name)
}

func own() string {
	return fmt.Sprintf("1,first for %s;2,second for %s;", name, name)
}

func check(holds bool, what any) error {
	if holds {
		return nil
	}
	return fmt.Errorf("%v", what)
}

func open(kind sf.AuthType, token string) (*sql.DB, error) {
	port, err := strconv.Atoi(os.Getenv("CLIENT_PORT"))
	if err != nil {
		return nil, err
	}
	dsn, err := sf.DSN(&sf.Config{
		Account:       os.Getenv("CLIENT_ACCOUNT"),
		User:          os.Getenv("CLIENT_USER"),
		Host:          os.Getenv("CLIENT_HOST"),
		Port:          port,
		Protocol:      "http",
		Authenticator: kind,
		Token:         token,
		Database:      "SHOP",
		Schema:        "LAB",
		Warehouse:     "WH",
		LoginTimeout:  60 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("snowflake", dsn)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func connect() (*sql.DB, error) {
	return open(sf.AuthTypePat, os.Getenv("CLIENT_TOKEN"))
}

func all(db *sql.DB, ctx context.Context, text string, values ...any) (string, error) {
	rows, err := db.QueryContext(ctx, text, values...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	return read(rows)
}

func read(rows *sql.Rows) (string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var found strings.Builder
	cells := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		for i, cell := range cells {
			if i > 0 {
				found.WriteByte(',')
			}
			if cell.Valid {
				found.WriteString(cell.String)
			} else {
				found.WriteString("null")
			}
		}
		found.WriteByte(';')
	}
	return found.String(), rows.Err()
}

// batches reads the masked contacts as Arrow records.
func batches(connection driver.QueryerContext) (string, error) {
	rows, err := connection.QueryContext(sf.WithArrowBatches(done), masked, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	parts, err := rows.(sf.SnowflakeRows).GetArrowBatches()
	if err != nil {
		return "", err
	}
	var found strings.Builder
	for _, part := range parts {
		records, err := part.Fetch()
		if err != nil {
			return "", err
		}
		for _, record := range *records {
			for row := range int(record.NumRows()) {
				email := "null"
				if !record.Column(1).IsNull(row) {
					email = record.Column(1).ValueStr(row)
				}
				fmt.Fprintf(&found, "%s,%s;", record.Column(0).ValueStr(row), email)
			}
		}
	}
	return found.String(), nil
}

func isMasked(found string) bool {
	return strings.HasPrefix(found, "1,") && strings.HasSuffix(found, "3,null;") &&
		!strings.Contains(found, "canary") && !strings.Contains(found, "pii")
}

func one(text string, values ...any) (string, error) {
	db, err := connect()
	if err != nil {
		return "", err
	}
	defer db.Close()
	return all(db, done, text, values...)
}

func equals(found string, err error, expected string) error {
	if err != nil {
		return err
	}
	return check(found == expected, found)
}

func refusal(text string) (*sf.SnowflakeError, error) {
	_, err := one(text)
	if err == nil {
		return nil, errors.New("nothing was refused")
	}
	var refused *sf.SnowflakeError
	if !errors.As(err, &refused) {
		return nil, err
	}
	return refused, nil
}

func using(work func(*sql.DB) error) error {
	db, err := connect()
	if err != nil {
		return err
	}
	defer db.Close()
	return work(db)
}

func execute(db *sql.DB, texts ...string) error {
	for _, text := range texts {
		if _, err := db.Exec(text); err != nil {
			return err
		}
	}
	return nil
}

var behaviours = map[string]func() error{
	"connect-token": func() error {
		found, err := one("SELECT 1")
		return equals(found, err, "1;")
	},
	"connect-jwt": func() error {
		jwt := os.Getenv("CLIENT_JWT")
		if jwt == "" {
			return cannot{"no provider"}
		}
		db, err := open(sf.AuthTypeOAuth, jwt)
		if err != nil {
			return err
		}
		defer db.Close()
		found, err := all(db, done, "SELECT 1")
		return equals(found, err, "1;")
	},
	"types": func() error {
		found, err := one("SELECT N, D, F, T, B, DAY FROM SHOP.LAB.TYPES ORDER BY N")
		if err != nil {
			return err
		}
		return check(strings.HasPrefix(found, "1,12.50,1.5,ä€😀,true,2024-02-29") &&
			strings.HasSuffix(found, "2,null,null,null,null,null;"), found)
	},
	"arrow": func() error {
		return using(func(db *sql.DB) error {
			connection, err := db.Conn(done)
			if err != nil {
				return err
			}
			defer connection.Close()
			return connection.Raw(func(raw any) error {
				found, err := batches(raw.(driver.QueryerContext))
				if err != nil {
					return err
				}
				return check(isMasked(found), found)
			})
		})
	},
	"binds": func() error {
		found, err := one("SELECT CITY FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = ?", 2)
		return equals(found, err, "Lima;")
	},
	"executemany": func() error {
		return using(func(db *sql.DB) error {
			if _, err := db.Exec("DELETE FROM SHOP.LAB.NOTES WHERE WHO = ?", name); err != nil {
				return err
			}
			ids, who, notes := []int{}, []string{}, []string{}
			for n := range 25 {
				ids, who = append(ids, n), append(who, name)
				notes = append(notes, fmt.Sprintf("note %d", n))
			}
			text := "INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (?, ?, ?)"
			if _, err := db.Exec(text, sf.Array(&ids), sf.Array(&who), sf.Array(&notes)); err != nil {
				return err
			}
			asked := "SELECT COUNT(*), SUM(ID) FROM SHOP.LAB.NOTES WHERE WHO = ?"
			found, err := all(db, done, asked, name)
			return equals(found, err, "25,300;")
		})
	},
	"describe": func() error {
		return using(func(db *sql.DB) error {
			rows, err := db.QueryContext(sf.WithDescribeOnly(done), masked)
			if err != nil {
				return err
			}
			defer rows.Close()
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			return check(strings.Join(columns, ",") == "CONTACT_ID,EMAIL", columns)
		})
	},
	"async": func() error {
		return using(func(db *sql.DB) error {
			found, err := all(db, sf.WithAsyncMode(done), "SELECT COUNT(*) FROM SHOP.LAB.TYPES")
			return equals(found, err, "2;")
		})
	},
	"held-async": func() error {
		return using(func(db *sql.DB) error {
			found, err := all(db, sf.WithAsyncMode(done), held("approve"))
			return equals(found, err, own())
		})
	},
	"multi": func() error {
		return using(func(db *sql.DB) error {
			ctx, err := sf.WithMultiStatement(done, 3)
			if err != nil {
				return err
			}
			rows, err := db.QueryContext(ctx, "SELECT 1 AS A; SELECT 2 AS B; SELECT 3 AS C")
			if err != nil {
				return err
			}
			defer rows.Close()
			found := ""
			for {
				part, err := read(rows)
				if err != nil {
					return err
				}
				found += part
				if !rows.NextResultSet() {
					return check(found == "1;2;3;", found)
				}
			}
		})
	},
	"transaction": func() error {
		who := "tx " + name
		return using(func(db *sql.DB) error {
			if _, err := db.Exec("DELETE FROM SHOP.LAB.NOTES WHERE WHO = ?", who); err != nil {
				return err
			}
			for round := range 2 {
				tx, err := db.Begin()
				if err != nil {
					return err
				}
				text := "INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (1, ?, 'x')"
				if _, err := tx.Exec(text, who); err != nil {
					return err
				}
				end := tx.Rollback
				if round == 1 {
					end = tx.Commit
				}
				if err := end(); err != nil {
					return err
				}
				asked := "SELECT COUNT(*) FROM SHOP.LAB.NOTES WHERE WHO = ?"
				found, err := all(db, done, asked, who)
				if err := equals(found, err, fmt.Sprintf("%d;", round)); err != nil {
					return err
				}
			}
			return nil
		})
	},
	"session-state": func() error {
		return using(func(db *sql.DB) error {
			if err := execute(db, "SET CITY_WANTED = 'Lima'"); err != nil {
				return err
			}
			text := "SELECT CONTACT_ID FROM SHOP.CRM.CONTACTS WHERE CITY = $CITY_WANTED"
			found, err := all(db, done, text)
			if err := equals(found, err, "2;"); err != nil {
				return err
			}
			if err := execute(db,
				"CREATE TEMPORARY TABLE SHOP.LAB.MINE_GO (ID NUMBER(38,0), NOTE VARCHAR)",
				"INSERT INTO SHOP.LAB.MINE_GO VALUES (5, 'five')"); err != nil {
				return err
			}
			found, err = all(db, done, "SELECT NOTE FROM SHOP.LAB.MINE_GO")
			return equals(found, err, "five;")
		})
	},
	"cancel": func() error {
		err := using(func(db *sql.DB) error {
			ctx, stop := context.WithTimeout(done, 3*time.Second)
			defer stop()
			_, err := all(db, ctx, held("never"))
			return check(err != nil, "nothing was cancelled")
		})
		if err == nil {
			ask("withdrawn")
		}
		return err
	},
	"masked": func() error {
		found, err := one(masked)
		if err != nil {
			return err
		}
		return check(isMasked(found), found)
	},
	"denied": func() error {
		found, err := refusal(denied)
		if err != nil {
			return err
		}
		return check(found.SQLState == "42501" && found.Number > 0 &&
			strings.Contains(found.Message, "denied") &&
			strings.Contains(found.Message, "admin"), found)
	},
	"held-approved": func() error {
		found, err := one(held("approve"))
		return equals(found, err, own())
	},
	"held-rejected": func() error {
		found, err := refusal(held("reject"))
		if err != nil {
			return err
		}
		return check(found.SQLState == "42501" && strings.Contains(found.Message, "Rita") &&
			strings.Contains(found.Message, "not today"), found)
	},
	"held-long": func() error {
		found, err := one(held("late"))
		return equals(found, err, own())
	},
	"million": func() error {
		return using(func(db *sql.DB) error {
			rows, err := db.Query("SELECT ID, WORD, AMOUNT FROM SHOP.LAB.BIG")
			if err != nil {
				return err
			}
			defer rows.Close()
			count, total := int64(0), big.NewInt(0)
			var id int64
			var word, amount string
			for rows.Next() {
				if err := rows.Scan(&id, &word, &amount); err != nil {
					return err
				}
				count++
				total.Add(total, big.NewInt(id))
			}
			if err := rows.Err(); err != nil {
				return err
			}
			expected, err := strconv.ParseInt(os.Getenv("CLIENT_ROWS"), 10, 64)
			if err != nil {
				return err
			}
			sum := big.NewInt(expected * (expected - 1) / 2)
			return check(count == expected && total.Cmp(sum) == 0,
				fmt.Sprintf("%d rows of %d, the ids add up to %s", count, expected, total))
		})
	},
	"restart": func() error {
		return using(func(db *sql.DB) error {
			if err := execute(db, "SET KEPT = 'over'"); err != nil {
				return err
			}
			ask("restart")
			found, err := all(db, done, "SELECT $KEPT")
			return equals(found, err, "over;")
		})
	},
}

func main() {
	_ = sf.GetLogger().SetLogLevel("off")
	for _, each := range os.Args[1:] {
		started := time.Now()
		line := map[string]any{"behaviour": each, "ok": true}
		work, known := behaviours[each]
		err := error(cannot{"not tried with this client"})
		if known {
			err = work()
		}
		var missing cannot
		switch {
		case errors.As(err, &missing):
			line["ok"], line["why"] = nil, missing.why
		case err != nil:
			text := err.Error()
			line["ok"], line["error"] = false, text[:min(600, len(text))]
		}
		line["seconds"] = time.Since(started).Seconds()
		say(line)
	}
}
