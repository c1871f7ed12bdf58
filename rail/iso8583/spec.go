package iso8583

import (
	"strconv"
	"strings"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
)

// elements is rails §1.4: kind and length of every data element of the 1987 edition. n digits, an and ans text, x+n a sign
// letter and digits, z track data, b bytes; ".." a variable length, its prefix two digits up to 99 and three above.
var elements = [129]string{
	0: "n4", 2: "n..19", 3: "n6", 4: "n12", 5: "n12", 6: "n12", 7: "n10", 8: "n8", 9: "n8", 10: "n8", 11: "n6", 12: "n6", 13: "n4",
	14: "n4", 15: "n4", 16: "n4", 17: "n4", 18: "n4", 19: "n3", 20: "n3", 21: "n3", 22: "n3", 23: "n3", 24: "n3", 25: "n2",
	26: "n2", 27: "n1", 28: "x+n9", 29: "x+n9", 30: "x+n9", 31: "x+n9", 32: "n..11", 33: "n..11", 34: "ns..28", 35: "z..37",
	36: "z..104", 37: "an12", 38: "an6", 39: "an2", 40: "an3", 41: "ans8", 42: "ans15", 43: "ans40", 44: "ans..25", 45: "ans..76",
	46: "ans..999", 47: "ans..999", 48: "ans..999", 49: "n3", 50: "n3", 51: "n3", 52: "b8", 53: "n16", 54: "an..120", 55: "b..255",
	56: "ans..999", 57: "ans..999", 58: "ans..999", 59: "ans..999", 60: "ans..999", 61: "ans..999", 62: "ans..999", 63: "ans..999",
	64: "b8", 65: "b8", 66: "n1", 67: "n2", 68: "n3", 69: "n3", 70: "n3", 71: "n4", 72: "n4", 73: "n6",
	74: "n10", 75: "n10", 76: "n10", 77: "n10", 78: "n10", 79: "n10", 80: "n10", 81: "n10", 82: "n12", 83: "n12", 84: "n12", 85: "n12",
	86: "n16", 87: "n16", 88: "n16", 89: "n16", 90: "n42", 91: "an1", 92: "an2", 93: "an5", 94: "an7", 95: "an42", 96: "b8",
	97: "x+n17", 98: "ans25", 99: "n..11", 100: "n..11", 101: "ans..17", 102: "ans..28", 103: "ans..28", 104: "ans..100",
	105: "ans..999", 106: "ans..999", 107: "ans..999", 108: "ans..999", 109: "ans..999", 110: "ans..999", 111: "ans..999",
	112: "ans..999", 113: "ans..999", 114: "ans..999", 115: "ans..999", 116: "ans..999", 117: "ans..999", 118: "ans..999",
	119: "ans..999", 120: "ans..999", 121: "ans..999", 122: "ans..999", 123: "ans..999", 124: "ans..999", 125: "ans..999",
	126: "ans..999", 127: "ans..999", 128: "b8",
}

// element is one row of the table, taken apart.
type element struct {
	kind     string // n, an, ans, ns, z, x+n, b
	length   int
	variable bool
}

func elementOf(de int) element { return takenApart[de] }

var takenApart = func() (all [len(elements)]element) {
	for de, row := range elements {
		if row == "" {
			continue
		}
		at := strings.IndexAny(row, ".0123456789")
		digits := strings.TrimPrefix(row[at:], "..")
		length, err := strconv.Atoi(digits)
		if err != nil {
			panic("iso8583: the element table is broken at DE" + strconv.Itoa(de))
		}
		all[de] = element{kind: row[:at], length: length, variable: digits != row[at:]}
	}
	return all
}()

// Spec is the message format of this profile: all text without padding, so that nothing is stripped when read and the full
// width comes from our code (rails §1.17 L1); all of 2..128 defined, so that no host can fail us with an unknown element (L2).
func (p Profile) Spec() *moov.MessageSpec {
	prefixes := map[string]prefix.Prefixers{"ascii": prefix.ASCII, "bcd": prefix.BCD}[p.LengthPrefixEncoding]
	fields := make(map[int]field.Field, len(elements))
	for de := range elements {
		if de == 1 {
			continue
		}
		e := elementOf(de)
		s := &field.Spec{Length: e.length, Description: "DE" + strconv.Itoa(de), Enc: encoding.ASCII, Pref: prefixes.Fixed}
		switch {
		case e.variable && e.length > 99:
			s.Pref = prefixes.LLL
		case e.variable:
			s.Pref = prefixes.LL
		}
		switch {
		case e.kind == "n" && p.NumericEncoding == "bcd":
			s.Enc = encoding.BCD
		case e.kind == "b", e.kind == "ans": // foreign bytes in a host's free text must not cost us the whole answer
			s.Enc = encoding.Binary
		}
		if e.kind == "b" {
			fields[de] = field.NewBinary(s)
		} else {
			fields[de] = field.NewString(s)
		}
	}
	bitmap := &field.Spec{Length: 8, Description: "bitmap", Enc: encoding.Binary, Pref: prefix.Binary.Fixed} // grows by itself (L3)
	if p.BitmapEncoding == "hex" {
		bitmap.Enc, bitmap.Pref = encoding.BytesToASCIIHex, prefix.Hex.Fixed
	}
	fields[1] = field.NewBitmap(bitmap)
	return &moov.MessageSpec{Name: p.Name, Fields: fields}
}
