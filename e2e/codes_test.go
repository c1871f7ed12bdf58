package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"naru/core/card"
)

// codes is what Google hears when the host answers a hold with a code: Korea Cards v1 §7.2, and rails §1.14 for what stands there alone.
// A result without Korea evidence (§7.1) is said as ISSUER_DECLINED where the account's profile does not list it, as here.
var codes = []struct {
	codes  string
	status int
	word   string
}{
	{"00 08 11", 200, "SUCCESS"},
	{"01 02 10", 200, "ISSUER_DECLINED"},
	{"03", 400, "PRECONDITION_VIOLATION"},
	{"04 07", 200, "CARD_LOST_OR_STOLEN"},
	{"05", 200, "DO_NOT_HONOR"},
	{"06 20 30", 500, ""},
	{"09 19 22 28", 503, ""},
	{"12", 200, "TRANSACTION_INVALID"},
	{"13", 200, "TRANSACTION_EXCEEDS_AMOUNT_LIMIT"},
	{"14 21 25 52 53", 200, "CARD_NUMBER_INVALID"},
	{"15", 200, "TRANSACTION_COULD_NOT_BE_ROUTED"},
	{"16 51", 200, "INSUFFICIENT_FUNDS"},
	{"41 43", 200, "CARD_LOST_OR_STOLEN"},
	{"54", 200, "CARD_EXPIRED"},
	{"57 58", 200, "TRANSACTION_NOT_ALLOWED"},
	{"59", 200, "SUSPECTED_FRAUD"},
	// beyond 59
	{"55", 200, "PIN_MISMATCH"},
	{"75 61 N4 63 82 N7 65 78 80 Q1 R0 R1 R3 XA XD", 200, "ISSUER_DECLINED"},
	{"62 93 N3", 200, "TRANSACTION_NOT_ALLOWED"},
	{"P2", 400, "PRECONDITION_VIOLATION"},
	{"68 85 91 96 N0 Z3", 503, ""},
	{"92", 200, "TRANSACTION_COULD_NOT_BE_ROUTED"},
	{"94 95", 500, ""},
	// rails §1.14 alone
	{"17 18 23 32 36 38 46 60 64 66 70 71 72 74 79 81 84 86 87 88 89 1A 6P", 200, "ISSUER_DECLINED"},
	{"24 26 27 29 76 77 97 98 99", 500, ""},
	{"31", 200, "TRANSACTION_COULD_NOT_BE_ROUTED"},
	{"33", 200, "CARD_EXPIRED"},
	{"34 83", 200, "SUSPECTED_FRAUD"},
	{"35 37 67", 200, "CARD_LOST_OR_STOLEN"},
	{"39 42 44 56", 200, "CARD_NUMBER_INVALID"},
	{"40 5C 9G", 200, "TRANSACTION_NOT_ALLOWED"},
	{"90", 503, ""},
	{"45 47 48 49 50 69 73 ZZ", 200, "ISSUER_DECLINED"}, // no table knows them
}

// numbered is the test card that the host answers with a code of two digits (rails §1.19).
func numbered(code string) string {
	for digit := '0'; ; digit++ {
		if pan := "9999990000000" + code + string(digit); card.Luhn(pan) {
			return pan
		}
	}
}

