package fsck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	_ "modernc.org/sqlite" // the driver for the embedded store
)

// sqlite reads a database file.
var sqlite = engine{
	words:   strings.NewReplacer(),
	schema:  "SELECT type, name, '' FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'",
	tables:  "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name",
	columns: columnsOfFile,
	flags: []constraint{
		{"idempotency", "account || '/' || request_id", "done IN (0, 1)"},
		{"reservation", "id", "held IN (0, 1)"},
		{"dispute", "id", "told_twice IN (0, 1)"},
		{"statement_entry", "bank || '/' || id", "known IN (0, 1)"},
		{"deposit_order", "id", "reserved IN (0, 1) AND virtual IN (0, 1)"},
		{"bank_entry", rowNames["bank_entry"], "debit IN (0, 1)"},
	},
	integrity:  (*run).pagesInOrder,
	references: (*run).foreignKeys,
	files:      (*run).files,
	inTurn:     true,
}

// An expression has no declared type, so the driver gives the value as it is stored.
const columnsOfFile = `SELECT name, pk > 0, '+"' || REPLACE(name, '"', '""') || '"' FROM pragma_table_info($1) ORDER BY cid`

// file is a database file, read in one transaction.
type file struct {
	db   *sql.DB
	conn *sql.Conn
}

func openFile(ctx context.Context, path string) (*file, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	f := &file{db, conn}
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// dsn opens for reading only. Not immutable: the newest commits may stand in the write-ahead log alone.
func dsn(path string) string {
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "query_only(ON)", "trusted_schema(OFF)", "cell_size_check(ON)"}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (f *file) query(ctx context.Context, _ int, query string, args ...any) (rows, error) {
	return f.conn.QueryContext(ctx, query, args...)
}

func (*file) apart(_ context.Context, read func() error) error { return read() }

func (f *file) close() {
	_, _ = f.conn.ExecContext(context.Background(), "ROLLBACK")
	_ = f.conn.Close()
	_ = f.db.Close()
}

func (x *run) pagesInOrder() error {
	return x.each("PRAGMA integrity_check(20)", func(scan func(...any) error) error {
		var says string
		if err := scan(&says); err != nil {
			return err
		}
		x.did("integrity")
		if says != "ok" {
			x.bad("integrity", "database", "-", "%s", says)
		}
		return nil
	})
}

func (x *run) foreignKeys() error {
	return x.each("PRAGMA foreign_key_check", func(scan func(...any) error) error {
		var table, parent string
		var row sql.NullInt64
		var key int64
		if err := scan(&table, &row, &parent, &key); err != nil {
			return err
		}
		x.bad("references", table, fmt.Sprintf("rowid %d", row.Int64), "names no row of %s", parent)
		return nil
	})
}
