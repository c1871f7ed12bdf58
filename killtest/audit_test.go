package killtest

import (
	"bytes"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"naru/core/ledger"
	"naru/store"
)

// The three records speak of each payment and must say the same: what Google was told, what our books say, what the acquirer did.

// place is where the money of a payment is in somebody's eyes.
type place struct{ held, booked int64 }

// expected is where Google believes the money to be, from the answers and verdicts that it got.
func (p *payment) expected(verdict string) (at place) {
	switch {
	case p.result != success || p.next == nil && p.late: // insist has seen this result
	case p.next == nil:
		at.held = p.amount
	case p.then == capture && verdict == success:
		at.booked = p.take
	}
	return at
}

// audit compares everything once the last victim has ended.
func (l *life) audit() {
	l.t.Helper()
	l.scan() // whatever else went wrong
	if l.t.Failed() {
		return
	}
	l.hurry.Store(true)
	if !l.check("in the end") {
		l.t.Error("fsck could not check everything, although the last victim ended in good order")
	}
	verdicts := l.verdicts()
	references := l.references()

	s, err := store.Open(l.ctx, l.database, store.Options{})
	if err != nil {
		l.t.Error(err)
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			l.t.Error(err)
		}
	}()
	holds, err := s.Holds(l.ctx)
	if err != nil {
		l.t.Error(err)
	}
	books := map[string]store.Hold{}
	for _, h := range holds {
		books[h.RequestID] = h
	}
	atHost := map[string][]hostHold{} // by the request id of the reservation
	host := l.hostHolds()
	for _, h := range host {
		id, known := references[h.RRN]
		if !known {
			l.t.Errorf("the acquirer knows RRN %s, which is on no record of ours: its request left before it was written down", h.RRN)
		}
		atHost[id] = append(atHost[id], h)
	}
	for _, p := range l.payments {
		verdict := ""
		if p.next != nil {
			if verdict = verdicts[p.next.id]; verdict != p.verdict {
				l.t.Errorf("%s: the verdict is %q, not %q", p.next.id, verdict, p.verdict)
			}
		}
		want, b := p.expected(verdict), books[p.hold.id]
		delete(books, p.hold.id)
		ours := place{booked: b.Captured}
		if b.Held {
			ours.held = b.Amount
		}
		if ours != want || b.Account != p.account {
			l.t.Errorf("%s: Google believes %+v, the books say %+v (%s of %s)", p.hold.id, want, ours, b.State, b.Account)
		}
		l.compare(p, want, b.RRN, atHost[p.hold.id])
	}
	for id := range books {
		l.t.Errorf("the books know a reservation %q that Google never made", id)
	}
	l.balances(s, host)
	owed, err := s.Backlog(l.ctx)
	if err != nil || owed != (store.Backlog{}) {
		l.t.Errorf("something is still owed: %+v %v", owed, err)
	}
}

// compare looks at the acquirer's holds for one payment: of all its attempts one at the most may have kept money, and as much as we say.
func (l *life) compare(p *payment, want place, current string, holds []hostHold) {
	var at place
	live := 0
	for _, h := range holds {
		switch h.State {
		case "open":
			at.held += h.Amount
		case "captured":
			at.booked += h.Captured
		default: // given back, one way or another
			continue
		}
		if live++; h.RRN != current {
			l.t.Errorf("%s: the acquirer keeps money under RRN %s, an attempt that we gave up", p.hold.id, h.RRN)
		}
	}
	if live > 1 {
		l.t.Errorf("%s: %d attempts keep money at the acquirer: %+v", p.hold.id, live, holds)
	}
	if at != want {
		l.t.Errorf("%s: Google believes %+v, the acquirer did %+v: %+v", p.hold.id, want, at, holds)
	}
}

// verdicts reads every notification that Google received: on each request any number of copies of one verdict, under one request id.
func (l *life) verdicts() map[string]string {
	var received []struct {
		Method string `json:"method"`
		PIAID  string `json:"piaid"`
		Body   struct {
			Header struct {
				ID string `json:"requestId"`
			} `json:"requestHeader"`
			Captured string `json:"captureFundsReservationRequestId"`
			Capture  string `json:"captureFundsReservationResult"`
			Cancel   string `json:"cancelFundsReservationRequestId"`
			Cancels  string `json:"cancelFundsReservationResult"`
		} `json:"body"`
	}
	l.hear(l.google.Control(), "/received", &received)
	accounts := map[string]string{}
	for _, p := range l.payments {
		if p.next != nil {
			accounts[p.next.id] = p.account
		}
	}
	said, first := map[string]string{}, map[string]string{}
	for _, m := range received {
		subject, verdict := m.Body.Captured+m.Body.Cancel, m.Body.Capture+m.Body.Cancels
		whole := m.Method + " " + m.Body.Header.ID + " " + verdict
		if accounts[subject] != m.PIAID {
			l.t.Errorf("%s on %q of %s: Google asked for nothing of the kind", m.Method, subject, m.PIAID)
		}
		if before, again := first[subject]; again && before != whole {
			l.t.Errorf("%q was told %q and then %q", subject, before, whole)
		}
		first[subject], said[subject] = whole, verdict
	}
	return said
}

