package desk

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"naru/core/deposit"
)

// every address that only a merchant may see.
var closedPages = []string{
	"", "deposits", "deposits.csv", "deposits/PM00000001", "payouts", "payouts.csv", "payouts/POT00000001", "notices", "notices.csv",
	"signature", "keys", "settings", "nothing",
}

// every address that a form is sent to.
var forms = []string{"notices/resend", "notices/resend-all", "signature", "keys/new", "keys/end", "logout", "deposits/PM00000001/pay"}

func TestNobodyGetsInWithoutSigningIn(t *testing.T) {
	p := front(t)
	p.order(1, deposit.Paid)
	for _, path := range closedPages {
		w := p.get(root + path)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != root+"login?next="+url.QueryEscape(root+path) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Location"))
		}
		if strings.Contains(w.Body.String(), "PM00000001") && !strings.Contains(path, "PM00000001") {
			t.Errorf("%s tells of an order", path)
		}
	}
	for _, path := range forms {
		w := p.do(http.MethodPost, root+path, url.Values{})
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != root+"login?why=over" {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Location"))
		}
	}
	p.says(p.get(root+"login?why=over"), http.StatusOK, "Your session is over. Nothing was changed")
}

func TestSignIn(t *testing.T) {
	p := front(t)
	w := p.signIn("PF0901", ownKey.Reveal(), root+"deposits?state=paid")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != root+"deposits?state=paid" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == sessionCookie && (!c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != root || len(c.Value) < 26) {
			t.Errorf("the cookie is %v", c)
		}
	}
	p.says(p.get(root), http.StatusOK, "PF0901", "₩12,345,678")
	if w := p.get(root + "settings"); w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("headers %v", w.Header())
	}
}

// After signing in nobody is led to another host.
func TestWhereSigningInLeads(t *testing.T) {
	for _, next := range []string{
		"https://evil.example/desk/", "//evil.example/desk/", `/\evil.example`, "/gateway/", "/desk/../gateway", "javascript:x", "/desk/\r\nx",
	} {
		p := front(t)
		if w := p.signIn("PF0901", ownKey.Reveal(), next); w.Header().Get("Location") != root {
			t.Errorf("%q leads to %q", next, w.Header().Get("Location"))
		}
	}
}

func TestWrongKeys(t *testing.T) {
	for _, c := range [][2]string{
		{"PF0901", "n0tTheKey"},
		{"PF0901", ""},
		{"PF0901", otherKey.Reveal()},
		{"PF0001", ownKey.Reveal()},
		{"PF9999", ownKey.Reveal()},
		{"", ""},
	} {
		p := front(t)
		w := p.signIn(c[0], c[1], "")
		p.says(w, http.StatusUnprocessableEntity, "do not belong together")
		if p.cookies[sessionCookie] != "" {
			t.Errorf("%s got in", c[0])
		}
		if c[1] != "" && strings.Contains(w.Body.String()+p.log.String(), c[1]) {
			t.Errorf("the key that was tried is told")
		}
	}
}

