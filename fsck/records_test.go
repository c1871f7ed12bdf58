package fsck_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"naru/core/card"
	"naru/fsck"
)

const pageSize = 4096

// leftovers gives a database a log of pages as they are in another one, which no pointer leads into: SQLite rebuilds pages in place, and
// what it does not overwrite stays. A text must stand in them.
func leftovers(t *testing.T, path, from, text string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	wal := make([]byte, 32) // nothing that SQLite would read
	for n := 0; n < len(b)/pageSize; n++ {
		page := bytes.Clone(b[n*pageSize : (n+1)*pageSize])
		if kind := page[0]; kind == 0x0d || kind == 0x0a || kind == 0x02 {
			page[3], page[4] = 0, 0 // it has no cells
		}
		wal = append(append(wal, make([]byte, 24)...), page...)
		binary.BigEndian.PutUint32(wal[len(wal)-pageSize-24:], uint32(n+1))
	}
	if !bytes.Contains(wal, []byte(text)) {
		t.Fatalf("no leftover holds %q", text)
	}
	if err := os.WriteFile(path+"-wal", wal, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Values side by side in a record that is there no more are no card number: a network's name of a payment, and the first byte of an amount
// of 12900, for one.
func TestNeighboursInALeftoverRecordAreNoCardNumber(t *testing.T) {
	path, kek := played(t)
	network := ""
	for n := 0; network == ""; n++ {
		if id := fmt.Sprintf("4%014d", n*7919); card.Luhn(id+"2") && !card.Luhn(id) {
			network = id
		}
	}
	near := copied(t, path)
	corrupt(t, near, "UPDATE capture SET network_id = '"+network+"' WHERE request_id = 'capture-captured'")
	if r := check(t, fsck.Options{Database: near, KEK: kek}); found(r) != "" {
		t.Errorf("in a record:\n%s", text(r))
	}
	leftovers(t, path, near, network+"2d")
	if r := check(t, fsck.Options{Database: path, KEK: kek}); found(r) != "" {
		t.Errorf("left over:\n%s", text(r))
	}
}

// A number that stands in one value is one, wherever it is.
func TestCardNumberInALeftoverRecordIsFound(t *testing.T) {
	path, kek := played(t)
	for name, statement := range map[string]string{
		"text":       "UPDATE capture SET network_id = '" + testPAN + "' WHERE request_id = 'capture-captured'",
		"end":        "UPDATE operator_case SET note = '" + testPAN + "' WHERE kind = 'totals-differ'",
		"blob":       "UPDATE reservation SET card = CAST('" + testPAN + "|3012' AS BLOB) WHERE request_id = 'captured'",
		"in a table": "UPDATE event SET detail = 'card=" + testPAN + "' WHERE n = 1 AND payment_id = " + of("captured"),
	} {
		t.Run(name, func(t *testing.T) {
			clean, spoilt := copied(t, path), copied(t, path)
			corrupt(t, spoilt, statement)
			leftovers(t, clean, spoilt, testPAN)
			r := check(t, fsck.Options{Database: clean, KEK: kek})
			if found(r) != "secrets-files" || r.OK() {
				t.Error(text(r))
			}
		})
	}
}
