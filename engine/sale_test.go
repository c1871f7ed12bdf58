package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
	"naru/engine"
)

// sold makes a sale: its name is the reservation's and the capture's.
func (w *world) sold(id string, minor int64) {
	w.Helper()
	w.approved(w.sell(id, minor))
	if got := w.reservation(id).State; got != payment.Captured {
		w.Fatal(got)
	}
}

func (w *world) attemptOf(reservation string) (a payment.Attempt) {
	w.Helper()
	r := w.reservation(reservation)
	w.look(func(v engine.Reader) (err error) { a, _, err = v.Attempt(r.AttemptID); return err })
	return a
}

// noCapture wants that no capture has this name.
func (w *world) noCapture(id string) {
	w.Helper()
	w.look(func(v engine.Reader) error {
		if x, ok, err := v.CaptureByRequest(key(id)); ok || err != nil {
			w.Errorf("%+v, %v", x, err)
		}
		return nil
	})
	w.no(fault.Unknown)(w.refund("refund of "+id, id, 1))
}

// Card FOP v1 §4.4, §6.2: one message takes the money, and the answer is the verdict. Nobody is told of anything after it.
func TestSaleTakesTheMoney(t *testing.T) {
	w := newWorld(t, contract)
	now := w.clock.Now()
	first := w.approved(w.sell("c", 12900))
	w.is("c", payment.Captured, moved, true)
	r, x, a, sent := w.reservation("c"), w.clearing("c"), w.attemptOf("c"), w.bank.asked[0]
	if want := "YES " + r.Approval + " " + r.ID + " " + x.ID; first != want {
		t.Errorf("%q, not %q", first, want)
	}
	if want := (payment.Reservation{
		ID: r.ID, Purpose: payment.ToSell, Account: "P", RequestID: "c", State: payment.Captured, Version: r.Version, Amount: won(12900),
		Captured: won(12900), AttemptID: a.ID, Approval: "A" + sent.Trace.STAN, Code: "00", NetworkID: "N" + sent.Trace.RRN,
		LinkID: "L" + sent.Trace.RRN, MCC: "5816", Card: r.Card, CardUntil: now.Add(disputeWindow), Chain: r.Chain,
	}); fmt.Sprint(r) != fmt.Sprint(want) {
		t.Errorf("%+v, not %+v", r, want)
	}
	if want := (engine.Capture{
		ID: x.ID, Key: key("c"), Reservation: r.ID, Amount: won(12900), State: payment.CaptureSuccess, At: now, DoneAt: now, RRN: sent.Trace.RRN,
		NetworkID: r.NetworkID, Approval: r.Approval, Day: "20260302",
	}); x != want {
		t.Errorf("%+v, not %+v", x, want)
	}
	if a.State != payment.AttemptBooked || a.Trace != sent.Trace || a.Code != "00" || a.UndoneDay != "" {
		t.Errorf("%+v", a)
	}
	if sent.Purpose != payment.ToSell || sent.Amount != won(12900) || sent.Merchant != "M1" || sent.MCC != "5816" || sent.Reference != r.ID ||
		sent.Terminal == "" || sent.CVN.Reveal() != "987" {
		t.Errorf("the network saw %+v", sent)
	}
	w.look(func(v engine.Reader) error {
		if at, some, err := v.NextExpiry(); some || err != nil {
			t.Errorf("it ends at %s, %v", at, err)
		}
		return nil
	})
	w.agrees()
	w.midnight()
	s := w.settled("20260302 1 12900 -333 -33 12534")[0]
	if got := strings.Join(w.items(s), ", "); got != "20260302 capture c 12900 -333 -33" {
		t.Error(got)
	}
	w.later(400 * 24 * time.Hour)
	w.start()
	if again := w.yes(w.sell("c", 12900)); again != first || len(w.bank.asked) != 1 || len(w.bank.told) != 0 {
		t.Errorf("%q after %q, %d sales, %d messages", again, first, len(w.bank.asked), len(w.bank.told))
	}
	w.owes("settlement 20260302/0")
}

// The network says on which of its days it booked a sale; where it says nothing it is the account's. When a hold would end means nothing.
func TestSaleAndTheNetworksClock(t *testing.T) {
	for name, c := range map[string]struct {
		auth func(*acquirer, payment.AuthOrder) payment.Outcome
		day  string
	}{
		"its own day": {func(a *acquirer, o payment.AuthOrder) payment.Outcome {
			out := approve(a, o)
			out.Day = "20260303"
			return out
		}, "20260303"},
		"no day, but the end of a hold": {untilHours(1), "20260302"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.auth(c.auth)
			w.sold("c", 12900)
			if r, x := w.reservation("c"), w.clearing("c"); x.Day != c.day || !r.HoldUntil.IsZero() || !r.HostUntil.IsZero() {
				t.Errorf("%+v, %+v", x, r)
			}
			w.later(2 * week)
			w.is("c", payment.Captured, moved, true)
			w.agrees()
		})
	}
}

func TestSaleDeclinedIsFinal(t *testing.T) {
	w := newWorld(t)
	w.auth(decline)
	first := w.declined(payment.InsufficientFunds)(w.sell("c", 12900))
	w.is("c", payment.Declined, nothing, false)
	if again := w.yes(w.sell("c", 12900)); again != first || len(w.bank.asked) != 1 {
		t.Errorf("%q after %q", again, first)
	}
	w.noCapture("c")
	w.owes()
	w.agrees()
}

// Card FOP v1 §4.4: less than the whole is declined, and given back.
func TestSalePartialIsGivenBack(t *testing.T) {
	w := newWorld(t)
	w.auth(partial)
	first := w.declined(payment.IssuerDeclined)(w.sell("c", 12900))
	w.is("c", payment.Declined, nothing, true)
	w.noCapture("c")
	w.forward()
	w.is("c", payment.Declined, nothing, false)
	if m := w.bank.told[0]; m.Kind != payment.Reversal || m.About != payment.OfSale || m.Reason != payment.UndoPartial ||
		m.Whole != won(12900) || m.Original != w.bank.asked[0].Trace {
		t.Errorf("%+v", m)
	}
	if again := w.yes(w.sell("c", 12900)); again != first || len(w.bank.asked) != 1 {
		t.Errorf("%q after %q", again, first)
	}
	w.agrees()
}

