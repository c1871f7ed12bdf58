package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/store"
)

var inr = money.Of("INR")

// out is a payout that was taken on; nothing has left the house.
func out(id string) payout.Payout {
	return payout.Payout{
		ID: id, Account: "P", Bank: "rzp", RequestID: "q-" + id, State: payout.Asked, Version: 1, Amount: money.New(12_550, inr),
		Target: []byte{1, 2}, Print: []byte{3, 4}, Fee: money.New(0, inr), Limit: money.New(0, inr), CreatedAt: start, ChangedAt: start,
		DueAt: start.Add(time.Minute),
		Chain: payout.Chain{Length: 1, Digest: []byte{7}},
	}
}

// order is the nth attempt of a payout, about to be sent.
func order(p string, n int64) payout.Attempt {
	return payout.Attempt{
		ID: fmt.Sprintf("%s-%d", p, n), Payout: p, N: n, State: payout.AttemptPrepared, Version: 1, Bank: "rzp",
		Reference: fmt.Sprintf("ref-%s-%02d", p, n), Body: []byte{5, 6}, Fees: money.New(0, inr), Tax: money.New(0, inr), FirstSent: start,
		Sends: 1, At: start,
	}
}

// sent writes a payout with its first attempt.
func (w *world) sent(id string, s payout.State) (payout.Payout, payout.Attempt) {
	w.Helper()
	p, a := out(id), order(id, 1)
	p.State, p.AttemptID, p.Attempts = s, a.ID, 1
	w.do(func(tx engine.Tx) error { return errors.Join(tx.InsertPayout(p), tx.InsertPayoutAttempt(a)) })
	return p, a
}

// moves writes the next version of a payout and reports whether nobody was faster.
func (w *world) moves(p payout.Payout) (ok bool) {
	w.Helper()
	w.do(func(tx engine.Tx) (err error) { ok, err = tx.UpdatePayout(p); return err })
	return ok
}

func (w *world) movesAttempt(a payout.Attempt) (ok bool) {
	w.Helper()
	w.do(func(tx engine.Tx) (err error) { ok, err = tx.UpdatePayoutAttempt(a); return err })
	return ok
}

func payouts(w *world) {
	p := out("p")
	w.do(func(tx engine.Tx) error { return tx.InsertPayout(p) })
	find := func(what string, want payout.Payout) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			byID, _, err1 := v.Payout("p")
			same(w, what, byID, want)
			byRequest, _, err2 := v.PayoutByRequest(engine.Key{Account: "P", RequestID: "q-p"})
			same(w, what+" by request", byRequest, want)
			_, other, err3 := v.PayoutByRequest(engine.Key{Account: "P2", RequestID: "q-p"})
			_, none, err4 := v.Payout("q-p")
			if other || none {
				w.Error("what is not there was found", other, none)
			}
			return errors.Join(err1, err2, err3, err4)
		})
	}
	find("fresh", p)

	full := p
	full.State, full.Version, full.Reason, full.Limit = payout.Refused, 2, payout.AboveLimit, money.New(10_000, inr)
	full.Scope, full.Code, full.AttemptID, full.Attempts = "npci-upi", "U02", "p-1", 1
	full.ChangedAt, full.DueAt, full.DoneAt = start.Add(time.Hour), time.Time{}, start.Add(time.Hour)
	full.Chain = payout.Chain{Length: 2, Digest: []byte{8, 8}}
	other := full
	if other.Version = 3; w.moves(other) {
		w.Error("a version was skipped")
	}
	if !w.moves(full) {
		w.Error("the next version was refused")
	}
	find("every column", full)
	late := p
	if late.Version = 2; w.moves(late) {
		w.Error("a version that somebody else had made was overwritten")
	}
	find("the faster one", full)

	twice := out("twice")
	twice.RequestID = "q-p"
	w.refuses("a second payout of one request", func(tx engine.Tx) error { return tx.InsertPayout(twice) })
	for what, bad := range map[string]func(*payout.Payout){
		"nothing":          func(p *payout.Payout) { p.Amount = money.New(0, inr) },
		"an unknown state": func(p *payout.Payout) { p.State = "GONE" },
		"an unknown reason": func(p *payout.Payout) {
			p.State, p.Reason, p.DoneAt, p.DueAt = payout.Refused, "bored", start, time.Time{}
		},
		"a refusal without a reason":     func(p *payout.Payout) { p.State, p.DoneAt, p.DueAt = payout.Refused, start, time.Time{} },
		"a reason without a refusal":     func(p *payout.Payout) { p.Reason = payout.Closed },
		"a limit without its reason":     func(p *payout.Payout) { p.Limit = money.New(1, inr) },
		"an open payout that is done":    func(p *payout.Payout) { p.DoneAt, p.DueAt = start, time.Time{} },
		"a final payout that is not":     func(p *payout.Payout) { p.State, p.AttemptID, p.Attempts, p.DueAt = payout.Paid, "a", 1, time.Time{} },
		"a final payout that is due":     func(p *payout.Payout) { p.State, p.AttemptID, p.Attempts, p.DoneAt = payout.Paid, "a", 1, start },
		"money back of what is not paid": func(p *payout.Payout) { p.BackAt = start },
		"a sent payout without attempts": func(p *payout.Payout) { p.State = payout.Sent },
		"attempts without a present one": func(p *payout.Payout) { p.Attempts = 1 },
	} {
		p := out("bad")
		bad(&p)
		w.refuses(what, func(tx engine.Tx) error { return tx.InsertPayout(p) })
	}
}

