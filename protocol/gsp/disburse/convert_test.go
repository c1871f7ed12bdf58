package disburse

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/gsptest"
)

var (
	rupee, yen, dinar = money.Of("INR"), money.Of("JPY"), money.Of("KWD")

	// rewards is the account of the sheet's examples, with money of every number of decimals.
	rewards = engine.Account{ID: "ACME_PAYOUTS_INR", APIs: []string{Name}, Currencies: []money.Currency{rupee, yen, dinar}}

	now = time.UnixMilli(1790000000000)
)

type edits = gsptest.Edits

var (
	absent         = gsptest.Absent
	golden, edited = gsptest.Golden, gsptest.Edited
)

// listener stands in for the engine: it remembers what it was asked and answers with a payout, or fails.
type listener struct {
	asked  []engine.DisburseAsk
	payout payout.Payout
	fail   error
}

func (l *listener) Disburse(_ context.Context, _ engine.Turn, ask engine.DisburseAsk) ([]byte, error) {
	if ask.Fault != nil { // the request is new
		return nil, ask.Fault
	}
	l.asked = append(l.asked, ask)
	if l.fail != nil {
		return nil, l.fail
	}
	return ask.Encode(l.payout)
}

var done = payout.Payout{ID: "ptx-0000000917", State: payout.Paid, Scope: "npci-upi", Code: "00"}

// asked is what the engine hears of a request.
func asked(t testing.TB, p Profile, body []byte) (engine.DisburseAsk, error) {
	t.Helper()
	e := &listener{payout: done}
	s := NewService(e, map[string]Profile{rewards.ID: p})
	if _, err := gsptest.Call(t, gsp.Call{Account: rewards, At: now}, s.disburseFunds, body); err != nil {
		return engine.DisburseAsk{}, err
	}
	return e.asked[0], nil
}

func TestTheSheetsRequest(t *testing.T) {
	ask, err := asked(t, Profile{}, golden(t, "request"))
	if err != nil {
		t.Fatal(err)
	}
	want := payout.Target{VPA: card.Conceal("asha.r@examplebank"), Text: "Reward 4711"}
	if ask.Amount != money.New(12_550, rupee) || ask.Target.Text != want.Text || ask.Target.VPA.Reveal() != want.VPA.Reveal() {
		t.Errorf("got %s for %q", ask.Amount, ask.Target.Text)
	}
}

// §8.1. What is taken reaches the engine as it came.
func TestAddresses(t *testing.T) {
	const account, ifsc = "000123456789", "HDFC0000001"
	const never, always, switched = 0, 1, 2
	long := strings.Repeat("x", 300)
	for name, row := range map[string]struct {
		vpa  string
		when int
	}{
		"the example":                     {"asha.r@examplebank", always},
		"capitals stay":                   {"Asha.R@ExampleBank", always},
		"digits":                          {"9876543210@upi", always},
		"an underscore":                   {"asha_r@upi", always}, // whether the adapter can is another matter (rails O9)
		"a hyphen":                        {"asha-r@upi", always},
		"a sign at the end":               {"asha.@upi", always},
		"a handle with digits":            {"asha@ok2bank", always},
		"the shortest":                    {"as@up", always},
		"the longest handle":              {"asha@" + long[:64], always},
		"255 characters":                  {long[:251] + "@upi", always},
		"256 characters":                  {long[:252] + "@upi", never},
		"256 characters, a longer handle": {long[:192] + "@" + long[:63], never},
		"a handle too long":               {"asha@" + long[:65], never},
		"a local part too short":          {"a@upi", never},
		"a handle too short":              {"asha@u", never},
		"a sign at the start":             {".asha@upi", never},
		"a hyphen at the start":           {"-asha@upi", never},
		"a handle that starts with digit": {"asha@1upi", never},
		"a handle with a dot":             {"asha@upi.npci", never},
		"a handle with a hyphen":          {"asha@ok-bank", never},
		"no handle":                       {"asha@", never},
		"no local part":                   {"@upi", never},
		"no sign":                         {"asha.upi", never},
		"two signs":                       {"asha@r@upi", never},
		"a blank before":                  {" asha@upi", never},
		"a blank after":                   {"asha@upi ", never},
		"a blank inside":                  {"as ha@upi", never},
		"a line end":                      {"asha@upi\n", never},
		"a line before":                   {"x\nasha@upi", never},
		"a NUL":                           {"as\x00ha@upi", never},
		"a letter of another script":      {"आशा@upi", never},
		"a wide letter":                   {"ａsha@upi", never},
		"a plus":                          {"asha+r@upi", never},
		"an account and a branch":         {account + "@" + ifsc + ".ifsc.npci", switched},
		"in small letters":                {account + "@" + strings.ToLower(ifsc) + ".ifsc.npci", switched},
		"in capitals":                     {account + "@" + ifsc + ".IFSC.NPCI", switched},
		"an account with a sign":          {"000-1234@" + ifsc + ".ifsc.npci", never},
		"a branch of ten characters":      {account + "@HDFC000001.ifsc.npci", never},
		"a branch without its zero":       {account + "@HDFC1000001.ifsc.npci", never},
		"a branch, and more":              {account + "@" + ifsc + ".ifsc.npci.in", never},
		"a branch, and another line":      {account + "@" + ifsc + ".ifsc.npci\n", never},
		"an account too long":             {long[:36] + "@" + ifsc + ".ifsc.npci", never},
		"an Aadhaar number":               {"123412341234@aadhaar.npci", never},
		"an issuer's number":              {"1234@607152.iin.npci", never},
	} {
		for _, allowed := range []bool{false, true} {
			ask, err := asked(t, Profile{allowed}, edited(t, "request", edits{"upiDetails.vpa": row.vpa}))
			if row.when == always || row.when == switched && allowed {
				if err != nil || ask.Target.VPA.Reveal() != row.vpa {
					t.Errorf("%s, branches %v: %v, paid to %q", name, allowed, err, ask.Target.VPA.Reveal())
				}
				continue
			}
			if kind, public := fault.Of(err); kind != fault.Invalid || public != "upiDetails.vpa must be name@handle as UPI writes it" {
				t.Errorf("%s, branches %v: %v", name, allowed, err)
			}
		}
	}
}

