package gsp

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"naru/core/card"
)

// Secret is a member that must never be seen: only this package's own JSON writes it, and the envelope seals that.
// Printing it with any verb yields a mask; the standard library's encoders refuse it.
type Secret struct{ card.Secret }

// Format implements fmt.Formatter: a mask, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSONTo writes the text.
func (s Secret) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteToken(jsontext.String(s.Reveal()))
}

var errNoText = errors.New("not a string")

// UnmarshalJSONFrom reads a string; its errors quote nothing.
func (s *Secret) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil || v.Kind() != '"' {
		return errNoText
	}
	s.Secret = card.Conceal(text(v))
	return nil
}
