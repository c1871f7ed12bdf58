package google

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// hosted is what the integrator hosts for us in both card APIs (Korea §1.2, Card FOP §1.2), and what of a request the record keeps. What is
// not named, cards and documents above all, is not kept.
var hosted = map[string]method{
	"reserveFunds":                        {amount: "amount", currency: "currencyCode"},
	"asynchronousCaptureFundsReservation": {amount: "amount", reservation: "reservationRequestId"},
	"asynchronousCancelFundsReservation":  {reservation: "reservationRequestId"},
	"asynchronousRefund":                  {amount: "refundAmount", capture: "captureRequestId"},
	"verifyCardWithMinimumReservation":    {currency: "currencyCode"},
	"defendChargeback":                    {path: "/v1/payment-integrator-dispute-api/", capture: "captureRequestId", document: true},
	"echo":                                {path: "/v1/", newer: "/v2/"}, // gsp-core §7.1
}

// method is where one method is and what its requests say.
type method struct {
	path, newer                            string // in front of its name, by message generation (gsp-core §0); "" is that of its API, or none
	amount, currency, reservation, capture string // members
	document                               bool   // carries a defenseMaterialDocument, of which length and hash are kept
	pays                                   bool   // a 200 says for good what became of the money, as a message would (disburse §4.2)
}

// address is where a method is in a generation, or "".
func (m method) address(name, generation string) string {
	prefix := map[string]string{"A": m.path, "B": m.newer}[generation]
	if prefix == "" {
		return ""
	}
	return prefix + name
}

// Order asks Google to send a request, in several copies at the same moment if need be.
type Order struct {
	Method     string         `json:"method"`
	API        string         `json:"api"`        // that of the account in the body where empty
	Body       jsontext.Value `json:"body"`       // what it lacks of header and account is filled in; what it has is kept
	Copies     int            `json:"copies"`     // 1 where 0
	Generation string         `json:"generation"` // A where empty; echo also speaks B
}

// Answer is what came back on one copy.
type Answer struct {
	Status int            `json:"status"`         // 0: no answer
	Body   jsontext.Value `json:"body"`           // decrypted and verified; null where there is none
	Error  string         `json:"error,omitzero"` // why there is no status or no body
}

// errOrder is a mistake of whoever gives the order.
var errOrder = errors.New("google")

const maxCopies = 1000

// Send seals and sends one request. Every copy has the same request id, and a timestamp and a seal of its own, as a repeat has
// (gsp-core §4.4).
func (g *Google) Send(ctx context.Context, o Order) ([]Answer, error) {
	if o.Generation == "" {
		o.Generation = "A"
	}
	body := map[string]jsontext.Value{}
	if len(o.Body) > 0 {
		if err := json.Unmarshal(o.Body, &body); err != nil {
			return nil, fmt.Errorf("%w: body is not a strict JSON object", errOrder)
		}
	}
	// A request goes to the wrong API where the order says so. An account that is not contracted has none.
	spoken := cmp.Or(g.apis[text(body["paymentIntegratorAccountId"])], g.apis[g.cfg.Accounts[0]])
	if o.API != "" {
		spoken = apis[o.API]
	}
	if spoken == nil {
		return nil, fmt.Errorf("%w: there is no API %q", errOrder, o.API)
	}
	method, known := spoken.sends[o.Method]
	path := method.address(o.Method, o.Generation)
	switch {
	case !known:
		return nil, fmt.Errorf("%w: there is no method %q in %s", errOrder, o.Method, spoken.name)
	case path == "":
		return nil, fmt.Errorf("%w: %s has no generation %q", errOrder, o.Method, o.Generation)
	case o.Copies < 0 || o.Copies > maxCopies:
		return nil, fmt.Errorf("%w: copies are 1 to %d", errOrder, maxCopies)
	}
	header, err := g.fill(body, o)
	if err != nil {
		return nil, err
	}
	about := method.exchange(body, header, o)
	g.mu.Lock()
	g.ask(about)
	g.mu.Unlock()

	answers := make([]Answer, max(o.Copies, 1))
	var copies sync.WaitGroup
	for i := range answers {
		copies.Go(func() {
			answers[i] = g.exchange(ctx, path, method, stamped(body, header, o.Generation, g.cfg.Now()), about)
		})
	}
	copies.Wait()
	return answers, nil
}

