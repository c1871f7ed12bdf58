// Package shop plays a merchant towards a merchant gateway: it creates deposit orders and payouts, queries them, is asked before its
// payouts go, hears what became of its orders, and keeps its own books.
//
//	Send ──signed JSON──▶ the gateway ──▶ its answer, verified ──▶ Asked          (call.go)
//	the gateway ──JSON──▶ /deposits, /payouts ──▶ verify, query back, book ──▶ Heard   (hear.go; faults.go meddles)
//	the gateway ──JSON──▶ /check ──▶ is this payout mine? ──▶ Heard
//
// It is a peer, not a part: it is written from the sheet (merchant-gateway) and shares nothing with the gateway but the secrets that both
// sides were given. Its record (record.go) is one side of the comparison in package sandbox and holds no name and no account number.
//
// What happens to the money when nobody answers: a request without an answer may have been taken, so it is queried and never counted as
// failed (§8). News that are not understood, or that a query does not confirm, book nothing and are not acknowledged: they come again.
package shop

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Config is what a shop needs to know.
type Config struct {
	API           string           // the gateway's base, without a path
	PlatformID    string           // who we are to it
	Key           string           // platform_key: signs both ways (§1)
	Authorization string           // the whole header of queries (§1)
	Webhook       string           // secret of the Standard Webhooks headers: whsec_ and base64, or a plain text
	Own           string           // how the gateway reaches us, without a path
	Now           func() time.Time // wall time: request_time, age of what comes
	Business      func() time.Time // business time: when the record says that something happened
	File          string           // the record on disk; "" keeps it in memory
	Log           *slog.Logger
}

// Shop is one merchant with its memory. It is safe for concurrent use, and an http.Handler for what the gateway sends.
type Shop struct {
	cfg  Config
	http *http.Client
	mux  *http.ServeMux

	mu     sync.Mutex
	record record
	file   *file
	rules  []*rule
}

// The paths that the gateway calls.
const (
	depositPath = "/deposits"
	payoutPath  = "/payouts"
	checkPath   = "/check"
)

// patience is how long the shop waits for an answer: as its kind does (§7).
const patience = 10 * time.Second

// New makes a shop that remembers what its file says.
func New(cfg Config) (*Shop, error) {
	if cfg.API == "" || cfg.PlatformID == "" || cfg.Key == "" || cfg.Authorization == "" {
		return nil, errors.New("shop: a merchant needs a gateway, an id, a key and a token")
	}
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	s := &Shop{cfg: cfg, http: &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8},
	}}
	var err error
	if s.file, err = openFile(cfg.File, s.record.put); err != nil {
		return nil, err
	}
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST "+depositPath, func(w http.ResponseWriter, r *http.Request) { s.hear(w, r, Deposit) })
	s.mux.HandleFunc("POST "+payoutPath, func(w http.ResponseWriter, r *http.Request) { s.hear(w, r, Payout) })
	s.mux.HandleFunc("POST "+checkPath, func(w http.ResponseWriter, r *http.Request) { s.hear(w, r, Check) })
	return s, nil
}

// ServeHTTP takes what the gateway sends.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// CheckURL is where the gateway asks before a payout goes (§11).
func CheckURL(own string) string { return own + checkPath }

// Close lets go of connections and of the file. Nothing is recorded after it.
func (s *Shop) Close() error {
	s.http.CloseIdleConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.close()
}
