package fsck

import (
	"context"
	"strings"
)

// database is one moment of a database, which is read and not changed. Results may be open side by side.
type database interface {
	// query runs a query. No more than some rows of it are in memory.
	query(ctx context.Context, some int, query string, args ...any) (rows, error)
	// apart does a part of the reading: where it fails, the rest goes on.
	apart(ctx context.Context, read func() error) error
	close()
}

// rows is the result of a query, one row after the other.
type rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
	Close() error
}

// An engine is what the two engines do not have in common. Queries are written once, in the words of SQLite.
type engine struct {
	words *strings.Replacer // into its own

	objects map[string][]string // what the migrations made beside what both have
	schema  string              // what there is: its type, its name, and what is wrong with it
	tables  string              // their names
	columns string              // of a table: the name, whether it is of the key, and an expression that gives it as it is stored
	flags   []constraint        // those that the types of the other engine keep

	integrity, references, files func(*run) error

	// inTurn is whether transactions run one after the other: events are then numbered without gaps, in the order of the commits.
	inTurn bool
}

// reach opens the database that the options name.
func reach(ctx context.Context, o Options) (database, *engine, error) {
	if strings.HasPrefix(o.Database, "postgres://") || strings.HasPrefix(o.Database, "postgresql://") {
		db, err := dial(ctx, o.Database, o.Password)
		return db, &postgres, err
	}
	db, err := openFile(ctx, o.Database)
	return db, &sqlite, err
}

// The rows of a result that are in memory: of most tables many are small.
const (
	many = 500
	few  = 1 // documents may be large
)

// each runs a query and hands over its rows one by one.
func (x *run) each(query string, row func(scan func(...any) error) error, args ...any) error {
	return x.eachOf(many, query, row, args...)
}

func (x *run) eachOf(some int, query string, row func(scan func(...any) error) error, args ...any) error {
	list, err := x.db.query(x.ctx, some, x.engine.words.Replace(query), args...)
	if err != nil {
		return err
	}
	defer list.Close()
	for list.Next() {
		if err := row(list.Scan); err != nil {
			return err
		}
	}
	return list.Err()
}

// missing says why a check cannot be done on an engine.
type missing string

func (m missing) Error() string { return string(m) }