// fopCodes is the same for Card FOP v1 §7.2. sold and checked are what a sale and a card check hear instead: §7.1 does not settle
// RESTRICTED_CARD for a sale, a card check has no strong authentication, and 85 approves it.
var fopCodes = []struct {
	codes         string
	status        int
	word          string
	sold, checked string
}{
	{"00 08 11", 200, "SUCCESS", "", ""},
	{"01 02 10", 200, "ISSUER_DECLINED", "", ""},
	{"03", 400, "PRECONDITION_VIOLATION", "", ""},
	{"04 07", 200, "CARD_LOST_OR_STOLEN", "", ""},
	{"05", 200, "DO_NOT_HONOR", "", ""},
	{"06 20 30", 500, "", "", ""},
	{"09 19 22 28", 503, "", "", ""},
	{"12", 200, "TRANSACTION_INVALID", "", ""},
	{"13", 200, "TRANSACTION_EXCEEDS_AMOUNT_LIMIT", "", ""},
	{"14 21 25 52 53", 200, "CARD_NUMBER_INVALID", "", ""},
	{"15", 200, "TRANSACTION_COULD_NOT_BE_ROUTED", "", ""},
	{"16 51", 200, "INSUFFICIENT_FUNDS", "", ""},
	{"41 43", 200, "CARD_LOST_OR_STOLEN", "", ""},
	{"54", 200, "CARD_EXPIRED", "", ""},
	{"57 58", 200, "TRANSACTION_NOT_ALLOWED", "", ""},
	{"59", 200, "SUSPECTED_FRAUD", "", ""},
	// beyond 59
	{"61 N4", 200, "CARD_ACTIVITY_EXCEEDS_AMOUNT_LIMIT", "", ""},
	{"62 93 N3", 200, "TRANSACTION_NOT_ALLOWED", "", ""},
	{"63 82 N7", 200, "CVN_MISMATCH", "", ""},
	{"65", 200, "CARD_ACTIVITY_EXCEEDS_COUNT_LIMIT", "", ""},
	{"68 91 96 N0 Z3", 503, "", "", ""},
	{"78", 200, "CARD_NOT_ACTIVATED", "", ""},
	{"80", 200, "CARD_EXPIRATION_DATE_INVALID", "", ""},
	{"85", 503, "", "", "SUCCESS"},
	{"92", 200, "TRANSACTION_COULD_NOT_BE_ROUTED", "", ""},
	{"94 95", 500, "", "", ""},
	{"P2", 400, "PRECONDITION_VIOLATION", "", ""},
	{"Q1 R0 R1 R3 XA XD", 200, "ISSUER_DECLINED", "", ""},
	// rails §1.14 alone
	{"17 18 23 32 38 55 60 64 66 70 71 72 74 75 81 84 86 87 88 89 6P", 200, "ISSUER_DECLINED", "", ""},
	{"24 26 27 29 76 77 97 98 99", 500, "", "", ""},
	{"31", 200, "TRANSACTION_COULD_NOT_BE_ROUTED", "", ""},
	{"33", 200, "CARD_EXPIRED", "", ""},
	{"34 83", 200, "SUSPECTED_FRAUD", "", ""},
	{"35 37 67", 200, "CARD_LOST_OR_STOLEN", "", ""},
	{"36", 200, "RESTRICTED_CARD", "ISSUER_DECLINED", ""},
	{"39 42 44 56", 200, "CARD_NUMBER_INVALID", "", ""},
	{"40 5C 9G", 200, "TRANSACTION_NOT_ALLOWED", "", ""},
	{"46 79", 200, "CARD_CANCELLED", "", ""},
	{"90", 503, "", "", ""},
	{"1A", 200, "STRONG_CUSTOMER_AUTHENTICATION_REQUIRED", "", "ISSUER_DECLINED"},
	{"45 47 48 49 50 69 73 ZZ", 200, "ISSUER_DECLINED", "", ""}, // no table knows them
}

// heard is what Google hears of one code.
type heard struct {
	code   string
	status int
	word   string
}

// hears is what a method hears of every code.
func (a *api) hears(method string) (list []heard) {
	if a == fop {
		for _, row := range fopCodes {
			status, word := row.status, row.word
			if instead := map[string]string{sell: row.sold, verify: row.checked}[method]; instead != "" {
				status, word = 200, instead
			}
			for _, code := range strings.Fields(row.codes) {
				list = append(list, heard{code, status, word})
			}
		}
		return list
	}
	for _, row := range codes {
		for i, code := range strings.Fields(row.codes) {
			switch {
			case method == reserve:
				list = append(list, heard{code, row.status, row.word})
			case code == "85": // no reason to decline approves what asks for no money
				list = append(list, heard{code, 200, "SUCCESS"})
			case i == 0: // the others of a row have the same word
				list = append(list, heard{code, row.status, row.word})
			}
		}
	}
	return list
}

// TestResponseCodes asks once for each code, for a hold and for a sale. What is no 200 is not stored: the repeat reaches the host as a new
// attempt, whatever it was that was held or taken behind the code.
func TestResponseCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		api         *api
		method, mti string
	}{{korea, reserve, "0100"}, {fop, reserve, "0100"}, {fop, sell, "0200"}} {
		t.Run(c.api.name+"/"+c.method, func(t *testing.T) {
			t.Parallel()
			newWorld(t, options{api: c.api, authorise: "4s"}).responseCodes(c.method, c.mti)
		})
	}
}

