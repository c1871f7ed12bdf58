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
	`"connectingInformation"`, `"businessIdentifier"`, `"paymentTokenAccountNumber"`, `"cryptogram"`, `"payload"`, "JVBERi0xLjcKJcK1wrYKCg",
	"INES DUARTE", "TOMAS BERG", "LENA VOSS", `"cavv"`, `\"cavv\"`, "kBMI1mH9wqAAAAAAAAAAAAAAAAA=", "CV03737", "CV003737", "Rua das Flores 8",
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
	own := w.books()
	w.note("metrics", w.metrics())
	log, err := os.ReadFile(w.file("naru.db-wal")) // it goes when the last connection does
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	w.agree(own)
	w.end()
	w.scan("the write-ahead log", log)
	w.scan("the database", must(os.ReadFile(w.file("naru.db"))))
	w.scan("the log", w.log.text())
	w.scan("the answers and metrics", w.said.text())

	o := fsck.Options{Database: w.file("naru.db"), KEK: must(vault.ReadKEK(shop().file("kek")))}
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
		if owed.Advices+owed.Batched+owed.Notices+owed.Payouts == 0 && w.taken() && w.even() {
			return true
		}
		step := 250 * time.Millisecond
		if owed.Payouts > 0 || !w.even() { // banks take their time, and their statements are read by the hour
			step = 5 * time.Minute
		}
		w.clock.Advance(step)
		return false
	})
	if owed.Cases != w.cases || owed.Parked != w.parked {
		w.t.Errorf("%d cases and %d parked notifications, want %d and %d", owed.Cases, owed.Parked, w.cases, w.parked)
	}
}

// place is where the money of a payment is in somebody's eyes: held, booked, given back by refunds, kept by chargebacks.
type place struct{ held, booked, refunded, disputed int64 }

func (p place) plus(q place) place {
	return place{p.held + q.held, p.booked + q.booked, p.refunded + q.refunded, p.disputed + q.disputed}
}

// books is what the integrator wrote down.
type books struct {
	holds    []store.Hold
	captures []store.CaptureRow
	refunds  []store.RefundRow
	disputes []store.DisputeRow
	balances []store.Balance
}

func (w *world) books() (b books) {
	w.t.Helper()
	var problems [5]error
	ctx, from := context.Background(), w.platform.Store
	b.holds, problems[0] = from.Holds(ctx)
	b.captures, problems[1] = from.Captures(ctx)
	b.refunds, problems[2] = from.Refunds(ctx)
	b.disputes, problems[3] = from.Disputes(ctx)
	b.balances, problems[4] = from.Balances(ctx)
	w.check(errors.Join(problems[:]...))
	return b
}

// place is where the books have the money of a hold and of the capture that it became.
func (b books) place(h store.Hold) (p place) {
	p.booked = h.Captured
	if h.Held {
		p.held = h.Amount
	}
	for _, x := range b.captures {
		if x.Account != h.Account || x.ReservationRequestID != h.RequestID {
			continue
		}
		for _, f := range b.refunds {
			if f.Account == x.Account && f.CaptureRequestID == x.RequestID && (f.State == "REFUNDED" || f.State == "REFUND_REVERSED") {
				p.refunded += f.Amount - f.Returned
			}
		}
		for _, d := range b.disputes {
			if d.Account == x.Account && d.CaptureRequestID == x.RequestID && d.Stage != "INQUIRY" {
				p.disputed += d.Amount - d.Won
			}
		}
	}
	return p
}

// atHost is where the host has it, by reference number. What it has not told anybody yet does not count.
func (w *world) atHost() map[string]place {
	w.t.Helper()
	places := map[string]place{}
	for _, h := range w.hostPayments() {
		p := place{booked: h.Captured, refunded: h.Refunded}
		if h.State == "open" {
			p.held = h.Amount
		}
		places[h.RRN] = places[h.RRN].plus(p)
	}
	for _, d := range w.hostDisputes() {
		if len(d.Told) > 0 && d.State != "reversed" && !w.strange[d.Event] {
			places[d.RRN] = places[d.RRN].plus(place{disputed: d.Amount})
		}
	}
	return places
}

