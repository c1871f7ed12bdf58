package upi_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/card"
	"naru/rail/upi"
	"naru/rail/upi/banktest"
	"naru/rail/upi/sim"
)

var _ upi.Bank = (*upi.RazorpayX)(nil)

const ownAccount = "7878780080316316"

// peer drives the simulated bank.
type peer struct {
	*testing.T
	host *sim.Host

	mu     sync.Mutex
	now    time.Time
	events []banktest.Event
}

func (p *peer) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *peer) Payee(e banktest.Ending) card.Secret {
	return card.Conceal(map[banktest.Ending]string{
		banktest.Pays: "success@sim", banktest.Closed: "closed@sim", banktest.Held: "frozen@sim", banktest.Bounces: "bankdown@sim",
		banktest.Deemed: "deemed@sim", banktest.Returns: "returned@sim",
	}[e])
}

func (p *peer) Nobody() card.Secret { return card.Conceal("invalid@sim") }

func (p *peer) Disturb(t banktest.Trouble) func() {
	return p.rule("create", map[banktest.Trouble]string{
		banktest.FailBefore: "500-before", banktest.FailAfter: "500-after", banktest.HangUpBefore: "close-before",
		banktest.HangUpAfter: "close-after", banktest.SilentBefore: "hang-before", banktest.SilentAfter: "hang-after",
		banktest.Nonsense: "nonsense", banktest.Busy: "429",
	}[t])
}

func (p *peer) Obscure() {
	p.control("DELETE", "/scenarios", "", nil)
	p.rule("list", "500-before")
	p.rule("get", "500-before")
}

// rule makes one call go wrong. What it returns waits until one has.
func (p *peer) rule(call, action string) func() {
	var rule struct{ ID, Used int }
	p.control("POST", "/scenarios", `{"match":{"call":"`+call+`"},"action":"`+action+`","times":1}`, &rule)
	return func() {
		for {
			var all []struct{ ID, Used int }
			p.control("GET", "/scenarios", "", &all)
			for _, one := range all {
				if one.ID == rule.ID && one.Used > 0 {
					return
				}
			}
			runtime.Gosched()
		}
	}
}

func (p *peer) Pass(d time.Duration) {
	p.mu.Lock()
	p.now = p.now.Add(d)
	p.mu.Unlock()
	p.host.Tick()
}

func (p *peer) Count(reference string) (known, credited int) {
	var list []struct {
		History []struct{ To string }
	}
	p.control("GET", "/payouts?reference="+reference, "", &list)
	for _, one := range list {
		for _, h := range one.History {
			if h.To == "processed" {
				credited++
			}
		}
	}
	return len(list), credited
}

func (p *peer) Events() []banktest.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

func (p *peer) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, banktest.Event{Header: r.Header.Clone(), Body: body})
}

func (p *peer) control(method, path, body string, into any) {
	w := httptest.NewRecorder()
	p.host.Control().ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader([]byte(body))))
	if w.Code != http.StatusOK {
		p.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		return
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into, json.MatchCaseInsensitiveNames(true)); err != nil {
			p.Error(err)
		}
	}
}

func world(t *testing.T) banktest.World {
	p := &peer{T: t, now: time.Date(2026, 11, 23, 4, 30, 0, 0, time.UTC)}
	hook := httptest.NewServer(p)
	t.Cleanup(hook.Close)
	host, err := sim.Start(t.Context(), sim.Config{
		Address: "127.0.0.1:0", KeyID: "rzp_test_1", KeySecret: "secret", Accounts: []sim.Account{{Number: ownAccount, Opening: 50_000_00}},
		Webhook: hook.URL, WebhookSecret: "wh_new", Seed: 1, Now: p.clock, Polite: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.host = host
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := upi.Config{
		Base: host.URL(), KeyID: "rzp_test_1", Secret: card.Conceal("secret"), Account: ownAccount, ContactName: "Google payee",
		Webhooks: []card.Secret{card.Conceal("wh_old"), card.Conceal("wh_new")}, Now: p.clock, Timeout: time.Minute,
	}
	far, strange := cfg, cfg
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	far.Base = "http://" + nobody.Addr().String() + "/v1"
	strange.Secret, strange.Webhooks = card.Conceal("another"), []card.Secret{card.Conceal("another")}
	return banktest.World{
		Bank: adapter(t, cfg), Unreachable: adapter(t, far), Stranger: adapter(t, strange), Peer: p, Now: p.clock, KeyLife: 24 * time.Hour,
	}
}

func adapter(t *testing.T, cfg upi.Config) *upi.RazorpayX {
	t.Helper()
	r, err := upi.NewRazorpayX(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// The contract of a payout bank, played against the simulated one over a real socket.
func TestContract(t *testing.T) { banktest.Run(t, world) }
