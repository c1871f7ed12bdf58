package sim

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// problem is an error as the product writes it (rails §2.3).
type problem struct {
	status      int
	code        string
	description string
	source      string
	reason      string
	field       string
}

func (p *problem) body() any {
	type shape struct {
		Code        string         `json:"code"`
		Description string         `json:"description"`
		Source      string         `json:"source"`
		Step        *string        `json:"step"`
		Reason      *string        `json:"reason"`
		Metadata    map[string]any `json:"metadata"`
		Field       *string        `json:"field"`
	}
	return map[string]shape{"error": {p.code, p.description, p.source, nil, known(p.reason), map[string]any{}, known(p.field)}}
}

const badRequest = "BAD_REQUEST_ERROR"

func wrong(field, description string) *problem {
	return &problem{http.StatusBadRequest, badRequest, description, business, "input_validation_failed", field}
}

func unknownID() *problem { return wrong("id", "The id provided does not exist") }

var (
	tooMany = &problem{
		http.StatusTooManyRequests, badRequest, "Request failed. Please try after sometime.", business,
		"rate_limit_exceeded", "",
	}
	trouble = &problem{
		http.StatusInternalServerError, "SERVER_ERROR", "We are facing some trouble completing your request at the moment.", internal,
		"server_error", "",
	}
	away = &problem{http.StatusServiceUnavailable, "GATEWAY_ERROR", "The service is down.", internal, "service_unavailable", ""}
)

// visit is one call.
type visit struct {
	h      *Host
	w      http.ResponseWriter
	r      *http.Request
	body   []byte
	about  subject
	rule   Rule
	payout *payout
	again  bool // the call was answered before
	status int
	answer []byte
}

// api is what the account's owner may call (rails §2.3, §2.4).
func (h *Host) api() http.Handler {
	mux := http.NewServeMux()
	for _, c := range []struct {
		pattern, call string
		judge         func(*visit, time.Time) (any, *problem)
	}{
		{"POST /v1/payouts", "create", (*visit).create},
		{"GET /v1/payouts", "list", (*visit).list},
		{"GET /v1/payouts/{id}", "get", (*visit).get},
		{"POST /v1/payouts/{id}/cancel", "cancel", (*visit).cancel},
		{"POST /v1/fund_accounts/validations", "validate", (*visit).validate},
		{"GET /v1/fund_accounts/validations/{id}", "validation", (*visit).validation},
		{"GET /v1/banking_balances", "balances", func(v *visit, now time.Time) (any, *problem) { return h.book.balances(now), nil }},
		{"GET /v1/transactions", "transactions", (*visit).transactions},
		{"/", "", func(*visit, time.Time) (any, *problem) {
			return nil, wrong("", "The requested URL was not found on the server.")
		}},
	} {
		mux.HandleFunc(c.pattern, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, c.call, c.judge) })
	}
	return mux
}

// serve takes one call from the first byte to the last: what is decided is on disk before the answer leaves, if it leaves.
func (h *Host) serve(w http.ResponseWriter, r *http.Request, call string, judge func(*visit, time.Time) (any, *problem)) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	v := &visit{h: h, w: w, r: r, body: body}
	leave := (*visit).write
	h.do(func(now time.Time) {
		v.look(call)
		seen := record{
			At: now, Kind: "seen", Call: call, Key: v.about.key, Reference: v.about.reference, Amount: v.about.amount,
			Payout: r.PathValue("id"),
		}
		chosen := h.pick(v.about, func(a action) bool { return a.leave != nil })
		said := record{At: now, Kind: "sent", Call: call, Key: v.about.key, Reference: v.about.reference}
		if chosen != nil {
			v.rule, leave = *chosen, chosen.act.leave
			seen.Action, said.Action = chosen.Action, chosen.Action
		}
		h.book.record(seen)
		if chosen != nil && chosen.act.unheard {
			return
		}
		answer, no := h.admit(v, now)
		if no == nil {
			answer, no = judge(v, now)
		}
		if v.status = http.StatusOK; no != nil {
			v.status, answer, said.Note = no.status, no.body(), no.description
		}
		v.answer = written(answer)
		if said.Status, said.Repeated = v.status, v.again; v.payout != nil {
			said.Payout, said.State = v.payout.ID, string(v.payout.Status)
		}
		if chosen != nil && chosen.act.lost {
			said.Kind = "kept"
		}
		h.book.record(said)
	})
	if h.life.Err() != nil {
		panic(http.ErrAbortHandler)
	}
	leave(v)
}

