package gsp

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Int64 is a 64-bit integer on the wire: read from a string or a number, always written as a string (gsp-core §8).
type Int64 int64

var errInt64 = errors.New("not a 64-bit integer")

// parseInt64 takes the one way to write each integer: no plus, no leading zeros, no fraction, no exponent.
func parseInt64(text string) (int64, error) {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(v, 10) != text {
		return 0, errInt64
	}
	return v, nil
}

// UnmarshalJSONFrom accepts a string or a number; null leaves zero.
func (n *Int64) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	if v.Kind() == 'n' {
		*n = 0
		return nil
	}
	i, err := parseInt64(text(v))
	*n = Int64(i)
	return err
}

// MarshalJSONTo writes a string.
func (n Int64) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(strconv.FormatInt(int64(n), 10)))
}

// TimestampA is generation A's time: milliseconds since the epoch.
type TimestampA = Int64

// TimestampB is generation B's time: an object around milliseconds since the epoch.
type TimestampB struct {
	EpochMillis *Int64 `json:"epochMillis,omitzero"` // required
}

// Millis is a time as generation A writes it.
func Millis(t time.Time) TimestampA { return Int64(t.UnixMilli()) }

// Time is the moment that n milliseconds since the epoch name, in UTC.
func (n Int64) Time() time.Time { return time.UnixMilli(int64(n)).UTC() }

// Version is a protocol version. Only Major is ever compared (gsp-core §3.3); generation B has nothing else.
type Version struct {
	Major    int `json:"major"`
	Minor    int `json:"minor,omitzero"`
	Revision int `json:"revision,omitzero"`
}

// Empty is a union member that says everything by being there.
type Empty struct{}

// Decode reads a JSON object into a wire type. Members the type does not know are ignored; a member of the wrong type is Invalid and
// named, its value never. Null is absence.
func Decode(plain []byte, into any) error {
	err := json.Unmarshal(plain, into)
	if err == nil {
		return nil
	}
	if e := (*json.SemanticError)(nil); errors.As(err, &e) {
		return Invalid(fieldPath(e.JSONPointer), "has a type or a value that is not supported")
	}
	return errSyntax
}

// fieldPath is a JSON pointer as our faults write paths. A name that no sheet could hold comes from the caller and is not repeated.
func fieldPath(p jsontext.Pointer) string {
	var path []string
	for name := range p.Tokens() {
		if len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			name = "?"
		}
		path = append(path, name)
	}
	if path == nil {
		return "the request"
	}
	return strings.Join(path, ".")
}

// Encode writes the members of a response, without its header, as a JSON object.
func Encode(response any) ([]byte, error) { return json.Marshal(response, json.Deterministic(true)) }

// First is the first of several checks that failed, in the order of the sheet.
func First(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

// Required is Missing unless the member is present.
func Required(field string, present bool) error {
	if !present {
		return Missing(field)
	}
	return nil
}

// ExactlyOne checks a required union: with no member it is Missing, with several Invalid.
func ExactlyOne(union string, present ...bool) error {
	if count(present) == 0 {
		return Missing(union)
	}
	return AtMostOne(union, present...)
}

// AtMostOne checks an optional union: with several members it is Invalid.
func AtMostOne(union string, present ...bool) error {
	if count(present) > 1 {
		return Invalid(union, "has more than one of its members")
	}
	return nil
}

func count(present []bool) (n int) {
	for _, p := range present {
		if p {
			n++
		}
	}
	return n
}

// within reports whether a time in milliseconds is inside the window around now, its ends included (gsp-core §3.1).
func within(millis int64, now time.Time, window time.Duration) bool {
	at := now.UnixMilli()
	return millis >= at-window.Milliseconds() && millis <= at+window.Milliseconds()
}
