package iso8583

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"naru/core/money"
	"naru/core/payment"
)

// chargeback is a host's 0422 about V7, a month later.
func chargeback() *Message {
	return message("0422", map[int]string{
		2: testPAN, 3: "000000", 4: "000000003000", 7: "1222010203", 11: "000900", 32: "12345678901", 37: "632612000123",
		41: "PI000001", 42: "PIMERCHANT00001", 48: "DC07CASE-77DG012DR0820270110", 49: "410", 60: "4555",
		90: "022000012511220400001234567890100000000000",
	})
}

var (
	disputedAt = time.Date(2026, 12, 22, 1, 2, 3, 0, time.UTC)
	disputed   = payment.ChargebackAdvice{
		Original: payment.Trace{STAN: "000125", RRN: "632612000123", At: time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)},
		Name:     "0422-20261222010203-000900-12345678901-PI000001", Amount: won(3_000), Stage: payment.Second,
		Reason: payment.NotDelivered, Scope: "ISO", RawCode: "4555", Case: "CASE-77", At: disputedAt,
		ReplyBy: time.Date(2027, 1, 10, 23, 59, 59, 999e6, seoul),
	}
)

func TestChargebackInFull(t *testing.T) {
	p := mustProfile(t, DefaultProfile)
	for name, c := range map[string]struct {
		change func(*Message, *payment.ChargebackAdvice)
		now    time.Time
	}{
		"in full":  {func(*Message, *payment.ChargebackAdvice) {}, disputedAt},
		"repeated": {func(m *Message, _ *payment.ChargebackAdvice) { m.mti = "0423" }, disputedAt.AddDate(0, 0, 20)}, // past New Year
		"no tags": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(48, "")
			c.Stage, c.Case, c.ReplyBy = payment.First, "", time.Time{}
		}, disputedAt},
		"first": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(48, "DG011")
			c.Stage, c.Case, c.ReplyBy = payment.First, "", time.Time{}
		}, disputedAt},
		"odd last day": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(48, "DC07CASE-77DG012DR0820271310")
			c.ReplyBy = time.Time{}
		}, disputedAt},
		"no reason": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(60, "")
			c.Reason, c.RawCode = payment.UnclearReason, ""
		}, disputedAt},
		"odd reason": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(60, "45x5")
			c.Reason, c.RawCode = payment.UnclearReason, ""
		}, disputedAt},
		"unknown reason": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(60, "4999")
			c.Reason, c.RawCode = payment.UnclearReason, "4999"
		}, disputedAt},
		"more in DE60": {func(m *Message, _ *payment.ChargebackAdvice) { m.Set(60, "4555 and text") }, disputedAt},
		"no original": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(90, "")
			c.Original.STAN, c.Original.At = "", time.Time{}
		}, disputedAt},
		"odd original": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(90, "0220")
			c.Original.STAN, c.Original.At = "", time.Time{}
		}, disputedAt},
		"dollars": {func(m *Message, c *payment.ChargebackAdvice) {
			m.Set(49, "840")
			c.Amount = money.New(3_000, money.Of("USD"))
		}, disputedAt},
	} {
		m, want := chargeback(), disputed
		c.change(m, &want)
		if got, err := p.chargeback(m, c.now, seoul); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, %v; want\n%+v", name, got, err, want)
		}
	}
	alt := mustProfile(t, "pi87-alt") // lengths of three digits, and reasons in DE56
	m := chargeback().Set(48, "DC007CASE-77DG0012DR00820270110").Set(60, "").Set(56, "4555")
	if got, err := alt.chargeback(m, disputedAt, seoul); err != nil || !reflect.DeepEqual(got, disputed) {
		t.Errorf("pi87-alt:\n%+v, %v", got, err)
	}
}

func TestChargebackReasons(t *testing.T) {
	p := mustProfile(t, DefaultProfile)
	for codes, want := range map[string]payment.DisputeReason{ // rails §1.16
		"4537 4540 4562": "fraud", "4507 4508 4512 4535 4546 4501 4554": "other", "4542": "late_presentment",
		"4531": "transaction_amount_differ", "4534": "duplicate_payment", "4555 4559": "not_delivered", "4541": "subscription_canceled",
		"4553 4556": "defective_or_not_as_described", "4560": "credit_not_processed", "4500 4000 4563": "unclear",
	} {
		for _, code := range strings.Fields(codes) {
			got, err := p.chargeback(chargeback().Set(60, code), disputedAt, seoul)
			if err != nil || got.Reason != want || got.RawCode != code {
				t.Errorf("%s: %s %s, %v", code, got.Reason, got.RawCode, err)
			}
		}
	}
}

func TestOriginalsAroundNewYear(t *testing.T) {
	for _, c := range []struct{ now, de7, want string }{
		{"2026-11-22", "1122040000", "2026-11-22"},
		{"2027-01-02", "1231235959", "2026-12-31"},
		{"2027-01-02", "0101000000", "2027-01-01"},
		{"2027-10-01", "1122040000", "2026-11-22"},
		{"2026-12-31", "0101000000", "2027-01-01"}, // their clock is ahead
	} {
		now, err := time.Parse(time.DateOnly, c.now)
		got := original(chargeback().Set(90, "0220000125"+c.de7+"1234567890100000000000"), now)
		if err != nil || got.At.Format(time.DateOnly) != c.want {
			t.Errorf("%s seen on %s: %s, %v", c.de7, c.now, got.At, err)
		}
	}
}

