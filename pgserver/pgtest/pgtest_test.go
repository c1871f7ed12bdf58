package pgtest

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

// ask runs a statement and returns the number it answers with.
func ask(t *testing.T, url, statement string) (n int) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.QueryRow(t.Context(), statement).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestURLIsFresh(t *testing.T) {
	t.Parallel()
	first, second := URL(t), URL(t)
	for _, url := range []string{first, second} {
		if n := ask(t, url, "WITH made AS (SELECT 1) SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
			t.Errorf("a fresh database holds %d tables", n)
		}
	}
	if first == second {
		t.Error("two databases are one")
	}
}

func TestCopyIsPreparedOnce(t *testing.T) {
	t.Parallel()
	var prepared atomic.Int32
	prepare := func(url string) error {
		prepared.Add(1)
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			return err
		}
		_, err = c.Exec(t.Context(), "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
		return errors.Join(err, c.Close(t.Context()))
	}
	t.Run("copies", func(t *testing.T) {
		for range 4 {
			t.Run("copy", func(t *testing.T) {
				t.Parallel()
				url := Copy(t, "original", prepare)
				ask(t, url, "INSERT INTO kept VALUES (2) RETURNING n")
				if n := ask(t, url, "SELECT count(*) FROM kept"); n != 2 {
					t.Errorf("the copy holds %d rows", n)
				}
			})
		}
	})
	if n := prepared.Load(); n != 1 {
		t.Errorf("prepared %d times", n)
	}
}

func TestDatabaseEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("test", func(t *testing.T) { url = URL(t) })
	if _, err := pgx.Connect(t.Context(), url); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a database after its test: %v", err)
	}
}

func TestFailureIsTold(t *testing.T) {
	t.Parallel()
	var idle pool
	if _, err := idle.create(t.Context(), "", nil); err == nil || !strings.Contains(err.Error(), "pgtest.Run") {
		t.Errorf("without Run: %v", err)
	}
	broken := errors.New("broken")
	prepare := func(string) error { return broken }
	for range 2 { // the second hears what the first heard
		if _, err := shared.create(context.Background(), "bad", prepare); !errors.Is(err, broken) {
			t.Errorf("an original that cannot be made: %v", err)
		}
	}
}
