package iso8583

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
)

var (
	contract = Contract{Institution: "12345678901", City: "Seoul", Country: "KR", CountryCode: "410"}
	seoul    = time.FixedZone("KST", 9*3600)
	holdAt   = time.Date(2026, 11, 22, 3, 15, 0, 0, time.UTC)
	won      = func(n int64) money.Amount { return money.New(n, money.Of("KRW")) }
)

func mustCodec(t testing.TB, p Profile) codec {
	t.Helper()
	c, err := newCodec(p, contract)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustPAN(t testing.TB, digits string) card.PAN {
	t.Helper()
	pan, err := card.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return pan
}

// order is the hold of V3.
func order(t testing.TB) payment.AuthOrder {
	stan, rrn := Identify(122, holdAt)
	rrn = rrn[:4] + "12" + rrn[6:] // the vector counts hours in local time
	return payment.AuthOrder{
		Trace: payment.Trace{STAN: stan, RRN: rrn, At: holdAt}, Terminal: "PI000001", Merchant: "PIMERCHANT00001",
		Local: seoul, Amount: won(10_000), PAN: mustPAN(t, testPAN), Expiry: card.Expiry{Year: 2028, Month: 12}, MCC: "5816",
		Statement: "Google*Test",
	}
}

// saleOrder is V11.
func saleOrder(t testing.TB) payment.AuthOrder {
	o := order(t)
	o.Purpose = payment.ToSell
	return o
}

func adviceOrder(t testing.TB, kind payment.AdviceKind, stan string, at time.Time) payment.AdviceOrder {
	o := order(t)
	return payment.AdviceOrder{
		Advice: payment.Advice{
			Kind: kind, Trace: payment.Trace{STAN: stan, RRN: "its own, unused", At: at}, Amount: o.Amount,
			Reason: payment.UndoSilence,
		},
		Original: o.Trace, Whole: o.Amount, Terminal: o.Terminal, Merchant: o.Merchant, Local: seoul, PAN: o.PAN, Expiry: o.Expiry, MCC: o.MCC,
	}
}

// refundOrder is V9: a minute after its capture, V7.
func refundOrder(t testing.TB) payment.AdviceOrder {
	o, at := order(t), time.Date(2026, 11, 22, 4, 1, 0, 0, time.UTC)
	own := payment.Trace{STAN: "000126", RRN: "632613000126", At: at}
	return payment.AdviceOrder{
		Advice:   payment.Advice{Kind: payment.RefundOrder, Trace: own, Amount: o.Amount},
		Original: payment.Trace{STAN: "000125", RRN: o.Trace.RRN, At: at.Add(-time.Minute)}, Captured: at.Add(-time.Minute),
		HeldRRN: o.Trace.RRN, Text: "Google*Test", Whole: o.Amount, Terminal: o.Terminal, Merchant: o.Merchant, Local: seoul, PAN: o.PAN,
		Expiry: o.Expiry, MCC: o.MCC,
	}
}

// What the engine orders becomes the bytes of rails §1.18.
func TestOrdersBecomeGoldenVectors(t *testing.T) {
	c, want := mustCodec(t, mustProfile(t, DefaultProfile)), vectors(t)
	hold, err := c.authorisation(order(t))
	if err != nil {
		t.Fatal(err)
	}
	hold.Set(48, "IN0203") // the vector's instalment, which no front end can ask for
	reversal, err := c.advice(adviceOrder(t, payment.Reversal, "000124", holdAt.Add(31*time.Second)), false)
	if err != nil {
		t.Fatal(err)
	}
	completion := adviceOrder(t, payment.Completion, "000125", holdAt.Add(45*time.Minute))
	completion.Approval = "A1B2C3"
	capture, err := c.advice(completion, false)
	if err != nil {
		t.Fatal(err)
	}
	refund, err := c.advice(refundOrder(t), false)
	if err != nil {
		t.Fatal(err)
	}
	totals, err := c.totals(dayTotals, totalsTrace, false)
	if err != nil {
		t.Fatal(err)
	}
	sale, err := c.authorisation(saleOrder(t))
	if err != nil {
		t.Fatal(err)
	}
	undo := adviceOrder(t, payment.Reversal, "000124", holdAt.Add(31*time.Second))
	undo.About, undo.Approval = payment.OfSale, "A1B2C3"
	undone, err := c.advice(undo, false)
	if err != nil {
		t.Fatal(err)
	}
	back := refundOrder(t)
	back.About, back.Original = payment.OfSale, saleOrder(t).Trace
	refunded, err := c.advice(back, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*Message{
		"V1": networkMessage("301", "000001", holdAt), "V3": hold, "V5": reversal, "V7": capture, "V9": refund, "V10": totals,
		"V2": replyTo(networkMessage("301", "000001", holdAt), "00"), "V11": sale, "V13": undone, "V14": refunded,
	} {
		if raw, err := m.pack(c.spec); err != nil || !bytes.Equal(raw, want[name]) {
			t.Errorf("%s:\n%x, %v; want\n%x", name, raw, err, want[name])
		}
	}
}

func TestAuthorisationCarriesEverything(t *testing.T) {
	o := order(t)
	o.CVN, o.ECI, o.Reference, o.Network = card.Conceal("987"), "5", "pay-1", payment.WishDebit
	o.Holder = payment.Holder{PINDigits: card.Conceal("47"), BirthDate: card.Conceal("910417"), CI: card.Conceal(strings.Repeat("q", 88))}
	o.ThreeDS = payment.ThreeDS{DirectoryServerID: "ds", ServerID: "ts", CAVV: card.Conceal("cavv="), Version: "2.2.0"}
	o.Token = payment.Token{Kind: payment.DeviceToken, Cryptogram: card.Conceal("cryptogram==")}
	o.Stored = payment.StoredCredential{Initiator: payment.ByMerchant, Intent: payment.Recurring, EarlierNetwork: "net-1"}
	o.Address = payment.Address{Lines: []string{"서울 종로구", "1-2"}, PostalCode: "03000", Country: "KR"}
	o.Statement, o.Exemption = "구글*별농장 Café", payment.LowValue
	for name, digits := range map[string]int{DefaultProfile: 2, "pi87-alt": 3} {
		m, err := mustCodec(t, mustProfile(t, name)).authorisation(o)
		if err != nil {
			t.Fatal(err)
		}
		sale := o
		sale.Purpose = payment.ToSell
		sold, err := mustCodec(t, mustProfile(t, name)).authorisation(sale)
		if err != nil || sold.MTI() != "0200" || !maps.Equal(sold.de, m.de) {
			t.Errorf("%s: a sale: %v, %v", name, sold, err)
		}
		var private strings.Builder
		for _, tag := range []string{
			"IN00", "BD910417", "PW47", "CN" + strings.Repeat("q", 88), "CV987", "EC05", "CAcavv=", "DSds",
			"TV2.2.0", "TSts", "CGcryptogram==", "TTD",
			"CIM", "IRR", "SIU", "NTnet-1", "SXL", "PRD", "AASEOUL JONGROGU 1-2", "AP03000", "ACKR", "MRpay-1",
		} {
			fmt.Fprintf(&private, "%s%0*d%s", tag[:2], digits, len(tag)-2, tag[2:])
		}
		want := golden["V3"].Clone().Set(22, "102").Set(48, private.String()).Set(43, "GUGEUL*BYEOLNONGJANG CAFESEOUL        KR")
		if !reflect.DeepEqual(m, want) {
			t.Errorf("%s:\n%v\n%v", name, m.de, want.de)
		}
	}
}

func TestTokens(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	for want, token := range map[string]payment.Token{
		"IN0200":              {},
		"IN0200CG04abc=TT01M": {Kind: payment.MerchantToken, Cryptogram: card.Conceal("abc=")},
		"IN0200CG04abc=":      {Kind: payment.OtherToken, Cryptogram: card.Conceal("abc=")},
		"IN0200TT01D":         {Kind: payment.DeviceToken},
	} {
		o := order(t)
		o.Token = token
		m, err := c.authorisation(o)
		if err != nil || m.Get(48) != want || m.Get(2) != testPAN {
			t.Errorf("%q, %v; want %q", m.Get(48), err, want)
		}
		if shown := fmt.Sprintf("%v %+v", m, o); strings.Contains(shown, "abc=") {
			t.Errorf("the cryptogram is visible: %s", shown)
		}
	}
}

// Card FOP v1 §3.2: an exemption from strong authentication is asked for in DE48 SX, of holds and of sales.
func TestExemptions(t *testing.T) {
	for exemption, want := range map[payment.Exemption]string{
		payment.NoExemption: "IN0200", payment.LowValue: "IN0200SX01L", payment.RiskAnalysis: "IN0200SX01T",
	} {
		for _, o := range []payment.AuthOrder{order(t), saleOrder(t)} {
			o.Exemption = exemption
			if m, err := mustCodec(t, mustProfile(t, DefaultProfile)).authorisation(o); err != nil || m.Get(48) != want {
				t.Errorf("%q: %q, %v; want %q", exemption, m.Get(48), err, want)
			}
		}
	}
}

// DE4 is whole minor units of DE49, whatever the currency's exponent; so are the totals of a day (rails §1.4, §1.8).
func TestCurrencies(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	for _, row := range []struct {
		amount, code string // as people write it
		de4, de49    string
	}{
		{"12900", "KRW", "000000012900", "410"},
		{"1", "JPY", "000000000001", "392"},
		{"4.99", "EUR", "000000000499", "978"},
		{"10.50", "USD", "000000001050", "840"},
		{"1.234", "KWD", "000000001234", "414"},
		{"9999999.999", "BHD", "009999999999", "048"},
	} {
		minor, err := strconv.ParseInt(strings.Replace(row.amount, ".", "", 1), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		amount := money.New(minor, money.Of(row.code))
		if amount.String() != row.amount+" "+row.code {
			t.Errorf("%s is %s", row.amount, amount)
		}
		sale, back := saleOrder(t), refundOrder(t)
		sale.Amount, back.Amount = amount, amount
		undo := adviceOrder(t, payment.Reversal, "000124", holdAt.Add(31*time.Second))
		undo.About, undo.Approval, undo.Whole = payment.OfSale, "A1B2C3", amount
		completion := adviceOrder(t, payment.Completion, "000125", holdAt.Add(45*time.Minute))
		completion.Amount, completion.Approval = amount, "A1B2C3"
		sold, err1 := c.authorisation(sale)
		undone, err2 := c.advice(undo, false)
		refunded, err3 := c.advice(back, false)
		captured, err4 := c.advice(completion, false)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		for name, m := range map[string]*Message{"V11": sold, "V13": undone, "V9": refunded, "V7": captured} {
			if want := golden[name].Clone().Set(4, row.de4).Set(49, row.de49); !reflect.DeepEqual(m, want) {
				t.Errorf("%s: %s of %s: %v, want\n%v", name, row.amount, row.code, m.de, want.de)
			}
		}
		wire := string(vectors(t)["V11"]) // DE49 is the end of it
		wire = strings.TrimSuffix(strings.Replace(wire, "000000010000", row.de4, 1), "410") + row.de49
		if raw, err := sold.pack(c.spec); err != nil || string(raw) != wire {
			t.Errorf("%s of %s:\n%x, %v; want\n%x", row.amount, row.code, raw, err, wire)
		}

		day := payment.DayTotals{Day: "20261122", Currency: money.Of(row.code), Debits: 2, DebitSum: 2 * minor, Credits: 1, CreditSum: minor}
		totals, err := c.totals(day, totalsTrace, false)
		if err != nil || totals.Get(50) != row.de49 || totals.Get(97) != "D0000"+row.de4 ||
			totals.Get(86) != "0000"+row.de4 || totals.Get(88) != fmt.Sprintf("%016d", 2*minor) {
			t.Errorf("totals in %s: %v, %v", row.code, totals.de, err)
		}
	}
}

// A check without money says so in DE25; one with the least amount is a hold like any other (rails §1.8, §1.10).
func TestCardChecks(t *testing.T) {
	for _, c := range []struct {
		purpose payment.Purpose
		amount  int64
		want    [2]string // DE4, DE25
	}{
		{payment.ToVerify, 0, [2]string{"000000000000", "51"}},
		{payment.ToCheck, 0, [2]string{"000000000000", "51"}},
		{payment.ToVerify, 100, [2]string{"000000000100", "59"}},
		{payment.ToCheck, 100, [2]string{"000000000100", "59"}},
		{payment.ToPay, 100, [2]string{"000000000100", "59"}},
		{payment.ToPay, 0, [2]string{"000000000000", "59"}},
		{payment.ToSell, 100, [2]string{"000000000100", "59"}},
		{payment.ToSell, 0, [2]string{"000000000000", "59"}},
	} {
		o := order(t)
		o.Purpose, o.Amount = c.purpose, won(c.amount)
		m, err := mustCodec(t, mustProfile(t, DefaultProfile)).authorisation(o)
		sale := c.purpose == payment.ToSell
		if got := [2]string{m.Get(4), m.Get(25)}; err != nil || (m.MTI() == "0200") != sale || (m.MTI() == "0100") == sale || got != c.want {
			t.Errorf("%q of %d: %v, %v", c.purpose, c.amount, got, err)
		}
	}
	for key, want := range map[string]int64{"zero": 0, "100": 100} {
		p := mustProfile(t, DefaultProfile)
		p.AccountVerification = key
		a := &Acquirer{codec: mustCodec(t, p)}
		if got := a.VerifyWith(money.Of("KRW")); got != won(want) || p.Validate() != nil {
			t.Errorf("account_verification %s: %s, %v", key, got, p.Validate())
		}
	}
}

// A host that knows no holds is asked for none, whoever asks (rails §1.3, capture_mode single).
func TestSingleMessageHost(t *testing.T) {
	p := quick(t, DefaultProfile)
	p.CaptureMode = "single"
	seen := make(chan string, 8)
	r, _ := start(t, p, func(c *peer, m *Message) { seen <- m.mti; c.answer(m, "00") })
	if !r.SellsOnly() || r.CapturesByFile() {
		t.Error("the profile says who only sells")
	}
	check := order(t)
	check.Purpose, check.Amount = payment.ToCheck, won(0)
	held := check
	held.Amount = won(100)
	for name, o := range map[string]payment.AuthOrder{"a sale": saleOrder(t), "a check": check} {
		if got := r.Authorise(t.Context(), o); !reflect.DeepEqual(got, payment.Outcome{Verdict: payment.Approved, Code: "00"}) {
			t.Errorf("%s: %+v", name, got)
		}
		if err := r.Check(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	no := payment.Outcome{
		Verdict: payment.NotSent, Fault: fault.Internal, Alert: "an order cannot be encoded: this host holds nothing, it only sells",
	}
	for name, o := range map[string]payment.AuthOrder{"a hold": order(t), "a check by a hold": held} {
		if got := r.Authorise(t.Context(), o); !reflect.DeepEqual(got, no) {
			t.Errorf("%s: %+v, want\n%+v", name, got, no)
		}
		err := r.Check(o)
		if kind, _ := fault.Of(err); err == nil || kind != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	undo := adviceOrder(t, payment.Reversal, "000124", holdAt)
	undo.About = payment.OfSale
	back := refundOrder(t)
	back.About, back.Original = payment.OfSale, saleOrder(t).Trace
	for _, o := range []payment.AdviceOrder{undo, back} {
		if got := r.Advise(t.Context(), o, false); got != (payment.AdviceReply{Verdict: payment.AdviceAccepted, Code: "00"}) {
			t.Errorf("%s: %+v", o.Kind, got)
		}
	}
	r.stop()
	count := map[string]int{}
	for len(seen) > 0 {
		count[<-seen]++
	}
	if !maps.Equal(count, map[string]int{"0100": 1, "0200": 2, "0420": 1, "0800": 1}) {
		t.Errorf("%v left the house", count)
	}
}

// Secret and personal tags stand in the first 0100 or 0200 and nowhere else (rails §1.5): nothing that an advice is made of can hold them.
func TestAdvicesCarryNoSecretTag(t *testing.T) {
	for _, name := range []string{DefaultProfile, "pi87-alt"} {
		c := mustCodec(t, mustProfile(t, name))
		for _, x := range []struct {
			kind  payment.AdviceKind
			about payment.Origin
		}{
			{payment.Completion, payment.OfHold},
			{payment.ReleaseRest, payment.OfHold},
			{payment.Reversal, payment.OfHold},
			{payment.Reversal, payment.OfSale},
		} {
			for _, repeat := range []bool{false, true} {
				a := adviceOrder(t, x.kind, "000125", holdAt)
				a.About, a.Approval = x.about, "30118842"
				m, err := c.advice(a, repeat)
				if err != nil {
					t.Fatal(err)
				}
				if tags := c.profile.readPrivate(m.Get(48)); !maps.Equal(tags, map[string]string{"AN": "30118842"}) || m.Get(38) != "118842" {
					t.Errorf("%s %s: DE48 %v, DE38 %q", name, x.kind, tags, m.Get(38))
				}
			}
		}
	}
}

func TestAdvices(t *testing.T) {
	p := mustProfile(t, DefaultProfile)
	with := func(change func(*Profile)) Profile { q := p; change(&q); return q }
	online := with(func(p *Profile) { p.ReversalMTI = "0400" })
	plain := with(func(p *Profile) { p.RepeatMTI = false })
	for _, c := range []struct {
		p           Profile
		kind        payment.AdviceKind
		first, next string
	}{
		{p, payment.Completion, "0220", "0221"},
		{plain, payment.Completion, "0220", "0220"},
		{p, payment.Reversal, "0420", "0421"},
		{plain, payment.Reversal, "0420", "0420"},
		{online, payment.Reversal, "0400", "0421"},
		{p, payment.ReleaseRest, "0420", "0421"},
		{online, payment.ReleaseRest, "0420", "0421"},
		{mustProfile(t, "pi87-alt"), payment.Reversal, "0400", "0420"},
	} {
		code := mustCodec(t, c.p)
		first, err1 := code.advice(adviceOrder(t, c.kind, "000125", holdAt), false)
		next, err2 := code.advice(adviceOrder(t, c.kind, "000125", holdAt), true)
		if err1 != nil || err2 != nil || first.MTI() != c.first || next.MTI() != c.next {
			t.Errorf("%s: %v %v, %v %v", c.kind, first, next, err1, err2)
		} else if !maps.Equal(first.de, next.de) {
			t.Errorf("%s: the repeat differs: %v", c.kind, next)
		}
	}

	rest := adviceOrder(t, payment.ReleaseRest, "000125", holdAt)
	rest.Amount = won(4_000)
	m, err := mustCodec(t, p).advice(rest, false)
	if err != nil || m.Get(4) != "000000010000" || m.Get(95) != "000000004000"+strings.Repeat("0", 30) || m.Get(60) != "4004" {
		t.Errorf("partial reversal: %v, %v", m.de, err)
	}
	part := adviceOrder(t, payment.Completion, "000125", holdAt)
	part.Amount = won(4_000)
	if m, err := mustCodec(t, p).advice(part, false); err != nil || m.Get(4) != "000000004000" || m.Has(60) || m.Has(95) || m.Has(38) {
		t.Errorf("partial capture: %v, %v", m.de, err)
	}
	for element, want := range map[int]string{60: "4002", 56: "4002", 0: ""} {
		a := adviceOrder(t, payment.Reversal, "000125", holdAt)
		a.Reason = payment.UndoCrash
		m, err := mustCodec(t, with(func(p *Profile) { p.ReversalReasonElement = element })).advice(a, false)
		if err != nil || m.Get(element) != want || m.Has(60) != (element == 60) || m.Has(56) != (element == 56) {
			t.Errorf("reason in DE%d: %v, %v", element, m.de, err)
		}
	}
}

func TestRefunds(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	night := time.Date(2025, 11, 21, 23, 30, 0, 0, time.UTC) // the 22nd in Seoul
	old := refundOrder(t)
	old.Reservation, old.Captured, old.Amount, old.Approval = "rsv-1", night, won(4_000), "A1B2C3"
	m, err := c.advice(old, false)
	if err != nil || m.Get(48) != "MR05rsv-1OR12632612000123OD0820251122" || m.Get(4) != "000000004000" ||
		m.Has(38) || m.Has(60) || m.Has(90) {
		t.Errorf("a part, after a year: %v, %v", m.de, err)
	}
	old.Captured = night.Add(5 * time.Hour) // a year less than half an hour
	if m, err := c.advice(old, false); err != nil || !m.Has(90) {
		t.Errorf("within a year: %v, %v", m, err)
	}
	old.Local = nil
	if m, err := c.advice(old, false); err != nil || m.Get(12) != "040100" || !strings.HasSuffix(m.Get(48), "OD0820251122") {
		t.Errorf("in UTC: %v, %v", m.de, err)
	}
	for name, change := range map[string]func(*payment.AdviceOrder){
		"no hold":        func(o *payment.AdviceOrder) { o.HeldRRN = "" },
		"no capture day": func(o *payment.AdviceOrder) { o.Captured = time.Time{} },
		"no capture":     func(o *payment.AdviceOrder) { o.Original = payment.Trace{} },
		"no card":        func(o *payment.AdviceOrder) { o.PAN = card.PAN{} },
		"no expiry":      func(o *payment.AdviceOrder) { o.Expiry = card.Expiry{} },
		"beyond DE4":     func(o *payment.AdviceOrder) { o.Amount = won(maxMinor + 1) },
	} {
		o := refundOrder(t)
		change(&o)
		var at *FieldError
		if m, err := c.advice(o, false); !errors.As(err, &at) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}

	// The reversal of a refund names the 0200 and nothing of the hold.
	for _, p := range []string{DefaultProfile, "pi87-alt", "pi87-file"} {
		undo := adviceOrder(t, payment.Reversal, "000127", holdAt.Add(time.Hour))
		undo.About, undo.Original, undo.Whole, undo.Approval = payment.OfRefund, refundOrder(t).Trace, won(4_000), "A1B2C3"
		c := mustCodec(t, mustProfile(t, p))
		want := golden["V5"].Clone().Set(3, "200000").Set(4, "000000004000").Set(7, "1122041500").Set(11, "000127").Set(12, "130100").
			Set(37, "632613000126").Set(90, "020000012611220401001234567890100000000000").
			Set(60, "").Set(c.profile.ReversalReasonElement, "4021")
		want.mti = c.profile.ReversalMTI
		if m, err := c.advice(undo, false); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%s: undo of a refund: %v, %v; want\n%v", p, m.de, err, want.de)
		}
	}
}

// A sale is undone and refunded by its own name, in every dialect; a sale that nobody answered has no approval code to repeat.
func TestSalesUndoneAndRefunded(t *testing.T) {
	for name, mtis := range map[string][2]string{
		DefaultProfile: {"0420", "0421"}, "pi87-alt": {"0400", "0420"}, "pi87-file": {"0420", "0421"},
	} {
		c := mustCodec(t, mustProfile(t, name))
		undo := adviceOrder(t, payment.Reversal, "000124", holdAt.Add(31*time.Second))
		undo.About = payment.OfSale
		want := golden["V13"].Clone().Set(38, "").Set(60, "").Set(c.profile.ReversalReasonElement, "4021")
		for i, repeat := range []bool{false, true} {
			want.mti = mtis[i]
			if m, err := c.advice(undo, repeat); err != nil || !reflect.DeepEqual(m, want) {
				t.Errorf("%s: reversal, repeat %v: %v, %v; want\n%v", name, repeat, m, err, want.de)
			}
		}
		back := refundOrder(t)
		back.About, back.Original = payment.OfSale, saleOrder(t).Trace
		m, err := c.advice(back, false)
		tags := map[string]string{"OR": "632612000123", "OD": "20261122"}
		if err != nil || m.Get(90) != original11 || m.Get(3) != "200000" || !maps.Equal(c.profile.readPrivate(m.Get(48)), tags) {
			t.Errorf("%s: refund: %v, %v", name, m.de, err)
		}
		back.Captured = back.Trace.At.AddDate(-1, 0, 0)
		if m, err := c.advice(back, false); err != nil || m.Has(90) {
			t.Errorf("%s: refund after a year: %v, %v", name, m.de, err)
		}
	}
}

func TestReversalReasons(t *testing.T) {
	for reason, want := range map[payment.UndoReason]string{
		payment.UndoCancel: "4000", payment.UndoCrash: "4002", payment.UndoGarbled: "4003",
		payment.UndoInvalid: "4020", payment.UndoSilence: "4021", payment.UndoLate: "4006", payment.UndoPartial: "4000", "": "4001",
	} {
		a := adviceOrder(t, payment.Reversal, "000125", holdAt)
		a.Reason = reason
		if m, err := mustCodec(t, mustProfile(t, DefaultProfile)).advice(a, false); err != nil || m.Get(60) != want {
			t.Errorf("%q: %q, %v; want %s", reason, m.Get(60), err, want)
		}
	}
}

func TestAcquirerNamesItsMessages(t *testing.T) {
	cfg := LinkConfig{Profile: mustProfile(t, "pi87-alt"), Now: time.Now, Jitter: func() float64 { return 0 }}
	cfg.Profile.Pool.Addresses = []string{"127.0.0.1:1"}
	a, err := NewAcquirer(cfg, contract)
	if err != nil || !a.ReleasesRest() || a.Ready() != 0 {
		t.Fatal(a, err)
	}
	want := payment.Trace{STAN: "000123", RRN: "632603000123", At: holdAt}
	if got := a.Trace(122, holdAt.In(seoul).Add(999*time.Millisecond)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, broken := range []Contract{
		{},
		{Institution: "123456789012", Country: "KR", CountryCode: "410"},
		{Institution: "1", Country: "kr", CountryCode: "410"},
		{Institution: "1", Country: "KR", CountryCode: "KOR"},
	} {
		if _, err := NewAcquirer(cfg, broken); err == nil {
			t.Errorf("%+v was accepted", broken)
		}
	}
}

func TestStoredCredentials(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	for want, stored := range map[string]payment.StoredCredential{
		"IN0200":                {},
		"IN0200CI01CSI01S":      {Initiator: payment.ByCustomer},
		"IN0200CI01CIR01USI01U": {Initiator: payment.ByCustomer, Intent: payment.Unscheduled, StoredBefore: true},
		"IN0200CI01MIR01ISI01U": {Initiator: payment.ByMerchant, Intent: payment.Instalment},
	} {
		o := order(t)
		o.Stored = stored
		m, err := c.authorisation(o)
		if err != nil || m.Get(48) != want || (m.Get(22) == "102") != (stored.Initiator == payment.ByMerchant) {
			t.Errorf("%q, DE22 %s, %v; want %q", m.Get(48), m.Get(22), err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	a := &Acquirer{codec: mustCodec(t, mustProfile(t, DefaultProfile))}
	for name, c := range map[string]struct {
		change func(*payment.AuthOrder)
		kind   fault.Kind
		says   string
	}{
		"no expiry":        {func(o *payment.AuthOrder) { o.Expiry = card.Expiry{} }, fault.Missing, "DE14"},
		"merchant type":    {func(o *payment.AuthOrder) { o.MCC = "58l6" }, fault.Invalid, "DE18"},
		"CVN too long":     {func(o *payment.AuthOrder) { o.CVN = card.Conceal("98765") }, fault.Invalid, "DE48: CV must be 3 to 4 long, is 5"},
		"CAVV too long":    {func(o *payment.AuthOrder) { o.ThreeDS.CAVV = card.Conceal(strings.Repeat("c", 41)) }, fault.Invalid, "DE48: CA"},
		"PIN not ASCII":    {func(o *payment.AuthOrder) { o.Holder.PINDigits = card.Conceal("é") }, fault.Invalid, "DE48: PW"},
		"too long country": {func(o *payment.AuthOrder) { o.Address.Country = "KOR" }, fault.Invalid, "DE48: AC"},
		"no terminal":      {func(o *payment.AuthOrder) { o.Terminal = "" }, fault.Internal, "DE41"},
		"negative amount":  {func(o *payment.AuthOrder) { o.Amount = won(-1) }, fault.Internal, "DE4"},
	} {
		o := order(t)
		o.Trace = payment.Trace{}
		if err := a.Check(o); err != nil {
			t.Fatal(err)
		}
		c.change(&o)
		err := a.Check(o)
		if kind, _ := fault.Of(err); err == nil || kind != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "98765") || strings.Contains(err.Error(), "ccc") {
			t.Errorf("%s: the error quotes", name)
		}
	}
	o := order(t)
	o.Amount = won(maxMinor + 1)
	if err := a.Check(o); err != nil {
		t.Errorf("an amount beyond DE4: %v", err)
	}
	want := payment.Outcome{Verdict: payment.Refused, Decline: payment.AboveAmountLimit}
	if got := a.Authorise(t.Context(), o); !reflect.DeepEqual(got, want) {
		t.Errorf("an amount beyond DE4: %+v", got)
	}
}

// Whatever the text, DE43 is 40 bytes of printable ASCII.
func TestStatementAlwaysFits(t *testing.T) {
	c := mustCodec(t, mustProfile(t, DefaultProfile))
	o := order(t)
	rapid.Check(t, func(t *rapid.T) {
		o.Statement = rapid.String().Draw(t, "statement")
		if m, err := c.authorisation(o); err != nil || len(m.Get(43)) != 40 {
			t.Fatalf("%q: %v", m.Get(43), err)
		}
	})
	for text, want := range map[string]string{
		"한국 전자상거래":     "HANGUK JEONJASANGGEORAE",
		"ＧＯＯＧＬＥ＊  Ｐａｙ": "GOOGLE* PAY",
		"Ünïcode ½ 株式": "UNICODE 12",
		"값 닭 않":        "GAP DAK AN", "\x00\n": "",
	} {
		if got := latin(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestPrivateReadsWhatItCan(t *testing.T) {
	p := mustProfile(t, DefaultProfile)
	for de48, want := range map[string]map[string]string{
		"":                          {},
		"CR01MZZ03abcKP01N":         {"CR": "M", "ZZ": "abc", "KP": "N"},
		"CR01MCR01N":                {"CR": "M"},
		"KP01NIS99short":            {"KP": "N"},
		"KP01NxxIS02ab":             {"KP": "N"},
		"IS03\x80\x00a":             {"IS": "??a"},
		"KP01NIS-1AB":               {"KP": "N"},
		"K":                         {},
		"MC00":                      {"MC": ""},
		"NS0212NT15123456789012345": {"NS": "12", "NT": "123456789012345"},
	} {
		if got := p.readPrivate(de48); !maps.Equal(got, want) {
			t.Errorf("%q: %v, want %v", de48, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		values := map[string]string{}
		for _, row := range privateTags {
			if rapid.Bool().Draw(t, row.tag) {
				values[row.tag] = rapid.StringMatching(fmt.Sprintf("[ -~]{%d,%d}", row.min, row.max)).Draw(t, "value")
			}
		}
		for _, layout := range []string{"tag2len2", "tag2len3"} {
			q := Profile{PrivateLayout: layout}
			text, err := q.packPrivate(values)
			if err != nil || !maps.Equal(q.readPrivate(text), values) {
				t.Fatalf("%v: %q, %v", values, text, err)
			}
		}
	})
}

func TestIdentify(t *testing.T) {
	if stan, rrn := Identify(122, holdAt); stan != "000123" || rrn != "632603000123" {
		t.Errorf("%s %s", stan, rrn)
	}
	for n, want := range map[int64]string{
		0: "000001", 999_998: "999999", 999_999: "A00001",
		2*999_999 - 1: "CR9999", 12*999_999 - 1: "6H9999", 12 * 999_999: "000001",
	} {
		if _, rrn := Identify(n, holdAt); rrn[6:] != want {
			t.Errorf("%d: %s, want %s", n, rrn[6:], want)
		}
	}
	seen := map[string]bool{} // the pairs are what tells laps apart; the rest is the STAN
	for k := range int64(laps * 100) {
		if p := pair(k); seen[p] || len(p) != 2 || !all(p, func(c byte) bool { return strings.ContainsRune(alnum, rune(c)) }) {
			t.Fatalf("pair %d: %q", k, p)
		} else {
			seen[p] = true
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Int64Range(0, 1<<50).Draw(t, "from")
		a, b := from+rapid.Int64Range(0, 3*stans).Draw(t, "a"), from+rapid.Int64Range(0, 3*stans).Draw(t, "b")
		stanA, rrnA := Identify(a, holdAt)
		_, rrnB := Identify(b, holdAt)
		if (a == b) != (rrnA == rrnB) || len(stanA) != 6 || len(rrnA) != 12 || stanA == "000000" {
			t.Fatalf("%d %s, %d %s", a, rrnA, b, rrnB)
		}
	})
}

// A date without a year is that of the nearest year.
func TestNearest(t *testing.T) {
	for _, c := range []struct{ now, mmdd, want string }{
		{"2026-12-31", "0101", "20270101"},
		{"2026-12-31", "1231", "20261231"},
		{"2027-01-01", "1231", "20261231"},
		{"2027-01-01", "0101", "20270101"},
		{"2026-11-22", "1122", "20261122"},
		{"2027-06-01", "1122", "20271122"},
		{"2027-03-01", "1122", "20261122"},
		{"2028-02-28", "0229", "20280229"},
		{"2029-02-28", "0229", "20280229"},
		{"2026-06-01", "0229", ""},
		{"2026-11-22", "0231", ""},
		{"2026-11-22", "", ""},
		{"2026-11-22", "112", ""},
		{"2026-11-22", "11220", ""},
	} {
		now, err := time.Parse(time.DateOnly, c.now)
		if got := businessDay(c.mmdd, now); err != nil || got != c.want {
			t.Errorf("%s read on %s: %q, want %q, %v", c.mmdd, c.now, got, c.want, err)
		}
	}
}

func TestProfiles(t *testing.T) {
	def, alt := mustProfile(t, DefaultProfile), mustProfile(t, "pi87-alt")
	if def.Name != "pi87-default" || alt.Name != "pi87-alt" || alt.Header != "ascii4" || alt.NetworkCodes.Echo != "270" || !alt.TPDU.Enabled ||
		alt.Timeouts != def.Timeouts || !reflect.DeepEqual(alt.MatchKey, []int{7, 11, 37}) || len(alt.EchoSet) != 6 {
		t.Errorf("%+v", alt)
	}
	file := mustProfile(t, "pi87-file")
	if file.Name != "pi87-file" || file.CaptureMode != "file" || !file.ChargebackOnline || def.ChargebackOnline || !alt.ChargebackOnline {
		t.Errorf("%+v", file)
	}
	file.Name, file.CaptureMode, file.ChargebackOnline = def.Name, def.CaptureMode, def.ChargebackOnline
	if !reflect.DeepEqual(file, def) {
		t.Errorf("pi87-file differs in more than it says: %+v", file)
	}
	for _, text := range []string{"", "0", "-1", "none", "1.5", "1000000000000", "99999999999999999999"} {
		odd := def
		odd.AccountVerification = text
		if err := odd.Validate(); err == nil || !strings.Contains(err.Error(), "account_verification") {
			t.Errorf("account_verification %q: %v", text, err)
		}
	}
	single := def
	single.CaptureMode = "single"
	if err := single.Validate(); err != nil {
		t.Error(err)
	}
	single.AccountVerification = "100"
	says := `account_verification = "100" does not go with capture_mode = single: a host without holds checks with zero`
	if err := single.Validate(); err == nil || err.Error() != says {
		t.Errorf("a host without holds that checks with one: %v", err)
	}
	bad := def
	bad.Header, bad.NumericEncoding, bad.MTIVersion, bad.CaptureMode, bad.ReversalReasonElement = "bin4", "ebcdic", 1, "batch", 25
	bad.MatchKey, bad.EchoSet, bad.TPDU, bad.SAF.Backoff, bad.Pool.Connections = []int{11, 4}, []int{0}, TPDU{Enabled: true}, nil, 0
	bad.NetworkCodes, bad.TLS, bad.Timeouts.Idle = NetworkCodes{SignOff: "2"}, TLS{Cert: "x"}, Duration{}
	bad.ResponseMap = map[string]Override{"05": {Decline: "nonsense"}, "7": {Verdict: "maybe"}}
	err := bad.Validate()
	for _, word := range []string{
		"header", "numeric_encoding", "mti_version", "capture_mode", "reversal_reason_element",
		"match_key: element 4",
		"match_key needs", "echo_set", "tpdu", "saf.backoff", "pool.connections", "sign_off", "sign_on", "cert and key",
		"tls.enabled", "timeouts.idle",
		`no such decline: "nonsense"`, `response code "7"`,
	} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s is not refused", word)
		}
	}
	dir := t.TempDir()
	unknown := write(t, dir, "unknown.toml", "name = \"x\"\nmac = true\n")
	if _, err := LoadProfile(unknown); err == nil || !strings.Contains(err.Error(), "mac") {
		t.Errorf("unknown key: %v", err)
	}
	p, err := LoadProfile(write(t, dir, "own.toml", `
name = "own"
[saf]
backoff = ["1s"]
[response_map.17]
verdict = "declined"
decline = "do_not_honor"
`))
	if err != nil || p.ResponseMap["17"].Decline != "do_not_honor" || p.Header != "bin2" || len(p.SAF.Backoff) != 1 || p.RepeatMTI != true {
		t.Errorf("own profile: %+v, %v", p, err)
	}
	if _, err := LoadProfile("nowhere"); err == nil {
		t.Error("a profile that does not exist was loaded")
	}
	var at *FieldError
	if _, err := newCodec(def, Contract{}); err == nil || errors.As(err, &at) {
		t.Errorf("empty contract: %v", err)
	}
}
