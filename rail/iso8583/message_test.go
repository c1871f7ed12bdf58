package iso8583

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustProfile(t testing.TB, name string) Profile {
	t.Helper()
	p, err := LoadProfile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		raw, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = raw
	}
	return out
}

func message(mti string, de map[int]string) *Message { return &Message{mti, de} }

const (
	testPAN    = "9999990000000006"
	original03 = "010000012311220315001234567890100000000000"
	original11 = "020000012311220315001234567890100000000000"
)

// The elements of rails §1.18, in full; V11 to V14 are ours: a sale, its answer, its reversal and its refund.
var golden = map[string]*Message{
	"V1": message("0800", map[int]string{7: "1122031500", 11: "000001", 70: "301"}),
	"V2": message("0810", map[int]string{7: "1122031500", 11: "000001", 39: "00", 70: "301"}),
	"V3": message("0100", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122031500", 11: "000123", 12: "121500",
		13: "1122", 14: "2812", 18: "5816", 19: "410", 22: "812", 25: "59", 32: "12345678901", 37: "632612000123", 41: "PI000001",
		42: "PIMERCHANT00001", 43: "GOOGLE*TEST              SEOUL        KR", 48: "IN0203", 49: "410",
	}),
	"V4": message("0110", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122031500", 11: "000123", 32: "12345678901",
		37: "632612000123", 38: "A1B2C3", 39: "00", 41: "PI000001", 42: "PIMERCHANT00001", 49: "410",
	}),
	"V5": message("0420", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122031531", 11: "000124", 12: "121500",
		13: "1122", 32: "12345678901", 37: "632612000123", 41: "PI000001", 42: "PIMERCHANT00001", 49: "410", 60: "4021", 90: original03,
	}),
	"V6": message("0430", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122031531", 11: "000124", 32: "12345678901",
		37: "632612000123", 39: "00", 41: "PI000001", 42: "PIMERCHANT00001", 49: "410",
	}),
	"V7": message("0220", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122040000", 11: "000125", 12: "121500",
		13: "1122", 14: "2812", 18: "5816", 19: "410", 25: "59", 32: "12345678901", 37: "632612000123", 38: "A1B2C3", 41: "PI000001",
		42: "PIMERCHANT00001", 49: "410", 90: original03,
	}),
	"V8": message("0230", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122040000", 11: "000125", 32: "12345678901",
		37: "632612000123", 39: "00", 41: "PI000001", 42: "PIMERCHANT00001", 49: "410",
	}),
	"V9": message("0200", map[int]string{
		2: testPAN, 3: "200000", 4: "000000010000", 7: "1122040100", 11: "000126", 12: "130100",
		13: "1122", 14: "2812", 18: "5816", 19: "410", 22: "812", 25: "59", 32: "12345678901", 37: "632613000126", 41: "PI000001",
		42: "PIMERCHANT00001", 43: "GOOGLE*TEST              SEOUL        KR", 48: "OR12632612000123OD0820261122", 49: "410",
		90: "022000012511220400001234567890100000000000",
	}),
	"V10": message("0500", map[int]string{
		7: "1122150000", 11: "000200", 15: "1122", 50: "410", 74: "0000000001", 75: "0000000000",
		76: "0000000003", 77: "0000000001", 86: "0000000000010000", 87: "0000000000000000", 88: "0000000000030000",
		89: "0000000000010000", 97: "D0000000000010000", 99: "12345678901",
	}),
	"V11": message("0200", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122031500", 11: "000123", 12: "121500",
		13: "1122", 14: "2812", 18: "5816", 19: "410", 22: "812", 25: "59", 32: "12345678901", 37: "632612000123", 41: "PI000001",
		42: "PIMERCHANT00001", 43: "GOOGLE*TEST              SEOUL        KR", 48: "IN0200", 49: "410",
	}),
	"V12": message("0210", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122031500", 11: "000123", 15: "1122", 32: "12345678901",
		37: "632612000123", 38: "A1B2C3", 39: "00", 41: "PI000001", 42: "PIMERCHANT00001", 49: "410",
	}),
	"V13": message("0420", map[int]string{
		2: testPAN, 3: "000000", 4: "000000010000", 7: "1122031531", 11: "000124", 12: "121500", 13: "1122", 32: "12345678901",
		37: "632612000123", 38: "A1B2C3", 41: "PI000001", 42: "PIMERCHANT00001", 49: "410", 60: "4021", 90: original11,
	}),
	"V14": message("0200", map[int]string{
		2: testPAN, 3: "200000", 4: "000000010000", 7: "1122040100", 11: "000126", 12: "130100",
		13: "1122", 14: "2812", 18: "5816", 19: "410", 22: "812", 25: "59", 32: "12345678901", 37: "632613000126", 41: "PI000001",
		42: "PIMERCHANT00001", 43: "GOOGLE*TEST              SEOUL        KR", 48: "OR12632612000123OD0820261122", 49: "410",
		90: original11,
	}),
}

