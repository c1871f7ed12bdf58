package iso8583_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/rail/iso8583"
	"naru/rail/iso8583/sim"
)

var _ engine.CardRail = (*iso8583.Acquirer)(nil)

// bench is one acquirer link and the host at its other end, in one dialect.
type bench struct {
	*testing.T
	rail   *iso8583.Acquirer
	host   *sim.Host
	online bool // reversals begin with an 0400
	now    time.Time
	next   int64

	disputes chan payment.ChargebackAdvice
	days     chan string
	late     chan *iso8583.Message // answers that nobody waits for
	due      chan func()           // what the host puts off; called, it happens
}

// connect starts a host, and a link whose requests wait so long for their answers.
func connect(t *testing.T, profile string, patience time.Duration) *bench {
	t.Helper()
	p, err := iso8583.LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		T: t, online: p.ReversalMTI == "0400", now: time.Date(2026, 11, 22, 3, 15, 0, 0, time.UTC),
		disputes: make(chan payment.ChargebackAdvice, 8), days: make(chan string, 8),
		late: make(chan *iso8583.Message, 8), due: make(chan func(), 8),
	}
	p.ChargebackOnline = true
	clock := func() time.Time { return b.now }
	b.host, err = sim.Start(t.Context(), sim.Config{
		Profile: p, Address: "127.0.0.1:0", Seed: 1, Now: clock, After: func(_ time.Duration, f func()) { b.due <- f },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Pool.Addresses, p.Pool.ReconnectMin.Duration = []string{b.host.Addr()}, time.Millisecond
	p.Timeouts.Authorise.Duration, p.Timeouts.Advice.Duration = patience, 2*time.Second
	b.rail, err = iso8583.NewAcquirer(iso8583.LinkConfig{
		Profile: p, Now: clock, Jitter: func() float64 { return 0 }, Cutover: func(day string) { b.days <- day },
		Late:     func(m *iso8583.Message) { b.late <- m },
		Disputed: func(_ context.Context, a payment.ChargebackAdvice) bool { b.disputes <- a; return true },
	},
		iso8583.Contract{Institution: "12345678901", City: "Seoul", Country: "KR", CountryCode: "410"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.rail.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := b.host.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) trace() payment.Trace {
	b.next++
	return b.rail.Trace(b.next, b.now)
}

func (b *bench) hold(pan string) (payment.AuthOrder, payment.Outcome) {
	return b.ask(pan, payment.ToPay, won(10_000))
}

func won(n int64) money.Amount { return money.New(n, money.Of("KRW")) }

func (b *bench) ask(pan string, purpose payment.Purpose, amount money.Amount) (payment.AuthOrder, payment.Outcome) {
	b.Helper()
	p, err := card.ParsePAN(pan)
	if err != nil {
		b.Fatal(err)
	}
	o := payment.AuthOrder{
		Terminal: "PI000001", Merchant: "PIMERCHANT00001", Purpose: purpose, Amount: amount, PAN: p,
		Expiry: card.Expiry{Year: 2029, Month: 12}, MCC: "5816", Statement: "GOOGLE*별농장", Reference: "payment-1",
	}
	for out := (payment.Outcome{Verdict: payment.NotSent}); ; {
		if b.Context().Err() != nil {
			b.Fatal("never signed on")
		}
		o.Trace = b.trace()
		if out = b.rail.Authorise(b.Context(), o); out.Verdict != payment.NotSent { // not signed on yet, or again
			return o, out
		}
	}
}

func (b *bench) advise(o payment.AuthOrder, approval string, a payment.Advice) payment.AdviceVerdict {
	b.Helper()
	a.Trace = b.trace()
	order := payment.AdviceOrder{
		Advice: a, Original: o.Trace, Whole: o.Amount, Terminal: o.Terminal, Merchant: o.Merchant, PAN: o.PAN,
		Expiry: o.Expiry, MCC: o.MCC, Approval: approval,
	}
	if o.Purpose == payment.ToSell {
		order.About = payment.OfSale
	}
	first := b.rail.Advise(b.Context(), order, false)
	if first.Verdict == payment.AdviceNotSent {
		return first.Verdict // the host has hung up; the link comes back
	}
	again := b.rail.Advise(b.Context(), order, true)
	if first != again && !(b.online && a.Kind == payment.Reversal && again.Verdict == payment.AdviceUnknown) { // 0400, then 0420
		b.Errorf("%s: %+v, and again %+v", a.Kind, first, again)
	}
	return first.Verdict
}

// ledger is what the host says of a hold: its state, and what it captured.
func (b *bench) ledger(rrn string) string {
	b.Helper()
	w := httptest.NewRecorder()
	b.host.Control().ServeHTTP(w, httptest.NewRequest("GET", "/holds?rrn="+rrn, nil))
	var holds []struct {
		State    string `json:"state"`
		Captured int64  `json:"captured"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &holds); err != nil {
		b.Fatal(err)
	}
	if len(holds) != 1 {
		return "none"
	}
	if holds[0].Captured > 0 {
		return holds[0].State + " " + money.New(holds[0].Captured, money.Of("KRW")).String()
	}
	return holds[0].State
}

// The same orders, outcomes and money in two dialects that differ wherever hosts differ: configuration only (rails §7 R3).
func TestAgainstTheSimulatedHost(t *testing.T) {
	for _, profile := range []string{iso8583.DefaultProfile, "pi87-alt"} {
		t.Run(profile, func(t *testing.T) {
			b := connect(t, profile, 2*time.Second)

			for _, pan := range []string{"9999990000000006", "4242424242424242"} { // approval codes of six and of eight
				o, out := b.hold(pan)
				if out.Verdict != payment.Approved || out.Approval == "" || out.HostUntil.IsZero() || b.ledger(o.Trace.RRN) != "open" {
					t.Fatalf("hold: %+v, %s", out, b.ledger(o.Trace.RRN))
				}
				if b.rail.ReleasesRest() {
					rest := payment.Advice{Kind: payment.ReleaseRest, Amount: won(4_000)}
					if v := b.advise(o, out.Approval, rest); v != payment.AdviceAccepted {
						t.Errorf("release of the rest: %d", v)
					}
				}
				if v := b.advise(o, out.Approval, payment.Advice{Kind: payment.Completion, Amount: won(4_000)}); v != payment.AdviceAccepted {
					t.Errorf("partial capture: %d", v)
				}
				if got := b.ledger(o.Trace.RRN); got != "captured 4000 KRW" {
					t.Errorf("after the capture: %s", got)
				}
			}
			for pan, want := range map[string]payment.Outcome{
				"9999990000000519": {Verdict: payment.Refused, Decline: payment.InsufficientFunds},
				"9999990000000550": {Verdict: payment.Refused, Decline: payment.PINMismatch},
				"9999990000009072": {Verdict: payment.Refused, Decline: payment.BirthOrBusinessNo},
				"9999990000000824": {Verdict: payment.Refused, Decline: payment.CVNMismatch},
				"9999990000000915": {Verdict: payment.NothingHeld},
				"9999990000009049": {Verdict: payment.Refused, Decline: payment.IssuerDeclined, Undo: payment.UndoPartial},
				"9999990000009031": {Verdict: payment.Unclear, Undo: payment.UndoSilence},
				"9999990000009163": {Verdict: payment.Unclear, Undo: payment.UndoSilence},
				"9999990000009064": {Verdict: payment.Unclear, Undo: payment.UndoInvalid},
				"9999990000000683": {Verdict: payment.Unclear, Undo: payment.UndoSilence},
			} {
				o, out := b.hold(pan)
				if out.Verdict != want.Verdict || out.Decline != want.Decline || out.Undo != want.Undo {
					t.Errorf("%s: %+v", o.PAN, out)
				}
				if out.Undo == "" {
					if got := b.ledger(o.Trace.RRN); got != "none" {
						t.Errorf("%s: %s, and nothing says to undo it", o.PAN, got)
					}
					continue
				}
				v := payment.AdviceNotSent
				for v == payment.AdviceNotSent {
					v = b.advise(o, out.Approval, payment.Advice{Kind: payment.Reversal, Reason: out.Undo})
				}
				if v != payment.AdviceAccepted {
					t.Errorf("%s: reversal: %d", o.PAN, v)
				}
				if got := b.ledger(o.Trace.RRN); got != "released" {
					t.Errorf("%s: %s after the reversal", o.PAN, got)
				}
			}
			o, _ := b.hold("9999990000000519") // declined: there is nothing to give back
			o.Trace = b.trace()
			if v := b.advise(o, "", payment.Advice{Kind: payment.Reversal, Reason: payment.UndoSilence}); v != payment.AdviceUnknown {
				t.Errorf("reversal of nothing: %d", v)
			}
		})
	}
}

// control asks the host by another way than the wire.
func (b *bench) control(method, path, body string, into any) {
	b.Helper()
	w := httptest.NewRecorder()
	b.host.Control().ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader([]byte(body))))
	if w.Code != 200 {
		b.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			b.Fatal(err)
		}
	}
}

// captured is a payment and what an order to refund it must repeat.
func (b *bench) captured(pan string) payment.AdviceOrder {
	b.Helper()
	o, out := b.hold(pan)
	a := payment.AdviceOrder{
		Advice: payment.Advice{Kind: payment.Completion, Trace: b.trace(), Amount: o.Amount}, Original: o.Trace, Whole: o.Amount,
		Terminal: o.Terminal, Merchant: o.Merchant, PAN: o.PAN, Expiry: o.Expiry, MCC: o.MCC, Approval: out.Approval,
	}
	want := payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00", Day: "20261122"}
	if got := b.rail.Advise(b.Context(), a, false); got != want {
		b.Fatalf("capture: %+v", got)
	}
	a.Kind, a.Approval, a.Text, a.Captured, a.HeldRRN, a.Original = payment.RefundOrder, "", "REFUND", b.now, o.Trace.RRN, a.Trace
	a.Original.RRN = o.Trace.RRN
	return a
}

// sold is a sale and what an order to refund it must repeat.
func (b *bench) sold(pan string) payment.AdviceOrder {
	b.Helper()
	o, out := b.ask(pan, payment.ToSell, won(10_000))
	if out.Verdict != payment.Approved {
		b.Fatalf("sale: %+v", out)
	}
	return payment.AdviceOrder{
		Advice: payment.Advice{Kind: payment.RefundOrder}, About: payment.OfSale, Original: o.Trace, Captured: b.now, HeldRRN: o.Trace.RRN,
		Text: "REFUND", Terminal: o.Terminal, Merchant: o.Merchant, PAN: o.PAN, Expiry: o.Expiry, MCC: o.MCC,
	}
}

// booked is what the host's books say of a request.
func (b *bench) booked(rrn string) string {
	b.Helper()
	var found []struct {
		Kind     string
		Amount   int64
		Currency string
		Undone   bool
	}
	b.control("GET", "/bookings?rrn="+rrn, "", &found)
	if len(found) == 0 {
		return "none"
	}
	said := fmt.Sprintf("%s %d %s", found[0].Kind, found[0].Amount, found[0].Currency)
	if found[0].Undone {
		said += " undone"
	}
	return said
}

func (b *bench) refund(a payment.AdviceOrder, n int64) (payment.Trace, payment.AdviceReply) {
	a.Trace, a.Amount = b.trace(), won(n)
	return a.Trace, b.rail.Advise(b.Context(), a, false)
}

// What comes after the capture, in two dialects: refunds, also one that nobody answers, checks, totals, chargebacks, a new day.
func TestRefundsAndTotalsAgainstTheSimulatedHost(t *testing.T) {
	for _, profile := range []string{iso8583.DefaultProfile, "pi87-alt"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			b := connect(t, profile, 2*time.Second)
			accepted := payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00", Day: "20261122"}

			first := b.captured("9999990000000006")
			if _, got := b.refund(first, 4_000); got != accepted {
				t.Errorf("refund: %+v", got)
			}
			_, got := b.refund(first, 6_001)
			if got.Verdict != payment.AdviceDeclined || got.Why != payment.RefundNothingLeft {
				t.Errorf("more than is left: %+v", got)
			}
			second := b.captured("9999990000009346")
			lost, got := b.refund(second, 10_000)
			if got != (payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoSilence}) {
				t.Errorf("a refund that nobody answers: %+v", got)
			}
			undo := second
			undo.Kind, undo.Trace, undo.About, undo.Original, undo.Reason = payment.Reversal, b.trace(), payment.OfRefund, lost, got.Undo
			if got := b.rail.Advise(t.Context(), undo, false); got != accepted {
				t.Errorf("its reversal: %+v", got)
			}
			if _, got := b.refund(second, 10_000); got != accepted {
				t.Errorf("and anew: %+v", got)
			}

			for pan, code := range map[string]string{"9999990000000006": "00", "9999990000009403": "85"} {
				o, out := b.ask(pan, payment.ToCheck, won(0))
				if out.Verdict != payment.Approved || out.Code != code || b.ledger(o.Trace.RRN) == "open" {
					t.Errorf("check: %+v, %s", out, b.ledger(o.Trace.RRN))
				}
			}

			ours := payment.DayTotals{
				Day: "20261122", Currency: money.Of("KRW"), Debits: 2, DebitSum: 20_000,
				Credits: 3, CreditSum: 24_000, CreditsReversed: 1, CreditRevSum: 10_000,
			}
			wrong := ours
			wrong.Credits, wrong.CreditSum = 2, 14_000
			for want, said := range map[payment.TotalsReply]payment.DayTotals{
				{Verdict: payment.TotalsAgreed, Code: "00"}:            ours,
				{Verdict: payment.TotalsBreak, Code: "95", Host: ours}: wrong,
			} {
				if got := b.rail.Reconcile(t.Context(), said, b.trace(), false); got != want {
					t.Errorf("totals: %+v, want\n%+v", got, want)
				}
			}

			b.control("POST", "/actions/chargeback", `{"rrn": "`+first.HeldRRN+`", "amount": 3000, "reason": "13.1", "online": true}`, nil)
			told := <-b.disputes
			want := payment.ChargebackAdvice{
				Original: first.Original, Name: told.Name, Amount: money.New(3_000, money.Of("KRW")), Stage: payment.First,
				Reason: payment.NotDelivered, Scope: "ISO", RawCode: told.RawCode, Case: told.Case, At: b.now, ReplyBy: told.ReplyBy,
			}
			if !reflect.DeepEqual(told, want) || told.Case == "" || told.RawCode == "" || !told.ReplyBy.After(b.now) {
				t.Errorf("chargeback: %+v, want\n%+v", told, want)
			}
			for answer := ""; answer != "00"; {
				var disputes []struct{ Answer string }
				b.control("GET", "/disputes", "", &disputes)
				if answer = cmp.Or(disputes[0].Answer, answer); answer != "" && answer != "00" || t.Context().Err() != nil {
					t.Fatalf("the host heard %q", answer)
				}
			}

			if profile == iso8583.DefaultProfile { // the other knows no cut-over
				b.control("POST", "/actions/cutover", "", nil)
				if day := <-b.days; day != "20261123" {
					t.Errorf("the host's day is %s", day)
				}
			}
		})
	}
}

// dialects are the shipped ones, and one of a host that knows no holds.
func dialects(t *testing.T) map[string]string {
	t.Helper()
	single := filepath.Join(t.TempDir(), "single.toml")
	if err := os.WriteFile(single, []byte("name = \"single\"\ncapture_mode = \"single\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		iso8583.DefaultProfile: iso8583.DefaultProfile, "pi87-alt": "pi87-alt", "pi87-file": "pi87-file", "single": single,
	}
}

// A sale takes the money with its answer. Every way in which that may go, in every dialect, and what the host's books say in the end
// (Card FOP v1 §4.4, rails §1.10): what is not a clear no is undone, unless nobody was asked.
func TestSalesAgainstTheSimulatedHost(t *testing.T) {
	for name, profile := range dialects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connect(t, profile, 2*time.Second)
			const sale, undone = "sale 10000 410", "sale 10000 410 undone"
			ours := payment.DayTotals{Day: "20261122", Currency: money.Of("KRW")}
			undo := func(o payment.AuthOrder, approval string, why payment.UndoReason) payment.AdviceVerdict {
				v := payment.AdviceNotSent
				for v == payment.AdviceNotSent { // the host has hung up; the link comes back
					v = b.advise(o, approval, payment.Advice{Kind: payment.Reversal, Reason: why})
				}
				return v
			}
			for _, c := range []struct {
				pan           string
				want          payment.Outcome
				before, after string
			}{
				{"9999990000000006", payment.Outcome{Verdict: payment.Approved, Code: "00"}, sale, ""},
				{"4242424242424242", payment.Outcome{Verdict: payment.Approved, Code: "00"}, sale, ""}, // an approval number of eight
				{"9999990000009106", payment.Outcome{Verdict: payment.Approved, Code: "00"}, sale, ""},
				{"9999990000000055", payment.Outcome{Verdict: payment.Refused, Code: "05", Decline: payment.DoNotHonor}, "none", ""},
				{"9999990000000519", payment.Outcome{Verdict: payment.Refused, Code: "51", Decline: payment.InsufficientFunds}, "none", ""},
				{"9999990000000915", payment.Outcome{Verdict: payment.NothingHeld, Code: "91", Fault: fault.Unavailable}, "none", ""},
				{
					"9999990000009049", // in part: the host sets it aside and books nothing
					payment.Outcome{Verdict: payment.Refused, Code: "10", Decline: payment.IssuerDeclined, Undo: payment.UndoPartial},
					"none", "none",
				},
				{
					"9999990000000857",
					payment.Outcome{Verdict: payment.Unclear, Code: "85", Fault: fault.Unavailable, Undo: payment.UndoSilence},
					sale, undone,
				},
				{
					"9999990000000683",
					payment.Outcome{Verdict: payment.Unclear, Code: "68", Fault: fault.Unavailable, Undo: payment.UndoSilence},
					sale, undone,
				},
				{
					"9999990000000949",
					payment.Outcome{Verdict: payment.Unclear, Code: "94", Fault: fault.Internal, Undo: payment.UndoSilence},
					sale, undone,
				},
				{"9999990000009064", payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoInvalid}, sale, undone}, // wrong DE4
				{"9999990000009189", payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoGarbled}, sale, undone}, // half a message
				{"9999990000009031", payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoSilence}, sale, undone}, // hangs up
				{"9999990000009163", payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoSilence}, sale, undone}, // inside the answer
			} {
				o, out := b.ask(c.pan, payment.ToSell, won(10_000))
				got := payment.Outcome{Verdict: out.Verdict, Code: out.Code, Decline: out.Decline, Fault: out.Fault, Undo: out.Undo}
				if !reflect.DeepEqual(got, c.want) || !out.HostUntil.IsZero() {
					t.Errorf("%s: %+v", o.PAN, out)
				}
				if out.Verdict == payment.Approved && (out.Approval == "" || out.NetworkID == "" || out.Day != ours.Day) {
					t.Errorf("%s: %+v", o.PAN, out)
				}
				if got := b.booked(o.Trace.RRN); got != c.before || b.ledger(o.Trace.RRN) == "open" && out.Undo == "" {
					t.Errorf("%s: the host has %s", o.PAN, got)
				}
				if c.before == sale {
					ours.Debits, ours.DebitSum = ours.Debits+1, ours.DebitSum+10_000
				}
				if out.Undo == "" {
					continue
				}
				if v := undo(o, out.Approval, out.Undo); v != payment.AdviceAccepted {
					t.Errorf("%s: reversal: %d", o.PAN, v)
				}
				if got := b.booked(o.Trace.RRN); got != c.after {
					t.Errorf("%s: %s after the reversal", o.PAN, got)
				}
				if c.after == undone {
					ours.DebitsReversed, ours.DebitReverseSum = ours.DebitsReversed+1, ours.DebitReverseSum+10_000
				}
			}
			o, _ := b.ask("9999990000000519", payment.ToSell, won(10_000)) // declined: there is nothing to give back
			o.Trace = b.trace()
			if v := undo(o, "", payment.UndoSilence); v != payment.AdviceUnknown {
				t.Errorf("reversal of nothing: %d", v)
			}

			if first := b.sold("9999990000009346"); b.rail.CapturesByFile() {
				if _, got := b.refund(first, 4_000); got.Verdict != payment.AdviceRefused || got.Alert == "" {
					t.Errorf("refund of a sale, which goes by file: %+v", got)
				}
				ours.Debits, ours.DebitSum = ours.Debits+1, ours.DebitSum+10_000
			} else {
				accepted := payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00", Day: ours.Day}
				lost, got := b.refund(first, 4_000)
				if got != (payment.AdviceReply{Verdict: payment.AdviceUnclear, Undo: payment.UndoSilence}) {
					t.Errorf("a refund that nobody answers: %+v", got)
				}
				back := first
				back.Kind, back.Trace, back.About, back.Original, back.Reason = payment.Reversal, b.trace(), payment.OfRefund, lost, got.Undo
				back.Whole = won(4_000)
				if got := b.rail.Advise(t.Context(), back, false); got != accepted {
					t.Errorf("its reversal: %+v", got)
				}
				if _, got := b.refund(first, 4_000); got != accepted {
					t.Errorf("and anew: %+v", got)
				}
				if _, got := b.refund(first, 6_001); got.Verdict != payment.AdviceDeclined || got.Why != payment.RefundNothingLeft {
					t.Errorf("more than is left: %+v", got)
				}
				ours.Debits, ours.DebitSum, ours.Credits, ours.CreditSum = ours.Debits+1, ours.DebitSum+10_000, 2, 8_000
				ours.CreditsReversed, ours.CreditRevSum = 1, 4_000
			}

			totals := []payment.DayTotals{ours}
			for amount, want := range map[money.Amount]string{ // of every exponent
				money.New(1_234, money.Of("KWD")): "sale 1234 414", money.New(7, money.Of("BHD")): "sale 7 048",
				money.New(499, money.Of("EUR")): "sale 499 978", money.New(300, money.Of("JPY")): "sale 300 392",
			} {
				o, out := b.ask("9999990000000006", payment.ToSell, amount)
				if got := b.booked(o.Trace.RRN); out.Verdict != payment.Approved || got != want {
					t.Errorf("%s: %+v, %s", amount, out, got)
				}
				totals = append(totals, payment.DayTotals{Day: ours.Day, Currency: amount.Currency(), Debits: 1, DebitSum: amount.Minor()})
			}
			for _, said := range totals {
				if got := b.rail.Reconcile(t.Context(), said, b.trace(), false); got.Verdict != payment.TotalsAgreed {
					t.Errorf("totals: %+v, want\n%+v", got, said)
				}
			}
		})
	}
}

// A sale that nobody answers in time is undone, whether the host had booked it, had not, or hears of it last (rails §1.11 T1, T11).
func TestSalesThatNobodyAnswersInTime(t *testing.T) {
	for name, profile := range dialects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connect(t, profile, time.Second)
			silence := payment.Outcome{Fault: fault.Unavailable, Undo: payment.UndoSilence}
			for _, c := range []struct {
				pan, before, after string
				want               payment.AdviceVerdict
				late               string // the answer that comes too late
			}{
				{"9999990000009015", "sale 10000 410", "sale 10000 410 undone", payment.AdviceAccepted, ""},
				{"9999990000009239", "none", "none", payment.AdviceUnknown, ""},
				{"9999990000009130", "none", "none", payment.AdviceUnknown, "12"}, // the reversal overtakes it
				{"9999990000009023", "sale 10000 410", "sale 10000 410 undone", payment.AdviceAccepted, "00"},
			} {
				o, out := b.ask(c.pan, payment.ToSell, won(10_000))
				if got := b.booked(o.Trace.RRN); !reflect.DeepEqual(out, silence) || got != c.before {
					t.Errorf("%s: %+v, %s", o.PAN, out, got)
				}
				if c.late == "00" {
					(<-b.due)() // the approval changes nothing: the reversal is owed
				}
				if v := b.advise(o, "", payment.Advice{Kind: payment.Reversal, Reason: out.Undo}); v != c.want {
					t.Errorf("%s: reversal: %d", o.PAN, v)
				}
				if got := b.booked(o.Trace.RRN); got != c.after {
					t.Errorf("%s: %s after the reversal", o.PAN, got)
				}
				if c.late == "" {
					continue
				}
				select {
				case m := <-b.late:
					if m.MTI() != "0210" || m.Get(39) != c.late {
						t.Errorf("%s: late: %v", o.PAN, m)
					}
				case <-time.After(time.Minute): // never reached
					t.Errorf("%s: no late answer", o.PAN)
				}
			}
		})
	}
}
