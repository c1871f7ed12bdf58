package card_test

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	strict "github.com/go-json-experiment/json"

	. "naru/core/card"
)

const number = "9999123456789017"

// holder carries secrets as our own values do: by value, by reference, nested, in lists and maps, and in members that nobody exported.
type holder struct {
	PAN     PAN
	CVN     Secret
	Pointer *PAN
	List    []PAN
	Map     map[string]Secret
	Any     any
	hidden  PAN
	quiet   Secret
}

func secrets(t *testing.T) map[string]any {
	p, err := ParsePAN(number)
	if err != nil {
		t.Fatal(err)
	}
	s := Conceal(number)
	h := holder{p, s, &p, []PAN{p}, map[string]Secret{"x": s}, p, p, s}
	return map[string]any{"pan": p, "secret": s, "pan pointer": &p, "secret pointer": &s, "holder": h, "holder pointer": &h, "list": []PAN{p}}
}

// leaks reports whether a text shows more of the number than its first six and last four digits.
func leaks(text string) bool {
	hex := fmt.Sprintf("%x", number[6:12])
	return strings.Contains(text, number[6:12]) || strings.Contains(strings.ToLower(text), hex)
}

func TestSecretsDoNotPrint(t *testing.T) {
	for name, v := range secrets(t) {
		for _, verb := range []string{
			"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%o", "%b", "%e", "%20s",
			"%-30q", "%.16s", "%+q", "% x",
		} {
			if got := fmt.Sprintf(verb, v); leaks(got) {
				t.Errorf("%s with %s: %s", name, verb, got)
			}
		}
		if got := fmt.Sprint(v) + fmt.Sprintln(v); leaks(got) {
			t.Errorf("%s: %s", name, got)
		}
		if err := fmt.Errorf("bad card %v: %w", v, errors.New("x")); leaks(err.Error()) {
			t.Errorf("%s in an error: %v", name, err)
		}
	}
}

func TestSecretsDoNotLog(t *testing.T) {
	for name, v := range secrets(t) {
		var b bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
			slog.New(h).With("before", v).WithGroup("g").Info("m", "k", v, slog.Any("list", []any{v}), slog.Group("in", "k", v))
		}
		if leaks(b.String()) {
			t.Errorf("%s: %s", name, b.String())
		}
	}
}

func TestSecretsDoNotMarshal(t *testing.T) {
	p, _ := ParsePAN(number)
	for name, v := range map[string]any{"pan": p, "secret": Conceal(number), "pan pointer": &p, "in a struct": struct{ PAN PAN }{p}} {
		for codec, marshal := range map[string]func(any) ([]byte, error){
			"json": json.Marshal, "strict json": func(v any) ([]byte, error) { return strict.Marshal(v) }, "xml": xml.Marshal,
			"gob": func(v any) ([]byte, error) { var b bytes.Buffer; return b.Bytes(), gob.NewEncoder(&b).Encode(v) },
		} {
			if out, err := marshal(v); err == nil || leaks(string(out)) || leaks(err.Error()) {
				t.Errorf("%s as %s: %s, %v", name, codec, out, err)
			}
		}
	}
	if _, err := json.Marshal(map[PAN]int{p: 1}); err == nil {
		t.Error("a number became a member's name")
	}
	for _, v := range []any{p, Conceal(number)} {
		if _, err := v.(encoding.TextMarshaler).MarshalText(); !errors.Is(err, ErrSecret) {
			t.Error(err)
		}
		if _, err := v.(encoding.BinaryMarshaler).MarshalBinary(); !errors.Is(err, ErrSecret) {
			t.Error(err)
		}
	}
}

func TestMasked(t *testing.T) {
	p, _ := ParsePAN(number)
	for _, got := range []string{p.Masked(), p.String(), p.GoString(), p.LogValue().String(), fmt.Sprint(p), fmt.Sprint(&p)} {
		if got != "999912******9017" {
			t.Error(got)
		}
	}
	if got := (PAN{}).Masked(); got != "***" {
		t.Error(got)
	}
	if got := fmt.Sprint(Conceal("123")); got != "***" {
		t.Error(got)
	}
}

func TestRevealIsTheOnlyWay(t *testing.T) {
	s := Conceal(number)
	if s.Reveal() != number || s.Len() != 16 || s.IsZero() {
		t.Error("a secret lost its text")
	}
	if none := (Secret{}); !none.IsZero() || none.Reveal() != "" || none.Len() != 0 || !Conceal("").IsZero() {
		t.Error("no secret is not nothing")
	}
}

// Design §3.11: what is not 13 to 19 digits is malformed; a wrong check digit is a decline.
func TestParsePAN(t *testing.T) {
	for text, ok := range map[string]bool{
		"9999990000000006": true, "9999990000000007": true, "4222222222222": true, "6304000000000000000": true,
		"": false, "422222222222": false, "63040000000000000000": false, "4111 1111 1111 1111": false, "4111-1111-1111-1111": false,
		"４１１１１１１１１１１１１１１１": false, "411111111111111x": false, "+411111111111111": false,
	} {
		p, err := ParsePAN(text)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && (!errors.Is(err, ErrPAN) || !p.IsZero() || text != "" && strings.Contains(err.Error(), text)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Check digits of ISO/IEC 7812-1, with the networks' public test numbers.
func TestLuhn(t *testing.T) {
	for text, ok := range map[string]bool{
		"4111111111111111": true, "5555555555554444": true, "378282246310005": true, "6011111111111117": true, "3530111333300000": true,
		"30569309025904": true, "79927398713": true, "0": true,
		"4111111111111112": false, "1411111111111111": false, "79927398710": false, "": false, "411111111111111x": false, "１": false,
	} {
		if Luhn(text) != ok {
			t.Errorf("%q: %v", text, !ok)
		}
	}
	if p, _ := ParsePAN("4111111111111112"); p.Luhn() {
		t.Error("a wrong check digit fits")
	}
}

func TestExpiry(t *testing.T) {
	if !(Expiry{}).IsZero() || (Expiry{2030, 1}).IsZero() || (Expiry{0, 1}).IsZero() {
		t.Error("an expiry is zero where none was given")
	}
}
