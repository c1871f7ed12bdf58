package merchant

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/card"
	"naru/core/deposit"
	"naru/engine"
	"naru/outbox"
)

// Orders is what a Notifier needs of the engine.
type Orders interface {
	Deposit(ctx context.Context, id string) (deposit.Order, bool, error)
	PayerOf(deposit.Order) (deposit.Payer, error)
	MerchantPayout(ctx context.Context, id string) (engine.MerchantPayout, bool, error)
	MerchantSecrets(context.Context, string, engine.KeyPurpose) ([]card.Secret, error)
}

// NotifierConfig is what a Notifier needs.
type NotifierConfig struct {
	Engine    Orders
	Merchants map[string]Profile
	Private   bool             // private addresses are called: in a sandbox only
	Now       func() time.Time // wall time
	Timeout   time.Duration    // of an attempt, 20 s: merchants query the order before they answer (§7)
}

// Notifier tells merchants what became of their orders. It makes single attempts; the outbox repeats them until the merchant has each, or
// for an hour. What is told is what a query answers at that moment, so news that come late say nothing that is no longer true.
type Notifier struct {
	cfg       NotifierConfig
	merchants map[string]Profile
	out       outgoing
}

// NewNotifier makes a notifier.
func NewNotifier(cfg NotifierConfig) (*Notifier, error) {
	cfg.Timeout = cmp.Or(cfg.Timeout, 20*time.Second)
	ready, err := profiles(cfg.Merchants, cfg.Private)
	return &Notifier{cfg, ready, newOutgoing(cfg.Private)}, err
}

// Close lets go of idle connections.
func (n *Notifier) Close() { n.out.http.CloseIdleConnections() }

// Send makes one attempt to deliver a notice. No lock is held while it waits: the merchant may query meanwhile.
func (n *Notifier) Send(ctx context.Context, notice engine.Notice) outbox.Result {
	to, body, err := n.message(ctx, notice)
	switch {
	case errors.Is(err, errNothing):
		return outbox.Result{Class: outbox.Park, Alert: true, Word: err.Error()}
	case err != nil:
		return outbox.Result{Alert: true, Word: "the notification cannot be written"}
	}
	header, err := n.webhook(ctx, notice, body)
	if err != nil {
		return outbox.Result{Alert: true, Word: "no webhook secret can be read"}
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	status, answer, err := n.out.post(ctx, to, body, header)
	r := outbox.Result{Status: status}
	switch word := acknowledged(answer, n.merchants[notice.Account].Acks); {
	case errors.Is(err, errPrivate):
		r.Word = errPrivate.Error()
	case errors.Is(err, errLarge):
		r.Word = errLarge.Error()
	case err != nil:
		r.Word = "no answer"
	case status >= 300 && status < 400:
		r.Word = "a redirect, which is not followed"
	case status != http.StatusOK:
		r.Word = "the status is not 200"
	case word == "":
		r.Word = "not acknowledged"
	default:
		r.Class, r.Word = outbox.Delivered, word
	}
	return r
}

var errNothing = errors.New("there is nothing to tell, or nobody to tell it to")

// message is where a notice goes, and its body as the order stands now, signed like the request that made the order (§4.2).
func (n *Notifier) message(ctx context.Context, notice engine.Notice) (to string, body []byte, err error) {
	key, err := signingKey(ctx, n.cfg.Engine, notice.Account)
	if err != nil {
		return "", nil, err
	}
	p := n.merchants[notice.Account]
	switch notice.Kind {
	case engine.DepositResult:
		o, ok, err := n.cfg.Engine.Deposit(ctx, notice.Facts.OwnID)
		if err != nil || !ok || o.NotifyURL == "" {
			return "", nil, cmp.Or(err, errNothing)
		}
		payer, err := named(n.cfg.Engine, p, o)
		if err != nil {
			return "", nil, err
		}
		out := depositNotification(o, payer)
		if out.Sign, err = sign(out, Algorithm(o.SignType), key); err != nil {
			return "", nil, err
		}
		body, err = json.Marshal(out)
		return o.NotifyURL, body, err
	case engine.TransferResult:
		m, ok, err := n.cfg.Engine.MerchantPayout(ctx, notice.Facts.OwnID)
		if err != nil || !ok || m.NotifyURL == "" {
			return "", nil, cmp.Or(err, errNothing)
		}
		out := payoutNotification(m, p)
		if out.Sign, err = sign(out, Algorithm(m.SignType), key); err != nil {
			return "", nil, err
		}
		body, err = json.Marshal(out)
		return m.NotifyURL, body, err
	}
	return "", nil, errNothing
}

// webhook are the headers of Standard Webhooks, beside the signature in the body: one signature for each secret that is valid. A merchant
// without such a secret gets none.
func (n *Notifier) webhook(ctx context.Context, notice engine.Notice, body []byte) (http.Header, error) {
	secrets, err := n.cfg.Engine.MerchantSecrets(ctx, notice.Account, engine.WebhookKey)
	if err != nil || len(secrets) == 0 {
		return nil, err
	}
	at := strconv.FormatInt(n.cfg.Now().Unix(), 10)
	var signatures []string
	for _, secret := range secrets {
		key, err := webhookKey(secret)
		if err != nil {
			return nil, err
		}
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write(slices.Concat([]byte(notice.ID+"."+at+"."), body)) // a hash never fails
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h := http.Header{}
	h.Set("Webhook-Id", notice.ID)
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
	return h, nil
}

// webhookKey is the key in a secret: base64 behind whsec_, or else the text itself.
func webhookKey(secret card.Secret) ([]byte, error) {
	coded, marked := strings.CutPrefix(secret.Reveal(), "whsec_")
	if !marked {
		return []byte(coded), nil
	}
	key, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return nil, errors.New("a webhook secret is not base64") // the library's error quotes where
	}
	return key, nil
}

// acknowledged says how a merchant took a message; nothing where it did not. Error_code 0000 is always good, other ways by its wish (§7).
func acknowledged(answer []byte, others []Ack) string {
	answer = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(answer), []byte("\ufeff")))
	var in acknowledgement
	if err := json.Unmarshal(answer, &in); err == nil && in.ErrorCode == Success {
		return string(Success)
	}
	word := Ack(answer)
	switch word {
	case "", "{}":
		word = AckEmpty
	case AckEmpty: // the word itself is none
		word = ""
	}
	if slices.Contains(others, word) {
		return string(word)
	}
	return ""
}
