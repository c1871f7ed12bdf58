// Package gsptest is what the tests of all GSP APIs need: their sheets' examples, an engine that only listens, and a Google that only
// answers.
package gsptest

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"encoding/xml"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/seal"
)

// Golden reads one of the sheet's examples without the members that are the envelope's.
func Golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return Canonical(t, text, "requestHeader", "responseHeader", "paymentIntegratorAccountId")
}

// Canonical is a JSON object in one order of its members, and without some of them.
func Canonical(t testing.TB, text []byte, without ...string) []byte {
	t.Helper()
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range without {
		delete(members, name)
	}
	out, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	v := jsontext.Value(out)
	if err := v.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return v
}

// RoundTrip sends an example through its wire type and back.
func RoundTrip(t *testing.T, name string, into any) {
	t.Helper()
	want := Golden(t, name)
	if err := gsp.Decode(want, into); err != nil {
		t.Fatal(err)
	}
	again, err := gsp.Encode(into)
	if err != nil {
		t.Fatal(err)
	}
	if got := Canonical(t, again); !bytes.Equal(got, want) {
		t.Errorf("%s: got  %s\nwant %s", name, got, want)
	}
}

// Edits replace members of an example, named by their paths.
type Edits = map[string]any

// Absent deletes a member.
var Absent = new(int)

// Edited is an example with members replaced.
func Edited(t testing.TB, name string, edits Edits) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(Golden(t, name), &doc); err != nil {
		t.Fatal(err)
	}
	for path, value := range edits {
		at, steps := doc, strings.Split(path, ".")
		for _, step := range steps[:len(steps)-1] {
			if at[step] == nil {
				at[step] = map[string]any{}
			}
			at = at[step].(map[string]any)
		}
		if last := steps[len(steps)-1]; value == Absent {
			delete(at, last)
		} else {
			at[last] = value
		}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Engine stands in for the engine: it remembers what it was asked and answers, or fails as it is told.
type Engine struct {
	Asked  []string
	Fail   error
	In     money.Currency // of payments that the wire does not repeat
	Result engine.ReserveResult

	Reserved engine.ReserveAsk // the last of each kind
	Captured engine.CaptureAsk
	Released engine.CancelAsk
	Refunded engine.RefundAsk
	Defended engine.DefendAsk
}

func (e *Engine) heard(format string, args ...any) error {
	e.Asked = append(e.Asked, fmt.Sprintf(format, args...))
	return e.Fail
}

// Reserve answers with Result, or with what was decided without the network.
func (e *Engine) Reserve(_ context.Context, _ engine.Turn, ask engine.ReserveAsk) ([]byte, error) {
	e.Reserved = ask
	r := e.Result
	if ask.Decided != nil {
		r.Outcome = *ask.Decided
	}
	if err := e.heard("reserve%s %s decided=%v", ask.Order.Purpose, ask.Order.Amount, ask.Decided != nil); err != nil {
		return nil, err
	}
	return ask.Encode(r)
}

// Capture takes every capture over.
func (e *Engine) Capture(_ context.Context, _ engine.Turn, ask engine.CaptureAsk) ([]byte, error) {
	e.Captured = ask
	amount, err := ask.Amount(e.In)
	if err != nil {
		return nil, err
	}
	if err := e.heard("capture %s of %s", amount, ask.Reservation.RequestID); err != nil {
		return nil, err
	}
	return ask.Encode("c-1")
}

// Cancel takes every cancel over.
func (e *Engine) Cancel(_ context.Context, _ engine.Turn, ask engine.CancelAsk) ([]byte, error) {
	e.Released = ask
	if err := e.heard("cancel %s", ask.Reservation.RequestID); err != nil {
		return nil, err
	}
	return ask.Encode()
}

// Refund takes every refund over.
func (e *Engine) Refund(_ context.Context, _ engine.Turn, ask engine.RefundAsk) ([]byte, error) {
	e.Refunded = ask
	amount, err := ask.Amount(e.In)
	if err != nil {
		return nil, err
	}
	if err := e.heard("refund %s of %s", amount, ask.Capture.RequestID); err != nil {
		return nil, err
	}
	return ask.Encode("f-1")
}

// Defend takes every readable document over.
func (e *Engine) Defend(_ context.Context, _ engine.Turn, ask engine.DefendAsk) ([]byte, error) {
	e.Defended = ask
	if err := e.heard("defend %s with %d bytes", ask.Capture.RequestID, len(ask.Document)); err != nil {
		return nil, err
	}
	if ask.Document == nil {
		return ask.Encode(engine.DefenceUnreadable)
	}
	return ask.Encode(engine.DefenceTaken)
}

// Call decodes a message and hands it to a method, as the envelope does.
func Call[T any](
	t testing.TB, call gsp.Call, method func(context.Context, gsp.Call, engine.Turn, T) ([]byte, error), body []byte,
) ([]byte, error) {
	t.Helper()
	var in T
	if err := gsp.Decode(body, &in); err != nil {
		return nil, err
	}
	return method(t.Context(), call, engine.Turn{}, in)
}

// plainBox seals nothing: sealing has its own tests.
type plainBox struct{}

func (plainBox) Open(_ context.Context, wire []byte) (seal.Opened, error) {
	return seal.Opened{Plain: wire}, nil
}
func (plainBox) Seal(plain []byte) ([]byte, error) { return plain, nil }

// everyTime runs each request as a new one: idempotency has its own tests.
type everyTime struct{}

func (everyTime) Once(ctx context.Context, _ engine.Request, fn func(context.Context, engine.Turn) ([]byte, error)) ([]byte, error) {
	return fn(ctx, engine.Turn{})
}

// Accounts are the accounts of a server, by id.
type Accounts map[string]engine.Account

// Account finds one.
func (a Accounts) Account(id string) (engine.Account, bool) {
	found, ok := a[id]
	return found, ok
}

// Server is a real envelope behind a real listener, at one moment.
type Server struct {
	URL string
	now time.Time
}

// Serve puts APIs behind a server.
func Serve(t *testing.T, now time.Time, accounts Accounts, apis ...gsp.API) Server {
	t.Helper()
	clock := func() time.Time { return now }
	server := gsp.NewServer(gsp.Config{
		Box: plainBox{}, Idempotency: everyTime{}, Accounts: accounts, Now: clock, Business: clock, Log: slog.New(slog.DiscardHandler),
		NewID: func() string { return "e-1" }, Deadline: time.Minute, // the largest documents under the race detector
	})
	for _, api := range apis {
		server.Serve(api)
	}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	return Server{listener.URL, now}
}

// Post sends members to a path, in the name of an account unless that is empty. The answer comes without its header.
func (s Server) Post(t *testing.T, path, account, members string) (int, string) {
	t.Helper()
	body := fmt.Sprintf(`{"requestHeader":{"protocolVersion":{"major":1,"minor":0,"revision":0},"requestId":"q-1","requestTimestamp":"%d"},`,
		s.now.UnixMilli())
	if account != "" {
		body += `"paymentIntegratorAccountId":"` + account + `",`
	}
	if members == "{}" {
		body = strings.TrimSuffix(body, ",")
	}
	resp, err := http.Post(s.URL+path, "application/octet-stream", strings.NewReader(body+members[1:]))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer) == 0 {
		return resp.StatusCode, ""
	}
	rest, ok := strings.CutPrefix(string(answer), fmt.Sprintf(`{"responseHeader":{"responseTimestamp":"%d"},`, s.now.UnixMilli()))
	if !ok {
		t.Errorf("the answer has no header: %s", answer)
	}
	return resp.StatusCode, rest
}

