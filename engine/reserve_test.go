package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/fault"
	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

func TestReserveApproved(t *testing.T) {
	w := newWorld(t)
	got := w.approved(w.reserve("callers-name", 12900))
	w.is("callers-name", payment.Reserved, held, true)
	r := w.reservation("callers-name")
	if want := "YES " + r.Approval + " " + r.ID + " 2026-03-09T09:00:00Z"; got != want { // seven days where the host says nothing
		t.Errorf("%q, not %q", got, want)
	}
	sent := w.bank.asked[0]
	if sent.Merchant != "M1" || sent.MCC != "5816" || sent.Reference != r.ID || sent.Terminal == "" || sent.Trace.STAN == "" ||
		sent.CVN.Reveal() != "987" {
		t.Errorf("the network saw %+v", sent)
	}
	if strings.Contains(fmt.Sprintf("%+v", sent), "callers-name") {
		t.Error("the caller's identifier went to the network")
	}
	if plain, err := w.vault.Open(r.Card, "reservation.card/"+r.ID); err != nil || string(plain) != pan+"|2030|12" {
		t.Error("the card is not sealed in its place:", err)
	}
	w.owes()
	w.agrees()
}

func TestReserveDeclinedIsFinal(t *testing.T) {
	w := newWorld(t)
	w.auth(decline)
	first := w.declined(payment.InsufficientFunds)(w.reserve("q", 12900))
	w.is("q", payment.Declined, nothing, false)
	if again := w.yes(w.reserve("q", 12900)); again != first || len(w.bank.asked) != 1 {
		t.Errorf("%q after %q", again, first)
	}
}

// Rails §1.10, DE39 10: less than the whole is given back, and the answer is no.
func TestReservePartialIsGivenBack(t *testing.T) {
	w := newWorld(t)
	w.auth(partial)
	w.declined(payment.IssuerDeclined)(w.reserve("q", 12900))
	w.is("q", payment.Declined, nothing, true) // the reversal names the card
	w.forward()
	w.is("q", payment.Declined, nothing, false)
	if got := w.bank.told[0]; got.Kind != payment.Reversal || got.Reason != payment.UndoPartial || got.Whole.Minor() != 12900 ||
		got.PAN.Reveal() != pan {
		t.Errorf("%+v", got)
	}
	w.agrees()
}

// What the caller hears, where that leaves the payment, and what a repeat comes to once everything that is owed has been sent.
func TestReserveWithoutVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		auth     func(*acquirer, payment.AuthOrder) payment.Outcome
		state    payment.State
		card     bool
		reversal payment.UndoReason
	}{
		"not sent":        {notSent, payment.NotHeld, false, ""},
		"nothing held":    {issuerDown, payment.NotHeld, false, ""},
		"answer lost":     {lostAnswer, payment.Reversing, true, payment.UndoSilence},
		"request lost":    {lostRequest, payment.Reversing, true, payment.UndoSilence},
		"request late":    {lateRequest, payment.Reversing, true, payment.UndoSilence},
		"answer spoilt":   {unclear(payment.UndoGarbled), payment.Reversing, true, payment.UndoGarbled},
		"answer to other": {unclear(payment.UndoInvalid), payment.Reversing, true, payment.UndoInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.auth(c.auth)
			w.no(fault.Unavailable)(w.reserve("q", 12900))
			w.is("q", c.state, nothing, c.card)
			w.owes()
			if c.reversal != "" {
				if open := w.open("q"); len(open) != 1 || open[0].Reason != c.reversal || open[0].Kind != payment.Reversal {
					t.Fatalf("%+v", open)
				}
				w.no(fault.Unavailable)(w.reserve("q", 12900)) // a repeat starts nothing while the truth is unknown
				w.no(fault.Unavailable)(w.capture("c", "q", 12900))
				w.no(fault.Unavailable)(w.cancel("x", "q"))
				if len(w.bank.asked) != 1 {
					t.Fatal("a second attempt beside one that is being undone")
				}
			}
			w.forward()
			w.later(time.Minute)
			w.is("q", payment.NotHeld, nothing, false)
			w.agrees()
			w.no(fault.Precondition)(w.capture("c", "q", 12900))
			w.approved(w.reserve("q", 5000)) // errors are not final: the repeat is judged afresh, here with new terms
			w.is("q", payment.Reserved, "acquirer:held=5000 google:held=-5000", true)
			w.agrees()
			if a, b := w.bank.asked[0].Trace, w.bank.asked[1].Trace; a.STAN == b.STAN || a.RRN == b.RRN {
				t.Error("the fresh attempt has the names of the old one")
			}
		})
	}
}