func TestAttemptsAreCounted(t *testing.T) {
	p := front(t)
	for range mostFailed {
		p.says(p.signIn("PF0901", "wrong", ""), http.StatusUnprocessableEntity)
	}
	w := p.signIn("PF0901", ownKey.Reveal(), "")
	p.says(w, http.StatusTooManyRequests, "Too many attempts")
	if w.Header().Get("Retry-After") != "900" {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	p.wall = p.wall.Add(window)
	p.says(p.signIn("PF0901", ownKey.Reveal(), ""), http.StatusSeeOther)
}

// Who comes from everywhere is stopped at the merchant.
func TestGuessesAreCountedAcrossAddresses(t *testing.T) {
	from := ""
	p := front(t, func(cfg *Config) { cfg.Client = func(*http.Request) string { return from } })
	for i := range mostGuesses {
		from = strings.Repeat("x", i+1)
		p.says(p.signIn("PF0901", "wrong", ""), http.StatusUnprocessableEntity)
	}
	from = "new"
	p.says(p.signIn("PF0901", ownKey.Reveal(), ""), http.StatusTooManyRequests)
	p.says(p.signIn("PF0001", otherKey.Reveal(), ""), http.StatusSeeOther)
}

func TestSessionsEnd(t *testing.T) {
	over := func(p *place) bool { return p.get(root).Code == http.StatusSeeOther }
	p := enter(t)
	p.wall = p.wall.Add(idle - time.Second)
	if over(p) {
		t.Error("over before its time")
	}
	p.wall = p.wall.Add(idle)
	if !over(p) {
		t.Error("it outlives idleness")
	}
	p = enter(t)
	for range 24 {
		p.wall = p.wall.Add(idle - time.Second)
		p.get(root)
	}
	p.wall = p.wall.Add(time.Minute)
	if !over(p) {
		t.Error("it outlives its life")
	}
	p = enter(t)
	kept := p.cookies[sessionCookie]
	if w := p.post(root + "logout"); w.Header().Get("Location") != root+"login?done=unsigned" {
		t.Errorf("logout: %d", w.Code)
	}
	p.cookies[sessionCookie] = kept
	if !over(p) {
		t.Error("it outlives signing out")
	}
	p = enter(t)
	p.keyring[0].EndsAt = p.now
	if !over(p) {
		t.Error("it outlives its key")
	}
}

func TestSessionsOfOneMerchantAreBounded(t *testing.T) {
	p := enter(t)
	first := p.cookies[sessionCookie]
	for range mostOfOne {
		p.wall = p.wall.Add(time.Second)
		p.signIn("PF0901", ownKey.Reveal(), "")
	}
	if p.get(root).Code != http.StatusOK {
		t.Error("the newest is out")
	}
	p.cookies[sessionCookie] = first
	if p.get(root).Code != http.StatusSeeOther {
		t.Error("the oldest is still in")
	}
}

// A form of a foreign page does nothing.
func TestForgedForms(t *testing.T) {
	for _, path := range forms {
		for name, change := range map[string]func(r *http.Request, token string) string{
			"no token":     func(*http.Request, string) string { return "" },
			"other token":  func(*http.Request, string) string { return strings.Repeat("A", 26) },
			"foreign page": func(r *http.Request, token string) string { r.Header.Set("Sec-Fetch-Site", "cross-site"); return token },
			"foreign origin": func(r *http.Request, token string) string {
				r.Header.Set("Origin", "https://evil.example")
				return token
			},
		} {
			p := inSandbox(t)
			p.order(1, deposit.Waiting)
			n := p.notice("PM00000001", "deposit-result", "PAID", "PARKED", 500)
			r := httptest.NewRequest(http.MethodPost, root+path, nil)
			token := change(r, p.token(root+"settings"))
			r.PostForm = url.Values{
				"csrf": {token}, "id": {n.ID}, "purpose": {"sign"}, "when": {"now"}, "amount": {"1"}, "count": {"1"}, "body": {"a=1"},
			}
			r.Form = r.PostForm
			r.AddCookie(&http.Cookie{Name: sessionCookie, Value: p.cookies[sessionCookie]})
			w := httptest.NewRecorder()
			p.desk.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || len(p.resent)+len(p.booked) > 0 || len(p.keyring) != 2 || p.get(root).Code != http.StatusOK {
				t.Errorf("%s with %s: %d", path, name, w.Code)
			}
		}
	}
}

func TestForgedSignIn(t *testing.T) {
	p := front(t)
	form := url.Values{"platform_id": {"PF0901"}, "platform_key": {ownKey.Reveal()}}
	p.says(p.do(http.MethodPost, root+"login", form), http.StatusForbidden)
	p.read(root + "login")
	p.says(p.do(http.MethodPost, root+"login", form), http.StatusForbidden)
}

func TestAFormThatIsTooLong(t *testing.T) {
	p := enter(t)
	p.says(p.post(root+"signature", "body", strings.Repeat("a", formLimit+1)), http.StatusRequestEntityTooLarge, "Nothing has changed")
}

func TestMethods(t *testing.T) {
	p := enter(t)
	for _, path := range []string{"deposits", "settings", "keys"} {
		if w := p.do(http.MethodPost, root+path, url.Values{}); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Allow"))
		}
	}
	if w := p.get(root + "keys/new"); w.Code != http.StatusNotFound {
		t.Errorf("keys/new: %d", w.Code)
	}
}

// When the engine does not answer, nobody reads that nothing happened where that is not known.
func TestNoAnswer(t *testing.T) {
	p := enter(t)
	token := p.token(root + "settings")
	p.broken = errDown
	for _, path := range closedPages {
		p.says(p.get(root+path), http.StatusServiceUnavailable, "no answer", "Nothing was changed")
	}
	w := p.do(http.MethodPost, root+"keys/new", url.Values{"csrf": {token}, "purpose": {"sign"}})
	p.says(w, http.StatusServiceUnavailable, "It is not certain whether it was done")
	if strings.Contains(w.Body.String(), errDown.Error()) || !strings.Contains(p.log.String(), errDown.Error()) {
		t.Error("the cause is for the log alone")
	}
}

// The log has routes and the merchant, and nothing that was typed or looked for.
func TestTheLog(t *testing.T) {
	p := enter(t)
	p.order(1, deposit.Paid)
	p.read(root + "deposits/PM00000001")
	p.read(root + "deposits?client=KRW-20261122-0001")
	p.post(root+"signature", "body", bodyV1, "sign", signV1)
	got := p.log.String()
	for _, secret := range []string{ownKey.Reveal(), p.cookies[sessionCookie], "PM00000001", "KRW-20261122", signV1, "김하늘", "member77"} {
		if strings.Contains(got, secret) {
			t.Errorf("the log tells %q:\n%s", secret, got)
		}
	}
	if !strings.Contains(got, `route="GET /desk/deposits/{number}" method=GET status=200 merchant=PF0901`) {
		t.Errorf("the log is\n%s", got)
	}
}

// A household of many IPv6 addresses is one.
func TestWhoAsks(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7:1234": "192.0.2.7", "[2001:db8:1:2:3:4:5:6]:1234": "2001:db8:1:2::", "[2001:db8:1:2:ffff::1]:99": "2001:db8:1:2::", "@": "@",
	} {
		if got := peer(&http.Request{RemoteAddr: address}); got != want {
			t.Errorf("%s is %s", address, got)
		}
	}
}

// However many addresses try, what is remembered of them is bounded, and forgotten in time.
func TestAttemptsFromEverywhere(t *testing.T) {
	tries, now := tries{failed: map[string]attempts{}, most: 1}, time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range mostKnown + 5 {
		tries.fail(strconv.Itoa(i), now)
	}
	if len(tries.failed) != mostKnown || tries.left("0", now) != window {
		t.Errorf("%d are remembered", len(tries.failed))
	}
	if tries.fail("late", now.Add(window)); len(tries.failed) != 1 {
		t.Errorf("%d are still remembered", len(tries.failed))
	}
}
