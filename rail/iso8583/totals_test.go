package iso8583

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"naru/core/money"
	"naru/core/payment"
)

// dayTotals and totalsTrace are V10.
var (
	dayTotals = payment.DayTotals{
		Day: "20261122", Currency: money.Of("KRW"),
		Credits: 1, CreditSum: 10_000, Debits: 3, DebitSum: 30_000, DebitsReversed: 1, DebitReverseSum: 10_000,
	}
	totalsTrace = payment.Trace{STAN: "000200", RRN: "unused", At: time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)}
)

// What the host says to our totals, over a real socket and in two dialects.
func TestReconcile(t *testing.T) {
	// The figures have leading zeros and digits that would mean something else in another base.
	theirs := payment.DayTotals{
		Day: "20261122", Currency: money.Of("KRW"), Credits: 10, CreditsReversed: 8, Debits: 9, DebitsReversed: 11,
		CreditSum: 100, CreditRevSum: 80, DebitSum: 90, DebitReverseSum: 9_999_999_999_999_999,
	}
	figuresOf := func(m *Message) *Message {
		for de, n := range figures(&theirs) {
			m.Set(de, fmt.Sprintf("%0*d", elementOf(de).length, *n))
		}
		return m
	}
	broken := payment.TotalsReply{Verdict: payment.TotalsBreak, Code: "95", Host: theirs}
	mute := payment.TotalsReply{Verdict: payment.TotalsBreak, Code: "95"}
	silent := func(code string) payment.TotalsReply { return payment.TotalsReply{Code: code} }
	for name, c := range map[string]struct {
		answer func(*Message) *Message // of an 0510 that agrees
		want   payment.TotalsReply
	}{
		"agreed":             {func(m *Message) *Message { return m }, payment.TotalsReply{Verdict: payment.TotalsAgreed, Code: "00"}},
		"other totals":       {func(m *Message) *Message { return figuresOf(m.Set(66, "2").Set(39, "95")) }, broken},
		"only by DE39":       {func(m *Message) *Message { return figuresOf(m.Set(66, "").Set(39, "95")) }, broken},
		"one figure missing": {func(m *Message) *Message { return figuresOf(m.Set(66, "2").Set(39, "95")).Set(87, "") }, mute},
		"no figures":         {func(m *Message) *Message { return m.Set(66, "2").Set(39, "95") }, mute},
		"DE66 against DE39": {
			func(m *Message) *Message { return figuresOf(m.Set(66, "2")) },
			payment.TotalsReply{Verdict: payment.TotalsBreak, Code: "00", Host: theirs},
		},
		"DE39 against DE66": {func(m *Message) *Message { return m.Set(39, "95") }, mute},
		"no DE66":           {func(m *Message) *Message { return m.Set(66, "") }, silent("00")},
		"error":             {func(m *Message) *Message { return m.Set(66, "3") }, silent("00")},
		"malfunction":       {func(m *Message) *Message { return m.Set(66, "").Set(39, "96") }, silent("96")},
		"no code":           {func(m *Message) *Message { return m.Set(39, "") }, silent("")},
		"another day":       {func(m *Message) *Message { return m.Set(15, "1121") }, silent("00")},
		"another currency":  {func(m *Message) *Message { return m.Set(50, "840") }, silent("00")},
		"another house":     {func(m *Message) *Message { return m.Set(99, "1") }, silent("00")},
		"nothing":           {func(*Message) *Message { return nil }, silent("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, dialect := range []string{DefaultProfile, "pi87-alt"} {
				p, seen := quick(t, dialect), make(chan *Message, 8)
				if name == "nothing" {
					p.Timeouts.Advice = Duration{200 * time.Millisecond}
				}
				r, _ := start(t, p, func(peer *peer, m *Message) {
					if m.mti[1] != '5' {
						peer.answer(m, "00")
						return
					}
					seen <- m
					a := NewMessage("0510").Set(39, "00").Set(66, "1")
					for _, de := range []int{7, 11, 15, 50, 99} {
						a.Set(de, m.Get(de))
					}
					if a = c.answer(a); a != nil {
						peer.send(peer.frame(a))
					}
				})
				for _, repeat := range []bool{false, true} {
					if got := r.Reconcile(t.Context(), dayTotals, totalsTrace, repeat); got != c.want {
						t.Errorf("%s: %+v, want\n%+v", dialect, got, c.want)
					}
				}
				first, again, want := <-seen, <-seen, golden["V10"].Clone()
				if !reflect.DeepEqual(first, want) {
					t.Errorf("%s: %v, want %v", dialect, first, want)
				}
				if p.RepeatMTI {
					want.mti = "0501"
				}
				if !reflect.DeepEqual(again, want) {
					t.Errorf("%s: the repeat: %v, want %v", dialect, again, want)
				}
				r.stop()
			}
		})
	}
}

func TestNet(t *testing.T) {
	for want, x := range map[string]payment.DayTotals{
		"C0000000000000000": {},
		"C0000000000000005": {CreditSum: 5},
		"D0000000000000005": {DebitSum: 5},
		"C0000000000000003": {CreditSum: 5, CreditRevSum: 2},
		"D0000000000000003": {DebitSum: 5, DebitReverseSum: 2},
	} {
		if got := netOf(x); got != want {
			t.Errorf("%+v: %s, want %s", x, got, want)
		}
	}
}

// What no 0500 can say is not sent, and is silence: nothing follows from it.
func TestTotalsThatCannotBeWritten(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	for name, change := range map[string]func(*payment.DayTotals, *payment.Trace){
		"DE15": func(t *payment.DayTotals, _ *payment.Trace) { t.Day = "1122" },
		"DE50": func(t *payment.DayTotals, _ *payment.Trace) { t.Currency = money.Currency{} },
		"DE75": func(t *payment.DayTotals, _ *payment.Trace) { t.CreditsReversed = -1 },
		"DE76": func(t *payment.DayTotals, _ *payment.Trace) { t.Debits = 10_000_000_000 },
		"DE88": func(t *payment.DayTotals, _ *payment.Trace) { t.DebitSum = 10_000_000_000_000_000 },
		"DE11": func(_ *payment.DayTotals, t *payment.Trace) { t.STAN = "" },
	} {
		day, trace := dayTotals, totalsTrace
		change(&day, &trace)
		if _, err := c.totals(day, trace, false); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	day := dayTotals
	day.Day = ""
	down := run(t, quick(t, DefaultProfile), nil, "127.0.0.1:1")
	if got := down.Reconcile(t.Context(), day, totalsTrace, false); got != (payment.TotalsReply{}) {
		t.Errorf("%+v", got)
	}
}