// Card FOP v1 §4.4, §6.8: what was not answered is undone in any case; until the network has answered that, repeats hear 503 and start
// nothing; then a repeat is a new sale with its own terms. The day's totals count what the network had booked, and undid (rails §1.16).
func TestSaleWithoutVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		auth     func(*acquirer, payment.AuthOrder) payment.Outcome
		replies  []reply // to the reversal
		state    payment.State
		reversal payment.UndoReason
		undone   int64 // sales that the network counts as booked and undone
	}{
		"not sent":                     {notSent, nil, payment.NotHeld, "", 0},
		"nothing taken":                {issuerDown, nil, payment.NotHeld, "", 0},
		"answer lost":                  {lostAnswer, nil, payment.Reversing, payment.UndoSilence, 1},
		"request lost":                 {lostRequest, nil, payment.Reversing, payment.UndoSilence, 0},
		"request late":                 {lateRequest, nil, payment.Reversing, payment.UndoSilence, 1},
		"answer spoilt":                {unclear(payment.UndoGarbled), nil, payment.Reversing, payment.UndoGarbled, 1},
		"answer to other":              {unclear(payment.UndoInvalid), nil, payment.Reversing, payment.UndoInvalid, 1},
		"the undoing is lost":          {lostAnswer, []reply{lostReply, silent}, payment.Reversing, payment.UndoSilence, 1},
		"the undoing has to wait":      {lostAnswer, []reply{linkDown, patience}, payment.Reversing, payment.UndoSilence, 1},
		"the number of it was taken":   {lostAnswer, []reply{collided}, payment.Reversing, payment.UndoSilence, 1},
		"both are lost, then it comes": {lateRequest, []reply{silent, lostReply}, payment.Reversing, payment.UndoSilence, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.auth(c.auth)
			w.no(fault.Unavailable)(w.sell("c", 12900))
			w.is("c", c.state, nothing, c.reversal != "")
			w.noCapture("c")
			if c.reversal != "" {
				if open := w.open("c"); len(open) != 1 || open[0].Reason != c.reversal || open[0].Kind != payment.Reversal {
					t.Fatalf("%+v", open)
				}
				w.no(fault.Unavailable)(w.sell("c", 12900))
				w.no(fault.Unavailable)(w.capture("x", "c", 12900))
				w.no(fault.Unavailable)(w.cancel("x", "c"))
			}
			w.replies(c.replies...)
			w.forward()
			for range 3 {
				if w.reservation("c").State == payment.Reversing {
					w.no(fault.Unavailable)(w.sell("c", 12900))
				}
				w.later(time.Minute)
			}
			w.is("c", payment.NotHeld, nothing, false)
			w.noCapture("c")
			if len(w.bank.asked) != 1 {
				t.Fatal("a second sale beside one that is being undone")
			}
			for i, m := range w.bank.told {
				if m.Kind != payment.Reversal || m.About != payment.OfSale || m.Reason != c.reversal || m.Amount != won(12900) ||
					m.Whole != won(12900) || m.Original != w.bank.asked[0].Trace || m.Trace.RRN != m.Original.RRN ||
					m.Trace.STAN == m.Original.STAN || m.PAN.Reveal() != pan {
					t.Errorf("message %d: %+v", i, m)
				}
			}
			undone := w.attemptOf("c")
			if day := map[int64]string{1: "20260302"}[c.undone]; undone.UndoneDay != day {
				t.Errorf("undone on %q, not %q", undone.UndoneDay, day)
			}
			w.agrees()
			w.sold("c", 5000)
			w.is("c", payment.Captured, ours(5000), true)
			w.agrees()
			if a, b := w.bank.asked[0].Trace, w.bank.asked[1].Trace; a.STAN == b.STAN || a.RRN == b.RRN || w.clearing("c").RRN != b.RRN {
				t.Error("the fresh sale has the names of the old one")
			}
			w.owes()
			w.clock.Advance(endOfDay)
			w.totals()
			got := w.comparison("20260302")
			want := payment.DayTotals{
				Day: "20260302", Currency: krw, Debits: 1 + c.undone, DebitSum: 5000 + c.undone*12900, DebitsReversed: c.undone,
				DebitReverseSum: c.undone * 12900,
			}
			if got.State != engine.TotalsAgreed || got.Ours != want {
				t.Errorf("%s: %+v, not %+v", got.State, got.Ours, want)
			}
		})
	}
}

// A reversal that the network refuses stops: a person sends it again. Until it is answered nobody sells or cancels under this name.
func TestSaleThatOnlyAPersonCanUndo(t *testing.T) {
	w := newWorld(t)
	w.auth(lostAnswer)
	w.no(fault.Unavailable)(w.sell("c", 12900))
	w.replies(nonsense)
	w.forward()
	w.later(24 * time.Hour)
	w.wants("advice-refused")
	w.is("c", payment.Reversing, nothing, true)
	w.no(fault.Unavailable)(w.sell("c", 12900))
	w.no(fault.Unavailable)(w.cancel("x", "c"))
	list, err := w.ListCases(context.Background(), true, 9)
	w.must(err)
	w.must(w.ResumeCase(context.Background(), list[0].ID, "the acquirer has mended it"))
	w.forward()
	w.is("c", payment.NotHeld, nothing, false)
	w.wants()
	w.agrees()
	w.sold("c", 12900)
	w.agrees()
}

// A code that decides nothing tells its own kind of failure (rails §1.14), and is not stored.
func TestCodesOfASaleWithoutVerdict(t *testing.T) {
	for _, k := range []fault.Kind{fault.Unavailable, fault.Internal, fault.Precondition} {
		w := newWorld(t)
		w.auth(func(*acquirer, payment.AuthOrder) payment.Outcome {
			return payment.Outcome{Verdict: payment.NothingHeld, Code: "03", Fault: k, Detail: "merchant unknown"}
		})
		w.no(k)(w.sell("c", 12900))
		w.is("c", payment.NotHeld, nothing, false)
		w.sold("c", 12900)
		w.agrees()
	}
}

// What was sold and has no words in the caller's protocol is given back.
func TestUnspeakableSaleIsGivenBack(t *testing.T) {
	w := newWorld(t)
	ask := sale(won(12900))
	ask.Encode = func(engine.ReserveResult) ([]byte, error) { return nil, errors.New("no words") }
	if got, err := w.reserveAs(context.Background(), "c", ask); err == nil {
		t.Fatal(got)
	}
	w.is("c", payment.Reversing, nothing, true)
	w.noCapture("c")
	w.forward()
	w.is("c", payment.NotHeld, nothing, false)
	if w.attemptOf("c").UndoneDay != "20260302" {
		t.Error("the network had booked it")
	}
	w.agrees()
	w.sold("c", 12900)
	w.agrees()
}

