package gsp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// content is the canonical content of a document, or false.
func content(plain []byte, g Generation) (string, bool) {
	var ds documents
	d, err := ds.read(plain, g, nil)
	if err != nil {
		return "", false
	}
	return string(d.content), true
}

func TestCanonicalContent(t *testing.T) {
	for _, c := range []struct{ in, a, b string }{
		{`{}`, `{}`, `{}`},
		{` { "b" : [ 1 , true , null , {"z":null} ] , "a" : 5 } `, `{"a":"5","b":["1",true,null,{}]}`, ""},
		{`{"\u0061":"\u0041\/\n","n":null}`, `{"a":"A/\n"}`, ""},
		{`{"a":1.0,"b":1e3,"c":-0,"d":-7,"e":99999999999999999999}`, `{"a":1.0,"b":1e3,"c":"-0","d":"-7","e":"99999999999999999999"}`, ""},
		{
			`{"requestHeader":{"requestTimestamp":"1","requestId":"r","userLocale":"nl",` +
				`"protocolVersion":{"revision":3,"minor":2,"major":1},"x":1}}`,
			`{"requestHeader":{"protocolVersion":{"major":"1"},"requestId":"r","x":"1"}}`, "",
		},
		{`{"requestHeader":{"requestTimestamp":{"epochMillis":"1","x":{"y":2}}}}`, `{"requestHeader":{}}`, ""},
		// Only the header's own members are left out.
		{
			`{"requestTimestamp":1,"x":{"protocolVersion":{"minor":1},"requestHeader":{"userLocale":"nl"}}}`,
			`{"requestTimestamp":"1","x":{"protocolVersion":{"minor":"1"},"requestHeader":{"userLocale":"nl"}}}`, "",
		},
	} {
		if c.b == "" {
			c.b = c.a
		}
		for g, want := range map[Generation]string{A: c.a, B: c.b} {
			if got, ok := content([]byte(c.in), g); !ok || got != want {
				t.Errorf("%s\n got %s\nwant %s", c.in, got, want)
			}
		}
	}
}

// Working memory is used again: nothing of one request may be seen in the next.
func TestDocumentsForget(t *testing.T) {
	var ds documents
	d, _ := ds.read([]byte(`{"b":"SECRET","a":{"requestId":"x"},"requestHeader":{"requestId":"id"}}`), A, nil)
	memory, scratch := d.content, d.scratch
	ds.release(d)
	if bytes.Contains(memory[:cap(memory)], []byte("SECRET")) || bytes.Contains(scratch[:cap(scratch)], []byte("SECRET")) {
		t.Error("a secret is left behind")
	}
	for range 10 {
		d, err := ds.read([]byte(`{"a":1}`), A, nil)
		if err != nil || string(d.content) != `{"a":"1"}` || d.got[requestID].kind != 0 {
			t.Fatalf("%v %s %v", err, d.content, d.got)
		}
		ds.release(d)
	}
}

// value is a JSON value that a test can write in many ways.
func value(depth int) *rapid.Generator[any] {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "5", "-3", "a\"\\/\n", "é한", "<&>\u2028"}), rapid.StringMatching(`[a-z0-9]{0,6}`))
	scalars := []*rapid.Generator[any]{
		text.AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil),
		rapid.SampledFrom([]json.Number{"1.5", "1e9", "-2.50E-3"}).AsAny(),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	return rapid.OneOf(append(scalars,
		rapid.SliceOfN(value(depth-1), 0, 3).AsAny(),
		rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "B", "requestId", "é\n"}), value(depth-1), 0, 4).AsAny())...)
}

// write spells a value in one of the ways that mean the same.
func write(t *rapid.T, v any) string {
	space := func() string { return rapid.SampledFrom([]string{"", "", " ", "\n\t "}).Draw(t, "space") }
	quote := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			if r < 0x20 || r == '"' || r == '\\' || r < 0x10000 && rapid.Bool().Draw(t, "escape") {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
		return `"` + b.String() + `"`
	}
	switch v := v.(type) {
	case nil:
		return "null"
	case bool, json.Number:
		return fmt.Sprint(v)
	case int64:
		return rapid.SampledFrom([]string{fmt.Sprint(v), fmt.Sprintf(`"%d"`, v)}).Draw(t, "integer")
	case string:
		return quote(v)
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, space()+write(t, item)+space())
		}
		return "[" + strings.Join(items, ",") + space() + "]"
	case map[string]any:
		var members []string
		for _, name := range rapid.Permutation(slices.Sorted(maps.Keys(v))).Draw(t, "order") {
			members = append(members, space()+quote(name)+space()+":"+space()+write(t, v[name])+space())
		}
		if _, taken := v["none"]; !taken && rapid.Bool().Draw(t, "null member") {
			members = append(members, `"none":null`)
		}
		return "{" + strings.Join(members, ",") + space() + "}"
	}
	panic(fmt.Sprintf("%T", v))
}

