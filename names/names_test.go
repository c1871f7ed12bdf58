package names_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/unicode/norm"

	"naru/names"
)

// The rows of rails §3.7.
func TestNormal(t *testing.T) {
	for name, row := range map[string]struct{ in, want string }{
		"NFC":                   {norm.NFD.String("홍길동"), "홍길동"},
		"full width":            {"ＡＢＣ１２３", "ABC123"},
		"half-width syllables":  {"ﾡ", "ㄱ"},
		"full-width blank":      {"홍　길동", "홍길동"},
		"spaces":                {" 홍\t길 동\n", "홍길동"},
		"punctuation":           {"a(b)[c]{d}.,-_/*·e", "ABCDE"},
		"full-width marks":      {"（주）나루", "나루"},
		"upper case":            {"Kim Min-ji", "KIMMINJI"},
		"company, short":        {"(주)나루", "나루"},
		"company, behind":       {"나루(주)", "나루"},
		"company, one sign":     {"㈜나루", "나루"},
		"company, in words":     {"주식회사 나루", "나루"},
		"limited, short":        {"(유)나루", "나루"},
		"limited, in words":     {"나루 유한회사", "나루"},
		"association":           {"(사)나루", "나루"},
		"foundation":            {"(재)나루", "나루"},
		"mark with blanks":      {"( 주 ) 나루", "나루"},
		"no mark of a company":  {"주나루", "주나루"},
		"signs that are kept":   {"A&B+C", "A&B+C"},
		"nothing but a company": {"(주)", ""},
		"nothing":               {"", ""},
	} {
		if got := names.Normal(row.in); got != row.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// bank is what a bank leaves of a name that has room for n bytes of CP949.
func bank(t *testing.T, name string, n int) string {
	t.Helper()
	b, err := korean.EUCKR.NewEncoder().String(name)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := korean.EUCKR.NewDecoder().String(b[:min(n, len(b))])
	if err != nil {
		t.Fatal(err)
	}
	return cut
}

const long = "주식회사 가나다라마바사아자차카타파하" // 4 + 1 + 14 characters

func TestAgree(t *testing.T) {
	for name, row := range map[string]struct {
		expected, received string
		want               bool
	}{
		"equal":                   {"홍길동", "홍길동", true},
		"decomposed":              {"홍길동", norm.NFD.String("홍길동"), true},
		"spaced":                  {"홍길동", "홍 길 동", true},
		"case":                    {"Kim Minji", "KIM MINJI", true},
		"company":                 {"주식회사 나루", "(주)나루", true},
		"one sign":                {"㈜나루", "나루", true},
		"14 bytes":                {long, bank(t, long, 14), true},
		"16 bytes":                {long, bank(t, long, 16), true},
		"20 bytes":                {long, bank(t, long, 20), true},
		"14 without the mark":     {long, "가나다라마바사", true},
		"16 without the mark":     {long, "가나다라마바사아", true},
		"20 without the mark":     {long, "가나다라마바사아자차", true},
		"14 in Latin letters":     {"Alexander Hamilton", bank(t, "Alexander Hamilton", 14), true},
		"cut inside a character":  {"A가나다라마바사아", bank(t, "A가나다라마바사아", 14), true},
		"15 bytes":                {"abcdefghijklmnopqrst", "abcdefghijklmno", false},
		"18 bytes":                {long, "가나다라마바사아자", false},
		"12 bytes":                {long, "가나다라마바", false},
		"shorter":                 {"홍길동", "홍길", false},
		"longer":                  {"홍길동", "홍길동수", false},
		"another":                 {"홍길동", "김철수", false},
		"similar":                 {"홍길동", "홍길둥", false},
		"same sound":              {"Lee", "Rhee", false},
		"nobody expected":         {"", "홍길동", false},
		"nobody received":         {"홍길동", "", false},
		"nobody at all":           {"", "", false},
		"only a mark":             {"(주)", "(주)", false},
		"the received one longer": {"가나다라마바사", long, false},
	} {
		if got := names.Agree(row.expected, row.received); got != row.want {
			t.Errorf("%s: %q and %q: %t", name, row.expected, row.received, got)
		}
		if row.want && names.Start(row.expected) != names.Start(row.received) { // or it would never be found
			t.Errorf("%s: they start with %q and %q", name, names.Start(row.expected), names.Start(row.received))
		}
	}
	for name, start := range map[string]string{"": "", "(주)": "", "홍": "홍", "홍길동": "홍길", "주식회사 나루페이": "나루"} {
		if got := names.Start(name); got != start {
			t.Errorf("%q starts with %q", name, got)
		}
	}
}

// A code is looked for as a whole word.
func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"홍길동 AB23CD":      "홍길동 AB23CD",
		"홍길동(ab23cd)":     "홍길동 AB23CD",
		"ＡＢ２３ＣＤ":          "AB23CD",
		"AB23CDX":         "AB23CDX",
		"no. AB23CD/홍길동 ": "NO AB23CD 홍길동",
		"":                "",
	} {
		if got := names.Words(text); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q", text, got)
		}
	}
}
