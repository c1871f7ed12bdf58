package gsp_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"naru/protocol/gsp"
	"naru/seal"
)

// peer plays Google: it answers every call with what the test sets.
type peer struct {
	*httptest.Server
	client *gsp.Client
	box    *seal.Box // Google's

	status  int
	body    []byte
	header  map[string]string
	path    string // of the last request, as sent
	request string // the last request, opened
}

func newPeer(t *testing.T) *peer {
	now := func() time.Time { return start }
	p := &peer{box: box(now, []pair{keys().google}, []pair{keys().ours})}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.path = r.RequestURI
		opened, err := p.box.Open(r.Context(), must(io.ReadAll(r.Body)))
		if err != nil || r.Header.Get("Content-Type") != "application/octet-stream; charset=utf-8" || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("%v, headers %v", err, r.Header)
		}
		p.request = string(opened.Plain)
		for name, value := range p.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(p.status)
		_, _ = w.Write(p.body)
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	p.client = must(gsp.NewClient(gsp.ClientConfig{
		Base: p.URL + "/secure-serving/gsp/", Box: box(now, []pair{keys().ours}, []pair{keys().google}), Now: now, Roots: roots,
		MaxResponse: 4000,
	}))
	t.Cleanup(func() { p.client.Close(); p.Close() })
	return p
}

// answers sets a sealed answer.
func (p *peer) answers(status int, plain string) {
	p.status, p.body = status, must(p.box.Seal([]byte(plain)))
	p.header = map[string]string{"Content-Type": "application/octet-stream; charset=utf-8"}
}

// says sets an answer in the open.
func (p *peer) says(status int, media, text string) {
	p.status, p.body, p.header = status, []byte(text), map[string]string{"Content-Type": media}
}

var verdict = gsp.Message{
	Account: "NaruPG/KRW ü", Path: "/v1/api/resultNotification", RequestID: "n-1", Body: struct {
		Result string `json:"result"`
	}{"SUCCESS"},
}

func stampA(t time.Time) string {
	return `{"responseHeader":{"responseTimestamp":"` + strconv.FormatInt(t.UnixMilli(), 10) + `"}`
}

func stampB(t time.Time) string {
	return `{"responseHeader":{"responseTimestamp":{"epochMillis":"` + strconv.FormatInt(t.UnixMilli(), 10) + `"}}`
}

func TestClientSpeaksBothGenerations(t *testing.T) {
	p := newPeer(t)
	now := strconv.FormatInt(start.UnixMilli(), 10)
	b, echo := verdict, gsp.Message{Account: "NaruPG_KRW", Path: "v1/echo", RequestID: "e-1", NoAccount: true}
	b.Generation, b.Version = gsp.B, gsp.Version{Major: 2}
	for _, c := range []struct {
		message       gsp.Message
		path, request string
	}{
		{verdict, "/secure-serving/gsp/v1/api/resultNotification/NaruPG%2FKRW%20%C3%BC", `{"requestHeader":{"requestId":"n-1",` +
			`"requestTimestamp":"` + now + `","protocolVersion":{"major":1,"minor":0,"revision":0}},` +
			`"paymentIntegratorAccountId":"NaruPG/KRW ü","result":"SUCCESS"}`},
		{b, "/secure-serving/gsp/v1/api/resultNotification/NaruPG%2FKRW%20%C3%BC", `{"requestHeader":{"requestId":"n-1","requestTimestamp":` +
			`{"epochMillis":"` + now + `"},"protocolVersion":{"major":2},"paymentIntegratorAccountId":"NaruPG/KRW ü"},"result":"SUCCESS"}`},
		{echo, "/secure-serving/gsp/v1/echo/NaruPG_KRW", `{"requestHeader":{"requestId":"e-1","requestTimestamp":"` + now +
			`","protocolVersion":{"major":1,"minor":0,"revision":0}}}`},
	} {
		for _, header := range []string{stampA(start), stampB(start)} {
			p.answers(200, header+`,"result":"SUCCESS"}`)
			r := p.client.Call(t.Context(), c.message)
			if r.Class != gsp.Delivered || r.Alert || r.Status != 200 || string(r.Body) != header+`,"result":"SUCCESS"}` || r.At != start {
				t.Errorf("got %+v", r)
			}
			if p.path != c.path || p.request != c.request {
				t.Errorf("got  %s %s\nwant %s %s", p.path, p.request, c.path, c.request)
			}
		}
	}
}