// What was told stays told, whatever state it is: but for money that comes back, which is told to nobody.
func payoutResults(w *world) {
	for _, s := range []payout.State{payout.Paid, payout.Refused, payout.Returned, payout.Cancelled} {
		p, _ := w.sent(string(s), payout.Unclear)
		p.State, p.Version, p.DoneAt, p.DueAt, p.Code = s, 2, start, time.Time{}, "00"
		if s == payout.Refused {
			p.Reason = payout.Closed
		}
		if s == payout.Returned {
			p.BackAt = start
		}
		if !w.moves(p) {
			w.Fatal("no end was reached")
		}
		for _, to := range payout.Rules.States() {
			next := p
			next.State, next.Version = to, 3
			switch {
			case to == s, s == payout.Paid && to == payout.Returned:
				continue
			case to == payout.Returned:
				next.BackAt = start
			case to == payout.Refused:
				next.Reason, next.BackAt = payout.Closed, time.Time{}
			default:
				next.Reason, next.BackAt = payout.NoReason, time.Time{}
			}
			if !to.Final() {
				next.DoneAt = time.Time{}
			}
			w.refuses(string(s)+" becoming "+string(to), func(tx engine.Tx) error { _, err := tx.UpdatePayout(next); return err })
		}
		for what, change := range map[string]func(*payout.Payout){
			"another code":    func(p *payout.Payout) { p.Code = "ZX" },
			"another scope":   func(p *payout.Payout) { p.Scope = "other" },
			"another time":    func(p *payout.Payout) { p.DoneAt = start.Add(time.Second) },
			"another attempt": func(p *payout.Payout) { p.AttemptID, p.Attempts = "other", 2 },
			"another return":  func(p *payout.Payout) { p.BackAt = start.Add(time.Hour) },
			"another reason":  func(p *payout.Payout) { p.Reason = payout.OnHold },
		} {
			next := p
			change(&next)
			next.Version = 3
			w.refuses(string(s)+" with "+what, func(tx engine.Tx) error { _, err := tx.UpdatePayout(next); return err })
		}
		p.Version, p.Chain = 3, payout.Chain{Length: 2, Digest: []byte{9}} // its journal goes on
		if !w.moves(p) {
			w.Error("the journal of a final payout was closed")
		}
		if s == payout.Paid {
			p.State, p.Version, p.BackAt = payout.Returned, 4, start.Add(time.Hour)
			if !w.moves(p) {
				w.Error("money could not come back")
			}
		}
		w.look(func(v engine.Reader) error {
			got, _, err := v.Payout(p.ID)
			same(w, string(s), got, p)
			return err
		})
	}
}

