package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// notYet is how long a request is held up that nobody can decide. What is decided is answered at once.
const notYet = `deadline = "1s"`

// TestErrorMatrixOfPayouts is disburse v1 §11 on the wire, row by row: those of the envelope by the same table as the methods of cards.
// Rows 15 and 17 are faults (TestPayoutCopies, TestPayoutFaults), row 16 is an answer (TestPayoutLimits).
func TestErrorMatrixOfPayouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi})
	w.ends("paid", nil, "SUCCESS")
	w.ends("others", edits{account: secondPay, "amount": sum(250_00)}, "SUCCESS")
	w.ends("refused", to("closed@sim", 100_00), "ACCOUNT_CLOSED")
	w.drain()
	rows := []row{
		{"§1: no account in the path", signed("/v1/disburseFunds/"+firstPay, "{}"), 404, ""},
		{"§1: no inquiry, and no return", signed("/v1/disburseFundsResultNotification", "{}"), 404, ""},
		{"§11 3: a comment", text(pay, nil, func(s string) string { return "/**/" + s }), 400, syntax},
		{"§11 3: a trailing comma", text(pay, nil, func(s string) string { return s[:len(s)-1] + ",}" }), 400, syntax},
		{"§11 4: before what the header lacks", edited(pay, edits{versionAt + ".major": 2, stampAt: "0"}), 400, "INVALID_API_VERSION"},
		{"§11 7: before the time", edited(pay, edits{requestID: "a b", stampAt: after(-time.Hour)}), 400, invalid},
		{"§11 8: before the fields", edited(pay, edits{account: "Nobody_INR", "amount": absent}), 404, identifier},
		{"§11 9: an account of Korea Cards", edited(pay, edits{account: first}), 403, "FORBIDDEN"},
		{"§11 9: an account of Card FOP", edited(pay, edits{account: firstFOP}), 403, "FORBIDDEN"},
		{"§11 12: the target twice", text(pay, nil, func(s string) string {
			return `{"upiDetails":{"vpa":"success@sim"},` + s[1:]
		}), 400, syntax},

		{"§11 14: another amount", edited(pay, edits{requestID: "paid", "amount": sum(125_51)}), 412, violation},
		{"§11 14: another address", edited(pay, edits{requestID: "paid", vpa: "instant@sim"}), 412, violation},
		{"§11 14: another text", edited(pay, edits{requestID: "paid", "transactionDescription": "Reward 4712"}), 412, violation},
		{"§11 14: of what was refused", edited(pay, to("success@sim", 100_00).and(edits{requestID: "refused"})), 412, violation},
		{"§11 14: before the fields", edited(pay, edits{requestID: "paid", "amount": absent}), 412, violation},
		{"§11 14: before what is wrong", edited(pay, edits{requestID: "paid", "currencyCode": "USD"}), 412, violation},
		{"§11 14: of another account", edited(pay, edits{requestID: "others", account: secondPay}), 412, violation},
	}
	bad := func(member string, value any) edits { return edits{member: value} }
	wrong := map[string]edits{
		"§11 10: no such currency":       bad("currencyCode", "XQQ"),
		"§11 10: in small letters":       bad("currencyCode", "inr"),
		"§11 10: not contracted":         bad("currencyCode", "KRW"),
		"§11 10: a currency as a list":   bad("currencyCode", []any{"INR"}),
		"§11 11: letters":                bad("amount", "ten"),
		"§11 11: a fraction":             bad("amount", "125500000.0"),
		"§11 11: nothing":                bad("amount", "0"),
		"§11 11: less than nothing":      bad("amount", sum(-100)),
		"§11 11: above int64":            bad("amount", "9223372036854775808"),
		"§11 11: half a paisa (OP-13)":   bad("amount", "125505000"),
		"§11 11: a micro (OP-13)":        bad("amount", "125500001"),
		"§11 13: an address as a number": bad(vpa, 12),
		"§4.1: a target as text":         bad("upiDetails", "success@sim"),
		"§4.1: a text as an object":      bad("transactionDescription", map[string]any{}),
		"OP-10: a text of 256":           bad("transactionDescription", strings.Repeat("x", 256)),
	}
	required := []string{"transactionDescription", "currencyCode", "amount", "upiDetails", vpa}
	rows = append(rows, members(pay, nil, required, wrong)...)
	for _, at := range []string{"transactionDescription", "currencyCode", "amount", vpa} { // what is empty is as good as absent (§11 6)
		rows = append(rows, row{pay + ", §11 6: nothing in " + at, edited(pay, edits{at: ""}), 400, missing})
	}
	rows = append(rows, general(pay, nil, map[string]string{pay: "paid"})...)
	w.refused(rows)

	// Row 18, and what a description may be (OP-10, §8.2).
	for id, e := range map[string]edits{
		"unknown-members": {"bankDetails": map[string]any{"ifsc": "X"}, "upiDetails.name": "Asha", "novel": nil},
		"amount-number":   {"amount": 125_500_000},
		"text-of-255":     {"transactionDescription": strings.Repeat("é", 255)},
		"text-of-none":    {"transactionDescription": "हिन्दी"},
		"version-1-99":    {versionAt: map[string]any{"major": 1, "minor": 99, "revision": 99}},
	} {
		w.ends(id, e, "SUCCESS")
	}
}

