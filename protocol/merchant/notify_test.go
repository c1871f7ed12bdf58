package merchant

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/payout"
	"naru/engine"
	"naru/outbox"
)

var (
	depositNotice = engine.Notice{ID: "ntf-1", Kind: engine.DepositResult, Account: us, Facts: engine.Facts{OwnID: "order-1"}}
	payoutNotice  = engine.Notice{ID: "ntf-2", Kind: engine.TransferResult, Account: us, Facts: engine.Facts{OwnID: "payout-1"}}
)

// shop is a merchant that listens.
type shop struct {
	*httptest.Server
	heard chan heard
}

type heard struct {
	body   string
	header http.Header
}

func newShop(t *testing.T, answer http.HandlerFunc) *shop {
	s := &shop{heard: make(chan heard, 1)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.heard <- heard{string(body), r.Header}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func newTeller(t *testing.T, e *fakeEngine, p Profile, change ...func(*NotifierConfig)) *Notifier {
	t.Helper()
	cfg := NotifierConfig{Engine: e, Merchants: map[string]Profile{us: p}, Private: true, Now: func() time.Time { return start }}
	for _, c := range change {
		c(&cfg)
	}
	n, err := NewNotifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// owing is an engine whose order and payout are told to a shop.
func owing(to, signType string) *fakeEngine {
	e := newEngine()
	o, m := paidOrder(), paidPayout()
	o.NotifyURL, m.NotifyURL, o.SignType, m.SignType = to, to, signType, signType
	e.orders[o.ClientID], e.payouts[m.RequestID] = o, m
	e.payers[o.ID] = deposit.Payer{Name: card.Conceal("김하늘")}
	return e
}

// V3 and V6 with whole won, in both algorithms, with and without what merchants may wish for (§7, §10).
func TestNotifications(t *testing.T) {
	dep := `"payment_id":"PM00000451","payment_cl_id":"KRW-20260101-0001","platform_id":"PF0901","amount":3000000,"real_amount":2990000,
		"fee":23900,"status":2,"create_time":1767225601,"update_time":1767225733`
	named, moved := dep+`,"payment_cl_name":"김하늘"`, `,"real_amount":5000000`
	out := `"payout_id":"POT00000088","payout_cl_id":"WD-20260101-0001","platform_id":"PF0901","amount":5000000,"fee":100000,"status":3,
		"create_time":1767225601,"update_time":1767226001`
	for name, c := range map[string]struct {
		profile  Profile
		notice   engine.Notice
		signType string
		want     string
	}{
		"deposit, MD5":           {Profile{}, depositNotice, "MD5", dep + `,"sign":"` + md5Of(dep) + `"`},
		"deposit, nothing said":  {Profile{}, depositNotice, "", dep + `,"sign":"` + md5Of(dep) + `"`},
		"deposit, HMAC":          {Profile{}, depositNotice, "HMAC-SHA256", dep + `,"sign_type":"HMAC-SHA256","sign":"` + hmacOf(dep) + `"`},
		"deposit with name":      {Profile{PayerName: true}, depositNotice, "MD5", named + `,"sign":"` + md5Of(named) + `"`},
		"payout, MD5":            {Profile{}, payoutNotice, "MD5", out + `,"sign":"ef460565a20febf7abd7a7f534099dd8"`},
		"payout, HMAC":           {Profile{}, payoutNotice, "HMAC-SHA256", out + `,"sign_type":"HMAC-SHA256","sign":"` + hmacOf(out) + `"`},
		"payout and real_amount": {Profile{RealAmount: true}, payoutNotice, "MD5", out + moved + `,"sign":"` + md5Of(out+moved) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, says(200, `{"error_code":"0000","message":"ok"}`))
			e := owing(s.URL, c.signType)
			r := newTeller(t, e, c.profile).Send(t.Context(), c.notice)
			if want := (outbox.Result{Class: outbox.Delivered, Status: 200, Word: "0000"}); r != want {
				t.Fatalf("%+v", r)
			}
			h := <-s.heard
			same(t, []byte(h.body), "{"+c.want+"}")
			if h.header.Get("Content-Type") != "application/json;charset=utf-8" || h.header.Get("Webhook-Id") != "" {
				t.Errorf("%v", h.header)
			}
		})
	}
}

func md5Of(members string) string  { return signatureOf(members, MD5) }
func hmacOf(members string) string { return signatureOf(members, HMAC) }

func signatureOf(members string, a Algorithm) string {
	x, err := Explain([]byte("{" + members + "}"))
	if err != nil {
		panic(err)
	}
	return a.Digest(x.Text, card.Conceal(testKey))
}

// What is told is what a query answers now, whatever was true when the notice was written (§7).
func TestTheOrderAsItStands(t *testing.T) {
	s := newShop(t, says(200, `{"error_code":"0000"}`))
	e := owing(s.URL, "MD5")
	o := e.orders[theOrder.ClientID]
	o.State = deposit.TakenBack
	e.orders[o.ClientID] = o
	m := e.payouts[thePayout.RequestID]
	m.State, m.Reason = payout.Refused, payout.Closed
	e.payouts[m.RequestID] = m
	n := newTeller(t, e, Profile{})
	for notice, want := range map[*engine.Notice]string{&depositNotice: `"status":2,`, &payoutNotice: `"fee":0,"status":5,`} {
		n.Send(t.Context(), *notice)
		if h := <-s.heard; !strings.Contains(h.body, want) {
			t.Errorf("%s lacks %s", h.body, want)
		}
	}
}

// A merchant queries the order before it answers: nothing is held meanwhile (§7).
func TestQueryBeforeAnswer(t *testing.T) {
	w := newWorld(t, Profile{})
	s := newShop(t, func(out http.ResponseWriter, _ *http.Request) {
		a := w.query(payments2 + "/KRW-20260101-0001")
		if a.code == Success && strings.Contains(a.body, `"status":2`) {
			_, _ = io.WriteString(out, `{"error_code":"0000"}`)
		}
	})
	e := owing(s.URL, "MD5")
	w.engine.orders = e.orders
	if r := newTeller(t, w.engine, Profile{}).Send(t.Context(), depositNotice); r.Class != outbox.Delivered {
		t.Errorf("%+v", r)
	}
}

// Standard Webhooks: every secret that is valid signs.
func TestWebhookHeaders(t *testing.T) {
	s := newShop(t, says(200, `{"error_code":"0000"}`))
	e := owing(s.URL, "MD5")
	raw := []byte("0123456789abcdef01234567")
	e.keys[engine.WebhookKey] = []card.Secret{card.Conceal("whsec_" + base64.StdEncoding.EncodeToString(raw)), card.Conceal("older")}
	newTeller(t, e, Profile{}).Send(t.Context(), depositNotice)
	h := <-s.heard
	var want []string
	for _, key := range [][]byte{raw, []byte("older")} {
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, "ntf-1.1767225600."+h.body)
		want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if h.header.Get("Webhook-Id") != "ntf-1" || h.header.Get("Webhook-Timestamp") != "1767225600" ||
		h.header.Get("Webhook-Signature") != strings.Join(want, " ") {
		t.Errorf("%v", h.header)
	}
	e.keys[engine.WebhookKey] = []card.Secret{card.Conceal("whsec_!")}
	if r := newTeller(t, e, Profile{}).Send(t.Context(), depositNotice); r.Class != outbox.Repeat || !r.Alert {
		t.Errorf("%+v", r)
	}
}

// The worked example of the Standard Webhooks specification.
func TestWebhookVector(t *testing.T) {
	e := newEngine()
	e.keys[engine.WebhookKey] = []card.Secret{card.Conceal("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}
	n := newTeller(t, e, Profile{}, func(c *NotifierConfig) { c.Now = func() time.Time { return time.Unix(1614265330, 0) } })
	h, err := n.webhook(t.Context(), engine.Notice{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Account: us}, []byte(`{"test": 2432232314}`))
	if err != nil || h.Get("Webhook-Signature") != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%v %v", h, err)
	}
}

// Only a documented acknowledgement counts, and what a merchant agreed on (§7).
func TestAcknowledgements(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		acks   []Ack
		word   string // empty: not taken
	}{
		{200, `{"error_code":"0000"}`, nil, "0000"},
		{200, " \n{\"message\":\"ok\",\"error_code\":\"0000\"}\r\n", nil, "0000"},
		{200, "\ufeff{\"error_code\":\"0000\"}", nil, "0000"},
		{200, `{"error_code":"0001"}`, nil, ""},
		{200, `{"error_code":0}`, nil, ""},
		{200, `{"error_code":"0000","error_code":"0001"}`, nil, ""},
		{200, `{"error_code":"0000"`, nil, ""},
		{200, `0000`, nil, ""},
		{200, `success`, nil, ""},
		{200, `{}`, nil, ""},
		{200, ``, nil, ""},
		{200, `SUCCESS`, []Ack{AckSuccess}, ""},
		{200, `0000`, []Ack{AckCode}, "0000"},
		{200, "success\n", []Ack{AckSuccess}, "success"},
		{200, `{}`, []Ack{AckEmpty}, "empty"},
		{200, ``, []Ack{AckEmpty}, "empty"},
		{200, `empty`, []Ack{AckEmpty}, ""},
		{200, `0000`, []Ack{AckSuccess, AckEmpty}, ""},
		{200, `{"error_code":"0004"}`, []Ack{AckCode, AckSuccess, AckEmpty}, ""},
		{201, `{"error_code":"0000"}`, nil, ""},
		{204, ``, []Ack{AckEmpty}, ""},
		{400, `{"error_code":"0000"}`, nil, ""},
		{500, `success`, []Ack{AckSuccess}, ""},
	} {
		s := newShop(t, says(c.status, c.body))
		r := newTeller(t, owing(s.URL, "MD5"), Profile{Acks: c.acks}).Send(t.Context(), depositNotice)
		want := outbox.Result{Class: outbox.Delivered, Status: c.status, Word: c.word}
		if c.word == "" {
			want.Class, want.Word = outbox.Repeat, r.Word
		}
		if r != want || r.Word == "" {
			t.Errorf("%d %q %v: %+v", c.status, c.body, c.acks, r)
		}
	}
}

// Merchants that misbehave are asked again; their answer is neither followed nor kept.
func TestRudeMerchants(t *testing.T) {
	elsewhere := newShop(t, says(200, `{"error_code":"0000"}`))
	never := make(chan bool)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		word   string
		status int
	}{
		"hangs": {func(_ http.ResponseWriter, r *http.Request) { hang(r, never) }, "no answer", 0},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "a redirect, which is not followed", 307},
		"10 MB":    {says(200, strings.Repeat("x", 10<<20)), "the answer is too large", 200},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "no answer", 0},
		"500":      {says(500, "stack trace"), "the status is not 200", 500},
	} {
		s := newShop(t, c.answer)
		n := newTeller(t, owing(s.URL, "MD5"), Profile{}, func(cfg *NotifierConfig) {
			if name == "hangs" {
				cfg.Timeout = 50 * time.Millisecond
			}
		})
		if r, want := n.Send(t.Context(), depositNotice), (outbox.Result{Status: c.status, Word: c.word}); r != want {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if len(elsewhere.heard) != 0 {
		t.Error("a redirect was followed")
	}
}

// A name that leads to a private address is found out when it is dialled (design §3.10).
func TestPrivateTargets(t *testing.T) {
	s := newShop(t, says(200, `{"error_code":"0000"}`))
	for _, to := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)} {
		n := newTeller(t, owing(to, "MD5"), Profile{}, func(c *NotifierConfig) { c.Private = false })
		if r := n.Send(t.Context(), depositNotice); r.Class != outbox.Repeat || r.Word != "the address is not public" {
			t.Errorf("%s: %+v", to, r)
		}
	}
	if len(s.heard) != 0 {
		t.Error("a private address was called")
	}
}

// What cannot be told waits for a person; what cannot be read now is tried again.
func TestNothingToTell(t *testing.T) {
	missing, silent, failing, keyless := newEngine(), owing("", "MD5"), owing("http://127.0.0.1:1", "MD5"), owing("http://127.0.0.1:1", "MD5")
	failing.err = errors.New("the store is gone")
	keyless.keys[engine.SigningKey] = nil
	for name, c := range map[string]struct {
		engine *fakeEngine
		class  outbox.Class
	}{
		"no order": {missing, outbox.Park}, "nobody is told": {silent, outbox.Park},
		"the store": {failing, outbox.Repeat}, "no key": {keyless, outbox.Repeat},
	} {
		for _, notice := range []engine.Notice{depositNotice, payoutNotice} {
			r := newTeller(t, c.engine, Profile{}).Send(t.Context(), notice)
			if r.Class != c.class || !r.Alert || r.Word == "" || r.Status != 0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	other := depositNotice
	other.Kind = engine.CaptureResult
	if r := newTeller(t, owing("http://127.0.0.1:1", "MD5"), Profile{}).Send(t.Context(), other); r.Class != outbox.Park {
		t.Errorf("%+v", r)
	}
}
