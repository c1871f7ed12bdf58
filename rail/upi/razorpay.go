package upi

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payout"
)

var inr = money.Of("INR")

const modeUPI = "UPI"

// Config is what an account at RazorpayX needs. Zero values take the defaults named here.
type Config struct {
	Base         string        // such as https://api.razorpay.com/v1; plain HTTP on loopback only
	KeyID        string        // user of Basic authentication
	Secret       card.Secret   // its password
	Webhooks     []card.Secret // any of which signs events: two while one is replaced (rails §2.7); none hears nothing
	Account      string        // account_number: from where payouts are made
	DebitAccount string        // how answers name that account, where Account is a customer identifier; Account

	Purpose           string // payout (rails §2.3)
	ContactName       string // of every payee (rails O10)
	ContactType       string // customer
	QueueIfLowBalance bool   // a payout that the float cannot cover waits at the bank; else it fails

	Cap        money.Amount  // a payout to a VPA, at most; Rs 1,00,000 (rails §2.7)
	KeyLife    time.Duration // after the first sending, until the same order is not sent again; 24 h (rails §2.7)
	DeemedDays int           // working days until the network must have decided what is deemed; 3 (rails §2.5)

	Now            func() time.Time // business time
	Roots          *x509.CertPool   // nil: those of the system
	ConnectTimeout time.Duration    // 2 s
	Timeout        time.Duration    // of a call, 4 s (design §3.11)
	Idle           time.Duration    // until an unused connection is closed; 30 s
	MaxResponse    int64            // bytes, 1 MiB
	Calls          int64            // at a time, 64; an eighth of them only ask
	Refused        func()           // hears of a call that was not made, because too many are under way; optional
}

// RazorpayX is a payout bank (Bank): one account of RazorpayX Payouts v1. Safe for concurrent use.
type RazorpayX struct {
	cfg   Config
	http  *http.Client
	calls atomic.Int64 // under way
}

// NewRazorpayX checks the configuration. It connects when it is first asked.
func NewRazorpayX(cfg Config) (*RazorpayX, error) {
	base, err := url.Parse(cfg.Base)
	cfg.Base = strings.TrimRight(cfg.Base, "/")
	cfg.DebitAccount = cmp.Or(cfg.DebitAccount, cfg.Account)
	cfg.Purpose = cmp.Or(cfg.Purpose, "payout")
	cfg.ContactType = cmp.Or(cfg.ContactType, "customer")
	cfg.Cap = cmp.Or(cfg.Cap, money.New(1_00_000_00, inr))
	cfg.KeyLife = cmp.Or(cfg.KeyLife, 24*time.Hour)
	cfg.DeemedDays = cmp.Or(cfg.DeemedDays, 3)
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 2*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 4*time.Second)
	cfg.Idle = cmp.Or(cfg.Idle, 30*time.Second)
	cfg.MaxResponse = cmp.Or(cfg.MaxResponse, 1<<20)
	cfg.Calls = cmp.Or(cfg.Calls, 64)
	if cfg.Refused == nil {
		cfg.Refused = func() {}
	}
	var problems []error
	for _, rule := range []struct {
		broken bool
		says   string
	}{
		{err != nil || base.Host == "" || base.RawQuery != "" || base.User != nil, "base: an address without query and user"},
		{err == nil && base.Scheme != "https" && (base.Scheme != "http" || !isLoopback(base.Hostname())), "base: https, except on loopback"},
		{cfg.KeyID == "" || strings.Contains(cfg.KeyID, ":"), "key_id: needed, and without a colon"},
		{cfg.Secret.IsZero(), "secret: needed"},
		{cfg.Account == "", "account: needed"},
		{!legalPurpose.MatchString(cfg.Purpose), "purpose: letters, digits, blanks, hyphens and underscores"},
		{!legalPurpose.MatchString(cfg.ContactType), "contact_type: letters, digits, blanks, hyphens and underscores"},
		{!legalName.MatchString(cfg.ContactName), "contact_name: 3 to 50 letters, digits, blanks and '-_/(). and no mark but a dot at the end"},
		{cfg.Cap.Currency() != inr || !cfg.Cap.IsPositive(), "cap: rupees"},
		{cfg.KeyLife < 0 || cfg.KeyLife > 7*24*time.Hour, "key_life: a key is forgotten after seven days"},
		{cfg.DeemedDays < 0, "deemed_days: none is less than nothing"},
		{cfg.ConnectTimeout < 0 || cfg.Timeout < 0 || cfg.Idle < 0 || cfg.MaxResponse < 0, "times and sizes: none is less than nothing"},
		{cfg.Calls < 2, "calls: two at least"},
		{cfg.Now == nil, "an adapter needs Now"},
	} {
		if rule.broken {
			problems = append(problems, errors.New(rule.says))
		}
	}
	for _, s := range cfg.Webhooks {
		if s.IsZero() {
			problems = append(problems, errors.New("webhooks: an empty secret proves nothing"))
		}
	}
	return &RazorpayX{cfg: cfg, http: newClient(cfg)}, errors.Join(problems...)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Close lets go of idle connections.
