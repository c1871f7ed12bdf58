package storetest

import (
	"errors"
	"strings"
	"time"

	"naru/core/deposit"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
)

func credits(w *world) {
	x := came("x")
	x.Virtual, x.Rule, x.Trouble, x.Inputs, x.RetryUntil = "700", "6", deposit.NoOrder, "amount=50000", start.Add(time.Minute)
	w.comes(x)
	find := func(what string, want deposit.Credit) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			byID, _, err1 := v.Credit("x")
			same(w, what, byID, want)
			byBank, _, err2 := v.CreditByBankID("004", "100200300400", "KB-x")
			same(w, what+" by the bank's id", byBank, want)
			_, other, err3 := v.CreditByBankID("088", "100200300400", "KB-x")
			_, none, err4 := v.Credit("KB-x")
			if other || none {
				w.Error("what is not there was found", other, none)
			}
			return errors.Join(err1, err2, err3, err4)
		})
	}
	find("fresh", x)
	w.wants("o", nil)
	held := x
	held.Version, held.Suspect, held.Rule, held.Trouble, held.Inputs, held.RetryUntil = 2, "o", "4", deposit.NameMismatch, "more", time.Time{}
	held.Chain = deposit.Chain{Length: 2, Digest: []byte{9, 9}}
	late, skipped := x, held
	if skipped.Version = 3; w.movesCredit(skipped) {
		w.Error("a version was skipped")
	}
	if !w.movesCredit(held) {
		w.Error("the next version was refused")
	}
	if late.Version = 2; w.movesCredit(late) {
		w.Error("a version that somebody else had made was overwritten")
	}
	find("every column", held)

	w.do(func(tx engine.Tx) error { return tx.InsertPayout(out("p")) })
	back := held
	back.State, back.Version, back.Suspect, back.Payout = deposit.GoingBack, 3, "", "p"
	if !w.movesCredit(back) {
		w.Error("it could not go back")
	}
	find("going back", back)
	back.State, back.Version, back.Payout = deposit.Unmatched, 4, ""
	if !w.movesCredit(back) {
		w.Error("what was not given back is not nobody's")
	}

	for what, bad := range map[string]func(*deposit.Credit){
		"that came before":             func(x *deposit.Credit) { x.BankID = "KB-x" },
		"of nothing":                   func(x *deposit.Credit) { x.Amount = won(0) },
		"in no state":                  func(x *deposit.Credit) { x.State = "LOST" },
		"in no trouble there is":       func(x *deposit.Credit) { x.Trouble = "BORED" },
		"matched with nothing":         func(x *deposit.Credit) { x.State = deposit.Matched },
		"of an order, and nobody's":    func(x *deposit.Credit) { x.Order = "o" },
		"of no order there is":         func(x *deposit.Credit) { x.State, x.Order = deposit.Matched, "none" },
		"suspecting no order there is": func(x *deposit.Credit) { x.Suspect = "none" },
		"going back by nothing":        func(x *deposit.Credit) { x.State = deposit.GoingBack },
		"going back by no payout":      func(x *deposit.Credit) { x.State, x.Payout = deposit.GoingBack, "none" },
		"given back, and nobody's":     func(x *deposit.Credit) { x.Payout = "p" },
		"reversed, and to be claimed":  func(x *deposit.Credit) { x.State, x.RetryUntil = deposit.Reversed, start },
		"reversed, and suspecting":     func(x *deposit.Credit) { x.State, x.Suspect = deposit.Reversed, "o" },
		"whose bank told of no sender": func(x *deposit.Credit) { x.Sender = nil },
	} {
		x := came("bad")
		bad(&x)
		w.refuses("a credit "+what, func(tx engine.Tx) error { return tx.InsertCredit(x) })
	}
	for what, free := range map[string]func(*deposit.Credit){
		"another account": func(x *deposit.Credit) { x.Account, x.BankID = "100200300401", "KB-x" },
		"another bank":    func(x *deposit.Credit) { x.Bank, x.BankID = "088", "KB-x" },
	} {
		x := came("on " + what)
		free(&x)
		if err := w.Update(w.Context(), func(tx engine.Tx) error { return tx.InsertCredit(x) }); err != nil {
			w.Error("a credit on", what, err)
		}
	}
}

