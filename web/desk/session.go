package desk

import (
	crypto "crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"naru/core/card"
	"naru/engine"
)

// The limits of sessions, and of attempts to open one.
const (
	idle        = 30 * time.Minute
	life        = 12 * time.Hour
	mostOfOne   = 32 // sessions of a merchant: the one that rested longest makes room
	window      = 15 * time.Minute
	mostFailed  = 10 // attempts from an address that fail within the window
	mostGuesses = 50 // attempts at a merchant, from anywhere
	mostKnown   = 10_000
)

const (
	sessionCookie = "naru_desk"
	loginCookie   = "naru_desk_login"
)

// session is a merchant that has signed in.
type session struct {
	merchant     string
	csrf         string
	key          [32]byte // digest of the key that opened it
	opened, seen time.Time
}

// sessions are kept in memory: a restart signs everybody out, and nothing of a session can be stolen from a disk.
type sessions struct {
	mu   sync.Mutex
	open map[string]*session
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.seen) >= idle || now.Sub(s.opened) >= life
}

func (s *sessions) start(merchant string, key [32]byte, now time.Time) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest string
	own := 0
	for id, o := range s.open {
		switch {
		case o.over(now):
			delete(s.open, id)
		case o.merchant == merchant:
			if own++; oldest == "" || o.seen.Before(s.open[oldest].seen) {
				oldest = id
			}
		}
	}
	if own >= mostOfOne {
		delete(s.open, oldest)
	}
	id = crypto.Text() // 130 bits: nobody guesses it
	s.open[id] = &session{merchant: merchant, csrf: crypto.Text(), key: key, opened: now, seen: now}
	return id
}

// find is the session of an id, which from now on was used now.
func (s *sessions) find(id string, now time.Time) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.open[id]
	switch {
	case o == nil:
		return nil
	case o.over(now):
		delete(s.open, id)
		return nil
	}
	o.seen = now
	return o
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// tries counts attempts to sign in that failed: by the address that they came from, or by the merchant, if there is such a one.
type tries struct {
	mu     sync.Mutex
	failed map[string]attempts
	most   int // in a window
}

type attempts struct {
	n     int
	since time.Time
}

// left is how long it is until somebody may try again; nothing where he may now.
func (t *tries) left(who string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.failed[who]; a.n >= t.most && now.Sub(a.since) < window {
		return window - now.Sub(a.since)
	}
	return 0
}

func (t *tries) fail(who string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failed) >= mostKnown {
		for w, a := range t.failed {
			if now.Sub(a.since) >= window {
				delete(t.failed, w)
			}
		}
	}
	a := t.failed[who]
	if now.Sub(a.since) >= window {
		if len(t.failed) >= mostKnown { // many addresses at once: what is counted by merchant still stands
			return
		}
		a = attempts{since: now}
	}
	a.n++
	t.failed[who] = a
}

func (d *Desk) cookie(c *call, name, value string, age int) {
	http.SetCookie(c.w, &http.Cookie{
		Name: name, Value: value, Path: root, MaxAge: age, HttpOnly: true, Secure: !d.cfg.Plain, SameSite: http.SameSiteStrictMode,
	})
}

// signedIn lets a merchant in that has signed in, and a form only where it comes from one of our own pages.
func (d *Desk) signedIn(next func(*call)) func(*call) {
	return func(c *call) {
		cookie, err := c.r.Cookie(sessionCookie)
		if err == nil {
			c.session = d.sessions.find(cookie.Value, d.cfg.Now())
		}
		if c.session != nil {
			valid, err := d.stands(c)
			if err != nil {
				c.session = nil
				d.fail(c, err)
				return
			}
			if !valid {
				d.sessions.end(cookie.Value)
				c.session = nil
			}
		}
		switch {
		case c.session == nil && c.r.Method == http.MethodPost:
			c.redirect(root + "login?why=over")
		case c.session == nil:
			c.redirect(root + "login?next=" + url.QueryEscape(c.r.URL.RequestURI()))
		case c.r.Method == http.MethodPost && !d.ours(c, c.session.csrf):
		default:
			next(c)
		}
	}
}

