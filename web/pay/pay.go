package pay

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"naru/room"
	"naru/web/look"
)

// Config is what the pages need. Zero limits take the defaults named here.
type Config struct {
	Orders Orders
	Banks  func() []Bank    // the banks a payer may choose from, in the order shown
	Now    func() time.Time // wall time
	Log    *slog.Logger

	Heartbeat      time.Duration // of an open stream, 15 s
	StreamLife     time.Duration // after which a page connects again, 10 min
	Streams        int           // open at a time, 4096
	StreamsPerLink int           // 8
	Calls          int           // in work at a time beside them, 256
}

// Pages serves the payment page and the registration page.
type Pages struct {
	cfg     Config
	handler http.Handler
	files   *look.Files
	streams streams
	working *room.Room // calls in work, by where they come from
	close   sync.Once
	closed  chan struct{}
}

const (
	portal   = "/gateway/portal/v1/payments/"
	register = "/gateway/register/v1/payments/"
	assets   = "/gateway/portal/assets/"
	brands   = "/gateway/portal/brand/"

	formLimit = 4 << 10 // bytes of a form
	linkLimit = 128     // bytes of an id
)

//go:embed assets
var embedded embed.FS

var templates = template.Must(template.ParseFS(embedded, "assets/*.html"))

// New makes the pages.
func New(cfg Config) *Pages {
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, 15*time.Second)
	cfg.StreamLife = cmp.Or(cfg.StreamLife, 10*time.Minute)
	p := &Pages{
		cfg: cfg, files: look.NewFiles(assets, files()), closed: make(chan struct{}),
		streams: streams{all: room.New(cmp.Or(cfg.Streams, 4096)), each: map[string]int{}, ofOne: cmp.Or(cfg.StreamsPerLink, 8)},
		working: room.New(cmp.Or(cfg.Calls, 256)),
	}
	m := http.NewServeMux()
	for _, r := range []struct {
		path      string
		get, post func(*call)
	}{
		{portal + "{id}", p.page, p.namePayer},
		{portal + "{id}/events", p.events, nil},
		{portal + "{id}/state", p.state, nil},
		{portal + "{id}/logo", p.logo, nil},
		{register + "{id}", p.registration, p.register},
	} {
		allow := "GET, HEAD"
		m.HandleFunc("GET "+r.path, p.serve(r.get))
		if r.post != nil {
			allow += ", POST"
			m.HandleFunc("POST "+r.path, p.serve(r.post))
		}
		m.HandleFunc(r.path, p.serve(func(c *call) {
			c.w.Header().Set("Allow", allow)
			http.Error(c.w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		}))
	}
	m.HandleFunc("/", p.serve(p.unknown))
	m.Handle("GET "+assets, p.files)
	m.HandleFunc("GET "+brands+"{file}", brand)
	p.handler = look.Guard(m)
	return p
}

// files are the page's own, with one icon of the tab for each state.
func files() map[string]string {
	read := func(name string) string {
		b, err := embedded.ReadFile("assets/" + name)
		if err != nil {
			panic("pay: " + err.Error())
		}
		return string(b)
	}
	all := map[string]string{"pay.css": look.Tokens + read("pay.css"), "pay.js": read("pay.js")}
	for _, m := range manners[1:] {
		all[m.Name+".svg"] = strings.NewReplacer("SHAPE", m.shape, "COLOUR", tabColours[m.tone]).Replace(read("tab.svg"))
	}
	return all
}

// tabColours are those of the light tokens: a tab's icon does not see the page's.
var tabColours = map[string]string{"calm": "#56606e", "news": "#0b5fff", "ok": "#0a7a4b", "wait": "#8a5a00", "bad": "#b3261e"}

func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Close ends the open streams, so that the HTTP server can shut down; the pages connect again elsewhere.
func (p *Pages) Close() { p.close.Do(func() { close(p.closed) }) }