// fill adds the account, the version and the request id. It gives back the header, or nil where the body has one that is no object:
// that one goes out as it is.
func (g *Google) fill(body map[string]jsontext.Value, o Order) (map[string]jsontext.Value, error) {
	add := func(to map[string]jsontext.Value, name, value string) {
		if _, there := to[name]; !there {
			to[name] = jsontext.Value(value)
		}
	}
	account := strconv.Quote(g.cfg.Accounts[0])
	if o.Generation == "A" && o.Method != "echo" { // which names no account (Korea §4.7)
		add(body, "paymentIntegratorAccountId", account)
	}
	header := map[string]jsontext.Value{}
	if given, there := body["requestHeader"]; there && given.Kind() != '{' {
		return nil, nil
	} else if there {
		if err := json.Unmarshal(given, &header); err != nil {
			return nil, fmt.Errorf("%w: requestHeader is not a strict JSON object", errOrder)
		}
	}
	g.mu.Lock()
	g.serial++
	id := fmt.Sprintf("g%d-%d-%d", g.cfg.Seed, g.run, g.serial)
	g.mu.Unlock()
	add(header, "requestId", strconv.Quote(id))
	if o.Generation == "A" {
		add(header, "protocolVersion", `{"major":1,"minor":0,"revision":0}`)
	} else {
		add(header, "protocolVersion", `{"major":2}`)
		add(header, "paymentIntegratorAccountId", account)
	}
	return header, nil
}

// stamped is the request as one copy of it leaves.
func stamped(body, header map[string]jsontext.Value, generation string, now time.Time) map[string]jsontext.Value {
	if header == nil {
		return body
	}
	body, header = maps.Clone(body), maps.Clone(header)
	if _, there := header["requestTimestamp"]; !there {
		millis := strconv.Quote(strconv.FormatInt(now.UnixMilli(), 10))
		if generation == "B" {
			millis = `{"epochMillis":` + millis + `}`
		}
		header["requestTimestamp"] = jsontext.Value(millis)
	}
	body["requestHeader"], _ = json.Marshal(header, json.Deterministic(true)) // of values that were read before
	return body
}

// exchange is what the record will say about a request.
func (m method) exchange(body, header map[string]jsontext.Value, o Order) Exchange {
	account := body["paymentIntegratorAccountId"]
	if o.Generation == "B" {
		account = header["paymentIntegratorAccountId"]
	}
	micros, _ := strconv.ParseInt(text(body[m.amount]), 10, 64) // 0 where the request is bad on purpose
	e := Exchange{
		Method: o.Method, Account: text(account), RequestID: text(header["requestId"]), Reservation: text(body[m.reservation]),
		Capture: text(body[m.capture]), Currency: text(body[m.currency]), AmountMicros: micros,
	}
	if m.document {
		e.DocumentBytes, e.DocumentSHA256 = weigh(body["defenseMaterialDocument"])
	}
	return e
}

// weigh tells one document from another without keeping it. A payload that is no base64 is weighed as it stands.
func weigh(document jsontext.Value) (int, string) {
	var in struct {
		Payload jsontext.Value `json:"payload"`
	}
	if json.Unmarshal(document, &in) != nil || in.Payload == nil {
		return 0, ""
	}
	content := []byte(text(in.Payload))
	plain := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(string(content)) // every alphabet that Korea §4.6 allows
	if decoded, err := base64.RawURLEncoding.DecodeString(plain); err == nil {
		content = decoded
	}
	sum := sha256.Sum256(content)
	return len(content), hex.EncodeToString(sum[:])
}

