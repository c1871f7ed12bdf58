package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"naru/core/payout"
	"naru/engine"
	"naru/store"
)

// transfer is a merchant's payout that was taken on.
func transfer(id string) engine.MerchantPayout {
	p := out(id)
	p.Purpose, p.Account, p.Bank, p.RequestID, p.Amount, p.Fee, p.Limit = payout.ForMerchant, "M", "kb", "c-"+id, won(20_000), won(500), won(0)
	return engine.MerchantPayout{Payout: p, Number: "PM-" + id, Service: "SVC0004", NotifyURL: "https://m.example/n", SignType: "HMAC"}
}

func (w *world) transfers(m engine.MerchantPayout) {
	w.Helper()
	w.do(func(tx engine.Tx) error { return errors.Join(tx.InsertPayout(m.Payout), tx.InsertMerchantPayout(m)) })
}

func merchantPayouts(w *world) {
	m := transfer("m")
	m.State, m.DueAt = payout.Reviewed, time.Time{}
	w.transfers(m)
	w.do(func(tx engine.Tx) error { return tx.InsertPayout(out("p")) })
	find := func(what string, want engine.MerchantPayout) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			byID, _, err1 := v.MerchantPayout("m")
			same(w, what, byID, want)
			byClient, _, err2 := v.MerchantPayoutByClient("M", "c-m")
			same(w, what+" by its merchant's number", byClient, want)
			alone, _, err3 := v.Payout("m")
			same(w, what+" as any payout", alone, want.Payout)
			_, other, err4 := v.MerchantPayoutByClient("M2", "c-m")
			_, googles, err5 := v.MerchantPayout("p")
			if other || googles {
				w.Error("what is not there was found", other, googles)
			}
			return errors.Join(err1, err2, err3, err4, err5)
		})
	}
	find("under review", m)
	m.State, m.Version, m.ChangedAt, m.DoneAt = payout.Cancelled, 2, start.Add(time.Hour), start.Add(time.Hour)
	if !w.moves(m.Payout) {
		w.Error("it could not be cancelled")
	}
	find("cancelled", m)
	for what, bad := range map[string]func(*engine.MerchantPayout){
		"with a number twice":      func(m *engine.MerchantPayout) { m.Number = "PM-m" },
		"with a merchant's twice":  func(m *engine.MerchantPayout) { m.RequestID = "c-m" },
		"for nobody":               func(m *engine.MerchantPayout) { m.Purpose = "FUN" },
		"for Google with a fee":    func(m *engine.MerchantPayout) { m.Purpose = payout.ForGoogle },
		"with a fee below nothing": func(m *engine.MerchantPayout) { m.Fee = won(-1) },
		"under review, and sent":   func(m *engine.MerchantPayout) { m.State, m.AttemptID, m.Attempts = payout.Reviewed, "a", 1 },
		"cancelled, and not done":  func(m *engine.MerchantPayout) { m.State, m.DueAt = payout.Cancelled, time.Time{} },
		"cancelled for a reason":   func(m *engine.MerchantPayout) { m.State, m.DoneAt, m.Reason = payout.Cancelled, start, payout.Closed },
		"that is no payout":        func(m *engine.MerchantPayout) { m.ID = "" },
		"that began at no time":    func(m *engine.MerchantPayout) { m.ChangedAt = time.Time{} },
	} {
		bent := transfer("bad")
		bad(&bent)
		w.refuses("a merchant's payout "+what, func(tx engine.Tx) error {
			if bent.ID == "" {
				return tx.InsertMerchantPayout(bent)
			}
			return errors.Join(tx.InsertPayout(bent.Payout), tx.InsertMerchantPayout(bent))
		})
	}
	for i, why := range []payout.Reason{
		payout.NoAccount, payout.OtherName, payout.NoBank, payout.NotPermitted, payout.BankLimit, payout.Compliance, payout.Declined,
	} { // the schema knows what Korean banks say
		m := transfer(fmt.Sprint("r", i))
		m.State, m.Reason, m.DoneAt, m.DueAt = payout.Refused, why, start, time.Time{}
		w.transfers(m)
	}
}

func payoutPages(w *world) {
	for i, id := range []string{"a", "b", "c", "d", "other"} {
		m := transfer(id)
		m.CreatedAt = start.Add(time.Duration(i) * time.Hour)
		switch id {
		case "d":
			m.State, m.AttemptID, m.Attempts = payout.Unclear, "d-1", 1
		case "other":
			m.Account = "M2"
		}
		w.transfers(m)
	}
	back := out("back") // it goes back to its sender: no merchant's
	back.Purpose, back.Account = payout.ForSender, "M"
	w.do(func(tx engine.Tx) error { return tx.InsertPayout(back) })
	for what, c := range pages {
		w.look(func(v engine.Reader) error {
			list, total, err := v.MerchantPayouts(c.page)
			same(w, what, ids(list, func(m engine.MerchantPayout) string { return m.ID }), c.want)
			same(w, what+", in all", total, c.total)
			return err
		})
	}
}