func openCredits(w *world) {
	w.wants("o", nil)
	w.wants("p", nil)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	made := func(id string, received time.Duration, change func(*deposit.Credit)) {
		w.Helper()
		x := came(id)
		x.ReceivedAt, x.BookedAt = at(received), at(received)
		if change != nil {
			change(&x)
		}
		w.comes(x)
	}
	claim := func(d time.Duration) func(*deposit.Credit) {
		return func(x *deposit.Credit) { x.RetryUntil = at(d) }
	}
	made("third", 3*time.Minute, claim(time.Hour))
	made("first", time.Minute, claim(2*time.Hour))
	made("held", 2*time.Minute, func(x *deposit.Credit) { x.Suspect = "o" })
	made("held-too", 4*time.Minute, func(x *deposit.Credit) { x.Suspect = "o" })
	made("matched", 5*time.Minute, func(x *deposit.Credit) { x.State, x.Order, x.Amount = deposit.Matched, "p", won(100) })
	made("gone", 6*time.Minute, func(x *deposit.Credit) { x.State = deposit.Reversed })
	made("less", 7*time.Minute, func(x *deposit.Credit) { x.Amount, x.RetryUntil = won(49_999), at(time.Hour) })
	made("elsewhere", 8*time.Minute, func(x *deposit.Credit) { x.Receiver, x.Account, x.RetryUntil = "sh", "900", at(time.Hour) })
	w.foundCredits("open", []string{"first", "held", "third", "held-too", "less", "elsewhere"},
		func(v engine.Reader) ([]deposit.Credit, error) { return v.Credits(true, 9) })
	w.foundCredits("all", []string{"first", "held", "third", "held-too", "matched"},
		func(v engine.Reader) ([]deposit.Credit, error) { return v.Credits(false, 5) })
	w.foundCredits("the oldest", []string{"first"}, func(v engine.Reader) ([]deposit.Credit, error) { return v.Credits(true, 1) })
	w.foundCredits("suspecting", []string{"held", "held-too"},
		func(v engine.Reader) ([]deposit.Credit, error) { return v.CreditsSuspecting("o") })
	w.foundCredits("suspecting another", []string{}, func(v engine.Reader) ([]deposit.Credit, error) { return v.CreditsSuspecting("p") })
	for now, want := range map[time.Duration][]string{
		time.Hour: {"first", "third"}, time.Hour + time.Microsecond: {"first"}, 2 * time.Hour: {"first"}, 3 * time.Hour: {},
	} {
		w.foundCredits("waiting after "+now.String(), want, func(v engine.Reader) ([]deposit.Credit, error) {
			return v.WaitingCredits("kb", won(50_000), at(now))
		})
	}
	w.foundCredits("waiting dollars", []string{}, func(v engine.Reader) ([]deposit.Credit, error) {
		return v.WaitingCredits("kb", money.New(50_000, usd), start)
	})
	for since, want := range map[time.Duration]int64{ // without what was taken back
		0: 4*50_000 + 100 + 49_999, 3 * time.Minute: 2*50_000 + 100 + 49_999, 5 * time.Minute: 100 + 49_999, time.Hour: 0,
	} {
		w.look(func(v engine.Reader) error {
			got, err := v.Received("kb", at(since))
			same(w, "received since "+since.String(), got, want)
			return err
		})
	}
}