// The process dies in a sale: what may have been taken is undone, never adopted; where the result was on disk the repeat gets it.
func TestSaleAfterACrash(t *testing.T) {
	for point, c := range map[crash.Point]struct {
		answered bool
		asked    int
		undone   string
	}{
		crash.SaleAccepted: {false, 0, ""},
		crash.SaleSent:     {false, 1, "20260302"},
		crash.SaleSettled:  {true, 1, ""},
	} {
		t.Run(string(point), func(t *testing.T) {
			w := newWorld(t)
			w.die = point
			if !survives(func() { _, _ = w.sell("c", 12900) }) {
				t.Fatal("the point was not passed")
			}
			if c.answered {
				w.start()
				w.approved(w.sell("c", 12900))
				w.is("c", payment.Captured, moved, true)
				w.owes()
				w.agrees()
				return
			}
			for _, p := range []crash.Point{crash.RecoveryPrepared, crash.RecoveryDone} { // it may die in its recovery too
				w.die = p
				if !survives(w.start) {
					t.Fatal("the point was not passed:", p)
				}
			}
			w.start()
			w.is("c", payment.Reversing, nothing, true)
			if open := w.open("c"); len(open) != 1 || open[0].Reason != payment.UndoCrash {
				t.Fatalf("%+v", open)
			}
			w.no(fault.Unavailable)(w.sell("c", 12900))
			w.noCapture("c")
			w.forward()
			w.later(time.Minute)
			w.is("c", payment.NotHeld, nothing, false)
			if got := w.attemptOf("c").UndoneDay; got != c.undone {
				t.Errorf("undone on %q", got)
			}
			w.agrees()
			w.sold("c", 9900)
			w.is("c", payment.Captured, ours(9900), true)
			w.agrees()
			if len(w.bank.asked) != c.asked+1 {
				t.Errorf("%d sales", len(w.bank.asked))
			}
		})
	}
}

// A hold does not die where a sale does: each has its own points.
func TestHoldsAndSalesDieApart(t *testing.T) {
	w := newWorld(t)
	w.die = crash.SaleSent
	if survives(func() { w.approved(w.reserve("q", 1)) }) {
		t.Error("a hold died at a point of sales")
	}
	w.die = crash.ReserveSent
	if survives(func() { w.approved(w.sell("c", 1)) }) {
		t.Error("a sale died at a point of holds")
	}
}

// Somebody else gave the attempt up while the network was thinking: the late approval stands nowhere, and is undone (rails §1.11 T1).
func TestSaleThatIsAnsweredTooLate(t *testing.T) {
	w := newWorld(t)
	first := w.Engine
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		w.start() // another process finds the request abandoned
		return approve(a, o)
	})
	got, err := first.Once(context.Background(), request("c", "SALE", "x"), func(ctx context.Context, turn engine.Turn) ([]byte, error) {
		return first.Reserve(ctx, turn, sale(won(12900)))
	})
	w.no(fault.Unavailable)(string(got), err)
	w.is("c", payment.Reversing, nothing, true)
	w.noCapture("c")
	w.forward()
	w.is("c", payment.NotHeld, nothing, false)
	w.agrees()
	w.owes()
}

// The result cannot be written down: nobody is told of it, no part of it stays, and it is undone.
func TestStoreThatFailsInSelling(t *testing.T) {
	w := newWorld(t)
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		w.store.mu.Lock()
		w.store.fail = func() error { return errDisk }
		w.store.mu.Unlock()
		return approve(a, o)
	})
	_, err := w.sell("c", 12900)
	w.no(fault.Unavailable)("", err)
	w.store.fail = nil
	w.is("c", payment.Pending, nothing, true)
	w.noCapture("c")
	if n, err := w.Recover(context.Background()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.forward()
	w.is("c", payment.NotHeld, nothing, false)
	w.agrees()
	w.sold("c", 12900)
	w.agrees()
}

func TestSaleIsOnDiskBeforeTheNetworkHears(t *testing.T) {
	w := newWorld(t)
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		w.is("c", payment.Pending, nothing, true)
		if x := w.attemptOf("c"); x.State != payment.AttemptPrepared || x.Trace != o.Trace || x.Terminal != o.Terminal {
			t.Errorf("%+v is on disk, %+v goes out", x, o)
		}
		w.noCapture("c")
		w.no(fault.Unavailable)(w.capture("x", "c", 1))
		w.no(fault.Unavailable)(w.cancel("x", "c"))
		return approve(a, o)
	})
	w.sold("c", 12900)
}

func TestParallelCopiesSellOnce(t *testing.T) {
	w := newWorld(t)
	slow, begun, open := gate()
	w.auth(slow)
	answers := make([]string, 20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			got, err := w.sell("c", 12900)
			if err != nil {
				t.Error(err)
			}
			answers[i] = got
		})
	}
	<-begun
	w.no(fault.KeyReused)(w.sell("c", 1))
	w.no(fault.KeyReused)(w.reserve("c", 12900))
	close(open)
	all.Wait()
	for _, a := range answers {
		if a != answers[0] || !strings.HasPrefix(a, "YES") {
			t.Errorf("%q beside %q", a, answers[0])
		}
	}
	if len(w.bank.asked) != 1 {
		t.Errorf("%d sales", len(w.bank.asked))
	}
	w.is("c", payment.Captured, moved, true)
	w.agrees()
}

// A caller that hangs up cancels nothing.
func TestCallerWhoHangsUpInASale(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		cancel()
		return approve(a, o)
	})
	first := w.approved(w.reserveAs(ctx, "c", sale(won(12900))))
	if again := w.yes(w.sell("c", 12900)); again != first {
		t.Error(again)
	}
	w.agrees()
}

// One name is one request, whatever its method (Card FOP v1 §2.4).
func TestOtherContentUnderTheKeyOfASale(t *testing.T) {
	w := newWorld(t)
	first := w.approved(w.sell("c", 12900))
	w.no(fault.KeyReused)(w.sell("c", 12901))
	w.no(fault.KeyReused)(w.reserve("c", 12900))
	w.no(fault.KeyReused)(w.capture("c", "c", 12900))
	w.no(fault.KeyReused)(w.cancel("c", "c"))
	w.no(fault.KeyReused)(w.refund("c", "c", 12900))
	w.approved(w.reserve("q", 100))
	w.no(fault.KeyReused)(w.sell("q", 100))
	if again := w.yes(w.sell("c", 12900)); again != first {
		t.Error("the first outcome was touched")
	}
	w.agrees()
}