// agree holds the three records against each other (rails §5: I1, I2, I3).
func (w *world) agree(own books) {
	t, host, want := w.t, w.atHost(), map[string]int64{}
	for _, h := range own.holds {
		ledger, atHost := own.place(h), host[h.RRN]
		for kind, amount := range map[string]int64{
			"acquirer:held": ledger.held, "google:held": -ledger.held,
			"acquirer:receivable": ledger.booked - ledger.refunded - ledger.disputed,
			"google:payable":      ledger.refunded + ledger.disputed - ledger.booked,
		} {
			want[kind+" "+h.Account+" "+h.Currency] += amount
		}
		delete(host, h.RRN)
		if w.open[h.RequestID] {
			continue
		}
		if ledger != atHost {
			t.Errorf("%s: the books say %+v, the host %+v", h.RequestID, ledger, atHost)
		}
		if atGoogle, sent := w.believed(h, ledger); sent && atGoogle != ledger {
			t.Errorf("%s: Google believes %+v, the books say %+v", h.RequestID, atGoogle, ledger)
		}
	}
	for rrn, p := range host { // attempts that were given up
		if p != (place{}) {
			t.Errorf("the host has %+v under RRN %s, which is no payment's", p, rrn)
		}
	}
	for _, r := range w.hostRecords() { // what the acquirer's files moved beside
		if r.File == "" || w.strange[r.ID] {
			continue
		}
		fees, paid, fixed := r.Interchange+r.Scheme+r.Acquirer, int64(0), int64(0)
		switch r.Type {
		case "PAY":
			paid = map[string]int64{"C": r.Amount, "D": -r.Amount}[r.Result]
		case "ADJ":
			fixed = r.Gross
		}
		for kind, amount := range map[string]int64{
			"acquirer:receivable": fees + r.Tax - paid + fixed, "fee:acquirer": -fees, "tax:input": -r.Tax, "bank:settlement": paid,
			"suspense:acquirer": -fixed,
		} {
			want[kind+" "+merchants[r.Merchant]+" "+r.Currency] += amount
		}
	}
	w.agreePayouts(want)
	for _, b := range own.balances {
		at := b.Account + " " + b.Owner + " " + b.Currency
		if b.Amount != want[at] {
			t.Errorf("%s: %d, its payments make %d", at, b.Amount, want[at])
		}
		delete(want, at)
	}
	for at, amount := range want {
		if amount != 0 {
			t.Errorf("%s: nothing, its payments make %d", at, amount)
		}
	}
}

// merchants is whose number at the acquirer is whose.
var merchants = map[string]string{
	"PIMERCHANT00001": first, "PIMERCHANT00002": second, "CLOSED000000001": closed,
	"PIMERCHANT00005": firstFOP, "PIMERCHANT00006": secondFOP, "CLOSED000000002": closedFOP,
}

// believed is what Google must believe of a hold, from what it was told and nothing else. A card check has no amount that Google knows: it
// believes that something is held until it has cancelled.
func (w *world) believed(h store.Hold, ledger place) (p place, sent bool) {
	t, g, id := w.t, w.google.Load(), h.RequestID
	exchanges, verdicts := g.Record()
	told := map[string]string{}
	for _, v := range verdicts {
		if v.Account == h.Account {
			told[v.Method+v.Subject] = v.Result
		}
	}
	ended, digests, captures, unit := false, map[string]string{}, map[string]bool{}, micros[h.Currency]
	for _, x := range exchanges {
		if x.Account != h.Account || x.RequestID != id && x.Reservation != id {
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
				p.held = x.AmountMicros / unit
			}
		case verify:
			p.held = ledger.held
		case sell: // its answer is its verdict
			if x.Result == "SUCCESS" {
				p.booked, captures[x.RequestID] = x.AmountMicros/unit, true
			}
		case capture:
			ended, captures[x.RequestID] = true, true
			switch told["captureFundsReservationResultNotification"+x.RequestID] {
			case "SUCCESS":
				p.booked = x.AmountMicros / unit
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
	for _, f := range g.Refunds() {
		switch {
		case f.Account != h.Account || !captures[f.Capture] || f.Status != http.StatusOK:
		case f.Result == "SUCCESS":
			p.refunded += (f.AmountMicros - f.ReversedMicros) / unit
		case f.Result == "":
			t.Errorf("no verdict on %s", f.RequestID)
		}
	}
	for _, d := range g.Disputes() {
		switch sum := d.AmountMicros / unit; {
		case d.Account != h.Account || !captures[d.Capture]:
		case d.Method == "chargebackNotification":
			p.disputed += sum
		case d.Method == "chargebackReversedNotification":
			p.disputed -= sum
		}
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

// contents is every table, row for row, in a few digits each. How calls went is left out, and the series of message numbers: a request that is refused may
// have used some up, and none is used twice.
func (w *world) contents() map[string]string {
	w.t.Helper()
	db := w.database()
	defer db.Close()
	var names []string
	w.rows(db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('series', 'sqlite_sequence', 'call_tally')`, func(values []any) {
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

func (w *world) database() *sql.DB {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: w.file("naru.db")}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	w.check(err)
	return db
}

// commits tells whether anybody has written to the database since it was last asked, if only a number of a series.
func (w *world) commits() func() bool {
	w.t.Helper()
	db := w.database()
	db.SetMaxOpenConns(1) // what it tells is a connection's own
	w.t.Cleanup(func() { w.check(db.Close()) })
	before := int64(0)
	return func() bool {
		version := before
		w.rows(db, "PRAGMA data_version", func(values []any) { version = values[0].(int64) })
		changed := version != before
		before = version
		return changed
	}
}

// query is a look into the database that no report gives.
func (w *world) query(text string, each func([]any)) {
	w.t.Helper()
	db := w.database()
	defer db.Close()
	w.rows(db, text, each)
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
