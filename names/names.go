// Package names compares the name that a payer was expected to have with the one that a Korean bank reports (rails §3.7).
//
// Banks cut names at a number of bytes of their own character set, and people type what they like into a transfer form. So what is equal is
// decided by rule, and nothing ever matches by being similar.
package names

import (
	"strings"
	"unicode"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// marks say that a name is a company's, and how; they are left out by one bank and written by another.
var marks = []string{"주식회사", "유한회사", "(주)", "(유)", "(사)", "(재)"}

// dropped are the signs that a name may be written with or without.
const dropped = "()[]{}.,-_/*·"

// Normal is a name without what does not count: width, spaces, punctuation, case and the marks of companies.
func Normal(name string) string {
	s := strings.ReplaceAll(norm.NFC.String(name), "㈜", "(주)")
	s = norm.NFC.String(width.Fold.String(s))
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
	for _, m := range marks {
		s = strings.ReplaceAll(s, m, "")
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(dropped, r) {
			return -1
		}
		return r
	}, s)
}

// cuts are the lengths at which banks cut a name, in bytes of CP949.
var cuts = []int{16, 14, 20}

// Agree reports whether a received name is the expected one: equal, or equal to what a bank leaves of it. A shorter beginning is another name.
func Agree(expected, received string) bool {
	want, got := Normal(expected), Normal(strings.TrimRight(received, "\ufffd")) // a bank may cut inside a character
	if got == "" || !strings.HasPrefix(want, got) {                              // whatever a bank cuts, the beginning stays
		return false
	}
	if want == got {
		return true
	}
	for _, n := range cuts {
		if got == Normal(cut(expected, n)) || got == cut(want, n) {
			return true
		}
	}
	return false
}

// cut is what n bytes of CP949 hold of a text; a character that does not fit whole is left out.
func cut(text string, n int) string {
	size := 0
	for i, r := range text {
		b, err := encoding.ReplaceUnsupported(korean.EUCKR.NewEncoder()).String(string(r))
		if err != nil {
			b = "?"
		}
		if size += len(b); size > n {
			return text[:i]
		}
	}
	return text
}

// Start is how the normal form of a name begins: what agrees has the same start, however a bank has cut it. Fourteen bytes hold no more than two
// syllables behind the longest mark of a company.
func Start(name string) string {
	r := []rune(Normal(strings.TrimRight(name, "\ufffd")))
	return string(r[:min(2, len(r))])
}

// Words are the words of a text in upper case, as codes are looked for in them: whole, or not at all.
func Words(text string) []string {
	return strings.FieldsFunc(strings.ToUpper(norm.NFC.String(width.Fold.String(text))), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
