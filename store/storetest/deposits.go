package storetest

import (
	"errors"
	"fmt"
	"time"

	"naru/core/deposit"
	"naru/core/money"
	"naru/engine"
)

func won(minor int64) money.Amount { return money.New(minor, krw) }

// wish is a deposit order that waits for its transfer.
func wish(id string) deposit.Order {
	return deposit.Order{
		ID: id, Number: "PM-" + id, Link: "link-" + id, Merchant: "M", Service: "SVC0026", ClientID: "c-" + id, State: deposit.Waiting,
		Version: 1, Amount: won(50_000), Display: won(50_000), Real: won(0), Fee: won(0),
		Receiver:  deposit.Receiver{Account: "kb", Bank: "004", Number: "100200300400", Holder: "Naru"},
		CreatedAt: start, ExpiresAt: start.Add(10 * time.Minute), ChangedAt: start, DueAt: start.Add(11 * time.Minute),
		Chain: deposit.Chain{Length: 1, Digest: []byte{7}},
	}
}

// came is a credit that is nobody's yet.
func came(id string) deposit.Credit {
	return deposit.Credit{
		ID: id, Receiver: "kb", Bank: "004", Account: "100200300400", BankID: "KB-" + id, Feed: "kb-main", Message: "m-" + id,
		State: deposit.Unmatched, Version: 1, Amount: won(50_000), Sender: []byte{1, 2}, BookedAt: start, ReceivedAt: start,
		Chain: deposit.Chain{Length: 1, Digest: []byte{8}},
	}
}

// wishes writes an order and reports whether nothing of it was taken.
func (w *world) wishes(o deposit.Order, name []byte) (mine bool) {
	w.Helper()
	w.do(func(tx engine.Tx) (err error) { mine, err = tx.InsertOrder(o, name); return err })
	return mine
}

// wants writes an order, changed from a usual one, that must be new.
func (w *world) wants(id string, change func(*deposit.Order)) deposit.Order {
	w.Helper()
	o := wish(id)
	if change != nil {
		change(&o)
	}
	if !w.wishes(o, nil) {
		w.Fatal(id, "was taken")
	}
	return o
}

func (w *world) movesOrder(o deposit.Order, name []byte) (ok bool) {
	w.Helper()
	w.do(func(tx engine.Tx) (err error) { ok, err = tx.UpdateOrder(o, name); return err })
	return ok
}

func (w *world) comes(x deposit.Credit) {
	w.Helper()
	w.do(func(tx engine.Tx) error { return tx.InsertCredit(x) })
}

func (w *world) movesCredit(x deposit.Credit) (ok bool) {
	w.Helper()
	w.do(func(tx engine.Tx) (err error) { ok, err = tx.UpdateCredit(x); return err })
	return ok
}

// found compares which orders a question finds, in their order.
func (w *world) found(what string, want []string, ask func(engine.Reader) ([]deposit.Order, error)) {
	w.Helper()
	w.look(func(v engine.Reader) error {
		list, err := ask(v)
		same(w, what, ids(list, func(o deposit.Order) string { return o.ID }), want)
		return err
	})
}

func (w *world) foundCredits(what string, want []string, ask func(engine.Reader) ([]deposit.Credit, error)) {
	w.Helper()
	w.look(func(v engine.Reader) error {
		list, err := ask(v)
		same(w, what, ids(list, func(x deposit.Credit) string { return x.ID }), want)
		return err
	})
}

// paidWith is an order and a credit after one has paid the other.
func paidWith(o deposit.Order, x deposit.Credit) (deposit.Order, deposit.Credit) {
	o.State, o.Version, o.Credit, o.Into, o.Real, o.Fee = deposit.Paid, o.Version+1, x.ID, x.Receiver, x.Amount, won(400)
	o.DueAt, o.PaidAt = time.Time{}, start.Add(time.Minute)
	x.State, x.Version, x.Order = deposit.Matched, x.Version+1, o.ID
	return o, x
}

