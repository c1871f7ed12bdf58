// Package card holds what is secret about a card as values that cannot print, marshal or log themselves (design: card data).
// The only way to a digit is a method whose name says so, so that every use can be found.
package card

import (
	"errors"
	"fmt"
	"log/slog"
)

// Secret is text that must never be seen: printing, formatting, logging or marshalling it yields a mask or an error.
// The text stands behind a pointer, because fmt cannot call the methods of a field it may not see, and would print a string.
type Secret struct{ text *string }

// Conceal wraps a secret text.
func Conceal(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal is the text itself. Call it only where the text leaves for the network that asked for it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.text == nil }

// Len is the length of the text in bytes.
func (s Secret) Len() int { return len(s.Reveal()) }

const mask = "***"

// Format masks under every verb, the wrong ones too.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

func (Secret) String() string       { return mask }
func (Secret) GoString() string     { return mask }
func (Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// ErrSecret is what every attempt to marshal a secret fails with.
var ErrSecret = errors.New("card data does not marshal")

func (Secret) MarshalText() ([]byte, error)   { return nil, ErrSecret }
func (Secret) MarshalJSON() ([]byte, error)   { return nil, ErrSecret }
func (Secret) MarshalBinary() ([]byte, error) { return nil, ErrSecret }
func (Secret) GobEncode() ([]byte, error)     { return nil, ErrSecret }

// PAN is a primary account number: 13 to 19 digits.
type PAN struct{ Secret }

// ErrPAN says that a text cannot be an account number at all (design §3.11: such a request is malformed, not declined).
var ErrPAN = errors.New("an account number has 13 to 19 digits")

// ParsePAN accepts 13 to 19 digits. Whether the check digit fits is Luhn's question.
func ParsePAN(text string) (PAN, error) {
	if len(text) < 13 || len(text) > 19 || !digits(text) {
		return PAN{}, ErrPAN
	}
	return PAN{Conceal(text)}, nil
}

// Masked shows the first six and last four digits at most, as card rules allow.
func (p PAN) Masked() string {
	t := p.Reveal()
	if len(t) < 13 {
		return mask
	}
	return t[:6] + "******" + t[len(t)-4:]
}

// Format shows the masked number under every verb.
func (p PAN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.Masked())) }

func (p PAN) String() string       { return p.Masked() }
func (p PAN) GoString() string     { return p.Masked() }
func (p PAN) LogValue() slog.Value { return slog.StringValue(p.Masked()) }

// Luhn reports whether the check digit fits.
func (p PAN) Luhn() bool { return Luhn(p.Reveal()) }

// Luhn reports whether a text of digits ends in the check digit of ISO/IEC 7812-1.
func Luhn(text string) bool {
	sum, double := 0, false
	for i := len(text) - 1; i >= 0; i-- {
		d := int(text[i] - '0')
		if d < 0 || d > 9 {
			return false
		}
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return len(text) > 0 && sum%10 == 0
}

// Expiry is the month a card is good through. Year and Month are 0 where none was given.
type Expiry struct{ Year, Month int }

// IsZero reports whether no expiry was given.
func (e Expiry) IsZero() bool { return e == Expiry{} }

func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