func written(answer any) []byte {
	text, err := json.Marshal(answer, json.Deterministic(true))
	if err != nil {
		panic("an answer of the bank's own making cannot be written: " + err.Error())
	}
	return text
}

func (v *visit) write() {
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(v.status)
	_, _ = v.w.Write(v.answer)
}

// look finds out what a call is about, as far as it can be read, so that rules can be for it.
func (v *visit) look(call string) {
	v.about = subject{call: call, key: v.r.Header.Get(idempotencyHeader), reference: v.r.URL.Query().Get("reference_id")}
	if p := v.h.book.byID[v.r.PathValue("id")]; p != nil {
		v.about.key, v.about.reference, v.about.amount, v.about.vpa = p.Key, p.Reference, p.Amount, p.Address
	}
	var told struct {
		Amount      jsontext.Value `json:"amount"`
		Reference   jsontext.Value `json:"reference_id"`
		FundAccount struct {
			VPA struct {
				Address jsontext.Value `json:"address"`
			} `json:"vpa"`
		} `json:"fund_account"`
	}
	if len(v.body) == 0 || json.Unmarshal(v.body, &told) != nil {
		return
	}
	_ = json.Unmarshal(told.Amount, &v.about.amount) // judged later
	_ = json.Unmarshal(told.Reference, &v.about.reference)
	_ = json.Unmarshal(told.FundAccount.VPA.Address, &v.about.vpa)
}

// admit looks at who is calling, and how often. Under mu.
func (h *Host) admit(v *visit, now time.Time) (any, *problem) {
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	id, secret, _ := v.r.BasicAuth()
	if first, second := same(id, h.cfg.KeyID), same(secret, h.cfg.KeySecret); !first || !second {
		return nil, &problem{http.StatusUnauthorized, badRequest, "Authentication failed", business, "authentication_failed", ""}
	}
	caller, err := netip.ParseAddrPort(v.r.RemoteAddr)
	if err != nil {
		return nil, trouble
	}
	from := caller.Addr().Unmap()
	if h.cfg.Allowed != nil && !slices.ContainsFunc(h.cfg.Allowed, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return nil, &problem{http.StatusBadRequest, badRequest, "Access denied: the IP is not on the list", business, "ip_not_allowed", ""}
	}
	if second := now.Unix(); second != h.second {
		h.second, h.calls = second, 0
	}
	if h.calls++; h.cfg.PerSecond > 0 && h.calls > h.cfg.PerSecond {
		return nil, tooMany
	}
	return nil, nil
}

const idempotencyHeader = "X-Payout-Idempotency"

var (
	keyShape     = regexp.MustCompile(`^[A-Za-z0-9_ -]{4,36}$`)
	addressShape = regexp.MustCompile(`^[A-Za-z0-9.-]+@[A-Za-z0-9.-]+$`)
	nameShape    = regexp.MustCompile(`^[A-Za-z0-9 '_/().-]{2,49}[A-Za-z0-9.]$`)
	textShape    = regexp.MustCompile(`^[A-Za-z0-9 ]{0,30}$`)
	phoneShape   = regexp.MustCompile(`^\+?[0-9 -]{8,15}$`)
	mailShape    = regexp.MustCompile(`^[^@ ]+@[^@ ]+\.[^@ ]+$`)
	purposes     = []string{"refund", "cashback", "payout", "salary", "utility bill", "vendor bill"}
)

type vpaRequest struct {
	Address *string `json:"address"`
}

type contactRequest struct {
	Name        *string `json:"name"`
	Email       *string `json:"email"`
	Contact     *string `json:"contact"`
	Type        *string `json:"type"`
	ReferenceID *string `json:"reference_id"`
	Notes       notes   `json:"notes"`
}

type fundAccountRequest struct {
	AccountType *string         `json:"account_type"`
	VPA         *vpaRequest     `json:"vpa"`
	Contact     *contactRequest `json:"contact"`
}

type payoutRequest struct {
	AccountNumber *string             `json:"account_number"`
	Amount        *int64              `json:"amount"`
	Currency      *string             `json:"currency"`
	Mode          *string             `json:"mode"`
	Purpose       *string             `json:"purpose"`
	FundAccount   *fundAccountRequest `json:"fund_account"`
	FundAccountID *string             `json:"fund_account_id"`
	Queue         *bool               `json:"queue_if_low_balance"`
	ReferenceID   *string             `json:"reference_id"`
	Narration     *string             `json:"narration"`
	Notes         notes               `json:"notes"`
}