func payoutAttempts(w *world) {
	_, a := w.sent("p", payout.Sent)
	find := func(what string, want payout.Attempt) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			byID, _, err1 := v.PayoutAttempt(a.ID)
			same(w, what, byID, want)
			byReference, _, err2 := v.PayoutAttemptByReference("rzp", "ref-p-01")
			same(w, what+" by reference", byReference, want)
			_, other, err3 := v.PayoutAttemptByReference("bank2", "ref-p-01")
			_, none, err4 := v.PayoutAttempt("")
			if other || none {
				w.Error("what is not there was found", other, none)
			}
			return errors.Join(err1, err2, err3, err4)
		})
	}
	named := func(bank, id string) (got payout.Attempt, ok bool) {
		w.look(func(v engine.Reader) (err error) { got, ok, err = v.PayoutAttemptByBankID(bank, id); return err })
		return got, ok
	}
	find("fresh", a)
	if _, ok := named("rzp", ""); ok {
		w.Error("an attempt without a name was found by it")
	}
	full := a
	full.State, full.Version = payout.AttemptPaid, 2
	full.BankID, full.UTR, full.Status, full.Code = "pout_1", "606109000001", "processed", "00"
	full.Fees, full.Tax, full.FirstSent, full.Sends, full.Asks = money.New(500, inr), money.New(90, inr), start.Add(time.Second), 2, 3
	if !w.movesAttempt(full) {
		w.Error("the next version was refused")
	}
	find("every column", full)
	late := a
	if late.Version = 2; w.movesAttempt(late) {
		w.Error("a version that somebody else had made was overwritten")
	}
	got, _ := named("rzp", "pout_1")
	same(w, "by the bank's name", got, full)
	if _, ok := named("bank2", "pout_1"); ok {
		w.Error("another bank's name was found")
	}
	q, failed := w.sent("q", payout.Waiting)
	failed.State, failed.Version = payout.AttemptFailed, 2
	w.movesAttempt(failed)
	w.do(func(tx engine.Tx) error {
		return errors.Join(tx.InsertPayout(out("r")), tx.InsertPayoutAttempt(order(q.ID, 2)))
	})
	for what, bad := range map[string]func(*payout.Attempt){
		"of no payout":             func(a *payout.Attempt) { a.Payout = "none" },
		"with a reference twice":   func(a *payout.Attempt) { a.Reference = "ref-p-01" },
		"with a bank's name twice": func(a *payout.Attempt) { a.BankID = "pout_1" },
		"with a long reference":    func(a *payout.Attempt) { a.Reference = "12345678901234567890123456789012345678901" },
		"without a reference":      func(a *payout.Attempt) { a.Reference = "" },
		"with a number twice":      func(a *payout.Attempt) { a.Payout, a.N, a.State = q.ID, 2, payout.AttemptFailed },
		"that is nowhere":          func(a *payout.Attempt) { a.State = "LOST" },
		"that left and did not":    func(a *payout.Attempt) { a.FirstSent = time.Time{} },
		"that left at no time":     func(a *payout.Attempt) { a.Sends = 0 },
	} {
		b := order("r", 1)
		bad(&b)
		w.refuses("an attempt "+what, func(tx engine.Tx) error { return tx.InsertPayoutAttempt(b) })
	}
	elsewhere := order("r", 1)
	elsewhere.Bank, elsewhere.Reference, elsewhere.BankID = "bank2", "ref-p-01", "pout_1"
	w.do(func(tx engine.Tx) error { return tx.InsertPayoutAttempt(elsewhere) })
}

// A payout has one attempt that may pay it, or has paid it; the next is made when that has failed.
func onePayingAttempt(w *world) {
	for _, s := range payout.AttemptRules.States() {
		id := string(s)
		p, a := w.sent(id, payout.Sent)
		if a.State, a.Version = s, 2; !w.movesAttempt(a) {
			w.Fatal("not moved")
		}
		next := order(p.ID, 2)
		if insert := func(tx engine.Tx) error { return tx.InsertPayoutAttempt(next) }; s == payout.AttemptFailed {
			w.do(insert)
		} else {
			w.refuses("another attempt beside one that is "+id, insert)
		}
		for _, to := range payout.AttemptRules.States() {
			b := a
			b.State, b.Version = to, 3
			ended := slices.Contains([]payout.AttemptState{payout.AttemptPaid, payout.AttemptFailed, payout.AttemptReturned}, s)
			if ended && s != to && (s != payout.AttemptPaid || to != payout.AttemptReturned) {
				w.refuses(id+" becoming "+string(to), func(tx engine.Tx) error { _, err := tx.UpdatePayoutAttempt(b); return err })
			}
		}
	}
	_, a := w.sent("back", payout.Sent)
	a.State, a.Version = payout.AttemptPaid, 2
	w.movesAttempt(a)
	a.State, a.Version = payout.AttemptReturned, 3
	if !w.movesAttempt(a) {
		w.Error("what was paid could not come back")
	}
}

