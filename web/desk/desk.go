package desk

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/fault"
	"naru/engine"
	"naru/web/look"
)

// An Engine is what the desk reads, and the few things it does.
type Engine interface {
	Merchant(id string) (engine.Merchant, bool)
	// MerchantSecrets are the secrets that are valid now, newest first.
	MerchantSecrets(ctx context.Context, merchant string, p engine.KeyPurpose) ([]card.Secret, error)
	BalanceOf(ctx context.Context, merchant string) (engine.Balances, error)
	Deposits(context.Context, engine.Page) ([]deposit.Order, int64, error)
	MerchantPayouts(context.Context, engine.Page) ([]engine.MerchantPayout, int64, error)
	PayerOf(deposit.Order) (deposit.Payer, error)
	// NoticesOf lists notifications, newest first; of one order where a subject names it by its number.
	NoticesOf(ctx context.Context, merchant string, from, until time.Time, subject string, offset, limit int64) ([]engine.NoticeLog, error)
	ResendNotice(ctx context.Context, merchant, id string) error
	MerchantKeys(ctx context.Context, merchant string) ([]engine.MerchantKey, error)
	RenewMerchantKey(ctx context.Context, merchant string, p engine.KeyPurpose) (card.Secret, error)
	EndMerchantKey(ctx context.Context, merchant, id string, at time.Time) error
}

// Signing is how messages are signed. It is the merchant API's own, so that the tester says what the API does.
type Signing interface {
	// Explain says what of a JSON object is signed (merchant-gateway §4.1). Its error says nothing of what stands in the body.
	Explain(body []byte) (Explanation, error)
	// Digest is the signature of a text: MD5 or HMAC-SHA256 (merchant-gateway §4.2).
	Digest(algorithm, text string, key card.Secret) string
}

// Explanation is how a body is signed.
type Explanation struct {
	Text   string  // without the key
	Signed []Field // in the order of signing
	Left   []Field // the value says why it is left out
}

// Field is a parameter by name and value.
type Field struct{ Name, Value string }

// A Bank is the simulated bank of a sandbox: it books a transfer on an account of ours. The amount is in whole won.
type Bank interface {
	Deposit(ctx context.Context, account string, amount int64, name string) error
}

// Setting is a line of what is agreed with a merchant, for reading.
type Setting struct{ Name, Value string }

// Config is what the desk needs. What is optional may be nil: then its part is absent.
type Config struct {
	Engine      Engine
	Signing     Signing
	Now         func() time.Time                           // wall time: sessions
	Business    func() time.Time                           // business time: orders, keys
	Client      func(*http.Request) string                 // who asks, to count attempts to sign in; by default the connection's address
	Settings    func(merchant string) []Setting            // of the API: its allowlist and switches; optional
	PaymentPage func(deposit.Order) string                 // the address of an order's hosted page; optional
	Bank        Bank                                       // of a sandbox; optional
	Skip        func(context.Context, time.Duration) error // moves a sandbox's business time forward; optional
	Plain       bool                                       // served without TLS, as in a sandbox: the cookie travels in clear
	Log         *slog.Logger
}

// Desk serves the merchant's page.
type Desk struct {
	cfg                Config
	handler            http.Handler
	files              *look.Files
	sessions           sessions
	addresses, guesses tries
}

const (
	root      = "/desk/"
	formLimit = 128 << 10 // bytes of a form: a pasted message may be long
)

//go:embed assets
var embedded embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"won": won, "stamp": stampOf, "count": count, "copied": copied}).
	ParseFS(embedded, "assets/*.html"))

// New makes the desk.
func New(cfg Config) *Desk {
	if cfg.Client == nil {
		cfg.Client = peer
	}
	d := &Desk{
		cfg: cfg, files: look.NewFiles(root+"assets/", files()),
		sessions:  sessions{open: map[string]*session{}},
		addresses: tries{failed: map[string]attempts{}, most: mostFailed}, guesses: tries{failed: map[string]attempts{}, most: mostGuesses},
	}
	m := http.NewServeMux()
	for pattern, do := range map[string]func(*call){
		"GET " + root + "{$}":                    d.overview,
		"GET " + root + "deposits":               d.deposits,
		"GET " + root + "deposits.csv":           d.depositsCSV,
		"GET " + root + "deposits/{number}":      d.deposit,
		"POST " + root + "deposits/{number}/pay": d.pay,
		"GET " + root + "payouts":                d.payouts,
		"GET " + root + "payouts.csv":            d.payoutsCSV,
		"GET " + root + "payouts/{number}":       d.payout,
		"GET " + root + "notices":                d.notices,
		"GET " + root + "notices.csv":            d.noticesCSV,
		"POST " + root + "notices/resend":        d.resend,
		"POST " + root + "notices/resend-all":    d.resendAll,
		"GET " + root + "signature":              d.signature,
		"POST " + root + "signature":             d.explain,
		"GET " + root + "keys":                   d.keys,
		"POST " + root + "keys/new":              d.newKey,
		"POST " + root + "keys/end":              d.endKey,
		"GET " + root + "settings":               d.settings,
		"POST " + root + "logout":                d.logout,
	} {
		m.HandleFunc(pattern, d.serve(d.signedIn(do)))
	}
	m.HandleFunc("GET "+root+"login", d.serve(d.loginPage))
	m.HandleFunc("POST "+root+"login", d.serve(d.login))
	m.HandleFunc("GET "+root, d.serve(d.signedIn(d.unknown)))
	m.Handle("GET "+root+"assets/", d.files)
	d.handler = look.Guard(m)
	return d
}