// §4.1, §11 rows 10 and 11: money in every number of decimals, exactly.
func TestAmounts(t *testing.T) {
	for name, row := range map[string]struct {
		amount   any
		currency string
		want     money.Amount // zero: refused
	}{
		"the example":          {"125500000", "INR", money.New(12_550, rupee)},
		"a paisa":              {"10000", "INR", money.New(1, rupee)},
		"as a number":          {10000, "INR", money.New(1, rupee)}, // gsp-core §8
		"the most":             {"9223372036854770000", "INR", money.New(922_337_203_685_477, rupee)},
		"a yen":                {"1000000", "JPY", money.New(1, yen)},
		"a thousandth":         {"1000", "KWD", money.New(1, dinar)},
		"a fraction of a yen":  {"10000", "JPY", money.Amount{}},
		"half a paisa":         {"5000", "INR", money.Amount{}}, // OP-13
		"a micro more":         {"125500001", "INR", money.Amount{}},
		"nothing":              {"0", "INR", money.Amount{}},
		"less than nothing":    {"-10000", "INR", money.Amount{}},
		"above int64":          {"9223372036854780000", "INR", money.Amount{}},
		"a fraction":           {"10000.0", "INR", money.Amount{}},
		"a fractional number":  {10000.5, "INR", money.Amount{}},
		"an exponent":          {"1e4", "INR", money.Amount{}},
		"a leading zero":       {"010000", "INR", money.Amount{}},
		"a plus":               {"+10000", "INR", money.Amount{}},
		"a blank":              {" 10000", "INR", money.Amount{}},
		"letters":              {"ten", "INR", money.Amount{}},
		"an object":            {edits{"amountMicros": "10000"}, "INR", money.Amount{}},
		"true":                 {true, "INR", money.Amount{}},
		"no such currency":     {"10000", "XYZ", money.Amount{}},
		"not contracted":       {"10000", "USD", money.Amount{}},
		"in small letters":     {"10000", "inr", money.Amount{}},
		"the numeric currency": {"10000", "356", money.Amount{}},
	} {
		ask, err := asked(t, Profile{}, edited(t, "request", edits{"amount": row.amount, "currencyCode": row.currency}))
		if row.want == (money.Amount{}) {
			if kind, public := fault.Of(err); kind != fault.Invalid || strings.Contains(public, "10000") {
				t.Errorf("%s: %v, asked for %s", name, err, ask.Amount)
			}
		} else if err != nil || ask.Amount != row.want {
			t.Errorf("%s: got %s (%v), want %s", name, ask.Amount, err, row.want)
		}
	}
}

// OP-10: characters, not bytes, and all of them are kept.
func TestDescriptions(t *testing.T) {
	for text, fits := range map[string]bool{
		"G": true, "Google - Music": true, strings.Repeat("₹", 255): true, strings.Repeat("x", 255): true, " ": true, "two\nlines": true,
		strings.Repeat("₹", 256): false, strings.Repeat("x", 256): false,
	} {
		ask, err := asked(t, Profile{}, edited(t, "request", edits{"transactionDescription": text}))
		if kind, _ := fault.Of(err); fits && (err != nil || ask.Target.Text != text) || !fits && kind != fault.Invalid {
			t.Errorf("%d bytes: %v, %d bytes kept", len(text), err, len(ask.Target.Text))
		}
	}
}