// TestAddresses is disburse v1 §8.1: what an address looks like is judged before anybody is asked; who has it is the network's to say
// (OP-3). What the bank's own format cannot carry is nobody's fault at Google (§9).
func TestAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, payer: "[account.disburse]\nallow_ifsc_addresses = true"})
	long := strings.Repeat("a", 90)
	var rows []row
	refuse := func(status int, word string, list ...string) {
		for i, address := range list {
			rows = append(rows, row{fmt.Sprint("§8.1 ", status, " ", i), func(w *world) answer {
				a := edited(pay, edits{vpa: address, account: secondPay, "amount": sum(250_00)})(w)
				if a.status != http.StatusServiceUnavailable {
					return a
				}
				return answer{status: http.StatusServiceUnavailable} // its text is for people
			}, status, word})
		}
	}
	refuse(400, invalid, "asha", "@upi", "asha@", "a@upi", "asha@u", "asha@1pi", "asha@ok.axis", "as ha@upi", " asha@upi", "asha@upi ",
		"asha@upi\n", "asha@@upi", "asha@b@upi", ".asha@upi", "-asha@upi", "_asha@upi", "asha+1@upi", "आशा@upi", "asha@बैंक", "asha@ok-axis",
		"000123456789@HDFC0000001.ifsc.npci", "123456789012@aadhaar.npci", "607152@iin.npci", strings.Repeat("a", 256)+"@upi", "asha@"+long)
	refuse(503, "", "asha_r@upi", long+"aaaaaaaa@upi") // legal, and not there (rails O9)
	w.refused(rows)
	for i, address := range []string{
		"ab@sim", "asha.r@examplebank", "asha-r@examplebank", "9876543210@okaxis", "A1@OkAxis", "0a@b2", long + "@upi",
		"000123456789@HDFC0000001.ifsc.npci", "000123456789@hdfc0000001.IFSC.NPCI",
	} {
		word := "SUCCESS"
		if strings.HasSuffix(address, "@sim") {
			word = "ACCOUNT_CLOSED" // well formed, and nobody has it
		}
		w.ends(fmt.Sprint("legal-", i), to(address, 10_00), word)
	}
	w.ends("case", to("SUCCESS@Sim", 10_00), "SUCCESS")
	w.want(pay, "case", to("success@sim", 10_00), 412, violation) // the same account, and not the same request (I3)
}

