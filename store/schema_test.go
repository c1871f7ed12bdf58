package store_test

import (
	"cmp"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"naru/pgserver/pgtest"
	"naru/store"
)

var update = flag.Bool("update", false, "write schema/schema.sql and schema/postgres.sql anew")

// The pictures of today are drawn from what the migrations make; they are for readers, nothing executes them.
func TestSchemaPictureIsFresh(t *testing.T) {
	var b strings.Builder
	for _, d := range declared(t, onSQLite(t), "tbl_name, type = 'table' DESC, name") {
		b.WriteString("\n" + d.sql + ";\n")
	}
	fresh(t, "schema/schema.sql", b.String())
}

// PostgreSQL keeps no text: its picture is drawn from what it says of each part.
func TestPostgresPictureIsFresh(t *testing.T) {
	var b strings.Builder
	parts := drawn(t, dial(t, migrated(t)))
	for i, p := range parts {
		within := p.kind == column || p.kind == constraint
		switch {
		case !within:
			b.WriteString("\n" + strings.TrimSpace(p.text) + ";\n")
		case i == 0 || parts[i-1].table != p.table:
			b.WriteString("\nCREATE TABLE " + p.table + " (\n    " + p.text)
		default:
			b.WriteString(",\n    " + p.text)
		}
		if within && (i+1 == len(parts) || parts[i+1].table != p.table || parts[i+1].kind > constraint) {
			b.WriteString("\n);\n")
		}
	}
	fresh(t, "schema/postgres.sql", b.String())
}