func depositOrders(w *world) {
	o := w.wants("o", nil)
	find := func(what string, want deposit.Order) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			byID, _, err1 := v.Order("o")
			same(w, what, byID, want)
			byClient, _, err2 := v.OrderByClient("M", "c-o")
			same(w, what+" by its merchant's number", byClient, want)
			byNumber, _, err3 := v.OrderByNumber("PM-o")
			same(w, what+" by ours", byNumber, want)
			byLink, _, err4 := v.OrderByLink("link-o")
			same(w, what+" by its link", byLink, want)
			_, other, err5 := v.OrderByClient("M2", "c-o")
			_, none, err6 := v.Order("PM-o")
			if other || none {
				w.Error("what is not there was found", other, none)
			}
			return errors.Join(err1, err2, err3, err4, err5, err6)
		})
	}
	find("fresh", o)

	w.comes(came("x"))
	full, x := paidWith(o, came("x"))
	full.Payer, full.PayerBank, full.Trouble, full.ChangedAt = []byte{3, 4}, "088", deposit.Late, start.Add(time.Hour)
	full.Chain = deposit.Chain{Length: 2, Digest: []byte{8, 8}}
	other := full
	if other.Version = 3; w.movesOrder(other, nil) {
		w.Error("a version was skipped")
	}
	if !w.movesCredit(x) || !w.movesOrder(full, []byte{5}) {
		w.Error("the next version was refused")
	}
	find("every column that changes", full)
	late := o
	if late.Version = 2; w.movesOrder(late, nil) {
		w.Error("a version that somebody else had made was overwritten")
	}

	v := w.wants("v", func(o *deposit.Order) {
		o.User, o.Generation, o.Reserved, o.Token, o.NotifyURL, o.SignType = "u", 2, true, "ABC234", "https://m.example/n", "HMAC"
		o.Receiver.Number, o.Receiver.Branch, o.Receiver.Virtual, o.Display, o.Payer = "700800900", "B", true, won(49_996), []byte{9}
	})
	w.look(func(r engine.Reader) error {
		got, _, err := r.Order("v")
		same(w, "every column that stays", got, v)
		return err
	})
	w.comes(came("y"))
	for what, bad := range map[string]func(*deposit.Order){
		"in no state":                   func(o *deposit.Order) { o.State = "GONE" },
		"in no trouble there is":        func(o *deposit.Order) { o.Trouble = "BORED" },
		"of nothing":                    func(o *deposit.Order) { o.Amount, o.Display = won(0), won(0) },
		"showing more than it asks for": func(o *deposit.Order) { o.Display = won(50_001) },
		"showing nothing":               func(o *deposit.Order) { o.Display = won(0) },
		"that waits for ever":           func(o *deposit.Order) { o.DueAt = time.Time{} },
		"paid with nothing":             func(o *deposit.Order) { o.State = deposit.Paid },
		"waiting with money":            func(o *deposit.Order) { o.Real = won(1) },
		"waiting with a fee":            func(o *deposit.Order) { o.Fee = won(1) },
		"waiting and paid":              func(o *deposit.Order) { o.PaidAt = start },
		"with money of no account":      func(o *deposit.Order) { *o, _ = paidWith(*o, came("y")); o.Into = "" },
		"paid at no time":               func(o *deposit.Order) { *o, _ = paidWith(*o, came("y")); o.PaidAt = time.Time{} },
		"paid by no credit there is":    func(o *deposit.Order) { *o, _ = paidWith(*o, came("z")) },
		"with a fee above what came":    func(o *deposit.Order) { *o, _ = paidWith(*o, came("y")); o.Fee = won(50_001) },
		"paid and reserved":             func(o *deposit.Order) { *o, _ = paidWith(*o, came("y")); o.Reserved = true },
	} {
		o := wish("bad")
		bad(&o)
		w.refuses("an order "+what, func(tx engine.Tx) error { _, err := tx.InsertOrder(o, nil); return err })
	}
	w.refuses("a name of a payer that nobody told", func(tx engine.Tx) error { _, err := tx.InsertOrder(wish("bad"), []byte{1}); return err })
}

