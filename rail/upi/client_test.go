package upi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/payout"
)

// at is an adapter to a bank of the test's own making.
func at(t *testing.T, base string, change func(*Config)) *RazorpayX {
	t.Helper()
	return mustBank(t, func(c *Config) {
		c.Base, c.Timeout = base, time.Minute
		if change != nil {
			change(c)
		}
	})
}

func served(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func composed(t *testing.T) payout.Order {
	t.Helper()
	o := sample()
	var err error
	if o.Body, err = mustBank(t, nil).Compose(o); err != nil {
		t.Fatal(err)
	}
	return o
}

// rough is a bank that does what a test wants with each connection, in turn.
func rough(t *testing.T, turns ...func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, turn := range turns {
			c, err := l.Accept()
			if err != nil {
				return
			}
			turn(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

// hear reads one request to its end.
func hear(c net.Conn) {
	buf, all := make([]byte, 4096), ""
	for !strings.Contains(all, "Google Music 1250\"}") {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		all += string(buf[:n])
	}
}

func reply(body []byte) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// What is sent is what was stored, and nothing else.
func TestWhatIsSent(t *testing.T) {
	var got []string
	s := served(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		got = append(got, strings.Join([]string{
			r.Method, r.URL.String(), user, password, r.Header.Get("Content-Type"), r.Header.Get("X-Payout-Idempotency"), string(body),
		}, "|"))
		_, _ = w.Write(entity(nil))
	})
	r, o := at(t, s.URL+"/v1/", nil), composed(t)
	o.Body = append(o.Body, "  \n"...) // whatever was stored
	r.Pay(t.Context(), o)
	r.Enquire(t.Context(), o)
	o.BankID = "pout/1"
	r.Enquire(t.Context(), o)
	_, _ = r.Float(t.Context())
	_, _ = r.Statement(t.Context(), time.Unix(1795300000, 0), time.Unix(1795400000, 0), 20, 100)
	r.Validate(t.Context(), o.Target.VPA, "")
	r.Validate(t.Context(), o.Target.VPA, "fav_1")
	want := []string{
		"POST|/v1/payouts|rzp_test_1|secret|application/json|0f1c2d3e-0001|" + string(o.Body),
		"GET|/v1/payouts?account_number=7878780080316316&count=100&reference_id=PID-1|rzp_test_1|secret|||",
		"GET|/v1/payouts/pout%2F1|rzp_test_1|secret|||",
		"GET|/v1/banking_balances|rzp_test_1|secret|||",
		"GET|/v1/transactions?account_number=7878780080316316&count=100&from=1795300000&skip=20&to=1795400000|rzp_test_1|secret|||",
		`POST|/v1/fund_accounts/validations|rzp_test_1|secret|application/json||{"source_account_number":"7878780080316316",` +
			`"fund_account":{"account_type":"vpa","vpa":{"address":"asha.r@examplebank"},"contact":{"name":"Google payee","type":"customer"}}}`,
		"GET|/v1/fund_accounts/validations/fav_1|rzp_test_1|secret|||",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("%s\nwant\n%s", g, w)
	}
}

// NotSent only where no connection came about; once one stood, nobody can tell.
func TestWhatCanHaveLeft(t *testing.T) {
	o := composed(t)
	trusted := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(entity(nil)) }))
	t.Cleanup(trusted.Close)
	roots := x509.NewCertPool()
	roots.AddCert(trusted.Certificate())
	oldTLS := httptest.NewUnstartedServer(http.NotFoundHandler())
	oldTLS.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	oldTLS.StartTLS()
	t.Cleanup(oldTLS.Close)
	nobody := rough(t)
	long := append(entity(nil), "  "...) // what is cut off says nothing, and yet the whole is too long
	short := func(c *Config) { c.MaxResponse = int64(len(entity(nil))) }
	over := func() context.Context { ctx, cancel := context.WithCancel(t.Context()); cancel(); return ctx }()
	for name, c := range map[string]struct {
		base   string
		ctx    context.Context
		change func(*Config)
		want   payout.Verdict
		alert  bool
	}{
		"trusted":                    {trusted.URL, nil, func(c *Config) { c.Roots = roots }, payout.Open, false},
		"not trusted":                {trusted.URL, nil, func(c *Config) { c.Roots = x509.NewCertPool() }, payout.NotSent, true},
		"TLS 1.1":                    {oldTLS.URL, nil, func(c *Config) { c.Roots = roots }, payout.NotSent, false},
		"no TLS at all":              {"https://" + rough(t, greet), nil, nil, payout.NotSent, false},
		"hung up in the handshake":   {"https://" + rough(t, func(net.Conn) {}), nil, nil, payout.NotSent, false},
		"silent in the handshake":    {"https://" + nobody, nil, func(c *Config) { c.ConnectTimeout = time.Millisecond }, payout.NotSent, false},
		"given up before it began":   {trusted.URL, over, func(c *Config) { c.Roots = roots }, payout.NotSent, false},
		"hung up before a word":      {"http://" + rough(t, func(net.Conn) {}), nil, nil, payout.Unknown, false},
		"hung up after the order":    {"http://" + rough(t, hear), nil, nil, payout.Unknown, false},
		"an answer that breaks off":  {"http://" + rough(t, halves(entity(nil))), nil, nil, payout.Unknown, false},
		"an answer that is too long": {"http://" + rough(t, answers(long)), nil, short, payout.Unknown, true},
		"headers without end":        {"http://" + rough(t, endless), nil, nil, payout.Unknown, false},
		"not HTTP":                   {"http://" + rough(t, babble), nil, nil, payout.Unknown, false},
		"an answer":                  {"http://" + rough(t, answers(entity(nil))), nil, nil, payout.Open, false},
	} {
		if c.ctx == nil {
			c.ctx = t.Context()
		}
		a := at(t, c.base, c.change).Pay(c.ctx, o)
		if a.Verdict != c.want || (a.Alert != "") != c.alert {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func answers(body []byte) func(net.Conn) {
	return func(c net.Conn) { hear(c); _, _ = io.WriteString(c, reply(body)) }
}

func halves(body []byte) func(net.Conn) {
	return func(c net.Conn) { hear(c); _, _ = io.WriteString(c, reply(body)[:300]) }
}

func greet(c net.Conn) { _, _ = io.WriteString(c, "220 hello\r\n") }

func babble(c net.Conn) { hear(c); _, _ = io.WriteString(c, "paid\r\n\r\n") }

func endless(c net.Conn) {
	hear(c)
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 128<<10)+"\r\n\r\n")
}

// Patience that ends while the bank has the order, and says nothing, tells nothing.
func TestSilence(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	base := "http://" + rough(t, func(c net.Conn) { hear(c); cancel(); _, _ = io.Copy(io.Discard, c) })
	if a := at(t, base, nil).Pay(ctx, composed(t)); a != (payout.Answer{}) {
		t.Errorf("%+v", a)
	}
}

// A connection that is used again may die under the second order. Whether that one left nobody can tell, unless nothing of it was written:
// then it goes out on another connection, once.
func TestConnectionsUsedAgain(t *testing.T) {
	o := composed(t)
	var heard atomic.Int64
	r := at(t, "http://"+rough(t,
		func(c net.Conn) { answers(entity(nil))(c); hear(c); heard.Add(1) }, // answers the first, takes the second, and hangs up
		answers(entity(nil)),
	), nil)
	if a := r.Pay(t.Context(), o); a.Verdict != payout.Open {
		t.Fatalf("first: %+v", a)
	}
	a := r.Pay(t.Context(), o)
	switch sent := heard.Load(); {
	case sent == 1 && a.Verdict != payout.Unknown:
		t.Errorf("taken and not answered: %+v", a)
	case a.Verdict == payout.NotSent:
		t.Errorf("a connection stood: %+v", a)
	}
}

// The order goes to the bank and nowhere else, whatever a redirect points at.
func TestNowhereElse(t *testing.T) {
	var elsewhere atomic.Int64
	other := served(t, func(w http.ResponseWriter, _ *http.Request) { elsewhere.Add(1); _, _ = w.Write(entity(nil)) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := served(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		r, o := at(t, s.URL, nil), composed(t)
		if a := r.Pay(t.Context(), o); a.Verdict != payout.Unknown || a.Alert == "" {
			t.Errorf("%d: %+v", status, a)
		}
		if a := r.Enquire(t.Context(), o); a.Verdict != payout.Unknown || a.Alert == "" {
			t.Errorf("%d: %+v", status, a)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d calls went elsewhere", n)
	}
}

// A list tells that something is absent only where it is a list, whole, and about what was asked.
func TestLists(t *testing.T) {
	list := func(count int, items ...[]byte) string {
		var texts []string
		for _, i := range items {
			texts = append(texts, string(i))
		}
		return fmt.Sprintf(`{"entity":"collection","count":%d,"items":[%s]}`, count, strings.Join(texts, ","))
	}
	paid := entity(standingOf("processed", "payout_processed"))
	other := entity(map[string]any{"status": "processed", "reference_id": "PID-2"})
	for name, c := range map[string]struct {
		body  string
		want  payout.Verdict
		alert bool
	}{
		"none":               {list(0), payout.Absent, false},
		"one":                {list(1, paid), payout.Credited, false},
		"two":                {list(2, paid, paid), payout.Unknown, true},
		"another's":          {list(1, other), payout.Unknown, true},
		"more than there is": {list(1), payout.Unknown, true},
		"no items":           {`{"entity":"collection","count":0}`, payout.Unknown, true},
		"items are null":     {`{"entity":"collection","count":0,"items":null}`, payout.Unknown, true},
		"no collection":      {`{"count":0,"items":[]}`, payout.Unknown, true},
		"nothing":            {``, payout.Unknown, true},
		"empty":              {`{}`, payout.Unknown, true},
		"a page":             {`<html>`, payout.Unknown, true},
	} {
		s := served(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.body) })
		if a := at(t, s.URL, nil).Enquire(t.Context(), sample()); a.Verdict != c.want || (a.Alert != "") != c.alert {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// An answer about an address counts only for that address; a question that failed says nothing about it.
func TestValidations(t *testing.T) {
	answer := func(status, standing, name, address string) string {
		return fmt.Sprintf(`{"id":"fav_1","entity":"fund_account.validation","status":%q,"fund_account":{"vpa":{"address":%q}},"notes":[],`+
			`"validation_results":{"account_status":%q,"registered_name":%q,"name_match_score":null}}`, status, address, standing, name)
	}
	const own = "asha.r@examplebank"
	for name, c := range map[string]struct {
		status int
		body   string
		want   Standing
		alert  bool
	}{
		"created":         {200, answer("created", "", "", own), Asking, false},
		"active":          {200, answer("completed", "active", "Asha R", own), Active, false},
		"invalid":         {200, answer("completed", "invalid", "", own), Invalid, false},
		"failed":          {200, answer("failed", "", "", own), Unsaid, false},
		"failed, invalid": {200, answer("failed", "invalid", "", own), Unsaid, false},
		"neither":         {200, answer("completed", "", "", own), Unsaid, true},
		"another state":   {200, answer("lost", "active", "", own), Unsaid, true},
		"another address": {200, answer("completed", "active", "", "ravi@examplebank"), Unsaid, true},
		"another case":    {200, answer("completed", "active", "Asha R", "ASHA.R@examplebank"), Active, false},
		"no results":      {200, `{"id":"fav_1","status":"created","validation_results":[]}`, Asking, false},
		"no id":           {200, `{"status":"created"}`, Unsaid, true},
		"nonsense":        {200, `[]`, Unsaid, true},
		"server's error":  {500, ``, Unsaid, false},
		"too many":        {429, ``, Unsaid, false},
		"not allowed":     {401, ``, Unsaid, true},
	} {
		s := served(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		v := at(t, s.URL, nil).Validate(t.Context(), card.Conceal(own), "")
		if v.Standing != c.want || (v.Alert != "") != c.alert || (v.Name.Reveal() == "Asha R") != (c.want == Active) {
			t.Errorf("%s: %+v", name, v)
		}
		if c.want == Asking {
			if v = at(t, s.URL, nil).Validate(t.Context(), card.Conceal(own), "fav_2"); v.Standing != Unsaid || v.Alert == "" {
				t.Errorf("%s, another question: %+v", name, v)
			}
		}
	}
}

// A float or a statement that is not of our account, or contradicts itself, is none.
func TestBooksThatAreNotOurs(t *testing.T) {
	balance := `{"entity":"banking_balance","account_number":"7878780080316316","currency":"INR","amount":500,"available_amount":400,` +
		`"refreshed_at":1795317300}`
	line := `{"id":"txn_1234","account_number":"7878780080316316","currency":"INR","amount":500,"credit":0,"debit":500,"balance":100,` +
		`"source":{"entity":"payout","id":"pout_1234"},"created_at":1795317300}`
	for name, c := range map[string]struct{ old, new string }{
		"as it comes":       {"", ""},
		"another account":   {"7878780080316316", "1"},
		"another currency":  {"INR", "USD"},
		"no balance":        {`"balance":100,`, ``},
		"no amount":         {`"amount":500,`, ``},
		"no available":      {`"available_amount":400,`, ``},
		"both ways":         {`"credit":0`, `"credit":500`},
		"neither way":       {`"debit":500`, `"debit":0`},
		"nothing moved":     {`"amount":500,"credit":0,"debit":500`, `"amount":0,"credit":0,"debit":0`},
		"less than nothing": {`"debit":500`, `"debit":-500`},
		"no id":             {`"id":"txn_1234",`, ``},
		"no time":           {`"created_at":1795317300`, `"created_at":null`},
		"text for a number": {`500`, `"500"`},
	} {
		s := served(t, func(w http.ResponseWriter, r *http.Request) {
			one := line
			if strings.HasSuffix(r.URL.Path, "balances") {
				one = balance
			}
			_, _ = fmt.Fprintf(w, `{"entity":"collection","count":1,"items":[%s]}`, strings.ReplaceAll(one, c.old, c.new))
		})
		r := at(t, s.URL, nil)
		f, err := r.Float(t.Context())
		if good := c.old == "" || !strings.Contains(balance, c.old); (err == nil) != good {
			t.Errorf("%s: %+v %v", name, f, err)
		} else if good && f != (payout.Float{Balance: rupees(500), Available: rupees(400), At: time.Unix(1795317300, 0).UTC()}) {
			t.Errorf("%s: %+v", name, f)
		}
		lines, err := r.Statement(t.Context(), time.Unix(0, 0), time.Unix(1, 0), 0, 10)
		if good := c.old == "" || !strings.Contains(line, c.old); (err == nil) != good {
			t.Errorf("%s: %+v %v", name, lines, err)
		}
	}
}

func TestBooksThatNobodyShows(t *testing.T) {
	s := served(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	r := at(t, s.URL, nil)
	_, float := r.Float(t.Context())
	_, statement := r.Statement(t.Context(), time.Unix(0, 0), time.Unix(1, 0), 0, 10)
	for _, err := range []error{float, statement} {
		if err == nil || !strings.Contains(err.Error(), "503") {
			t.Error(err)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"base":           func(c *Config) { c.Base = "ftp://bank.example" },
		"base: https":    func(c *Config) { c.Base = "http://bank.example/v1" },
		"base: ":         func(c *Config) { c.Base = "https://user@bank.example/v1" },
		"key_id":         func(c *Config) { c.KeyID = "a:b" },
		"secret":         func(c *Config) { c.Secret = card.Secret{} },
		"account":        func(c *Config) { c.Account = "" },
		"purpose":        func(c *Config) { c.Purpose = "a\nb" },
		"contact_type":   func(c *Config) { c.ContactType = "ü" },
		"contact_name":   func(c *Config) { c.ContactName = "Payee!" },
		"contact_name: ": func(c *Config) { c.ContactName = "Payee-" },
		"cap":            func(c *Config) { c.Cap = rupees(-1) },
		"key_life":       func(c *Config) { c.KeyLife = 8 * 24 * time.Hour },
		"deemed_days":    func(c *Config) { c.DeemedDays = -1 },
		"times":          func(c *Config) { c.Timeout = -1 },
		"webhooks":       func(c *Config) { c.Webhooks = []card.Secret{{}} },
		"an adapter":     func(c *Config) { c.Now = nil },
	} {
		cfg := mustBank(t, nil).cfg
		spoil(&cfg)
		if _, err := NewRazorpayX(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := mustBank(t, nil).cfg
	if text := fmt.Sprintf("%+v %#v", cfg, cfg); strings.Contains(text, "secret_example") || strings.Contains(text, `"secret"`) {
		t.Error("a secret is printed")
	}
	if _, err := NewRazorpayX(Config{}); err == nil || strings.Count(err.Error(), "\n") < 5 {
		t.Errorf("not every problem at once: %v", err)
	}
}

// A bank that does not answer is called no more often than allowed: what is beyond has not been sent, and nobody waits to be told so. What
// became of the rest can still be asked.
func TestTooManyCalls(t *testing.T) {
	inside, gate, refused := make(chan string, 9), make(chan struct{}), 0
	s := served(t, func(w http.ResponseWriter, r *http.Request) {
		inside <- r.Method
		<-gate
		_, _ = w.Write(entity(nil))
	})
	r, o := at(t, s.URL, func(c *Config) { c.Calls, c.Refused = 4, func() { refused++ } }), composed(t)
	done := make(chan payout.Answer, 9)
	for range 3 {
		go func() { done <- r.Pay(t.Context(), o) }()
		<-inside
	}
	if a := r.Pay(t.Context(), o); a != (payout.Answer{Verdict: payout.NotSent}) {
		t.Errorf("a payout too much: %+v", a)
	}
	if v := r.Validate(t.Context(), o.Target.VPA, ""); v.Standing != Unsaid || v.Alert != "" {
		t.Errorf("a question too much: %+v", v)
	}
	sent := o
	sent.BankID = "pout_1"
	go func() { done <- r.Enquire(t.Context(), sent) }()
	if method := <-inside; method != http.MethodGet {
		t.Errorf("%s instead of an enquiry", method)
	}
	if a := r.Enquire(t.Context(), sent); a != (payout.Answer{}) {
		t.Errorf("an enquiry too much: %+v", a)
	}
	if refused != 3 || len(inside) != 0 {
		t.Errorf("%d refused, %d more at the bank", refused, len(inside))
	}
	close(gate)
	for range 4 {
		<-done
	}
	if a := r.Pay(t.Context(), o); a.Verdict == payout.NotSent || r.calls.Load() != 0 {
		t.Errorf("afterwards: %+v, %d calls under way", a, r.calls.Load())
	}
}
