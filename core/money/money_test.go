package money_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	. "naru/core/money"
)

func TestCurrencies(t *testing.T) {
	for code, want := range map[string]struct {
		numeric  string
		exponent int
	}{"KRW": {"410", 0}, "JPY": {"392", 0}, "USD": {"840", 2}, "INR": {"356", 2}, "BHD": {"048", 3}, "KWD": {"414", 3}} {
		c, ok := Lookup(code)
		if !ok || c.Code() != code || c.String() != code || c.Numeric() != want.numeric || c.Exponent() != want.exponent || c != Of(code) {
			t.Errorf("%s: %v %s %s %d", code, ok, c.Code(), c.Numeric(), c.Exponent())
		}
	}
	for _, code := range []string{"", "krw", "XXX", "410", "KRW ", "code"} {
		if _, ok := Lookup(code); ok {
			t.Errorf("%q is a currency", code)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Of made up a currency")
		}
	}()
	Of("XXX")
}

// gsp-core §8: money is written in millionths of the unit; what is finer than the minor unit is refused, never rounded.
func TestMicros(t *testing.T) {
	for _, c := range []struct {
		micros int64
		code   string
		minor  int64
		err    error
	}{
		{12_900_000_000, "KRW", 12900, nil},
		{1_000_000, "KRW", 1, nil},
		{999_999, "KRW", 0, ErrFraction},
		{1_000_001, "KRW", 0, ErrFraction},
		{12_300_000, "USD", 1230, nil},
		{10_000, "USD", 1, nil},
		{9_999, "USD", 0, ErrFraction},
		{1_000, "BHD", 1, nil},
		{1_001, "BHD", 0, ErrFraction},
		{0, "KRW", 0, nil},
		{-1_000_000, "KRW", -1, nil},
		{-1, "USD", 0, ErrFraction},
		{math.MaxInt64, "KRW", 0, ErrFraction},
		{math.MaxInt64 / 1_000_000 * 1_000_000, "KRW", math.MaxInt64 / 1_000_000, nil},
	} {
		got, err := FromMicros(c.micros, Of(c.code))
		if !errors.Is(err, c.err) || got.Minor() != c.minor {
			t.Errorf("%d %s: %v, %v", c.micros, c.code, got, err)
		}
		if err == nil && (got.Micros() != c.micros || got.Currency() != Of(c.code)) {
			t.Errorf("%d %s comes back as %d %s", c.micros, c.code, got.Micros(), got.Currency())
		}
	}
}

func TestMicrosAreExactForEveryAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Of(rapid.SampledFrom([]string{"KRW", "USD", "BHD"}).Draw(t, "currency"))
		m := rapid.Int64().Draw(t, "micros")
		a, err := FromMicros(m, c)
		if err == nil && a.Micros() != m {
			t.Fatalf("%d became %d", m, a.Micros())
		}
		if err != nil && a != (Amount{}) {
			t.Fatalf("a refused amount is %v", a)
		}
	})
}

func TestMicrosThatDoNotFitPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an amount wrapped round")
		}
	}()
	New(math.MaxInt64/1_000_000+1, Of("KRW")).Micros()
}

func TestString(t *testing.T) {
	for want, a := range map[string]Amount{
		"12900 KRW":  New(12900, Of("KRW")),
		"-1 KRW":     New(-1, Of("KRW")),
		"12.30 USD":  New(1230, Of("USD")),
		"0.05 USD":   New(5, Of("USD")),
		"-0.05 USD":  New(-5, Of("USD")),
		"-12.30 USD": New(-1230, Of("USD")),
		"1.005 BHD":  New(1005, Of("BHD")),
	} {
		if got := a.String(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestComparing(t *testing.T) {
	won := func(n int64) Amount { return New(n, Of("KRW")) }
	if won(1).Exceeds(won(1)) || won(1).Exceeds(won(2)) || !won(2).Exceeds(won(1)) {
		t.Error("Exceeds is not more than")
	}
	if won(0).IsPositive() || won(-1).IsPositive() || !won(1).IsPositive() {
		t.Error("IsPositive is not more than nothing")
	}
	defer func() {
		if recover() == nil {
			t.Error("won were compared with dollars")
		}
	}()
	won(1).Exceeds(New(1, Of("USD")))
}