func unclear(why payment.UndoReason) func(*acquirer, payment.AuthOrder) payment.Outcome {
	return func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		lostAnswer(a, o)
		return payment.Outcome{Verdict: payment.Unclear, Undo: why}
	}
}

// A code that decides nothing tells its own kind of failure (rails §1.14); it is stored no more than silence is.
func TestCodesWithoutVerdictTellTheirKind(t *testing.T) {
	for _, k := range []fault.Kind{fault.Unavailable, fault.Internal, fault.Precondition} {
		w := newWorld(t)
		w.auth(func(*acquirer, payment.AuthOrder) payment.Outcome {
			return payment.Outcome{Verdict: payment.NothingHeld, Code: "03", Fault: k, Detail: "merchant unknown"}
		})
		w.no(k)(w.reserve("q", 12900))
		w.approved(w.reserve("q", 12900))
	}
}

func TestReplayIsTheSameForEver(t *testing.T) {
	w := newWorld(t)
	first := w.approved(w.reserve("q", 12900))
	w.capture("c", "q", 12900)
	w.forward()
	for range 3 {
		w.clock.Advance(400 * 24 * time.Hour)
		w.start()
		if again := w.yes(w.reserve("q", 12900)); again != first {
			t.Errorf("%q after %q", again, first)
		}
	}
	if len(w.bank.asked) != 1 || w.meter.replayed != 3 {
		t.Errorf("%d authorisations, %d replays", len(w.bank.asked), w.meter.replayed)
	}
}

func TestOtherContentUnderOneKey(t *testing.T) {
	w := newWorld(t)
	first := w.approved(w.reserve("q", 12900))
	w.no(fault.KeyReused)(w.reserve("q", 12901))
	w.no(fault.KeyReused)(w.capture("q", "q", 12900))
	w.no(fault.KeyReused)(w.cancel("q", "q"))
	w.yes(w.capture("c", "q", 12900))
	w.no(fault.KeyReused)(w.capture("c", "q", 1))
	w.no(fault.KeyReused)(w.cancel("c", "q"))
	w.no(fault.KeyReused)(w.reserve("c", 12900))
	if again := w.yes(w.reserve("q", 12900)); again != first {
		t.Error("the first outcome was touched")
	}
	w.is("q", payment.CapturePending, held, true)
}

// A request that never succeeded must not cause a 412 later (gsp-core §4.3 step 7).
func TestErrorsAreNeverStored(t *testing.T) {
	w := newWorld(t)
	w.auth(notSent)
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.approved(w.reserve("q", 777))
	w.no(fault.Precondition)(w.capture("c", "q", 778))
	w.no(fault.Unknown)(w.capture("c", "nobody", 1))
	w.no(fault.Unknown)(w.cancel("c", "nobody"))
	w.yes(w.capture("c", "q", 777))
}

