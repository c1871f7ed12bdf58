package platform

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"naru/clock"
	"naru/engine"
	"naru/store"
	"naru/vault"
)

type silentMeter struct{ engine.Meter }

func (silentMeter) CaseOpened(string) {}

// inbox is an exchange with an empty engine behind it.
func inbox(t *testing.T) *exchange {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "naru.db"), store.Options{})
	must(err)
	t.Cleanup(func() { must(db.Close()) })
	keyFile := filepath.Join(dir, "kek")
	must(os.WriteFile(keyFile, []byte(vault.NewKEK()), 0o600))
	kek, err := vault.ReadKEK(keyFile)
	must(err)
	keys, err := vault.Open(kek, db)
	must(err)
	e, err := engine.New(engine.Config{Store: db, Vault: keys, Clock: &clock.Movable{}, Log: slog.New(slog.DiscardHandler), Meter: silentMeter{}})
	must(err)
	x := &exchange{
		acquirer: "main", id: "ACQ0001", merchants: []string{"M1", "M2"}, zone: time.UTC, inbox: filepath.Join(dir, "in"), engine: e,
		log: slog.New(slog.DiscardHandler),
	}
	for _, folder := range []string{"", doneFolder, quarantineFolder} {
		must(os.MkdirAll(filepath.Join(x.inbox, folder), 0o700))
	}
	return x
}

func (x *exchange) put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(x.inbox, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (x *exchange) has(path string) bool {
	_, err := os.Stat(filepath.Join(x.inbox, path))
	return err == nil
}

// What is no file of theirs is put away with a case; what is not complete, or no file at all, is left alone.
func TestWhatMustNotBeTaken(t *testing.T) {
	x := inbox(t)
	refused := []string{
		"PISTL_ACQ0001_M1_20261122_001.csv", "PISTL_ACQ0001_M9_20261122_001.csv", "PICAPR_ACQ0001_M1_20261122_001.csv", "notes.csv",
	}
	for _, name := range refused {
		x.put(t, name, "no such file\r\n")
	}
	x.put(t, "PISTL_ACQ0001_M1_20261122_002.csv.tmp", "half")
	if err := os.Symlink("/etc/passwd", filepath.Join(x.inbox, "PISTL_ACQ0001_M1_20261122_003.csv")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same file again: no second case
		if err := x.scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.put(t, refused[0], "no such file\r\n")
	}
	for _, name := range refused {
		if !x.has("quarantine/" + name) {
			t.Errorf("%s is not in quarantine", name)
		}
	}
	if !x.has("PISTL_ACQ0001_M1_20261122_002.csv.tmp") || !x.has("PISTL_ACQ0001_M1_20261122_003.csv") {
		t.Error("what is not complete, or no file, was touched")
	}
	if list, err := x.engine.ListCases(t.Context(), true, 9); err != nil || len(list) != len(refused) {
		t.Errorf("%d cases, %v", len(list), err)
	}
}

// A file that cannot be taken now holds up its merchant's later files, and nobody else's.
func TestOneFileHoldsUpItsMerchantOnly(t *testing.T) {
	var tried []string
	broken := errors.New("the store does not work")
	err := inOrder([]string{"PISTL_A_M1_20261122_001.csv", "PISTL_A_M1_20261122_002.csv", "PISTL_A_M2_20261122_001.csv"}, func(name string) error {
		tried = append(tried, name)
		if name == "PISTL_A_M1_20261122_001.csv" {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || !slices.Equal(tried, []string{"PISTL_A_M1_20261122_001.csv", "PISTL_A_M2_20261122_001.csv"}) {
		t.Errorf("%v, %v", tried, err)
	}
}
