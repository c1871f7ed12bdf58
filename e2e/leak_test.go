package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	upisim "naru/rail/upi/sim"
)

// A holder whose every value is like no other, in each form in which it may be asked for.
const (
	leakPAN    = "4111111111111111" // public test number
	leakOther  = "9999991100000011" // an ordinary card
	leakToken  = "5555555555554444"
	leakName   = "HONG GILDONG-7"
	leakCI     = "Tm9ib2R5IG1heSB3cml0ZSB0aGlzIGRvd246IHNpeHR5LWZvdXIgYnl0ZXMgLz8/Pz8/Pz8+Pj4+Pj4+Pj4+Pg=="
	leakCAVV   = "AAABBWcSNIdjeUZThmNHAAAAAAA="
	leakCrypt  = "AgAAAAAABk4DWZ4C28yUQAAAAAA="
	leakNumber = "2208139938" // business registration
	leakStreet = "Rua do Silencio 88"
	leakPaper  = "%PDF-1.7 a receipt of HONG GILDONG-7, signed on the third of May >>>???"
)

var leakBirths = []string{"1987-03-29", "19870329", "870329"}

// leakSecrets are those values as the wire, the rail in both dialects, and a careless hand would write them (rails §1.5, §5 I7).
var leakSecrets = []string{
	leakPAN, leakOther, leakToken, leakName, leakCAVV, leakCrypt, leakNumber, leakPaper, leakPaper[9:], "signed on the third of May",
	base64.RawURLEncoding.EncodeToString([]byte(leakPaper)), base64.StdEncoding.EncodeToString([]byte(leakPaper)),
	leakCI, strings.ReplaceAll(leakCI, "/", `\/`), url.QueryEscape(leakCI),
	"1987-03-29", "19870329", "BD06870329", "BD006870329", "BN102208139938", "BN0102208139938", "PW0287", "PW00287", "CV047391", "CV0047391",
	`"8765"`, `\"8765\"`, `"7391"`, `\"7391\"`, "4111 1111 1111 1111", "4111-1111-1111-1111",
}

