// Package store keeps everything: every query is here, above the one function that runs it, and the same text runs on both engines.
//
// SQLite, embedded, is how one starts: one process owns the database, and one writer gathers concurrent transactions into one commit
// (sqlite.go). PostgreSQL, and what speaks like it, is for many nodes: each transaction has a connection of its own (postgres.go).
package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"time"

	"naru/crash"
	"naru/engine"
)

//go:embed schema/sqlite/*.sql schema/postgres/*.sql
var schema embed.FS

// Options are what a store needs beside its place.
type Options struct {
	Crash   crash.Hook // told before and after every commit
	Readers int        // SQLite: connections that read; 4 where 0
	Batch   int        // SQLite: transactions in one commit at the most; 256 where 0

	// Gather is how long a commit of SQLite waits for more transactions where their present rate promises at least one more. A flush to disk
	// costs far more than a transaction, also in CPU; at low load nobody waits. 0 never waits.
	Gather time.Duration

	Node        string // PostgreSQL: which node this is, for its operators to see
	Connections int    // PostgreSQL: at the most; 16 where 0
	Password    string // PostgreSQL: where it does not stand in the address

	// Settled is how long after an event was written no transaction of PostgreSQL can still write in front of it; a minute where 0. Where it is
	// less than nothing, nobody else writes.
	Settled time.Duration

	// Careless takes a PostgreSQL server that answers before a commit is on disk. For tests and benches that say so.
	Careless bool
}

// Store is safe for concurrent use.
type Store struct{ backend }

// backend is one of the engines under a store.
type backend interface {
	engine.Store
	// Close waits for the transactions that are under way and lets the database go.
	Close() error
	// Shared reports whether other nodes may work on the same database at the same time.
	Shared() bool
}

// ErrClosed says that the store takes no more work.
var ErrClosed = errors.New("store: closed")

// Open opens or makes the database and brings its schema up to date. A postgres:// address names a PostgreSQL database; anything else is the
// path of a SQLite file, which this process takes for itself alone.
func Open(ctx context.Context, where string, o Options) (*Store, error) {
	if o.Crash == nil {
		o.Crash = crash.Never
	}
	var b backend
	var err error
	if IsPostgres(where) {
		b, err = openPostgres(ctx, where, o)
	} else {
		b, err = openSQLite(ctx, where, o)
	}
	if err != nil {
		return nil, err
	}
	return &Store{b}, nil
}

// IsPostgres reports whether a place is the address of a PostgreSQL database.
func IsPostgres(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// dialect is how an engine says what has no common text.
type dialect struct {
	// words is a table of the texts in a JSON array: its name is word, that of its one column value.
	words func(array string) string
	// guards reports whether transactions run side by side at all.
	guards bool
}

// session is one connection, with the statements prepared on it. It implements engine.Tx.
type session struct {
	conn
	*dialect
	slot  int64 // of the balances that it writes
	wrote bool  // something, since the present transaction of a batch began

	// settled is the newest journal event that no transaction can still write behind.
	settled func(*session) (int64, error)
}

// conn is one connection. Statements that answer nothing may be sent with the next one that does, at the latest with the commit: their
// errors come then.
type conn interface {
	// exec runs a statement and says how many rows it changed.
	exec(query string, args []any) (int64, error)
	// tell runs a statement whose rows nobody counts, or that must change exactly as many as want says; any number where want is negative.
	tell(query string, args []any, want int64) error
	// query hands over the rows of a query one by one, until row says errEnough or another error.
	query(query string, args []any, row func(scanner) error) error
	// guard makes this transaction the only one that guards a name, until it ends.
	guard(name string) error
}

var errEnough = errors.New("store: no more rows are wanted")

// run runs a statement that changes what it changes.
func (c *session) run(query string, args ...any) error {
	c.wrote = true
	return c.tell(query, args, -1)
}

// change runs a statement and says how many rows it changed.
func (c *session) change(query string, args ...any) (int64, error) {
	n, err := c.exec(query, args)
	c.wrote = c.wrote || n > 0 || err != nil
	return n, err
}

// exactlyOne runs a statement that must change one row; anything else is a broken invariant, and the transaction goes with it.
func (c *session) exactlyOne(query string, args ...any) error {
	c.wrote = true
	return c.tell(query, args, 1)
}

// one scans the only row of a query; ok is false where there is none.
func (c *session) one(query string, args []any, into ...any) (ok bool, err error) {
	err = c.query(query, args, func(scan scanner) error {
		ok = true
		if err := scan(into...); err != nil {
			return err
		}
		return errEnough
	})
	return ok && err == nil, err
}

// all scans every row of a query.
func all[T any](c *session, query string, args []any, scan func(scanner) (T, error)) (out []T, err error) {
	err = c.query(query, args, func(row scanner) error {
		v, err := scan(row)
		if err == nil {
			out = append(out, v)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// describe says which statement failed by its first words; values never stand in a statement.
func describe(query string, err error) error {
	words := strings.Fields(query)
	return fmt.Errorf("store: %s: %w", strings.Join(words[:min(3, len(words))], " "), err)
}

// changed is what is wrong where a statement changed n rows.
func changed(query string, n, want int64) error {
	if want < 0 || n == want {
		return nil
	}
	return describe(query, fmt.Errorf("changed %d rows, not %d", n, want))
}

// Guard implements engine.Tx.
func (c *session) Guard(name string) error {
	if !c.guards {
		return nil // one writer: nothing runs side by side
	}
	return c.guard(name)
}

// guarded turns a panic into an error: the transaction goes with it, the others stay.
func guarded(work func(engine.Tx) error, c *session) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: a transaction panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return work(c)
}

// everything is settled where transactions end in the order of their events.
func everything(*session) (int64, error) { return math.MaxInt64, nil }
