package platform

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"naru/core/fault"
	"naru/core/payout"
	"naru/engine"
)

// caseJSON is a case as the operators' listener shows it.
type caseJSON struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	Payment  string     `json:"payment,omitempty"`
	Subject  string     `json:"subject,omitempty"` // what can be sent again: advice/… or notice/…
	Detail   string     `json:"detail"`
	At       time.Time  `json:"at"`
	ClosedAt *time.Time `json:"closed_at,omitempty"`
	Note     string     `json:"note,omitempty"`
}

// creditJSON is money that came by transfer, as the operators' listener shows it. Who sent it is for the console, where it is known who looks.
type creditJSON struct {
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Trouble  string    `json:"trouble,omitempty"`
	Rule     string    `json:"rule"`
	Receiver string    `json:"receiver"`
	Amount   string    `json:"amount"`
	Inputs   string    `json:"inputs"` // what the decision was made from
	BookedAt time.Time `json:"booked_at"`
}

// receiverJSON is an account that payers transfer to. Amounts are whole won.
type receiverJSON struct {
	ID         string     `json:"id"`
	Bank       string     `json:"bank"`
	Disabled   bool       `json:"disabled"` // by the configuration
	PausedAt   *time.Time `json:"paused_at,omitempty"`
	Note       string     `json:"note,omitempty"`
	Open       int64      `json:"open"`
	Today      int64      `json:"today"`
	LastCredit *time.Time `json:"last_credit,omitempty"`
}