func TestGoldenVectors(t *testing.T) {
	spec, want := mustProfile(t, DefaultProfile).Spec(), vectors(t)
	if len(want) != len(golden) {
		t.Fatalf("%d vectors, %d messages", len(want), len(golden))
	}
	for name, m := range golden {
		raw, err := m.pack(spec)
		if err != nil || !bytes.Equal(raw, want[name]) {
			t.Errorf("%s packs to\n%x, %v; want\n%x", name, raw, err, want[name])
		}
		read, err := unpack(spec, want[name])
		if err != nil || !reflect.DeepEqual(read, m) {
			t.Errorf("%s reads as\n%v, %v; want\n%v", name, read, err, m)
		}
		if _, err := unpack(spec, append(bytes.Clone(want[name]), 'x')); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s with a byte too many: %v", name, err)
		}
		if _, err := unpack(spec, want[name][:len(want[name])-1]); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s with a byte too few: %v", name, err)
		}
	}
}

// Any message survives every encoding that a profile can choose.
func TestRoundTrip(t *testing.T) {
	def, alt, bcd := mustProfile(t, DefaultProfile), mustProfile(t, "pi87-alt"), mustProfile(t, DefaultProfile)
	bcd.NumericEncoding, bcd.LengthPrefixEncoding = "bcd", "bcd"
	rapid.Check(t, func(t *rapid.T) {
		m := anyMessage(t)
		for _, p := range []Profile{def, alt, bcd} {
			raw, err := m.pack(p.Spec())
			if err != nil {
				t.Fatal(err)
			}
			read, err := unpack(p.Spec(), raw)
			if err != nil || !reflect.DeepEqual(read, m) {
				t.Fatalf("%s: %v, %v; want %v", p.Name, read, err, m)
			}
		}
	})
}

func anyMessage(t *rapid.T) *Message {
	m := NewMessage(rapid.StringMatching(`0[1-8][0-9][0-9]`).Draw(t, "mti"))
	for range rapid.IntRange(0, 12).Draw(t, "elements") {
		de := rapid.IntRange(2, 128).Filter(func(de int) bool { return de != 65 }).Draw(t, "de")
		e, class := elementOf(de), "[ -~]"
		least := e.length
		if e.variable {
			least = 1
		}
		switch e.kind {
		case "n":
			class = "[0-9]"
		case "x+n":
			m.Set(de, rapid.StringMatching(fmt.Sprintf("[CD][0-9]{%d}", e.length-1)).Draw(t, "value"))
			continue
		case "b":
			m.Set(de, string(rapid.SliceOfN(rapid.Byte(), least, min(e.length, 40)).Draw(t, "bytes")))
			continue
		}
		m.Set(de, rapid.StringMatching(fmt.Sprintf("%s{%d,%d}", class, least, max(least, min(e.length, 60)))).Draw(t, "value"))
	}
	return m
}