// TestNothingLeaks drives a holder's secrets through every way out that a request has - approved, declined, refused in each step,
// unanswered, garbled, given back, captured, told, not understood - and then looks at the log at debug, every answer, the metrics, the
// database and its write-ahead log (rails §5, I7). Only the peers, whose business it is, may have written any of it.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	for dialect, reversal := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{dialect: dialect, files: true})
			for _, s := range leakSecrets {
				w.secrets[s] = true
			}
			full := edits{
				pan: leakPAN, "accountDetails.card.nameOnCard": leakName, "accountDetails.card.cvn": "7391",
				options_ + "pin": "8765", options_ + "dateOfBirth": leakBirths[0], options_ + "connectingInformation": leakCI,
				options_ + "threeDSecureNotAppplicable": absent,
				options_ + "threeDSecureAuthenticationDetails": map[string]any{
					"directoryServerTransactionId": "f38e6948-5388-41a6-bca4-b49723c19437", "cavv": leakCAVV,
				},
			}
			flat := edits{ // the same holder, as a card check has it (Korea §11)
				number: leakPAN, "card.nameOnCard": leakName, "card.cvn": "7391", "pin": "8765", "dateOfBirth": leakBirths[0], ci: leakCI,
			}
			paper := document + ".payload"
			n := 0
			send := func(method string, e ...edits) (id string, a answer) {
				n++
				id = fmt.Sprint("leak-", n)
				list, err := w.send(1, method, w.request(method, append([]edits{{requestID: id}}, e...)...))
				w.check(err)
				return id, list[0]
			}
			try := func(e ...edits) (id string, a answer) {
				return send(reserve, append([]edits{full, {"amount": sum(int64(70_001 + n))}}, e...)...)
			}
			ends := func(want int, e ...edits) string {
				t.Helper()
				id, a := try(e...)
				if a.status != want {
					t.Errorf("%s: got %d %s, want %d", id, a.status, a.body, want)
				}
				return id
			}
			hears := func(method string, want int, e ...edits) string {
				t.Helper()
				id, a := send(method, e...)
				if a.status != want {
					t.Errorf("%s %s: got %d %s, want %d", method, id, a.status, a.body, want)
				}
				return id
			}

			// What is sent to the network: captured, cancelled, declined.
			captured := ends(200)
			w.want(capture, "leak-capture", edits{of: captured, "amount": sum(70_001)}, 200, "ACKNOWLEDGED")
			w.fault(`{"method": "*", "action": "garbage", "times": 2}`)
			w.want(cancel, "leak-cancel", edits{of: ends(200, edits{pan: leakOther, options_ + "dateOfBirth": leakBirths[1]})}, 200, "ACKNOWLEDGED")
			ends(200, edits{options_ + "dateOfBirth": leakBirths[2]})
			ends(200, edits{options_ + "dateOfBirth": absent, options_ + "businessIdentifier": leakNumber})
			for _, code := range []string{"05", "14", "51", "55", "82"} {
				ends(200, edits{pan: numbered(code)})
			}
			ends(200, edits{"accountDetails": map[string]any{"paymentToken": map[string]any{
				"nameOnCard": leakName, "paymentTokenAccountNumber": leakToken, "cryptogram": leakCrypt, "expiryMonth": "08", "expiryYear": "29",
				"tokenTypeDeviceToken": map[string]any{},
			}}})
			// Card checks, refunds, a chargeback and its defence.
			for _, method := range []string{verify, inspect} {
				hears(method, 200, flat)
				hears(method, 200, flat, edits{number: numbered("55")})
				hears(method, 200, flat, edits{number: numbered("82"), "dateOfBirth": absent, "businessIdentifier": leakNumber})
				hears(method, 200, flat, edits{number: leakPAN[:15] + "2"})
				hears(method, 503, flat, edits{number: "9999990000009015"})
				for _, e := range []edits{
					{number: leakPAN + "x"},
					{number: 4111111111111111},
					{"card": leakPAN},
					{"card.cvn": "7391x"},
					{"pin": "8765x"},
					{"pin": map[string]any{leakPAN: "8765"}},
					{"dateOfBirth": leakPAN},
					{ci: leakCI + leakCI},
					{"businessIdentifier": leakNumber + "0"},
					{"card." + leakPAN: leakPAN, number: absent},
					{"accountDetails": map[string]any{leakPAN: leakPAN}},
					{"merchantCategoryCode": leakPAN},
				} {
					hears(method, 400, flat, e)
				}
				w.want(method, captured, flat, 412, violation)
			}
			w.verdict("leak-capture", "SUCCESS")
			part := func(amount int64) edits { return edits{paid: "leak-capture", back: sum(amount)} }
			w.rule(`{"action": "silent", "match": {"mti": "0200", "amount": 102}, "times": 1}`)
			w.rule(`{"action": "decline", "code": "05", "match": {"mti": "0200", "amount": 103}}`)
			refunds := []string{hears(refund, 200, part(101)), hears(refund, 200, part(102)), hears(refund, 200, part(103))}
			for _, e := range []edits{
				{back: leakPAN}, {back: leakPAN + "x"}, {paid: 4111111111111111}, {leakPAN: leakPAN, back: "1"}, {paid: absent, "pan": leakPAN},
			} {
				hears(refund, 400, part(1), e)
			}
			hears(refund, 404, part(1), edits{paid: leakPAN})
			hears(defend, 200, edits{paid: "leak-capture", paper: base64.RawURLEncoding.EncodeToString([]byte(leakPaper))})
			w.quarrel("chargeback", w.reference(captured), `, "amount": 60000`)
			for _, code := range []*base64.Encoding{base64.RawURLEncoding, base64.StdEncoding} {
				id := hears(defend, 200, edits{paid: "leak-capture", paper: code.EncodeToString([]byte(leakPaper))})
				if got := w.ask(defend, id, edits{paid: "leak-capture", paper: code.EncodeToString([]byte(leakPaper))}); got.word != "SUCCESS" {
					t.Errorf("the evidence was not taken: %s", got.body)
				}
			}
			hears(defend, 200, edits{paid: leakPAN, paper: base64.RawURLEncoding.EncodeToString([]byte(leakPaper))})
			hears(defend, 200, edits{paid: "leak-capture", paper: leakPaper})
			for _, e := range []edits{
				{paper: []any{leakPaper}},
				{document: leakPaper},
				{document + ".mimeType": []any{leakPaper}},
				{paid: []any{leakPAN}},
				{paid: absent, paper: leakPaper},
				{"mrnPaymentDetails": map[string]any{"merchantId": leakPaper}, paper: leakPaper},
			} {
				hears(defend, 400, edits{paid: "leak-capture"}, e)
			}
			// What is undecided, and its reversals.
			for _, rule := range []string{
				`"silent"`, `"garbage"`, `"truncated"`, `"wrong-amount"`, `"close-mid-answer"`, `"late", "delay_ms": 1200`,
			} {
				w.rule(fmt.Sprintf(`{"action": %s, "match": {"mti": "0100", "amount": %d}, "times": 1}`, rule, 70_001+n))
				id := ends(503)
				w.until("it is given back", func() bool { return w.state(id) == "NOT_HELD" })
				w.until("the line is up", func() bool { _, a := try(); return a.status == 200 })
			}
			w.rule(fmt.Sprintf(`{"action": "decline", "code": "ZZ", "match": {"mti": "0100", "amount": %d}}`, 70_001+n))
			ends(200) // a code that nobody knows is noted
			// What is declined or refused before the network hears of it, with secrets where they do not belong.
			card := "accountDetails.card."
			for _, e := range []edits{
				{pan: leakPAN[:15] + "2"},            // mistyped
				{card + "expiryMonth": "13"},         // mistyped
				{options_ + "pin": "876543"},         // mistyped
				{options_ + "dateOfBirth": "870230"}, // mistyped
			} {
				ends(200, e)
			}
			for _, e := range []edits{
				{pan: leakPAN + "x"},
				{pan: "4111 1111 1111 1111"},
				{pan: "4111-1111-1111-1111"},
				{pan: 4111111111111111},
				{pan: []any{leakPAN}},
				{card + "cvn": "7391x"},
				{card + "cvn": 7391},
				{card + "expiryMonth": leakPAN},
				{card + "expiryMonth": 4111111111111111},
				{card + "nameOnCard": map[string]any{leakName: leakName}},
				{options_ + "pin": "8765x"},
				{options_ + "pin": map[string]any{leakPAN: "8765"}},
				{options_ + "dateOfBirth": leakPAN},
				{options_ + "dateOfBirth": "1987-03-29T00:00"},
				{options_ + "connectingInformation": leakCI + leakCI},
				{options_ + "businessIdentifier": leakNumber + "0"},
				{options_ + "threeDSecureAuthenticationDetails.cavv": 1},
				{"additionalTransactionProcessingOptions": leakCI},
				{"amount": leakPAN},
				{"amount": leakPAN + "x"},
				{"currencyCode": leakPAN},
				{"merchantCategoryCode": leakPAN},
				{"transactionDescription": map[string]any{leakPAN: leakPAN}},
				{"accountDetails." + leakPAN: leakPAN, "accountDetails.card": absent},
				{"accountDetails": map[string]any{"paymentToken": map[string]any{
					"nameOnCard": leakName, "paymentTokenAccountNumber": leakToken + "x", "cryptogram": leakCrypt, "expiryMonth": "08", "expiryYear": "29",
				}}},
				{"accountDetails": map[string]any{"paymentToken": map[string]any{
					"nameOnCard": leakName, "paymentTokenAccountNumber": leakToken, "cryptogram": []any{leakCrypt},
				}}},
				{"requestHeader.requestTimestamp": leakPAN + "999"},
				{"requestHeader.protocolVersion": map[string]any{"major": leakPAN}},
				{"requestHeader.protocolVersion": map[string]any{"major": 4111111111111111}},
				{"requestHeader." + leakPAN: leakPAN, requestID: leakPAN + "!"},
			} {
				ends(400, e)
			}
			ends(404, edits{account: leakPAN})
			ends(403, edits{account: disabled})
			w.want(capture, "leak-unknown", edits{of: leakPAN}, 404, "INVALID_IDENTIFIER")
			w.want(cancel, "leak-unknown", edits{of: leakCI}, 404, "INVALID_IDENTIFIER")
			w.want(reserve, captured, full, 412, "IDEMPOTENCY_VIOLATION")

			w.nonsense(reserve, full)

			w.until("everything is told", func() bool {
				w.clock.Advance(time.Second)
				return w.told("leak-cancel") != "" && !slices.ContainsFunc(refunds, func(id string) bool { return w.told(id) == "" })
			})
			w.deliver() // and nothing of it comes back in a file
			w.carried(reversal, "PW", "CV", "BD", "BN", "CN", "CA", "CG")
			if lines := bytes.Count(w.log.text(), []byte("\n")); lines < n {
				t.Errorf("%d requests left %d lines in the log: is it on?", n, lines)
			}
		})
	}
}