// fresh compares a picture with what is in its file, or writes it there.
func fresh(t *testing.T, file, picture string) {
	t.Helper()
	picture = "-- Generated from the migrations by \"make generate\"; do not edit.\n" + picture
	if *update {
		if err := os.WriteFile(file, []byte(picture), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != picture {
		t.Errorf("%s is not what the migrations make; run make generate", file)
	}
}

// Both engines have the same tables, columns, keys, references, rules, indexes and triggers. What SQLite has is spelled for PostgreSQL and
// made there, so that PostgreSQL itself says in its own words what each means, and whether that is what its migrations made.
func TestBothEnginesHaveTheSameSchema(t *testing.T) {
	here := dial(t, migrated(t))
	lite := onSQLite(t)
	there := dial(t, pgtest.URL(t))
	var refuse string
	if err := here.QueryRow(t.Context(), "SELECT pg_get_functiondef('refuse'::regproc)").Scan(&refuse); err != nil {
		t.Fatal(err)
	}
	for _, statement := range slices.Concat([]string{refuse}, spelled(t, lite)) {
		if _, err := there.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s\n%v", statement, err)
		}
	}
	has, wanted := map[part]bool{}, map[part]bool{}
	for _, p := range drawn(t, here) {
		has[p] = true
	}
	for _, p := range drawn(t, there) {
		wanted[p] = true
		if !has[p] {
			t.Errorf("PostgreSQL lacks, of %s: %s", p.table, p.text)
		}
	}
	for p := range has {
		if !wanted[p] && p.kind != parameter && !strings.Contains(p.text, " BEFORE TRUNCATE ") { // SQLite has neither
			t.Errorf("SQLite lacks, of %s: %s", p.table, p.text)
		}
	}
}

// A declaration is a table, an index or a trigger as SQLite keeps it.
type declaration struct{ kind, name, table, sql string }

func declared(t *testing.T, db *sql.DB, order string) []declaration {
	t.Helper()
	return read(t, db, `SELECT type, name, tbl_name, sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND tbl_name NOT IN ('migration', 'sqlite_sequence') ORDER BY `+order,
		func(rows *sql.Rows) (d declaration, err error) {
			return d, rows.Scan(&d.kind, &d.name, &d.table, &d.sql)
		})
}

func read[T any](t *testing.T, db *sql.DB, query string, scan func(*sql.Rows) (T, error)) (list []T) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

var (
	reference  = regexp.MustCompile(` +REFERENCES \w+ \(\w+\)`)
	expression = regexp.MustCompile(`\((.* \|\| .*)\)( WHERE .*)?$`)
	refusal    = regexp.MustCompile(`(?s)^(CREATE TRIGGER .*?)(?:\sWHEN (.*?))?\s+BEGIN SELECT RAISE\(ABORT,\s*('[^']*')\); END$`)
	forTables  = strings.NewReplacer(") WITHOUT ROWID", ")", " TEXT", ` TEXT COLLATE "C"`,
		"INTEGER NOT NULL PRIMARY KEY", "BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
	forConditions = strings.NewReplacer(" IS NOT OLD.", " IS DISTINCT FROM OLD.", " IS OLD.", " IS NOT DISTINCT FROM OLD.")
)

// spelled is the schema of an SQLite database as PostgreSQL would be told it. References come last: they go round in circles.
func spelled(t *testing.T, db *sql.DB) []string {
	t.Helper()
	var tables, rest []string
	for _, d := range declared(t, db, "rowid") {
		switch m := refusal.FindStringSubmatch(d.sql); {
		case d.kind == "table":
			tables = append(tables, forTables.Replace(reference.ReplaceAllString(d.sql, "")))
		case d.kind == "index":
			rest = append(rest, expression.ReplaceAllString(d.sql, "((${1}))${2}"))
		case m == nil:
			t.Fatalf("a trigger of another kind: %s", d.sql)
		case m[2] == "":
			rest = append(rest, fmt.Sprintf("%s FOR EACH ROW EXECUTE FUNCTION refuse(%s)", m[1], m[3]))
		default:
			rest = append(rest, fmt.Sprintf("%s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION refuse(%s)", m[1], forConditions.Replace(m[2]), m[3]))
		}
	}
	references := read(t, db, `SELECT s.name, f."from", f."table", f."to" FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f
		WHERE s.type = 'table'`, func(rows *sql.Rows) (string, error) {
		var table, column, other, key string
		err := rows.Scan(&table, &column, &other, &key)
		return fmt.Sprintf("ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s)", table, column, other, key), err
	})
	return slices.Concat(tables, references, rest)
}

// A part of a PostgreSQL schema: of a table, or of none.
type part struct {
	table string
	kind  partKind
	place int64 // of a column
	text  string
}

type partKind int

const (
	column partKind = iota
	constraint
	index
	trigger
	parameter
	function
)

// theParts reads what there is in PostgreSQL's own words. Names of keys and rules are left out: PostgreSQL made them up.
const theParts = `
WITH t AS (SELECT oid, relname, reloptions FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT IN ('migration', 'migration_lock'))
SELECT relname, 0, attnum, attname || ' ' || upper(format_type(atttypid, atttypmod))
       || COALESCE(' COLLATE ' || (SELECT quote_ident(collname) FROM pg_collation AS c WHERE c.oid = attcollation), '')
       || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END || CASE attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY' ELSE '' END
       || COALESCE(' DEFAULT ' || (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum), '')
  FROM pg_attribute JOIN t ON t.oid = attrelid WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT relname, 1, 0, pg_get_constraintdef(c.oid, TRUE) FROM pg_constraint AS c JOIN t ON t.oid = conrelid
 WHERE contype IN ('p', 'u', 'f', 'c')
UNION ALL
SELECT relname, 2, 0, pg_get_indexdef(indexrelid, 0, TRUE) FROM pg_index JOIN t ON t.oid = indrelid
 WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid)
UNION ALL
SELECT relname, 3, 0, pg_get_triggerdef(g.oid, TRUE) FROM pg_trigger AS g JOIN t ON t.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT relname, 4, 0, 'ALTER TABLE ' || relname || ' SET (' || array_to_string(reloptions, ', ') || ')' FROM t WHERE reloptions IS NOT NULL
UNION ALL
SELECT '', 5, 0, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace`

func drawn(t *testing.T, db *pgx.Conn) []part {
	t.Helper()
	rows, _ := db.Query(t.Context(), theParts)
	parts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p part, err error) {
		return p, row.Scan(&p.table, &p.kind, &p.place, &p.text)
	})
	if err != nil || len(parts) == 0 {
		t.Fatal("no schema", err)
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.kind, b.kind), cmp.Compare(a.place, b.place), cmp.Compare(a.text, b.text))
	})
	return parts
}

// onSQLite is an SQLite database with the schema of today.
func onSQLite(t *testing.T) *sql.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "naru.db")
	s, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return handle(t, "sqlite", path)
}

func handle(t *testing.T, driver, where string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func dial(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}