func (r *RazorpayX) Close() { r.http.CloseIdleConnections() }

// Pay sends an order (rails §2.3). A key that the bank may have forgotten would make a second payout of it (rails §2.7).
func (r *RazorpayX) Pay(ctx context.Context, o payout.Order) payout.Answer {
	switch {
	case len(o.Body) == 0 || !legalKey.MatchString(o.Key):
		return payout.Answer{Verdict: payout.NotSent, Alert: "an order without its bytes or its key is not sent"}
	case !o.FirstSent.IsZero() && r.cfg.Now().Sub(o.FirstSent) >= r.cfg.KeyLife:
		return payout.Answer{Alert: "an order this old is not sent again: the bank may have forgotten its key"}
	}
	s := r.call(ctx, http.MethodPost, "/payouts", nil, o.Key, o.Body)
	switch {
	case !s.left:
		return payout.Answer{Verdict: payout.NotSent, Alert: s.alert}
	case s.status == 0:
		return payout.Answer{Alert: s.alert}
	case s.status == http.StatusOK:
		return r.judge(s.body, o)
	default:
		return refusal(s)
	}
}

// Enquire reads the bank's records (rails §2.4).
func (r *RazorpayX) Enquire(ctx context.Context, o payout.Order) payout.Answer {
	if o.BankID != "" {
		s := r.call(ctx, http.MethodGet, "/payouts/"+url.PathEscape(o.BankID), nil, "", nil)
		if s.status != http.StatusOK {
			return unlearned(s)
		}
		return r.judge(s.body, o)
	}
	if o.Reference == "" {
		return payout.Answer{Alert: "an order without a name cannot be asked about"}
	}
	s := r.call(ctx, http.MethodGet, "/payouts", url.Values{
		"account_number": {r.cfg.Account}, "reference_id": {o.Reference}, "count": {"100"},
	}, "", nil)
	if s.status != http.StatusOK {
		return unlearned(s)
	}
	list, err := listed[payoutEntity](s.body)
	switch {
	case err != nil:
		return payout.Answer{Alert: "the bank's list of payouts cannot be read"}
	case len(list) == 0:
		return payout.Answer{Verdict: payout.Absent}
	case len(list) > 1: // no reference is used twice: either these are not ours, or something is paid twice
		return payout.Answer{Alert: fmt.Sprintf("the bank lists %d payouts for one reference", len(list))}
	}
	return r.match(list[0], o)
}

// unlearned is an enquiry without an answer. It says nothing about the money, whatever the status.
func unlearned(s said) payout.Answer {
	a := refusal(s)
	if s.status == http.StatusBadRequest {
		a.Alert = "the bank does not understand an enquiry, or does not know its own name of a payout" + s.field()
	}
	return payout.Answer{Alert: a.Alert}
}

// listed reads a collection. One that is not what it says it is tells nothing, least of all that something is absent.
func listed[T any](body []byte) ([]T, error) {
	var c collection[T]
	switch err := json.Unmarshal(body, &c); {
	case err != nil:
		return nil, errors.New("it cannot be read")
	case c.Entity != "collection" || c.Items == nil || c.Count != len(c.Items):
		return nil, errors.New("it is no collection")
	}
	return c.Items, nil
}