// stands reports whether the key that opened a session is still valid: whoever ends a key that leaked ends its sessions too.
func (d *Desk) stands(c *call) (bool, error) {
	m, ok := d.cfg.Engine.Merchant(c.session.merchant)
	if !ok {
		return false, nil
	}
	c.merchant = m
	keys, err := d.cfg.Engine.MerchantSecrets(c.ctx(), m.ID, engine.SigningKey)
	if err != nil {
		return false, err
	}
	for _, k := range keys {
		if c.session.key == digest(k) {
			return true, nil
		}
	}
	return false, nil
}

func digest(s card.Secret) [32]byte { return sha256.Sum256([]byte(s.Reveal())) }

// ours reports whether a form comes from a page of ours; where it does not, it has answered itself.
func (d *Desk) ours(c *call, token string) bool {
	if err := c.r.ParseForm(); err != nil {
		var long *http.MaxBytesError
		if errors.As(err, &long) {
			d.say(c, http.StatusRequestEntityTooLarge, "That is too long.", "Nothing has changed. Paste less than 128 kB.")
			return false
		}
		d.say(c, http.StatusBadRequest, "The form cannot be read.", "Nothing has changed.")
		return false
	}
	given := c.r.PostForm.Get("csrf")
	if token == "" || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 || http.NewCrossOriginProtection().Check(c.r) != nil {
		d.say(c, http.StatusForbidden,
			"The form is not one of this page, or too old.", "Nothing has changed. Open the page again and try once more.")
		return false
	}
	return true
}

// entrance is the form to sign in.
type entrance struct{ ID, Next, Token, Wrong, Why string }

func (d *Desk) loginPage(c *call) {
	e := entrance{Next: inside(c.r.URL.Query().Get("next"))}
	if c.r.URL.Query().Get("why") == "over" {
		e.Why = "Your session is over. Nothing was changed: sign in and try again."
	}
	d.enter(c, http.StatusOK, e)
}

// enter shows the form. Its token is the cookie's: a foreign page can set neither.
func (d *Desk) enter(c *call, status int, e entrance) {
	e.Token = crypto.Text()
	d.cookie(c, loginCookie, e.Token, int(life/time.Second))
	d.show(c, status, "login", "Sign in", e)
}

// inside is where to go after signing in: only ever a page of the desk.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, root) || strings.Contains(u.Path, "..") ||
		strings.ContainsAny(next, "\\\r\n") {
		return root
	}
	return next
}

func (d *Desk) login(c *call) {
	token := ""
	if cookie, err := c.r.Cookie(loginCookie); err == nil {
		token = cookie.Value
	}
	if !d.ours(c, token) {
		return
	}
	e := entrance{ID: strings.TrimSpace(c.r.PostForm.Get("platform_id")), Next: inside(c.r.PostForm.Get("next"))}
	given := card.Conceal(strings.TrimSpace(c.r.PostForm.Get("platform_key")))
	now, from := d.cfg.Now(), d.cfg.Client(c.r)
	m, known := d.cfg.Engine.Merchant(e.ID)
	wait := d.addresses.left(from, now)
	if known {
		wait = max(wait, d.guesses.left(m.ID, now))
	}
	if wait > 0 {
		c.w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
		e.Wrong = "Too many attempts. Wait a quarter of an hour, then try again."
		d.enter(c, http.StatusTooManyRequests, e)
		return
	}
	var keys []card.Secret
	if known {
		var err error
		if keys, err = d.cfg.Engine.MerchantSecrets(c.ctx(), m.ID, engine.SigningKey); err != nil {
			d.fail(c, err)
			return
		}
	}
	sum, same := digest(given), 0
	for _, k := range keys {
		want := digest(k)
		same |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	if given.IsZero() || same != 1 {
		d.addresses.fail(from, now)
		if known {
			d.guesses.fail(m.ID, now)
		}
		e.Wrong = "That platform_id and platform_key do not belong together. Look at both, and at spaces around them."
		d.enter(c, http.StatusUnprocessableEntity, e)
		return
	}
	c.merchant = m
	d.cookie(c, loginCookie, "", -1)
	d.cookie(c, sessionCookie, d.sessions.start(m.ID, sum, now), 0)
	c.redirect(e.Next)
}

func (d *Desk) logout(c *call) {
	cookie, err := c.r.Cookie(sessionCookie)
	if err == nil {
		d.sessions.end(cookie.Value)
	}
	d.cookie(c, sessionCookie, "", -1)
	c.redirect(root + "login?done=unsigned")
}

// hostOf is the host of an address, of IPv6 the network that one household has.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}
