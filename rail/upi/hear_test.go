package upi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/payout"
)

// The worked signature of rails §2.7.
const (
	vector = `{"entity":"event","account_id":"acc_TEST0000000001","event":"payout.processed","contains":["payout"],` +
		`"payload":{"payout":{"entity":` +
		`{"id":"pout_TEST0000000001","entity":"payout","fund_account_id":"fa_TEST0000000001","amount":125000,"currency":"INR","notes":[],` +
		`"fees":0,"tax":0,"status":"processed","purpose":"payout","utr":"632600000123","mode":"UPI",` +
		`"reference_id":"PID26K1X0000000000000000000000000001","narration":"Google payout","batch_id":null,"status_details":` +
		`{"description":"credited","source":"beneficiary_bank","reason":"payout_processed"},"created_at":1795317300,"fee_type":null}}},` +
		`"created_at":1795317305}`
	vectorSigned = "d0957d56b99c17c2c85aa465f23966f0bb8c504f1c846647776568acc6876a67"
)

func headers(signature, id string) http.Header {
	h := http.Header{}
	h.Set("X-Razorpay-Signature", signature)
	if id != "" {
		h.Set("x-razorpay-event-id", id)
	}
	return h
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestWorkedSignature(t *testing.T) {
	if len(vector) != 615 {
		t.Fatalf("the vector has %d bytes", len(vector))
	}
	sum := sha256.Sum256([]byte(vector))
	want := payout.News{
		ID: "evt_00000000000001-" + hex.EncodeToString(sum[:8]),
		At: time.Unix(1795317305, 0).UTC(),
		Answer: payout.Answer{
			Reference: "PID26K1X0000000000000000000000000001", Amount: rupees(125000),
			Verdict: payout.Credited, BankID: "pout_TEST0000000001", UTR: "632600000123", Status: "processed", Scope: ScopeRazorpayX,
			Code: "payout_processed", Fees: rupees(0), Tax: rupees(0),
		},
	}
	r := mustBank(t, nil) // the second of its two secrets
	got, about, err := r.Hear(headers(vectorSigned, "evt_00000000000001"), []byte(vector))
	if got != want || !about || err != nil {
		t.Errorf("%+v %t %v, want\n%+v", got, about, err, want)
	}
	for _, id := range []string{"", "../../x", strings.Repeat("x", 65)} { // no name, or none that can be one
		want.ID = hex.EncodeToString(sum[:])
		if got, _, err := r.Hear(headers(vectorSigned, id), []byte(vector)); got != want || err != nil {
			t.Errorf("%q: %+v %v", id, got, err)
		}
	}
}

func TestSignatures(t *testing.T) {
	two := mustBank(t, nil)
	one := mustBank(t, func(c *Config) { c.Webhooks = []card.Secret{card.Conceal("wh_next")} })
	none := mustBank(t, func(c *Config) { c.Webhooks = nil })
	for name, c := range map[string]struct {
		r         *RazorpayX
		signature string
		good      bool
	}{
		"the old secret while both count": {two, vectorSigned, true},
		"the new one":                     {two, sign("wh_next", vector), true},
		"the old one when it is gone":     {one, vectorSigned, false},
		"another's":                       {two, sign("wh_other", vector), false},
		"of nothing":                      {two, sign("wh_next", ""), false},
		"upper case":                      {two, strings.ToUpper(vectorSigned), false},
		"cut":                             {two, vectorSigned[:63], false},
		"none":                            {two, "", false},
		"no secret at all":                {none, sign("", vector), false},
	} {
		if _, about, err := c.r.Hear(headers(c.signature, "evt_1"), []byte(vector)); about != c.good || errors.Is(err, ErrSignature) == c.good {
			t.Errorf("%s: %t %v", name, about, err)
		}
	}
	junk := "{"
	if _, _, err := two.Hear(headers("", ""), []byte(junk)); !errors.Is(err, ErrSignature) {
		t.Errorf("what nobody has signed was read: %v", err)
	}
	if _, _, err := two.Hear(headers(sign("wh_next", junk), ""), []byte(junk)); !errors.Is(err, ErrEvent) {
		t.Errorf("what cannot be read: %v", err)
	}
}

func TestEvents(t *testing.T) {
	r := mustBank(t, nil)
	event := func(name, status string) string {
		return strings.NewReplacer("payout.processed", name, `"status":"processed"`, `"status":"`+status+`"`).Replace(vector)
	}
	for name, c := range map[string]struct {
		body    string
		about   bool
		broken  bool
		verdict payout.Verdict
	}{
		"pending":             {event("payout.pending", "pending"), true, false, payout.Open},
		"rejected":            {event("payout.rejected", "rejected"), true, false, payout.Rejected},
		"queued":              {event("payout.queued", "queued"), true, false, payout.Open},
		"initiated":           {event("payout.initiated", "processing"), true, false, payout.Open},
		"processed":           {event("payout.processed", "processed"), true, false, payout.Credited},
		"reversed":            {event("payout.reversed", "reversed"), true, false, payout.CameBack},
		"failed":              {event("payout.failed", "failed"), true, false, payout.Failed},
		"updated":             {event("payout.updated", "processed"), true, false, payout.Credited},
		"two states":          {event("payout.failed", "processed"), true, false, payout.Unknown},
		"two states, paid":    {event("payout.processed", "failed"), true, false, payout.Unknown},
		"a state of no sheet": {event("payout.updated", "lost"), true, false, payout.Unknown},
		"another currency":    {strings.Replace(vector, `"INR"`, `"USD"`, 1), true, false, payout.Unknown},
		"downtime":            {event("payout.downtime.started", "processed"), false, false, 0},
		"another event":       {event("payout.celebrated", "processed"), false, false, 0},
		"validation":          {`{"entity":"event","event":"fund_account.validation.completed","payload":[1]}`, false, false, 0},
		"transaction":         {`{"entity":"event","event":"transaction.created","payload":null}`, false, false, 0},
		"another's reference": {
			strings.Replace(vector, "PID26K1X", strings.Repeat("x", 41), 1), false, false, 0,
		},
		"somebody else's payout":   {strings.Replace(vector, `"PID26K1X0000000000000000000000000001"`, `null`, 1), false, false, 0},
		"notes, new members":       {strings.Replace(vector, `"notes":[]`, `"notes":{"a":"b"},"new":{"x":[1]}`, 1), true, false, payout.Credited},
		"no payload":               {`{"entity":"event","event":"payout.failed"}`, false, true, 0},
		"a payload that is none":   {`{"entity":"event","event":"payout.failed","payload":[]}`, false, true, 0},
		"no event":                 {strings.Replace(vector, `"entity":"event"`, `"entity":"payout"`, 1), false, true, 0},
		"a member twice":           {strings.Replace(vector, `"amount"`, `"status":"failed","amount"`, 1), false, true, 0},
		"an amount that is a text": {strings.Replace(vector, `125000`, `"125000"`, 1), false, true, 0},
	} {
		n, about, err := r.Hear(headers(sign("wh_next", c.body), "evt_1"), []byte(c.body))
		if about != c.about || errors.Is(err, ErrEvent) != c.broken || n.Verdict != c.verdict || (n == payout.News{}) == c.about {
			t.Errorf("%s: %+v %t %v", name, n, about, err)
		}
	}
	one, _, _ := r.Hear(headers(vectorSigned, "evt_1"), []byte(vector))
	other := event("payout.updated", "processed")
	two, _, _ := r.Hear(headers(sign("wh_next", other), "evt_1"), []byte(other))
	if one.ID == two.ID {
		t.Error("an event passes for another by a name that nobody has signed")
	}
}

// Whatever bytes arrive: nothing is known of an order unless the answer is about it, and nothing is heard that nobody has signed.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(vector), "processed")
	f.Add(entity(nil), vectorSigned)
	f.Add(entity(standingOf("processed", "payout_processed")), "")
	f.Add(entity(standingOf("failed", "")), "failed")
	r, o := mustBank(f, nil), sample()
	f.Fuzz(func(t *testing.T, raw []byte, signature string) {
		var e struct {
			ReferenceID string `json:"reference_id"`
			Amount      int64  `json:"amount"`
		}
		about := json.Unmarshal(raw, &e) == nil && e.ReferenceID == o.Reference && e.Amount == o.Amount.Minor()
		if a := r.judge(raw, o); a.Verdict == payout.Unknown && a.Alert == "" || a.Verdict != payout.Unknown && !about {
			t.Errorf("%+v", a)
		}
		if _, _, err := r.Hear(headers(signature, "evt_1"), raw); !errors.Is(err, ErrSignature) && signature != sign("wh_next", string(raw)) &&
			signature != sign("wh_secret_example", string(raw)) {
			t.Error("heard what nobody has signed")
		}
		n, heard, err := r.Hear(headers(sign("wh_next", string(raw)), "evt_1"), raw)
		if heard != (err == nil && n != (payout.News{})) || errors.Is(err, ErrSignature) || heard && (n.ID == "" || n.Reference == "") {
			t.Errorf("%+v %t %v", n, heard, err)
		}
	})
}