// Errors are not final: a request that left nothing may come again as another method, in another currency. What the network had booked and
// undone for the first one stays in its day's totals as it was.
func TestRequestThatComesAgainAsAnother(t *testing.T) {
	t.Run("a sale becomes a hold", func(t *testing.T) {
		w := newWorld(t)
		w.auth(lostAnswer)
		w.no(fault.Unavailable)(w.sell("c", 12900))
		w.forward()
		hold := sale(money.New(777, eur))
		hold.Order.Purpose = payment.ToPay
		w.approved(w.reserveAs(context.Background(), "c", hold))
		if r := w.reservation("c"); r.State != payment.Reserved || r.Purpose != payment.ToPay || r.HoldUntil.IsZero() {
			t.Errorf("%+v", r)
		}
		w.noCapture("c")
		w.clock.Advance(endOfDay)
		w.totals()
		want := payment.DayTotals{
			Day: "20260302", Currency: krw, Debits: 1, DebitSum: 12900, DebitsReversed: 1, DebitReverseSum: 12900,
		}
		if got := w.comparison("20260302"); got.State != engine.TotalsAgreed || got.Ours != want {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a hold becomes a sale", func(t *testing.T) {
		w := newWorld(t)
		w.auth(lostAnswer)
		w.no(fault.Unavailable)(w.reserve("c", 777))
		w.forward()
		if m := w.bank.told[0]; m.About != payment.OfHold || w.attemptOf("c").UndoneDay != "" {
			t.Errorf("%+v, undone on %q: nothing was booked", m, w.attemptOf("c").UndoneDay)
		}
		w.sold("c", 12900)
		w.is("c", payment.Captured, moved, true)
		w.agrees()
		w.clock.Advance(endOfDay)
		w.totals()
		want := payment.DayTotals{Day: "20260302", Currency: krw, Debits: 1, DebitSum: 12900}
		if got := w.comparison("20260302"); got.State != engine.TotalsAgreed || got.Ours != want {
			t.Errorf("%+v", got)
		}
	})
}

// sellTo brings the sale c to a state.
var sellTo = map[payment.State]func(*world){
	payment.Captured:  func(w *world) { w.sold("c", 12900) },
	payment.Declined:  func(w *world) { w.auth(decline); w.yes(w.sell("c", 12900)) },
	payment.Reversing: func(w *world) { w.auth(lostAnswer); _, _ = w.sell("c", 12900) },
	payment.NotHeld:   func(w *world) { w.auth(lostAnswer); _, _ = w.sell("c", 12900); w.forward() },
	payment.Cancelled: func(w *world) { w.auth(notSent); _, _ = w.sell("c", 12900); w.yes(w.cancel("first", "c")) },
}

// Card FOP v1 §6.8, §8.1: the caller may clean up with P3 after what it did not hear. What was sold is not cancelled, but refunded.
func TestCancelOfASale(t *testing.T) {
	for state, c := range map[payment.State]struct {
		fault fault.Kind
		end   payment.State
	}{
		payment.Captured:  {fault: fault.Precondition},
		payment.Reversing: {fault: fault.Unavailable},
		payment.Declined:  {0, payment.Declined},
		payment.NotHeld:   {0, payment.Cancelled},
		payment.Cancelled: {0, payment.Cancelled},
	} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t)
			sellTo[state](w)
			before, told, messages := w.reservation("c"), w.notices(), len(w.bank.told)
			if before.State != state {
				t.Fatalf("reached %s", before.State)
			}
			got, err := w.cancel("x", "c")
			if c.fault != 0 {
				w.no(c.fault)(got, err)
				if w.reservation("c").Version != before.Version || len(w.notices()) != len(told) {
					t.Error("a refused cancel changed something")
				}
				return
			}
			w.yes(got, err)
			w.forward()
			w.is("c", c.end, nothing, false)
			w.owes(append(told, "cancel-result x SUCCESS")...)
			if len(w.bank.told) != messages {
				t.Error("there was nothing to tell the network")
			}
			if state != payment.Declined { // a late repeat never takes the money (Korea Cards v1 §4.3)
				asked := len(w.bank.asked)
				first := w.declined(payment.IssuerDeclined)(w.sell("c", 12900))
				if again := w.yes(w.sell("c", 12900)); again != first || len(w.bank.asked) != asked {
					t.Errorf("%q after %q", again, first)
				}
			}
			w.noCapture("c")
			w.agrees()
		})
	}
}

// A sale needs no capture, and can have no second one: P2 names reservations (Card FOP v1 §8.1).
func TestCaptureOfASale(t *testing.T) {
	for state, reach := range sellTo {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t)
			reach(w)
			before, books, told := w.reservation("c"), w.books(), w.notices()
			want := fault.Precondition
			if state == payment.Reversing {
				want = fault.Unavailable
			}
			w.no(want)(w.capture("x", "c", 12900))
			if w.reservation("c").Version != before.Version || w.books() != books || len(w.notices()) != len(told) {
				t.Error("a refused capture changed something")
			}
		})
	}
}

// The contract bounds what one payment may ask for, in each currency by itself. Nobody is asked about an amount beyond it, and the refusal
// stays what it was whatever the contract says later.
func TestLimits(t *testing.T) {
	bounds := []engine.Limits{{Least: won(1000), Most: won(50000)}, {Least: money.New(50, eur), Most: money.New(0, eur)}}
	for _, c := range []struct {
		amount money.Amount
		why    payment.Reason
	}{
		{won(999), payment.BelowAmountLimit},
		{won(1000), ""},
		{won(50000), ""},
		{won(50001), payment.AboveAmountLimit},
		{money.New(49, eur), payment.BelowAmountLimit},
		{money.New(50, eur), ""},
		{money.New(999_999_999_999, eur), ""}, // no bound above
		{money.New(1, kwd), ""},               // nothing is said of dinars
		{money.New(999_999_999_999, kwd), ""},
	} {
		for _, purpose := range []payment.Purpose{payment.ToPay, payment.ToSell} {
			t.Run(fmt.Sprint(c.amount, purpose), func(t *testing.T) {
				limits := bounds
				w := newWorld(t, func(c *engine.Config) { c.Accounts[0].Limits = limits })
				ask := sale(c.amount)
				ask.Order.Purpose = purpose
				if c.why == "" {
					w.approved(w.reserveAs(context.Background(), "q", ask))
					return
				}
				first := w.declined(c.why)(w.reserveAs(context.Background(), "q", ask))
				w.is("q", payment.Declined, nothing, false)
				limits = nil
				w.start()
				if again := w.yes(w.reserveAs(context.Background(), "q", ask)); again != first || len(w.bank.asked) != 0 {
					t.Errorf("%q after %q, %d asked", again, first, len(w.bank.asked))
				}
				w.yes(w.cancel("x", "q"))
				w.owes("cancel-result x SUCCESS")
				w.noCapture("q")
				w.agrees()
			})
		}
	}
}