// cases is what operators do about what only a person can resolve, until there is a console. Whoever reaches it may do everything, so it answers
// programs of this machine alone, also where the listener is open to others for its figures, and no page in a browser, whether it says where it
// comes from or came by a name that only pretends to be this machine.
//
//	GET  /cases?all=1                          the open ones, or all
//	POST /cases/close   {"id", "note"}         seen to
//	POST /cases/resume  {"id", "note"}         what it is about is sent again
//	GET  /evidence?id=                         a document that defends against a dispute, in clear
//	POST /payouts/refuse {"id", "reason", "note"}  a payout that nothing moved for ends
//	POST /payouts/approve, /payouts/cancel {"id", "note"}  a payout that waits for a person goes, or ends
//	POST /payouts/paid, /payouts/unpaid {"id", "note"}  what the bank says became of an order that is open
//	GET  /credits?all=1                        money that came by transfer and is nobody's yet, or all that came
//	POST /credits/assign {"id", "order", "note"}   it pays an order
//	POST /credits/return {"id", "bank", "note"}    it goes back to its sender, by a transfer_bank
//	POST /deposits/cancel, /deposits/fail {"id", "note"}   an order that is not paid ends
//	GET  /receivers                            the accounts that payers transfer to, and how they do
//	POST /receivers/pause, /receivers/resume {"id", "note"}  no new order is to be paid there, or again
//	POST /settlements/paid {"id", "reference"} the money of a settlement moved
//	POST /echo          {"id"}                 Google's echo for an account: do keys, address and account fit?
func (p *Platform) cases(mux *http.ServeMux) {
	handle := func(pattern string, h http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			site := r.Header.Get("Sec-Fetch-Site")
			switch {
			case !Loopback(r.RemoteAddr) || !Loopback(r.Host):
				say(w, http.StatusForbidden, map[string]string{"error": "this is for programs of the same machine"})
				return
			case len(r.Header["Origin"]) > 0 || site != "" && site != "none":
				say(w, http.StatusForbidden, map[string]string{"error": "this listener does not talk to web pages"})
				return
			}
			h(w, r)
		})
	}
	handle("GET /cases", func(w http.ResponseWriter, r *http.Request) {
		list, err := p.Engine.ListCases(r.Context(), r.FormValue("all") == "", 1000)
		if err != nil {
			tell(w, err)
			return
		}
		out := []caseJSON{}
		for _, c := range list {
			one := caseJSON{ID: c.ID, Kind: c.Kind, Payment: c.Payment, Subject: c.Subject, Detail: c.Detail, At: c.At, Note: c.Note}
			if !c.ClosedAt.IsZero() {
				one.ClosedAt = &c.ClosedAt
			}
			out = append(out, one)
		}
		say(w, http.StatusOK, out)
	})
	handle("POST /cases/close", do(func(r *http.Request, in command) error {
		return p.Engine.CloseCase(r.Context(), in.ID, in.Note)
	}))
	handle("POST /cases/resume", do(func(r *http.Request, in command) error {
		return p.Engine.ResumeCase(r.Context(), in.ID, in.Note)
	}))
	handle("POST /settlements/paid", do(func(r *http.Request, in command) error {
		return p.Engine.PaySettlement(r.Context(), in.ID, in.Reference, "operator")
	}))
	handle("POST /payouts/refuse", do(func(r *http.Request, in command) error {
		return p.Engine.RefusePayout(r.Context(), in.ID, payout.Reason(in.Reason), in.Note)
	}))
	for verb, f := range map[string]func(context.Context, string, string) error{
		"/payouts/approve": p.Engine.ApprovePayout, "/payouts/cancel": p.Engine.CancelPayout,
		"/deposits/cancel": p.Engine.CancelDeposit, "/deposits/fail": p.Engine.FailDeposit,
		"/payouts/paid":    func(ctx context.Context, id, note string) error { return p.Engine.SettlePayout(ctx, id, true, note) },
		"/payouts/unpaid":  func(ctx context.Context, id, note string) error { return p.Engine.SettlePayout(ctx, id, false, note) },
		"/receivers/pause": p.Engine.PauseReceiver, "/receivers/resume": p.Engine.ResumeReceiver,
	} {
		handle("POST "+verb, do(func(r *http.Request, in command) error { return f(r.Context(), in.ID, in.Note) }))
	}
	handle("POST /credits/assign", do(func(r *http.Request, in command) error {
		return p.Engine.AssignCredit(r.Context(), in.ID, in.Order, in.Note)
	}))
	handle("POST /credits/return", do(func(r *http.Request, in command) error {
		return p.Engine.GiveBackCredit(r.Context(), in.ID, in.Bank, in.Note)
	}))
	handle("GET /receivers", func(w http.ResponseWriter, r *http.Request) {
		list, err := p.Engine.ReceiverHealths(r.Context())
		if err != nil {
			tell(w, err)
			return
		}
		out := []receiverJSON{}
		for _, h := range list {
			one := receiverJSON{ID: h.ID, Bank: h.Bank, Disabled: h.Disabled, Open: h.Open, Today: h.Today, Note: h.Pause.Note}
			if !h.Pause.Since.IsZero() {
				one.PausedAt = &h.Pause.Since
			}
			if !h.LastCredit.IsZero() {
				one.LastCredit = &h.LastCredit
			}
			out = append(out, one)
		}
		say(w, http.StatusOK, out)
	})
	handle("GET /credits", func(w http.ResponseWriter, r *http.Request) {
		list, err := p.Engine.ListCredits(r.Context(), r.FormValue("all") == "", 1000)
		if err != nil {
			tell(w, err)
			return
		}
		out := []creditJSON{}
		for _, c := range list {
			out = append(out, creditJSON{
				ID: c.ID, State: string(c.State), Trouble: string(c.Trouble), Rule: c.Rule, Receiver: c.Receiver, Amount: c.Amount.String(),
				Inputs: c.Inputs, BookedAt: c.BookedAt,
			})
		}
		say(w, http.StatusOK, out)
	})
	handle("POST /echo", do(func(r *http.Request, in command) error {
		account, ok := p.Engine.Account(in.ID)
		if !ok {
			return engine.ErrNotFound
		}
		echo := p.notifier.Echo
		if account.Bank != "" {
			echo = p.payouts.Echo
		}
		if _, err := echo(r.Context(), in.ID, "hello from naru"); err != nil {
			return fault.Wrap(fault.Precondition, err, err.Error())
		}
		return nil
	}))
	handle("GET /evidence", func(w http.ResponseWriter, r *http.Request) {
		v, err := p.Engine.Document(r.Context(), r.FormValue("id"))
		if err != nil {
			tell(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/pdf")
		w.Header().Set("Content-Disposition", `attachment; filename="evidence.pdf"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(v.Document)))
		_, _ = w.Write(v.Document)
	})
}

// command is what an operator says.
type command struct {
	ID        string `json:"id"`
	Note      string `json:"note"`
	Reference string `json:"reference"`
	Reason    string `json:"reason"`
	Order     string `json:"order"`
	Bank      string `json:"bank"`
}

func do(what func(*http.Request, command) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in command
		d := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil || in.ID == "" {
			say(w, http.StatusBadRequest, map[string]string{"error": `say {"id": "...", "note": "..."}`})
			return
		}
		if err := what(r, in); err != nil {
			tell(w, err)
			return
		}
		say(w, http.StatusOK, map[string]bool{"done": true})
	}
}

// tell says what is wrong without saying what failed inside.
func tell(w http.ResponseWriter, err error) {
	kind, public := fault.Of(err)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		say(w, http.StatusNotFound, map[string]string{"error": "there is no such thing"})
	case kind == fault.Precondition || kind == fault.Invalid:
		say(w, http.StatusConflict, map[string]string{"error": public})
	default:
		say(w, http.StatusInternalServerError, map[string]string{"error": "it did not work; the log says why"})
	}
}

func say(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what)
}

// Loopback reports whether a host, with or without a port, is this machine as it calls itself.
func Loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