// Of everything that is given out once, the second one who wants it is told so, and nothing is written.
func givenOnce(w *world) {
	w.wants("o", func(o *deposit.Order) { o.Display, o.Reserved = won(49_990), true })
	number := func(n string) func(*deposit.Order) {
		return func(o *deposit.Order) { o.Receiver.Number, o.Receiver.Virtual, o.Reserved = n, true, true }
	}
	w.wants("v", number("700"))
	for what, c := range map[string]struct {
		change func(*deposit.Order)
		mine   bool
	}{
		"a merchant's number":             {func(o *deposit.Order) { o.ClientID = "c-o" }, false},
		"another merchant's number":       {func(o *deposit.Order) { o.ClientID, o.Merchant = "c-o", "M2" }, true},
		"our number":                      {func(o *deposit.Order) { o.Number = "PM-o" }, false},
		"a link":                          {func(o *deposit.Order) { o.Link = "link-o" }, false},
		"an amount":                       {func(o *deposit.Order) { o.Display, o.Reserved = won(49_990), true }, false},
		"an amount that nobody reserves":  {func(o *deposit.Order) { o.Display = won(49_990) }, true},
		"an amount on another account":    {func(o *deposit.Order) { o.Display, o.Reserved, o.Receiver.Account = won(49_990), true, "sh" }, true},
		"another amount":                  {func(o *deposit.Order) { o.Display, o.Reserved = won(49_991), true }, true},
		"a virtual account":               {number("700"), false},
		"another virtual account":         {number("701"), true},
		"an amount on a virtual account":  {func(o *deposit.Order) { o.Display, o.Receiver.Virtual, o.Reserved = won(49_990), true, true }, true},
		"a virtual account that was free": {func(o *deposit.Order) { o.Receiver.Number, o.Receiver.Virtual = "700", true }, true},
	} {
		o := wish("n-" + what)
		c.change(&o)
		if w.wishes(o, nil) != c.mine {
			w.Errorf("%s was given out: %t", what, !c.mine)
		}
		w.look(func(v engine.Reader) error {
			if _, there, err := v.Order(o.ID); there != c.mine || err != nil {
				w.Error(what, there, err)
			}
			return nil
		})
	}
	reserved := func(from, to int64, want ...int64) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			got, err := v.Reserved("kb", from, to)
			same(w, "reserved", got, want)
			return err
		})
	}
	inUse := func(number string, want bool) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			used, err := v.VirtualInUse("kb", number)
			same(w, "in use "+number, used, want)
			return err
		})
	}
	reserved(49_900, 50_000, 49_990, 49_991)
	reserved(49_991, 49_991, 49_991)
	reserved(49_992, 60_000)
	inUse("700", true)
	inUse("702", false)
	for _, id := range []string{"o", "v"} { // both have rested
		o := wish(id)
		o.State, o.Version, o.DueAt = deposit.Expired, 2, time.Time{}
		if !w.movesOrder(o, nil) {
			w.Error("not freed")
		}
	}
	reserved(49_900, 50_000, 49_991)
	inUse("700", false)
	w.wants("again", func(o *deposit.Order) { o.Display, o.Reserved = won(49_990), true })
	w.wants("again-v", number("700"))
}

