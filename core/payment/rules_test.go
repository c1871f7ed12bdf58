package payment_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/flow"
	"naru/core/ledger"
	"naru/core/money"
	. "naru/core/payment"
)

var update = flag.Bool("update", false, "write the golden tables and docs/states anew")

// fresh compares a file with what it must hold, or writes it with -update.
func fresh(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale: judge the change, then run go test ./core/payment -update\n%s", path, want)
	}
}

// machine is one state machine as text, whatever its states and events are called.
type machine struct{ name, what, grid, drawing string }

func of[S, E ~string](name, what string, r flow.Rules[S, E], start S) machine {
	return machine{name, what, r.Grid(), r.Drawing(start)}
}

var machines = []machine{
	of("reservation", "A hold on a card, from the request for it to its end (Korea Cards v1 §9.1)", Rules, Pending),
	of("attempt", "One authorisation request to the network (rails §1.10)", AttemptRules, AttemptPrepared),
	of("advice", "One message of the store-and-forward queue (rails §1.11)", AdviceRules, AdviceQueued),
	of("refund", "Captured money that is given back (Korea Cards v1 §9.2)", RefundRules, RefundPending),
	of("dispute", "One stage of a dispute about a captured payment (Korea Cards v1 §9.5)", DisputeRules, DisputeNone),
}

func TestEveryStateAndEvent(t *testing.T) {
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			fresh(t, filepath.Join("testdata", m.name+".grid"), m.grid)
		})
	}
}

func TestDrawingsAreFresh(t *testing.T) {
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			page := "# States: " + m.name + "\n\n" + m.what + ".\n" +
				"Drawn from the rules in `core/payment` by `go test ./core/payment -update`; do not edit.\n\n```mermaid\n" + m.drawing + "```\n"
			fresh(t, filepath.Join("..", "..", "docs", "states", m.name+".md"), page)
		})
	}
}

// Every state can be reached from the start: a state that nothing leads to is a mistake in the table.
func TestEveryStateIsReached(t *testing.T) {
	reached(t, Rules, Pending)
	reached(t, AttemptRules, AttemptPrepared)
	reached(t, RefundRules, RefundPending)
	reached(t, DisputeRules, DisputeNone)
}

func reached[S, E ~string](t *testing.T, r flow.Rules[S, E], start S) {
	t.Helper()
	seen := []S{start}
	for i := 0; i < len(seen); i++ {
		for _, e := range r.Events() {
			if to, ok := r.Next(seen[i], e); ok && !slices.Contains(seen, to) {
				seen = append(seen, to)
			}
		}
	}
	if slices.Sort(seen); !slices.Equal(seen, r.States()) {
		t.Errorf("from %s only %v are reached, of %v", start, seen, r.States())
	}
}

// Rails §1.10: what was given back never becomes an approval, and nothing follows an end.
func TestWhatIsGivenBackStaysGivenBack(t *testing.T) {
	for _, s := range []AttemptState{
		AttemptReversed, AttemptVoid, AttemptDeclined, AttemptCaptured, AttemptGone, AttemptPassed, AttemptBooked,
	} {
		if n := len(AttemptRules[s]); n != 0 {
			t.Errorf("%d events follow %s", n, s)
		}
	}
	for _, e := range []AttemptEvent{AttemptApprove, AttemptPass, AttemptBook} {
		if _, ok := AttemptRules.Next(AttemptReversing, e); ok {
			t.Errorf("a late answer is adopted: %s", e)
		}
	}
}

func TestReachesTellsEventsInOrder(t *testing.T) {
	for _, c := range []struct {
		events []Event
		last   State
		ok     bool
	}{
		{nil, Pending, true},
		{[]Event{Approve, Capture, Confirm}, Captured, true},
		{[]Event{Lose, Undo, Ask, Approve, Expire, Release, Cancel, Release}, Cancelled, true},
		{[]Event{Sell}, Captured, true},
		{[]Event{Lose, Undo, Ask, Sell}, Captured, true}, // Card FOP v1 §6.8
		{[]Event{Lose, Undo, Cancel, Release, Decline}, Cancelled, true},
		{[]Event{Lose, Approve}, "", false},
		{[]Event{Lose, Sell}, "", false},
		{[]Event{Sell, Capture}, "", false},
		{[]Event{Sell, Cancel}, "", false},
		{[]Event{Sell, Expire}, "", false},
		{[]Event{Approve, Sell}, "", false},
		{[]Event{Approve, Capture, Cancel}, "", false},
	} {
		if last, ok := Rules.Reaches(Pending, c.events); last != c.last || ok != c.ok {
			t.Errorf("%v: %s, %v", c.events, last, ok)
		}
	}
}

func TestWhoNamesAnAmount(t *testing.T) {
	for p, pays := range map[Purpose]bool{ToPay: true, ToSell: true, ToVerify: false, ToCheck: false} {
		if p.Pays() != pays {
			t.Errorf("%q pays: %v", p, p.Pays())
		}
	}
}

var krw = money.Of("KRW")

// world is a reservation in some state, with a hold of 12 900 won in the books or without.
func world(s State, held bool) Reservation {
	return Reservation{
		ID: "r", Account: "PIAID", RequestID: "q", State: s, Version: 7, Amount: money.New(12900, krw), Captured: money.New(9900, krw),
		Held:      held,
		HoldUntil: time.Unix(1, 0), AttemptID: "a", Approval: "A1", Code: "00", NetworkID: "N", MCC: "5816", Card: []byte{1},
		Chain: Chain{Length: 3, Digest: []byte{9}},
	}
}