// Google answers as it is told and remembers what it was told.
type Google struct {
	Answers []gsp.Reply // the last of them for ever
	Heard   []gsp.Message
}

// Call is one call.
func (g *Google) Call(_ context.Context, m gsp.Message) gsp.Reply {
	g.Heard = append(g.Heard, m)
	r := g.Answers[0]
	if len(g.Answers) > 1 {
		g.Answers = g.Answers[1:]
	}
	return r
}

// Says is a Google that answers every call with one word.
func Says(result string) *Google { return &Google{Answers: []gsp.Reply{Answered(result)}} }

// Answered is an answer of Google's that came.
func Answered(result string) gsp.Reply {
	return gsp.Reply{Class: gsp.Delivered, Status: 200, Body: []byte(`{"responseHeader":{"responseTimestamp":"1"},"result":"` + result + `"}`)}
}

// Constants reads a type's constants from the domain's source: a new one must not be forgotten in a table.
func Constants(t *testing.T, path, typ string) (list []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := v.Type.(*ast.Ident); ok && name.Name == typ && len(v.Values) == 1 {
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, text)
		}
		return true
	})
	if len(list) < 3 {
		t.Fatalf("%s: found %d constants of %s", path, len(list), typ)
	}
	return list
}

// Reasons are the domain's reasons for a decline.
func Reasons(t *testing.T) (list []payment.Reason) {
	t.Helper()
	for _, why := range Constants(t, "../../../core/payment/answer.go", "Reason") {
		list = append(list, payment.Reason(why))
	}
	if len(list) < 29 {
		t.Fatalf("found %d reasons only", len(list))
	}
	return list
}

// Prints shows values in every way we can think of.
func Prints(values []any, verbs ...string) string {
	var out strings.Builder
	text := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	object := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	for _, v := range values {
		for _, verb := range append(verbs, "%v", "%+v", "%#v", "%s", "%q", "%x", "%X") {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", v))
		text.Info("call", "body", v)
		object.Info("call", "body", v)
		if text, err := stdjson.Marshal(v); err == nil {
			out.Write(text)
		}
		if text, err := xml.Marshal(v); err == nil {
			out.Write(text)
		}
	}
	return regexp.MustCompile(`(?i)0x[0-9a-f]+|c[0-9a-f]{9}`).ReplaceAllString(out.String(), "address")
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