func duePayouts(w *world) {
	for i, c := range []struct {
		id    string
		state payout.State
		due   time.Duration
	}{
		{"third", payout.Unclear, 3 * time.Hour},
		{"first", payout.Asked, time.Hour},
		{"second", payout.Waiting, 2 * time.Hour},
		{"stuck", payout.Waiting, 0},
		{"paid", payout.Paid, 0},
	} {
		p := out(c.id)
		p.RequestID, p.State, p.DueAt = fmt.Sprint(i), c.state, start.Add(c.due)
		if c.due == 0 {
			p.DueAt = time.Time{}
		}
		if c.state != payout.Asked {
			p.AttemptID, p.Attempts = c.id, 1
		}
		if c.state.Final() {
			p.DoneAt = start
		}
		w.do(func(tx engine.Tx) error { return tx.InsertPayout(p) })
	}
	for _, c := range []struct {
		now   time.Duration
		limit int
		want  []string
	}{
		{time.Hour - time.Microsecond, 9, []string{}},
		{time.Hour, 9, []string{"first"}},
		{9 * time.Hour, 9, []string{"first", "second", "third"}},
		{9 * time.Hour, 2, []string{"first", "second"}},
	} {
		w.look(func(v engine.Reader) error {
			due, err := v.DuePayouts("rzp", start.Add(c.now), c.limit)
			same(w, fmt.Sprint("due after ", c.now), ids(due, payoutID), c.want)
			if other, err := v.DuePayouts("other", start.Add(c.now), c.limit); err != nil || len(other) > 0 {
				w.Errorf("due to another bank: %d, %v", len(other), err)
			}
			next, ok, err2 := v.NextPayout()
			if !ok || !next.Equal(start.Add(time.Hour)) {
				w.Error("the next is due at", next, ok)
			}
			return errors.Join(err, err2)
		})
	}
	oldest := func(bank string, want time.Time, some bool) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			at, ok, err := v.OldestOpenPayout(bank)
			if ok != some || !at.Equal(want) {
				w.Error("the oldest open payout of", bank, "is of", at, ok)
			}
			return err
		})
	}
	old := out("old")
	old.CreatedAt = start.Add(-time.Hour)
	w.do(func(tx engine.Tx) error { return tx.InsertPayout(old) })
	oldest("rzp", old.CreatedAt, true)
	oldest("bank2", time.Time{}, false)
	old.State, old.Version, old.Reason, old.DoneAt, old.DueAt = payout.Refused, 2, payout.Closed, start, time.Time{}
	w.moves(old)
	oldest("rzp", start, true)
	for _, c := range []struct {
		line time.Duration // after which it ended
		want time.Time
	}{{24*time.Hour + time.Microsecond, start}, {24 * time.Hour, old.CreatedAt}, {time.Hour, old.CreatedAt}} {
		bank := fmt.Sprint("bank", c.line)
		ended := old
		ended.ID, ended.RequestID, ended.Bank, ended.Version = "ended-"+bank, bank, bank, 1
		open := out("open-" + bank)
		open.Bank = bank
		w.do(func(tx engine.Tx) error {
			_, err := tx.InsertStatementEntry(engine.StatementEntry{Bank: bank, Known: true, StatementLine: payout.StatementLine{
				ID: "L", At: ended.DoneAt.Add(c.line), Amount: money.New(1, inr), Balance: money.New(1, inr),
			}})
			return errors.Join(err, tx.InsertPayout(ended), tx.InsertPayout(open))
		})
		oldest(bank, c.want, true)
	}
}