func TestAccountsDoNotShareKeys(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("q", 12900))
	other := engine.Request{Key: engine.Key{Account: "P2", RequestID: "q"}, Method: "reserveFunds", Content: []byte("other")}
	got, err := w.Once(context.Background(), other, func(ctx context.Context, turn engine.Turn) ([]byte, error) {
		return w.Reserve(ctx, turn, engine.ReserveAsk{Order: order(1), Encode: said})
	})
	w.approved(string(got), err)
	_, err = w.Once(context.Background(), engine.Request{Key: engine.Key{Account: "P2", RequestID: "c"}, Method: "capture"},
		func(ctx context.Context, turn engine.Turn) ([]byte, error) {
			return w.Capture(ctx, turn, engine.CaptureAsk{Reservation: engine.Key{Account: "P2", RequestID: "only P's"}})
		})
	w.no(fault.Unknown)("", err)
	if a := w.bank.asked[1]; a.Merchant != "M2" || a.Terminal != "T9" || a.MCC != "5817" {
		t.Errorf("%+v", a)
	}
}

// A mistyped card number is refused without the network, for ever.
func TestDecidedWithoutTheNetwork(t *testing.T) {
	w := newWorld(t)
	no := payment.Outcome{Verdict: payment.Refused, Decline: payment.CardNumberInvalid}
	ask := engine.ReserveAsk{Order: order(12900), Decided: &no, Encode: said}
	first := w.declined(payment.CardNumberInvalid)(w.reserveAs(context.Background(), "q", ask))
	if again := w.yes(w.reserveAs(context.Background(), "q", ask)); again != first {
		t.Errorf("%q after %q", again, first)
	}
	w.is("q", payment.Declined, nothing, false)
	if len(w.bank.asked) != 0 {
		t.Error("the network was asked")
	}
	w.yes(w.cancel("x", "q"))
	w.owes("cancel-result x SUCCESS")
}

// What does not fit the network's format is not stored; whoever asks decides what to call it.
func TestOrderThatCannotBeSent(t *testing.T) {
	w := newWorld(t)
	w.bank.tooBig = fault.New(fault.Invalid, "amount")
	w.no(fault.Invalid)(w.reserve("q", 12900))
	w.bank.tooBig = nil
	w.approved(w.reserve("q", 12900))
}

// An answer that has no words in the caller's protocol is not given, and what it held is given back.
func TestUnspeakableApprovalIsGivenBack(t *testing.T) {
	w := newWorld(t)
	mute := func(engine.ReserveResult) ([]byte, error) { return nil, errors.New("no words") }
	if got, err := w.reserveAs(context.Background(), "q", engine.ReserveAsk{Order: order(12900), Encode: mute}); err == nil {
		t.Fatal(got)
	}
	w.is("q", payment.Reversing, nothing, true)
	w.forward()
	w.is("q", payment.NotHeld, nothing, false)
	w.agrees()
	w.approved(w.reserve("q", 12900))
}

// gate is an authorisation that waits for the test.
func gate() (func(*acquirer, payment.AuthOrder) payment.Outcome, <-chan struct{}, chan<- struct{}) {
	begun, open := make(chan struct{}), make(chan struct{})
	return func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		close(begun)
		<-open
		return approve(a, o)
	}, begun, open
}

func TestParallelCopiesAskOnce(t *testing.T) {
	w := newWorld(t)
	slow, begun, open := gate()
	w.auth(slow)
	answers := make([]string, 20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			got, err := w.reserve("q", 12900)
			if err != nil {
				t.Error(err)
			}
			answers[i] = got
		})
	}
	<-begun
	w.no(fault.KeyReused)(w.reserve("q", 1)) // other content need not wait
	close(open)
	all.Wait()
	for _, a := range answers {
		if a != answers[0] || !strings.HasPrefix(a, "YES") {
			t.Errorf("%q beside %q", a, answers[0])
		}
	}
	if len(w.bank.asked) != 1 {
		t.Errorf("%d authorisations", len(w.bank.asked))
	}
	w.is("q", payment.Reserved, held, true)
}

func TestWaitingCopyIsAbortedAtItsDeadline(t *testing.T) {
	w := newWorld(t)
	slow, begun, open := gate()
	w.auth(slow)
	first := make(chan string)
	go func() {
		got, _ := w.reserve("q", 12900)
		first <- got
	}()
	<-begun
	over, cancel := context.WithCancel(context.Background())
	cancel()
	w.no(fault.Aborted)(w.reserveAs(over, "q", engine.ReserveAsk{Order: order(12900), Encode: said}))
	close(open)
	if got := <-first; got != w.yes(w.reserve("q", 12900)) {
		t.Error("the first copy was disturbed")
	}
}

