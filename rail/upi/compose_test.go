package upi

import (
	"strings"
	"testing"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payout"
)

// The bytes of an order, to the byte: rails §2.3.
func TestOrdersAsBytes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		order  func(*payout.Order)
		want   string
	}{
		"as it comes": {nil, nil, `{"account_number":"7878780080316316","amount":125000,"currency":"INR","mode":"UPI","purpose":"payout",` +
			`"fund_account":{"account_type":"vpa","vpa":{"address":"asha.r@examplebank"},"contact":{"name":"Google payee","type":"customer"}},` +
			`"queue_if_low_balance":false,"reference_id":"PID-1","narration":"Google Music 1250"}`},
		"configured": {func(c *Config) {
			c.Purpose, c.ContactName, c.ContactType, c.QueueIfLowBalance = "utility bill", "O'Neil (x).", "vendor", true
		}, func(o *payout.Order) {
			o.Target.Text, o.Target.VPA, o.Amount = "별농장 ★", card.Conceal("a-1@x"), rupees(100)
		}, `{"account_number":"7878780080316316","amount":100,"currency":"INR","mode":"UPI","purpose":"utility bill",` +
			`"fund_account":{"account_type":"vpa","vpa":{"address":"a-1@x"},"contact":{"name":"O'Neil (x).","type":"vendor"}},` +
			`"queue_if_low_balance":true,"reference_id":"PID-1"}`},
	} {
		o := sample()
		if c.order != nil {
			c.order(&o)
		}
		body, err := mustBank(t, c.change).Compose(o)
		if err != nil || string(body) != c.want {
			t.Errorf("%s: %v\n%s, want\n%s", name, err, body, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	r := mustBank(t, nil)
	vpa := func(s string) func(*payout.Order) { return func(o *payout.Order) { o.Target.VPA = card.Conceal(s) } }
	for name, c := range map[string]struct {
		spoil func(*payout.Order)
		field string // empty: nothing is wrong
	}{
		"as it comes":          {func(*payout.Order) {}, ""},
		"dots and hyphens":     {vpa("a.b-c.1@ok-bank.2"), ""},
		"shortest":             {vpa("a@b"), ""},
		"longest":              {vpa(strings.Repeat("a", 96) + "@b.c"), ""},
		"too long":             {vpa(strings.Repeat("a", 97) + "@b.c"), "vpa"},
		"underscore":           {vpa("asha_r@examplebank"), "vpa"}, // rails O9
		"two @":                {vpa("a@b@c"), "vpa"},
		"no @":                 {vpa("asha"), "vpa"},
		"line end":             {vpa("a@b\n"), "vpa"},
		"another script":       {vpa("आशा@bank"), "vpa"},
		"a rupee":              {func(o *payout.Order) { o.Amount = rupees(100) }, ""},
		"less than a rupee":    {func(o *payout.Order) { o.Amount = rupees(99) }, "amount"},
		"dollars":              {func(o *payout.Order) { o.Amount = money.New(1250_00, money.Of("USD")) }, "currency"},
		"no key yet":           {func(o *payout.Order) { o.Key, o.Reference = "", "" }, ""},
		"short key":            {func(o *payout.Order) { o.Key = "abc" }, "key"},
		"long key":             {func(o *payout.Order) { o.Key = strings.Repeat("k", 37) }, "key"},
		"key of 36":            {func(o *payout.Order) { o.Key = "0f1c2d3e-88a1-4b6f-9a55-0123456789ab" }, ""},
		"key with a colon":     {func(o *payout.Order) { o.Key = "dsb:2f6c" }, "key"},
		"reference of 40":      {func(o *payout.Order) { o.Reference = strings.Repeat("r", 40) }, ""},
		"reference too long":   {func(o *payout.Order) { o.Reference = strings.Repeat("r", 41) }, "reference"},
		"above the bank's cap": {func(o *payout.Order) { o.Amount = rupees(1_00_000_01) }, ""}, // the bank declines it by itself
	} {
		o := sample()
		c.spoil(&o)
		switch err := r.Check(o); {
		case err == nil && c.field != "", err != nil && !strings.HasPrefix(err.Error(), c.field+": "), err != nil && c.field == "":
			t.Errorf("%s: %v", name, err)
		}
	}
	o := sample()
	if o.Reference = ""; r.Check(o) != nil {
		t.Error("an order is checked before it has a reference")
	}
	if _, err := r.Compose(o); err == nil {
		t.Error("an order without a reference could never be found again")
	}
}

// Letters, digits and blanks, thirty at most (rails §2.3, disburse v1 §8.2), from whatever the caller wrote.
func TestNarration(t *testing.T) {
	for text, want := range map[string]string{
		"Reward 4711":                         "Reward 4711",
		"Google - Music":                      "Google Music",
		"  a\tb\r\nc  ":                       "a b c",
		"Café Ångström №5":                    "Cafe Angstrom No5",
		"ＦＵＬＬ１２ ﬁne":                          "FULL12 fine",
		"Straße":                              "Strae",
		"पुरस्कार 12":                         "12",
		"별농장":                                 "",
		"$%&/()":                              "",
		"":                                    "",
		"٣٤":                                  "",
		strings.Repeat("word ", 9):            "word word word word word word",
		"123456789012345678901234567890123":   "123456789012345678901234567890",
		"<script>alert('x')</script>\x00\x7f": "script alert x script",
	} {
		if got := narration(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