func payoutID(p payout.Payout) string { return p.ID }

func unacknowledged(w *world) {
	change := func(id string, s payout.State, change func(*payout.Payout, *payout.Attempt)) {
		w.Helper()
		p, a := out(id), order(id, 1)
		p.State, p.AttemptID, p.Attempts = s, a.ID, 1
		if change != nil {
			change(&p, &a)
		}
		w.do(func(tx engine.Tx) error { return errors.Join(tx.InsertPayout(p), tx.InsertPayoutAttempt(a)) })
	}
	change("later", payout.Unclear, func(_ *payout.Payout, a *payout.Attempt) { a.FirstSent = start.Add(time.Minute) })
	change("lost", payout.Unclear, nil)
	change("crashed", payout.Sent, func(_ *payout.Payout, a *payout.Attempt) { a.FirstSent = start.Add(time.Second) })
	change("withheld", payout.Asked, nil)
	change("not-sent", payout.Asked, func(_ *payout.Payout, a *payout.Attempt) { a.FirstSent, a.Sends = time.Time{}, 0 })
	change("named", payout.Unclear, func(_ *payout.Payout, a *payout.Attempt) { a.BankID = "pout_1" })
	change("open", payout.Unclear, func(_ *payout.Payout, a *payout.Attempt) { a.State = payout.AttemptOpen })
	change("elsewhere", payout.Unclear, func(p *payout.Payout, a *payout.Attempt) { p.Bank, a.Bank = "bank2", "bank2" })
	change("given-up", payout.Unclear, func(p *payout.Payout, a *payout.Attempt) { p.AttemptID, p.Attempts = "given-up-2", 2 })
	for _, c := range []struct {
		before time.Duration
		limit  int
		want   []string
	}{
		{0, 9, []string{}},
		{time.Microsecond, 9, []string{"lost"}},
		{time.Hour, 9, []string{"lost", "crashed", "later"}},
		{time.Hour, 1, []string{"lost"}},
	} {
		w.look(func(v engine.Reader) error {
			list, err := v.UnacknowledgedPayouts("rzp", start.Add(c.before), c.limit)
			same(w, fmt.Sprint("unacknowledged before ", c.before), ids(list, payoutID), c.want)
			return err
		})
	}
}

func statements(w *world) {
	_, a := w.sent("p", payout.Sent)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	line := func(id string, d time.Duration, minor int64, change func(*engine.StatementEntry)) engine.StatementEntry {
		s := engine.StatementEntry{
			StatementLine: payout.StatementLine{
				ID: id, At: at(d), Amount: money.New(minor, inr), Balance: money.New(100_000, inr), Kind: "payout", Reference: "606109000001",
			},
			Bank: "rzp", Known: true,
		}
		if change != nil {
			change(&s)
		}
		return s
	}
	insert := func(s engine.StatementEntry) (mine bool) {
		w.Helper()
		w.do(func(tx engine.Tx) (err error) { mine, err = tx.InsertStatementEntry(s); return err })
		return mine
	}
	look := func(bank string, last time.Duration, some bool, unknown int64, ids ...string) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			newest, ok, err := v.LastStatement(bank)
			if ok != some || ok && !newest.Equal(at(last)) {
				w.Error("the newest line of", bank, "is of", newest, ok)
			}
			n, err2 := v.UnknownStatementEntries(bank)
			same(w, "unknown lines of "+bank, n, unknown)
			for _, id := range []string{"L1", "L2", "L3"} {
				has, err3 := v.HasStatementEntry(bank, id)
				if has != slices.Contains(ids, id) {
					w.Error(bank, "has", id, has)
				}
				err = errors.Join(err, err3)
			}
			return errors.Join(err, err2)
		})
	}
	look("rzp", 0, false, 0)
	ours := func(s *engine.StatementEntry) { s.BankID, s.Attempt = "pout_1", a.ID }
	if !insert(line("L1", time.Hour, -12_550, ours)) {
		w.Error("a first line was refused")
	}
	if insert(line("L1", 9*time.Hour, 5, nil)) {
		w.Error("a line was taken twice")
	}
	insert(line("L2", time.Minute, 5_000, nil))
	insert(line("L3", 2*time.Minute, -1, func(s *engine.StatementEntry) { s.BankID, s.Known = "pout_x", false }))
	insert(line("L1", 2*time.Hour, 5, func(s *engine.StatementEntry) { s.Bank = "bank2" }))
	look("rzp", time.Hour, true, 1, "L1", "L2", "L3")
	look("bank2", 2*time.Hour, true, 0, "L1")
	look("bank3", 0, false, 0)
	unknown := engine.Case{ID: "payout-unknown-debit/rzp/L3", Kind: "payout-unknown-debit", At: start}
	w.do(func(tx engine.Tx) error { return tx.OpenCase(unknown) })
	look("rzp", time.Hour, true, 1, "L1", "L2", "L3")
	w.do(func(tx engine.Tx) error { // a person has seen to it
		_, err := tx.CloseCase(unknown.ID, "moved to the other account", start)
		return err
	})
	look("rzp", time.Hour, true, 0, "L1", "L2", "L3")
	for what, bad := range map[string]func(*engine.StatementEntry){
		"of no attempt":         func(s *engine.StatementEntry) { s.Attempt, s.BankID = "none", "pout_2" },
		"of ours and unknown":   func(s *engine.StatementEntry) { s.Attempt, s.BankID, s.Known = a.ID, "pout_1", false },
		"of ours without order": func(s *engine.StatementEntry) { s.Attempt = a.ID },
	} {
		w.refuses("a line "+what, func(tx engine.Tx) error { _, err := tx.InsertStatementEntry(line("L9", 0, 1, bad)); return err })
	}
}

