package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"naru/engine"
	"naru/pgserver/pgtest"
	"naru/store"
	"naru/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func open(t *testing.T, where string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), where, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) engine.Store {
		return open(t, filepath.Join(t.TempDir(), "naru.db"), store.Options{})
	})
}

// The same on PostgreSQL. Its journal is settled at once, because nobody else writes.
func TestContractOnPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) engine.Store {
		return open(t, migrated(t), store.Options{Careless: true, Settled: -1})
	})
}

// migrated is a fresh PostgreSQL database with the schema of today.
func migrated(t *testing.T) string {
	return pgtest.Copy(t, "naru", func(url string) error {
		s, err := store.Open(t.Context(), url, store.Options{Careless: true})
		if err != nil {
			return err
		}
		return s.Close()
	})
}
