package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"naru/fsck"
	"naru/store"
	"naru/vault"

	_ "modernc.org/sqlite" // the driver of the independent look into the database
)

// always are secrets that every request of the examples carries, as the wire and the rail spell them. A bare PIN has two digits, which
// stand everywhere: it is recognised by its members and its tags (rails §1.5), whose lengths are of two or three digits.
var always = []string{
	"5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g==", "1991-04-17", "BD06910417", "BD006910417",
	"PW0247", "PW00247", "SEO JIHUN", `"pin"`, `\"pin\"`, `"cvn"`, `\"cvn\"`, `"accountNumber"`, `\"accountNumber\"`, `"dateOfBirth"`,
	`"connectingInformation"`, `"businessIdentifier"`,
}

// audit ends a world: nothing is owed but what the test says, the three records agree, the database is sound, nothing leaked.
func (w *world) audit() {
	t := w.t
	if t.Failed() {
		w.end()
		return
	}
	if w.running {
		w.drain()
	} else {
		w.start()
		w.drain()
	}
	holds, err := w.platform.Store.Holds(context.Background())
	w.check(err)
	balances, err := w.platform.Store.Balances(context.Background())
	w.check(err)
	w.note("metrics", w.metrics())
	log, err := os.ReadFile(w.file("naru.db-wal")) // it goes when the last connection does
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	w.agree(holds, balances)
	w.end()
	w.scan("the write-ahead log", log)
	w.scan("the database", must(os.ReadFile(w.file("naru.db"))))
	w.scan("the log", w.log.text())
	w.scan("the answers and metrics", w.said.text())

	o := fsck.Options{Path: w.file("naru.db"), KEK: must(vault.ReadKEK(shop().file("kek")))}
	for s := range w.secrets {
		o.Forbidden = append(o.Forbidden, []byte(s))
	}
	report, err := fsck.Run(context.Background(), o)
	w.check(err)
	if !report.OK() {
		var b strings.Builder
		_, _ = report.WriteTo(&b)
		t.Error(b.String())
	}
}

// drain waits until nothing is owed. The waits between attempts are business time.
func (w *world) drain() {
	w.t.Helper()
	var owed store.Backlog
	var err error
	w.until("all that is owed is done", func() bool {
		owed, err = w.platform.Store.Backlog(context.Background())
		w.check(err)
		if owed.Advices+owed.Notices == 0 {
			return true
		}
		w.clock.Advance(250 * time.Millisecond)
		return false
	})
	if owed.Cases != w.cases || owed.Parked != w.parked {
		w.t.Errorf("%d cases and %d parked notifications, want %d and %d", owed.Cases, owed.Parked, w.cases, w.parked)
	}
}

// place is where the money of a payment is in somebody's eyes.
type place struct{ held, booked int64 }

// agree holds the three records against each other (rails §5: I1, I2, I3).
func (w *world) agree(holds []store.Hold, balances []store.Balance) {
	t := w.t
	host := map[string]place{}
	for _, h := range w.hostHolds() {
		p := host[h.RRN]
		if h.State == "open" {
			p.held += h.Amount
		}
		host[h.RRN] = place{p.held, p.booked + h.Captured}
	}
	books := map[string]int64{}
	for _, h := range holds {
		ledger := place{0, h.Captured}
		if h.Held {
			ledger.held = h.Amount
		}
		books["acquirer:held "+h.Account] += ledger.held
		books["acquirer:receivable "+h.Account] += ledger.booked
		books["google:held "+h.Account] -= ledger.held
		books["google:payable "+h.Account] -= ledger.booked
		atHost := host[h.RRN]
		delete(host, h.RRN)
		if w.open[h.RequestID] {
			continue
		}
		if ledger != atHost {
			t.Errorf("%s: the books say %+v, the host %+v", h.RequestID, ledger, atHost)
		}
		if atGoogle, sent := w.believed(h.Account, h.RequestID); sent && atGoogle != ledger {
			t.Errorf("%s: Google believes %+v, the books say %+v", h.RequestID, atGoogle, ledger)
		}
	}
	for rrn, p := range host { // attempts that were given up
		if p != (place{}) {
			t.Errorf("the host has %+v under RRN %s, which is no payment's", p, rrn)
		}
	}
	for _, b := range balances {
		at := b.Account + " " + b.Owner
		if b.Amount != books[at] {
			t.Errorf("%s: %d, its payments make %d", at, b.Amount, books[at])
		}
		delete(books, at)
	}
	for at, amount := range books {
		if amount != 0 {
			t.Errorf("%s: nothing, its payments make %d", at, amount)
		}
	}
}