func floats(w *world) {
	look := func(what, bank, currency string, want int64, still bool) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			minor, quiet, err := v.FloatBalance(bank, currency)
			if minor != want || quiet != still {
				w.Errorf("%s: %s holds %d %s, quiet=%t", what, bank, minor, currency, quiet)
			}
			return err
		})
	}
	look("nothing", "rzp", "INR", 0, true)
	w.do(func(tx engine.Tx) error {
		err := tx.Post(event("account/rzp", 1), ledger.Funded("rzp", money.New(50_000, inr)))
		return errors.Join(err, tx.Post(event("p", 1), []ledger.Posting{ledger.TakenOn("P", money.New(12_550, inr))}),
			tx.Post(event("p", 2), append(ledger.PayoutCost("rzp", money.New(500, inr), money.New(90, inr)),
				ledger.PaidOut("P", "rzp", money.New(12_550, inr)))))
	})
	look("paid out", "rzp", "INR", 50_000-12_550-590, true)
	look("another currency", "rzp", "USD", 0, true)
	look("another bank", "bank2", "INR", 0, true)
	for _, s := range payout.Rules.States() {
		p := out(string(s))
		p.Bank, p.State, p.AttemptID, p.Attempts = string(s), s, "a", 1
		if s.Final() {
			p.DoneAt, p.DueAt = start, time.Time{}
		}
		switch s {
		case payout.Refused:
			p.Reason = payout.Closed
		case payout.Returned:
			p.BackAt = start
		case payout.Reviewed:
			p.AttemptID, p.Attempts = "", 0
		}
		w.do(func(tx engine.Tx) error { return tx.InsertPayout(p) })
		moving := slices.Contains([]payout.State{payout.Sent, payout.Unclear, payout.Deemed, payout.Reversing}, s)
		look(string(s), p.Bank, "INR", 0, !moving)
	}
	got, err := w.Store.(interface {
		Balances(context.Context) ([]store.Balance, error)
	}).Balances(context.Background())
	w.must(err)
	same(w, "balances", got, []store.Balance{
		{Account: "google:receivable", Owner: "P", Currency: "INR", Amount: 12_550},
		{Account: "payout:inflight", Owner: "P", Currency: "INR", Amount: 0},
		{Account: "bank:settlement", Owner: "rzp", Currency: "INR", Amount: -50_000},
		{Account: "fee:rail", Owner: "rzp", Currency: "INR", Amount: 500},
		{Account: "payout:float", Owner: "rzp", Currency: "INR", Amount: 50_000 - 12_550 - 590},
		{Account: "tax:input", Owner: "rzp", Currency: "INR", Amount: 90},
	})
}
