// Package contract_test holds the adapter against the simulated bank, which shares nothing with it: what one writes the other reads.
package contract_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"naru/core/bank"
	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
	"naru/core/payout"
	"naru/drop"
	"naru/engine"
	"naru/rail/bankfeed"
	"naru/rail/bankfeed/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ours    = "12345604123456"
	virtual = "56200012345678"
	secret  = "feed_secret_example"
)

// world is a rude bank, our inbox and routes in front of it, and a taker that counts every booking once, as the engine does.
type world struct {
	*testing.T
	bank  *sim.Host
	inbox *bankfeed.Inbox
	rail  *bankfeed.Transfers

	mu     sync.Mutex
	now    time.Time
	booked map[string]int64 // what was taken, in words
	seen   map[string]bool
	said   map[string][]payout.News // of a reference
}

func start(t *testing.T, seed int64, byHTTP bool) *world {
	t.Helper()
	w := &world{
		T: t, now: time.Date(2026, 11, 22, 3, 15, 5, 0, time.UTC),
		booked: map[string]int64{}, seen: map[string]bool{}, said: map[string][]payout.News{},
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	feed := bankfeed.Feed{ID: "kb-main", Bank: "004", Payouts: "kb"}
	routes := httptest.NewServer(bankfeed.Handler(bankfeed.Config{
		Feeds: []bankfeed.Feed{feed}, Taker: w, Now: w.clock, Log: log,
		Keys: map[string]bankfeed.Key{
			"feed-1": {Feed: "kb-main", Secrets: []card.Secret{card.Conceal(secret)}, Accounts: []string{"004/" + ours}},
		},
	}))
	t.Cleanup(routes.Close)
	dir := t.TempDir()
	out, in := filepath.Join(dir, "out"), filepath.Join(dir, "in")
	numbers := []sim.Range{{From: "56200012340000", To: "56200012349999"}}
	host, err := sim.Start(t.Context(), sim.Config{
		Address: "127.0.0.1:0", Code: "004", Prefix: "KB", Customer: "1234567890", Out: out, In: in,
		Accounts: []sim.Account{{Number: ours, Holder: "Example Integrator", Opening: 1_000_000, Virtual: numbers}},
		Channels: []string{sim.File, sim.Push, sim.JSON}, Push: routes.URL, Feed: "kb-main", Key: "feed-1", Secret: secret, Seed: seed,
		Now: w.clock, Wall: w.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	w.bank = host
	w.inbox = &bankfeed.Inbox{Feed: feed, Place: drop.Folder(out), Taker: w, Now: w.clock, Log: log}
	w.rail = &bankfeed.Transfers{
		Payer: bankfeed.Payer{Name: "Example Integrator", Customer: "1234567890", Bank: "004", Account: ours, Service: "URGP"},
		Banks: bank.Shipped, Now: w.clock, Wall: w.clock, Place: drop.Folder(in),
	}
	if byHTTP {
		w.rail.Place = nil
		w.rail.URL, w.rail.Key, w.rail.Secret = host.URL()+"/payments", "feed-1", card.Conceal(secret)
		w.rail.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// booking is a booking in words, the same from both sides.
func booking(id, direction, name, other, virtual, endToEnd, reason string) string {
	return strings.Join([]string{id, direction, name, other, virtual, endToEnd, reason}, "|")
}

func (w *world) CheckMessage(deposit.Message) error { return nil }

func (w *world) TakeMessage(_ context.Context, m deposit.Message) (got engine.FeedReceipt, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range m.Reports {
		for _, e := range r.Entries {
			got.Entries++
			direction := map[bool]string{true: "DBIT"}[e.Debit]
			key := e.ID + direction
			if w.seen[key] {
				got.Duplicates++
				continue
			}
			got.Accepted++
			w.seen[key] = true
			what := booking(e.ID, direction, e.Name.Reveal(), e.FromAccount.Reveal(), e.Virtual, e.EndToEnd, e.Reason)
			w.booked[what] = e.Amount.Minor()
			if e.Bank != "004" || e.Account != ours || e.BookedAt.After(w.now) || e.Returned != (e.Reason != "") || e.Reversal && !e.Debit {
				w.Errorf("%+v", e)
			}
		}
	}
	return got, nil
}

func (w *world) PayoutNews(_ context.Context, _ string, n payout.News) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said[n.Reference] = append(w.said[n.Reference], n)
	return nil
}

// later moves time and lets everybody do what is due.
func (w *world) later(d time.Duration) {
	w.Helper()
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	w.bank.Tick()
	if err := w.inbox.Look(w.Context()); err != nil {
		w.Error(err)
	}
}

func (w *world) rule(r sim.Rule) {
	w.Helper()
	if _, err := w.bank.AddRule(r); err != nil {
		w.Fatal(err)
	}
}

// agree holds what we took against what the bank booked.
func (w *world) agree() {
	w.Helper()
	want := map[string]int64{}
	for _, t := range w.bank.Transactions() {
		direction, name, other, endToEnd := "", t.Name, t.Number, ""
		if t.Direction == "DBIT" {
			direction = "DBIT"
		}
		if t.Kind != "deposit" { // nothing is kept of who is on the other side
			name, other, t.Virtual, endToEnd = "", "", "", t.EndToEnd
		}
		want[booking(t.ID, direction, name, other, t.Virtual, endToEnd, t.Reason)] = t.Amount
	}
	for what, amount := range want {
		if w.booked[what] != amount {
			w.Errorf("the bank booked %d: %s", amount, what)
		}
	}
	for what, amount := range w.booked {
		if want[what] != amount {
			w.Errorf("we took %d: %s", amount, what)
		}
	}
}

// Whatever the bank does wrong, every booking counts once in the end (rails §3.9).
func TestDeposits(t *testing.T) {
	for seed := range int64(4) {
		w := start(t, seed, false)
		for i, action := range []string{
			"duplicate-message", "twice", "copy", "skip", "late", "swap", "pending", "half-file", "half-temporary", "euc-kr", "byte-order-mark",
			"version-02", "push-unsigned", "push-unheard", "push-yesterday", "",
		} {
			amount := int64(10_000 + i)
			if action != "" {
				w.rule(sim.Rule{Action: action, Match: sim.Match{Amount: amount}, Times: 1})
			}
			to := []string{ours, virtual}[i%2]
			credit := sim.Credit{Amount: amount, Name: "홍길동", Bank: "090", Number: "3333011234567"}
			list, err := w.bank.Deposit(sim.Deposit{Account: to, Credit: credit})
			if err != nil {
				t.Fatal(err)
			}
			w.later(time.Second)
			if i%5 == 0 && action != "pending" {
				if _, err := w.bank.Reverse(list[0].ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		credits := []sim.Credit{{Amount: 1, Name: "가"}, {Amount: 2, Name: "나"}, {Amount: 3, Name: "다"}}
		if _, err := w.bank.Deposit(sim.Deposit{Account: ours, Credits: credits}); err != nil {
			t.Fatal(err)
		}
		for range 12 {
			w.later(10 * time.Minute)
		}
		taken := len(w.booked)
		if _, err := w.bank.Statement(ours, ""); err != nil {
			t.Fatal(err)
		}
		w.later(time.Second)
		if len(w.booked) != taken+1 {
			t.Errorf("the statement brought %d bookings, and one was never told before", len(w.booked)-taken)
		}
		w.agree()
	}
}

// A wrong sum refuses a message, and the right one that follows is taken.
func TestWrongSums(t *testing.T) {
	w := start(t, 1, false)
	w.rule(sim.Rule{Action: "wrong-sums", DelayMs: 60_000, Times: 1})
	credit := sim.Credit{Amount: 5, Name: "홍길동"}
	if _, err := w.bank.Deposit(sim.Deposit{Account: ours, Credit: credit, Channels: []string{sim.File}}); err != nil {
		t.Fatal(err)
	}
	w.later(10 * time.Second)
	failed, err := filepath.Glob(filepath.Join(string(w.inbox.Place.(drop.Folder)), "failed", "*.err"))
	if err != nil || len(failed) == 0 || len(w.booked) != 0 {
		t.Errorf("%v, %v, %v", failed, w.booked, err)
	}
	w.later(time.Minute)
	w.later(time.Minute)
	w.agree()
}

func (w *world) pay(n int) payout.Order {
	w.Helper()
	o := payout.Order{
		Reference: fmt.Sprintf("0198f0a1b2c3d4e5f60718293a4b5c%04d", n), Amount: money.New(int64(1000+n), money.Of("KRW")),
		Target: payout.Target{Bank: "090", Number: card.Conceal("3333011234567"), Name: card.Conceal("홍길동"), Text: "환불"},
	}
	var err error
	if o.Body, err = w.rail.Compose(o); err != nil {
		w.Fatal(err)
	}
	if said := w.rail.Pay(w.Context(), o); said.Verdict != payout.Unknown || said.Alert != "" {
		w.Errorf("%+v", said)
	}
	return o
}

func (w *world) verdicts(o payout.Order) (list []payout.Verdict) {
	for _, n := range w.said[o.Reference] {
		if !slices.Contains(list, n.Verdict) {
			list = append(list, n.Verdict)
		}
	}
	slices.Sort(list)
	return list
}

// Whatever level the bank tells a status on, it is about the order; sent again it pays nothing; what it booked and gave back names it.
func TestPayments(t *testing.T) {
	for _, byHTTP := range []bool{false, true} {
		for seed := range int64(3) {
			w := start(t, seed, byHTTP)
			rows := []struct {
				rule sim.Rule
				want []payout.Verdict
			}{
				{sim.Rule{}, []payout.Verdict{payout.Open, payout.Credited}},
				{sim.Rule{Action: "group-level"}, []payout.Verdict{payout.Open, payout.Credited}},
				{sim.Rule{Action: "payment-level"}, []payout.Verdict{payout.Open, payout.Credited}},
				{sim.Rule{Action: "pdng"}, []payout.Verdict{payout.Open, payout.Credited}},
				{sim.Rule{Action: "stop-at-acsc"}, []payout.Verdict{payout.Open}},
				{sim.Rule{Action: "silent"}, nil},
				{sim.Rule{Action: "return", Code: "AC04"}, []payout.Verdict{payout.Open, payout.Credited}},
				{sim.Rule{Action: "refuse", Code: "BE01"}, []payout.Verdict{payout.Open, payout.Rejected}},
				{sim.Rule{Action: "refuse-at-once", Code: "AC06"}, []payout.Verdict{payout.Rejected}},
				{sim.Rule{Action: "refuse-all", Code: "FF01"}, []payout.Verdict{payout.Misfit}},
			}
			var orders []payout.Order
			for i, row := range rows {
				if row.rule.Action != "" {
					row.rule.Match.Amount = int64(1000 + i)
					w.rule(row.rule)
				}
				orders = append(orders, w.pay(i))
				w.later(time.Second)
			}
			again := w.rail.Pay(t.Context(), orders[0])
			for range 30 {
				w.later(time.Hour)
			}
			w.agree()
			for i, row := range rows {
				if got := w.verdicts(orders[i]); !slices.Equal(got, row.want) {
					t.Errorf("%+v: %v, want %v", row.rule, got, row.want)
				}
			}
			if paid := w.bank.Payments(); again.Verdict != payout.Unknown || len(paid) != len(rows)-1 {
				t.Errorf("%d payments", len(paid))
			}
		}
	}
}