// One credit pays one order, one order takes one credit, and neither is changed afterwards (rails §3.7 step 9).
func paidOnce(w *world) {
	o, x := w.wants("o", nil), came("x")
	w.wants("p", nil)
	w.comes(x)
	w.comes(came("y"))
	paid, matched := paidWith(o, x)
	if !w.movesCredit(matched) || !w.movesOrder(paid, nil) {
		w.Fatal("not paid")
	}
	w.refuses("an order paid with another's credit", func(tx engine.Tx) error {
		second, _ := paidWith(wish("p"), x)
		_, err := tx.UpdateOrder(second, nil)
		return err
	})
	w.refuses("a credit that pays a paid order", func(tx engine.Tx) error {
		_, second := paidWith(o, came("y"))
		_, err := tx.UpdateCredit(second)
		return err
	})
	for what, change := range map[string]func(*deposit.Order){
		"another credit":  func(o *deposit.Order) { o.Credit = "y" },
		"another amount":  func(o *deposit.Order) { o.Real = won(1_000) },
		"another fee":     func(o *deposit.Order) { o.Fee = won(1) },
		"another account": func(o *deposit.Order) { o.Into = "sh" },
		"another time":    func(o *deposit.Order) { o.PaidAt = start.Add(time.Hour) },
		"no payment": func(o *deposit.Order) {
			o.State, o.Credit, o.Into, o.Real, o.Fee, o.PaidAt = deposit.Expired, "", "", won(0), won(0), time.Time{}
		},
	} {
		next := paid
		change(&next)
		next.Version++
		w.refuses("a paid order with "+what, func(tx engine.Tx) error { _, err := tx.UpdateOrder(next, nil); return err })
	}
	for what, change := range map[string]func(*deposit.Credit){
		"another order": func(x *deposit.Credit) { x.Order = "p" },
		"no order":      func(x *deposit.Credit) { x.State, x.Order = deposit.Unmatched, "" },
		"a suspect":     func(x *deposit.Credit) { x.Suspect = "p" },
		"a new claim":   func(x *deposit.Credit) { x.RetryUntil = start },
		"a payout":      func(x *deposit.Credit) { x.State, x.Order, x.Payout = deposit.GoingBack, "", "none" },
	} {
		next := matched
		change(&next)
		next.Version++
		w.refuses("a matched credit with "+what, func(tx engine.Tx) error { _, err := tx.UpdateCredit(next); return err })
	}
	back, gone := paid, matched
	back.State, back.Version = deposit.TakenBack, back.Version+1
	gone.State, gone.Version = deposit.Reversed, gone.Version+1
	if !w.movesCredit(gone) || !w.movesOrder(back, nil) {
		w.Error("the bank could not take it back")
	}
	again, here := back, gone
	again.State, again.Version = deposit.Paid, again.Version+1
	here.State, here.Version = deposit.Matched, here.Version+1
	w.refuses("an order paid by what was taken back", func(tx engine.Tx) error { _, err := tx.UpdateOrder(again, nil); return err })
	w.refuses("a credit that came back", func(tx engine.Tx) error { _, err := tx.UpdateCredit(here); return err })
}

func candidates(w *world) {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	made := func(id string, s deposit.State, created, expires time.Duration, change func(*deposit.Order)) {
		w.Helper()
		w.wants(id, func(o *deposit.Order) {
			o.State, o.CreatedAt, o.ExpiresAt = s, at(created), at(expires)
			if change != nil {
				change(o)
			}
		})
	}
	made("old", deposit.Expired, -2*time.Hour, -time.Hour, nil)
	made("waits", deposit.Waiting, 0, time.Hour, nil)
	made("seen", deposit.Seen, time.Minute, time.Hour, nil)
	made("cancelled", deposit.Cancelled, 2*time.Minute, time.Hour, nil)
	made("failed", deposit.Failed, 3*time.Minute, time.Hour, nil)
	made("other-amount", deposit.Waiting, 0, time.Hour, func(o *deposit.Order) { o.Display = won(49_999) })
	made("other-account", deposit.Waiting, 0, time.Hour, func(o *deposit.Order) { o.Receiver.Account = "sh" })
	made("later", deposit.Waiting, 10*time.Minute, time.Hour, nil)
	w.comes(came("x"))
	o := w.wants("paid", nil)
	paid, x := paidWith(o, came("x"))
	w.movesCredit(x)
	w.movesOrder(paid, nil)
	for _, c := range []struct {
		before, after time.Duration
		want          []string
	}{
		{time.Hour, -2 * time.Hour, []string{"later", "cancelled", "seen", "waits", "old"}},
		{10 * time.Minute, time.Hour, []string{"later", "cancelled", "seen", "waits"}},
		{10*time.Minute - time.Microsecond, -time.Hour, []string{"cancelled", "seen", "waits", "old"}},
		{time.Hour, -time.Hour + time.Microsecond, []string{"later", "cancelled", "seen", "waits"}},
		{time.Hour, time.Hour + time.Microsecond, []string{}},
		{-time.Hour, -2 * time.Hour, []string{"old"}},
	} {
		w.found(fmt.Sprint("showing ", c.before, c.after), c.want, func(v engine.Reader) ([]deposit.Order, error) {
			return v.OrdersShowing("kb", won(50_000), at(c.before), at(c.after))
		})
	}
	w.found("showing dollars", []string{}, func(v engine.Reader) ([]deposit.Order, error) {
		return v.OrdersShowing("kb", money.New(50_000, usd), at(time.Hour), at(-2*time.Hour))
	})
	w.look(func(v engine.Reader) error {
		n, err := v.OpenOrders("kb")
		same(w, "open", n, int64(4)) // waits, seen, later, and the one that shows another amount
		none, err2 := v.OpenOrders("none")
		same(w, "open elsewhere", none, int64(0))
		return errors.Join(err, err2)
	})
}