// exchange sends one copy and records what came of it.
func (g *Google) exchange(ctx context.Context, path string, m method, body map[string]jsontext.Value, e Exchange) Answer {
	a := g.post(ctx, path, body)
	if e.Status = a.Status; a.Status == http.StatusOK && a.Body == nil {
		e.Status = 0 // who cannot be believed has decided nothing
	}
	if a.Body != nil {
		var in struct {
			Result    jsontext.Value `json:"result"`
			Code      string         `json:"errorResponseCode"`
			HeldUntil jsontext.Value `json:"reservationExpirationTimestamp"`
		}
		if err := json.Unmarshal(a.Body, &in); err != nil {
			a.Error = "the answer is not of the expected form"
		}
		e.Result, e.Code = text(in.Result), in.Code
		if millis, err := strconv.ParseInt(text(in.HeldUntil), 10, 64); err == nil {
			e.HeldUntil = time.UnixMilli(millis).UTC()
		}
		if m.pays && a.Status == http.StatusOK {
			if no := e.paidOut(a.Body); no != nil {
				a.Error = no.why
			}
		}
		e.Digest = digest(a.Body, "responseHeader")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e.At = g.cfg.Business()
	g.note(line{Exchange: &e})
	return a
}

// post believes only what is signed, of this minute, and strict JSON (gsp-core §5.5).
func (g *Google) post(ctx context.Context, path string, body map[string]jsontext.Value) Answer {
	failed := func(status int, why string) Answer { return Answer{Status: status, Error: why} }
	plain, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return failed(0, "the request cannot be written")
	}
	wire, err := g.box.Seal(plain)
	if err != nil {
		return failed(0, "the request cannot be sealed")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.cfg.Integrator+path, bytes.NewReader(wire))
	if err != nil {
		return failed(0, "the integrator's address is no address")
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := g.http.Do(req)
	if err != nil {
		return failed(0, "no answer")
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return failed(0, "the answer broke off")
	case len(text) == 0:
		return failed(resp.StatusCode, "the answer is empty")
	}
	opened, err := g.box.Open(ctx, text)
	if err != nil {
		return failed(resp.StatusCode, "the answer cannot be decrypted and verified")
	}
	var in struct {
		Header struct {
			Timestamp jsontext.Value `json:"responseTimestamp"`
		} `json:"responseHeader"`
	}
	if err := json.Unmarshal(opened.Plain, &in); err != nil {
		return failed(resp.StatusCode, "the answer is not a strict JSON object with a responseHeader")
	}
	if at, err := millis(in.Header.Timestamp); err != nil || !fresh(at, g.cfg.Now()) {
		return failed(resp.StatusCode, "responseTimestamp is more than 60 s away")
	}
	return Answer{Status: resp.StatusCode, Body: opened.Plain}
}

const (
	contentType = "application/octet-stream; charset=utf-8"
	maxBody     = 1 << 20
	maxOrder    = 48 << 20 // of an order to send: a defence may be above the integrator's limit (Korea §4.6)
)

// text is a string or a number as text, and nothing for anything else.
func text(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		plain, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(plain)
	case '0':
		return string(v)
	}
	return ""
}

// integer reads an int64, which is a string or, in older examples, a number (Korea §2.2). There is one spelling of each.
func integer(v jsontext.Value) (int64, bool) {
	plain := text(v)
	n, err := strconv.ParseInt(plain, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == plain
}

// millis reads a timestamp of either generation.
func millis(v jsontext.Value) (int64, error) {
	if v.Kind() == '{' {
		var in struct {
			Millis jsontext.Value `json:"epochMillis"`
		}
		if err := json.Unmarshal(v, &in); err != nil {
			return 0, err
		}
		v = in.Millis
	}
	return strconv.ParseInt(text(v), 10, 64)
}

// fresh is the window of both header timestamps, ends included (gsp-core §3.1).
func fresh(millis int64, now time.Time) bool {
	away := now.UnixMilli() - millis
	return -60_000 <= away && away <= 60_000
}

// digest is equal for two objects that differ in nothing but the order of members and the members left out.
func digest(object []byte, without ...string) string {
	members := map[string]jsontext.Value{}
	if err := json.Unmarshal(object, &members); err != nil {
		return ""
	}
	for _, name := range without {
		delete(members, name)
	}
	canonical, err := json.Marshal(members)
	if err == nil {
		err = (*jsontext.Value)(&canonical).Canonicalize()
	}
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16])
}