// Validate asks about an address (rails §2.4).
func (r *RazorpayX) Validate(ctx context.Context, address card.Secret, id string) Validation {
	var s said
	if id != "" {
		s = r.call(ctx, http.MethodGet, "/fund_accounts/validations/"+url.PathEscape(id), nil, "", nil)
	} else {
		body, err := json.Marshal(validationRequest{AccountNumber: r.cfg.Account, FundAccount: r.payee(address.Reveal())})
		if err != nil {
			return Validation{Alert: "a question about an address cannot be written"}
		}
		s = r.call(ctx, http.MethodPost, "/fund_accounts/validations", nil, "", body)
	}
	if s.status != http.StatusOK {
		return Validation{Alert: refusal(s).Alert}
	}
	var e validationEntity
	if json.Unmarshal(s.body, &e) != nil || !named(e.ID) || id != "" && e.ID != id || !sameAddress(e.FundAccount.is, address) {
		return Validation{Alert: "the bank answers another question about an address"}
	}
	v := Validation{ID: e.ID}
	switch results := e.Results.is; {
	case e.Status == "created":
		v.Standing = Asking
	case e.Status == "completed" && results.AccountStatus == "active":
		v.Standing, v.Name = Active, card.Conceal(results.RegisteredName)
	case e.Status == "completed" && results.AccountStatus == "invalid":
		v.Standing = Invalid
	case e.Status != "failed": // a question that failed says nothing about the address
		v.Alert = "the bank's answer about an address is in no sheet"
	}
	return v
}

// Float reads the balance of our account (rails §2.4).
func (r *RazorpayX) Float(ctx context.Context) (payout.Float, error) {
	s := r.call(ctx, http.MethodGet, "/banking_balances", nil, "", nil)
	if s.status != http.StatusOK {
		return payout.Float{}, s.failure("the balance")
	}
	list, err := listed[balanceEntity](s.body)
	if err != nil {
		return payout.Float{}, fmt.Errorf("upi: the balance: %w", err)
	}
	for _, b := range list {
		if b.AccountNumber == r.cfg.DebitAccount && b.Currency == inr.Code() && b.Amount != nil && b.Available != nil {
			return payout.Float{Balance: money.New(*b.Amount, inr), Available: money.New(*b.Available, inr), At: seconds(b.RefreshedAt)}, nil
		}
	}
	return payout.Float{}, errors.New("upi: the balance: the bank does not say that of our account")
}

// Statement reads movements of our account (rails §2.4).
func (r *RazorpayX) Statement(ctx context.Context, from, to time.Time, skip, count int) ([]payout.StatementLine, error) {
	s := r.call(ctx, http.MethodGet, "/transactions", url.Values{
		"account_number": {r.cfg.Account}, "from": {strconv.FormatInt(from.Unix(), 10)}, "to": {strconv.FormatInt(to.Unix(), 10)},
		"skip": {strconv.Itoa(skip)}, "count": {strconv.Itoa(count)},
	}, "", nil)
	if s.status != http.StatusOK {
		return nil, s.failure("the statement")
	}
	list, err := listed[transactionEntity](s.body)
	if err != nil {
		return nil, fmt.Errorf("upi: the statement: %w", err)
	}
	var lines []payout.StatementLine
	for _, t := range list {
		oneSide := t.Credit >= 0 && t.Debit >= 0 && (t.Credit == 0) != (t.Debit == 0) && t.Amount == t.Credit+t.Debit
		if !named(t.ID) || t.AccountNumber != r.cfg.DebitAccount || t.Currency != inr.Code() || !oneSide || t.Balance == nil || t.CreatedAt <= 0 {
			return nil, errors.New("upi: the statement: a line is not of our account, or contradicts itself")
		}
		line := payout.StatementLine{
			ID: t.ID, At: seconds(t.CreatedAt), Amount: money.New(t.Credit-t.Debit, inr), Balance: money.New(*t.Balance, inr),
			Kind: word(t.Source.is.Entity), BankID: word(t.Source.is.PayoutID),
			Reference: word(cmp.Or(t.Source.is.ReferenceID, t.Source.is.BankReference)),
		}
		if line.Kind == "payout" {
			line.BankID = word(t.Source.is.ID)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// failure is why something could not be read that is no order.
func (s said) failure(what string) error {
	if s.status == 0 {
		return fmt.Errorf("upi: %s: %s", what, cmp.Or(s.alert, "no answer"))
	}
	return fmt.Errorf("upi: %s: the bank answers %d", what, s.status)
}

// seconds is a time as the product writes it; zero where it says none.
func seconds(n int64) time.Time {
	if n <= 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