// call is one request of a reader.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	t     *words
	link  string
	leave func() // gives up its place among the calls in work, before it ends
	cause error  // for the log
}

type paths struct{ page, register string }

func (c *call) paths() paths { return paths{portal + c.link, register + c.link} }

func (c *call) ctx() context.Context { return c.r.Context() }

// serve gives a request its language and writes its line in the log: the route, never the path, which is the payer's credential.
func (p *Pages) serve(next func(*call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, rec := p.cfg.Now(), &recorder{ResponseWriter: w, status: http.StatusOK}
		c := &call{w: rec, r: r, t: speak(r), link: r.PathValue("id")}
		if from := sender(r); p.working.Enter(from) {
			c.leave = sync.OnceFunc(func() { p.working.Leave(from) })
			defer c.leave()
			next(c)
		} else {
			p.broken(c, errCrowded)
		}
		level, cause := slog.LevelInfo, ""
		if c.cause != nil {
			level, cause = slog.LevelError, c.cause.Error()
		}
		p.cfg.Log.LogAttrs(r.Context(), level, "page call",
			slog.String("route", r.Pattern), slog.String("method", r.Method), slog.Int("status", rec.status), slog.String("language", c.t.Tag),
			slog.Float64("seconds", p.cfg.Now().Sub(start).Seconds()), slog.String("cause", cause))
	}
}

var errCrowded = errors.New("too many calls are in work")

