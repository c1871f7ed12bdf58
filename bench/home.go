package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The kinds of store.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// A home is where the databases of a measurement are.
type home interface {
	place(ctx context.Context, database string) (string, error) // for store.Open and [store]; made where it is missing
	setting(place string) string                                // that place in a configuration
	bulk(ctx context.Context, place string) (bulk, error)       // writes many rows; nobody else has the database open
	spent() (time.Duration, error)                              // CPU time of processes that serve nothing but the databases
	size(ctx context.Context, place string) (int64, error)      // bytes on disk
	describe() string
	close() error
}

// openHome makes an empty one in a folder.
func openHome(ctx context.Context, kind, dir string) (home, error) {
	switch kind {
	case SQLite:
		return files{dir}, nil
	case Postgres:
		c, err := startCluster(ctx)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	return nil, fmt.Errorf("there is no store %q; write %s or %s", kind, SQLite, Postgres)
}

// files are databases of SQLite: the server's own process does all of their work.
type files struct{ dir string }

func (f files) place(_ context.Context, database string) (string, error) {
	return filepath.Join(f.dir, database+".db"), nil
}

func (files) setting(place string) string { return fmt.Sprintf("path = %q", place) }

func (files) spent() (time.Duration, error) { return 0, nil }

func (files) describe() string { return "SQLite, WAL, synchronous=FULL" }

func (files) close() error { return nil }

func (files) size(_ context.Context, place string) (int64, error) {
	info, err := os.Stat(place)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