// TestNothingLeaksOfCardFOP is the same for what Card FOP has: holds, sales, card checks and tokens, with proofs of authentication, a CVN
// and an address.
func TestNothingLeaksOfCardFOP(t *testing.T) {
	t.Parallel()
	for dialect, reversal := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{api: fop, dialect: dialect, files: true})
			for _, s := range append(leakSecrets, leakStreet) {
				w.secrets[s] = true
			}
			home := map[string]any{"addressLine": []any{leakStreet}, "postalCodeNumber": "99950-123", "countryCode": "PT"}
			full := edits{
				pan: leakPAN, "accountDetails.card.nameOnCard": leakName, "accountDetails.card.cvn": "7391", "addressVerificationData": home,
				options_ + "threeDSecureNotAppplicable": absent,
				options_ + "threeDSecureAuthenticationDetails": map[string]any{
					"directoryServerTransactionId": "f38e6948-5388-41a6-bca4-b49723c19437", "cavv": leakCAVV,
				},
			}
			flat := edits{number: leakPAN, "card.nameOnCard": leakName, "card.cvn": "7391", "addressVerificationData": home}
			token := func(e map[string]any) edits {
				form := map[string]any{
					"nameOnCard": leakName, "paymentTokenAccountNumber": leakToken, "cryptogram": leakCrypt, "expiryMonth": "08", "expiryYear": "29",
					"tokenTypeDeviceToken": none,
				}
				maps.Copy(form, e)
				return edits{"accountDetails": map[string]any{"paymentToken": form}}
			}
			n := 0
			hears := func(method string, want int, e ...edits) (id string, amount int64) {
				t.Helper()
				n++
				id, amount = fmt.Sprint("leak-", n), int64(71_001+n)
				changes := append([]edits{{requestID: id}}, e...)
				if method == reserve || method == sell {
					changes = append([]edits{{"amount": sum(amount)}}, changes...)
				}
				list, err := w.send(1, method, w.request(method, changes...))
				w.check(err)
				if list[0].status != want {
					t.Errorf("%s %s: got %d %s, want %d", method, id, list[0].status, list[0].body, want)
				}
				return id, amount
			}
			var taken []string
			for method, mti := range map[string]string{reserve: "0100", sell: "0200"} {
				id, amount := hears(method, 200, full)
				if method == reserve {
					w.want(capture, id+"-capture", edits{of: id, "amount": sum(amount)}, 200, "ACKNOWLEDGED")
					w.verdict(id+"-capture", "SUCCESS")
					id += "-capture"
				}
				taken = append(taken, id)
				hears(method, 200, full, token(nil))
				for _, code := range []string{"05", "14", "51", "82"} {
					hears(method, 200, full, edits{pan: numbered(code)})
				}
				for _, rule := range []string{`"silent"`, `"garbage"`, `"close-mid-answer"`} {
					w.rule(fmt.Sprintf(`{"action": %s, "match": {"mti": %q, "amount": %d}, "times": 1}`, rule, mti, 71_001+n+1))
					id, _ := hears(method, 503, full)
					w.until("it is given back", func() bool { return w.state(id) == "NOT_HELD" })
					w.until("the line is up", func() bool { return w.ask(method, id+"-up", full).status == 200 })
				}
				for _, e := range []edits{{pan: leakPAN[:15] + "2"}, {"accountDetails.card.expiryMonth": "13"}} { // mistyped
					hears(method, 200, full, e)
				}
				for _, e := range []edits{
					{pan: leakPAN + "x"},
					{pan: 4111111111111111},
					{pan: []any{leakPAN}},
					{"accountDetails.card.cvn": "7391x"},
					{"accountDetails.card.cvn": 7391},
					{"accountDetails.card.expiryMonth": leakPAN},
					{"accountDetails.card.nameOnCard": map[string]any{leakName: leakName}},
					{"accountDetails." + leakPAN: leakPAN, "accountDetails.card": absent},
					token(map[string]any{"paymentTokenAccountNumber": leakToken + "x"}),
					token(map[string]any{"cryptogram": []any{leakCrypt}}),
					token(map[string]any{"tokenTypeMerchantToken": leakToken}),
					{options_ + "threeDSecureAuthenticationDetails.cavv": 1},
					{options_ + "threeDSecureAuthenticationDetails": leakCAVV},
					{options_ + "electronicCommerceIndicator": leakCAVV, options_ + "electronicCommerceIndicatorNotApplicable": absent},
					{options_ + "scaLowValueTransaction": leakPAN},
					{"addressVerificationData": leakStreet},
					{"addressVerificationData": map[string]any{"addressLine": leakStreet}},
					{"addressVerificationData": map[string]any{"countryCode": leakStreet}},
					{"amount": leakPAN + "x"},
					{"currencyCode": leakPAN},
					{"merchantCategoryCode": leakPAN},
					{"card": map[string]any{"accountNumber": leakPAN}},
				} {
					hears(method, 400, full, e)
				}
				hears(method, 404, full, edits{account: leakPAN})
				hears(method, 403, full, edits{account: first})
				w.want(method, taken[len(taken)-1], full, 412, violation)
				w.nonsense(method, full)
			}
			hears(verify, 200, flat)
			hears(verify, 200, flat, edits{number: numbered("82")})
			hears(verify, 200, flat, edits{number: leakPAN[:15] + "2"})
			hears(verify, 503, flat, edits{number: "9999990000009015"})
			for _, e := range []edits{
				{number: leakPAN + "x"}, {"card": leakPAN}, {"card.cvn": "7391x"}, {"addressVerificationData": leakStreet}, token(nil),
			} {
				hears(verify, 400, flat, e)
			}
			for i, id := range taken {
				w.rule(fmt.Sprintf(`{"action": "silent", "match": {"mti": "0200", "de3": "20", "amount": %d}, "times": 1}`, 102+i))
				for _, amount := range []int64{int64(112 + i), int64(102 + i)} {
					w.want(refund, fmt.Sprint(id, "-", amount), edits{paid: id, back: sum(amount)}, 200, "ACKNOWLEDGED")
				}
			}
			var told []string
			for i, id := range taken {
				told = append(told, fmt.Sprint(id, "-", 102+i), fmt.Sprint(id, "-", 112+i))
			}
			w.until("everything is told", func() bool {
				w.clock.Advance(time.Second)
				return !slices.ContainsFunc(told, func(id string) bool { return w.told(id) == "" })
			})
			for _, id := range taken {
				w.quarrel("chargeback", w.reference(strings.TrimSuffix(id, "-capture")), `, "amount": 60000`)
				paper := edits{paid: id, document + ".payload": base64.RawURLEncoding.EncodeToString([]byte(leakPaper))}
				w.want(defend, id+"-defence", paper, 200, "SUCCESS")
			}
			w.deliver()
			w.carried(reversal, "CV", "CA", "CG")
			if lines := bytes.Count(w.log.text(), []byte("\n")); lines < n {
				t.Errorf("%d requests left %d lines in the log: is it on?", n, lines)
			}
		})
	}
}