func (w *world) responseCodes(method, mti string) {
	t, final, digits := w.t, 0, map[string]bool{}
	for _, h := range w.api.hears(method) {
		code := h.code
		amount := int64(30_000 + final + 100*len(digits))
		e := edits{"amount": sum(amount)}
		if strings.Trim(code, "0123456789") == "" {
			e[pan] = numbered(code)
		} else {
			w.rule(fmt.Sprintf(`{"action": "decline", "code": %q, "match": {"amount": %d}}`, code, amount))
		}
		got := w.ask(method, "code-"+code, e)
		if !got.is(h.status, h.word) {
			t.Errorf("%s: got %d %s, want %d %s", code, got.status, got.body, h.status, h.word)
		}
		if h.status == 200 && !strings.Contains(got.body, `"rawCode":"`+code+`"`) {
			t.Errorf("%s: the network's own code is not in %s", code, got.body)
		}
		digits[code] = true
		if h.status == 200 {
			final++
			continue
		}
		w.until(code+" holds nothing", func() bool {
			w.clock.Advance(15 * time.Second) // where the host knows of nothing, it is told again a minute later (rails §1.11 T11)
			return w.state("code-"+code) == "NOT_HELD"
		})
		w.ask(method, "code-"+code, e)
		if n := w.seen(mti, amount); n != 2 {
			t.Errorf("%s: the host saw %d attempts for two requests", code, n)
		}
	}
	for n := range 100 {
		if code := fmt.Sprintf("%02d", n); !digits[code] {
			t.Errorf("%s is in no row", code)
		}
	}
	w.drain()
	if got, want := w.contents()["idempotency"], fmt.Sprintf("%d rows", final); !strings.HasPrefix(got, want) {
		t.Errorf("%s of stored answers, want %s", got, want)
	}
}

// TestMerchantThatTheHostDoesNotKnow: ISO 3 names what is wrong and is not final (Korea §10, Card FOP §9); 58 is a decline.
func TestMerchantThatTheHostDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, a := range apis {
		for _, method := range []string{reserve, sell} {
			if a.examples[method] == "" {
				continue
			}
			w, id := w.as(a), "closed-"+method
			got := w.want(method, id, edits{account: a.closed, "amount": sum(31_001)}, 400, "PRECONDITION_VIOLATION")
			if !strings.Contains(got.body, `"errorDescription":"the acquirer does not know the merchant"`) {
				t.Errorf("got %s", got.body)
			}
			w.want(method, id, edits{account: a.closed, "amount": sum(31_002)}, 400, "PRECONDITION_VIOLATION")
		}
	}
}

// refundCodes is what Google is told when the host answers a refund with a code (Korea §5.3, to which Card FOP §5.3 refers).
var refundCodes = []struct{ codes, told string }{
	{"00 08 11 85", "SUCCESS"},
	{"04 07 41 43 67", "CARD_LOST_OR_STOLEN"},
	{"14 46 56 79", "CARD_CANCELLED"},
	{"12 40 57 58", "NOT_SUPPORTED_BY_NETWORK"},
	{"13", "NO_MONEY_LEFT_ON_TRANSACTION"},
	{"01 02 05 15 21 34 51 54 55 59 61 62 65 75 78 82 92 1A N4 Q1 R0 ZZ", "ISSUER_DECLINED"},
}

// refundCards are the cards that answer a refund by themselves (rails §1.19).
var refundCards = map[string]string{
	"9999990000009304": "NOT_SUPPORTED_BY_NETWORK", "9999990000009312": "CARD_LOST_OR_STOLEN", "9999990000009320": "CARD_CANCELLED",
	"9999990000009338": "ISSUER_DECLINED", "9999990000009346": "SUCCESS", "9999990000009353": "NO_MONEY_LEFT_ON_TRANSACTION",
	"9999990000009361": "SUCCESS",
}

// TestRefundCodes asks for one refund of the same payment for each code, and for one of a payment with each card. A code of which nobody
// can tell what it means for a refund stays with an operator, and Google hears nothing.
func TestRefundCodes(t *testing.T) {
	t.Parallel()
	each(t, options{authorise: "4s"}, (*world).refundCodes)
}