// TestPayoutResults is the results of disburse v1 §4.3 that a bank or a person can cause, each given once and for ever, also after a restart.
func TestPayoutResults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet})
	said := map[string]answer{}
	const closed, held = "ACCOUNT_CLOSED", "ACCOUNT_ON_HOLD"
	addresses := map[string]struct{ word, code string }{
		"success": {"SUCCESS", "payout_processed"}, "instant": {"SUCCESS", "payout_processed"}, "late-utr": {"SUCCESS", "payout_processed"},
		"closed": {closed, "bank_account_closed"}, "invalid": {closed, "beneficiary_vpa_invalid"},
		"nobody-at-all": {closed, "beneficiary_vpa_invalid"}, "bank-account-invalid": {closed, "bank_account_invalid"},
		"invalid-ifsc-code":           {closed, "invalid_ifsc_code"},
		"beneficiary-account-invalid": {closed, "beneficiary_account_invalid"}, "invalid-beneficiary": {closed, "invalid_beneficiary"},
		"frozen": {held, "bank_account_frozen"}, "dormant": {held, "beneficiary_account_dormant"},
		"beneficiary-bank-rejected": {held, "beneficiary_bank_rejected"}, "imps-not-allowed": {held, "imps_not_allowed"},
		"limit":   {held, "transaction_limit_exceeded"},
		"npci-zh": {closed, "beneficiary_vpa_invalid"}, "npci-xi": {closed, "bank_account_invalid"}, "npci-yf": {held, "bank_account_frozen"},
	}
	var come []<-chan []answer
	for name := range addresses {
		for _, handle := range []string{"sim", "simrev"} { // at the second what fails is reversed instead
			come = append(come, w.meanwhile(1, pay, name+"-"+handle, to(name+"@"+handle, 5_000_00)))
		}
	}
	for _, c := range come {
		<-c
	}
	for name, want := range addresses {
		for _, handle := range []string{"sim", "simrev"} {
			id, e := name+"-"+handle, to(name+"@"+handle, 5_000_00)
			a := w.settled(id, e)
			if !a.is(200, want.word) || !strings.Contains(a.body, `"rawResult":{"rawCode":"`+want.code+`","scope":"razorpayx"}`) {
				t.Errorf("%s: got %d %s, want %s for %s", id, a.status, a.body, want.word, want.code)
			}
			said[id] = a
		}
	}
	// Nobody is at fault there, and nothing moved: only we can know more (§9, OP-2).
	for id, reason := range map[string]string{
		"taken-over": "account_closed_taken_over", "fraud": "account_closed_fraud", "given-up": "account_on_hold", "gone": "account_closed",
	} {
		e := to("bankdown@sim", 77_00)
		w.want(pay, id, e, 503, "")
		w.until("the bank has refused it", func() bool { return w.payout(id).State == "RETRYABLE" })
		w.operator("/payouts/refuse", map[string]string{"id": w.payout(id).Payout, "reason": reason, "note": "the owner says so"})
		w.until("it is told", func() bool { return w.told(id) != "" })
		said[id] = w.ends(id, e, w.told(id))
		if n := len(w.tallies()[rooted(w.payout(id))].Payouts); n != 1 {
			t.Errorf("%s: the bank has %d orders", id, n)
		}
	}
	w.restart()
	for name := range addresses {
		for _, handle := range []string{"sim", "simrev"} {
			id := name + "-" + handle
			if got := w.ask(pay, id, to(name+"@"+handle, 5_000_00)); got != said[id] {
				t.Errorf("%s: then got %d %s, want %s", id, got.status, got.body, said[id].body)
			}
		}
	}
	for _, id := range []string{"taken-over", "fraud", "given-up", "gone"} {
		if got := w.ask(pay, id, to("bankdown@sim", 77_00)); got != said[id] {
			t.Errorf("%s: then got %d %s, want %s", id, got.status, got.body, said[id].body)
		}
	}
	words := map[string]bool{}
	for _, a := range said {
		words[a.word] = true
	}
	for _, word := range results {
		if !words[word] && !strings.HasPrefix(word, "DISBURSEMENT_") {
			t.Errorf("nothing ended in %s", word)
		}
	}
}