// A payee of whom nothing may be written down, and what the holder of the account at the bank must not show either.
const (
	leakVPA    = "hong.gildong-7@okbank"
	leakMemo   = "Reward for Hong Gildong 7, on the third of May"
	leakBranch = "000123456789@HDFC0000001.ifsc.npci"
)

// TestNothingLeaksOfPayouts is the same for a payee: his address, and what is to stand on his statement, on every way out that a payout has
// (disburse v1 §3.4, design §3.6). The secrets of the account at the bank are looked for everywhere, too.
func TestNothingLeaksOfPayouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: upi, gsp: notYet, payer: "[account.disburse]\nallow_ifsc_addresses = true"})
	for _, s := range []string{
		leakVPA, strings.ToUpper(leakVPA), url.QueryEscape(leakVPA), "hong.gildong-7", leakBranch, "000123456789", leakMemo, "Hong Gildong 7",
		`"vpa"`, `\"vpa\"`, `"fund_account"`, base64.StdEncoding.EncodeToString([]byte("rzp_test_e2e:" + bankKey)),
	} {
		w.secrets[s] = true
	}
	n := 0
	hears := func(want int, e ...edits) (id string, amount int64) {
		t.Helper()
		n++
		id, amount = fmt.Sprint("leak-", n), int64(70_000+n)
		full := edits{requestID: id, vpa: leakVPA, "transactionDescription": leakMemo, "amount": sum(amount)}
		var a answer
		w.until(id+" is decided", func() bool {
			list, err := w.send(1, pay, w.request(pay, append([]edits{full}, e...)...))
			w.check(err)
			a = list[0]
			return a.status != http.StatusServiceUnavailable || want == a.status
		})
		if a.status != want {
			t.Errorf("%s: got %d %s, want %d", id, a.status, a.body, want)
		}
		return id, amount
	}
	var come []<-chan []answer
	later := func() { // nobody knows at once: all of them at the same time
		n++
		full := to(leakVPA, int64(70_000+n)).and(edits{"transactionDescription": leakMemo})
		come = append(come, w.meanwhile(1, pay, fmt.Sprint("leak-", n), full))
	}
	paid, amount := hears(200)
	w.want(pay, paid, to(leakVPA, amount+1), 412, violation)
	hears(200, edits{vpa: leakBranch})
	hears(200, edits{"amount": sum(99)})
	for _, name := range strings.Fields("closed frozen limit npci-zh unheard-of bankdown again npci-u68") {
		w.meddle(`{"action": "act-as", "as": "%s@sim", "match": {"amount": %d}}`, name, 70_001+n)
		later()
	}
	for i, action := range slices.Concat(unheard, unsaid) {
		w.meddle(`{"action": %q, "times": %d, "match": {"amount": %d, "call": "create"}}`, action, 1+i%2, 70_001+n)
		w.meddle(silence, 70_001+n)
		later()
	}
	w.meddle(`{"action": "webhook-wrong-signature", "match": {"amount": %d}}`, 70_001+n)
	w.meddle(`{"action": "429", "times": 1, "match": {"amount": %d, "call": "get"}}`, 70_001+n)
	later()
	for _, c := range come {
		if a := (<-c)[0]; a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	for _, e := range []edits{
		{vpa: leakVPA + "!"},
		{vpa: "hong.gildong-7 @okbank"},
		{vpa: 123456789012},
		{vpa: []any{leakVPA}},
		{vpa: map[string]any{leakVPA: leakVPA}},
		{"upiDetails": leakVPA},
		{"upiDetails": map[string]any{leakVPA: leakVPA}},
		{"upiDetails": absent, leakVPA: leakVPA},
		{"transactionDescription": []any{leakMemo}},
		{"transactionDescription": strings.Repeat(leakMemo, 9)},
		{"currencyCode": leakVPA},
		{"amount": leakVPA},
		{"requestHeader.requestTimestamp": leakVPA},
		{"requestHeader.protocolVersion": map[string]any{"major": leakVPA}},
		{requestID: leakVPA},
	} {
		hears(400, e)
	}
	hears(404, edits{account: leakVPA})
	hears(403, edits{account: first})
	hears(503, edits{vpa: "hong.gildong-7_@okbank"}) // legal, and not there
	body := `{"event":"payout.processed","payload":{"payout":{"entity":{"fund_account":{"vpa":{"address":"` + leakVPA + `"}}}}}}`
	for _, signature := range []string{"", leakVPA, upisim.Sign(bankHook, []byte(body))} {
		w.hook("bank", signature, body)
		w.hook(leakVPA, signature, leakVPA)
	}
	r := rand.New(rand.NewPCG(1, 1))
	w.until("all is known", func() bool {
		w.clock.Advance(time.Hour)
		w.person(r)
		owed, err := w.platform.Store.Backlog(t.Context())
		w.check(err)
		return owed.Payouts == 0
	})
	full := edits{vpa: leakVPA, "transactionDescription": leakMemo}
	w.nonsense(pay, full)
	if lines := bytes.Count(w.log.text(), []byte("\n")); lines < n {
		t.Errorf("%d requests left %d lines in the log: is it on?", n, lines)
	}
	w.drain()
}