func files() map[string]string {
	all := map[string]string{}
	for _, name := range []string{"desk.css", "desk.js", "tab.svg"} {
		b, err := embedded.ReadFile("assets/" + name)
		if err != nil {
			panic("desk: " + err.Error())
		}
		all[name] = string(b)
	}
	all["desk.css"] = look.Tokens + all["desk.css"]
	return all
}

func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// call is one request.
type call struct {
	w        http.ResponseWriter
	r        *http.Request
	session  *session // nil before signing in
	merchant engine.Merchant
	status   int
	cause    error // for the log
}

func (c *call) ctx() context.Context { return c.r.Context() }

// serve writes a request's line in the log: the route, never the path or the query, which may hold numbers of orders.
func (d *Desk) serve(next func(*call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start, c := d.cfg.Now(), &call{w: w, r: r, status: http.StatusOK}
		r.Body = http.MaxBytesReader(w, r.Body, formLimit)
		next(c)
		level, cause := slog.LevelInfo, ""
		if c.cause != nil {
			level, cause = slog.LevelError, c.cause.Error()
		}
		d.cfg.Log.LogAttrs(r.Context(), level, "desk call",
			slog.String("route", r.Pattern), slog.String("method", r.Method), slog.Int("status", c.status), slog.String("merchant", c.merchant.ID),
			slog.Float64("seconds", d.cfg.Now().Sub(start).Seconds()), slog.String("cause", cause))
	}
}

// sheet is a page with what stands around it.
type sheet struct {
	View     any
	Title    string
	Tab      string // the part of the desk it belongs to
	Merchant string
	CSRF     string
	Done     string // what has just been done
	Sandbox  bool
	Zone     *time.Location
	d        *Desk
}

// File is the path of one of our files.
func (s sheet) File(name string) string { return s.d.files.Path(name) }

// Tabs are the parts of the desk.
func (sheet) Tabs() []tab {
	return []tab{
		{"overview", root, "Overview"},
		{"deposits", root + "deposits", "Deposits"},
		{"payouts", root + "payouts", "Payouts"},
		{"notices", root + "notices", "Notifications"},
		{"signature", root + "signature", "Signature"},
		{"keys", root + "keys", "Keys"},
		{"settings", root + "settings", "Settings"},
	}
}

type tab struct{ ID, Path, Name string }

// tabOf is the part of the desk that a page within one belongs to.
var tabOf = map[string]string{"deposit": "deposits", "payout": "payouts"}

// done are the things that a page may say were done before it was opened: the address names one, and never brings words of its own.
var done = map[string]string{
	"resent":   "The notification is on its way again.",
	"resentn":  "The notifications are on their way again.",
	"paid":     "The bank has booked the transfer. What became of it stands below.",
	"ended":    "The key ends as you chose.",
	"unsigned": "You are signed out.",
}

// show writes a page whole or not at all.
func (d *Desk) show(c *call, status int, name, title string, v any) {
	s := sheet{
		View: v, Title: title, Tab: cmp.Or(tabOf[name], name), Done: done[c.r.URL.Query().Get("done")],
		Sandbox: d.cfg.Bank != nil, d: d,
	}
	if c.session != nil {
		s.Merchant, s.CSRF, s.Zone = c.merchant.ID, c.session.csrf, c.merchant.Location
	}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, s); err != nil {
		c.cause, c.status = err, http.StatusInternalServerError
		http.Error(c.w, http.StatusText(c.status), c.status)
		return
	}
	c.status = status
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b.Bytes()) // the reader has gone: nobody to tell
}

func (c *call) redirect(to string) {
	c.status = http.StatusSeeOther
	http.Redirect(c.w, c.r, to, c.status)
}

// apart is a page that says one thing.
type apart struct{ Says, Next string }

func (d *Desk) say(c *call, status int, says, next string) {
	d.show(c, status, "apart", strings.TrimSuffix(says, "."), apart{says, next})
}

// unknown says nothing but that there is nothing: another merchant's order is no more there than one that never was.
func (d *Desk) unknown(c *call) {
	d.say(c, http.StatusNotFound, "There is nothing here.", "Look at the number, or find the order in the lists.")
}

// fail says why a thing was not done. What nobody classified is nobody's business but the log's.
func (d *Desk) fail(c *call, err error) {
	kind, public := fault.Of(err)
	var refusal engine.Refusal
	switch {
	case errors.Is(err, engine.ErrNotFound):
		d.unknown(c)
	case errors.As(err, &refusal):
		d.say(c, http.StatusConflict, "Not done: "+refusal.Error()+".", "Nothing has changed.")
	case kind == fault.Precondition && public != "":
		d.say(c, http.StatusConflict, "Not done: "+public+".", "Nothing has changed.")
	default:
		c.cause = err
		next := "Nothing was changed. Try again in a moment."
		if c.r.Method == http.MethodPost {
			next = "It is not certain whether it was done. Look at the page it belongs to before you try again."
		}
		c.w.Header().Set("Retry-After", "10")
		d.say(c, http.StatusServiceUnavailable, "The desk has no answer right now.", next)
	}
}

// button is the button that copies a raw value; its name says which.
type button struct{ Name, Raw string }

func copied(name, raw string) button { return button{name, raw} }

// peer is the address of the connection.
func peer(r *http.Request) string { return cmp.Or(hostOf(r.RemoteAddr), r.RemoteAddr) }