// sender is whose call it is: a payer has no name.
func sender(r *http.Request) room.Guest {
	at, _ := netip.ParseAddrPort(r.RemoteAddr) // where there is no address all are one
	return room.From(at.Addr())
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// find reads the order of a link; where there is none, or nobody answers, it has answered itself.
func (p *Pages) find(c *call) (Order, bool) {
	if len(c.link) > linkLimit {
		p.unknown(c)
		return Order{}, false
	}
	o, ok, err := p.cfg.Orders.Order(c.ctx(), c.link)
	switch {
	case err != nil:
		p.broken(c, err)
	case !ok:
		p.unknown(c)
	case o.State == 0 || o.State >= states:
		p.broken(c, errors.New("an order without a state"))
	default:
		return o, true
	}
	return Order{}, false
}

func (p *Pages) page(c *call) {
	if o, ok := p.find(c); ok {
		p.show(c, http.StatusOK, "page", viewOf(o, c.t, c.paths(), p.form(c, false)))
	}
}

// namePayer takes the form of the payment page. A form that comes when nobody asked for it changes nothing.
func (p *Pages) namePayer(c *call) {
	p.submit(c, "page", false, func(o Order) bool { return o.NeedsName && !o.NeedsRegistration }, p.cfg.Orders.NamePayer)
}

func (p *Pages) registration(c *call) {
	o, ok := p.find(c)
	switch {
	case !ok:
	case o.shown() != Waiting || !o.NeedsRegistration:
		http.Redirect(c.w, c.r, c.paths().page, http.StatusSeeOther)
	default:
		p.show(c, http.StatusOK, "register", viewOf(o, c.t, c.paths(), p.form(c, true)))
	}
}

func (p *Pages) register(c *call) {
	p.submit(c, "register", true, func(o Order) bool { return o.NeedsRegistration }, p.cfg.Orders.Register)
}

// submit takes a form. The link is what lets a payer in, and no cookie does, so a foreign page gains nothing by sending one; it is refused
// all the same.
func (p *Pages) submit(c *call, name string, withAccount bool, asked func(Order) bool, take func(context.Context, string, Payer) error) {
	if !sameOrigin(c.r) {
		http.Error(c.w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		return
	}
	o, ok := p.find(c)
	if !ok {
		return
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, formLimit)
	if err := c.r.ParseForm(); err != nil {
		http.Error(c.w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	if o.shown() == Waiting && asked(o) {
		f := p.form(c, withAccount)
		payer, right := f.read(c.r.PostForm)
		if right {
			err := take(c.ctx(), c.link, payer)
			var refusal *Refusal
			if errors.As(err, &refusal) {
				f.wrong[refusal.Field], right = refusal.Fault, false
			} else if err != nil {
				p.broken(c, err)
				return
			}
		}
		if !right {
			p.show(c, http.StatusUnprocessableEntity, name, viewOf(o, c.t, c.paths(), f))
			return
		}
	}
	http.Redirect(c.w, c.r, c.paths().page, http.StatusSeeOther)
}

// sameOrigin reports whether a form was sent from a page of ours. Referrer-Policy no-referrer makes browsers send the origin null, so
// Sec-Fetch-Site decides; a phone too old to send that is let through.
func sameOrigin(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return true
	}
	return http.NewCrossOriginProtection().Check(r) == nil
}

func (p *Pages) form(c *call, withAccount bool) *form {
	paths := c.paths()
	f := &form{T: c.t, Action: paths.page, WithAccount: withAccount, Banks: p.cfg.Banks()}
	if withAccount {
		f.Action = paths.register
	}
	return f
}

// logo is the merchant's picture, from our own origin. What is no picture is not served.
func (p *Pages) logo(c *call) {
	o, ok := p.find(c)
	if !ok {
		return
	}
	kind := pictured(o.Merchant.Logo)
	if kind == "" {
		p.unknown(c)
		return
	}
	c.w.Header().Set("Content-Type", kind)
	c.w.Header().Set("Cache-Control", "private, max-age=600")
	_, _ = c.w.Write(o.Merchant.Logo) // the reader has gone: nobody to tell
}

// pictured is the content type of a logo we serve. A vector image can hold scripts and is none.
func pictured(logo []byte) string {
	switch kind := http.DetectContentType(logo); kind {
	case "image/png", "image/jpeg", "image/webp":
		return kind
	default:
		return ""
	}
}

// brand is the style sheet of a colour, made readable. The colour is in the path, so the sheet never changes.
func brand(w http.ResponseWriter, r *http.Request) {
	hex, css := strings.CutSuffix(r.PathValue("file"), ".css")
	c, ok := look.ParseColour("#" + hex)
	if !css || !ok {
		http.NotFound(w, r)
		return
	}
	look.WriteForever(w, ".css", look.Readable(c).CSS())
}

// unknown says nothing but that there is nothing.
func (p *Pages) unknown(c *call) { p.apart(c, http.StatusNotFound, c.t.Unknown) }

// broken is what a payer reads when nobody can say how the order stands: the danger is that he pays again.
func (p *Pages) broken(c *call, cause error) {
	c.cause = cause
	c.w.Header().Set("Retry-After", "10")
	p.apart(c, http.StatusServiceUnavailable, c.t.Broken)
}

// apart is a page without an order.
func (p *Pages) apart(c *call, status int, says [2]string) {
	p.show(c, status, "apart", struct {
		T    *words
		Says [2]string
	}{c.t, says})
}

// show writes a page whole or not at all.
func (p *Pages) show(c *call, status int, name string, v any) {
	var b bytes.Buffer
	err := templates.ExecuteTemplate(&b, name, sheet{View: v, T: c.t, Tables: tables, p: p})
	if err != nil {
		c.cause = err
		http.Error(c.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	remember(c.w, c.r)
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b.Bytes()) // the reader has gone: nobody to tell
}

// sheet is a page with the files it needs.
type sheet struct {
	View   any
	T      *words
	Tables []*words // the languages to choose from
	p      *Pages
}

// File is the path of one of our files.
func (s sheet) File(name string) string { return s.p.files.Path(name) }

// Brand is the path of the style sheet of a merchant's colour; none where he has set none that can be read.
func (s sheet) Brand(colour string) string {
	c, ok := look.ParseColour(colour)
	if !ok {
		return ""
	}
	return brands + c.String()[1:] + ".css"
}