// A check of a card asks for no money of the caller's, and has no limits; a repeat with terms beyond them is judged by its own.
func TestWhatLimitsLeaveAlone(t *testing.T) {
	w := newWorld(t, func(c *engine.Config) { c.Accounts[0].Limits = []engine.Limits{{Least: won(1000), Most: won(50000)}} })
	w.bank.least = least
	w.approved(w.check("v", payment.ToVerify))
	w.approved(w.check("z", payment.ToCheck))
	w.forward()
	w.auth(lostAnswer)
	w.no(fault.Unavailable)(w.sell("c", 1000))
	w.forward()
	w.declined(payment.BelowAmountLimit)(w.sell("c", 999))
	w.noCapture("c")
	w.yes(w.cancel("x", "v"))
	w.forward()
	w.is("c", payment.Declined, nothing, false)
	w.agrees()
	w.clock.Advance(endOfDay)
	w.totals()
	if got := w.comparison("20260302"); got.State != engine.TotalsAgreed || got.Ours.DebitsReversed != 1 {
		t.Errorf("%+v", got) // what was undone before counts all the same
	}
}

func TestContractsThatCannotBe(t *testing.T) {
	bad := settlement.Terms{CaptureBP: 10_001}
	for name, change := range map[string]func(*engine.Account){
		"no amount fits":       func(a *engine.Account) { a.Limits = []engine.Limits{{Least: won(2), Most: won(1)}} },
		"two currencies":       func(a *engine.Account) { a.Limits = []engine.Limits{{Least: won(1), Most: money.New(2, eur)}} },
		"less than nothing":    func(a *engine.Account) { a.Limits = []engine.Limits{{Least: won(-1), Most: won(1)}} },
		"at most a debt":       func(a *engine.Account) { a.Limits = []engine.Limits{{Least: won(0), Most: won(-1)}} },
		"terms":                func(a *engine.Account) { a.Terms = bad },
		"terms in a currency":  func(a *engine.Account) { a.TermsIn = map[string]settlement.Terms{"KRW": {}, "EUR": bad} },
		"the second of limits": func(a *engine.Account) { a.Limits = []engine.Limits{{won(1), won(0)}, {won(2), won(1)}} },
	} {
		a := engine.Account{ID: "P", Acquirer: "bc", Terminals: []string{"T"}, Limits: []engine.Limits{{won(1), won(1)}}}
		c := engine.Config{Links: map[string]engine.Link{"bc": {Rail: &acquirer{}}}, Accounts: []engine.Account{a}}
		if _, err := engine.New(c); err != nil {
			t.Fatal(err)
		}
		change(&c.Accounts[0])
		if _, err := engine.New(c); err == nil || !strings.Contains(err.Error(), "account P") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Rails §1.3, capture_mode single: a network that knows no holds is not asked for one, nor for a card check that would be one.
func TestNetworkThatOnlySells(t *testing.T) {
	sellsOnly := func(c *engine.Config) { c.Links["bc"].Rail.(*acquirer).sellsOnly = true }
	t.Run("holds and sales", func(t *testing.T) {
		w := newWorld(t, sellsOnly)
		first := w.declined(payment.NotAllowed)(w.reserve("q", 12900))
		w.is("q", payment.Declined, nothing, false)
		if again := w.yes(w.reserve("q", 12900)); again != first || len(w.bank.asked) != 0 {
			t.Errorf("%q after %q", again, first)
		}
		w.no(fault.Precondition)(w.capture("x", "q", 12900))
		w.sold("c", 12900)
		w.is("c", payment.Captured, moved, true)
		w.agrees()
	})
	for _, purpose := range []payment.Purpose{payment.ToVerify, payment.ToCheck} {
		t.Run(string(purpose), func(t *testing.T) {
			w := newWorld(t, sellsOnly)
			w.approved(w.check("free", purpose)) // of nothing
			w.bank.least = least
			w.declined(payment.NotAllowed)(w.check("held", purpose))
			if len(w.bank.asked) != 1 {
				t.Error("the network was asked for a hold")
			}
			w.agrees()
		})
	}
	t.Run("the limits come first", func(t *testing.T) {
		w := newWorld(t, sellsOnly, func(c *engine.Config) { c.Accounts[0].Limits = []engine.Limits{{Least: won(10), Most: won(0)}} })
		w.declined(payment.BelowAmountLimit)(w.reserve("q", 9))
		w.declined(payment.NotAllowed)(w.reserve("r", 10))
	})
}

// Whoever answers learns whether the network knows holds.
func TestResultTellsOfANetworkThatOnlySells(t *testing.T) {
	for _, only := range []bool{false, true} {
		w := newWorld(t)
		w.bank.sellsOnly = only
		ask := sale(won(100))
		ask.Encode = func(r engine.ReserveResult) ([]byte, error) {
			return fmt.Append(nil, "YES ", r.SellsOnly, " ", r.HoldUntil.IsZero()), nil
		}
		if got := w.yes(w.reserveAs(context.Background(), "c", ask)); got != fmt.Sprint("YES ", only, " true") {
			t.Error(got)
		}
	}
}

// Card FOP v1 §4.5: part or all of a sale goes back as of any capture. The order names the sale's own message (rails §1.10).
func TestRefundOfASale(t *testing.T) {
	w := newWorld(t)
	w.sold("c", 12900)
	captured := w.clock.Now()
	w.clock.Advance(time.Hour)
	first := w.yes(w.refund("f", "c", 4000))
	w.is("c", payment.Captured, moved, true)
	w.owes()
	w.forward()
	w.is("c", payment.Captured, ours(8900), true)
	w.owes("refund-result f SUCCESS 00")
	sent, ask, f := w.bank.told[0], w.bank.asked[0], w.refundOf("c", "f")
	if sent.Kind != payment.RefundOrder || sent.repeat || sent.About != payment.OfSale || sent.Original != ask.Trace ||
		sent.HeldRRN != ask.Trace.RRN || !sent.Captured.Equal(captured) || sent.Amount != won(4000) || sent.Whole != won(4000) ||
		sent.PAN.Reveal() != pan || sent.Expiry != ask.Expiry || sent.Terminal != ask.Terminal || sent.Merchant != ask.Merchant ||
		sent.MCC != ask.MCC || sent.Text == "" || sent.Approval != "" {
		t.Errorf("the order says %+v", sent)
	}
	if sent.Trace.RRN == ask.Trace.RRN || f.RRN != sent.Trace.RRN || f.State != payment.Refunded || f.Day != "20260302" {
		t.Errorf("%+v, %+v", sent.Trace, f)
	}
	if again := w.yes(w.refund("f", "c", 4000)); again != first {
		t.Errorf("%q after %q", again, first)
	}
	w.no(fault.Precondition)(w.refund("g", "c", 8901))
	w.yes(w.refund("g", "c", 900))
	w.yes(w.refund("h", "c", 8000))
	w.no(fault.Precondition)(w.refund("i", "c", 1))
	w.replies(honest, refuses(payment.RefundCardCancelled, "46"))
	w.forward()
	w.is("c", payment.Captured, ours(8000), true)
	w.yes(w.refund("i", "c", 8000)) // what failed is left again
	w.forward()
	w.is("c", payment.Captured, nothing, true)
	w.owes("refund-result f SUCCESS 00", "refund-result g SUCCESS 00", "refund-result h card_cancelled 46", "refund-result i SUCCESS 00")
	w.agrees()
}

// What may have been paid is undone first, and only then ordered anew: the reversal speaks of the refund, the order of the sale.
func TestUnclearRefundOfASale(t *testing.T) {
	for name, c := range map[string]struct {
		replies []reply
		said    string
	}{
		"answer lost":          {[]reply{lostReply}, "REFUND REVERSAL REFUND"},
		"request lost":         {[]reply{silent}, "REFUND REVERSAL REVERSAL REFUND"},
		"request late":         {[]reply{lateOrder}, "REFUND REVERSAL REVERSAL REFUND"},
		"its undoing is lost":  {[]reply{lostReply, lostReply}, "REFUND REVERSAL REVERSAL REFUND"},
		"our number was taken": {[]reply{collided}, "REFUND REVERSAL REVERSAL REFUND"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sold("c", 12900)
			w.yes(w.refund("f", "c", 12900))
			w.replies(c.replies...)
			w.forward()
			for range 6 {
				if w.refundOf("c", "f").State == payment.RefundPending {
					w.no(fault.Precondition)(w.refund("other", "c", 1))
					w.owes()
				}
				w.later(time.Minute)
			}
			var said []string
			for i, m := range w.bank.told {
				said = append(said, string(m.Kind))
				switch {
				case m.Kind == payment.RefundOrder && (m.About != payment.OfSale || m.Original != w.bank.asked[0].Trace || m.repeat):
					t.Errorf("the order says %+v", m)
				case m.Kind == payment.Reversal && (m.About != payment.OfRefund || m.Whole != won(12900) || m.Original == w.bank.asked[0].Trace ||
					m.Trace.RRN == w.bank.asked[0].Trace.RRN):
					t.Errorf("message %d says %+v", i, m)
				}
			}
			if got := strings.Join(said, " "); got != c.said {
				t.Errorf("said %s, not %s", got, c.said)
			}
			w.owes("refund-result f SUCCESS 00")
			w.is("c", payment.Captured, nothing, true)
			w.agrees()
		})
	}
}

func TestRefundWindowOfASale(t *testing.T) {
	w := newWorld(t)
	w.sold("c", 12900)
	w.later(refundWindow)
	w.yes(w.refund("f", "c", 1))
	w.later(time.Microsecond)
	w.yes(w.refund("g", "c", 1))
	w.forward()
	w.owes("refund-result f SUCCESS 00", "refund-result g window_exceeded")
	w.is("c", payment.Captured, ours(12899), true)
	w.agrees()
}

// Card FOP v1 §6.5, §8.5: disputes about a sale. No verdict was told of it, so its notices wait for nothing; stages wait for each other.
func TestDisputesAboutASale(t *testing.T) {
	w := newWorld(t)
	w.sold("c", 10000)
	w.inq()
	if got := w.defence(); got != fmt.Sprint(engine.DefenceTaken) {
		t.Error(got)
	}
	w.told(w.advice("0422/1", 3000))
	w.is("c", payment.Captured, disputed, true)
	w.yes(w.refund("f", "c", 7001)) // within what is left, above what the chargeback leaves
	w.defence()
	w.cbr()
	w.is("c", payment.Captured, taken10, true)
	w.cb2()
	w.clears(w.record(0, "FRD", 0), w.record(0, "ARN", 0, withARN(9)))
	w.is("c", payment.Captured, disputed, true)
	w.contested("c", payment.InquiryClosed, payment.CB1Reversed, payment.CB2Open)
	w.owes(
		toldOfInq, "chargeback c 4540 FIRST 3000 KRW fraud ISO K1", "refund-result f chargeback_in_place", toldOfWin, toldOfCB2, "fraud c VISA",
		"capture-arn c "+arn(9),
	)
	list := w.disputes("c")
	for _, n := range w.sent {
		want := ""
		switch {
		case n.Kind == engine.ChargebackRaised && n.Facts.Stage == "FIRST":
			want = list[0].Told
		case n.Kind == engine.ChargebackReversed:
			want = list[1].Told
		case n.Kind == engine.ChargebackRaised:
			want = "naru-chargeback-reversed-" + list[1].ID
		}
		if n.After != want {
			t.Errorf("%s comes after %q, not %q", n.Kind, n.After, want)
		}
	}
	w.wants()
	w.bank.moved = -3000
	w.agrees()
}

// What a chargeback and a refund take together may be more than was sold: an order that has not left is taken back (Korea Cards v1 §9.2).
func TestChargebackOvertakesTheRefundOfASale(t *testing.T) {
	w := newWorld(t)
	w.sold("c", 10000)
	w.yes(w.refund("f", "c", 8000))
	w.chb()
	w.forward()
	w.is("c", payment.Captured, disputed, true)
	w.owes(toldOfCB1, "refund-result f chargeback_in_place")
	if len(w.bank.told) != 0 {
		t.Error("the order left all the same")
	}
	w.bank.moved = -3000
	w.agrees()
}

// Rails §4.3: the acquirer's files speak of a sale by its own reference. One that was undone is no payment of ours.
func TestClearingOfASale(t *testing.T) {
	w := newWorld(t)
	w.sold("c", 10000)
	w.sold("rejected", 700)
	w.sold("missing", 500)
	w.auth(lostAnswer)
	w.no(fault.Unavailable)(w.sell("undone", 300))
	w.forward()
	f := w.file(engine.SettlementFileKind,
		w.record(0, "CAP", 10000, withARN(7), fees(-100, -10)), w.record(1, "REJ", 0), w.record(3, "CAP", 300))
	for range 2 {
		w.take(f)
		w.wants("acquirer-record", "capture-rejected", "missing-at-acquirer")
	}
	w.owes("capture-arn c " + arn(7))
	if x := w.clearing("c"); x.Clearing != engine.ClearedCapture || x.ARN != arn(7) {
		t.Errorf("%+v", x)
	}
	if x := w.clearing("rejected"); x.Clearing != engine.RejectedCapture {
		t.Errorf("%+v", x)
	}
	if got, want := w.books(), "acquirer:receivable=10390 fee:acquirer=100 google:payable=-11200 loss:acquirer=700 tax:input=10"; got != want {
		t.Errorf("books %q, not %q", got, want)
	}
}

// Rails §4.2: a sale is over with its answer, also where captures go by file. Its refunds go by file, and name its reference and day.
func TestSaleWhereCapturesGoByFile(t *testing.T) {
	w := newWorld(t, byFile)
	w.sold("c", 10000)
	w.is("c", payment.Captured, taken10, true)
	w.batch()
	if len(w.tray.files) != 0 {
		t.Fatalf("%+v", w.tray.files)
	}
	w.clock.Advance(24 * time.Hour)
	w.yes(w.refund("f", "c", 4000))
	w.yes(w.refund("g", "c", 1000))
	w.forward()
	w.batch()
	const next = "PICAP_bc_M1_20260303_001.csv"
	lines, f, r := w.tray.files[next], w.refundOf("c", "f"), w.reservation("c")
	if len(lines) != 2 {
		t.Fatalf("%+v", w.tray.files)
	}
	if want := (engine.CaptureLine{
		Line: 1, Refund: true, Payment: f.ID, Trace: lines[0].Trace, Approval: r.Approval, NetworkID: r.NetworkID, Amount: won(4000),
		OriginalRRN: w.bank.asked[0].Trace.RRN, OriginalDay: "20260302", At: f.At,
	}); lines[0] != want || lines[0].Trace.RRN != f.RRN {
		t.Errorf("%+v, not %+v", lines[0], want)
	}
	a := w.tray.answer(next, func(l engine.CaptureLine) string { return map[int64]string{4000: "00", 1000: "51"}[l.Amount.Minor()] })
	for range 2 {
		w.heard(a)
		w.is("c", payment.Captured, ours(6000), true)
	}
	w.owes("refund-arn f "+a.Lines[0].ARN, "refund-result f SUCCESS 00", "refund-result g issuer_declined 51")
	if len(w.bank.told) != 0 {
		t.Error("something went over the line")
	}
	w.agrees()
}

// A sale that was not answered is undone over the line, whatever goes by file.
func TestSaleIsUndoneOverTheLine(t *testing.T) {
	w := newWorld(t, byFile)
	w.auth(lostAnswer)
	w.no(fault.Unavailable)(w.sell("c", 10000))
	w.batch()
	w.forward()
	w.is("c", payment.NotHeld, nothing, false)
	if len(w.tray.files) != 0 || len(w.bank.told) != 1 {
		t.Errorf("%+v, %+v", w.tray.files, w.bank.told)
	}
	w.agrees()
}

// Design §3.6: the card of a sale stays until its windows are over, and longer while a message that names it is owed.
func TestCardOfASale(t *testing.T) {
	w := newWorld(t, func(e *engine.Config) {
		e.Accounts[0].RefundWindow, e.Accounts[0].DisputeWindow = 2*time.Hour, 3*time.Hour
	})
	w.sold("c", 12900)
	w.later(2 * time.Hour)
	w.yes(w.refund("f", "c", 900))
	w.replies(slices.Repeat([]reply{linkDown}, 100)...)
	w.later(time.Hour)
	w.is("c", payment.Captured, moved, true)
	w.replies()
	w.later(24*time.Hour - time.Microsecond)
	w.is("c", payment.Captured, ours(12000), true)
	w.later(time.Microsecond)
	w.is("c", payment.Captured, ours(12000), false)
	w.agrees()
}

// Rails §1.16: what the network counts of sales, in each currency by itself: booked, refunded, undone, and both of what was undone.
func TestTotalsOfADayWithSales(t *testing.T) {
	w := newWorld(t)
	w.sold("a", 10000)
	w.taken("q", "b", 500)
	w.auth(lostAnswer)
	w.no(fault.Unavailable)(w.sell("lost", 700))
	w.auth(decline)
	w.declined(payment.InsufficientFunds)(w.sell("no", 1))
	w.auth(lostRequest)
	w.no(fault.Unavailable)(w.sell("never", 30))
	w.yes(w.refund("f", "a", 4000))
	w.forward()
	w.yes(w.refund("g", "a", 1000))
	w.replies(lostReply)
	w.forward()
	w.approved(w.reserveAs(context.Background(), "e", sale(money.New(1234, eur))))
	w.auth(lostAnswer)
	_, err := w.reserveAs(context.Background(), "e lost", sale(money.New(77, kwd)))
	w.no(fault.Unavailable)("", err)
	w.forward()
	for range 3 {
		w.later(time.Minute)
	}
	w.clock.Advance(endOfDay)
	w.totals()
	for _, want := range []payment.DayTotals{
		{
			Currency: krw, Debits: 3, DebitSum: 11200, DebitsReversed: 1, DebitReverseSum: 700, Credits: 3, CreditSum: 6000, CreditsReversed: 1,
			CreditRevSum: 1000,
		},
		{Currency: eur, Debits: 1, DebitSum: 1234},
		{Currency: kwd, Debits: 1, DebitSum: 77, DebitsReversed: 1, DebitReverseSum: 77},
	} {
		want.Day = "20260302"
		w.look(func(v engine.Reader) error {
			c, _, err := v.Reconciliation("bc", "20260302", want.Currency.Code())
			if c.Ours != want || c.State != engine.TotalsAgreed {
				t.Errorf("%s: %+v, not %+v", c.State, c.Ours, want)
			}
			return err
		})
	}
	if len(w.bank.compared) != 3 {
		t.Errorf("%d comparisons", len(w.bank.compared))
	}
	w.wants()
}

// A sale that is under way when the network ends its day may be booked on it: the comparison waits for its answer.
func TestTotalsWaitForASaleUnderWay(t *testing.T) {
	w := newWorld(t)
	w.sold("a", 500)
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		out := approve(a, o)
		w.clock.Advance(time.Second)
		w.DayEnded("bc", "20260303")
		w.totals()
		return out
	})
	w.sold("c", 12900)
	w.clock.Advance(time.Minute)
	w.totals()
	want := payment.DayTotals{Day: "20260302", Currency: krw, Debits: 2, DebitSum: 13400}
	if got := w.comparison("20260302"); got.State != engine.TotalsAgreed || got.Ours != want || len(w.bank.compared) != 1 {
		t.Errorf("%s: %+v, not %+v", got.State, got.Ours, want)
	}
}