func (w *world) refundCodes() {
	t := w.t
	w.sold("coded", 900_000, nil)
	amount := int64(1_300)
	ask := func(code string) (id string) {
		amount, id = amount+1, "coded-"+code
		action := "decline"
		if strings.Contains("00 08 11 85", code) {
			action = "approve-as"
		}
		w.rule(fmt.Sprintf(`{"action": %q, "code": %q, "match": {"mti": "0200", "de3": "20", "amount": %d}}`, action, code, amount))
		w.repay(id, "coded", amount, 200, "ACKNOWLEDGED")
		return id
	}
	want := map[string]string{}
	for _, row := range refundCodes {
		for _, code := range strings.Fields(row.codes) {
			want[ask(code)] = row.told
		}
	}
	for pan_, told := range refundCards {
		w.sold("card-"+pan_[12:], 2_000, edits{pan: pan_})
		w.repay("refund-"+pan_[12:], "card-"+pan_[12:], 2_000, 200, "ACKNOWLEDGED")
		want["refund-"+pan_[12:]] = told
	}
	w.until("every refund is told", func() bool {
		w.clock.Advance(time.Second)
		for id := range want {
			if w.told(id) == "" {
				return false
			}
		}
		return true
	})
	for id, told := range want {
		if got := w.told(id); got != told {
			t.Errorf("%s: Google was told %s, want %s", id, got, told)
		}
	}
	raw := map[string]string{}
	for _, r := range w.received("refundResultNotification") {
		result, _ := r["rawResult"].(map[string]any)
		raw[fmt.Sprint(r["refundRequestId"])] = fmt.Sprint(result["rawCode"])
	}
	for id := range want {
		if code, of := strings.CutPrefix(id, "coded-"); of && raw[id] != code {
			t.Errorf("%s: the network's own code is told as %s", id, raw[id])
		}
	}
	stuck := ask("25")
	w.cased(1)
	if got := w.told(stuck); got != "" {
		t.Errorf("25: Google was told %s", got)
	}
	w.open[w.asked("coded")] = true
}

// TestRefundCodesWithoutKoreaEvidence: where the account's profile does not list a word, one with Korea evidence stands in (Korea §5.3).
func TestRefundCodesWithoutKoreaEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{files: true, authorise: "4s", account: "[account.korea_cards]\nrefund_codes = [\"CARD_CANCELLED\"]"})
	rrn := w.sold("plain", 50_301, nil)
	for i, c := range []struct{ code, told string }{
		{"57", "REFUND_WINDOW_EXCEEDED"},
		{"05", "REFUND_WINDOW_EXCEEDED"},
		{"41", "REFUND_WINDOW_EXCEEDED"},
		{"46", "CARD_CANCELLED"},
		{"13", "NO_MONEY_LEFT_ON_TRANSACTION"},
		{"00", "SUCCESS"},
	} {
		id, amount := fmt.Sprint("plain-", i), int64(1_401+i)
		if c.code != "00" {
			w.rule(fmt.Sprintf(`{"action": "decline", "code": %q, "match": {"mti": "0200", "amount": %d}}`, c.code, amount))
		}
		w.repay(id, "plain", amount, 200, "ACKNOWLEDGED")
		w.verdict(id, c.told)
	}
	w.quarrel("chargeback", rrn, `, "amount": %d`, 40_000)
	w.repay("plain-disputed", "plain", 20_000, 200, "ACKNOWLEDGED")
	w.verdict("plain-disputed", "NO_MONEY_LEFT_ON_TRANSACTION")
}

// TestVerificationCodes asks every card check for codes of each row: they say what a reservation says (Korea §7.1, Card FOP §7.1), but that 85, no
// reason to decline, approves what asks for no money. A decline holds nothing and is final; what is no 200 is not.
func TestVerificationCodes(t *testing.T) {
	t.Parallel()
	for _, a := range apis {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			newWorld(t, options{api: a, authorise: "4s"}).verificationCodes()
		})
	}
}

func (w *world) verificationCodes() {
	t := w.t
	for _, h := range w.api.hears(verify) {
		code, action := h.code, "decline"
		if strings.Contains("00 08 11 85", code) {
			action = "approve-as"
		}
		for _, method := range []string{verify, inspect} {
			if w.api.examples[method] == "" {
				continue
			}
			id := method + "-" + code
			w.rule(fmt.Sprintf(`{"action": %q, "code": %q, "match": {"mti": "0100"}, "times": 1}`, action, code))
			got := w.ask(method, id, nil)
			if !got.is(h.status, h.word) {
				t.Errorf("%s of %s: got %d %s, want %d %s", code, method, got.status, got.body, h.status, h.word)
			}
			if again := w.until200(method, id); h.status == 200 && again != got || h.status != 200 && !again.is(200, "SUCCESS") {
				t.Errorf("%s of %s: then %d %s", code, method, again.status, again.body)
			}
			if h.status == 200 && !strings.Contains(got.body, `"rawCode":"`+code+`"`) {
				t.Errorf("%s: the network's own code is not in %s", code, got.body)
			}
			if method == verify && h.status == 200 {
				holds, sells := "NOT_SUPPORTED", "NOT_SUPPORTED"
				if h.word == "SUCCESS" {
					holds = "SUPPORTED"
				}
				if w.api == fop { // which has a flow in one message
					sells = holds
				}
				if !strings.Contains(got.body, `"reserveCaptureFlow":"`+holds+`"`) || !strings.Contains(got.body, `"fundsTransferFlow":"`+sells+`"`) {
					t.Errorf("%s: the flows are not in %s", code, got.body)
				}
			}
		}
	}
}