// TestClientClasses holds gsp-core §5.5, row by row.
func TestClientClasses(t *testing.T) {
	p := newPeer(t)
	stranger := box(func() time.Time { return start }, []pair{keys().googleNext}, []pair{keys().ours})
	codeA := func(code string) func() {
		return func() { p.answers(400, stampA(start)+`,"errorResponseCode":"`+code+`"}`) }
	}
	codeB := func(status int, key string) func() {
		return func() { p.answers(status, stampB(start)+`,"errorResponseResult":{"`+key+`":{"x":1}}}`) }
	}
	const sealedType = "application/octet-stream; charset=utf-8"
	for _, c := range []struct {
		name  string
		set   func()
		class gsp.Class
		alert bool
		code  string
	}{
		{"X18 404 empty", func() { p.says(404, "", "") }, gsp.Misconfigured, true, ""},
		{"X18 404 generic text", func() { p.says(404, "text/plain", "Try again later.") }, gsp.Misconfigured, true, ""},
		{"X18 404 one word", func() { p.says(404, "text/plain", "Error") }, gsp.Misconfigured, true, ""},
		{"X18 generic text as octets", func() { p.says(400, sealedType, "Try again later.") }, gsp.Misconfigured, true, ""},
		{"X18 500 generic text", func() { p.says(500, "text/html", "<p>Sorry.") }, gsp.Misconfigured, true, ""},
		{"401 empty", func() { p.says(401, "", "") }, gsp.Misconfigured, true, ""},
		{"400 empty", func() { p.says(400, "", "") }, gsp.Park, true, ""},
		{"409 empty", func() { p.says(409, "", "") }, gsp.Retry, false, ""},
		{"429 empty", func() { p.says(429, "", "") }, gsp.Retry, false, ""},
		{"500 empty", func() { p.says(500, "", "") }, gsp.Retry, false, ""},
		{"503 empty", func() { p.says(503, "", "") }, gsp.Retry, false, ""},
		{"200 empty", func() { p.says(200, "", "") }, gsp.Retry, true, ""},
		{"200 text", func() { p.says(200, "text/plain", "OK") }, gsp.Retry, true, ""},
		{"200 undecodable", func() { p.says(200, sealedType, "AAAA") }, gsp.Retry, true, ""},
		{"200 bad signature", func() {
			p.answers(200, "")
			p.body = must(stranger.Seal([]byte(stampA(start) + `}`)))
		}, gsp.Retry, true, ""},
		{"200 no header", func() { p.answers(200, `{"result":"SUCCESS"}`) }, gsp.Retry, true, ""},
		{"200 no JSON", func() { p.answers(200, `x`) }, gsp.Retry, true, ""},
		{"X19 stale, B", func() { p.answers(200, stampB(start.Add(-60_001*time.Millisecond))+`}`) }, gsp.Retry, true, ""},
		{"X19 stale, A", func() { p.answers(200, stampA(start.Add(60_001*time.Millisecond))+`}`) }, gsp.Retry, true, ""},
		{"60 s late", func() { p.answers(200, stampB(start.Add(-60*time.Second))+`}`) }, gsp.Delivered, false, ""},
		{"60 s early", func() { p.answers(200, stampA(start.Add(60*time.Second))+`}`) }, gsp.Delivered, false, ""},
		{"a stale error is no verdict", func() {
			p.answers(400, stampA(start.Add(-time.Hour))+`,"errorResponseCode":"FORBIDDEN"}`)
		}, gsp.Retry, true, ""},
		{"too large", func() { p.says(200, sealedType, strings.Repeat("A", 4001)) }, gsp.Retry, true, ""},
		{"redirect", func() {
			p.says(307, "", "")
			p.header["Location"] = p.URL + "/elsewhere"
		}, gsp.Misconfigured, true, ""},
		{"clock", codeA("REQUEST_TIMESTAMP_OUT_OF_RANGE"), gsp.RetryNow, true, "REQUEST_TIMESTAMP_OUT_OF_RANGE"},
		{"race", codeA("INVALID_IDENTIFIER"), gsp.RetryBriefly, false, "INVALID_IDENTIFIER"},
		{"busy user", codeA("USER_ACTION_IN_PROGRESS"), gsp.Retry, false, "USER_ACTION_IN_PROGRESS"},
		{"signature", codeA("INVALID_PAYLOAD_SIGNATURE"), gsp.Misconfigured, true, "INVALID_PAYLOAD_SIGNATURE"},
		{"encryption", codeA("INVALID_PAYLOAD_ENCRYPTION"), gsp.Misconfigured, true, "INVALID_PAYLOAD_ENCRYPTION"},
		{"reused", codeA("IDEMPOTENCY_VIOLATION"), gsp.Park, true, "IDEMPOTENCY_VIOLATION"},
		{"field", codeA("INVALID_FIELD_VALUE"), gsp.Park, true, "INVALID_FIELD_VALUE"},
		{"required", codeA("MISSING_REQUIRED_FIELD"), gsp.Park, true, "MISSING_REQUIRED_FIELD"},
		{"syntax", codeA("INVALID_DECRYPTED_REQUEST"), gsp.Park, true, "INVALID_DECRYPTED_REQUEST"},
		{"version", codeA("INVALID_API_VERSION"), gsp.Park, true, "INVALID_API_VERSION"},
		{"precondition", codeA("PRECONDITION_VIOLATION"), gsp.Park, true, "PRECONDITION_VIOLATION"},
		{"forbidden", codeA("FORBIDDEN"), gsp.Park, true, "FORBIDDEN"},
		{"a code we do not know", codeA("NOVEL_CODE"), gsp.Park, true, ""},
		{"B clock", codeB(400, "requestTimestampOutOfRange"), gsp.RetryNow, true, "REQUEST_TIMESTAMP_OUT_OF_RANGE"},
		{"B race", codeB(404, "invalidIdentifier"), gsp.RetryBriefly, false, "INVALID_IDENTIFIER"},
		{"B busy user", codeB(423, "userActionInProgress"), gsp.Retry, false, "USER_ACTION_IN_PROGRESS"},
		{"B reused", codeB(412, "idempotencyViolation"), gsp.Park, true, "IDEMPOTENCY_VIOLATION"},
		{"sealed 503 without code", func() { p.answers(503, stampA(start)+`}`) }, gsp.Retry, true, ""},
		{"sealed 400 without code", func() { p.answers(400, stampA(start)+`}`) }, gsp.Park, true, ""},
	} {
		c.set()
		p.path = ""
		r := p.client.Call(t.Context(), verdict)
		if r.Class != c.class || r.Alert != c.alert || r.Code != c.code || r.Status != p.status ||
			(r.Body != nil) != (c.class == gsp.Delivered) || (r.Why == "") != (c.class == gsp.Delivered) {
			t.Errorf("%s: got %v %+v", c.name, r.Class, r)
		}
		if strings.HasSuffix(p.path, "/elsewhere") {
			t.Errorf("%s: redirect followed", c.name)
		}
	}
}

