// Package google plays Google towards an integrator: it sends what Google sends, hosts what Google hosts, and keeps its own record.
//
//	Send ──seal, HTTPS──▶ the integrator ──▶ its answer, verified ──▶ Exchange                     (send.go)
//	the integrator ──HTTPS──▶ open, check ──▶ Received    (serve.go; faults.go meddles)
//	                             └─▶ judge ──▶ Verdict, Reversal, Dispute, ARN, Settlement         (methods.go, payout.go, settle.go)
//	the integrator ──SFTP──▶ open, check, judge ──▶ SettlementFile, Settlement                     (files.go)
//
// What it speaks is a table for each API, and one of them for each account (apis.go).
//
// It is a peer, not a part: it knows the integrator's address, certificate authority and public key, and shares nothing else with it.
// Its record (record.go) is one side of the comparison in package sandbox and holds no card data. When nobody answers, it knows nothing:
// an Exchange with status 0, to be sent again with the same request id.
package google

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"naru/seal"
)

// Config is what a Google needs to know.
type Config struct {
	Integrator string            // https address of the integrator, without a path
	Roots      *x509.CertPool    // who vouches for it
	Keys       *seal.Ring        // our private key
	Peer       *seal.Ring        // the integrator's public key
	Accounts   []string          // the contracted payment integrator accounts; the first stands where a request names none
	APIs       map[string]string // the API of an account; korea-cards-v1 where it has none
	BasePath   string            // in front of everything that we host, with or without /secure-serving
	Now        func() time.Time  // wall time: header timestamps
	Business   func() time.Time  // business time: when the record says that something happened
	Seed       int64             // of the request ids we make up
	File       string            // the record on disk; "" keeps it in memory
	Files      string            // the folder of uploaded settlement files; "" is a temporary one of each ServeFiles
	Log        *slog.Logger
}

// Google is one Google with its memory. It is safe for concurrent use.
type Google struct {
	cfg      Config
	apis     map[string]*api // by account
	box      *seal.Box
	files    *seal.Box                 // opens what is uploaded, which may be larger than a message
	stranger func() (*seal.Box, error) // signs with a key that nobody knows
	http     *http.Client

	mu     sync.Mutex
	record record
	file   *file
	asked  map[key]Exchange // what every request id we used stands for, from before it left
	run    int              // how often this Google was started on its file
	serial int              // of request ids in this run
	rules  []*rule
}

// key is one request id of one account.
type key struct{ account, id string }

// New makes a Google that remembers what its file says.
func New(cfg Config) (*Google, error) {
	if len(cfg.Accounts) == 0 {
		return nil, errors.New("google: there is no account")
	}
	spoken, err := contracts(cfg)
	if err != nil {
		return nil, err
	}
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	box, err := seal.NewBox(seal.Config{Own: cfg.Keys, Peer: cfg.Peer, Now: cfg.Now})
	if err != nil {
		return nil, fmt.Errorf("google: %w", err)
	}
	files, err := seal.NewBox(seal.Config{
		Own: cfg.Keys, Peer: cfg.Peer, Now: cfg.Now, Limits: seal.Limits{Wire: 2 * maxFile, Plain: maxFile},
	})
	if err != nil {
		return nil, fmt.Errorf("google: %w", err)
	}
	g := &Google{
		cfg: cfg, apis: spoken, box: box, files: files, record: newRecord(), asked: map[key]Exchange{},
		http: &http.Client{
			Timeout:       patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				TLSClientConfig:     &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12},
				ForceAttemptHTTP2:   true,
				DisableCompression:  true,
				MaxIdleConnsPerHost: 32,
			},
		},
	}
	g.stranger = sync.OnceValues(func() (*seal.Box, error) {
		private, _, err := seal.GenerateKey(seal.KeyOptions{Name: "a stranger", Now: cfg.Now()})
		if err != nil {
			return nil, err
		}
		keys, err := seal.ParseRing(private)
		if err != nil {
			return nil, err
		}
		return seal.NewBox(seal.Config{Own: keys, Peer: cfg.Peer, Now: cfg.Now})
	})
	if g.file, err = openFile(cfg.File, g.recall); err != nil {
		return nil, fmt.Errorf("google: %w", err)
	}
	g.run++
	if err := g.file.append(line{Run: g.run}); err != nil {
		return nil, errors.Join(fmt.Errorf("google: %w", err), g.file.close())
	}
	return g, nil
}

// contracts finds the API of every account.
func contracts(cfg Config) (map[string]*api, error) {
	of := map[string]*api{}
	for _, account := range cfg.Accounts {
		of[account] = apis[cmp.Or(cfg.APIs[account], koreaCards)]
	}
	for account, name := range cfg.APIs {
		if of[account] == nil {
			return nil, fmt.Errorf("google: account %q with API %q: one of the two does not exist", account, name)
		}
	}
	return of, nil
}

// patience is how long Google waits for an answer: more than the 7 s after which it calls the integrator unavailable (gsp-core §6).
const patience = 10 * time.Second

// Close lets go of connections and of the file. Nothing is recorded after it.
func (g *Google) Close() error {
	g.http.CloseIdleConnections()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.file.close()
}