var eur, kwd = money.Of("EUR"), money.Of("KWD")

// inEach are all balances that are not zero, with their currency.
func (w *world) inEach() string {
	w.Helper()
	list, err := w.db.Balances(context.Background())
	w.must(err)
	var words []string
	for _, b := range list {
		if b.Amount != 0 {
			words = append(words, fmt.Sprintf("%s=%d%s", b.Account, b.Amount, b.Currency))
		}
	}
	return strings.Join(words, " ")
}

// An account sells in several currencies. None of them mix: money, fees, settlements, disputes and files are each in their own.
func TestSalesInSeveralCurrencies(t *testing.T) {
	w := newWorld(t, contract, func(c *engine.Config) {
		c.Accounts[0].Currencies = []money.Currency{krw, eur, kwd}
		c.Accounts[0].TermsIn = map[string]settlement.Terms{"EUR": {CaptureBP: 100, CaptureFixed: 3, RefundFixed: 1, VATBP: 2000}, "KWD": {}}
	})
	for name, m := range map[string]money.Amount{"k": won(10000), "e": money.New(4990, eur), "d": money.New(1234, kwd)} {
		w.approved(w.reserveAs(context.Background(), name, sale(m)))
		if x := w.clearing(name); x.Amount != m || w.reservation(name).Captured != m {
			t.Errorf("%+v", x)
		}
	}
	w.yes(w.refund("f", "e", 990))
	w.no(fault.Precondition)(w.refund("g", "d", 1235))
	w.yes(w.refund("g", "d", 1234))
	w.forward()
	r := w.reservation("e")
	record := func(id, typ string, gross int64, change func(*engine.ClearingRecord)) engine.ClearingRecord {
		none := money.New(0, eur)
		c := engine.ClearingRecord{
			Line: w.seq, Type: typ, ID: id, RRN: w.attemptOf("e").Trace.RRN, At: w.clock.Now(), Txn: money.New(max(gross, -gross), eur),
			Gross: money.New(gross, eur), Fees: none, Tax: none, Brand: "VISA", Approval: r.Approval,
		}
		change(&c)
		c.Digest = digest(id)
		return c
	}
	w.take(engine.ClearingFile{
		Acquirer: "bc", Name: "E", Kind: engine.DisputeFileKind, Merchant: "M1", Day: "20260302", Seq: 1, Currency: eur, SHA256: digest("E"),
		Records: []engine.ClearingRecord{
			record("E1", "CAP", 4990, withARN(7)), record("E2", "CHB", -1000, first), record("E3", "CHB", -4991, second),
		},
	})
	w.wants("acquirer-record") // more than was sold
	w.owes(
		"refund-result f SUCCESS 00", "refund-result g SUCCESS 00", "capture-arn e "+arn(7), "chargeback e 10.4 FIRST 1000 EUR fraud VISA K1",
	)
	want := "acquirer:receivable=3000EUR acquirer:receivable=10000KRW google:payable=-3000EUR google:payable=-10000KRW"
	if got := w.inEach(); got != want {
		t.Errorf("books %q, not %q", got, want)
	}
	w.midnight()
	got := map[string]string{}
	for _, s := range w.settlements() {
		got[s.Currency.Code()] = sums(s) + ": " + strings.Join(slices.Sorted(slices.Values(w.items(s))), ", ")
	}
	all := map[string]string{
		"KRW": "1 10000 -260 -26 9714: 20260302 capture k 10000 -260 -26",
		"EUR": "3 3000 -54 -11 2935: 20260302 capture e 4990 -53 -11, 20260302 chargeback e -1000 0 0, 20260302 refund f -990 -1 0",
		"KWD": "2 0 0 0 0: 20260302 capture d 1234 0 0, 20260302 refund g -1234 0 0",
	}
	if !maps.Equal(got, all) {
		t.Errorf("settled %v, not %v", got, all)
	}
}