// Of several faults the first in the order of §11 is told: what is missing, then currency, amount, address, and last the text.
func TestOrderOfFaults(t *testing.T) {
	steps := []struct {
		edit edits
		says string
	}{
		{edits{"transactionDescription": absent}, "transactionDescription is required"},
		{edits{"currencyCode": ""}, "currencyCode is required"},
		{edits{"amount": ""}, "amount is required"},
		{edits{"upiDetails": absent}, "upiDetails is required"},
		{edits{"upiDetails": edits{"vpa": ""}}, "upiDetails.vpa is required"},
		{edits{"currencyCode": "USD"}, "currencyCode is not contracted for this account"},
		{edits{"amount": "x"}, "amount must be a number of micros, more than nothing"},
		{edits{"upiDetails": edits{"vpa": "x"}}, "upiDetails.vpa must be name@handle as UPI writes it"},
		{edits{"transactionDescription": strings.Repeat("x", 256)}, "transactionDescription must be at most 255 characters"},
	}
	all := edits{}
	for i := len(steps) - 1; i >= 0; i-- { // each fault comes on top of those that are told after it
		for member, value := range steps[i].edit {
			all[member] = value
		}
		if _, public := fault.Of(second(asked(t, Profile{}, edited(t, "request", all)))); public != steps[i].says {
			t.Errorf("got %q, want %q", public, steps[i].says)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Every reason of the engine's has one code, in an answer and in a notice (§4.3).
func TestResults(t *testing.T) {
	want := map[payout.Reason]string{
		payout.BelowLimit:   `"DISBURSEMENT_UNDER_TRANSACTION_LIMIT","transactionMinLimit":"1000000"`,
		payout.AboveLimit:   `"DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT","transactionMaxLimit":"1000000"`,
		payout.Closed:       `"ACCOUNT_CLOSED"`,
		payout.OnHold:       `"ACCOUNT_ON_HOLD"`,
		payout.ClosedFraud:  `"ACCOUNT_CLOSED_FRAUD"`,
		payout.ClosedStolen: `"ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER"`,
	}
	reasons := gsptest.Constants(t, "../../../core/payout/payout.go", "Reason")
	if len(reasons) != len(want)+1 { // NoReason is none
		t.Errorf("the engine has %d reasons, %d have a row here", len(reasons)-1, len(want))
	}
	for _, r := range append(reasons, "a_reason_of_tomorrow") {
		why := payout.Reason(r)
		p := payout.Payout{ID: "ptx-1", State: payout.Refused, Reason: why, Limit: money.New(100, rupee)}
		got, err := encode(p)
		text := `{"paymentIntegratorTransactionId":"ptx-1","disburseFundsResult":{"disburseFundsResultCode":` + want[why] + `}}`
		if want[why] == "" {
			if err == nil {
				t.Errorf("%q is answered as %s", why, got)
			}
			continue
		}
		if string(got) != text || err != nil {
			t.Errorf("%s: got  %s\nwant %s (%v)", why, got, text, err)
		}
	}
}

// The answers of every state: what is not final has none, and what came back is told as before (OP-6).
func TestAnswers(t *testing.T) {
	for _, row := range []struct {
		example string
		payout  payout.Payout
	}{
		{"paid", done},
		{"paid", payout.Payout{ID: done.ID, State: payout.Returned, Scope: "npci-upi", Code: "00", Limit: money.New(0, rupee)}},
		{"above-limit", payout.Payout{
			ID: "ptx-0000000918", State: payout.Refused, Reason: payout.AboveLimit, Limit: money.New(10_000_000, rupee),
		}},
	} {
		got, err := encode(row.payout)
		if err != nil || !bytes.Equal(gsptest.Canonical(t, got), golden(t, row.example)) {
			t.Errorf("%s: got  %s (%v)", row.example, got, err)
		}
	}
	for _, state := range gsptest.Constants(t, "../../../core/payout/payout.go", "State") {
		p := done
		p.State, p.Reason = payout.State(state), payout.OnHold
		answered := p.State.Final() && p.State != payout.Cancelled // by a person, which only a merchant's can be
		if got, err := encode(p); (err == nil) != answered {
			t.Errorf("%s: %s, %v", state, got, err)
		}
	}
	wide := payout.Payout{ID: "ptx-1", State: payout.Refused, Reason: payout.AboveLimit, Limit: money.New(1<<60, rupee)}
	if got, err := encode(wide); err != nil || bytes.Contains(got, []byte("Limit")) {
		t.Errorf("a limit that does not fit: %s, %v", got, err)
	}
}
