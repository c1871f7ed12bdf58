// Package money holds amounts as whole minor units of an ISO 4217 currency. Conversions are exact or refuse; nothing rounds.
package money

import (
	_ "embed"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Currency is an ISO 4217 currency that this system knows. Its zero value is no currency.
type Currency struct {
	code     string
	numeric  string
	exponent uint8
}

// Code is the three-letter code, such as KRW.
func (c Currency) Code() string { return c.code }

// Numeric is the three-digit code that card networks use, such as 410.
func (c Currency) Numeric() string { return c.numeric }

// Exponent is the number of decimal digits of the minor unit: 0 for KRW, 2 for USD, 3 for BHD.
func (c Currency) Exponent() int { return int(c.exponent) }

func (c Currency) String() string { return c.code }

//go:embed iso4217.csv
var iso4217 string

var byCode = table(iso4217)

func table(csv string) map[string]Currency {
	m := map[string]Currency{}
	for line := range strings.Lines(csv) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) != 3 || f[0] == "code" {
			continue
		}
		e, err := strconv.ParseUint(f[2], 10, 8)
		if err != nil || len(f[0]) != 3 || len(f[1]) != 3 {
			panic("money: the embedded currency table is broken at " + f[0])
		}
		m[f[0]] = Currency{f[0], f[1], uint8(e)}
	}
	return m
}

// Lookup finds a currency by its three-letter code, upper case.
func Lookup(code string) (Currency, bool) {
	c, ok := byCode[code]
	return c, ok
}

// Of is Lookup for codes that stand in our own code or in a database that only we write; it panics where the code is unknown.
func Of(code string) Currency {
	c, ok := byCode[code]
	if !ok {
		panic("money: no such currency: " + code)
	}
	return c
}

// Amount is a number of minor units of one currency.
type Amount struct {
	minor    int64
	currency Currency
}

// New makes an amount from whole minor units: New(12900, KRW) is 12 900 won, New(1230, USD) is 12.30 dollars.
func New(minor int64, c Currency) Amount { return Amount{minor, c} }

// ErrFraction says that an amount is finer than the minor unit of its currency.
var ErrFraction = errors.New("amount is finer than the currency's minor unit")

// ErrRange says that an amount does not fit.
var ErrRange = errors.New("amount is out of range")

// FromMicros converts millionths of the currency unit, as the front-end protocols write money (gsp-core §8).
// It fails with ErrFraction where the currency has no such fraction.
func FromMicros(micros int64, c Currency) (Amount, error) {
	per := microsPerMinor(c)
	if micros%per != 0 {
		return Amount{}, ErrFraction
	}
	return Amount{micros / per, c}, nil
}

// Micros is the amount in millionths of the currency unit. It panics where that does not fit 64 bits; FromMicros never makes such an amount.
func (a Amount) Micros() int64 {
	per := microsPerMinor(a.currency)
	if a.minor > math.MaxInt64/per || a.minor < math.MinInt64/per {
		panic("money: amount does not fit in micros")
	}
	return a.minor * per
}

func microsPerMinor(c Currency) int64 {
	per := int64(1_000_000)
	for range c.exponent {
		per /= 10
	}
	return per
}

// Minor is the number of minor units.
func (a Amount) Minor() int64 { return a.minor }

// Currency is the currency of the amount.
func (a Amount) Currency() Currency { return a.currency }

// IsPositive reports whether the amount is more than nothing.
func (a Amount) IsPositive() bool { return a.minor > 0 }

// IsZero reports whether the amount is nothing.
func (a Amount) IsZero() bool { return a.minor == 0 }

// Plus is a + b; both must be of one currency.
func (a Amount) Plus(b Amount) Amount {
	a.same(b)
	return Amount{a.minor + b.minor, a.currency}
}

// Less is a - b; both must be of one currency. It may be less than nothing.
func (a Amount) Less(b Amount) Amount {
	a.same(b)
	return Amount{a.minor - b.minor, a.currency}
}

// Negated is -a.
func (a Amount) Negated() Amount { return Amount{-a.minor, a.currency} }

func (a Amount) same(b Amount) {
	if a.currency != b.currency {
		panic("money: " + a.currency.code + " and " + b.currency.code + " do not mix")
	}
}

// Exceeds reports whether a is more than b; both must be of one currency.
func (a Amount) Exceeds(b Amount) bool {
	a.same(b)
	return a.minor > b.minor
}

func (a Amount) String() string {
	if a.currency.exponent == 0 {
		return fmt.Sprintf("%d %s", a.minor, a.currency.code)
	}
	sign, m := "", a.minor
	if m < 0 {
		sign, m = "-", -m
	}
	per := int64(1)
	for range a.currency.exponent {
		per *= 10
	}
	return fmt.Sprintf("%s%d.%0*d %s", sign, m/per, int(a.currency.exponent), m%per, a.currency.code)
}
