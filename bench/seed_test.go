package bench

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"naru/fsck"
	"naru/vault"
)

const seeded = batchOf + 100 // more than one transaction

// aFolder holds what a seed needs beside the database.
func aFolder(t *testing.T) (dir string, kek []byte) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "kek")
	if err := os.WriteFile(path, []byte(vault.NewKEK()), 0o600); err != nil {
		t.Fatal(err)
	}
	kek, err := vault.ReadKEK(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir, kek
}

var benchAccounts = []string{"Bench0", "Bench1", "Bench2"}

// leftBehind is how many rows one captured payment leaves in each table.
var leftBehind = map[string]int64{
	"event": 4, "posting": 3, "idempotency": 2, "reservation": 1, "attempt": 1, "capture": 1, "advice": 1, "settlement_item": 1, "notice": 1,
	"notice_try": 1,
}

// An independent reader finds nothing wrong with payments that were cast: neither in their histories, their books nor their secrets.
func TestSeededPaymentsAreWhole(t *testing.T) {
	m, err := castMould(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, kek := aFolder(t)
	for _, kind := range []string{SQLite, Postgres} {
		t.Run(kind, func(t *testing.T) {
			at, err := openHome(t.Context(), kind, dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := at.close(); err != nil {
					t.Error(err)
				}
			}()
			place, err := at.place(t.Context(), "seeded")
			if err != nil {
				t.Fatal(err)
			}
			if err := seed(t.Context(), at, place, dir, m, benchAccounts, seeded, io.Discard); err != nil {
				t.Fatal(err)
			}
			whole(t, place, kek)
			if size, err := at.size(t.Context(), place); err != nil || size < seeded*1000 {
				t.Errorf("%d bytes, %v", size, err)
			}
			if cpu, err := at.spent(); err != nil || (cpu > 0) != (kind == Postgres) {
				t.Errorf("it cost the database's own processes %v, %v", cpu, err)
			}
		})
	}
}

func whole(t *testing.T, place string, kek []byte) {
	t.Helper()
	report, err := fsck.Run(t.Context(), fsck.Options{Database: place, KEK: kek})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings[:min(10, len(report.Findings))] {
		t.Errorf("%+v", f)
	}
	for _, check := range []string{"journal-digests", "checkpoint-digests", "answers-open", "cards-open", "balances", "notices"} {
		if report.Checked[check] == 0 {
			t.Errorf("%s: nothing was checked", check)
		}
	}
	for table, each := range leftBehind {
		if got := report.Rows[table]; got != each*seeded {
			t.Errorf("%d rows in %s, want %d", got, table, each*seeded)
		}
	}
	if got := report.Rows["balance"]; got != 4*int64(len(benchAccounts)) {
		t.Errorf("%d balances", got)
	}
}
