package gsp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/fault"
)

func TestInt64(t *testing.T) {
	type request struct {
		N *Int64 `json:"n,omitzero"`
	}
	for in, want := range map[string]string{
		`{"n":5}`: `{"n":"5"}`, `{"n":"5"}`: `{"n":"5"}`, `{"n":-9223372036854775808}`: `{"n":"-9223372036854775808"}`,
		`{"n":"9223372036854775807"}`: `{"n":"9223372036854775807"}`, `{"n":null}`: `{}`, `{}`: `{}`, `{"n":0}`: `{"n":"0"}`,
	} {
		var r request
		if err := Decode([]byte(in), &r); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if got, err := Encode(r); err != nil || string(got) != want {
			t.Errorf("%s: got %s %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		`9223372036854775808`, `"-9223372036854775809"`,
		`"05"`, `"+5"`, `"-0"`, `-0`, `5.0`, `5e0`, `""`, `" 5"`, `"0x5"`, `true`, `[]`, `{}`,
	} {
		var r request
		kind, public := fault.Of(Decode([]byte(`{"n":`+in+`}`), &r))
		if kind != fault.Invalid || public != "n has a type or a value that is not supported" {
			t.Errorf("%s: %v %q", in, kind, public)
		}
	}
}

func TestTimestamps(t *testing.T) {
	at := time.Date(2010, 8, 14, 16, 30, 0, 0, time.UTC) // gsp-core §8
	if Millis(at) != 1281803400000 || Millis(at).Time() != at {
		t.Errorf("got %d, %v", Millis(at), Millis(at).Time())
	}
	n := Millis(at)
	if got, err := Encode(struct{ T TimestampB }{TimestampB{&n}}); err != nil || string(got) != `{"T":{"epochMillis":"1281803400000"}}` {
		t.Errorf("got %s %v", got, err)
	}
}

// Errors name the member by its path, and never repeat what the caller wrote.
func TestDecodeNamesTheMember(t *testing.T) {
	var r struct {
		Card struct {
			Number *string          `json:"number"`
			Lines  []string         `json:"lines"`
			Any    map[string]Int64 `json:"any"`
			Empty  *Empty           `json:"empty"`
		} `json:"card"`
	}
	for in, want := range map[string]string{
		`{"card":{"number":4111111111111111}}`:                "card.number",
		`{"card":{"lines":["SECRET",5]}}`:                     "card.lines.1",
		`{"card":"SECRET"}`:                                   "card",
		`{"card":{"any":{"SECRET 4111":"x"}}}`:                "card.any.?",
		`{"card":{"empty":"SECRET"}}`:                         "card.empty",
		`{"card":{"empty":true}}`:                             "card.empty",
		`["SECRET"]`:                                          "the request",
		`{"card":{"empty":{"grows":"later"},"number":false}}`: "card.number",
	} {
		err := Decode([]byte(in), &r)
		kind, public := fault.Of(err)
		if kind != fault.Invalid || public != want+" has a type or a value that is not supported" || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v %v", in, kind, err)
		}
	}
}

func TestUnions(t *testing.T) {
	for _, c := range []struct {
		err  error
		want fault.Kind
		text string
	}{
		{ExactlyOne("u", false, false), fault.Missing, "u is required"},
		{ExactlyOne("u", true, true), fault.Invalid, "u has more than one of its members"},
		{AtMostOne("u", true, false, true), fault.Invalid, "u has more than one of its members"},
		{Required("f", false), fault.Missing, "f is required"},
		{First(nil, Missing("a"), Missing("b")), fault.Missing, "a is required"},
	} {
		if kind, text := fault.Of(c.err); kind != c.want || text != c.text {
			t.Errorf("got %v %q, want %v %q", kind, text, c.want, c.text)
		}
	}
	if err := First(ExactlyOne("u", false, true), AtMostOne("u"), AtMostOne("u", false, true), Required("f", true)); err != nil {
		t.Error(err)
	}
}

// Every kind has its row, and the rows say what gsp-core §5.3 says.
func TestEveryKindHasARow(t *testing.T) {
	for k := fault.Internal; k <= fault.TooMany; k++ {
		row := answers[k]
		if row.status == 0 || (row.a == "") != (row.b == "") {
			t.Errorf("kind %d: %+v", k, row)
		}
		words := strings.Split(strings.ToLower(row.a), "_")
		for i := range words[1:] {
			words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
		}
		if got := strings.Join(words, ""); got != row.b {
			t.Errorf("kind %d: %s and %s are not the same code", k, row.a, row.b)
		}
	}
}

func TestMembersOf(t *testing.T) {
	type inner struct {
		Deep string `json:"deep"`
	}
	type outer struct {
		inner
		Named   string `json:"named,omitzero"`
		Plain   string
		Dropped string `json:"-"`
		hidden  string
	}
	m := Handle[outer]("m", nil)
	if want := []string{"deep", "named", "Plain"}; !slices.Equal(m.members, want) {
		t.Errorf("got %v, want %v", m.members, want)
	}
	_ = outer{}.hidden
}

func TestSource(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:99": "192.0.2.1/32", "[::ffff:192.0.2.1]:99": "192.0.2.1/32", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5": "fe80::/64", "": "invalid Prefix", "pipe": "invalid Prefix",
	} {
		if got := source(remote).String(); got != want {
			t.Errorf("%s: got %s, want %s", remote, got, want)
		}
	}
}

// However many sources fail, what we remember of them is bounded.
func TestStrangersAreForgotten(t *testing.T) {
	s := strangers{perSecond: 1, failures: map[netip.Prefix]int{}}
	now := time.Unix(1, 0)
	for i := range maxSources + 10 {
		s.failed(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), now)
	}
	if len(s.failures) != maxSources {
		t.Errorf("%d sources remembered", len(s.failures))
	}
}