func registrations(w *world) {
	r := engine.Registration{Merchant: "M", User: "u", Payer: []byte{1, 2}, Bank: "088", At: start}
	get := func(merchant, user string) (r engine.Registration, ok bool) {
		w.Helper()
		w.look(func(v engine.Reader) (err error) { r, ok, err = v.Registration(merchant, user); return err })
		return r, ok
	}
	if _, there := get("M", "u"); there {
		w.Error("registered before it was")
	}
	other := r
	other.Merchant = "M2"
	w.do(func(tx engine.Tx) error { return errors.Join(tx.PutRegistration(r), tx.PutRegistration(other)) })
	got, _ := get("M", "u")
	same(w, "registration", got, r)
	if _, there := get("M", "u2"); there {
		w.Error("somebody else is registered")
	}
	again := r
	again.Payer = []byte{3}
	w.refuses("a payer who says otherwise", func(tx engine.Tx) error { return tx.PutRegistration(again) })
}

func pauses(w *world) {
	list := func() (list []engine.Pause) {
		w.Helper()
		w.look(func(v engine.Reader) (err error) { list, err = v.Pauses(); return err })
		return list
	}
	set := func(what string, want bool, do func(engine.Tx) (bool, error)) {
		w.Helper()
		w.do(func(tx engine.Tx) error {
			got, err := do(tx)
			same(w, what, got, want)
			return err
		})
	}
	r := engine.Pause{Receiver: "r", Note: "maintenance", Since: start}
	later := engine.Pause{Receiver: "r", Note: "other", Since: start.Add(time.Hour)}
	set("paused", true, func(tx engine.Tx) (bool, error) { return tx.PutPause(r) })
	set("paused twice", false, func(tx engine.Tx) (bool, error) { return tx.PutPause(later) })
	same(w, "pauses", list(), []engine.Pause{r})
	set("resumed", true, func(tx engine.Tx) (bool, error) { return tx.DeletePause("r") })
	set("resumed twice", false, func(tx engine.Tx) (bool, error) { return tx.DeletePause("r") })
	same(w, "no pauses", len(list()), 0)
}

func merchantKeys(w *world) {
	key := func(id string, at time.Duration, p engine.KeyPurpose) engine.MerchantKey {
		return engine.MerchantKey{ID: id, Merchant: "M", Purpose: p, Sealed: []byte(id), CreatedAt: start.Add(at)}
	}
	first, second := key("first", 0, engine.SigningKey), key("second", time.Minute, engine.SigningKey)
	third, other := key("third", 2*time.Minute, engine.QueryToken), key("other", 0, engine.WebhookKey)
	other.Merchant, third.EndsAt = "M2", start.Add(time.Hour)
	for _, k := range []engine.MerchantKey{second, first, third, other} {
		w.do(func(tx engine.Tx) error { return tx.InsertMerchantKey(k) })
	}
	keys := func(want ...engine.MerchantKey) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.MerchantKeys("M")
			same(w, "keys", list, want)
			return err
		})
	}
	end := func(merchant, id string, at time.Duration) (ok bool) {
		w.Helper()
		w.do(func(tx engine.Tx) (err error) { ok, err = tx.EndMerchantKey(merchant, id, start.Add(at)); return err })
		return ok
	}
	keys(third, second, first)
	if !end("M", "first", 2*time.Hour) || !end("M", "first", time.Hour) {
		w.Error("a key was not ended")
	}
	if end("M", "first", 3*time.Hour) || end("M", "first", time.Hour) || end("M", "none", 0) || end("M2", "first", 0) {
		w.Error("a life became longer, or another's key was ended")
	}
	first.EndsAt = start.Add(time.Hour)
	keys(third, second, first)
	w.refuses("a key twice", func(tx engine.Tx) error { return tx.InsertMerchantKey(first) })
	w.refuses("a key for nothing", func(tx engine.Tx) error { return tx.InsertMerchantKey(key("bad", 0, "fun")) })
}

