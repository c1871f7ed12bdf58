package merchant

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"naru/core/card"
	"naru/engine"
)

const them = "PF0902"

// crowd is a server of sixteen places and two merchants; what the first of them asks for lasts until its gate opens.
type crowd struct {
	*world
	*fakeEngine
	inside chan struct{} // told when a call waits at the gate
	gate   chan struct{}

	mu      sync.Mutex
	refused map[string]int
}

func newCrowd(t *testing.T, change func(*Config)) *crowd {
	c := &crowd{fakeEngine: newEngine(), inside: make(chan struct{}), gate: make(chan struct{}), refused: map[string]int{}}
	c.world = newWorld(t, Profile{}, func(cfg *Config) {
		cfg.Engine, cfg.Merchants[them], cfg.MaxCalls, cfg.Deadline = c, Profile{}, 16, time.Hour
		cfg.Refused = func(reason string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.refused[reason]++
		}
		if change != nil {
			change(cfg)
		}
	})
	return c
}

func (c *crowd) MerchantSecrets(_ context.Context, merchant string, p engine.KeyPurpose) ([]card.Secret, error) {
	if p == engine.QueryToken {
		return []card.Secret{card.Conceal("token-of-" + merchant)}, nil
	}
	return []card.Secret{card.Conceal(testKey)}, nil
}

func (c *crowd) BalanceOf(_ context.Context, merchant string) (engine.Balances, error) {
	if merchant == us {
		c.inside <- struct{}{}
		<-c.gate
	}
	return c.balances, nil
}

// CreatePayout asks the merchant first, as the engine does.
func (c *crowd) CreatePayout(ctx context.Context, ask engine.PayoutAsk) (engine.MerchantPayout, error) {
	return thePayout, ask.Confirm(ctx)
}

func (c *crowd) balance(merchant string) Code {
	r := httptest.NewRequest(http.MethodGet, balance2, nil)
	r.Header.Set("Authorization", "token-of-"+merchant)
	return c.do(r)
}

func (c *crowd) payout(merchant string) Code {
	r := httptest.NewRequest(http.MethodPost, payouts2, bytes.NewReader(payoutFields().with("platform_id", merchant).signed(MD5, testKey)))
	r.Header.Set("Content-Type", contentType)
	return c.do(r)
}

func (c *crowd) do(r *http.Request) Code {
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	var e Envelope
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusOK {
		c.t.Errorf("HTTP %d %s", w.Code, w.Body)
	}
	return e.ErrorCode
}

// fill makes calls, each waiting at the gate, until one of them is answered: that it may not.
func (c *crowd) fill(call func() Code, done chan Code) (held int) {
	c.t.Helper()
	for {
		answer := make(chan Code, 1)
		go func() {
			code := call()
			answer <- code
			done <- code
		}()
		select {
		case <-c.inside:
			held++
		case code := <-answer:
			if <-done; code != NetworkDelay {
				c.t.Errorf("one call too much is answered %s", code)
			}
			return held
		}
	}
}

func (c *crowd) reasons(want map[string]int) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !maps.Equal(c.refused, want) {
		c.t.Errorf("refused %v, want %v", c.refused, want)
	}
}

// A merchant that has too much under way is refused at once, with nothing done, and leaves places for the others.
func TestOneMerchantDoesNotStarveTheOthers(t *testing.T) {
	c, done := newCrowd(t, nil), make(chan Code, 99)
	held := c.fill(func() Code { return c.balance(us) }, done)
	if held != 12 {
		t.Errorf("%d calls of one merchant are in work", held)
	}
	for range 20 {
		if code := c.balance(them); code != Success {
			t.Fatalf("the other merchant is answered %s", code)
		}
	}
	c.reasons(map[string]int{share: 1})
	close(c.gate)
	for range held {
		if code := <-done; code != Success {
			t.Errorf("who was in work is answered %s", code)
		}
	}
	go func() { <-c.inside }()
	if code := c.balance(us); code != Success {
		t.Errorf("afterwards: %s", code)
	}
	if c.server.working.Taken() != 0 || c.server.arriving.Taken() != 0 {
		t.Errorf("%d and %d places are still taken", c.server.working.Taken(), c.server.arriving.Taken())
	}
}

// A merchant that does not answer our question holds up a part of the calls in work, and of that part its share: its own other calls get
// through, and so do the payouts of others.
func TestOnePrecheckDoesNotStarveTheOthers(t *testing.T) {
	var c *crowd
	asked := func(w http.ResponseWriter, _ *http.Request) {
		c.inside <- struct{}{}
		<-c.gate
		_, _ = io.WriteString(w, `{"error_code":"0000"}`)
	}
	hangs, answers := httptest.NewServer(http.HandlerFunc(asked)), httptest.NewServer(says(200, `{"error_code":"0000"}`))
	defer hangs.Close()
	defer answers.Close()
	c = newCrowd(t, func(cfg *Config) {
		cfg.Merchants[us], cfg.Merchants[them], cfg.Precheck = Profile{PrecheckURL: hangs.URL}, Profile{PrecheckURL: answers.URL}, time.Hour
	})
	done := make(chan Code, 99)
	held := c.fill(func() Code { return c.payout(us) }, done)
	if held != 3 {
		t.Errorf("%d payouts wait for one merchant", held)
	}
	for range 9 {
		if code := c.payout(them); code != Success {
			t.Fatalf("the other merchant's payout is answered %s", code)
		}
	}
	r := httptest.NewRequest(http.MethodGet, payouts1, nil)
	r.Header.Set("Authorization", token)
	if code := c.do(r); code != Success {
		t.Errorf("another call of the same merchant is answered %s", code)
	}
	c.reasons(map[string]int{precheck: 1})
	close(c.gate)
	for range held {
		if code := <-done; code != Success {
			t.Errorf("who waited is answered %s", code)
		}
	}
	if c.server.checking.Taken() != 0 || c.server.working.Taken() != 0 {
		t.Errorf("%d and %d places are still taken", c.server.checking.Taken(), c.server.working.Taken())
	}
}

// Somebody who sends slowly takes a share of those on their way in; what is beyond is refused before anything of it is read.
func TestOneSourceDoesNotStarveTheOthers(t *testing.T) {
	c, done, reading, end := newCrowd(t, nil), make(chan Code, 99), make(chan struct{}), make(chan struct{})
	call := func(from string, body io.Reader) Code {
		r := httptest.NewRequest(http.MethodPost, payouts2, body)
		r.RemoteAddr = from
		r.Header.Set("Content-Type", contentType)
		return c.do(r)
	}
	for range 12 {
		go func() { done <- call("[2001:db8::1]:1", &crawl{reading, end}) }()
		<-reading
	}
	if code := call("[2001:db8::2]:1", &crawl{reading, end}); code != NetworkDelay { // another address of one network
		t.Errorf("one call too much is answered %s", code)
	}
	for range 9 {
		if code := call("192.0.2.2:1", bytes.NewReader(nil)); code != BadJSON {
			t.Fatalf("somebody else is answered %s", code)
		}
	}
	c.reasons(map[string]int{crowded: 1})
	close(end)
	for range 12 {
		if code := <-done; code != BadJSON {
			t.Errorf("who came in is answered %s", code)
		}
	}
	if c.server.arriving.Taken() != 0 {
		t.Errorf("%d places are still taken", c.server.arriving.Taken())
	}
}

// crawl is a body that says when it is read, and ends when it may.
type crawl struct{ reading, end chan struct{} }

func (c *crawl) Read([]byte) (int, error) {
	c.reading <- struct{}{}
	<-c.end
	return 0, io.EOF
}