// A caller that hangs up cancels nothing (design §3.1).
func TestCallerWhoHangsUp(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		cancel()
		return approve(a, o)
	})
	first := w.approved(w.reserveAs(ctx, "q", engine.ReserveAsk{Order: order(12900), Encode: said}))
	if again := w.yes(w.reserve("q", 12900)); again != first {
		t.Error(again)
	}
}

// The process dies in a reservation: the attempt is reversed, never adopted; a repeat waits for that and starts afresh.
func TestReserveAfterACrash(t *testing.T) {
	for point, c := range map[crash.Point]struct {
		answered bool // the answer is on disk: the repeat gets it
		authed   int
	}{
		crash.ReserveAccepted: {false, 0},
		crash.ReserveSent:     {false, 1},
		crash.ReserveSettled:  {true, 1},
	} {
		t.Run(string(point), func(t *testing.T) {
			w := newWorld(t)
			w.die = point
			if !survives(func() { _, _ = w.reserve("q", 12900) }) {
				t.Fatal("the point was not passed")
			}
			if c.answered {
				w.start()
				w.approved(w.reserve("q", 12900))
				w.is("q", payment.Reserved, held, true)
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
			w.is("q", payment.Reversing, nothing, true)
			if open := w.open("q"); len(open) != 1 || open[0].Reason != payment.UndoCrash {
				t.Fatalf("%+v", open)
			}
			w.no(fault.Unavailable)(w.reserve("q", 12900))
			w.forward()
			w.later(time.Minute) // the reversal may have overtaken its original: once more
			w.is("q", payment.NotHeld, nothing, false)
			w.agrees()
			w.approved(w.reserve("q", 9900))
			w.is("q", payment.Reserved, "acquirer:held=9900 google:held=-9900", true)
			w.agrees()
			if len(w.bank.asked) != c.authed+1 {
				t.Errorf("%d authorisations", len(w.bank.asked))
			}
		})
	}
}

// Between a crash and its recovery nobody works on the request; a copy waits, and is judged when it is free.
func TestCopyWaitsForRecovery(t *testing.T) {
	w := newWorld(t)
	w.die = crash.ReserveSent
	survives(func() { _, _ = w.reserve("q", 12900) })
	over, cancel := context.WithCancel(context.Background())
	w.clock.sleep = cancel
	w.no(fault.Aborted)(w.reserveAs(over, "q", engine.ReserveAsk{Order: order(12900), Encode: said}))
	w.no(fault.KeyReused)(w.reserve("q", 1))
	if n, err := w.Recover(context.Background()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := w.Recover(context.Background()); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	w.no(fault.Unavailable)(w.reserve("q", 12900))
}

func TestCopyThatWaitsIsJudgedAfterRecovery(t *testing.T) {
	w := newWorld(t)
	w.die = crash.ReserveAccepted
	survives(func() { _, _ = w.reserve("q", 12900) })
	w.clock.sleep = func() {
		w.clock.sleep = nil
		if _, err := w.Recover(context.Background()); err != nil {
			t.Error(err)
		}
		go w.clock.Advance(time.Second)
	}
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.is("q", payment.Reversing, nothing, true)
}

// Recovery in a running process leaves alone what is being worked on.
func TestRecoveryLeavesWorkUnderWayAlone(t *testing.T) {
	w := newWorld(t)
	slow, begun, open := gate()
	w.auth(slow)
	first := make(chan error)
	go func() {
		_, err := w.reserve("q", 12900)
		first <- err
	}()
	<-begun
	if n, err := w.Recover(context.Background()); n != 0 || err != nil {
		t.Error(n, err)
	}
	close(open)
	if err := <-first; err != nil {
		t.Error(err)
	}
	w.is("q", payment.Reserved, held, true)
}

// Somebody else gave the attempt up while the network was thinking: the approval is late, and is reversed.
func TestAnswerThatComesTooLate(t *testing.T) {
	w := newWorld(t)
	first := w.Engine
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		w.start() // another process finds the request abandoned
		return approve(a, o)
	})
	got, err := first.Once(context.Background(), request("q", "reserveFunds", "x"), func(ctx context.Context,
		turn engine.Turn,
	) ([]byte, error) {
		return first.Reserve(ctx, turn, engine.ReserveAsk{Order: order(12900), Encode: said})
	})
	w.no(fault.Unavailable)(string(got), err)
	w.is("q", payment.Reversing, nothing, true)
	w.forward()
	w.is("q", payment.NotHeld, nothing, false)
	w.agrees()
}

