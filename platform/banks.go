package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payout"
	"naru/engine"
	"naru/rail/upi"
	"naru/room"
)

// bank makes the adapter of a payout bank.
func (c Config) bank(b Bank, now func() time.Time, refused func(string)) (*upi.RazorpayX, error) {
	secret, err := c.secret(b.Secret)
	if err != nil {
		return nil, err
	}
	roots, err := c.roots(b.CA)
	if err != nil {
		return nil, err
	}
	cfg := upi.Config{
		Base: b.Base, KeyID: b.KeyID, Secret: secret, Account: b.Account, DebitAccount: b.Debit, Purpose: b.Purpose,
		ContactName: cmp.Or(b.Payee, "Google user"), QueueIfLowBalance: b.QueueLow, Now: now, Roots: roots, Timeout: b.Timeout.Duration,
		Refused: func() { refused("full") },
	}
	if b.Cap > 0 {
		cfg.Cap = money.New(b.Cap, money.Of("INR"))
	}
	for _, file := range b.Signing {
		s, err := c.secret(file)
		if err != nil {
			return nil, err
		}
		cfg.Webhooks = append(cfg.Webhooks, s)
	}
	return upi.NewRazorpayX(cfg)
}

// secret reads a secret from a file of its own: one line.
func (c Config) secret(file string) (card.Secret, error) {
	text, err := os.ReadFile(c.file(file))
	if err != nil {
		return card.Secret{}, err
	}
	return card.Conceal(strings.TrimSpace(string(text))), nil
}

// maxEvent is more than any event of a payout bank is long.
const maxEvent = 1 << 20

// mostEvents is how many events of one bank are heard at once: three quarters of that, because nobody may have all of a room.
const mostEvents = 64

// news hears what payout banks tell: POST /payouts/NAME. It answers 2xx only when what was told is on disk, and when nothing follows from it;
// who cannot prove to be the bank hears 401 and no reason. What bank feeds push comes the same way.
func (p *Platform) news(pushed http.Handler) http.Handler {
	mux := http.NewServeMux()
	if pushed != nil {
		mux.Handle("/v1/", pushed)
	}
	talking := map[string]*room.Room{}
	for name := range p.banks {
		talking[name] = room.New(mostEvents)
	}
	mux.HandleFunc("POST /payouts/{bank}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("bank")
		bank, ok := p.banks[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if !talking[name].Enter(room.Guest{Party: name}) { // it tells again
			p.metrics.refusing("webhooks")("full")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer talking[name].Leave(room.Guest{Party: name})
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		told, about, err := bank.Hear(r.Header, raw)
		p.metrics.Told(name, heardAs(about, err))
		switch {
		case errors.Is(err, upi.ErrSignature):
			w.WriteHeader(http.StatusUnauthorized)
			return
		case err != nil: // a bank stops telling who refuses
			p.log.Error("a payout bank's event cannot be read", "bank", name, "error", err)
		case about:
			if err := p.Engine.PayoutNews(r.Context(), name, told); err != nil {
				p.log.Error("a payout bank's event cannot be written down; it is told again", "bank", name, "event", told.ID, "error", err)
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func heardAs(about bool, err error) string {
	switch {
	case errors.Is(err, upi.ErrSignature):
		return "unsigned"
	case err != nil:
		return "unreadable"
	case !about:
		return "other"
	}
	return "payout"
}

// How long the answer to a question about an address is waited for, and how often it is looked for: what is left of the caller's time pays.
const (
	validateFor   = 1500 * time.Millisecond
	validateEvery = 150 * time.Millisecond
)

// validate asks whether somebody has an address (rails §2.4). What the bank does not say in time says nothing.
func validate(ctx context.Context, bank *upi.RazorpayX, to payout.Target) payout.Answer {
	ctx, cancel := context.WithTimeout(ctx, validateFor)
	defer cancel()
	for id := ""; ; {
		v := bank.Validate(ctx, to.VPA, id)
		if v.Standing == upi.Invalid { // disburse v1 §9: ZH
			return payout.Answer{Verdict: payout.Rejected, Reason: payout.Closed, Scope: upi.ScopeRazorpayX, Code: "vpa_invalid"}
		}
		if v.Standing != upi.Asking {
			return payout.Answer{}
		}
		id = v.ID
		select {
		case <-ctx.Done():
			return payout.Answer{}
		case <-time.After(validateEvery):
		}
	}
}

// behind is the engine's view of a payout bank.
func (b Bank) behind(rail *upi.RazorpayX) engine.Bank {
	out := engine.Bank{Rail: rail, Resend: plain(b.Resend), Look: plain(b.Look), Again: b.Again.Duration, Attempts: b.Attempts, Guard: b.Guard}
	if b.Validate {
		out.Validate = func(ctx context.Context, to payout.Target) payout.Answer { return validate(ctx, rail, to) }
	}
	return out
}

// openHooks listens where banks call; nil where none does.
func (p *Platform) openHooks(c Config) (net.Listener, error) {
	w := c.Webhooks
	if w.Listen == "" {
		return nil, nil
	}
	l, err := p.listen(c, w.Listen, w.Cert, w.Key)
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return l, nil
}
