package gsp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"naru/core/fault"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/seal"
)

const hold, free = "/v1/test-api/hold", "/v1/test-api/free"

const card = `"cardNumber":"4111111111111111"`

// fails is the wanted error answer of generation A.
func (w *world) fails(code, description string) string {
	return w.stamped(`"errorResponseCode":"` + code + `","errorDescription":"` + description + `","paymentIntegratorErrorIdentifier":"ID"`)
}

// uncoded is the wanted error answer where the status says all.
func (w *world) uncoded(description string) string {
	return w.stamped(`"errorDescription":"` + description + `","paymentIntegratorErrorIdentifier":"ID"`)
}

func echoA(w *world, id, message string) string {
	return `{"requestHeader":{"requestId":"` + id + `","requestTimestamp":"` + strconv.FormatInt(w.now.Load(), 10) +
		`","protocolVersion":{"major":1,"minor":3,"revision":7}},"clientMessage":"` + message + `"}`
}

func TestC7EchoInBothGenerations(t *testing.T) {
	w := newWorld(t, options{})
	status, body := w.send("/v1/echo", echoA(w, "nl-echo:7f31-0042", "안녕 \\u0041"))
	w.want("A", status, body, 200, w.stamped(`"clientMessage":"안녕 A","serverMessage":"node 1"`))
	status, body = w.send("/v2/echo", w.askB("b2:echo_5518", `"clientMessage":"hoi"`))
	w.want("B", status, body, 200, w.stampedB(`"clientMessage":"hoi","serverMessage":"node 1"`))
	status, body = w.send("/v1/echo", `{"requestHeader":{"requestId":"a","requestTimestamp":"`+
		strconv.FormatInt(start.Unix(), 10)+`000","protocolVersion":{"major":1}},"clientMessage":""}`)
	w.want("second precision, empty message", status, body, 200, w.stamped(`"clientMessage":"","serverMessage":"node 1"`))
	status, body = w.send("/v1/echo", strings.Replace(echoA(w, "a", ""), "clientMessage", "other", 1))
	w.want("no message", status, body, 400, w.fails("MISSING_REQUIRED_FIELD", "clientMessage is required"))
}

func TestEchoIsNotStored(t *testing.T) {
	w := newWorld(t, options{})
	w.send("/v1/echo", echoA(w, "same", "one"))
	status, body := w.send("/v1/echo", echoA(w, "same", "two"))
	w.want("other content", status, body, 200, w.stamped(`"clientMessage":"two","serverMessage":"node 1"`))
}

// Steps 1 and 2 answer with nothing: what is not a message is not worth a signature.
func TestStep1RouteAndVerb(t *testing.T) {
	w := newWorld(t, options{})
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/echo", 405},
		{"PUT", "/v1/echo", 405},
		{"OPTIONS", "/v1/echo", 405},
		{"HEAD", "/v1/echo", 405},
		{"POST", "/", 404},
		{"GET", "/", 404},
		{"POST", "/v1/ECHO", 404},
		{"POST", "/v1/echo/", 404},
		{"POST", "/v1/test-api/capture", 404},
		{"POST", "//v1/echo", 404},
		{"POST", "/v1/./echo", 404},
		{"OPTIONS", "*", 404},
	} {
		path, all := strings.CutSuffix(c.path, "*")
		req := must(http.NewRequest(c.method, w.url+path, nil))
		if all {
			req.URL.Opaque = "*"
		}
		resp, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := must(io.ReadAll(resp.Body))
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || len(body) != 0 {
			t.Errorf("%s %s: %d %q, want an empty %d", c.method, c.path, resp.StatusCode, body, c.status)
		}
		if c.status == 405 && resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
}

// A document as large as a defence may be, sealed for real, passes through the large box and every bound of the envelope.
func TestLargeDocumentUnderSeal(t *testing.T) {
	var got int
	w := newWorld(t, options{
		config: func(c *gsp.Config) {
			c.LargeBox = boxWithin(seal.Limits{Wire: 32 << 20, Plain: 24 << 20}, c.Now, []pair{keys().ours}, []pair{keys().google})
			c.Deadline = time.Minute
		},
		routes: []gsp.Method{
			gsp.Handle("document", func(_ context.Context, _ gsp.Call, _ engine.Turn, in struct {
				Document string `json:"document"`
			},
			) ([]byte, error) {
				got = len(in.Document)
				return []byte(`{}`), nil
			}).Limit(32 << 20),
		},
	})
	const length = (16 << 20) / 3 * 4
	status, body := w.send("/v1/test-api/document", w.ask("large", `"document":"`+strings.Repeat("A", length)+`"`))
	if status != 200 || got != length {
		t.Errorf("%d %s, %d characters", status, body, got)
	}
	if status, _ := w.post("/v1/test-api/hold", make([]byte, 1<<20+1)); status != 413 {
		t.Errorf("another method takes more than its limit: %d", status)
	}
}