// until200 repeats a request until the host is asked no more.
func (w *world) until200(method, id string) (a answer) {
	w.t.Helper()
	w.until(id+" is decided", func() bool {
		w.clock.Advance(15 * time.Second)
		a = w.ask(method, id, nil)
		return a.status == 200
	})
	return a
}

// TestVerificationOfTheHolder: what the holder types is checked by the issuer, or found to be mistyped before anybody is asked (Korea §3.2,
// §4.1). The account's profile decides whether card checks have words for it, and for what has no Korea evidence (§14 point 9, §7.1).
func TestVerificationOfTheHolder(t *testing.T) {
	t.Parallel()
	const plain = `
[account.korea_cards]
verify_plain_codes = true
emit = ["CVN_MISMATCH", "CARD_EXPIRATION_DATE_INVALID"]`
	full, degraded := newWorld(t, options{authorise: "4s"}), newWorld(t, options{authorise: "4s", account: plain})
	const declined = "ISSUER_DECLINED"
	company := func(number string) edits {
		return edits{"pin": "93", "dateOfBirth": absent, "businessIdentifier": number}
	}
	for i, c := range []struct {
		name            string
		e               edits
		words, degraded string
		asked           bool // the host
	}{
		{"right", edits{number: "9999990000009080", "pin": "47", "dateOfBirth": "1991-04-17"}, "SUCCESS", "SUCCESS", true},
		{"corporate card", company("123-45-67891").and(edits{number: "9999990000009098"}), "SUCCESS", "SUCCESS", true},
		{"no reason to decline", edits{number: "9999990000009403"}, "SUCCESS", "SUCCESS", true},
		{"wrong PIN", edits{number: "9999990000009080", "pin": "48"}, "PIN_MISMATCH", declined, true},
		{"wrong birth date", edits{number: "9999990000009080", "dateOfBirth": "1991-04-18"}, "DOB_OR_BRN_MISMATCH", declined, true},
		{"wrong business number", company("1234567892").and(edits{number: "9999990000009098"}), "DOB_OR_BRN_MISMATCH", declined, true},
		{"wrong CVN", edits{number: "9999990000000824", "card.cvn": "123"}, declined, "CVN_MISMATCH", true},
		{"another expiry", edits{number: "9999990000009262", "card.expiryMonth": "11"}, declined, "CARD_EXPIRATION_DATE_INVALID", true},
		{"lost", edits{number: "9999990000000410"}, "CARD_LOST_OR_STOLEN", "CARD_LOST_OR_STOLEN", true},
		{"mistyped number", edits{number: "9999990000000007"}, "CARD_NUMBER_INVALID", "CARD_NUMBER_INVALID", false},
		{"mistyped month", edits{"card.expiryMonth": "13"}, declined, "CARD_EXPIRATION_DATE_INVALID", false},
		{"expired", edits{"card.expiryYear": "20"}, "CARD_EXPIRED", "CARD_EXPIRED", false},
		{"mistyped PIN", edits{"pin": "47473"}, "PIN_MISMATCH", declined, false},
		{"mistyped birth date", edits{"dateOfBirth": "1991-02-30"}, "DOB_OR_BRN_MISMATCH", declined, false},
	} {
		for w, want := range map[*world]string{full: c.words, degraded: c.degraded} {
			for _, method := range []string{verify, inspect} {
				before := w.seen("0100", 0)
				if got := w.ask(method, fmt.Sprint(method, i), c.e); !got.is(200, want) {
					t.Errorf("%s of %s: got %d %s, want %s", method, c.name, got.status, got.body, want)
				}
				if asked := w.seen("0100", 0) > before; asked != c.asked {
					t.Errorf("%s of %s: the host was asked: %v", method, c.name, asked)
				}
			}
		}
	}
}

