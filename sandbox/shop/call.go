package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Order is something to ask the gateway. What every request has is made up where it is missing.
type Order struct {
	Call     string            `json:"call"`      // a name of calls
	SignType string            `json:"sign_type"` // MD5 where it is empty, and then not sent (§4.2)
	Fields   map[string]string `json:"fields"`    // members of the body, or of the query
}

// Answer is what came back: status nought is no answer.
type Answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body,omitempty"`
	SignOK bool            `json:"sign_ok"` // every signature that must stand in it is right
}

// calls is the gateway's API (§2). A path that ends in a parameter takes it from the fields.
var calls = map[string]struct{ verb, path, notify string }{
	"createDeposit":   {http.MethodPost, "v1/payments", depositPath},
	"createDepositV2": {http.MethodPost, "v2/payments", depositPath},
	"listDeposits":    {http.MethodGet, "v1/payments", ""},
	"getDeposit":      {http.MethodGet, "v2/payments/{payment_cl_id}", ""},
	"createPayout":    {http.MethodPost, "v2/payouts", payoutPath},
	"listPayouts":     {http.MethodGet, "v2/payouts", ""},
	"listPayoutsV1":   {http.MethodGet, "v1/payouts", ""},
	"getPayout":       {http.MethodGet, "v2/payouts/{payout_cl_id}", ""},
	"getBalance":      {http.MethodGet, "v1/platforms/balance", ""},
	"getBalanceV2":    {http.MethodGet, "v2/platforms/balance", ""},
}

// Send asks the gateway, once, and keeps what was asked and answered where it may have moved money.
func (s *Shop) Send(ctx context.Context, o Order) (Answer, error) {
	c, known := calls[o.Call]
	if !known {
		return Answer{}, fmt.Errorf("call is one of %s", strings.Join(slices.Sorted(maps.Keys(calls)), ", "))
	}
	if c.verb == http.MethodGet {
		return s.query(ctx, o)
	}
	fields := map[string]string{
		"platform_id": s.cfg.PlatformID, "request_time": strconv.FormatInt(s.cfg.Now().Unix(), 10), "notify_url": s.cfg.Own + c.notify,
	}
	maps.Copy(fields, o.Fields)
	if o.SignType != "" {
		fields["sign_type"] = o.SignType
	}
	if fields["sign"] == "" {
		fields["sign"] = digest(joined(fields), s.cfg.Key, o.SignType)
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return Answer{}, err
	}
	asked := Asked{
		At: s.cfg.Business(), Call: o.Call, ClientID: fields["payment_cl_id"] + fields["payout_cl_id"], Service: fields["service_id"],
		SignType: o.SignType,
	}
	asked.Amount, _ = strconv.ParseInt(fields["amount"], 10, 64) // one that is none is refused, and then counts for nothing
	a, err := s.call(ctx, c.verb, c.path, body)
	if err != nil {
		return a, err
	}
	if e, ok := parse(a.Body); ok {
		asked.Code = e.text("error_code")
	}
	asked.Status, a.SignOK = a.Status, true // no answer to a creation is signed (§4.3)
	return a, s.keep(line{Asked: &asked})
}

// query asks for what is there, and verifies each signature of the answer.
func (s *Shop) query(ctx context.Context, o Order) (Answer, error) {
	c, values := calls[o.Call], url.Values{}
	path := c.path
	for name, value := range o.Fields {
		if strings.Contains(path, "{"+name+"}") {
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
		} else {
			values.Set(name, value)
		}
	}
	if len(values) > 0 {
		path += "?" + values.Encode()
	}
	a, err := s.call(ctx, c.verb, path, nil)
	if err != nil {
		return a, err
	}
	a.SignOK = s.proven(o.Call, a.Body)
	return a, nil
}

// balanceSigned and channelSigned are the members that a balance is signed over, outside and for each channel (§4.3).
var (
	balanceSigned = []string{"platform_id", "total", "total_balance", "request_time"}
	channelSigned = []string{"platform_channel_id", "channel_name", "balance"}
)

// proven reports whether an answer has the signatures that it must have (§4.3): lists for each item, a balance of version 1 inside and out.
func (s *Shop) proven(call string, body []byte) bool {
	e, ok := parse(body)
	if !ok || e.text("error_code") != "0000" {
		return true
	}
	all := func(list json.RawMessage, members ...string) bool {
		var items []message
		return json.Unmarshal(list, &items) == nil &&
			!slices.ContainsFunc(items, func(m message) bool { return !m.signedBy(s.cfg.Key, members...) })
	}
	switch call {
	case "listDeposits", "listPayouts", "listPayoutsV1":
		return all(e["data"])
	case "getBalance":
		b, ok := parse(e["data"])
		return ok && b.signedBy(s.cfg.Key, balanceSigned...) && all(b["platform_channels"], channelSigned...)
	}
	return true
}

// mostAnswer is more than the gateway says.
const mostAnswer = 4 << 20

// call is one request. No answer is an Answer too: nobody knows what became of it.
func (s *Shop) call(ctx context.Context, verb, path string, body []byte) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, verb, s.cfg.API+"/gateway/api/"+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if verb == http.MethodPost {
		req.Header.Set("Content-Type", "application/json;charset=utf-8")
	} else {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		req.Header.Set("Authorization", s.cfg.Authorization)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.cfg.Log.Warn("the gateway does not answer", "cause", err)
		return Answer{}, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil || !json.Valid(text) {
		return Answer{Status: resp.StatusCode}, nil
	}
	return Answer{Status: resp.StatusCode, Body: text}, nil
}