func FuzzUnpack(f *testing.F) {
	for _, raw := range vectors(f) {
		f.Add(raw)
	}
	p, err := LoadProfile(DefaultProfile)
	if err != nil {
		f.Fatal(err)
	}
	spec := p.Spec()
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := unpack(spec, raw)
		if err != nil {
			return
		}
		again, err := m.pack(spec)
		var refused *FieldError
		if errors.As(err, &refused) {
			return // readable from a host, but nothing that we would send
		}
		if err != nil || !bytes.Equal(again, raw) && !strings.ContainsAny(string(raw), "+") {
			t.Fatalf("%x reads, but writes as %x, %v", raw, again, err)
		}
	})
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		de    int
		value string
	}{
		{2, "99999900000000061111"},
		{3, "00000"},
		{4, "1000"},
		{4, "00000000100O"},
		{39, "0"},
		{41, "PI1"},
		{43, strings.Repeat("김", 13) + "x"},
		{48, "IN02\x00\x00"},
		{65, "12345678"},
		{97, "X0000000000010000"},
		{129, "1"},
		{1, "12345678"},
		{70, "30a"},
	} {
		m := NewMessage("0100").Set(c.de, c.value)
		var at *FieldError
		if err := m.check(); !errors.As(err, &at) || at.DE != c.de {
			t.Errorf("DE%d of %d bytes: %v", c.de, len(c.value), err)
		} else if len(c.value) > 3 && strings.Contains(err.Error(), c.value) {
			t.Errorf("the error quotes DE%d", c.de)
		}
	}
}

// No way of printing a message, and no error about one, shows a secret (rails §5 I7).
func TestNothingLeaks(t *testing.T) {
	secret := map[int]string{
		2: "9999990000000014", 14: "2811", 20: "777", 34: "9999990000000022", 35: "9999990000000030=28122010",
		36: "0199999900000000480", 38: "ZZ9ZZ8", 43: "KIM HANEUL SECRET        SEOUL        KR", 44: "SECRET44", 45: "SECRET45",
		48: "CV03987PW0247BD06910417CN88" + strings.Repeat("Q", 88), 52: "PINBLOCK", 55: "SECRET55", 62: "SECRET62", 63: "SECRET63",
	}
	m := message("0100", secret).Clone().Set(3, "000000")
	var out bytes.Buffer
	line := slog.NewRecord(time.Time{}, slog.LevelInfo, "x", 0) // a time could hold any three digits
	line.Add("m", m, "wrapped", struct{ M *Message }{m})
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		if err := h.Handle(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, m)
		fmt.Fprintf(&out, verb, []*Message{m})
	}
	if _, err := json.Marshal(m); !errors.Is(err, errNoMarshal) {
		t.Errorf("marshals: %v", err)
	}
	spec := mustProfile(t, DefaultProfile).Spec()
	raw, err := m.pack(spec)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range raw { // every way to be garbled: errors must not quote what they choke on
		for _, b := range [][]byte{raw[:cut], raw[cut:], append(bytes.Clone(raw[:cut]), raw[min(cut+3, len(raw)):]...)} {
			if _, err := unpack(spec, b); err != nil {
				fmt.Fprintln(&out, err)
			}
		}
	}
	for de, value := range secret {
		for _, part := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value)} {
			if de != 14 && de != 20 && strings.Contains(out.String(), part) {
				t.Errorf("DE%d is visible", de)
			}
		}
	}
	for _, word := range []string{"=2811", "777", "987PW", "910417", "PW02", "9999"} {
		if strings.Contains(out.String(), word) {
			t.Errorf("%q is visible", word)
		}
	}
	// A PAN that a host put where harmless content belongs is not shown either.
	if s := message("0110", map[int]string{37: "9999990000000014"}).String(); strings.Contains(s, "9999990") {
		t.Errorf("shown: %s", s)
	}
}