// The host tells chargebacks; what it hears depends on whether they are written down.
func TestChargebacksOnTheLine(t *testing.T) {
	for _, c := range []struct {
		name   string
		ask    *Message
		hears  bool
		online bool
		take   bool
		want   string
	}{
		{"written down", chargeback(), true, true, true, "00"},
		{"written down, in a repeat", func() *Message { m := chargeback(); m.mti = "0423"; return m }(), true, true, true, "00"},
		{"not written down", chargeback(), true, true, false, "96"},
		{"unreadable: no amount", chargeback().Set(4, ""), true, true, true, "30"},
		{"unreadable: nothing", chargeback().Set(4, "000000000000"), true, true, true, "30"},
		{"unreadable: no RRN", chargeback().Set(37, ""), true, true, true, "30"},
		{"unreadable: no STAN", chargeback().Set(11, ""), true, true, true, "30"},
		{"unreadable: no time", chargeback().Set(7, "9999999999"), true, true, true, "30"},
		{"unreadable: stage", chargeback().Set(48, "DG013"), true, true, true, "30"},
		{"unreadable: currency", chargeback().Set(49, "999"), true, true, true, "30"},
		{"nobody listens", chargeback(), false, true, true, "12"},
		{"the profile knows none", chargeback(), true, false, true, "12"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, got, heard := quick(t, DefaultProfile), make(chan *Message, 8), make(chan payment.ChargebackAdvice, 8)
			p.ChargebackOnline = c.online
			change := func(cfg *LinkConfig) {
				cfg.Now, cfg.Zone = func() time.Time { return disputedAt }, seoul
				if c.hears {
					cfg.Disputed = func(_ context.Context, a payment.ChargebackAdvice) bool { heard <- a; return c.take }
				}
			}
			_, h := startWith(t, p, change, func(peer *peer, m *Message) {
				if m.mti[1] == '8' {
					peer.answer(m, "00")
				} else {
					got <- m
				}
			})
			peer := <-h.signOns
			peer.send(peer.frame(c.ask))
			want := c.ask.Clone().Set(39, c.want)
			want.mti = "0432"
			for _, de := range []int{2, 48, 60, 90} {
				want.Set(de, "")
			}
			if a := <-got; !reflect.DeepEqual(a, want) {
				t.Errorf("%v, want %v", a, want)
			}
			if told := c.want == "00" || c.want == "96"; told != (len(heard) == 1) {
				t.Fatalf("%d were handed on", len(heard))
			} else if told {
				if a := <-heard; !reflect.DeepEqual(a, disputed) {
					t.Errorf("%+v, want\n%+v", a, disputed)
				}
			}
		})
	}
}

// A store that takes its time holds up nothing else, and more chargebacks than can wait are left for the host to repeat.
func TestSlowStoreOfChargebacks(t *testing.T) {
	entered, release, answers, echoed := make(chan struct{}, 256), make(chan struct{}), make(chan *Message, 256), make(chan struct{}, 8)
	p := quick(t, DefaultProfile)
	p.ChargebackOnline = true
	change := func(cfg *LinkConfig) {
		cfg.Disputed = func(ctx context.Context, _ payment.ChargebackAdvice) bool {
			entered <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
			}
			return true
		}
	}
	r, h := startWith(t, p, change, func(c *peer, m *Message) {
		switch m.mti {
		case "0432":
			answers <- m
		case "0810":
			echoed <- struct{}{}
		default:
			c.answer(m, "00")
		}
	})
	c := <-h.signOns
	say := func(n int) { c.send(c.frame(chargeback().Set(11, fmt.Sprintf("%06d", n)))) }
	echo := func() { c.send(c.frame(networkMessage("301", "000777", holdAt))); <-echoed } // everything before it was read
	say(1)
	<-entered
	for n := range maxDisputes + 1 {
		say(n + 2)
	}
	echo()
	if a, err := r.Send(t.Context(), ask(1), long); err != nil || a.Get(39) != "00" || len(answers) != 0 {
		t.Errorf("behind a slow store: %v, %v, %d", a, err, len(answers))
	}
	close(release)
	for n := range maxDisputes + 1 {
		if a := <-answers; a.Get(11) != fmt.Sprintf("%06d", n+1) || a.Get(39) != "00" {
			t.Errorf("%v", a)
		}
	}
	say(maxDisputes + 2) // the one that found no room, repeated
	if a := <-answers; a.Get(11) != fmt.Sprintf("%06d", maxDisputes+2) {
		t.Errorf("%v", a)
	}
	if n := len(entered) + 1; n != maxDisputes+2 {
		t.Errorf("%d were handed on", n)
	}
}

// The link ends while a store is at work: it is asked to stop, and nothing is left behind.
func TestShutdownDuringAChargeback(t *testing.T) {
	entered := make(chan struct{}, 8)
	p := quick(t, DefaultProfile)
	p.ChargebackOnline = true
	change := func(cfg *LinkConfig) {
		cfg.Disputed = func(ctx context.Context, _ payment.ChargebackAdvice) bool {
			entered <- struct{}{}
			<-ctx.Done()
			return false
		}
	}
	r, h := startWith(t, p, change, func(c *peer, m *Message) {
		if m.mti == "0800" {
			c.answer(m, "00")
		}
	})
	c := <-h.signOns
	c.send(c.frame(chargeback()))
	<-entered
	r.stop()
}