func namedOrders(w *world) {
	name := func(b byte) []byte { return []byte{b} }
	made := func(id string, n int, token string, print []byte, change func(*deposit.Order)) {
		w.Helper()
		o := wish(id)
		o.CreatedAt, o.Token, o.Payer = start.Add(time.Duration(n)*time.Minute), token, []byte{1}
		if change != nil {
			change(&o)
		}
		if !w.wishes(o, print) {
			w.Fatal(id)
		}
	}
	made("token", 1, "ABC234", nil, nil)
	made("name", 2, "", name(7), nil)
	made("both", 3, "XYZ789", name(7), func(o *deposit.Order) { o.State = deposit.Seen })
	made("ended", 4, "ABC234", name(7), func(o *deposit.Order) { o.State = deposit.Expired })
	made("elsewhere", 5, "ABC234", name(7), func(o *deposit.Order) { o.Receiver.Account = "sh" })
	made("nameless", 6, "", nil, nil)
	for what, c := range map[string]struct {
		tokens []string
		name   []byte
		limit  int
		want   []string
	}{
		"one token":        {[]string{"KIM", "ABC234"}, nil, 9, []string{"token"}},
		"two tokens":       {[]string{"XYZ789", "ABC234"}, nil, 9, []string{"both", "token"}},
		"a name":           {nil, name(7), 9, []string{"both", "name"}},
		"token and name":   {[]string{"ABC234", "XYZ789"}, name(7), 9, []string{"both", "name", "token"}},
		"the newest":       {[]string{"ABC234"}, name(7), 2, []string{"both", "name"}},
		"nothing":          {nil, nil, 9, []string{}},
		"no token at all":  {[]string{""}, nil, 9, []string{}},
		"part of a token":  {[]string{"ABC"}, nil, 9, []string{}},
		"somebody's name":  {nil, name(8), 9, []string{}},
		"a quote, a brace": {[]string{`"`, `]`}, nil, 9, []string{}},
	} {
		w.found(what, c.want, func(v engine.Reader) ([]deposit.Order, error) { return v.OrdersNamed("kb", c.tokens, c.name, c.limit) })
	}
	o, _ := w.order("token")
	o.Version++
	w.movesOrder(o, name(9))
	o.Version++
	w.movesOrder(o, nil) // leaves the name
	w.found("named later", []string{"token"}, func(v engine.Reader) ([]deposit.Order, error) { return v.OrdersNamed("kb", nil, name(9), 9) })
}

func (w *world) order(id string) (o deposit.Order, ok bool) {
	w.Helper()
	w.look(func(v engine.Reader) (err error) { o, ok, err = v.Order(id); return err })
	return o, ok
}

func virtualOrders(w *world) {
	for i, id := range []string{"first", "second", "third"} {
		w.wants(id, func(o *deposit.Order) {
			o.CreatedAt, o.Receiver.Number, o.Receiver.Virtual = start.Add(time.Duration(i)*time.Hour), "700", true
			o.State = []deposit.State{deposit.Failed, deposit.Expired, deposit.Waiting}[i]
		})
	}
	w.wants("other", func(o *deposit.Order) { o.Receiver.Number, o.Receiver.Virtual = "701", true })
	w.wants("elsewhere", func(o *deposit.Order) { o.Receiver.Account, o.Receiver.Number, o.Receiver.Virtual = "sh", "700", true })
	w.wants("shared", func(o *deposit.Order) { o.Receiver.Number = "700" })
	for limit, want := range map[int][]string{9: {"third", "second", "first"}, 2: {"third", "second"}} {
		w.found("given to", want, func(v engine.Reader) ([]deposit.Order, error) { return v.OrdersOfVirtual("kb", "700", limit) })
	}
}

