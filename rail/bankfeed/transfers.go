package bankfeed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"naru/core/bank"
	"naru/core/card"
	"naru/core/payout"
	"naru/drop"
)

// Transfers pays by bank transfer from an account of ours: one order is one pain.001, handed over as a file or by HTTP (rails §4.4). The
// bank says later, by pain.002 and by booking the debit, what became of it; until then nobody knows, and Pay says so.
type Transfers struct {
	Payer Payer
	Banks bank.Table
	Now   func() time.Time // the day on which an order is to be paid is that on which it is composed
	Wall  func() time.Time // when a call is signed

	Place drop.Place // where the bank takes files from; nil where it is called

	URL    string // where it takes pain.001 by POST, signed as we want it signed ourselves (rails §3.5)
	Key    string
	Secret card.Secret
	Client *http.Client // it follows no redirects: an order goes to the bank or nowhere

	calls atomic.Int64 // under way
}

// mostCalls is how many orders are handed over at a time: a bank that takes its time is not asked more.
const mostCalls = 16

// Check says whether a transfer can carry an order.
func (t *Transfers) Check(o payout.Order) error { return check(o, t.Banks) }

// Compose writes the order. It is composed once: whatever is sent again is the same bytes.
func (t *Transfers) Compose(o payout.Order) ([]byte, error) {
	if err := t.Check(o); err != nil {
		return nil, err
	}
	return compose(t.Payer, o, t.Now())
}

// Pay hands an order over. Safe to do again: the bank pays one MsgId once.
func (t *Transfers) Pay(ctx context.Context, o payout.Order) payout.Answer {
	defer t.calls.Add(-1)
	if t.calls.Add(1) > mostCalls {
		return payout.Answer{Verdict: payout.NotSent}
	}
	if t.Place == nil {
		return t.post(ctx, o.Body)
	}
	switch err := t.Place.Put(ctx, "PAIN001_"+t.Payer.Bank+"_"+o.Reference+".xml", o.Body); {
	case err == nil:
		return payout.Answer{}
	case errors.Is(err, drop.ErrNotTaken):
		return payout.Answer{Verdict: payout.NotSent, Alert: "the bank's place takes no files"}
	}
	return payout.Answer{Alert: "nobody can tell whether the bank's place took a file"}
}

// Enquire knows nothing: a bank is not asked about an order, it tells.
func (t *Transfers) Enquire(context.Context, payout.Order) payout.Answer { return payout.Answer{} }

// mostAnswer is as much of an answer as is read, so that the connection can be used again.
const mostAnswer = 64 << 10

// post calls the bank. That it has taken an order, or has not, says nothing of the money: Unknown, except where no connection came about.
func (t *Transfers) post(ctx context.Context, body []byte) payout.Answer {
	left := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { left = true }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(body))
	if err != nil {
		return payout.Answer{Verdict: payout.NotSent, Alert: "a call to the bank cannot be written"}
	}
	timestamp := strconv.FormatInt(t.Wall().Unix(), 10)
	req.Header.Set("Content-Type", "application/xml")
	req.Header.Set(headerKey, t.Key)
	req.Header.Set(headerTimestamp, timestamp)
	req.Header.Set(headerSignature, Sign(t.Secret, timestamp, body))
	resp, err := t.Client.Do(req)
	if err != nil {
		if !left {
			return payout.Answer{Verdict: payout.NotSent}
		}
		return payout.Answer{}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, mostAnswer))
	_ = resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return payout.Answer{Alert: "the bank answers an order with HTTP status " + strconv.Itoa(resp.StatusCode)}
	}
	return payout.Answer{}
}