// meaning is a value with everything removed that does not make two requests differ, by other means than the code under test.
func meaning(v any) any {
	switch v := v.(type) {
	case int64:
		return fmt.Sprint(v)
	case json.Number:
		return struct{ raw string }{string(v)}
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, meaning(item))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, item := range v {
			if item != nil {
				out[name] = meaning(item)
			}
		}
		return out
	}
	return v
}

// TestContentEqualsMeaning: spelled anew a request has the same content; with another meaning it has another.
func TestContentEqualsMeaning(t *testing.T) {
	object := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "amount", "é"}), value(2), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		one, two := any(object.Draw(t, "one")), any(object.Draw(t, "two"))
		first, ok1 := content([]byte(write(t, one)), A)
		again, ok2 := content([]byte(write(t, one)), A)
		other, ok3 := content([]byte(write(t, two)), A)
		if !ok1 || !ok2 || !ok3 {
			t.Fatal("refused")
		}
		if first != again {
			t.Fatalf("%s\n%s", first, again)
		}
		if same := fmt.Sprintf("%#v", meaning(one)) == fmt.Sprintf("%#v", meaning(two)); same != (first == other) {
			t.Fatalf("same meaning %v:\n%s\n%s", same, first, other)
		}
	})
}

// FuzzDocument: what is read is JSON to another parser too; its content is canonical, and stays what it is when read again.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"requestHeader":{"requestId":"a","requestTimestamp":"1","protocolVersion":{"major":1}},"amount":5}`,
		`{"a":[{"b":null},"\ud83d\ude00",1e5,-0]}`, `{"a":1,"a":2}`, `{"a":1}{}`, "\ufeff{}", `{"a":"\ud800"}`,
		"{\"a\":\"\xff\"}", `[1]`, `{"a":01}`,
		`{"requestHeader":[],"requestHeader":{}}`, strings.Repeat(`{"a":`, 70),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		for _, g := range []Generation{A, B} {
			first, ok := content(plain, g)
			if ok && !json.Valid(plain) {
				t.Fatalf("accepted %q", plain)
			}
			if !ok {
				continue
			}
			if !json.Valid([]byte(first)) {
				t.Fatalf("content %q is no JSON", first)
			}
			if again, ok := content([]byte(first), g); !ok || again != first {
				t.Fatalf("content %q became %q", first, again)
			}
			var into map[string]any
			if err := Decode(plain, &into); err != nil {
				t.Fatalf("the second reader refuses %q: %v", plain, err)
			}
		}
	})
}

func BenchmarkDocument(b *testing.B) {
	plain := []byte(`{"requestHeader":{"protocolVersion":{"major":1,"minor":0,"revision":0},"requestId":"KR-RES-0001",` +
		`"requestTimestamp":"1772409400000"},"paymentIntegratorAccountId":"NaruPG_KRW",` +
		`"accountDetails":{"card":{"accountNumber":"4111111111111111",` +
		`"expirationMonth":12,"expirationYear":2030,"cvn":"123","nameOnCard":"A B","billingAddress":{"countryCode":"KR","postalCode":"04524",` +
		`"addressLine":["1","2"]}}},"currencyCode":"KRW","amount":"12900000000",` +
		`"transactionDescription":"GOOGLE *Game","merchantCategoryCode":"5816",` +
		`"additionalTransactionProcessingOptions":` +
		`{"threeDSecureNotAppplicable":{},"electronicCommerceIndicatorNotApplicable":{},"userSelectedProcessingNetworkTypeNotApplicable":{}}}`)
	var ds documents
	b.ReportAllocs()
	for b.Loop() {
		d, err := ds.read(plain, A, nil)
		if err != nil {
			b.Fatal(err)
		}
		ds.release(d)
	}
}