// TestVerificationThatCostsMoney: a network that only checks with money has it back: at once, or when Google cancels, or a day later when
// it does not (Korea §4.5, §4.8).
func TestVerificationThatCostsMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replace: map[string]string{`account_verification = "zero"`: `account_verification = "100"`}})
	w.want(inspect, "costs-check", nil, 200, "SUCCESS")
	w.until("it is given back", func() bool { return w.seen("0420", 100) == 1 })
	w.want(verify, "costs-cancelled", nil, 200, "SUCCESS")
	w.want(verify, "costs-left", nil, 200, "SUCCESS")
	if got := w.hostHolds(); len(got) != 3 || got[2].State != "open" || got[2].Amount != 100 {
		t.Errorf("the host holds %+v", got)
	}
	w.want(cancel, "costs-cancel", edits{of: "costs-cancelled"}, 200, "ACKNOWLEDGED")
	w.verdict("costs-cancel", "SUCCESS")
	w.clock.Advance(23 * time.Hour)
	w.want(verify, "costs-probe", nil, 200, "SUCCESS")
	if got := w.state("costs-left"); got != "VERIFY_HELD" {
		t.Errorf("an hour before its end it is %s", got)
	}
	w.clock.Advance(time.Hour)
	w.until("the other is given back too", func() bool { return w.seen("0420", 100) == 3 })
	for _, id := range []string{"costs-left", "costs-cancelled"} {
		if got := w.told(id); got != "" {
			t.Errorf("Google was told %s of %s, which it never asked about", got, id)
		}
	}
	w.want(cancel, "costs-late", edits{of: "costs-left"}, 200, "ACKNOWLEDGED")
	w.verdict("costs-late", "SUCCESS")
}

// TestPaymentToken: a network token is asked about like a card, with its cryptogram and its kind, and captured, or sold, and refunded like
// one (§3.1 of both sheets).
func TestPaymentToken(t *testing.T) {
	t.Parallel()
	each(t, options{}, (*world).paymentToken)
}

func (w *world) paymentToken() {
	t := w.t
	w.secrets[leakCrypt] = true
	for i, kind := range []string{"", "tokenTypeDeviceToken", "tokenTypeMerchantToken", "tokenTypeUnsupported", "tokenTypeNotApplicable"} {
		id, amount, token := fmt.Sprint("token-", i), int64(50_401+i), tokenForm()
		if kind != "" {
			token[kind] = map[string]any{}
		}
		if kind == "" && w.api == fop { // where it is required
			w.want(sell, id, edits{"accountDetails": map[string]any{"paymentToken": token}}, 400, missing)
			continue
		}
		w.sold(id, amount, edits{"accountDetails": map[string]any{"paymentToken": token}})
		w.repay(id+"-refund", id, amount, 200, "ACKNOWLEDGED")
		w.verdict(id+"-refund", "SUCCESS")
	}
	const at = "accountDetails.paymentToken."
	method := map[bool]string{false: reserve, true: sell}[w.single]
	for name, c := range map[string]struct {
		path   string
		value  any
		status int
		word   string
	}{
		"two kinds":   {at + "tokenTypeMerchantToken", map[string]any{}, 400, invalid},
		"no number":   {at + "paymentTokenAccountNumber", absent, 400, missing},
		"letters":     {at + "paymentTokenAccountNumber", "55555555555544AB", 400, invalid},
		"no name":     {at + "nameOnCard", absent, 400, missing},
		"past":        {at + "expiryYear", "20", 200, "CARD_EXPIRED"},
		"no such one": {at + "paymentTokenAccountNumber", "5555555555554445", 200, "CARD_NUMBER_INVALID"},
	} {
		token := edits{"accountDetails": map[string]any{"paymentToken": tokenForm()}} // anew: it is changed deep inside
		token["accountDetails"].(map[string]any)["paymentToken"].(map[string]any)["tokenTypeDeviceToken"] = map[string]any{}
		body := w.request(method, token, edits{requestID: "token-" + strings.ReplaceAll(name, " ", "-"), "amount": sum(50_500)})
		change(body, strings.Split(c.path, "."), c.value)
		list, err := w.send(1, method, body)
		w.check(err)
		if !list[0].is(c.status, c.word) {
			t.Errorf("%s: got %d %s, want %d %s", name, list[0].status, list[0].body, c.status, c.word)
		}
	}
}

func tokenForm() map[string]any {
	return map[string]any{
		"nameOnCard": "SEO JIHUN", "paymentTokenAccountNumber": leakToken, "expiryMonth": "08", "expiryYear": "29", "cryptogram": leakCrypt,
	}
}
