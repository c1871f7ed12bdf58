package google

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/seal"
)

const (
	captureMethod = "captureFundsReservationResultNotification"
	cancelMethod  = "cancelFundsReservationResultNotification"
	capturePath   = "/v1/payment-integrator-korea-cards-api/" + captureMethod
	regularPath   = "/google-korea-cards-api/v1/" + captureMethod
	cancelPath    = "/google-korea-cards-api/v1/" + cancelMethod
	g1            = capturePath + "/" + piaid
	g2            = cancelPath + "/" + piaid
	piaid         = "Test_KRW"
	shop          = "Test_FOP" // of Card FOP, in several currencies
	rewards       = "Test_INR" // pays out
)

// pair is a private key and its public half, made once for all tests.
type pair struct{ private, public []byte }

var made = sync.OnceValue(func() map[string]pair {
	all := map[string]pair{}
	var mu sync.Mutex
	var work sync.WaitGroup
	for _, name := range []string{"google", "integrator", "nobody"} {
		work.Go(func() {
			private, public, err := seal.GenerateKey(seal.KeyOptions{Name: name, Now: time.Now().Add(-time.Hour)})
			if err != nil {
				panic(err)
			}
			mu.Lock()
			all[name] = pair{private, public}
			mu.Unlock()
		})
	}
	work.Wait()
	return all
})

func ring(t *testing.T, block []byte) *seal.Ring {
	t.Helper()
	r, err := seal.ParseRing(block)
	must(t, err)
	return r
}

// side is the other end: an integrator that a test plays.
type side struct {
	t      *testing.T
	google *Google
	box    *seal.Box
	base   string // of what Google hosts
	http   *http.Client
}

// meet starts a Google in front of an integrator that answers as the test says.
func meet(t *testing.T, file string, answer http.HandlerFunc) *side {
	t.Helper()
	box, err := seal.NewBox(seal.Config{Own: ring(t, made()["integrator"].private), Peer: ring(t, made()["google"].public)})
	must(t, err)
	integrator := httptest.NewTLSServer(answer)
	t.Cleanup(integrator.Close)
	roots := x509.NewCertPool()
	roots.AddCert(integrator.Certificate())
	g, err := New(Config{
		Integrator: integrator.URL, Roots: roots, Keys: ring(t, made()["google"].private), Peer: ring(t, made()["integrator"].public),
		Accounts: []string{piaid, "Other_KRW", shop, rewards}, APIs: map[string]string{shop: cardFOP, rewards: payouts},
		BasePath: "/secure-serving/gsp", Now: time.Now,
		Business: func() time.Time { return time.Now().UTC().Round(0) }, Seed: 7, File: file,
	})
	must(t, err)
	server := httptest.NewTLSServer(g)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		must(t, g.Close())
	})
	return &side{t, g, box, server.URL + "/secure-serving/gsp", server.Client()}
}

// post sends bytes to Google. Status 0 is no answer.
func (s *side) post(path string, wire []byte) (int, []byte) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path, bytes.NewReader(wire))
	must(s.t, err)
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return resp.StatusCode, body
}

// tell seals a message for Google and says what came back: the status, and the result or the error code.
func (s *side) tell(path, message string) string {
	s.t.Helper()
	wire, err := s.box.Seal([]byte(message))
	must(s.t, err)
	status, body := s.post(path, wire)
	opened, err := s.box.Open(s.t.Context(), body)
	if err != nil {
		return fmt.Sprintf("%d unsealed %d bytes", status, len(body))
	}
	var in struct {
		Header struct {
			At jsontext.Value `json:"responseTimestamp"`
		} `json:"responseHeader"`
		Result jsontext.Value `json:"result"`
		Code   string         `json:"errorResponseCode"`
		Newer  jsontext.Value `json:"errorResponseResult"`
		Echo   string         `json:"clientMessage"`
	}
	must(s.t, json.Unmarshal(opened.Plain, &in))
	late := ""
	if newer := in.Newer != nil || in.Result.Kind() == '{'; newer != (in.Header.At.Kind() == '{') {
		late = " of two generations"
	}
	if at, err := millis(in.Header.At); err != nil || !fresh(at, time.Now()) {
		late = " stale"
	}
	said := text(in.Result) + in.Code + in.Echo + string(in.Newer)
	if in.Result.Kind() == '{' {
		said = string(in.Result)
	}
	return fmt.Sprintf("%d %s%s", status, said, late)
}