// nonsense sends what is not even a request, with a person's secrets in it, and looks at what anybody may ask for.
func (w *world) nonsense(method string, full edits) {
	w.t.Helper()
	good, at := w.sealable(method, full), w.api.path(method)
	member, secret := `"cvn"`, leakPAN
	if method == pay {
		member, secret = `"vpa"`, leakVPA
	}
	for plain, status := range map[string]int{
		good + secret: 400, "{" + good: 400, good[:len(good)/2]: 400, strings.Replace(good, member, member+`:"7391",`+member, 1): 400,
		strings.Replace(good, secret, secret+"\xff", 1): 400, secret: 400, `"` + secret + `"`: 400, "\ufeff" + good: 400,
	} {
		if got := w.post(at, must(w.box.Seal([]byte(plain)))); got.status != status {
			w.t.Errorf("got %d %s, want %d", got.status, got.body, status)
		}
	}
	w.post(at, []byte(good))
	w.post(at, unsigned([]byte(good)))
	w.post(at+"/"+secret, []byte(good))
	w.post("/v1/echo?pan="+secret, must(w.box.Seal([]byte(strings.Replace(good, `"amount"`, `"clientMessage"`, 1)))))
	w.echo(secret + leakCI)
	w.spoil(good)
	for _, path := range []string{"/livez", "/readyz", "/metrics?" + secret, "/" + secret, "/cases?all=1", "/evidence?id=" + secret} {
		resp, err := http.Get("http://" + w.platform.AdminAddr + path)
		w.check(err)
		_, err = io.Copy(w.said, resp.Body)
		w.check(err)
		w.check(resp.Body.Close())
	}
}

