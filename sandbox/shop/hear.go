package shop

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// The kinds of what the gateway sends.
const (
	Deposit = "deposit" // §7
	Payout  = "payout"  // §10
	Check   = "check"   // §11
)

// news is how a kind names the order that it is about, and how that is queried.
var news = map[string]struct{ id, clientID, query string }{
	Deposit: {"payment_id", "payment_cl_id", "listDeposits"},
	Payout:  {"payout_id", "payout_cl_id", "listPayouts"},
	Check:   {"payout_id", "payout_cl_id", ""},
}

const mostNews = 1 << 20

// hear takes one message. It is acknowledged only when its signatures are right and a query says the same (§7), and booked before that.
func (s *Shop) hear(w http.ResponseWriter, r *http.Request, kind string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, mostNews))
	if err != nil {
		return
	}
	m, _ := parse(body)
	h := Heard{
		At: s.cfg.Business(), Kind: kind, ID: m.text(news[kind].id), ClientID: m.text(news[kind].clientID), Status: m.number("status"),
		Amount: m.number("amount"), Real: m.number("real_amount"), Fee: m.number("fee"), Updated: m.number("update_time"),
		SignType: m.text("sign_type"), SignOK: m.text("platform_id") == s.cfg.PlatformID && m.signedBy(s.cfg.Key),
		WebhookOK: kind == Check || s.webhook(r.Header, body),
	}
	act := s.meddle(kind)
	h.Fault = act.name
	if act.before == nil {
		h.Queried = h.SignOK && h.WebhookOK && (kind == Check || s.confirm(r.Context(), h, m))
		h.Acked = h.Queried && act.after == nil
	}
	if err := s.keep(line{Heard: &h}); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	switch {
	case act.before != nil:
		act.before(w, r)
	case !h.SignOK || !h.WebhookOK:
		say(w, http.StatusBadRequest, "0004", "Signature check failed")
	case !h.Queried:
		say(w, http.StatusOK, "0007", "The query says otherwise")
	case act.after != nil:
		act.after(w, r)
	default:
		say(w, http.StatusOK, "0000", "")
	}
}

// confirm asks the gateway whether an order stands as it told: the same status and the same money, signed.
func (s *Shop) confirm(ctx context.Context, h Heard, told message) bool {
	a, err := s.query(ctx, Order{Call: news[h.Kind].query, Fields: map[string]string{news[h.Kind].clientID: h.ClientID}})
	if err != nil || a.Status != http.StatusOK || !a.SignOK {
		return false
	}
	var list struct {
		Data []message `json:"data"`
	}
	if json.Unmarshal(a.Body, &list) != nil || len(list.Data) != 1 {
		return false
	}
	same := list.Data[0].text(news[h.Kind].id) == h.ID
	for _, member := range []string{"amount", "real_amount", "fee", "status", "update_time"} {
		if _, said := told[member]; said {
			same = same && list.Data[0].number(member) == told.number(member)
		}
	}
	return same
}

func say(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // a gateway that is gone tells again
		Code string `json:"error_code"`
		Text string `json:"error_msg,omitempty"`
	}{code, text})
}
