package upi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/go-json-experiment/json"

	"naru/core/payout"
)

// told is every event about a payout (rails §2.7), and the state that it tells. An update tells any.
var told = map[string]string{
	"payout.pending": "pending", "payout.rejected": "rejected", "payout.queued": "queued", "payout.initiated": "processing",
	"payout.processed": "processed", "payout.reversed": "reversed", "payout.failed": "failed", "payout.updated": "",
}

// Hear reads a webhook. Nobody knows here what was ordered: whether the amount fits is for who finds the order by its reference.
func (r *RazorpayX) Hear(header http.Header, raw []byte) (payout.News, bool, error) {
	if !r.signed(header.Get("X-Razorpay-Signature"), raw) {
		return payout.News{}, false, ErrSignature
	}
	var v event
	if json.Unmarshal(raw, &v) != nil || v.Entity != "event" {
		return payout.News{}, false, ErrEvent
	}
	state, about := told[v.Event]
	if !about {
		return payout.News{}, false, nil
	}
	var p payoutPayload
	if json.Unmarshal(v.Payload, &p) != nil {
		return payout.News{}, false, ErrEvent
	}
	e := p.Payout.Entity
	if e.ReferenceID == "" || len(e.ReferenceID) > maxReference { // somebody else pays from our account, too
		return payout.News{}, false, nil
	}
	n := payout.News{ID: nameOf(header.Get("X-Razorpay-Event-Id"), raw), At: seconds(v.CreatedAt), Answer: r.read(e)}
	if state != "" && state != e.Status {
		n.Answer = payout.Answer{Alert: "an event and the payout in it tell two states"}
	}
	return n, true, nil
}

// nameOf is the same whenever an event is told again. The bank's own name of it is not signed: with another's it must not pass for that
// one.
func nameOf(id string, raw []byte) string {
	sum := sha256.Sum256(raw)
	if !named(id) {
		return hex.EncodeToString(sum[:])
	}
	return id + "-" + hex.EncodeToString(sum[:8])
}

// signed reports whether one of the secrets has signed exactly these bytes. How long it takes says nothing about any of them.
func (r *RazorpayX) signed(signature string, raw []byte) bool {
	found := false
	for _, secret := range r.cfg.Webhooks {
		mac := hmac.New(sha256.New, []byte(secret.Reveal()))
		mac.Write(raw)
		found = hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(signature)) || found
	}
	return found
}