func TestStep2BodyLimit(t *testing.T) {
	w := newWorld(t, options{
		config: func(c *gsp.Config) { c.BodyLimit = 4000 },
		routes: []gsp.Method{gsp.Handle("document", func(context.Context, gsp.Call, engine.Turn, struct{}) ([]byte, error) {
			return []byte(`{}`), nil
		}).Limit(8000)},
	})
	exact := bytes.Repeat([]byte("A"), 4000)
	if status, _ := w.post("/v1/echo", exact); status != 400 {
		t.Errorf("4000 bytes: %d, want 400", status)
	}
	for _, c := range []struct {
		path string
		body io.Reader
		want int
	}{
		{"/v1/echo", bytes.NewReader(append(exact, 'A')), 413},
		{"/v1/echo", io.MultiReader(bytes.NewReader(exact), strings.NewReader("A")), 413}, // chunked: no length told
		{"/v1/test-api/document", bytes.NewReader(append(exact, exact...)), 400},          // its own limit
		{"/v1/test-api/document", bytes.NewReader(append(append(exact, exact...), 'A')), 413},
		{"/v1/test-api/document", io.MultiReader(bytes.NewReader(append(exact, exact...))), 413}, // a large body must tell its length
	} {
		resp, err := w.http.Post(w.url+c.path, "application/octet-stream", c.body)
		if err != nil {
			t.Fatal(err)
		}
		body := must(io.ReadAll(resp.Body))
		_ = resp.Body.Close()
		if resp.StatusCode != c.want || c.want == 413 && len(body) != 0 {
			t.Errorf("%s: %d with %d bytes, want %d", c.path, resp.StatusCode, len(body), c.want)
		}
	}
}

func TestC1Step3And4Encryption(t *testing.T) {
	w := newWorld(t, options{})
	good := must(w.google.Seal([]byte(echoA(w, "a", "x"))))
	otherKey := must(box(w.time, []pair{keys().google}, []pair{keys().oursNext}).Seal([]byte(echoA(w, "a", "x")))) // X16
	for name, wire := range map[string][]byte{
		"empty": nil, "not base64url": []byte("+/+/"), "no PGP": []byte("AAAA"), "cut": good[:len(good)-9], "other key": otherKey,
		"plain JSON": []byte(echoA(w, "a", "x")), "spoiled": append(append(bytes.Clone(good[:len(good)-20]), "AAAA"...), good[len(good)-16:]...),
	} {
		status, body := w.post("/v1/echo", wire)
		w.want(name, status, body, 400, w.stamped(`"errorResponseCode":"INVALID_PAYLOAD_ENCRYPTION"`))
		status, body = w.post("/v2/echo", wire)
		w.want(name, status, body, 400, w.stampedB(`"errorResponseResult":{"invalidPayloadEncryption":{}}`))
	}
}

func TestC2E4Step5Signature(t *testing.T) {
	w := newWorld(t, options{})
	unknown := box(w.time, []pair{keys().googleNext}, []pair{keys().ours})
	status, body := w.sendBy(unknown, "/v1/echo", echoA(w, "a", "x"))
	w.want("A", status, body, 401, w.stamped(`"errorResponseCode":"INVALID_PAYLOAD_SIGNATURE"`))
	status, body = w.sendBy(unknown, "/v2/echo", "nothing of it is read")
	w.want("B", status, body, 401, w.stampedB(`"errorResponseResult":{"invalidPayloadSignature":{}}`))
	if line := w.log.last(t); line["signer"] != "" || line["outcome"] != "stranger" {
		t.Errorf("log %v", line)
	}
}

func TestE5KnownBesideUnknownSigner(t *testing.T) {
	w := newWorld(t, options{})
	both := box(w.time, []pair{keys().googleNext, keys().google}, []pair{keys().ours})
	status, body := w.sendBy(both, "/v1/echo", echoA(w, "a", "x"))
	w.want("two signatures", status, body, 200, w.stamped(`"clientMessage":"x","serverMessage":"node 1"`))
}

func TestX13EveryRotationPhase(t *testing.T) {
	k := keys()
	for name, c := range map[string]struct{ ours, googleSigns, googleEncrypts []pair }{
		"steady":           {[]pair{k.ours}, []pair{k.google}, []pair{k.ours}},
		"we add a key":     {[]pair{k.ours, k.oursNext}, []pair{k.google}, []pair{k.ours}},
		"Google takes it":  {[]pair{k.ours, k.oursNext}, []pair{k.google}, []pair{k.oursNext}},
		"both of ours":     {[]pair{k.ours, k.oursNext}, []pair{k.google}, []pair{k.ours, k.oursNext}},
		"Google adds one":  {[]pair{k.ours}, []pair{k.google, k.googleNext}, []pair{k.ours}},
		"both sides, both": {[]pair{k.ours, k.oursNext}, []pair{k.google, k.googleNext}, []pair{k.ours, k.oursNext}},
	} {
		now := func() time.Time { return start }
		w := newWorld(t, options{ourBox: box(now, c.ours, []pair{k.google, k.googleNext})})
		w.google = box(w.time, []pair{k.google, k.googleNext}, c.ours)
		status, body := w.sendBy(box(now, c.googleSigns, c.googleEncrypts), "/v1/echo", echoA(w, "a", name))
		w.want(name, status, body, 200, w.stamped(`"clientMessage":"`+name+`","serverMessage":"node 1"`))
	}
}

func TestX14X15Encodings(t *testing.T) {
	w := newWorld(t, options{})
	armored := must(seal.NewBox(seal.Config{
		Own: must(seal.ParseRing(keys().google.private)), Peer: must(seal.ParseRing(keys().ours.public)), Armor: true, Now: w.time,
	}))
	for name, wire := range map[string][]byte{
		"binary": must(w.google.Seal([]byte(echoA(w, "a", "x")))), "armored": must(armored.Seal([]byte(echoA(w, "a", "x")))),
	} {
		padded := append(bytes.Clone(wire), "=="[:(4-len(wire)%4)%4]...)
		for _, body := range [][]byte{wire, padded, append(bytes.Clone(padded), "\r\n"...), append(bytes.Clone(wire), '\n', ' ')} {
			status, answer := w.post("/v1/echo", body)
			w.want(name, status, answer, 200, w.stamped(`"clientMessage":"x","serverMessage":"node 1"`))
		}
	}
}