// settled repeats a request until it is decided: a machine that is busy may make Google wait for a second answer.
func (w *world) settled(id string, e edits) (a answer) {
	w.t.Helper()
	w.until(id+" is decided", func() bool {
		a = w.ask(pay, id, e)
		return a.status != http.StatusServiceUnavailable && a.status != http.StatusConflict
	})
	return a
}

// ends is settled, with a result.
func (w *world) ends(id string, e edits, word string) answer {
	w.t.Helper()
	a := w.settled(id, e)
	if !a.is(200, word) {
		w.t.Fatalf("%s: got %d %s, want %s", id, a.status, a.body, word)
	}
	return a
}

// TestPayoutLimits is disburse v1 §11 row 16 and §8.3: what is beyond an account's limits is an answer that names the limit and needs no
// bank; what is at them is paid. The bank's own cap is a limit, too (§9).
func TestPayoutLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, bank: "cap = 9000000"})
	const below, above = "DISBURSEMENT_UNDER_TRANSACTION_LIMIT", "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT"
	for i, c := range []struct {
		account string
		paise   int64
		word    string
		limit   string
	}{
		{firstPay, 99, below, `"transactionMinLimit":"1000000"`},
		{firstPay, 1_00, "SUCCESS", ""},
		{firstPay, 1_00_000_00, "SUCCESS", ""},
		{firstPay, 1_00_000_01, above, `"transactionMaxLimit":"100000000000"`},
		{firstPay, 9_00_00_000_00, above, `"transactionMaxLimit":"100000000000"`},
		{secondPay, 199_99, below, `"transactionMinLimit":"200000000"`},
		{secondPay, 200_00, "SUCCESS", ""},
		{secondPay, 300_00, "SUCCESS", ""},
		{secondPay, 300_01, above, `"transactionMaxLimit":"300000000"`},
	} {
		id, e := fmt.Sprint("limit-", i), edits{account: c.account, "amount": sum(c.paise)}
		got := w.ends(id, e, c.word)
		if again := w.ask(pay, id, e); again != got {
			t.Errorf("%d paise: then %s", c.paise, again.body)
		}
		if limits := strings.Count(got.body, "Limit\":"); !strings.Contains(got.body, c.limit) || (limits == 0) != (c.limit == "") || limits > 1 {
			t.Errorf("%d paise: %s", c.paise, got.body)
		}
		if calls, _ := w.calls(id); (len(calls) == 0) != (c.limit != "") {
			t.Errorf("%d paise: the bank heard %q", c.paise, calls)
		}
	}
}