func bankEntries(w *world) {
	w.comes(came("x"))
	w.do(func(tx engine.Tx) error { return tx.InsertPayout(out("p")) })
	b := engine.BankEntry{
		Bank: "004", Account: "100200300400", ID: "KB-1", Amount: won(50_000), Receiver: "kb", Credit: "x", Message: "m", Notified: true,
		Day: "20260302", At: start,
	}
	insert := func(b engine.BankEntry) (mine bool) {
		w.Helper()
		w.do(func(tx engine.Tx) (err error) { mine, err = tx.InsertBankEntry(b); return err })
		return mine
	}
	get := func(bank, account, id string, debit bool) (b engine.BankEntry, ok bool) {
		w.Helper()
		w.look(func(v engine.Reader) (err error) { b, ok, err = v.BankEntry(bank, account, id, debit); return err })
		return b, ok
	}
	if !insert(b) {
		w.Error("a first booking was refused")
	}
	twice := b
	if twice.Amount, twice.Message = won(1), "m2"; insert(twice) {
		w.Error("a booking was taken twice")
	}
	got, _ := get("004", "100200300400", "KB-1", false)
	same(w, "booking", got, b)
	for _, other := range []engine.BankEntry{
		{Bank: "004", Account: "100200300400", ID: "KB-1", Debit: true, Original: "KB-0", Payout: "p"},
		{Bank: "088", Account: "100200300400", ID: "KB-1"},
		{Bank: "004", Account: "100200300401", ID: "KB-1"},
		{Bank: "004", Account: "100200300400", ID: "KB-2", Original: "KB-9"},
	} {
		if _, there := get(other.Bank, other.Account, other.ID, other.Debit); there {
			w.Error("found before it came")
		}
		other.Amount, other.Receiver, other.Message, other.Stated, other.Day, other.At = won(7), "kb", "m", true, "20260302", start
		if !insert(other) {
			w.Errorf("%+v is another booking", other)
		}
		got, _ := get(other.Bank, other.Account, other.ID, other.Debit)
		same(w, "other booking", got, other)
	}
	w.look(func(v engine.Reader) error {
		back, ok, err := v.ReversalOf("004", "100200300400", "KB-0")
		if !ok || back.ID != "KB-1" || !back.Debit {
			w.Error("no reversal", back, ok)
		}
		_, ofCredit, err2 := v.ReversalOf("004", "100200300400", "KB-9") // that is a debit which came back
		_, ofNone, err3 := v.ReversalOf("004", "100200300400", "")
		if ofCredit || ofNone {
			w.Error("what takes nothing back does", ofCredit, ofNone)
		}
		return errors.Join(err, err2, err3)
	})
	untold := func(day string, want ...string) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.UntoldEntries("004", "100200300400", day)
			same(w, "untold "+day, ids(list, func(b engine.BankEntry) string { return b.ID }), append([]string{}, want...))
			return err
		})
	}
	early := b
	early.ID, early.Credit, early.At = "KB-3", "", start.Add(-time.Minute)
	insert(early)
	untold("20260302", "KB-3", "KB-1")
	untold("20260303")
	b.Stated = true
	w.do(func(tx engine.Tx) error { return tx.UpdateBankEntry(b) })
	got, _ = get("004", "100200300400", "KB-1", false)
	same(w, "told again", got, b)
	untold("20260302", "KB-3")
	none := b
	none.ID = "none"
	w.refuses("telling of no booking", func(tx engine.Tx) error { return tx.UpdateBankEntry(none) })
	b.Stated = false
	w.refuses("what was told becoming untold", func(tx engine.Tx) error { return tx.UpdateBankEntry(b) })
	for what, bad := range map[string]func(*engine.BankEntry){
		"of nothing":            func(b *engine.BankEntry) { b.Amount = won(0) },
		"that nobody told":      func(b *engine.BankEntry) { b.Notified = false },
		"of no credit there is": func(b *engine.BankEntry) { b.Credit = "none" },
		"of no payout there is": func(b *engine.BankEntry) { b.Credit, b.Payout = "", "none" },
		"of both":               func(b *engine.BankEntry) { b.Payout = "p" },
		"of no day":             func(b *engine.BankEntry) { b.Day = "" },
	} {
		x := early
		x.ID, x.Credit = "bad", "x"
		bad(&x)
		w.refuses("a booking "+what, func(tx engine.Tx) error { _, err := tx.InsertBankEntry(x); return err })
	}
}