// echo says a message to the integrator, which must come back and be written nowhere (gsp-core §7.1).
func (w *world) echo(message string) {
	w.t.Helper()
	plain := w.sealable("echo", edits{"clientMessage": message})
	resp, err := w.http.Post(w.url("/v1/echo"), "application/octet-stream", bytes.NewReader(must(w.box.Seal([]byte(plain)))))
	w.check(err)
	body, err := io.ReadAll(resp.Body)
	w.check(err)
	w.check(resp.Body.Close())
	opened, err := w.box.Open(w.t.Context(), body)
	w.check(err)
	var got struct{ ClientMessage string }
	w.check(json.Unmarshal(opened.Plain, &got))
	if got.ClientMessage != message {
		w.t.Errorf("the echo is %q", got.ClientMessage)
	}
}

// spoil says a request in the open to a listener that wants TLS.
func (w *world) spoil(text string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.platform.GSPAddr)
	w.check(err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	w.check(err)
	got, _ := io.ReadAll(conn)
	_, _ = w.said.Write(got)
}

// carried looks that the secrets went out once: in the message that asks for a hold or a sale, where they belong, and in nothing that
// follows it (design §3.6).
func (w *world) carried(reversal string, secret ...string) {
	w.t.Helper()
	var list []struct {
		Direction, MTI, DE3 string
		Tags                []string
	}
	w.command(w.control, "GET", "/transactions", "", &list)
	with, after := map[string]int{}, map[string]int{}
	for _, m := range list {
		if m.Direction != "seen" {
			continue
		}
		for _, tag := range secret {
			switch found := slices.Contains(m.Tags, tag); {
			case found && (m.MTI == "0100" || m.MTI == "0200" && strings.HasPrefix(m.DE3, "00")):
				with[tag]++
			case found:
				w.t.Errorf("a %s carries %s", m.MTI, tag)
			}
		}
		after[m.MTI]++
	}
	if len(with) != len(secret) || after["0220"] == 0 || after["0200"] == 0 || after[reversal] == 0 {
		w.t.Errorf("the requests carried %v, then came %v: the secrets were not all sent, or nothing followed", with, after)
	}
}

// TestScanFindsWhatIsPlanted: a scan that finds nothing proves something only if it finds what is there.
func TestScanFindsWhatIsPlanted(t *testing.T) {
	for _, s := range slices.Concat(always, leakSecrets, []string{leakVPA, leakMemo, leakBranch, bankKey, bankHook}) {
		line := []byte("time=2026-03-02T09:00:00.000Z level=DEBUG msg=\"a line\" value=" + s + "\n")
		if got := leaks(append(bytes.Repeat([]byte{0, 0xff, '0'}, 1000), line...), []string{"not there", s}); len(got) != 1 || got[0] != s {
			t.Errorf("%q is not found: %q", s, got)
		}
	}
}
