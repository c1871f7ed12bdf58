package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sheet writes batches into a file of SQLite: many rows to a statement, statements that are prepared once, and no journal. Who dies
// meanwhile begins anew.
type sheet struct {
	db       *sql.DB
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

// rowsAtOnce is how many rows one statement inserts. The driver looks through all values for each of them.
const rowsAtOnce = 10

func (files) bulk(ctx context.Context, place string) (bulk, error) {
	q := url.Values{"_pragma": {
		"locking_mode(EXCLUSIVE)", "journal_mode(OFF)", "synchronous(OFF)", "foreign_keys(ON)", "cache_size(-1000000)",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: place}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sheet{db: db, conn: conn, prepared: map[string]*sql.Stmt{}}, nil
}

func (s *sheet) write(ctx context.Context, b batch) error {
	if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, t := range b.tables {
		for from := 0; from < len(t.rows); from += rowsAtOnce {
			rows := t.rows[from:min(from+rowsAtOnce, len(t.rows))]
			st, err := s.insert(ctx, t, len(rows))
			if err != nil {
				return err
			}
			var values []any
			for _, row := range rows {
				values = append(values, row...)
			}
			if _, err := st.ExecContext(ctx, values...); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	for at, amount := range b.books {
		if _, err := s.conn.ExecContext(ctx, addBalance, at.account, at.owner, at.currency, amount); err != nil {
			return err
		}
	}
	_, err := s.conn.ExecContext(ctx, "COMMIT")
	return err
}

// addBalance is the one change of a batch: everything else is a new row.
const addBalance = `
INSERT INTO balance (account, owner, currency, slot, amount) VALUES ($1, $2, $3, 0, $4)
    ON CONFLICT (account, owner, currency, slot) DO UPDATE SET amount = balance.amount + excluded.amount`

func (s *sheet) insert(ctx context.Context, t batchTable, rows int) (*sql.Stmt, error) {
	row := "(" + strings.Repeat("?, ", len(t.columns)-1) + "?)"
	text := "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") VALUES " + strings.Repeat(row+", ", rows-1) + row
	if st, ok := s.prepared[text]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s.prepared[text] = st
	return st, nil
}

func (s *sheet) close(context.Context) (err error) {
	for _, st := range s.prepared { // one that is open keeps its connection, and that the file
		err = errors.Join(err, st.Close())
	}
	return errors.Join(err, s.conn.Close(), s.db.Close())
}

// columns write batches into a database of PostgreSQL by COPY.
type columns struct{ conn *pgx.Conn }

func (*cluster) bulk(ctx context.Context, place string) (bulk, error) {
	conn, err := pgx.Connect(ctx, place)
	if err != nil {
		return nil, err
	}
	return columns{conn}, nil
}

func (c columns) write(ctx context.Context, b batch) error {
	return pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
		for _, t := range b.tables {
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		for at, amount := range b.books {
			if _, err := tx.Exec(ctx, addBalance, at.account, at.owner, at.currency, amount); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c columns) close(ctx context.Context) error {
	_, err := c.conn.Exec(ctx, "VACUUM ANALYZE")
	if err == nil {
		_, err = c.conn.Exec(ctx, "CHECKPOINT")
	}
	return errors.Join(err, c.conn.Close(ctx))
}