// What a merchant does not take is no operator's case; it is tried anew when somebody asks for that, and every try is kept.
func merchantNotices(w *world) {
	box, ctx := w.owed(), context.Background()
	told := func(id, subject string, at time.Duration, k engine.NoticeKind) engine.Notice {
		n := engine.Notice{
			ID: id, Kind: k, Account: "M", Subject: subject, Result: "PAID", CreatedAt: start.Add(at), Facts: engine.Facts{OwnID: "o"},
		}
		w.do(func(tx engine.Tx) error { return tx.InsertNotice(n) })
		return n
	}
	paid := told("paid", "PM1/PAID", 0, engine.DepositResult)
	back := told("back", "PM1/TAKEN_BACK", time.Hour, engine.DepositResult)
	sent := told("sent", "POT1/SUCCEEDED", 2*time.Hour, engine.TransferResult)
	told("far", "PM10/PAID", 3*time.Hour, engine.DepositResult)
	told("google", "PM1/x", 4*time.Hour, engine.CaptureResult)
	w.do(func(tx engine.Tx) error {
		n := notice("else")
		n.Kind = engine.DepositResult
		return tx.InsertNotice(n)
	})
	all, none := time.Time{}, time.Time{}
	for what, c := range map[string]struct {
		from, until   time.Time
		subject       string
		offset, limit int64
		want          []string
	}{
		"all":           {all, none, "", 0, 9, []string{"far", "sent", "back", "paid"}},
		"a part":        {all, none, "", 1, 2, []string{"sent", "back"}},
		"from":          {start.Add(time.Hour), none, "", 0, 9, []string{"far", "sent", "back"}},
		"until":         {all, start.Add(time.Hour), "", 0, 9, []string{"paid"}},
		"a number":      {all, none, "PM1", 0, 9, []string{"back", "paid"}},
		"one state":     {all, none, "PM1/PAID", 0, 9, []string{"paid"}},
		"no such thing": {all, none, "PM", 0, 9, []string{}},
	} {
		w.look(func(v engine.Reader) error {
			list, err := v.NoticesOf("M", c.from, c.until, c.subject, c.offset, c.limit)
			same(w, what, ids(list, func(n engine.NoticeLog) string { return n.ID }), c.want)
			return err
		})
	}
	try := func(id string, n int, s engine.NoticeState) engine.NoticeTry {
		w.Helper()
		t := engine.NoticeTry{
			Notice: id, N: n, At: start.Add(time.Duration(n) * time.Second), Status: 500, Outcome: "error", Took: time.Millisecond, State: s,
			Due: start.Add(time.Hour),
		}
		w.must(box.RecordTry(ctx, t))
		t.State, t.Due = "", time.Time{} // of these, a log has the notice's own
		return t
	}
	resend := func(id string, at time.Duration) (ok bool) {
		w.Helper()
		w.do(func(tx engine.Tx) (err error) { ok, err = tx.ResendNotice(id, start.Add(at)); return err })
		return ok
	}
	log := func(n engine.Notice, s engine.NoticeState, due time.Duration, tries ...engine.NoticeTry) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			list, err := v.NoticesOf("M", all, none, n.Subject, 0, 9)
			same(w, "log", list, []engine.NoticeLog{{Notice: n, State: s, Due: start.Add(due), Tries: tries}})
			return err
		})
	}
	due := func(id string, tries int) {
		w.Helper()
		list, err := box.DueNotices(ctx, start.Add(24*time.Hour), 99)
		w.must(err)
		for _, n := range list {
			if n.ID == id && n.Tries == tries {
				return
			}
		}
		w.Errorf("%s is not due after %d tries: %+v", id, tries, list)
	}
	if resend("paid", 0) || resend("none", 0) {
		w.Error("what is on its way, or nowhere, was sent again")
	}
	one, two := try("paid", 1, engine.NoticeQueued), try("paid", 2, engine.NoticeParked)
	log(paid, engine.NoticeParked, time.Hour, one, two)
	w.look(func(v engine.Reader) error {
		list, err := v.Cases(false, 9)
		same(w, "cases", len(list), 0)
		return err
	})
	backlog, err := w.Store.(interface {
		Backlog(context.Context) (store.Backlog, error)
	}).Backlog(ctx)
	w.must(err)
	same(w, "backlog", backlog, store.Backlog{Notices: 5, Unheard: 1, OldestNotice: start})
	if !resend("paid", 5*time.Minute) || resend("paid", 0) {
		w.Error("what was given up is sent again once")
	}
	log(paid, engine.NoticeQueued, 5*time.Minute, one, two)
	due("paid", 0)
	three := try("paid", 1, engine.NoticeQueued)
	three.N = 3
	due("paid", 1)
	if err := box.RecordTry(ctx, engine.NoticeTry{Notice: "paid", N: 1, At: start, State: engine.NoticeSent, Due: start}); err == nil {
		w.Error("one attempt was written down twice")
	}
	four := try("paid", 2, engine.NoticeSent)
	four.N = 4
	log(paid, engine.NoticeSent, time.Hour, one, two, three, four)
	if !resend("paid", 6*time.Minute) {
		w.Error("what was delivered is not sent again")
	}
	five := try("paid", 1, engine.NoticeSent)
	five.N = 5
	log(paid, engine.NoticeSent, time.Hour, one, two, three, four, five)
	log(back, engine.NoticeQueued, time.Hour)
	log(sent, engine.NoticeQueued, 2*time.Hour)
}