// notice is a message of the integrator; changes replace members of the top level, "-" leaves one out.
func notice(id string, changes map[string]string) string {
	members := map[string]string{
		"requestHeader": fmt.Sprintf(`{"requestId":%q,"requestTimestamp":"%d","protocolVersion":{"major":1,"minor":0,"revision":0}}`,
			id, time.Now().UnixMilli()),
		"paymentIntegratorAccountId": strconv.Quote(piaid),
	}
	maps.Copy(members, changes)
	var parts []string
	for name, value := range members {
		if value != "-" {
			parts = append(parts, strconv.Quote(name)+":"+value)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func captured(subject, verdict string) map[string]string {
	return map[string]string{
		"captureFundsReservationRequestId": strconv.Quote(subject), "captureFundsReservationResult": strconv.Quote(verdict),
	}
}

func cancelled(subject, verdict string) map[string]string {
	return map[string]string{
		"cancelFundsReservationRequestId": strconv.Quote(subject), "cancelFundsReservationResult": strconv.Quote(verdict),
	}
}

// bad is a verdict with another header.
func bad(header string) string {
	return notice("", with(captured("c", "SUCCESS"), "requestHeader", header))
}

func with(members map[string]string, name, value string) map[string]string {
	members[name] = value
	return members
}

func TestNotifications(t *testing.T) {
	s := meet(t, "", func(http.ResponseWriter, *http.Request) {})
	s.google.ask(Exchange{Account: piaid, RequestID: "our-cancel", Method: "asynchronousCancelFundsReservation"})
	now := func(ms int64) string { return strconv.FormatInt(time.Now().UnixMilli()+ms, 10) }
	const version = `"protocolVersion":{"major":1,"minor":9,"revision":9}`
	for _, c := range []struct{ why, path, message, want string }{
		{"a first verdict", g1, notice("n1", captured("a", "SUCCESS")), "200 SUCCESS"},
		{"again", g1, notice("n1", captured("a", "SUCCESS")), "200 SUCCESS"},
		{"the same verdict, another id, the regular path", regularPath + "/" + piaid, notice("n2", captured("a", "SUCCESS")), "200 SUCCESS"},
		{"another verdict", g1, notice("n3", captured("a", "RESERVATION_EXPIRED")), "400 PRECONDITION_VIOLATION"},
		{"an id with other content", g1, notice("n1", captured("b", "SUCCESS")), "412 IDEMPOTENCY_VIOLATION"},
		{"an id with another method", g2, notice("n1", cancelled("a", "SUCCESS")), "412 IDEMPOTENCY_VIOLATION"},
		{"a refused id with better content", g1, notice("n3", captured("e", "RESERVATION_EXPIRED")), "200 SUCCESS"},
		{
			"the same id of another account", capturePath + "/Other_KRW",
			notice("n1", with(captured("z", "SUCCESS"), "paymentIntegratorAccountId", `"Other_KRW"`)), "200 SUCCESS",
		},
		{"an id of another kind", g1, notice("n4", captured("our-cancel", "SUCCESS")), "404 INVALID_IDENTIFIER"},
		{"the right kind", g2, notice("n5", cancelled("our-cancel", "SUCCESS")), "200 SUCCESS"},
		{"a word that is no verdict", g2, notice("n6", cancelled("x", "MAYBE")), "400 INVALID_FIELD_VALUE"},
		{"no verdict", g1, notice("n7", map[string]string{"captureFundsReservationRequestId": `"x"`}), "400 MISSING_REQUIRED_FIELD"},
		{
			"no subject", g1, notice("n8", map[string]string{"captureFundsReservationResult": `"SUCCESS"`}),
			"400 MISSING_REQUIRED_FIELD",
		},
		{"the account of another", capturePath + "/Other_KRW", notice("n9", captured("x", "SUCCESS")), "400 INVALID_FIELD_VALUE"},
		{
			"no account", g1, notice("n10", with(captured("x", "SUCCESS"), "paymentIntegratorAccountId", "-")),
			"400 MISSING_REQUIRED_FIELD",
		},
		{"an unknown account in the address", capturePath + "/Nobody_KRW", notice("n11", captured("x", "SUCCESS")), "404 unsealed 43 bytes"},
		{"an unknown method", "/google-korea-cards-api/v1/refund/" + piaid, notice("n12", captured("x", "SUCCESS")), "404 unsealed 0 bytes"},
		{"no header", g1, bad("-"), "400 MISSING_REQUIRED_FIELD"},
		{"no id", g1, bad(`{"requestTimestamp":"` + now(0) + `",` + version + `}`), "400 MISSING_REQUIRED_FIELD"},
		{"no time", g1, bad(`{"requestId":"x",` + version + `}`), "400 MISSING_REQUIRED_FIELD"},
		{"no version", g1, bad(`{"requestId":"x","requestTimestamp":"` + now(0) + `"}`), "400 MISSING_REQUIRED_FIELD"},
		{
			"another version", g1,
			bad(`{"requestId":"x","requestTimestamp":"` + now(0) + `","protocolVersion":{"major":2}}`), "400 INVALID_API_VERSION",
		},
		{"a bad id", g1, bad(`{"requestId":"a b","requestTimestamp":"` + now(0) + `",` + version + `}`), "400 INVALID_FIELD_VALUE"},
		{
			"an old message", g1, bad(`{"requestId":"x","requestTimestamp":"` + now(-70_000) + `",` + version + `}`),
			"400 REQUEST_TIMESTAMP_OUT_OF_RANGE",
		},
		{
			"a message from the future", g1, bad(`{"requestId":"x","requestTimestamp":` + now(70_000) + `,` + version + `}`),
			"400 REQUEST_TIMESTAMP_OUT_OF_RANGE",
		},
		{"loose JSON", g1, `{"a":1,"a":2}`, "400 INVALID_DECRYPTED_REQUEST"},
		{
			"echo, with the account in the address only", "/v1/echo/" + piaid,
			notice("n20", map[string]string{"paymentIntegratorAccountId": "-", "clientMessage": `"안녕 1"`}), "200 안녕 1",
		},
		{"echo of nothing", "/v1/echo/" + piaid, notice("n21", nil), "400 MISSING_REQUIRED_FIELD"},
	} {
		if got := s.tell(c.path, c.message); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
	want := []Verdict{
		{Method: captureMethod, Account: piaid, Subject: "a", Result: "SUCCESS"},
		{Method: captureMethod, Account: piaid, Subject: "e", Result: "RESERVATION_EXPIRED"},
		{Method: captureMethod, Account: "Other_KRW", Subject: "z", Result: "SUCCESS"},
		{Method: cancelMethod, Account: piaid, Subject: "our-cancel", Result: "SUCCESS"},
	}
	_, got := s.google.Record()
	for i := range got {
		got[i].At = time.Time{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the verdicts are\n%+v, want\n%+v", got, want)
	}
}

func TestStrangers(t *testing.T) {
	s := meet(t, "", func(http.ResponseWriter, *http.Request) {})
	stranger, err := seal.NewBox(seal.Config{Own: ring(t, made()["nobody"].private), Peer: ring(t, made()["google"].public)})
	must(t, err)
	forged, err := stranger.Seal([]byte(notice("n", captured("a", "SUCCESS"))))
	must(t, err)
	for why, wire := range map[string][]byte{"a signature that nobody knows": forged, "no message": []byte("hello"), "nothing": nil} {
		status, body := s.post(g1, wire)
		if status != http.StatusNotFound || !bytes.HasPrefix(body, []byte("An error occurred")) {
			t.Errorf("%s: %d %q", why, status, body)
		}
	}
	if resp, err := s.http.Get(s.base + g1); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v %v", resp, err)
	}
	if status, _ := s.post(g1, make([]byte, maxBody+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large: %d", status)
	}
	if list := s.received(); len(list) != 0 {
		t.Errorf("strangers stand in the record: %v", list)
	}
}

// received asks the control port.
func (s *side) received() (list []map[string]any) {
	s.t.Helper()
	must(s.t, json.Unmarshal([]byte(s.control("GET", "/received", "", http.StatusOK)), &list))
	return list
}

func (s *side) control(method, path, body string, status int) string {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.google.Control().ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body)))
	if w.Code != status {
		s.t.Errorf("%s %s %s: %d %s, want %d", method, path, body, w.Code, w.Body, status)
	}
	return strings.TrimSpace(w.Body.String())
}

// Every fault, what the integrator sees of it, and whether the verdict was taken all the same.
func TestFaults(t *testing.T) {
	s := meet(t, "", func(http.ResponseWriter, *http.Request) {})
	cases := []struct {
		action, sees string
		taken        bool
	}{
		{"drop", "0 unsealed 0 bytes", false},
		{"hang", "0 unsealed 0 bytes", false},
		{"500", "500 unsealed 0 bytes", false},
		{"503", "503 unsealed 0 bytes", false},
		{"404-empty", "404 unsealed 0 bytes", false},
		{"not offered", "404 unsealed 0 bytes", false},
		{"generic text", "404 unsealed 43 bytes", false},
		{"INVALID_IDENTIFIER", "404 INVALID_IDENTIFIER", false},
		{"delay", "200 SUCCESS", true},
		{"drop-answer", "0 unsealed 0 bytes", true},
		{"bad signature", "200 unsealed", true},
		{"stale timestamp", "200 SUCCESS stale", true},
		{"garbage", "200 unsealed 400 bytes", true},
	}
	tested := map[string]bool{}
	for i, c := range cases {
		tested[named(c.action)] = true
		rule := fmt.Sprintf(`{"method":%q,"action":%q,"times":1,"delay_ms":1}`, captureMethod, c.action)
		s.control("POST", "/faults", rule, http.StatusOK)
		id := "c" + strconv.Itoa(i)
		if got := s.tell(g2, notice("x"+id, cancelled("x"+id, "SUCCESS"))); got != "200 SUCCESS" {
			t.Errorf("%s is for another method, which sees %q", c.action, got)
		}
		if c.action == "hang" {
			s.http.Timeout = 100 * time.Millisecond
		}
		got := s.tell(g1, notice("n"+id, captured(id, "SUCCESS")))
		s.http.Timeout = 0
		if !strings.HasPrefix(got, c.sees) {
			t.Errorf("%s: the integrator sees %q, want %q", c.action, got, c.sees)
		}
		s.google.mu.Lock()
		_, taken := s.google.record.byVerdict[subject{captureMethod, piaid, id}]
		s.google.mu.Unlock()
		if taken != c.taken {
			t.Errorf("%s: taken is %v", c.action, taken)
		}
		if got := s.tell(g1, notice("n"+id, captured(id, "SUCCESS"))); got != "200 SUCCESS" {
			t.Errorf("after %s, the repeat sees %q", c.action, got)
		}
	}
	for name := range faults {
		if !tested[name] {
			t.Errorf("%s has no row", name)
		}
	}
	if got, want := len(s.received()), 3*len(cases); got != want {
		t.Errorf("%d messages are recorded, want %d: every one that could be read", got, want)
	}
}

func TestFaultRules(t *testing.T) {
	s := meet(t, "", func(http.ResponseWriter, *http.Request) {})
	for _, bad := range []string{
		`{"action":"dance"}`, `{"action":"500","times":-1}`, `{"action":"500","method":"reserveFunds"}`, `{"action":"500","time":1}`,
		`[null]`, `7`, ``,
	} {
		s.control("POST", "/faults", bad, http.StatusBadRequest)
	}
	if got := s.control("GET", "/faults", "", http.StatusOK); got != "[]" {
		t.Errorf("there are rules: %s", got)
	}
	s.control("POST", "/faults", `{"method":"*","action":"Bad_Signature"}`, http.StatusOK)
	s.control("POST", "/faults", `{"action":"503","times":2}`, http.StatusOK)
	const first, second = `{"method":"*","action":"bad-signature","times":0,"delay_ms":0,"used":0}`,
		`{"method":"","action":"503","times":2,"delay_ms":0,"used":0}`
	if got := s.control("GET", "/faults", "", http.StatusOK); got != "["+first+","+second+"]" {
		t.Errorf("the rules are %s", got)
	}
	if got := s.control("POST", "/faults", `[{"action":"503","times":2}]`, http.StatusOK); got != "["+second+"]" {
		t.Errorf("a list replaces all: %s", got)
	}
	for _, want := range []string{"503 unsealed", "503 unsealed", "200 hi"} {
		echo := notice("e", map[string]string{"clientMessage": `"hi"`})
		if got := s.tell("/v1/echo/"+piaid, echo); !strings.HasPrefix(got, want) {
			t.Errorf("two times: %q, want %q", got, want)
		}
	}
	if got := s.control("POST", "/faults", `[]`, http.StatusOK); got != "[]" {
		t.Errorf("the empty list clears: %s", got)
	}
	s.control("POST", "/faults", `{"action":"500"}`, http.StatusOK)
	if got := s.control("DELETE", "/faults", "", http.StatusOK); got != "[]" {
		t.Errorf("DELETE clears: %s", got)
	}
}

// A Google that was stopped knows afterwards what it knew: verdicts stay fixed, ids stay taken, and a line cut off by death does no harm.
func TestRecordSurvives(t *testing.T) {
	file := filepath.Join(t.TempDir(), "google.jsonl")
	first := meet(t, file, reply(`{"result":"SUCCESS"}`))
	first.tell(g1, notice("n1", captured("a", "SUCCESS")))
	body := jsontext.Value(`{"requestHeader":{"requestId":"r1"}}`)
	answers, err := first.google.Send(t.Context(), Order{Method: "reserveFunds", Body: body})
	must(t, err)
	if len(answers) != 1 || answers[0].Status != http.StatusOK {
		t.Fatalf("answers are %+v", answers)
	}
	must(t, first.google.Close())
	torn, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = torn.WriteString(`{"verdict":{"meth`)
	must(t, err)
	must(t, torn.Close())
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}

	second := meet(t, file, reply(`{"result":"SUCCESS"}`))
	if got := second.tell(g1, notice("n2", captured("a", "RESERVATION_EXPIRED"))); got != "400 PRECONDITION_VIOLATION" {
		t.Errorf("a fixed verdict is not fixed any more: %s", got)
	}
	if got := second.tell(g1, notice("n1", captured("b", "SUCCESS"))); got != "412 IDEMPOTENCY_VIOLATION" {
		t.Errorf("a taken id is free again: %s", got)
	}
	if got := second.tell(g1, notice("n3", captured("r1", "SUCCESS"))); got != "404 INVALID_IDENTIFIER" {
		t.Errorf("a request of another kind is forgotten: %s", got)
	}
	if got := len(second.received()); got != 4 {
		t.Errorf("%d messages are remembered, want 4", got)
	}
	before, _ := first.google.Record()
	after, _ := second.google.Record()
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the exchanges are %+v, were %+v", after, before)
	}
	if first.google.run == second.google.run {
		t.Error("two runs would make up the same request ids")
	}
}

// An account and an API that do not fit are a mistake that would otherwise show as an unknown account.
func TestContractsThatAreNone(t *testing.T) {
	for account, api := range map[string]string{"Nobody": cardFOP, piaid: "cards-of-tomorrow"} {
		_, err := New(Config{Accounts: []string{piaid}, APIs: map[string]string{account: api}})
		if err == nil || !strings.Contains(err.Error(), account) || !strings.Contains(err.Error(), api) {
			t.Errorf("%s with %s: %v", account, api, err)
		}
	}
}

func TestRecordRefusesRubbish(t *testing.T) {
	file := filepath.Join(t.TempDir(), "google.jsonl")
	must(t, os.WriteFile(file, []byte("{}\nno line\n{}\n"), 0o600))
	_, err := New(Config{
		Keys: ring(t, made()["google"].private), Peer: ring(t, made()["integrator"].public), Accounts: []string{piaid}, Now: time.Now, File: file,
	})
	if err == nil || !strings.Contains(err.Error(), "byte 3 begins a line") {
		t.Errorf("got %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