// believed is what Google must believe of a reservation, from what it was told and nothing else.
func (w *world) believed(account, id string) (p place, sent bool) {
	t := w.t
	exchanges, verdicts := w.google.Load().Record()
	told := map[string]string{}
	for _, v := range verdicts {
		if v.Account == account {
			told[v.Method+v.Subject] = v.Result
		}
	}
	ended, digests, captures := false, map[string]string{}, map[string]bool{}
	for _, x := range exchanges {
		if x.Account != account || x.RequestID != id && x.Reservation != id {
			continue
		}
		sent = true
		if x.Status != http.StatusOK {
			continue
		}
		if before, again := digests[x.RequestID]; again && before != x.Digest {
			t.Errorf("%s got two answers", x.RequestID)
		}
		digests[x.RequestID] = x.Digest
		switch x.Method {
		case reserve:
			if x.Result == "SUCCESS" && x.HeldUntil.After(w.clock.Now()) {
				p.held = x.AmountMicros / 1_000_000
			}
		case capture:
			ended, captures[x.RequestID] = true, true
			switch told["captureFundsReservationResultNotification"+x.RequestID] {
			case "SUCCESS":
				p.booked = x.AmountMicros / 1_000_000
			case "":
				t.Errorf("no verdict on %s", x.RequestID)
			}
		case cancel:
			ended = true
			if told["cancelFundsReservationResultNotification"+x.RequestID] != "SUCCESS" {
				t.Errorf("no verdict on %s", x.RequestID)
			}
		}
	}
	if len(captures) > 1 {
		t.Errorf("%d captures of %s were accepted", len(captures), id)
	}
	if ended {
		p.held = 0
	}
	return p, sent
}

// scan looks for every secret that was sent (rails §5, I7).
func (w *world) scan(where string, text []byte) {
	w.t.Helper()
	for _, s := range leaks(text, slices.Sorted(maps.Keys(w.secrets))) {
		w.t.Errorf("%s: %q stands in it", where, s)
	}
}

func leaks(text []byte, secrets []string) (found []string) {
	for _, s := range secrets {
		if bytes.Contains(text, []byte(s)) {
			found = append(found, s)
		}
	}
	return found
}

// contents is every table, row for row, in a few digits each. The series of message numbers is left out: a request that is refused may
// have used some up, and none is used twice.
func (w *world) contents() map[string]string {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: w.file("naru.db")}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	w.check(err)
	defer db.Close()
	var names []string
	w.rows(db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('series', 'sqlite_sequence')`, func(values []any) {
		names = append(names, fmt.Sprint(values[0]))
	})
	tables := map[string]string{}
	for _, name := range names {
		n, sum := 0, uint64(0)
		w.rows(db, `SELECT * FROM "`+name+`"`, func(values []any) {
			h := fnv.New64a()
			fmt.Fprintf(h, "%q", values)
			n, sum = n+1, sum+h.Sum64()
		})
		tables[name] = fmt.Sprintf("%d rows, %016x", n, sum)
	}
	return tables
}

func (w *world) rows(db *sql.DB, query string, each func([]any)) {
	w.t.Helper()
	rows, err := db.Query(query)
	w.check(err)
	defer rows.Close()
	columns, err := rows.Columns()
	w.check(err)
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		w.check(rows.Scan(into...))
		each(values)
	}
	w.check(rows.Err())
}