func TestX20HundredRecipients(t *testing.T) {
	w := newWorld(t, options{})
	binary, _ := seal.Decode(must(w.google.Seal([]byte(echoA(w, "a", "x")))))
	var many bytes.Buffer
	packets := packet.NewOpaqueReader(bytes.NewReader(binary))
	for first := true; ; first = false {
		p, err := packets.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		for range map[bool]int{true: 100, false: 1}[first] {
			if err := p.Serialize(&many); err != nil {
				t.Fatal(err)
			}
		}
	}
	status, body := w.post("/v1/echo", seal.Encode(many.Bytes()))
	w.want("100 recipients", status, body, 400, w.stamped(`"errorResponseCode":"INVALID_PAYLOAD_ENCRYPTION"`))
}

func TestC3E6X17Step6StrictJSON(t *testing.T) {
	w := newWorld(t, options{})
	good := echoA(w, "a", "x")
	inside := good[1 : len(good)-1]
	for name, plain := range map[string]string{
		"nothing": "", "blank": " ", "text": "hello", "array": "[" + good + "]", "string": `"x"`, "null": "null",
		"duplicate": `{` + inside + `,"clientMessage":"y"}`, "duplicate by escape": `{` + inside + `,"client\u004dessage":"y"}`,
		"duplicate inside": `{` + inside + `,"extra":{"a":1,"a":1}}`, "duplicate null": `{` + inside + `,"a":null,"a":null}`,
		"trailing object": good + `{}`, "trailing text": good + " x", "comment": `{/* */` + inside + `}`, "line comment": good + "// x",
		"BOM": "\ufeff" + good, "bad UTF-8": `{` + inside + ",\"a\":\"\xff\"}", "lone surrogate": `{` + inside + `,"a":"\ud800"}`,
		"trailing comma": `{` + inside + `,}`, "single quotes": `{` + inside + `,'a':1}`, "NaN": `{` + inside + `,"a":NaN}`,
		"hex": `{` + inside + `,"a":0x10}`, "leading zero": `{` + inside + `,"a":01}`, "plus": `{` + inside + `,"a":+1}`,
		"control character": `{` + inside + ",\"a\":\"\n\"}", "unclosed": `{` + inside, "NUL": good + "\x00",
		"65 objects deep": `{` + inside + `,"a":` + strings.Repeat(`{"a":`, 63) + `{}` + strings.Repeat("}", 64),
		"65 deep":         `{` + inside + `,"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`,
	} {
		status, body := w.send("/v1/echo", plain)
		w.want(name, status, body, 400, w.fails("INVALID_DECRYPTED_REQUEST", "the request is not a strict JSON object"))
	}
	status, body := w.send("/v1/echo", `{`+inside+`,"a":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+`}`)
	w.want("64 deep", status, body, 200, w.stamped(`"clientMessage":"x","serverMessage":"node 1"`))
	status, body = w.send("/v2/echo", "{")
	w.want("B", status, body, 400, w.stampedB(`"errorResponseResult":{"invalidDecryptedRequest":{}},`+
		`"errorDescription":"the request is not a strict JSON object","paymentIntegratorErrorIdentifier":"ID"`))
}

// TestSteps7To11 changes one thing in a good request of each generation.
func TestSteps7To11(t *testing.T) {
	w := newWorld(t, options{})
	ms := func(d int64) string { return strconv.FormatInt(start.UnixMilli()+d, 10) }
	now, ok := ms(0), `"result":"SUCCESS","hold":`
	const id = `"requestId":"ID7"`
	type change struct {
		name, old, new string
		status         int
		code, text     string
	}
	missing := func(name, old, new, field string) change {
		return change{name, old, new, 400, "MISSING_REQUIRED_FIELD", field + " is required"}
	}
	invalid := func(name, old, new, text string) change {
		return change{name, old, new, 400, "INVALID_FIELD_VALUE", text}
	}
	good := func(name, old, new string) change { return change{name, old, new, 200, "", ""} }
	const badID = "requestHeader.requestId is not 1 to 100 characters out of a-z A-Z 0-9 : - _"
	stale := func(name, old, new, field string) change {
		return change{name, old, new, 400, "REQUEST_TIMESTAMP_OUT_OF_RANGE", field + " is more than 60 s away from our time"}
	}
	at, version := `"requestTimestamp":"`+now+`"`, `"protocolVersion":{"major":1,"minor":0,"revision":0}`
	for _, c := range []change{
		missing("no header", `"requestHeader"`, `"header"`, "requestHeader"), // 7
		missing("null header", `{"requestHeader":{`, `{"requestHeader":null,"x":{`, "requestHeader"),
		invalid("header is a list", `{"requestHeader":{`, `{"requestHeader":[],"x":{`, "requestHeader is not an object"),
		missing("C5 no id", id, `"x":1`, "requestHeader.requestId"),
		missing("null id", id, `"requestId":null`, "requestHeader.requestId"),
		missing("no timestamp", at, `"x":1`, "requestHeader.requestTimestamp"),
		missing("no version", version, `"x":1`, "requestHeader.protocolVersion"),
		invalid("version is a number", version, `"protocolVersion":1`, "requestHeader.protocolVersion is not an object"),
		missing("no major", `"major":1,`, ``, "requestHeader.protocolVersion.major"),
		missing("missing comes before version", at+`,`+version, `"protocolVersion":{"major":9}`, "requestHeader.requestTimestamp"),
		{"X8 other major", `"major":1`, `"major":2`, 400, "INVALID_API_VERSION", "major version 1 is served here"}, // 8
		{
			"version comes before id", id + `,` + at + `,"protocolVersion":{"major":1`, `"requestId":"",` + at + `,"protocolVersion":{"major":0`,
			400, "INVALID_API_VERSION", "major version 1 is served here",
		},
		invalid("major is a fraction", `"major":1`, `"major":1.5`, "requestHeader.protocolVersion.major is not an integer"),
		good("X7 minor and revision 99", `"minor":0,"revision":0`, `"minor":99,"revision":99`),
		good("major as a string", `"major":1`, `"major":"1"`),
		good("X11 100 characters", id, `"requestId":"`+strings.Repeat("aZ09:-_xyz", 10)+`"`), // 9
		invalid("X11 101 characters", id, `"requestId":"`+strings.Repeat("x", 101)+`"`, badID),
		invalid("X11 blank", id, `"requestId":"a b"`, badID),
		invalid("X11 é", id, `"requestId":"é"`, badID),
		invalid("empty id", id, `"requestId":""`, badID),
		invalid("line feed", id, `"requestId":"a\n"`, badID),
		invalid("number as id", id, `"requestId":5`, badID),
		invalid("id comes before time", id+`,`+at, `"requestId":"!","requestTimestamp":"0"`, badID),
		good("X12 60 s early", now, ms(-60_000)), // 10
		good("X12 60 s late", now, ms(60_000)),
		stale("C4 X12 60.001 s early", now, ms(-60_001), "requestHeader.requestTimestamp"),
		stale("C4 X12 60.001 s late", now, ms(60_001), "requestHeader.requestTimestamp"),
		stale("the smallest time", now, "-9223372036854775808", "requestHeader.requestTimestamp"),
		stale("the largest time", now, "9223372036854775807", "requestHeader.requestTimestamp"),
		good("X10 timestamp as a number", `"`+now+`"`, now),
		invalid("timestamp in words", now, "today", "requestHeader.requestTimestamp is not a number of milliseconds"),
		invalid("timestamp of 64 bits and more", now, "9223372036854775808", "requestHeader.requestTimestamp is not a number of milliseconds"),
		invalid("timestamp of generation B", `"`+now+`"`, `{"epochMillis":"`+now+`"}`,
			"requestHeader.requestTimestamp is not a number of milliseconds"),
		{
			"time comes before account", `"` + now + `","protocolVersion"`, `"0","x":0,"protocolVersion"`, 400, "REQUEST_TIMESTAMP_OUT_OF_RANGE",
			"requestHeader.requestTimestamp is more than 60 s away from our time",
		},
		missing("no account", `"paymentIntegratorAccountId"`, `"x"`, "paymentIntegratorAccountId"), // 11
		missing("null account", `"NaruPG_KRW"`, `null`, "paymentIntegratorAccountId"),
		invalid("account is a number", `"NaruPG_KRW"`, `5`, "paymentIntegratorAccountId is not a string"),
		{"C6 unknown account", `NaruPG_KRW`, `NaruXX_KRW`, 404, "INVALID_IDENTIFIER", "unknown paymentIntegratorAccountId"},
		{"accounts are compared exactly", `NaruPG_KRW`, `NARUPG_KRW`, 404, "INVALID_IDENTIFIER", "unknown paymentIntegratorAccountId"},
		{"account without this API", `NaruPG_KRW`, `NaruNone`, 403, "FORBIDDEN", "this paymentIntegratorAccountId is not enabled for test-v1"},
		good("X9 unknown members", `"amount"`, `"novel":{"a":[1,null]},"amount"`),
		good("a locale", id, id+`,"userLocale":"fil-PH"`),
		missing("13 no amount", `"amount"`, `"x"`, "amount"), // 13
		missing("13 null amount", `"amount":"5"`, `"amount":null`, "amount"),
		invalid("13 amount in words", `"amount":"5"`, `"amount":"4111111111111111x"`, "amount has a type or a value that is not supported"),
		invalid("13 amount as an object", `"amount":"5"`, `"amount":{"a":1}`, "amount has a type or a value that is not supported"),
		invalid("13 amount with leading zero", `"amount":"5"`, `"amount":"05"`, "amount has a type or a value that is not supported"),
		invalid("13 amount beyond 64 bits", `"amount":"5"`, `"amount":9223372036854775808`, "amount has a type or a value that is not supported"),
		good("13 amount as a number", `"amount":"5"`, `"amount":5`),
		invalid("C8 malformed card number", `4111111111111111`, `4111x`, "cardNumber is not 13 to 19 digits"),
		invalid("a sibling's member", `"amount"`, `"holdRequestId":"x","amount"`, "holdRequestId belongs to another method"),
		invalid("a sibling's member in disguise", `"amount"`, `"hold\u0052equestId":"x","amount"`, "holdRequestId belongs to another method"),
		good("a sibling's member, but null", `"amount"`, `"holdRequestId":null,"amount"`),
	} {
		clear(w.once.answered) // every row is a first call
		plain := strings.Replace(w.ask("ID7", `"amount":"5",`+card), c.old, c.new, 1)
		status, body := w.send(hold, plain)
		want := w.stamped(ok + strconv.FormatInt(w.holds.Load(), 10))
		if c.status != 200 {
			want = w.fails(c.code, c.text)
		}
		w.want(c.name, status, body, c.status, want)
	}
}

func TestSteps7To11InGenerationB(t *testing.T) {
	w := newWorld(t, options{})
	now := strconv.FormatInt(start.UnixMilli(), 10)
	for _, c := range []struct {
		name, old, new string
		status         int
		result, text   string
	}{
		{
			"no epochMillis", `"epochMillis":"` + now + `"`, ``, 400, `"missingRequiredField":{}`,
			"requestHeader.requestTimestamp.epochMillis is required",
		},
		{
			"timestamp of generation A", `{"epochMillis":"` + now + `"}`, `"` + now + `"`, 400,
			`"invalidFieldValue":{"invalidFieldName":"requestHeader.requestTimestamp"}`, "requestHeader.requestTimestamp is not an object",
		},
		{
			"no account", `"paymentIntegratorAccountId"`, `"x"`, 400, `"missingRequiredField":{}`,
			"requestHeader.paymentIntegratorAccountId is required",
		},
		{"unknown account", "NaruPG2_KRW", "NaruXX", 404, `"invalidIdentifier":{}`, "unknown paymentIntegratorAccountId"},
		{"other API", "NaruPG2_KRW", "NaruPG_KRW", 403, `"forbidden":{}`, "this paymentIntegratorAccountId is not enabled for test-v2"},
		{
			"version", `"major":2`, `"major":1`, 400,
			`"invalidApiVersion":{"requestVersion":{"major":1},"expectedVersion":{"major":2}}`, "major version 2 is served here",
		},
		{
			"stale", now, "0", 400, `"requestTimestampOutOfRange":{}`,
			"requestHeader.requestTimestamp.epochMillis is more than 60 s away from our time",
		},
		{
			"value", `"amount":"5"`, `"amount":true`, 400, `"invalidFieldValue":{"invalidFieldName":"amount"}`,
			"amount has a type or a value that is not supported",
		},
	} {
		status, body := w.send("/v2/test-api/hold", strings.Replace(w.askB("b", `"amount":"5",`+card), c.old, c.new, 1))
		w.want(c.name, status, body, c.status, w.stampedB(`"errorResponseResult":{`+c.result+`},"errorDescription":"`+c.text+
			`","paymentIntegratorErrorIdentifier":"ID"`))
	}
	status, body := w.send("/v2/test-api/hold", w.askB("b", `"amount":"5",`+card))
	w.want("good", status, body, 200, w.stampedB(`"result":"SUCCESS","hold":1`))
	status, body = w.send("/v2/test-api/hold", w.askB("b", `"amount":"6",`+card))
	w.want("reused", status, body, 412, w.stampedB(`"errorResponseResult":{"idempotencyViolation":{}},"errorDescription":`+
		`"requestId was used before with other content","paymentIntegratorErrorIdentifier":"ID"`))
}

func TestX1ReplayX2ChangeX5DeclineX6OtherAccount(t *testing.T) {
	w := newWorld(t, options{})
	ask := w.ask("x", `"amount":"5",`+card)
	status, body := w.send(hold, ask)
	w.want("first", status, body, 200, w.stamped(`"result":"SUCCESS","hold":1`))
	if got := w.log.last(t)["outcome"]; got != "fresh" {
		t.Errorf("outcome %v, want fresh", got)
	}
	w.now.Add(1234)
	for name, again := range map[string]string{
		"X1 same bytes": ask,
		"X1 as Google repeats": `{ "amount":5,"cardNumber":"411\u0031111111111111","x":null, "paymentIntegratorAccountId":"NaruPG_KRW",` +
			`"requestHeader":{"protocolVersion":{"revision":9,"major":"1"},"userLocale":"nl","requestTimestamp":` +
			strconv.FormatInt(w.now.Load(), 10) + `,"requestId":"x"}}`,
	} {
		status, body = w.send(hold, again)
		w.want(name, status, body, 200, w.stamped(`"result":"SUCCESS","hold":1`))
		if got := w.log.last(t)["outcome"]; got != "replay" {
			t.Errorf("outcome %v, want replay", got)
		}
	}
	reused := "requestId was used before with other content"
	for name, c := range map[string]struct{ path, plain string }{
		"X2 other amount":      {hold, w.ask("x", `"amount":"6",`+card)},
		"X2 one member more":   {hold, w.ask("x", `"amount":"5","novel":"1",`+card)},
		"X2 malformed":         {hold, w.ask("x", `"amount":[],`+card)},
		"another method":       {free, w.ask("x", `"amount":"5",`+card)},
		"other case of a name": {hold, w.ask("x", `"amount":"5","CardNumber":"",`+card)},
	} {
		status, body = w.send(c.path, c.plain)
		w.want(name, status, body, 412, w.fails("IDEMPOTENCY_VIOLATION", reused))
	}
	status, body = w.send(hold, strings.Replace(w.ask("x", `"amount":"6",`+card), "NaruPG_KRW", "NaruPG2_KRW", 1))
	w.want("X6", status, body, 200, w.stamped(`"result":"SUCCESS","hold":2`))
	for range 2 {
		status, body = w.send(hold, w.ask("d", `"amount":"5","decline":{},`+card))
		w.want("X5 C9", status, body, 200, w.stamped(`"result":"DECLINED","hold":3`))
	}
}

func TestX3ErrorsAreNotFinal(t *testing.T) {
	w := newWorld(t, options{})
	for i, c := range []struct {
		err         error
		status      int
		code, words string
	}{
		{fault.New(fault.Unavailable, "no verdict yet"), 503, "", "no verdict yet"},
		{fault.Wrap(fault.Internal, errors.New("disk 7"), "our fault"), 500, "", "our fault"},
		{fault.New(fault.Aborted, "later"), 409, "", "later"},
		{fault.New(fault.Precondition, "more than what is held"), 400, "PRECONDITION_VIOLATION", "more than what is held"},
		{fault.New(fault.Unknown, "unknown reservationRequestId"), 404, "INVALID_IDENTIFIER", "unknown reservationRequestId"},
		{fault.New(fault.Forbidden, "no"), 403, "FORBIDDEN", "no"},
		{fault.New(fault.TooMany, "slower"), 429, "", "slower"},
	} {
		id := fmt.Sprint("x", i)
		w.failing(c.err)
		status, body := w.send(hold, w.ask(id, `"amount":"5",`+card))
		want := w.uncoded(c.words)
		if c.code != "" {
			want = w.fails(c.code, c.words)
		}
		w.want(c.words, status, body, c.status, want)
		w.healthy()
		status, body = w.send(hold, w.ask(id, `"amount":"7",`+card)) // even with other content
		w.want("repeat", status, body, 200, w.stamped(fmt.Sprintf(`"result":"SUCCESS","hold":%d`, i+1)))
	}
	w.failing(errors.New("dial tcp 10.0.0.9: no route"))
	status, body := w.send(hold, w.ask("y", `"amount":"5",`+card))
	w.want("an error nobody classified says nothing", status, body, 500, w.stamped(`"paymentIntegratorErrorIdentifier":"ID"`))
	if got := w.log.last(t)["cause"]; got != "dial tcp 10.0.0.9: no route" {
		t.Errorf("cause %v", got)
	}
}

func TestX4TwentyAtOnce(t *testing.T) {
	w := newWorld(t, options{config: func(c *gsp.Config) { c.Deadline = time.Minute }})
	w.failing(errStuck)
	ask := w.ask("x", `"amount":"5",`+card)
	var wg sync.WaitGroup
	bodies := make([]string, 20)
	for i := range bodies {
		wg.Go(func() { _, bodies[i] = w.send(hold, ask) })
	}
	<-w.inside
	close(w.stuck)
	wg.Wait()
	for _, body := range bodies {
		if want := w.stamped(`"result":"SUCCESS","hold":1`); body != want {
			t.Errorf("got %s, want %s", body, want)
		}
	}
}

func TestDeadline(t *testing.T) {
	t.Run("the method hears of it", func(t *testing.T) {
		w := newWorld(t, options{config: func(c *gsp.Config) { c.Deadline = 400 * time.Millisecond }})
		w.failing(errSlow)
		status, body := w.send(hold, w.ask("x", `"amount":"5",`+card))
		w.want("slow", status, body, 503, w.uncoded("not decided in time, ask again"))
	})
	t.Run("the method is deaf; a repeat that waits gets 409", func(t *testing.T) {
		w := newWorld(t, options{config: func(c *gsp.Config) { c.Deadline = time.Second }})
		w.failing(errStuck)
		ask := w.ask("x", `"amount":"5",`+card)
		status, body := w.send(hold, ask)
		w.want("deaf", status, body, 503, w.uncoded("not decided in time, ask again"))
		if got := w.log.last(t)["outcome"]; got != "late" {
			t.Errorf("outcome %v, want late", got)
		}
		status, body = w.send(hold, ask)
		w.want("waiting", status, body, 409, w.uncoded("the first copy is still being worked on"))
		close(w.stuck)
		w.server.Drain()
		status, body = w.send(hold, ask)
		w.want("afterwards", status, body, 200, w.stamped(`"result":"SUCCESS","hold":1`))
	})
}

func TestCallerHangingUpCancelsNothing(t *testing.T) {
	w := newWorld(t, options{config: func(c *gsp.Config) { c.Deadline = time.Minute }})
	w.failing(errStuck)
	ask := w.ask("x", `"amount":"5",`+card)
	ctx, hangUp := context.WithCancel(t.Context())
	req := must(http.NewRequestWithContext(ctx, "POST", w.url+hold, bytes.NewReader(must(w.google.Seal([]byte(ask))))))
	gone := make(chan error, 1)
	go func() {
		_, err := w.http.Do(req) //nolint:bodyclose // it fails
		gone <- err
	}()
	<-w.inside
	hangUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(w.stuck)
	status, body := w.send(hold, ask)
	w.want("repeat", status, body, 200, w.stamped(`"result":"SUCCESS","hold":1`))
}

func TestOverloadIsRefusedEmpty(t *testing.T) {
	w := newWorld(t, options{config: func(c *gsp.Config) { c.MaxCalls, c.Deadline = 1, time.Minute }})
	w.failing(errStuck)
	first := make(chan int, 1)
	go func() {
		status, _ := w.send(hold, w.ask("x", `"amount":"5",`+card))
		first <- status
	}()
	<-w.inside
	if status, body := w.send("/v1/echo", echoA(w, "a", "x")); status != 503 || body != "" {
		t.Errorf("%d %q, want an empty 503", status, body)
	}
	close(w.stuck)
	if got := <-first; got != 200 {
		t.Errorf("first: %d", got)
	}
	if status, _ := w.send("/v1/echo", echoA(w, "a", "x")); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}

// TestStrangers: a refusal is signed once a second; who fails too often in a second is turned away, until the next.
func TestStrangers(t *testing.T) {
	counted := &countingBox{Box: box(func() time.Time { return start }, []pair{keys().ours}, []pair{keys().google})}
	w := newWorld(t, options{ourBox: counted, config: func(c *gsp.Config) { c.Failures = 3 }})
	var first string
	for i := range 5 {
		status, body := w.post("/v1/echo", []byte("AAAA"))
		switch {
		case i < 3 && status != 400, i >= 3 && (status != 429 || body != ""), i > 0 && i < 3 && body != first:
			t.Errorf("failure %d: %d %q", i, status, body)
		}
		if i == 0 {
			first = body
		}
	}
	if counted.seals != 1 || counted.opens != 3 {
		t.Errorf("%d seals and %d opens for five failures, want 1 and 3", counted.seals, counted.opens)
	}
	w.now.Add(1000)
	status, body := w.post("/v1/echo", []byte("AAAA"))
	w.want("the next second", status, body, 400, w.stamped(`"errorResponseCode":"INVALID_PAYLOAD_ENCRYPTION"`))
	status, body = w.post("/v2/echo", []byte("AAAA"))
	w.want("the other generation", status, body, 400, w.stampedB(`"errorResponseResult":{"invalidPayloadEncryption":{}}`))
	counted.err = seal.ErrBusy
	if status, body := w.post("/v1/echo", []byte("AAAA")); status != 429 || body != "" {
		t.Errorf("busy box: %d %q, want an empty 429", status, body)
	}
}

type countingBox struct {
	gsp.Box
	mu           sync.Mutex
	opens, seals int
	err, sealErr error
}

func (b *countingBox) Open(ctx context.Context, wire []byte) (seal.Opened, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opens++; b.err != nil {
		return seal.Opened{}, b.err
	}
	return b.Box.Open(ctx, wire)
}

func (b *countingBox) Seal(plain []byte) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seals++; b.sealErr != nil {
		return nil, b.sealErr
	}
	return b.Box.Seal(plain)
}

func TestStep14AnswerThatCannotBeSealed(t *testing.T) {
	broken := &countingBox{Box: box(func() time.Time { return start }, []pair{keys().ours}, []pair{keys().google}), sealErr: seal.ErrNoKey}
	w := newWorld(t, options{ourBox: broken})
	for name, wire := range map[string][]byte{
		"an answer": must(w.google.Seal([]byte(echoA(w, "a", "x")))), "a fault": must(w.google.Seal([]byte("{"))), "a refusal": []byte("AAAA"),
	} {
		if status, body := w.post("/v1/echo", wire); status != 500 || body != "" {
			t.Errorf("%s: %d %q, want an empty 500", name, status, body)
		}
	}
}

func TestPanicIsAFaultWithoutContent(t *testing.T) {
	w := newWorld(t, options{})
	w.failing(errThrow)
	ask := w.ask("x", `"amount":"5",`+card)
	status, body := w.send(hold, ask)
	w.want("panic", status, body, 500, w.stamped(`"paymentIntegratorErrorIdentifier":"ID"`))
	line := w.log.last(t)
	if cause := line["cause"].(string); line["outcome"] != "panic" || !strings.Contains(cause, "hold") || strings.Contains(cause, "4111") {
		t.Errorf("log %v", line)
	}
	w.healthy()
	status, body = w.send(hold, ask)
	w.want("repeat", status, body, 200, w.stamped(`"result":"SUCCESS","hold":1`))
}

// TestLogHoldsOnlyWhatIsAllowed: gsp-core §10.
func TestLogHoldsOnlyWhatIsAllowed(t *testing.T) {
	w := newWorld(t, options{})
	w.send("/v1/echo", echoA(w, "a", "SECRET"))
	w.send(hold, w.ask("good-id", `"amount":"5",`+card))
	line := w.log.last(t)
	for _, field := range []string{"time", "level", "msg", "seconds", "signer", "recipient", "body_bytes", "error_id"} {
		if line[field] == nil || line[field] == "" {
			t.Errorf("no %s in %v", field, line)
		}
		delete(line, field)
	}
	want := map[string]any{
		"environment": "test", "method": "hold", "piaid": "NaruPG_KRW", "request_id": "good-id", "status": 200.0, "code": "",
		"outcome": "fresh", "cause": "",
	}
	if fmt.Sprint(line) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", line, want)
	}
	w.send(hold, w.ask("SECRET id", `"amount":"SECRET",`+card))
	w.send(hold, w.ask("ok", `"amount":"SECRET",`+card))
	w.send(hold, strings.Replace(w.ask("ok", `"amount":"5",`+card), "NaruPG_KRW", "SECRET", 1))
	w.send(hold, w.ask("ok", `"SECRET":[,`+card))
	w.post("/SECRET", []byte("SECRET"))
	if log := w.log.String(); strings.Contains(log, "SECRET") || strings.Contains(log, "4111111111111111") {
		t.Errorf("content in the log:\n%s", log)
	}
}

func TestMeter(t *testing.T) {
	m := &meter{}
	w := newWorld(t, options{config: func(c *gsp.Config) { c.Meter = m }})
	w.send("/v1/echo", echoA(w, "a", "x"))
	w.post("/nowhere", nil)
	if got := fmt.Sprint(m.seen); got != "[v1 echo 200 none none 404]" {
		t.Errorf("got %s", got)
	}
}

type meter struct{ seen []string }

func (m *meter) Called(api, method string, status int, _ float64) {
	m.seen = append(m.seen, api, method, strconv.Itoa(status))
}

func TestE1WeakSuitesE2Versions(t *testing.T) {
	w := newWorld(t, options{})
	old := newWorld(t, options{maxTLS: tls.VersionTLS12})
	_, roots := certificate()
	for _, c := range []struct {
		name     string
		address  string
		min, max uint16
		suites   []uint16
		good     bool
	}{
		{"TLS 1.3", w.address, tls.VersionTLS13, tls.VersionTLS13, nil, true},
		{"TLS 1.2", w.address, tls.VersionTLS12, tls.VersionTLS12, nil, true},
		{"TLS 1.1", w.address, tls.VersionTLS10, tls.VersionTLS11, nil, false},
		{"TLS 1.3 where 1.2 is the most", old.address, tls.VersionTLS13, tls.VersionTLS13, nil, false},
		{"AES128-GCM", w.address, 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, true},
		{"CHACHA20", w.address, 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}, true},
		{"AES256-GCM", w.address, 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}, false},
		{"CBC", w.address, 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}, false},
		{"RSA key exchange", w.address, 0, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, false},
	} {
		conn, err := tls.Dial("tcp", c.address, &tls.Config{RootCAs: roots, MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites})
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	if _, err := gsp.TLSConfig(tls.Certificate{}, tls.VersionTLS11, tls.VersionTLS13); err == nil {
		t.Error("TLS 1.1 can be configured")
	}
}

func TestE3PlainHTTPGetsNothing(t *testing.T) {
	w := newWorld(t, options{})
	for _, plain := range []string{"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "\x00", "\x80\x2e\x01"} {
		conn := must(net.Dial("tcp", w.address))
		if _, err := conn.Write([]byte(plain)); err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(conn); len(got) != 0 {
			t.Errorf("answered %q", got)
		}
		_ = conn.Close()
	}
}

func TestHTTP11AndHTTP2(t *testing.T) {
	w := newWorld(t, options{})
	_, roots := certificate()
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2}
		resp, err := (&http.Client{Transport: transport}).Post(w.url+"/v1/echo", "application/octet-stream; charset=ebcdic",
			bytes.NewReader(must(w.google.Seal([]byte(echoA(w, "a", "x"))))))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
		if resp.StatusCode != 200 || (resp.ProtoMajor == 2) != http2 {
			t.Errorf("%s %d", resp.Proto, resp.StatusCode)
		}
	}
}

// One path, two APIs (Card FOP v1 §10): the account says whose method it is. What it answers for is a content of its own.
func TestTwoAPIsAtOnePath(t *testing.T) {
	w := newWorld(t, options{config: func(c *gsp.Config) {
		c.Accounts = accounts{
			"NaruPG_KRW": {ID: "NaruPG_KRW", APIs: []string{"left-v1"}}, "NaruPG_EUR": {ID: "NaruPG_EUR", APIs: []string{"right-v1"}},
			"NaruNone": {ID: "NaruNone", APIs: []string{"test-v1"}},
		}
	}})
	for name, sibling := range map[string]gsp.Method{"left": gsp.Handle("hold", w.hold), "right": gsp.Handle("free", w.free)} {
		w.server.Serve(gsp.API{Name: name + "-v1", Generation: gsp.A, Major: 1, Prefix: "/v1/" + name + "/", Methods: []gsp.Method{
			gsp.Handle("defend", defendAs(name)).At(shared), sibling,
		}})
	}
	of := func(account, ask string) string { return strings.Replace(ask, "NaruPG_KRW", account, 1) }
	for account, want := range map[string]string{"NaruPG_KRW": "left", "NaruPG_EUR": "right"} {
		status, body := w.send(shared, of(account, w.ask("d", `"text":"x"`)))
		w.want(account, status, body, 200, w.stamped(`"result":"`+want+` of `+want+`-v1"`))
		if got := string(w.once.answered[engine.Key{Account: account, RequestID: "d"}].content); !strings.HasPrefix(got, want+"-v1 1 defend\n{") {
			t.Errorf("%s: the content begins with %.20q", account, got)
		}
		for _, foreign := range []string{`"cardNumber":"4"`, `"holdRequestId":"h"`} {
			status, _ := w.send(shared, of(account, w.ask("f", `"text":"x",`+foreign)))
			if status != 400 {
				t.Errorf("%s with %s: %d", account, foreign, status)
			}
		}
	}
	status, body := w.send(shared, of("NaruNone", w.ask("n", `"text":"x"`)))
	if status != 403 || !strings.Contains(body, "left-v1") || !strings.Contains(body, "right-v1") {
		t.Errorf("an account of neither: %d %s", status, body)
	}
}

const shared = "/v1/shared/defend"

type defendRequest struct {
	Text *string `json:"text"`
}

func defendAs(name string) func(context.Context, gsp.Call, engine.Turn, defendRequest) ([]byte, error) {
	return func(_ context.Context, c gsp.Call, _ engine.Turn, _ defendRequest) ([]byte, error) {
		return gsp.Encode(holdResponse{Result: name + " of " + c.API})
	}
}

func TestTwoMethodsAtOnePathPanic(t *testing.T) {
	defend := gsp.Handle("defend", defendAs("x")).At(shared)
	at := func(name string, g gsp.Generation, major int, m gsp.Method) gsp.API {
		return gsp.API{Name: name, Generation: g, Major: major, Methods: []gsp.Method{m}}
	}
	for what, api := range map[string]gsp.API{
		"the echo of every API": at("", gsp.A, 1, gsp.Echo("").At("/v1/echo")),
		"the same API":          at("left-v1", gsp.A, 1, defend),
		"no API of a name":      at("", gsp.A, 1, defend),
		"another generation":    at("right-v1", gsp.B, 1, defend),
		"another version":       at("right-v1", gsp.A, 2, defend),
		"another limit":         at("right-v1", gsp.A, 1, defend.Limit(9<<20)),
		"another name":          at("right-v1", gsp.A, 1, gsp.Handle("defence", defendAs("x")).At(shared)),
		"other members": at("right-v1", gsp.A, 1, gsp.Handle("defend", func(context.Context, gsp.Call, engine.Turn, struct{}) ([]byte, error) {
			return nil, nil
		}).At(shared)),
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, options{})
			w.server.Serve(at("left-v1", gsp.A, 1, defend))
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			w.server.Serve(api)
		})
	}
}
