package upi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payout"
)

func mustBank(t testing.TB, change func(*Config)) *RazorpayX {
	t.Helper()
	cfg := Config{
		Base: "https://bank.example/v1", KeyID: "rzp_test_1", Secret: card.Conceal("secret"), Account: "7878780080316316",
		ContactName: "Google payee", Webhooks: []card.Secret{card.Conceal("wh_next"), card.Conceal("wh_secret_example")},
		Now: func() time.Time { return time.Date(2026, 11, 22, 3, 15, 0, 0, time.UTC) },
	}
	if change != nil {
		change(&cfg)
	}
	r, err := NewRazorpayX(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func rupees(paise int64) money.Amount { return money.New(paise, inr) }

func sample() payout.Order {
	return payout.Order{
		Key: "0f1c2d3e-0001", Reference: "PID-1", Amount: rupees(1250_00),
		Target: payout.Target{VPA: card.Conceal("asha.r@examplebank"), Text: "Google - Music, ₹1250"},
	}
}

// entity is a payout as the product answers it, with changes; a nil value takes a member away.
func entity(changes map[string]any) []byte {
	e := map[string]any{
		"id": "pout_TEST0000000001", "entity": "payout", "fund_account_id": "fa_TEST0000000001", "amount": 1250_00, "currency": "INR",
		"notes": []any{},
		"fees":  590, "tax": 90, "status": "processing", "purpose": "payout", "utr": nil, "mode": "UPI", "reference_id": "PID-1",
		"narration": "Google Music", "batch_id": nil, "status_details": nil, "created_at": 1795317300, "fee_type": nil,
		"debit_account_number": "7878780080316316",
		"fund_account": map[string]any{"vpa": map[string]any{
			"username": "asha.r", "handle": "examplebank", "address": "Asha.R@ExampleBank",
		}},
	}
	for member, value := range changes {
		if e[member] = value; value == nil {
			delete(e, member)
		}
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return text
}

func standingOf(status, reason string) map[string]any {
	if reason == "" {
		return map[string]any{"status": status}
	}
	return map[string]any{"status": status, "status_details": map[string]any{"description": "words", "source": "bank", "reason": reason}}
}

// Every state and reason that the sheet names, with what it does to the money. Written from rails §2.5 and §2.6, not from reasons.csv.
// * wants a person's look, 30m is to wait.
const wantedOfStates = `
failed bank_account_closed bank_account_invalid invalid_ifsc_code: rejected account_closed
failed beneficiary_account_invalid beneficiary_vpa_invalid invalid_beneficiary: rejected account_closed
failed bank_account_frozen beneficiary_account_dormant beneficiary_bank_rejected imps_not_allowed: rejected account_on_hold
failed transaction_limit_exceeded: rejected account_on_hold
failed amount_exceeds_vpa_limit: rejected above_limit
failed beneficiary_bank_failure beneficiary_bank_offline beneficiary_bank_technical_error: failed - 30m
failed beneficiary_psp_offline npci_beneficiary_timeout: failed - 30m
failed amount_limit_exhausted_neft insufficient_funds: failed - *
failed gateway_down gateway_technical_error gateway_timeout server_error server_error_temporary: failed -
failed moon_in_the_wrong_house low_balance: failed - *
failed -: failed -
reversed bank_account_closed bank_account_invalid invalid_ifsc_code: came_back account_closed
reversed beneficiary_account_invalid beneficiary_vpa_invalid invalid_beneficiary: came_back account_closed
reversed bank_account_frozen beneficiary_account_dormant beneficiary_bank_rejected imps_not_allowed: came_back account_on_hold
reversed transaction_limit_exceeded: came_back account_on_hold
reversed amount_exceeds_vpa_limit: came_back above_limit
reversed beneficiary_bank_failure beneficiary_bank_offline beneficiary_bank_technical_error: came_back - 30m
reversed beneficiary_psp_offline npci_beneficiary_timeout: came_back - 30m
reversed amount_limit_exhausted_neft insufficient_funds: came_back - *
reversed gateway_down gateway_technical_error gateway_timeout server_error server_error_temporary: came_back -
reversed moon_in_the_wrong_house: came_back - *
reversed -: came_back -
processing beneficiary_bank_confirmation_pending: in_doubt -
processing payout_bank_processing bank_window_closed amount_limit_exhausted partner_bank_pending: open -
processing -: open -
processing moon_in_the_wrong_house: open - *
queued low_balance syncing_balance fee_recovery_pending: queued - *
queued gateway_degraded beneficiary_bank_down -: open -
pending pending_approval -: open - *
scheduled -: open - *
processed payout_processed -: credited -
processed moon_in_the_wrong_house: credited - *
rejected -: rejected - *
cancelled -: rejected - *
initiated -: unknown - *
Processed payout_processed: unknown - *`

func TestEveryStateAndReason(t *testing.T) {
	r := mustBank(t, nil)
	seen := map[standing]bool{}
	for line := range strings.Lines(strings.TrimSpace(wantedOfStates)) {
		left, right, _ := strings.Cut(strings.TrimSpace(line), ": ")
		status, words := strings.Fields(left)[0], strings.Fields(left)[1:]
		want := strings.Fields(right)
		for _, reason := range words {
			key := standing{status, reason}
			if reason == "-" {
				key, reason = standing{status, "*"}, ""
			}
			seen[key] = true
			a := payout.Answer{
				Verdict: verdicts[want[0]], Reason: payout.Reason(strings.Trim(want[1], "-")), BankID: "pout_TEST0000000001", Reference: "PID-1", Amount: rupees(125000), Status: status,
				Fees: rupees(500), Tax: rupees(90),
			}
			if reason != "" {
				a.Scope, a.Code = ScopeRazorpayX, reason
			}
			alert := false
			for _, mark := range want[2:] {
				switch mark {
				case "*":
					alert = true
				default:
					a.Wait = 30 * time.Minute
				}
			}
			if a.Verdict == payout.InDoubt { // made on a Sunday; T+3 working days is Wednesday
				a.Deadline = time.Date(2026, 11, 25, 18, 30, 0, 0, time.UTC)
			}
			got := r.judge(entity(standingOf(status, reason)), sample())
			if (got.Alert != "") != alert {
				t.Errorf("%s %s: alert %q", status, reason, got.Alert)
			}
			if a.Alert = got.Alert; got != a {
				t.Errorf("%s %s:\n%+v, want\n%+v", status, reason, got, a)
			}
		}
	}
	for key := range reasons {
		if !seen[key] {
			t.Errorf("%v is in the table, but in no sheet", key)
		}
	}
}

// A limit that the payee's bank names is ours to tell only where the amount is above the bank's own cap (rails §2.6).
func TestLimitOfAPayout(t *testing.T) {
	r := mustBank(t, func(c *Config) { c.Cap = rupees(1249_99) })
	for status, verdict := range map[string]payout.Verdict{"failed": payout.Rejected, "reversed": payout.CameBack} {
		a := r.judge(entity(standingOf(status, "transaction_limit_exceeded")), sample())
		if a.Verdict != verdict || a.Reason != payout.AboveLimit {
			t.Errorf("%s: %+v", status, a)
		}
		if a = r.judge(entity(standingOf(status, "bank_account_closed")), sample()); a.Reason != payout.Closed {
			t.Errorf("%s: %+v", status, a)
		}
	}
	r = mustBank(t, func(c *Config) { c.Cap = rupees(1250_00) }) // as much as the cap is not above it
	if a := r.judge(entity(standingOf("failed", "transaction_limit_exceeded")), sample()); a.Reason != payout.OnHold {
		t.Errorf("%+v", a)
	}
}

// What contradicts the order, or cannot be read, says nothing of it, although it says that it is paid.
func TestContradictions(t *testing.T) {
	r := mustBank(t, nil)
	paid := func(member string, value any) []byte {
		changes := standingOf("processed", "payout_processed")
		changes[member] = value
		return entity(changes)
	}
	for name, body := range map[string][]byte{
		"other amount":           paid("amount", 1250_01),
		"no amount":              paid("amount", nil),
		"amount as text":         paid("amount", "125000"),
		"amount with a fraction": paid("amount", json.RawMessage("125000.5")),
		"other currency":         paid("currency", "USD"),
		"other reference":        paid("reference_id", "PID-2"),
		"no reference":           paid("reference_id", nil),
		"other account":          paid("debit_account_number", "1"),
		"other mode":             paid("mode", "NEFT"),
		"other payee":            paid("fund_account", map[string]any{"vpa": map[string]any{"address": "ravi@examplebank"}}),
		"other entity":           paid("entity", "refund"),
		"no id":                  paid("id", nil),
		"an id that is a path":   paid("id", "../pout_1"),
		"fees below the tax":     paid("fees", 80),
		"less than no tax":       paid("tax", -1),
		"state of a wrong type":  paid("status", 1),
		"nothing":                nil,
		"a page":                 []byte("<html>processed</html>"),
		"two answers":            append(paid("tax", 90), paid("tax", 90)...),
		"a member twice":         []byte(strings.Replace(string(paid("tax", 90)), `"status"`, `"status":"failed","status"`, 1)),
		"half an answer":         paid("tax", 90)[:200],
	} {
		if a := r.judge(body, sample()); a.Verdict != payout.Unknown || a.Alert == "" || a.BankID != "" || a.UTR != "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	o := sample()
	o.BankID = "pout_TEST0000000002"
	if a := r.judge(paid("tax", 90), o); a.Verdict != payout.Unknown || a.Alert == "" {
		t.Errorf("other id: %+v", a)
	}
}

// Members of ours that are missing, null or an empty array, and members of theirs that are anything, harm nothing.
func TestLeniency(t *testing.T) {
	r := mustBank(t, func(c *Config) { c.Account, c.DebitAccount = "customer-1", "7878780080316316" })
	for _, member := range []string{"fund_account", "status_details", "debit_account_number", "utr", "fees", "notes", "created_at"} {
		for _, value := range []any{nil, json.RawMessage("null"), []any{}} {
			if _, list := value.([]any); list && member != "fund_account" && member != "status_details" && member != "notes" {
				continue
			}
			changes := map[string]any{"status": "processed", "tax": 0, member: value}
			if a := r.judge(entity(changes), sample()); a.Verdict != payout.Credited || a.Alert != "" {
				t.Errorf("%s %v: %+v", member, value, a)
			}
		}
	}
	whole := entity(map[string]any{
		"status": "processed", "utr": "632600000123", "notes": map[string]any{"a": 1}, "new": []any{1, map[string]any{}}, "error": "?",
		"failure_reason": 7,
	})
	want := payout.Answer{
		Verdict: payout.Credited, BankID: "pout_TEST0000000001", Reference: "PID-1", Amount: rupees(125000), UTR: "632600000123", Status: "processed", Fees: rupees(500), Tax: rupees(90),
	}
	if a := r.judge(whole, sample()); a != want {
		t.Errorf("%+v, want\n%+v", a, want)
	}
}

// What an HTTP status means for the money. Written from rails §2.3 and §2.7, not from errors.csv.
func TestRefusals(t *testing.T) {
	text := func(code, description, reason, field string) string {
		return fmt.Sprintf(`{"error":{"code":%q,"description":%q,"source":"business","step":null,"reason":%q,"metadata":{},"field":%q}}`,
			code, description, reason, field)
	}
	const bad = "BAD_REQUEST_ERROR"
	for _, c := range []struct {
		status int
		body   string
		want   payout.Answer
	}{
		{400, text(bad, "The address of asha.r@examplebank is invalid", "input_validation_failed", "fund_account.vpa.address"), payout.Answer{
			Verdict: payout.Misfit, Code: "input_validation_failed", Alert: "the bank refuses the order as wrongly made: fund_account.vpa.address",
		}},
		{400, text(bad, "Different request body sent for the same Idempotency Header", "", "X-Payout-Idempotency"), payout.Answer{
			Verdict: payout.Misfit, Alert: "the idempotency key is missing or was used with other content: X-Payout-Idempotency",
		}},
		{400, text(bad, "The idempotency key is required", "", ""), payout.Answer{
			Verdict: payout.Misfit, Alert: "the idempotency key is missing or was used with other content",
		}},
		{400, text(bad, "Your IP address 10.0.0.1 is not whitelisted", "", ""), payout.Answer{
			Verdict: payout.Later, Alert: "the bank does not take calls from our address",
		}},
		{400, text(bad, "Access denied: the IP is not on the list", "ip_not_allowed", ""), payout.Answer{
			Verdict: payout.Later, Code: "ip_not_allowed", Alert: "the bank does not take calls from our address",
		}},
		{400, text(bad, "Too much", "amount_exceeds_vpa_limit", "amount"), payout.Answer{
			Verdict: payout.Rejected, Reason: payout.AboveLimit, Code: "amount_exceeds_vpa_limit",
		}},
		{400, text(bad, "Not enough", "insufficient_funds", ""), payout.Answer{
			Verdict: payout.Later, Code: "insufficient_funds", Alert: "our float is short",
		}},
		{400, text("GATEWAY_ERROR", "trouble", "", ""), payout.Answer{Alert: "the bank's refusal cannot be read"}},
		{400, "<html>bad request</html>", payout.Answer{Alert: "the bank's refusal cannot be read"}},
		{400, "", payout.Answer{Alert: "the bank's refusal cannot be read"}},
		{401, text(bad, "Authentication failed", "", ""), payout.Answer{
			Verdict: payout.Later, Alert: "the bank does not take our key or our address",
		}},
		{401, "", payout.Answer{Verdict: payout.Later, Alert: "the bank does not take our key or our address"}},
		{403, "<html>", payout.Answer{Verdict: payout.Later, Alert: "the bank does not allow us this call"}},
		{429, "", payout.Answer{Verdict: payout.Later}},
		{500, text("SERVER_ERROR", "trouble", "server_error", ""), payout.Answer{}},
		{502, "", payout.Answer{}},
		{504, "<html>", payout.Answer{}},
		{201, string(entity(standingOf("processed", ""))), payout.Answer{Alert: "the bank answers in a way that is in no sheet: 201"}},
		{302, "", payout.Answer{Alert: "the bank answers in a way that is in no sheet: 302"}},
		{404, "", payout.Answer{Alert: "the bank answers in a way that is in no sheet: 404"}},
		{408, "", payout.Answer{Alert: "the bank answers in a way that is in no sheet: 408"}},
		{409, text(bad, "The idempotency key is in use", "", ""), payout.Answer{Alert: "the bank answers in a way that is in no sheet: 409"}},
		{0, "", payout.Answer{}},
	} {
		if c.want.Code != "" {
			c.want.Scope = ScopeRazorpayX
		}
		if got := refusal(said{left: true, status: c.status, body: []byte(c.body)}); got != c.want {
			t.Errorf("%d %s:\n%+v, want\n%+v", c.status, c.body, got, c.want)
		}
		got := unlearned(said{left: true, status: c.status, body: []byte(c.body)}) // whatever it is, an enquiry has taught nothing
		if (got.Alert != "") != (c.want.Alert != "" || c.status == http.StatusBadRequest) || got != (payout.Answer{Alert: got.Alert}) {
			t.Errorf("enquiry, %d %s: %+v", c.status, c.body, got)
		}
	}
}

// Every code of the switch, with what it does to the money. Written from rails §2.10 and disburse v1 §8.5 and §9, not from npci.csv.
// * wants a person's look.
const wantedOfCodes = `
00 CS TCC: credited
RB 96 BT U68 U82 U88: in_doubt
01 091 U67 U85 U87 UT UP U70 U27 U52 U53 U08 U13 U22 U23 U24 U25 U26: unknown
U01* U36* U38* DF* DT* 32* RR* RP* U32* U33*: unknown
U66* U69* X6* X7* Z6* ZM* ZA* AM* VN* BR* S0* S1* S2* S3* TM*: unknown
U31: taken_back account_on_hold
21 RET: came_back
U04 U48: absent
U02 Z8: rejected above_limit
XI UX MB MJ ZH U95: rejected account_closed
YF ZY B3 PS ZE ZG ZI XW CA XC YD XE XG XK Z5 ZP LC: rejected account_on_hold
XM XO XQ XS YB B1 B2 B6 U19 U21 U96* RA*: rejected account_on_hold
U30* U34* U16* M16* U76* U77* 52* 59* K1* 12* 15*: rejected
YE* ZX* XH* XB* XD* XF* XJ* XL* XN* XP* XR* XV* YA* YC*: rejected
Z9* U03* Z7* ZU* U28* U80* U81* U86* U90* U92*: failed
U29 U78 U84 U89 U91 U93 U94 Y1 XU UB U09 U18 U20 U17 XT XY NO OC NC OD ND: failed
U05* U06* U07* U12* U14* U15* U54* U10* U11*: misfit
QQ* XX* U99*: unknown`

func TestEveryCodeOfTheSwitch(t *testing.T) {
	seen := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(wantedOfCodes)) {
		codes, means, _ := strings.Cut(strings.TrimSpace(line), ": ")
		verdict, refuse, _ := strings.Cut(means, " ")
		for _, word := range strings.Fields(codes) {
			code := strings.TrimSuffix(word, "*")
			seen[code] = true
			want := payout.Answer{
				Verdict: verdicts[verdict], Reason: payout.Reason(refuse), Scope: ScopeNPCI, Code: code,
			}
			got := NPCI(code, "")
			if (got.Alert != "") != strings.HasSuffix(word, "*") {
				t.Errorf("%s: alert %q", code, got.Alert)
			}
			if want.Alert = got.Alert; got != want {
				t.Errorf("%s:\n%+v, want\n%+v", code, got, want)
			}
		}
	}
	for code, row := range npci {
		if !seen[code] {
			t.Errorf("%s is in the table, but in no sheet", code)
		}
		// A new attempt is never made of what may have been paid, nor of what must not be repeated (rails §2.10).
		again := row.verdict == payout.Failed || row.verdict == payout.CameBack || row.verdict == payout.Absent
		if allowed := row.again == "yes" || row.again == "later"; again != allowed {
			t.Errorf("%s: verdict %d, and again is %s", code, row.verdict, row.again)
		}
	}
	if rows := strings.Count(npciCSV, "\n") - 8; rows != len(npci) {
		t.Errorf("%d rows, %d codes: one stands twice", rows, len(npci))
	}
}

// Where only a leg is said to have failed, its own code tells why (rails §2.10).
func TestCodesOfLegs(t *testing.T) {
	for _, c := range []struct {
		code, leg string
		verdict   payout.Verdict
		reason    payout.Reason
		alert     bool
	}{
		{"U31", "YF", payout.Rejected, payout.OnHold, false},
		{"U31", "XI", payout.Rejected, payout.Closed, false},
		{"U31", "Y1", payout.Failed, "", false},
		{"U31", "BT", payout.InDoubt, "", false},
		{"U31", "00", payout.Unknown, "", true}, // the credit failed and went well
		{"U31", "QQ", payout.Unknown, "", true},
		{"U31", "U31", payout.Unknown, "", true},
		{"U30", "Z9", payout.Failed, "", true},
		{"U30", "UT", payout.Unknown, "", false},
		{"U30", "Z8", payout.Rejected, payout.AboveLimit, false},
		{"U29", "ZH", payout.Rejected, payout.Closed, false},
		{"00", "YF", payout.Credited, "", false}, // the whole is known
		{"XI", "00", payout.Rejected, payout.Closed, false},
	} {
		got := NPCI(c.code, c.leg)
		if got.Verdict != c.verdict || got.Reason != c.reason || (got.Alert != "") != c.alert {
			t.Errorf("%s:%s: %+v", c.code, c.leg, got)
		}
		if by := strings.HasPrefix(c.code, "U"); by != (got.Code == c.code+":"+c.leg) {
			t.Errorf("%s:%s is told as %s", c.code, c.leg, got.Code)
		}
	}
}

// No table says of anybody that he is a fraud (disburse v1 §9).
func TestNoTableAccuses(t *testing.T) {
	for _, refuse := range []payout.Reason{payout.ClosedFraud, payout.ClosedStolen} {
		for name, text := range map[string]string{"reasons.csv": reasonsCSV, "errors.csv": errorsCSV, "npci.csv": npciCSV} {
			if strings.Contains(text, ","+string(refuse)+",") {
				t.Errorf("%s leads to %s", name, refuse)
			}
		}
	}
}

func TestWorkingDays(t *testing.T) {
	for from, want := range map[string]string{
		"2026-11-23T04:00:00Z": "2026-11-26T18:30:00Z", // Monday: until the end of Thursday
		"2026-11-26T04:00:00Z": "2026-12-01T18:30:00Z", // Thursday: Friday, Monday, Tuesday
		"2026-11-28T04:00:00Z": "2026-12-02T18:30:00Z", // Saturday
		"2026-11-23T18:30:00Z": "2026-11-27T18:30:00Z", // Tuesday already, in India
	} {
		at, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		if got := workingDays(at, 3).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
}

// What the bank says is shown to operators and kept: only what a word holds.
func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"beneficiary_bank_down": "beneficiary_bank_down", "asha@bank\n": "asha?bank?", "은행": "??",
		strings.Repeat("a", 99): strings.Repeat("a", 64),
	} {
		if got := word(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