// The result cannot be written down: nobody is told of it, and it is reversed.
func TestStoreThatFailsInSettle(t *testing.T) {
	w := newWorld(t)
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		w.store.mu.Lock()
		w.store.fail = func() error { return errDisk }
		w.store.mu.Unlock()
		return approve(a, o)
	})
	_, err := w.reserve("q", 12900)
	w.no(fault.Unavailable)("", err)
	if !errors.Is(err, errDisk) {
		t.Error("the log does not learn why:", err)
	}
	if _, public := fault.Of(err); strings.Contains(public, "disk") {
		t.Error("the counterparty learns why")
	}
	w.no(fault.Unavailable)(w.cancel("x", "q"))
	w.store.fail = nil
	if n, err := w.Recover(context.Background()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.forward()
	w.is("q", payment.NotHeld, nothing, false)
	w.agrees()
	w.approved(w.reserve("q", 12900))
}

// A store that fails in accept: nothing has left the house.
func TestStoreThatFailsInAccept(t *testing.T) {
	w := newWorld(t)
	w.approved(w.reserve("warm", 1)) // numbers are at hand
	w.store.fail = func() error { return errDisk }
	w.no(fault.Unavailable)(w.reserve("q", 12900))
	w.store.fail = nil
	if len(w.bank.asked) != 1 {
		t.Fatal("the network was asked before the intent was on disk")
	}
	w.approved(w.reserve("q", 12900))
}

func TestIntentIsOnDiskBeforeTheNetworkHears(t *testing.T) {
	w := newWorld(t)
	w.auth(func(a *acquirer, o payment.AuthOrder) payment.Outcome {
		w.is("q", payment.Pending, nothing, true)
		r := w.reservation("q")
		w.look(func(v engine.Reader) error {
			x, ok, err := v.Attempt(r.AttemptID)
			if !ok || x.State != payment.AttemptPrepared || x.Trace != o.Trace || x.Terminal != o.Terminal || x.Merchant != o.Merchant {
				t.Errorf("%+v is on disk, %+v goes out", x, o)
			}
			return err
		})
		w.no(fault.Unavailable)(w.capture("c", "q", 1))
		w.no(fault.Unavailable)(w.cancel("x", "q"))
		return approve(a, o)
	})
	w.approved(w.reserve("q", 12900))
}

func TestTerminalsTakeTurns(t *testing.T) {
	w := newWorld(t)
	seen := map[string]int{}
	for i := range 6 {
		w.approved(w.reserve(fmt.Sprint(i), 1))
		seen[w.bank.asked[i].Terminal]++
	}
	if seen["T1"] != 3 || seen["T2"] != 3 {
		t.Error(seen)
	}
}

func TestSecretsStayOutOfTheLogAndTheDatabase(t *testing.T) {
	w := newWorld(t)
	w.auth(approve, decline, lostAnswer, partial)
	for i := range 4 {
		_, _ = w.reserve(fmt.Sprint(i), 12900)
	}
	w.yes(w.capture("c", "0", 12900))
	w.replies(nonsense, collided)
	w.forward()
	w.start()
	if text := w.log.String(); strings.Contains(text, pan) || strings.Contains(text, pan[6:12]) {
		t.Error(text)
	}
}