func postings(list []ledger.Posting) string {
	var words []string
	for _, p := range list {
		words = append(words, fmt.Sprintf("%s <- %s %s", p.Debit, p.Credit, p.Amount))
	}
	return strings.Join(words, "; ")
}

// The money that moves with every event, with a hold in the books and without.
func TestPostingsOfEveryEvent(t *testing.T) {
	var b strings.Builder
	for _, s := range Rules.States() {
		for _, e := range Rules.Events() {
			for _, held := range []bool{false, true} {
				before := world(s, held)
				after, moved, err := before.After(e)
				if _, ok := Rules.Next(s, e); !ok {
					if err == nil || moved != nil || fmt.Sprint(after) != fmt.Sprint(before) {
						t.Errorf("%s, %s: cannot happen, yet changed something: %v", s, e, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s, %s: %v", s, e, err)
					continue
				}
				want := before
				want.State, want.Held, want.Version = after.State, after.Held, before.Version+1
				if fmt.Sprint(after) != fmt.Sprint(want) {
					t.Errorf("%s, %s changed more than state, hold and version: %v", s, e, after)
				}
				fmt.Fprintf(&b, "%-16s %-8s held=%-5v -> %-16s held=%-5v card=%-5v %s\n", s, e, held, after.State, after.Held, after.NeedsCard(),
					postings(moved))
			}
		}
	}
	fresh(t, filepath.Join("testdata", "postings.golden"), b.String())
}

// Along every path through the rules, the memorandum accounts hold exactly what the reservation says is held, and money moves once at most.
func TestBooksFollowEveryPath(t *testing.T) {
	type place struct {
		state    State
		held     bool
		captured int
	}
	seen := map[place]bool{}
	var walk func(r Reservation, captured int)
	walk = func(r Reservation, captured int) {
		at := place{r.State, r.Held, captured}
		if seen[at] {
			return
		}
		seen[at] = true
		for _, e := range Rules.Events() {
			next, moved, err := r.After(e)
			if err != nil {
				continue
			}
			hold, captures := 0, captured
			if r.Held {
				hold = 1
			}
			for _, p := range moved {
				switch p.Debit.Kind {
				case ledger.AcquirerHeld:
					hold++
				case ledger.GoogleHeld:
					hold--
				case ledger.AcquirerReceivable:
					captures++
				}
			}
			if wants := map[bool]int{true: 1}[next.Held]; hold != wants {
				t.Errorf("%s, %s: the books hold %d, the reservation says %v", r.State, e, hold, next.Held)
			}
			if captures > 1 || captures == 1 && next.State != Captured {
				t.Errorf("%s, %s: %d captures", r.State, e, captures)
			}
			walk(next, captures)
		}
	}
	walk(world(Pending, false), 0)
	for at := range seen {
		final := at.state == Verified || at.state == Captured || at.state == Cancelled || at.state == CaptureFailed || at.state == Declined || at.state == NotHeld
		if final && at.held {
			t.Errorf("%s still holds", at.state)
		}
	}
}

// What a refund moves, and what it takes from what is left to refund, in every state.
func TestRefundMoney(t *testing.T) {
	f := Refund{ID: "f", Account: "P", State: RefundPending, Amount: money.New(4000, krw), Returned: money.New(0, krw)}
	take := func(f Refund, e RefundEvent) (Refund, string) {
		next, moved, err := f.After(e)
		if err != nil {
			t.Fatal(err)
		}
		return next, postings(moved)
	}
	if f.Taken() != money.New(4000, krw) {
		t.Error("a pending refund takes nothing")
	}
	failed, moved := take(f, RefundFail)
	if moved != "" || !failed.Taken().IsZero() {
		t.Errorf("a failed refund moved %q and takes %s", moved, failed.Taken())
	}
	paid, moved := take(f, RefundBook)
	if moved != "google:payable/P <- acquirer:receivable/P 4000 KRW" || paid.Taken() != f.Amount {
		t.Errorf("a paid refund moved %q and takes %s", moved, paid.Taken())
	}
	paid.Returned = money.New(1500, krw)
	back, moved := take(paid, RefundReturn)
	if moved != "acquirer:receivable/P <- google:payable/P 1500 KRW" || back.Taken() != money.New(2500, krw) {
		t.Errorf("a returned refund moved %q and takes %s", moved, back.Taken())
	}
	for _, s := range RefundRules.States() {
		for _, e := range RefundRules.Events() {
			before := f
			before.State, before.Returned = s, money.New(1, krw)
			after, moved, err := before.After(e)
			if _, may := RefundRules.Next(s, e); may != (err == nil) || !may && (moved != nil || after != before) {
				t.Errorf("%s, %s: %v", s, e, err)
			}
		}
	}
}

// What every event of a dispute moves; which states keep money from us, and in which evidence may be handed over.
func TestDisputeMoney(t *testing.T) {
	var b strings.Builder
	for _, s := range DisputeRules.States() {
		d := Dispute{Account: "P", State: s, Amount: money.New(3000, krw), Won: money.New(2000, krw)}
		fmt.Fprintf(&b, "%-17s stands=%-5v open=%v\n", s, d.Stands(), d.Open())
		for _, e := range DisputeRules.Events() {
			after, moved, err := d.After(e)
			if _, may := DisputeRules.Next(s, e); may != (err == nil) || !may && (moved != nil || after != d) {
				t.Errorf("%s, %s: %v", s, e, err)
			} else if may {
				fmt.Fprintf(&b, "    %-17s -> %-17s %s\n", e, after.State, postings(moved))
			}
		}
	}
	fresh(t, filepath.Join("testdata", "disputes.golden"), b.String())
}
