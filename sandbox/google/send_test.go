package google

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/seal"
)

// reply is an integrator that answers 200 with these members.
func reply(members string) http.HandlerFunc {
	return answering(http.StatusOK, "integrator", members, 0)
}

// answering is an integrator that signs with the named key and whose clock is off by ms.
func answering(status int, signer, members string, ms int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		own, err := seal.ParseRing(made()[signer].private)
		if err != nil {
			panic(err)
		}
		peer, err := seal.ParseRing(made()["google"].public)
		if err != nil {
			panic(err)
		}
		box, err := seal.NewBox(seal.Config{Own: own, Peer: peer})
		if err != nil {
			panic(err)
		}
		head := fmt.Sprintf(`{"responseHeader":{"responseTimestamp":"%d"},`, time.Now().UnixMilli()+ms)
		wire, err := box.Seal([]byte(head + members[1:]))
		if err != nil {
			panic(err)
		}
		w.WriteHeader(status)
		_, _ = w.Write(wire)
	}
}

// heard keeps what an integrator was sent, opened.
type heard struct {
	mu    sync.Mutex
	paths []string
	plain []map[string]any
}

func (h *heard) then(t *testing.T, answer http.HandlerFunc) http.HandlerFunc {
	box, err := seal.NewBox(seal.Config{
		Own: ring(t, made()["integrator"].private), Peer: ring(t, made()["google"].public), Limits: seal.Limits{Wire: 4 << 20, Plain: 4 << 20},
	})
	must(t, err)
	return func(w http.ResponseWriter, r *http.Request) {
		wire, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		opened, err := box.Open(r.Context(), wire)
		if err != nil {
			panic(err)
		}
		var in map[string]any
		if err := json.Unmarshal(opened.Plain, &in); err != nil {
			panic(err)
		}
		h.mu.Lock()
		h.paths, h.plain = append(h.paths, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")), append(h.plain, in)
		h.mu.Unlock()
		answer(w, r)
	}
}

func TestSendFillsIn(t *testing.T) {
	const api, v1 = "/v1/payment-integrator-korea-cards-api/", `"protocolVersion":{"major":1,"minor":0,"revision":0}`
	var h heard
	s := meet(t, "", h.then(t, reply(`{"result":"SUCCESS","reservationExpirationTimestamp":"1795924798000"}`)))
	for i, c := range []struct{ order, path, want string }{
		{
			`{"method":"reserveFunds","body":{"amount":"12900000000","currencyCode":"KRW"}}`, api + "reserveFunds",
			`{"amount":"12900000000","currencyCode":"KRW","paymentIntegratorAccountId":"Test_KRW",` +
				`"requestHeader":{` + v1 + `,"requestId":"g7-1-1","requestTimestamp":"now"}}`,
		},
		{
			`{"method":"asynchronousCaptureFundsReservation","body":{"paymentIntegratorAccountId":"Other_KRW",` +
				`"requestHeader":{"requestId":"mine","requestTimestamp":"1","extra":true}}}`,
			api + "asynchronousCaptureFundsReservation",
			`{"paymentIntegratorAccountId":"Other_KRW","requestHeader":{"extra":true,` + v1 + `,"requestId":"mine","requestTimestamp":"1"}}`,
		},
		{
			`{"method":"echo","body":{"clientMessage":"안녕","requestHeader":{"requestId":null}}}`, "/v1/echo",
			`{"clientMessage":"안녕","requestHeader":{` + v1 + `,"requestId":null,"requestTimestamp":"now"}}`,
		},
		{
			`{"method":"echo","generation":"B","body":{"clientMessage":"hoi"}}`, "/v2/echo",
			`{"clientMessage":"hoi","requestHeader":{"paymentIntegratorAccountId":"Test_KRW","protocolVersion":{"major":2},` +
				`"requestId":"g7-1-4","requestTimestamp":{"epochMillis":"now"}}}`,
		},
		{
			`{"method":"asynchronousCancelFundsReservation","body":{"requestHeader":"no object"}}`,
			api + "asynchronousCancelFundsReservation",
			`{"paymentIntegratorAccountId":"Test_KRW","requestHeader":"no object"}`,
		},
	} {
		got := s.control("POST", "/send", c.order, http.StatusOK)
		if !strings.HasPrefix(got, `[{"status":200,"body":{"responseHeader":{"responseTimestamp":"`) || !strings.HasSuffix(got, `"}}]`) {
			t.Errorf("%s is answered %s", c.order, got)
		}
		if want := "POST " + c.path + " application/octet-stream; charset=utf-8"; h.paths[i] != want {
			t.Errorf("%s went to %s, want %s", c.order, h.paths[i], want)
		}
		header, _ := h.plain[i]["requestHeader"].(map[string]any)
		switch at := header["requestTimestamp"].(type) {
		case string:
			if v, err := millis(jsontext.Value(`"` + at + `"`)); err == nil && fresh(v, time.Now()) {
				header["requestTimestamp"] = "now"
			}
		case map[string]any:
			if v, err := millis(jsontext.Value(`"` + at["epochMillis"].(string) + `"`)); err == nil && fresh(v, time.Now()) {
				at["epochMillis"] = "now"
			}
		}
		text, err := json.Marshal(h.plain[i], json.Deterministic(true))
		must(t, err)
		if string(text) != c.want {
			t.Errorf("%s left as\n%s, want\n%s", c.order, text, c.want)
		}
	}
	exchanges, _ := s.google.Record()
	want := Exchange{
		Method: "reserveFunds", Account: piaid, RequestID: "g7-1-1", Currency: "KRW", AmountMicros: 12_900_000_000,
		Status: 200, Result: "SUCCESS",
		HeldUntil: time.UnixMilli(1795924798000).UTC(), At: exchanges[0].At, Digest: exchanges[0].Digest,
	}
	if exchanges[0] != want || want.Digest == "" {
		t.Errorf("the record says %+v, want %+v", exchanges[0], want)
	}
}

// Every method has its path, and the record keeps what a comparison needs of it: no card, no document (Korea §1.2, §4).
func TestSendEveryMethod(t *testing.T) {
	const (
		api     = "/v1/payment-integrator-korea-cards-api/"
		dispute = "/v1/payment-integrator-dispute-api/"
		pan     = "4111111111111111"
		card    = `"card":{"accountNumber":"` + pan + `","nameOnCard":"KIM","expiryMonth":"02","expiryYear":"30"},"pin":"93"`
		check   = card + `,"currencyCode":"KRW","transactionDescription":"GOOGLE*Card check","merchantCategoryCode":"5815"`
	)
	pdf := base64.StdEncoding.EncodeToString([]byte("%PDF-1.7" + strings.Repeat("evidence?>", 150_000))) // larger than any other message
	document := func(payload string) string {
		return `"captureRequestId":"c","defenseMaterialDocument":{"mimeType":"APPLICATION_PDF","payload":"` + payload + `"}`
	}
	const weight, sum = 1_500_008, "sum of the document"
	file := filepath.Join(t.TempDir(), "google.jsonl")
	var h heard
	s := meet(t, file, h.then(t, reply(`{"result":"DONE"}`)))
	cases := []struct {
		method, path, members string
		want                  Exchange
	}{
		{
			"reserveFunds", api, `"amount":"1000000","currencyCode":"KRW","accountDetails":{` + card + `}`,
			Exchange{AmountMicros: 1_000_000, Currency: "KRW"},
		},
		{
			"asynchronousCaptureFundsReservation", api, `"reservationRequestId":"r","amount":"1000000"`,
			Exchange{Reservation: "r", AmountMicros: 1_000_000},
		},
		{"asynchronousCancelFundsReservation", api, `"reservationRequestId":"r"`, Exchange{Reservation: "r"}},
		{"asynchronousRefund", api, `"captureRequestId":"c","refundAmount":"4000000"`, Exchange{Capture: "c", AmountMicros: 4_000_000}},
		{"verifyCardWithMinimumReservation", api, check, Exchange{Currency: "KRW"}},
		{"defendChargeback", dispute, document(pdf), Exchange{Capture: "c", DocumentBytes: weight, DocumentSHA256: sum}},
		{"defendChargeback", dispute, document("no base64!"), Exchange{Capture: "c", DocumentBytes: 10, DocumentSHA256: sum}},
		{"defendChargeback", dispute, `"defenseMaterialDocument":[]`, Exchange{}},
		{"echo", "/v1/", `"clientMessage":"hi"`, Exchange{}},
		{"verifyCardWithZeroAmount", api, card + `,"merchantCategoryCodeNotPresent":{}`, Exchange{}},
	}
	sent := map[string]bool{}
	for i, c := range cases {
		s.control("POST", "/send", `{"method":"`+c.method+`","body":{`+c.members+`}}`, http.StatusOK)
		if want := "POST " + c.path + c.method + " application/octet-stream; charset=utf-8"; h.paths[i] != want {
			t.Errorf("%s went to %s, want %s", c.method, h.paths[i], want)
		}
		exchanges, _ := s.google.Record()
		got := exchanges[i]
		switch raw := []byte("no base64!"); c.want.DocumentBytes {
		case weight:
			raw, _ = base64.StdEncoding.DecodeString(pdf)
			fallthrough
		case len(raw):
			c.want.DocumentSHA256 = fmt.Sprintf("%x", sha256.Sum256(raw))
		}
		c.want.Method, c.want.Status, c.want.Result = c.method, http.StatusOK, "DONE"
		c.want.At, c.want.RequestID, c.want.Digest = got.At, got.RequestID, got.Digest
		if c.method != "echo" {
			c.want.Account = piaid
		}
		if got != c.want || got.RequestID == "" {
			t.Errorf("%s is recorded as %+v, want %+v", c.method, got, c.want)
		}
		sent[c.method] = true
	}
	for method := range apis[koreaCards].sends {
		if !sent[method] {
			t.Errorf("%s has no row", method)
		}
	}
	kept, err := os.ReadFile(file)
	must(t, err)
	for _, secret := range []string{pan, "KIM", `"93"`, pdf[:100], "no base64!"} {
		if bytes.Contains(kept, []byte(secret)) {
			t.Errorf("%q stands in the record", secret)
		}
	}
}

func TestSendRefusesOrders(t *testing.T) {
	s := meet(t, "", reply(`{}`))
	for _, bad := range []string{
		`{"method":"refund"}`, `{"method":"reserveFunds","generation":"B"}`, `{"method":"echo","generation":"C"}`,
		`{"method":"echo","copies":-1}`,
		`{"method":"echo","copies":1001}`, `{"method":"echo","body":[]}`, `{"method":"echo","body":{"a":1,"a":1}}`,
		`{"method":"echo","copy":2}`, `{`, `{"method":"capture"}`, `{"method":"echo","api":"card-fop-v2"}`,
		`{"method":"verifyCardWithZeroAmount","body":{"paymentIntegratorAccountId":"Test_FOP"}}`,
	} {
		s.control("POST", "/send", bad, http.StatusBadRequest)
	}
	if exchanges, _ := s.google.Record(); len(exchanges) != 0 {
		t.Errorf("something left: %+v", exchanges)
	}
}

// Copies leave together, with one request id, each under a seal of its own.
func TestSendCopies(t *testing.T) {
	const copies = 5
	var h heard
	together := make(chan struct{})
	var arrived sync.WaitGroup
	arrived.Add(copies)
	go func() { arrived.Wait(); close(together) }()
	s := meet(t, "", h.then(t, func(w http.ResponseWriter, r *http.Request) {
		arrived.Done()
		<-together // nobody is answered before all are there
		reply(`{"result":"SUCCESS"}`)(w, r)
	}))
	answers, err := s.google.Send(t.Context(), Order{Method: "reserveFunds", Copies: copies})
	must(t, err)
	if len(answers) != copies || slices.ContainsFunc(answers, func(a Answer) bool { return a.Status != http.StatusOK }) {
		t.Errorf("answers are %+v", answers)
	}
	exchanges, _ := s.google.Record()
	if len(exchanges) != copies {
		t.Fatalf("%d exchanges", len(exchanges))
	}
	for i, m := range h.plain {
		if m["requestHeader"].(map[string]any)["requestId"] != "g7-1-1" {
			t.Errorf("copy %d is %v", i, m)
		}
		if exchanges[i].Digest != exchanges[0].Digest || exchanges[i].Digest == "" {
			t.Errorf("equal answers have the digests %q and %q", exchanges[0].Digest, exchanges[i].Digest)
		}
	}
}

// What Google believes of an answer, and what it does not (gsp-core §5.5).
func TestSendBelieves(t *testing.T) {
	for _, c := range []struct {
		why    string
		answer http.HandlerFunc
		want   string
		about  Exchange
	}{
		{
			"an error", answering(412, "integrator", `{"errorResponseCode":"IDEMPOTENCY_VIOLATION"}`, 0),
			`"status":412,"body":{"responseHeader"`,
			Exchange{Status: 412, Code: "IDEMPOTENCY_VIOLATION"},
		},
		{
			"an empty error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
			`"status":503,"body":null,"error":"the answer is empty"`,
			Exchange{Status: 503},
		},
		{
			"a stranger's signature", answering(200, "nobody", `{"result":"SUCCESS"}`, 0),
			`"status":200,"body":null,"error":"the answer cannot be decrypted`,
			Exchange{},
		},
		{
			"an old answer", answering(200, "integrator", `{"result":"SUCCESS"}`, -61_000),
			`"status":200,"body":null,"error":"responseTimestamp`,
			Exchange{},
		},
		{
			"text in the open", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("Sorry!")) },
			`"status":200,"body":null,"error":"the answer cannot`,
			Exchange{},
		},
		{
			"nobody", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			`"status":0,"body":null,"error":"no answer"`,
			Exchange{},
		},
		{
			"a redirect", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			},
			`"status":307,"body":null`,
			Exchange{Status: 307},
		},
	} {
		s := meet(t, "", c.answer)
		if got := s.control("POST", "/send", `{"method":"reserveFunds"}`, http.StatusOK); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.why, got)
		}
		exchanges, _ := s.google.Record()
		got := exchanges[0]
		if got.Status != c.about.Status || got.Result != c.about.Result || got.Code != c.about.Code {
			t.Errorf("%s is recorded as %+v, want %+v", c.why, got, c.about)
		}
	}
}

// A verdict may overtake the acknowledgement of its own request (Korea §8.5).
func TestVerdictInFlight(t *testing.T) {
	var s *side
	var got string
	s = meet(t, "", func(w http.ResponseWriter, r *http.Request) {
		got = s.tell(capturePath+"/"+piaid, notice("n1", captured("c1", "SUCCESS")))
		reply(`{"result":"ACKNOWLEDGED"}`)(w, r)
	})
	answers, err := s.google.Send(t.Context(), Order{
		Method: "asynchronousCaptureFundsReservation", Body: jsontext.Value(`{"requestHeader":{"requestId":"c1"}}`),
	})
	must(t, err)
	if got != "200 SUCCESS" || answers[0].Status != http.StatusOK {
		t.Errorf("the verdict got %q, the request %+v", got, answers)
	}
}