// Rails §4.3: a file speaks of its own currency, and of those that it converts. What it says nothing of is not missing.
func TestMissingInSeveralCurrencies(t *testing.T) {
	start := func(t *testing.T) *world {
		w := newWorld(t)
		for i, m := range []money.Amount{won(10000), money.New(4990, eur), money.New(1234, kwd), money.New(5010, eur)} {
			w.approved(w.reserveAs(context.Background(), fmt.Sprint("c", i), sale(m)))
		}
		return w
	}
	missing := func(w *world, want ...string) {
		w.Helper()
		list, err := w.ListCases(context.Background(), true, 9)
		w.must(err)
		got := map[string]bool{}
		for _, c := range list {
			got[c.Payment] = c.Kind == "missing-at-acquirer"
		}
		for _, name := range want {
			if !got[w.reservation(name).ID] {
				w.Errorf("%s is not missed", name)
			}
		}
		if len(list) != len(want) {
			w.Errorf("%+v", list)
		}
	}
	t.Run("in won", func(t *testing.T) {
		w := start(t)
		w.take(w.file(engine.SettlementFileKind, w.record(0, "CAP", 10000)))
		missing(w)
	})
	t.Run("in won, of nothing", func(t *testing.T) {
		w := start(t)
		w.take(w.file(engine.SettlementFileKind))
		missing(w, "c0")
	})
	t.Run("in won, of euros", func(t *testing.T) {
		w := start(t)
		converted := func(r *engine.ClearingRecord) { r.Txn = money.New(4990, eur) }
		w.take(w.file(engine.SettlementFileKind, w.record(1, "CAP", 8000, converted)))
		missing(w, "c0", "c3")
	})
}