func TestClientWithoutAnAnswer(t *testing.T) {
	p := newPeer(t)
	untrusting := must(gsp.NewClient(gsp.ClientConfig{
		Base: p.URL, Box: p.box, Now: time.Now, Roots: x509.NewCertPool(),
	}))
	if r := untrusting.Call(t.Context(), verdict); r.Class != gsp.Misconfigured || !r.Alert || r.Status != 0 {
		t.Errorf("untrusted certificate: %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := p.client.Call(ctx, verdict); r.Class != gsp.Retry || r.Status != 0 {
		t.Errorf("cancelled: %+v", r)
	}
	keyless := must(gsp.NewClient(gsp.ClientConfig{Base: p.URL, Box: &countingBox{sealErr: seal.ErrNoKey}, Now: time.Now}))
	if r := keyless.Call(t.Context(), verdict); r.Class != gsp.Misconfigured || !r.Alert {
		t.Errorf("no key: %+v", r)
	}
	unwritable := verdict
	unwritable.Body = []int{1}
	if r := p.client.Call(t.Context(), unwritable); r.Class != gsp.Park || !r.Alert {
		t.Errorf("a body that is no object: %+v", r)
	}
	p.Close()
	if r := p.client.Call(t.Context(), verdict); r.Class != gsp.Retry || r.Status != 0 {
		t.Errorf("nobody listens: %+v", r)
	}
	for _, base := range []string{"http://x/y", "x", "https://", "https://x?y", "https://u:p@x"} {
		if _, err := gsp.NewClient(gsp.ClientConfig{Base: base}); err == nil {
			t.Errorf("base %q accepted", base)
		}
	}
}

// A client and a server of this package understand each other.
func TestClientMeetsServer(t *testing.T) {
	w := newWorld(t, options{})
	_, roots := certificate()
	c := must(gsp.NewClient(gsp.ClientConfig{Base: w.url, Box: w.google, Now: w.time, Roots: roots}))
	t.Cleanup(c.Close)
	r := c.Call(t.Context(), gsp.Message{Path: "/v1/test-api/hold", RequestID: "1"}) // Google puts no account into the path
	if r.Class != gsp.Misconfigured || r.Status != 404 {
		t.Errorf("path of a peer's method: %+v", r)
	}
	if !bytes.Contains([]byte(w.log.String()), []byte(`"status":404`)) {
		t.Error("not logged")
	}
}
