package sim

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"naru/rail/iso8583"
)

func readAll(f framing, raw []byte) (frame, error) {
	return f.read(bufio.NewReader(bytes.NewReader(raw)))
}

// FuzzTake sends any body to a host that is signed on: it answers nothing, or a message of its own dialect, function + 1.
func FuzzTake(f *testing.F) {
	for _, m := range []elements{auth(numbered(0)), reversal(auth(numbered(0))), {0: "0800", 7: "1122031500", 11: "000001", 70: "301"}} {
		p, err := iso8583.LoadProfile(iso8583.DefaultProfile)
		if err != nil {
			f.Fatal(err)
		}
		body, err := encode(p.Spec(), m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := start(t)
		c := &conn{host: b.host, id: 1, signedOn: true}
		asked, _ := decode(b.host.spec, body)
		for _, d := range b.host.take(c, frame{body: body}) {
			if d.bytes == nil {
				continue // it could not be said in this dialect
			}
			got, err := decode(b.host.spec, d.body)
			if err != nil {
				t.Fatalf("the answer cannot be read: %v", err)
			}
			if got[0] != asked.answerMTI() || got[39] == "" || got[11] != asked[11] {
				t.Fatalf("%v answers %v", got, asked)
			}
		}
	})
}

func TestTags(t *testing.T) {
	want := map[string]string{"IN": "00", "MR": "A", "XX": ""}
	for _, width := range []int{2, 3} {
		got, err := tags(private(want, width), width)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, %v", got, err)
		}
	}
	for _, broken := range []string{"I", "IN0", "IN02", "IN020", "INxx00", "IN0200IN0200", "IN-1"} {
		if got, err := tags(broken, 2); err == nil {
			t.Errorf("%q was read as %v", broken, got)
		}
	}
}

func TestMasked(t *testing.T) {
	for pan, want := range map[string]string{
		"9999990000000006": "999999******0006", "4222222222222": "422222***2222", "42424242": "********", "": "",
	} {
		if got := masked(pan); got != want {
			t.Errorf("%q is shown as %q", pan, got)
		}
	}
}

// TestCardsOfTheDocumentation reads the package comment: every card in it is real to the host, and every rule is one it takes.
func TestCardsOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	b := start(t)
	found := map[string]bool{}
	for _, pan := range regexp.MustCompile(`\b[0-9]{15,16}\b`).FindAllString(string(text), -1) {
		found[pan] = true
		if card, code := b.host.book.lookup(pan); card == nil && pan != numbered(14) {
			t.Errorf("%s gets %s", masked(pan), code)
		}
	}
	for n := range special {
		if !found[numbered(n)] {
			t.Errorf("card %d is not documented", n)
		}
	}
	rules := regexp.MustCompile(`(?m)^//\t(\{"action".*?\})(  .*)?$`).FindAllStringSubmatch(string(text), -1)
	for _, rule := range rules {
		b.rule(rule[1])
	}
	if len(rules) < 5 {
		t.Errorf("%d rules in the package comment", len(rules))
	}
	for name := range actions {
		if !regexp.MustCompile(`\s` + name + `\b`).Match(text) {
			t.Errorf("action %s is not documented", name)
		}
	}
	for pan, card := range b.host.book.cards {
		if !luhn(pan) || card.issuer.prefix == "" || strings.HasPrefix(pan, ordinaryRange) {
			t.Errorf("%s is no card", masked(pan))
		}
	}
}