func dueOrders(w *world) {
	next := func(want time.Duration, some bool) {
		w.Helper()
		w.look(func(v engine.Reader) error {
			at, ok, err := v.NextOrder()
			if ok != some || ok && !at.Equal(start.Add(want)) {
				w.Error("the next is due at", at, ok)
			}
			return err
		})
	}
	next(0, false)
	for id, c := range map[string]struct {
		due   time.Duration
		state deposit.State
	}{
		"b": {2 * time.Hour, deposit.Waiting}, "a": {time.Hour, deposit.Waiting}, "rests": {3 * time.Hour, deposit.Expired},
		"done": {0, deposit.Failed},
	} {
		w.wants(id, func(o *deposit.Order) {
			if o.State, o.DueAt = c.state, start.Add(c.due); c.due == 0 {
				o.DueAt = time.Time{}
			}
		})
	}
	next(time.Hour, true)
	for _, c := range []struct {
		now   time.Duration
		limit int
		want  []string
	}{
		{time.Hour - time.Microsecond, 9, []string{}},
		{time.Hour, 9, []string{"a"}},
		{9 * time.Hour, 9, []string{"a", "b", "rests"}},
		{9 * time.Hour, 1, []string{"a"}},
	} {
		w.found(fmt.Sprint("due after ", c.now), c.want, func(v engine.Reader) ([]deposit.Order, error) {
			return v.DueOrders(start.Add(c.now), c.limit)
		})
	}
}

// pages are the parts of a merchant's list that are asked for: four rows of M, made an hour after each other, and one of another merchant.
var pages = map[string]struct {
	page  engine.Page
	want  []string
	total int64
}{
	"all":               {engine.Page{Merchant: "M", Limit: 9}, []string{"d", "c", "b", "a"}, 4},
	"a part":            {engine.Page{Merchant: "M", Offset: 1, Limit: 2}, []string{"c", "b"}, 4},
	"behind the end":    {engine.Page{Merchant: "M", Offset: 4, Limit: 2}, []string{}, 4},
	"from":              {engine.Page{Merchant: "M", From: start.Add(time.Hour), Limit: 9}, []string{"d", "c", "b"}, 3},
	"until":             {engine.Page{Merchant: "M", Until: start.Add(time.Hour), Limit: 9}, []string{"a"}, 1},
	"from until":        {engine.Page{Merchant: "M", From: start, Until: start.Add(time.Hour + time.Microsecond), Limit: 1}, []string{"b"}, 2},
	"its number":        {engine.Page{Merchant: "M", Number: "PM-b", Limit: 9}, []string{"b"}, 1},
	"another's number":  {engine.Page{Merchant: "M", Number: "PM-other", Limit: 9}, []string{}, 0},
	"merchant's number": {engine.Page{Merchant: "M", ClientID: "c-c", Limit: 9}, []string{"c"}, 1},
	"both numbers":      {engine.Page{Merchant: "M", Number: "PM-c", ClientID: "c-c", Limit: 9}, []string{"c"}, 1},
	"numbers of two":    {engine.Page{Merchant: "M", Number: "PM-b", ClientID: "c-c", Limit: 9}, []string{}, 0},
	"number, too early": {engine.Page{Merchant: "M", Number: "PM-b", From: start.Add(2 * time.Hour), Limit: 9}, []string{}, 0},
	"nobody":            {engine.Page{Merchant: "M3", Limit: 9}, []string{}, 0},
	"a state":           {engine.Page{Merchant: "M", States: []string{"UNKNOWN", "SEEN"}, Limit: 9}, []string{"d"}, 1},
	"no such state":     {engine.Page{Merchant: "M", States: []string{"GONE"}, Limit: 9}, []string{}, 0},
}

func orderPages(w *world) {
	for i, id := range []string{"a", "b", "c", "d", "other"} {
		w.wants(id, func(o *deposit.Order) {
			o.CreatedAt = start.Add(time.Duration(i) * time.Hour)
			switch id {
			case "d":
				o.State = deposit.Seen
			case "other":
				o.Merchant = "M2"
			}
		})
	}
	for what, c := range pages {
		w.look(func(v engine.Reader) error {
			list, total, err := v.Orders(c.page)
			same(w, what, ids(list, func(o deposit.Order) string { return o.ID }), c.want)
			same(w, what+", in all", total, c.total)
			return err
		})
	}
}