// TestPayoutFlow is disburse v1 §7: an answer in time, no answer while nobody knows, the truth to the next repeat, and one notification of
// the same value.
func TestPayoutFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet})
	silent := func(id string) {
		t.Helper()
		if got := w.notified(id); len(got) > 0 || w.told(id) != "" {
			t.Errorf("%s: Google was told %s", id, w.told(id))
		}
	}
	once := func(id string) {
		t.Helper()
		if got := w.notified(id); len(got) != 1 {
			t.Errorf("%s: Google was told %d times", id, len(got))
		}
	}

	// 5a: the create answer is no result, an event in time is. 7.2: then nothing has to be told.
	w.want(pay, "in-time", to("pending@sim", 40_01), 503, "")
	w.meddle(`{"action": "webhook-never", "match": {"amount": 4002, "event": "payout.processed"}}`)
	w.want(pay, "event-lost", to("success@sim", 40_02), 503, "")
	silent("event-lost")

	// 5b, 6: while it is open every repeat hears the same, nothing is stored, and nobody asks the bank for it.
	answers := w.contents()["idempotency"]
	for range 3 {
		w.want(pay, "in-time", to("pending@sim", 40_01), 503, "")
	}
	if got := w.contents()["idempotency"]; got != answers {
		t.Errorf("a 503 was stored: %s, then %s", answers, got)
	}
	if calls, _ := w.calls("in-time"); !slices.Equal(calls, []string{"create"}) {
		t.Errorf("repeats let the bank hear %q", calls)
	}
	silent("in-time")
	w.want(pay, "in-time", to("pending@sim", 40_09), 412, violation)

	// 6 to 8: it ends while a repeat waits: that one hears it.
	come := w.meanwhile(4, pay, "in-time", to("pending@sim", 40_01))
	w.counter("settle", `{"reference": %q}`, w.payout("in-time").Reference)
	heard := 0
	for _, a := range <-come {
		if a.is(200, "SUCCESS") {
			heard++
		}
	}
	same := w.settled("in-time", to("pending@sim", 40_01))
	w.until("the result is told", func() bool { return w.told("in-time") != "" })
	if !same.is(200, "SUCCESS") || w.told("in-time") != "SUCCESS" {
		t.Errorf("the answer is %s, and Google was told %s", same.body, w.told("in-time"))
	}
	if t.Logf("%d of 4 repeats that waited heard the result", heard); w.ends("in-time", to("pending@sim", 40_01), "SUCCESS") != same {
		t.Error("a repeat heard something else")
	}
	once("in-time")

	// The event never came: we ask.
	w.until("the result is told", func() bool { w.clock.Advance(30 * time.Second); return w.told("event-lost") != "" })
	w.ends("event-lost", to("success@sim", 40_02), "SUCCESS")
	once("event-lost")

	// What was answered in time is told to nobody again.
	if a := w.ask(pay, "plain", to("instant@sim", 40_03)); a.is(200, "SUCCESS") {
		silent("plain")
	}

	// Deemed is not success: days pass, and nothing is said before the payee's bank has spoken.
	for id, c := range map[string]struct {
		address, word string
		after         time.Duration
	}{
		"deemed":   {"deemed@sim", "SUCCESS", 48 * time.Hour},
		"reversed": {"deemed-reversed@sim", "ACCOUNT_ON_HOLD", 72 * time.Hour},
	} {
		w.want(pay, id, to(c.address, 40_04), 503, "")
		w.until("it is deemed", func() bool { w.clock.Advance(time.Minute); return w.payout(id).State == "DEEMED" })
		w.clock.Advance(c.after - 2*time.Hour)
		w.want(pay, id, to(c.address, 40_04), 503, "")
		silent(id)
		if got := w.payout(id).State; got != "DEEMED" {
			t.Errorf("%s: it is %s", id, got)
		}
		w.clock.Advance(2 * time.Hour)
		w.until("the result is told", func() bool { w.clock.Advance(time.Minute); return w.told(id) != "" })
		w.ends(id, to(c.address, 40_04), c.word)
		once(id)
	}

	// OP-6: it comes back after it was told as paid. What was told stays, and a person hears of it.
	paid := w.ends("returned", to("returned@sim", 40_05), "SUCCESS")
	w.clock.Advance(48 * time.Hour)
	w.until("it is back", func() bool { return w.payout("returned").State == "RETURNED" })
	w.cased(1)
	if got := w.ask(pay, "returned", to("returned@sim", 40_05)); got != paid {
		t.Errorf("what came back is answered as %d %s", got.status, got.body)
	}
	w.drain()
	if got := w.told("returned"); got != "" && got != "SUCCESS" || len(w.notified("returned")) > 1 { // 7.2: the same value is harmless
		t.Errorf("Google was told %s under %d ids", got, len(w.notified("returned")))
	}
}

// operator does what an operator does through the admin listener.
func (w *world) operator(path string, in map[string]string) {
	w.t.Helper()
	resp, err := http.Post("http://"+w.platform.AdminAddr+path, "application/json", strings.NewReader(string(must(json.Marshal(in)))))
	w.check(err)
	w.check(resp.Body.Close())
	if resp.StatusCode/100 != 2 {
		w.t.Fatalf("%s: %d", path, resp.StatusCode)
	}
}