func bankMessages(w *world) {
	m := engine.BankMessage{
		Feed: "kb-main", ID: "m", Kind: deposit.Notification, Digest: strings.Repeat("0a", 32), Entries: 3, Accepted: 1, Repeated: 2, At: start,
	}
	insert := func(m engine.BankMessage) (mine bool) {
		w.Helper()
		w.do(func(tx engine.Tx) (err error) { mine, err = tx.InsertBankMessage(m); return err })
		return mine
	}
	get := func(feed string, k deposit.MessageKind, id string) (m engine.BankMessage, ok bool) {
		w.Helper()
		w.look(func(v engine.Reader) (err error) { m, ok, err = v.BankMessage(feed, k, id); return err })
		return m, ok
	}
	if _, there := get("kb-main", deposit.Notification, "m"); there || !insert(m) {
		w.Error("a first message was refused")
	}
	again := m
	if again.Digest = strings.Repeat("0b", 32); insert(again) {
		w.Error("a message was taken twice")
	}
	got, _ := get("kb-main", deposit.Notification, "m")
	same(w, "message", got, m)
	for _, k := range []deposit.MessageKind{deposit.Statement, deposit.Push} {
		other := m
		if other.Kind = k; !insert(other) {
			w.Errorf("a %s is another message", k)
		}
	}
	other := m
	if other.Feed = "sh-main"; !insert(other) {
		w.Error("another feed's is another message")
	}
	for what, bad := range map[string]func(*engine.BankMessage){
		"of no kind":              func(m *engine.BankMessage) { m.Kind = "RUMOUR" },
		"with a broken digest":    func(m *engine.BankMessage) { m.Digest = "x" },
		"of which more was taken": func(m *engine.BankMessage) { m.Accepted = 2 },
	} {
		m := m
		m.ID = "bad"
		bad(&m)
		w.refuses("a message "+what, func(tx engine.Tx) error { _, err := tx.InsertBankMessage(m); return err })
	}

	sequence := func(account string, want int64, some bool) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			seq, ok, err := v.LastSequence("004", account)
			if seq != want || ok != some {
				w.Error("the last sequence number of", account, "is", seq, ok)
			}
			return err
		})
	}
	sequence("100", 0, false)
	for _, n := range []int64{3, 4} {
		w.do(func(tx engine.Tx) error { return tx.PutSequence("004", "100", n) })
		sequence("100", n, true)
	}
	sequence("101", 0, false)
}

func merchantBalance(w *world) {
	look := func(a ledger.Account, in money.Currency, want int64) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.Balance(a, in)
			same(w, a.String()+" "+in.Code(), got, want)
			return err
		})
	}
	payable := ledger.Account{Kind: ledger.MerchantPayable, Owner: "M"}
	look(payable, krw, 0)
	p := payout.Payout{Purpose: payout.ForMerchant, Account: "M", Bank: "kb", Amount: won(20_000), Fee: won(500)}
	w.do(func(tx engine.Tx) error {
		return errors.Join(
			tx.Post(event("x", 1), []ledger.Posting{ledger.CreditArrived("kb", won(50_000))}),
			tx.Post(event("o", 1), ledger.Deposited("kb", "M", won(50_000), won(400))),
			tx.Post(event("p", 1), []ledger.Posting{p.TakenOn()}),
			tx.Post(event("o", 2), []ledger.Posting{ledger.DepositTakenBack("kb", "M", won(50_000))}))
	})
	look(payable, krw, 50_000-(50_000-400-20_500))
	look(payable, usd, 0)
	look(ledger.Account{Kind: ledger.MerchantPayable, Owner: "M2"}, krw, 0)
	look(ledger.Account{Kind: ledger.PayoutInFlight, Owner: "M"}, krw, -20_500)
	look(ledger.Account{Kind: ledger.DepositUnmatched, Owner: "kb"}, krw, 0)
	for what, bad := range map[string]ledger.Posting{
		"from a merchant to another's": {
			Debit: ledger.Account{Kind: ledger.MerchantPayable, Owner: "M"}, Credit: ledger.Account{Kind: ledger.PayoutInFlight, Owner: "M2"},
		},
		"from a merchant to what is nobody's": {
			Debit: ledger.Account{Kind: ledger.MerchantPayable, Owner: "M"}, Credit: ledger.Account{Kind: ledger.DepositUnmatched, Owner: "kb"},
		},
		"from a bank to a merchant": {
			Debit: ledger.Account{Kind: ledger.BankCollection, Owner: "kb"}, Credit: ledger.Account{Kind: ledger.MerchantPayable, Owner: "M"},
		},
	} {
		bad.Amount = won(1)
		w.refuses("money "+what, func(tx engine.Tx) error { return tx.Post(event("bad", 1), []ledger.Posting{bad}) })
	}
}