const selectReferences = `SELECT a.rrn, r.request_id FROM attempt AS a JOIN reservation AS r ON r.id = a.reservation_id`

// references is which reservation each reference number belongs to, given-up attempts included.
func (l *life) references() map[string]string {
	all := map[string]string{}
	err := l.query(func(db *sql.DB) error {
		rows, err := db.QueryContext(l.ctx, selectReferences)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var rrn, id string
			if err := rows.Scan(&rrn, &id); err != nil {
				return err
			}
			if other, twice := all[rrn]; twice {
				l.t.Errorf("RRN %s belongs to %s and to %s", rrn, other, id)
			}
			all[rrn] = id
		}
		return rows.Err()
	})
	if err != nil {
		l.t.Error(err)
	}
	return all
}

// balances compares our ledger with the acquirer's, account by account. Each account has a terminal of its own.
func (l *life) balances(s *store.Store, host []hostHold) {
	terminals := map[string]string{}
	err := l.query(func(db *sql.DB) error {
		for _, account := range l.shop.accounts {
			var terminal string
			err := db.QueryRowContext(l.ctx, `SELECT MAX(a.terminal) FROM attempt AS a JOIN reservation AS r ON r.id = a.reservation_id
 WHERE r.account = $1`, account).Scan(&terminal)
			if err != nil {
				return err
			}
			terminals[terminal] = account
		}
		return nil
	})
	if err != nil || len(terminals) != len(l.shop.accounts) {
		l.t.Errorf("terminals of the accounts: %v %v", terminals, err)
	}
	want := map[ledger.Account]int64{}
	for _, h := range host {
		owner := terminals[h.Terminal]
		switch h.State {
		case "open":
			want[ledger.Account{Kind: ledger.AcquirerHeld, Owner: owner}] += h.Amount
			want[ledger.Account{Kind: ledger.GoogleHeld, Owner: owner}] -= h.Amount
		case "captured":
			want[ledger.Account{Kind: ledger.AcquirerReceivable, Owner: owner}] += h.Captured
			want[ledger.Account{Kind: ledger.GooglePayable, Owner: owner}] -= h.Captured
		}
	}
	balances, err := s.Balances(l.ctx)
	if err != nil {
		l.t.Error(err)
	}
	for _, b := range balances {
		account := ledger.Account{Kind: ledger.Kind(b.Account), Owner: b.Owner}
		if b.Amount != want[account] {
			l.t.Errorf("%s is %d, the acquirer's ledger makes it %d", account, b.Amount, want[account])
		}
		delete(want, account)
	}
	for account, amount := range want {
		l.t.Errorf("%s is missing, the acquirer's ledger makes it %d", account, amount)
	}
}

// forbidden is what must stand nowhere in clear, as it came and as it went to the rail (rails §1.5, DE48).
func forbidden() (all [][]byte) {
	day := strings.ReplaceAll(birthDate, "-", "")
	for _, text := range []string{
		goodCard, poorCard, silentCard, shortCard, birthDate, day, "BD06" + day[2:], "BD006" + day[2:], holderCI, "PW02" + pin, "PW002" + pin,
		"CV04" + cvn, "CV004" + cvn, `"cvn"`, `"pin"`, "SEO JIHUN",
	} {
		all = append(all, []byte(text))
	}
	return all
}

// keepMetrics writes down what the victim tells its operators, for scan.
func (l *life) keepMetrics(v *victim) {
	r, err := http.Get("http://" + v.admin + "/metrics")
	if err != nil {
		l.t.Error(err)
		return
	}
	text, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close(), os.WriteFile(filepath.Join(l.dir, metrics), text, 0o600)); err != nil {
		l.t.Error(err)
	}
}

const metrics = "metrics.txt"

// scan looks for secrets in the victims' logs and metrics and in the raw bytes of the database.
func (l *life) scan() {
	l.t.Helper()
	files, err := filepath.Glob(filepath.Join(l.dir, "*"))
	if err != nil {
		l.t.Fatal(err)
	}
	logs := 0
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "victim-") {
			logs++
		} else if name != metrics && !strings.HasPrefix(name, "naru.db") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			l.t.Error(err)
		}
		for i, secret := range forbidden() {
			if at := bytes.Index(text, secret); at >= 0 {
				l.t.Errorf("%s: secret %d of the list stands in clear at byte %d", name, i, at)
			}
		}
	}
	if logs != l.starts {
		l.t.Errorf("%d of %d logs were searched", logs, l.starts)
	}
}