type validationRequest struct {
	Account     *string             `json:"source_account_number"`
	FundAccount *fundAccountRequest `json:"fund_account"`
	ReferenceID *string             `json:"reference_id"`
	Notes       notes               `json:"notes"`
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// read decodes a body. The problem names the member at fault.
func (v *visit) read(into any) *problem {
	if kind, _, _ := strings.Cut(v.r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return wrong("Content-Type", "The content type must be application/json")
	}
	err := json.Unmarshal(v.body, into, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	field := ""
	if of := (*json.SemanticError)(nil); errors.As(err, &of) {
		field = strings.ReplaceAll(strings.Trim(string(of.JSONPointer), "/"), "/", ".")
	}
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return wrong(field, field+" is/are not required and should not be sent")
	case field != "":
		return wrong(field, "The "+field+" is of the wrong type")
	}
	return wrong("", "The body is not a JSON object")
}

// condition is one line of the table of rails §2.3.
type condition struct {
	field string
	holds bool
	text  string
}

func first(all []condition) *problem {
	for _, c := range all {
		if !c.holds {
			return wrong(c.field, c.text)
		}
	}
	return nil
}

func required(field string, is bool) condition {
	return condition{field, is, "The " + field + " field is required."}
}

func short(field string, text *string, most int) condition {
	return condition{
		field, len([]rune(value(text))) <= most,
		"The " + field + " may not be longer than " + strconv.Itoa(most) + " characters.",
	}
}

func fits(field string, text *string, shape *regexp.Regexp) condition {
	return condition{field, text == nil || shape.MatchString(*text), "The " + field + " is invalid."}
}

func noted(field string, n notes) condition {
	good := len(n) <= 15
	for key, text := range n {
		good = good && len([]rune(key)) <= 256 && len([]rune(text)) <= 256
	}
	return condition{field, good, "The " + field + " may have 15 pairs of 256 characters."}
}

// check goes through the part of the table that is about the payee.
func (f *fundAccountRequest) check() *problem {
	if no := first([]condition{
		required("fund_account.account_type", f.AccountType != nil),
		{"fund_account.account_type", value(f.AccountType) == "vpa", "The fund_account.account_type must be vpa here."},
		required("fund_account.vpa", f.VPA != nil),
		required("fund_account.contact", f.Contact != nil),
	}); no != nil {
		return no
	}
	address, c := f.VPA.Address, f.Contact
	return first([]condition{
		required("fund_account.vpa.address", address != nil),
		{
			"fund_account.vpa.address", len(value(address)) >= 3 && len(value(address)) <= 100 && addressShape.MatchString(value(address)),
			"The VPA is invalid: 3 to 100 letters, digits, dots and hyphens, and one @.",
		},
		required("fund_account.contact.name", c.Name != nil),
		fits("fund_account.contact.name", c.Name, nameShape),
		fits("fund_account.contact.email", c.Email, mailShape),
		fits("fund_account.contact.contact", c.Contact, phoneShape),
		short("fund_account.contact.type", c.Type, 40),
		short("fund_account.contact.reference_id", c.ReferenceID, 40),
		noted("fund_account.contact.notes", c.Notes),
	})
}

func (v *visit) account(field string, number *string) *problem {
	_, ours := v.h.book.balance[value(number)]
	return first([]condition{required(field, number != nil), {field, ours, "The " + field + " is not an account of yours."}})
}

func (in *payoutRequest) check(v *visit) *problem {
	if no := v.account("account_number", in.AccountNumber); no != nil {
		return no
	}
	amount := value(in.Amount)
	if no := first([]condition{
		required("amount", in.Amount != nil),
		{"amount", amount >= 100, "The amount must be at least 100."},
		required("currency", in.Currency != nil),
		{"currency", value(in.Currency) == "INR", "The currency must be INR."},
		required("mode", in.Mode != nil),
		{"mode", value(in.Mode) == "UPI", "The mode must be UPI here."},
		required("purpose", in.Purpose != nil),
		{"purpose", slices.Contains(append(purposes, v.h.cfg.Purposes...), value(in.Purpose)), "The purpose is not known."},
		short("reference_id", in.ReferenceID, 40),
		fits("narration", in.Narration, textShape),
		noted("notes", in.Notes),
		required("fund_account", in.FundAccount != nil || in.FundAccountID != nil),
		{"fund_account_id", in.FundAccount == nil || in.FundAccountID == nil, "Either fund_account or fund_account_id, not both."},
	}); no != nil {
		return no
	}
	if amount > v.h.cfg.Cap {
		return &problem{
			http.StatusBadRequest, badRequest, "The amount is above the limit of one payout to a VPA.", business, "amount_exceeds_vpa_limit",
			"amount",
		}
	}
	if in.FundAccount != nil {
		return in.FundAccount.check()
	}
	_, exists := v.h.book.accounts[*in.FundAccountID]
	return first([]condition{{"fund_account_id", exists, "The id provided does not exist"}})
}

// fund finds the fund account of a request, or makes it.
func (b *book) fund(in *fundAccountRequest, now time.Time) *fundAccount {
	c, at := in.Contact, now.Unix()
	user, handle, _ := strings.Cut(*in.VPA.Address, "@")
	n := len(b.accounts) + 1
	f := &fundAccount{
		ID: b.name("fa_", n), Entity: "fund_account", AccountType: "vpa", Active: true, CreatedAt: at,
		VPA: vpa{user, handle, *in.VPA.Address},
		Contact: contact{
			ID: b.name("cont_", n), Entity: "contact", Name: *c.Name, Contact: c.Contact, Email: c.Email, Type: c.Type,
			ReferenceID: c.ReferenceID, Active: true, Notes: c.Notes, CreatedAt: at,
		},
	}
	f.ContactID = f.Contact.ID
	if known := b.byPayee[f.same()]; known != nil {
		return known
	}
	b.accounts[f.ID], b.byPayee[f.same()] = f, f
	b.changed.FundAccounts = append(b.changed.FundAccounts, f)
	return f
}

// create makes a payout, once for each key (rails §2.3).
func (v *visit) create(now time.Time) (any, *problem) {
	b, key := v.h.book, v.r.Header.Get(idempotencyHeader)
	if no := first([]condition{
		required(idempotencyHeader, v.r.Header.Values(idempotencyHeader) != nil),
		{
			idempotencyHeader, keyShape.MatchString(key),
			"The " + idempotencyHeader + " must have 4 to 36 letters, digits, hyphens, underscores or spaces.",
		},
	}); no != nil {
		return nil, no
	}
	var in payoutRequest
	if no := v.read(&in); no != nil {
		return nil, no
	}
	if no := in.check(v); no != nil {
		return nil, no
	}
	canonical := jsontext.Value(bytes.Clone(v.body))
	if err := canonical.Canonicalize(); err != nil {
		return nil, wrong("", "The body is not a JSON object")
	}
	hash := sha256.Sum256(canonical)
	s := &spent{Account: *in.AccountNumber, Key: key, Body: hex.EncodeToString(hash[:]), At: now}
	if old := b.keys[s.name()]; old != nil && now.Sub(old.At) < retention {
		if old.Body != s.Body {
			return nil, wrong(idempotencyHeader, "Different request body sent for the same Idempotency Header")
		}
		v.payout, v.again = b.byID[old.Payout], true
		return b.entity(v.payout, true), nil
	}
	f := b.accounts[value(in.FundAccountID)]
	if f == nil {
		f = b.fund(in.FundAccount, now)
	}
	n := len(b.payouts) + 1
	v.payout = &payout{
		ID: b.name("pout_", n), N: n, Account: s.Account, Key: key, FundAccount: f.ID, Address: f.VPA.Address, Amount: *in.Amount,
		Purpose: *in.Purpose, Reference: value(in.ReferenceID), Narration: value(in.Narration), Notes: in.Notes, Queue: value(in.Queue),
		Made: now,
	}
	s.Payout = v.payout.ID
	b.keys[s.name()] = s
	b.changed.Keys = append(b.changed.Keys, s)
	acted := v.payout.Address
	if r := v.h.pick(v.about, func(a action) bool { return a.cast }); r != nil {
		acted = r.As
	}
	alone := b.roots[b.cfg.Root(v.payout.Reference)] == 0
	b.begin(v.payout, find(acted, b.cfg.Seed).plan(&story{delay: b.cfg.Delay, first: alone}, acted, v.payout.Amount))
	return b.entity(v.payout, true), nil
}

func (v *visit) get(time.Time) (any, *problem) {
	if v.payout = v.h.book.byID[v.r.PathValue("id")]; v.payout == nil {
		return nil, unknownID()
	}
	return v.h.book.entity(v.payout, true), nil
}

func (v *visit) cancel(now time.Time) (any, *problem) {
	if v.payout = v.h.book.byID[v.r.PathValue("id")]; v.payout == nil {
		return nil, unknownID()
	}
	if v.payout.Status != queued {
		return nil, wrong("status", "Only a payout that is queued can be cancelled.")
	}
	v.payout.Script, v.payout.Short = nil, false
	v.h.book.pass(v.payout, move{To: cancelled, Reason: "payout_cancelled"}, now)
	return v.h.book.entity(v.payout, true), nil
}

// window is the part of a list that is asked for.
type window struct {
	from, to    int64
	skip, count int
}

func (v *visit) window() (window, *problem) {
	w := window{to: 1 << 62, count: 10}
	skip, count := int64(0), int64(10)
	for name, into := range map[string]*int64{"from": &w.from, "to": &w.to, "skip": &skip, "count": &count} {
		text := v.r.FormValue(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 62)
		if err != nil || n < 0 {
			return w, wrong(name, "The "+name+" must be a number.")
		}
		*into = n
	}
	w.skip, w.count = int(min(skip, 1<<30)), int(count)
	return w, first([]condition{{"count", count >= 1 && count <= 100, "The count must be between 1 and 100."}})
}

func (w window) has(at time.Time) bool { return at.Unix() >= w.from && at.Unix() <= w.to }

// asked is the account and the window of a list.
func (v *visit) asked() (number string, w window, no *problem) {
	number = v.r.FormValue("account_number")
	if no = v.account("account_number", known(number)); no == nil {
		w, no = v.window()
	}
	return number, w, no
}

func (v *visit) list(time.Time) (any, *problem) {
	number, w, no := v.asked()
	if no != nil {
		return nil, no
	}
	b := v.h.book
	var found []*payout
	for _, p := range b.payouts {
		fits := p.Account == number && w.has(p.Made)
		for name, is := range map[string]string{
			"reference_id": p.Reference, "status": string(p.Status), "mode": "UPI", "fund_account_id": p.FundAccount,
			"contact_id": b.accounts[p.FundAccount].ContactID,
		} {
			asked := v.r.FormValue(name)
			fits = fits && (asked == "" || asked == is)
		}
		if fits {
			found = append(found, p)
		}
	}
	if v.rule.Action == "unlisted" {
		found = nil
	}
	return page(found, w.skip, w.count, func(p *payout) any { return b.entity(p, true) }), nil
}

func (v *visit) transactions(time.Time) (any, *problem) {
	number, w, no := v.asked()
	if no != nil {
		return nil, no
	}
	lines := slices.DeleteFunc(slices.Clone(v.h.book.lines), func(l *line) bool { return l.Account != number || !w.has(l.At) })
	return page(lines, w.skip, w.count, func(l *line) any { return v.h.book.statementLine(l) }), nil
}

func (v *visit) validate(now time.Time) (any, *problem) {
	var in validationRequest
	if no := v.read(&in); no != nil {
		return nil, no
	}
	if no := v.account("source_account_number", in.Account); no != nil {
		return nil, no
	}
	if no := first([]condition{
		required("fund_account", in.FundAccount != nil), short("reference_id", in.ReferenceID, 40), noted("notes", in.Notes),
	}); no != nil {
		return nil, no
	}
	if no := in.FundAccount.check(); no != nil {
		return nil, no
	}
	b := v.h.book
	q := &validation{
		ID: b.name("fav_", len(b.validations)+1), Account: *in.Account, FundAccount: b.fund(in.FundAccount, now).ID,
		Reference: value(in.ReferenceID), Notes: in.Notes, Status: "created", Made: now, Due: now.Add(b.cfg.Delay),
	}
	b.ask(q)
	b.changed.Validations = append(b.changed.Validations, q)
	return b.validationEntity(q), nil
}

func (v *visit) validation(time.Time) (any, *problem) {
	q := v.h.book.validations[v.r.PathValue("id")]
	if q == nil {
		return nil, unknownID()
	}
	return v.h.book.validationEntity(q), nil
}
