package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// part is one member of an answer, by its path; "" where it is not there.
func (a answer) part(path string) string {
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		return err.Error()
	}
	for name := range strings.SplitSeq(path, ".") {
		inside, _ := v.(map[string]any)
		v = inside[name]
	}
	if v == nil {
		return ""
	}
	return string(must(json.Marshal(v)))
}

// ways are the methods that ask a network about a card, and where each has the card.
var ways = map[string]string{reserve: "accountDetails.card.", sell: "accountDetails.card.", verify: "card."}

// TestResultsOfTheCardNumber is Card FOP v1 §3.7: what is said of the CVN in each method, whether it was sent, and what the issuer's letter
// means (rails §1.15).
func TestResultsOfTheCardNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s"})
	const speaks = "9999990000009429" // the last digit of its CVN chooses the letter
	n := 0
	for _, method := range slices.Sorted(maps.Keys(ways)) {
		for _, c := range []struct {
			name, card string
			cvn        any
			want, word string
		}{
			{"M", speaks, "731", "MATCH", "SUCCESS"},
			{"N", speaks, "732", "MISMATCH", "SUCCESS"}, // which does not decline by itself
			{"P", speaks, "733", "SKIPPED_BY_NETWORK", "SUCCESS"},
			{"S", speaks, "734", "NOT_SPECIFIED", "SUCCESS"},
			{"U", speaks, "735", "UNSUPPORTED_BY_ISSUER", "SUCCESS"},
			{"blank", speaks, "736", "NOT_SPECIFIED", "SUCCESS"},
			{"none", speaks, "737", "NOT_SPECIFIED", "SUCCESS"},
			{"four digits", speaks, "7371", "MATCH", "SUCCESS"},
			{"not sent", speaks, absent, "NOT_SENT_SUPPORTED", "SUCCESS"},
			{"not sent, declined", numbered("51"), absent, "NOT_SENT_SUPPORTED", "INSUFFICIENT_FUNDS"},
			{"refused for it", "9999990000000824", "737", "MISMATCH", "CVN_MISMATCH"},
			{"nobody was asked", "9999990000000007", "737", "NOT_VERIFIED", "CARD_NUMBER_INVALID"},
		} {
			if method == verify && c.word == "INSUFFICIENT_FUNDS" { // a check asks for no funds
				c.card, c.word = numbered("05"), "DO_NOT_HONOR"
			}
			n++
			got := w.ask(method, fmt.Sprint("cvn-", n), edits{ways[method] + "accountNumber": c.card, ways[method] + "cvn": c.cvn})
			if !got.is(200, c.word) || got.part("cvnResult") != `"`+c.want+`"` {
				t.Errorf("%s, %s: got %d %s, want %s and %s", method, c.name, got.status, got.body, c.word, c.want)
			}
		}
	}
}

// TestResultsOfTheAddress is the same for the address, §3.6: a verdict on each part of it, or why there is none.
func TestResultsOfTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s"})
	const match, differs, skipped, vague = "MATCH", "MISMATCH", "SKIPPED_BY_NETWORK", "NOT_SPECIFIED"
	letter := func(l, line, postal string) string {
		return fmt.Sprintf(`{"result":{"addressLine":%q,"administrativeAreaName":%q,"countryCode":%q,"localityName":%q,"nameOnCard":%q,`+
			`"postalCodeNumber":%q,"rawAvsResult":%q}}`, line, skipped, skipped, skipped, skipped, postal, l)
	}
	const cannot = `{"sentUnsupported":{"reason":"UNSUPPORTED_BY_ISSUER"}}`
	for _, c := range []struct{ letters, want string }{
		{"YMDFX", letter("?", match, match)},
		{"A", letter("?", match, differs)},
		{"B", letter("?", match, skipped)},
		{"ZW", letter("?", differs, match)},
		{"P", letter("?", skipped, match)},
		{"N", letter("?", differs, differs)},
		{"CR", letter("?", skipped, skipped)},
		{"SUGIE", cannot},
		{"Q", letter("?", vague, vague)}, // no table knows it
	} {
		for _, l := range strings.Split(c.letters, "") {
			for _, method := range slices.Sorted(maps.Keys(ways)) {
				got := w.want(method, "avs-"+l+"-"+method, edits{"addressVerificationData": map[string]any{
					"addressLine": []any{"Rua das Flores 8"}, "postalCodeNumber": "AVS " + l, "countryCode": "PT",
				}}, 200, "SUCCESS")
				if want := strings.ReplaceAll(c.want, "?", l); got.part("addressVerificationResult") != want {
					t.Errorf("%s of %s: got %s, want %s", l, method, got.part("addressVerificationResult"), want)
				}
			}
		}
	}
	n := 0
	for _, method := range slices.Sorted(maps.Keys(ways)) {
		for _, c := range []struct {
			name string
			data any
			card string
			want string
		}{
			{"none sent", absent, "9999990000000006", `{"notSent":{"support":"SUPPORTED"}}`},
			{"an empty one", map[string]any{}, "9999990000000006", `{"notSent":{"support":"SUPPORTED"}}`},
			{"no letter", map[string]any{"postalCodeNumber": "AVS"}, "9999990000000006", `{"sentUnsupported":{"reason":"UNSUPPORTED_BY_NETWORK"}}`},
			{"the right one", map[string]any{
				"addressLine": []any{"8 Any Street"}, "postalCodeNumber": "12345-6789",
			}, "9999990000009411", letter("X", match, match)},
			{"another", map[string]any{
				"addressLine": []any{"9 Any Street"}, "postalCodeNumber": "54321",
			}, "9999990000009411", letter("N", differs, differs)},
		} {
			n++
			got := w.want(method, fmt.Sprint("address-", n), edits{
				"addressVerificationData": c.data, ways[method] + "accountNumber": c.card,
			}, 200, "SUCCESS")
			if got.part("addressVerificationResult") != c.want {
				t.Errorf("%s of %s: got %s, want %s", c.name, method, got.part("addressVerificationResult"), c.want)
			}
		}
	}
}

// TestNetworkResults is §3.9 in both forms, with the merchant advice codes, and §3.8: what the network says goes through as it came.
func TestNetworkResults(t *testing.T) {
	t.Parallel()
	raw, through := newWorld(t, options{api: fop, authorise: "4s"}), newWorld(t, options{api: fop, authorise: "4s", fop: "[account.card_fop]\nnetwork_result = \"passThrough\""})
	for _, w := range []*world{raw, through} {
		n := 0
		form := func(code, advice string) string {
			switch {
			case w == raw:
				return fmt.Sprintf(`{"rawResult":{"rawCode":%q,"scope":"Iso8583Code"}}`, code)
			case advice != "":
				return fmt.Sprintf(`{"passThroughResponseCodes":{"iso8583V1987ResponseCode":{"value":%q},"merchantAdviceCode":{"value":%q}}}`,
					code, advice)
			}
			return fmt.Sprintf(`{"passThroughResponseCodes":{"iso8583V1987ResponseCode":{"value":%q}}}`, code)
		}
		for _, method := range slices.Sorted(maps.Keys(ways)) {
			card := ways[method] + "accountNumber"
			for _, c := range []struct{ card, code, advice, word string }{
				{"9999990000000055", "05", "", "DO_NOT_HONOR"},
				{"9999990000009478", "05", "03", "DO_NOT_HONOR"},
				{"9999990000009486", "51", "24", "INSUFFICIENT_FUNDS"},
			} {
				n++
				got := w.want(method, fmt.Sprint("network-", n), edits{card: c.card}, 200, c.word)
				if want := form(c.code, c.advice); got.part("cardNetworkResult") != want {
					t.Errorf("%s of %s: got %s, want %s", c.card, method, got.part("cardNetworkResult"), want)
				}
			}
			w.rule(`{"action": "set", "elements": {"38": "T48213"}, "match": {"pan": "5555555555554444"}}`)
			got := w.want(method, "network-yes-"+method, edits{card: "5555555555554444"}, 200, "SUCCESS")
			w.obey()
			if want := `{"authorizationCode":"T48213",` + form("00", "")[1:]; got.part("cardNetworkResult") != want {
				t.Errorf("%s: got %s, want %s", method, got.part("cardNetworkResult"), want)
			}
			const metadata = `{"cardType":"CREDIT_CARD","issuerName":"TEST ISSUER","issuingCountryCode":"US","networks":["MASTERCARD"]}`
			if got.part("cardMetadata") != metadata {
				t.Errorf("%s: got %s", method, got.part("cardMetadata"))
			}
			own := map[string]string{reserve: "paymentIntegratorFundsReservationId", sell: "paymentIntegratorCaptureId"}[method]
			if own != "" && got.part(own) == "" {
				t.Errorf("%s: no %s in %s", method, own, got.body)
			}
			if ends := got.part("reservationExpirationTimestamp") != ""; ends != (method == reserve) {
				t.Errorf("%s: %s", method, got.body)
			}
			got = w.want(method, "network-none-"+method, edits{card: "9999990000000007"}, 200, "CARD_NUMBER_INVALID")
			if got.part("cardNetworkResult") != `{"cardNetworkResultNotAvailable":{}}` {
				t.Errorf("%s: got %s", method, got.part("cardNetworkResult"))
			}
		}
		w.want(reserve, "network-held", edits{"amount": sum(54_001)}, 200, "SUCCESS")
		got := w.want(capture, "network-capture", edits{of: "network-held", "amount": sum(54_001)}, 200, "ACKNOWLEDGED")
		if got.part("paymentIntegratorCaptureId") == "" { // §4.2, rev 0.0.40
			t.Errorf("got %s", got.body)
		}
		w.verdict("network-capture", "SUCCESS")
	}
}

// TestStoredCredentials is §3.3 and §3.4: the network's identifier of a payment that stored the card opens those that the merchant starts
// later, in either method, and is nothing that one can make up.
func TestStoredCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s"})
	const intent, card = "transactionIntentClassification", "9999990000009460" // which knows the identifiers that it gave out
	put := func(e map[string]any) edits {
		return edits{
			pan: card, "accountDetails.card.cvn": absent,
			options_ + "storedCredentialTransactionInformation": e, options_ + "storedCredentialTransactionInformationNotApplicable": absent,
		}
	}
	const storage, now = "instrumentStorageType", "STORED_BY_THIS_PAYMENT"
	byCustomer := put(map[string]any{"customerInitiated": map[string]any{intent: "RECURRING", storage: now}})
	byMerchant := func(id string) edits {
		previous := map[string]any{intent: "UNSCHEDULED", "previousTransactionInformation": map[string]any{"networkTransactionIdentifier": id}}
		if id == "" {
			previous = map[string]any{intent: "UNSCHEDULED", "previousTransactionInformationNotProvided": none}
		}
		return put(map[string]any{"merchantInitiated": previous})
	}
	const result = "additionalTransactionProcessingResult"
	for _, method := range []string{reserve, sell} {
		got := w.want(method, "cit-"+method, byCustomer, 200, "SUCCESS")
		id := strings.Trim(got.part(result+".storedCredentialInformationSuccessful.networkTransactionIdentifier"), `"`)
		if id == "" {
			t.Fatalf("%s: no identifier in %s", method, got.body)
		}
		for _, later := range []string{reserve, sell} {
			got := w.want(later, "mit-"+later+"-of-"+method, byMerchant(id), 200, "SUCCESS")
			if fresh := got.part(result + ".storedCredentialInformationSuccessful.networkTransactionIdentifier"); fresh == "" {
				t.Errorf("%s after %s: got %s", later, method, got.body)
			}
		}
		w.want(method, "mit-strange-"+method, byMerchant("000000000000001"), 200, "DO_NOT_HONOR")
		w.want(method, "mit-blind-"+method, byMerchant(""), 200, "DO_NOT_HONOR")

		e := edits{
			options_ + "storedCredentialTransactionInformation": absent, options_ + "storedCredentialTransactionInformationNotApplicable": none,
		}
		if got := w.want(method, "plain-"+method, e, 200, "SUCCESS"); got.part(result) != `{"storedCredentialInformationNotSent":{}}` {
			t.Errorf("%s: got %s", method, got.part(result))
		}
		mastercard := byCustomer.and(edits{pan: leakToken})
		if got := w.want(method, "linked-"+method, mastercard, 200, "SUCCESS"); got.part(
			result+".storedCredentialInformationSuccessful.supplementaryNetworkTransactionIdentifier") == "" {
			t.Errorf("%s: got %s", method, got.part(result))
		}
		w.rule(`{"action": "set", "tags": {"NT": " "}, "times": 1}`)
		got = w.want(method, "unnamed-"+method, byCustomer, 200, "SUCCESS")
		if got.part(result+".storedCredentialInformationUnsupported.reasonDescription") == "" {
			t.Errorf("%s: got %s", method, got.part(result))
		}
	}
	// A card check hands the identifier over too, and may be asked in both spellings (§4.6).
	info := map[string]any{"customerInitiated": map[string]any{intent: "UNSCHEDULED", storage: now}}
	for i, e := range []edits{
		{"storedCredentialTransactionInformation": info},
		{options_ + "storedCredentialTransactionInformation": info},
	} {
		got := w.want(verify, fmt.Sprint("check-", i), e.and(edits{number: card}), 200, "SUCCESS")
		id := strings.Trim(got.part(result+".storedCredentialInformationSuccessful.networkTransactionIdentifier"), `"`)
		w.want(sell, fmt.Sprint("mit-of-check-", i), byMerchant(id), 200, "SUCCESS")
	}
	if got := w.want(verify, "check-plain", nil, 200, "SUCCESS"); got.part(result) != `{"storedCredentialInformationNotSent":{}}` {
		t.Errorf("got %s", got.part(result))
	}
}

// TestStrongAuthentication is the soft decline of §7.1 and what opens the same card: proof, either exemption (§3.2), or nobody being there.
func TestStrongAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s"})
	proof := edits{options_ + "threeDSecureNotAppplicable": absent, options_ + "threeDSecureAuthenticationDetails": map[string]any{
		"directoryServerTransactionId": "0f3d6c5e-8a41-4f0e-9f55-2b6f2f0f7c11", "cavv": leakCAVV, "threeDsVersion": "2.2.0",
	}}
	n := 0
	for _, method := range []string{reserve, sell} {
		for _, c := range []struct {
			name, card string
			e          edits
			word       string
		}{
			{"nothing", "9999990000009437", nil, "STRONG_CUSTOMER_AUTHENTICATION_REQUIRED"},
			{"no exemption", "9999990000009437", edits{options_ + "scaExemptionNotApplicable": none}, "STRONG_CUSTOMER_AUTHENTICATION_REQUIRED"},
			{"3-D Secure", "9999990000009437", proof, "SUCCESS"},
			{"low value", "9999990000009437", edits{options_ + "scaLowValueTransaction": none}, "SUCCESS"},
			{"risk analysis", "9999990000009437", edits{options_ + "scaTransactionRiskAnalysis": none}, "SUCCESS"},
			{"both proofs", "9999990000009437", proof.and(edits{options_ + "scaTransactionRiskAnalysis": none}), "SUCCESS"},
			{"by the merchant", "9999990000009437", edits{
				options_ + "storedCredentialTransactionInformation": map[string]any{"merchantInitiated": map[string]any{
					"transactionIntentClassification": "RECURRING", "previousTransactionInformationNotProvided": none,
				}}, options_ + "storedCredentialTransactionInformationNotApplicable": absent,
			}, "SUCCESS"},
			{"65 says count", "9999990000009445", nil, "CARD_ACTIVITY_EXCEEDS_COUNT_LIMIT"},
			{"65 and proof", "9999990000009445", proof, "SUCCESS"},
		} {
			n++
			plain := edits{
				pan: c.card, options_ + "threeDSecureAuthenticationDetails": absent, options_ + "threeDSecureNotAppplicable": none,
				options_ + "scaExemptionNotApplicable":                           absent,
				options_ + "storedCredentialTransactionInformation":              absent,
				options_ + "storedCredentialTransactionInformationNotApplicable": none,
			}
			w.want(method, fmt.Sprint("sca-", n), plain.and(c.e), 200, c.word)
		}
	}
	// A device token proves itself by its cryptogram.
	for _, method := range []string{reserve, sell} {
		token := map[string]any{
			"nameOnCard": "INES DUARTE", "paymentTokenAccountNumber": "9999990000009452", "expiryMonth": "12", "expiryYear": "29",
			"tokenTypeDeviceToken": none,
		}
		w.want(method, "bare-"+method, edits{"accountDetails": map[string]any{"paymentToken": token}}, 200, "DO_NOT_HONOR")
		full := maps.Clone(token)
		full["cryptogram"] = leakCrypt
		w.want(method, "proven-"+method, edits{"accountDetails": map[string]any{"paymentToken": full}}, 200, "SUCCESS")
		ofMerchant := maps.Clone(token)
		delete(ofMerchant, "tokenTypeDeviceToken")
		ofMerchant["tokenTypeMerchantToken"] = none
		w.want(method, "merchant-"+method, edits{"accountDetails": map[string]any{"paymentToken": ofMerchant}}, 200, "SUCCESS")
	}
	w.secrets[leakCrypt] = true
}

// TestWhatReachesTheNetwork: what Google says of a payment stands in the one message that asks for it, in a hold and in a sale alike (rails
// §1.5); in what follows it there is nothing of it.
func TestWhatReachesTheNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{api: fop, authorise: "4s"})
	full := edits{
		"accountDetails.card.cvn": "737", options_ + "electronicCommerceIndicator": "05",
		options_ + "electronicCommerceIndicatorNotApplicable": absent, options_ + "threeDSecureNotAppplicable": absent,
		options_ + "threeDSecureAuthenticationDetails": map[string]any{
			"directoryServerTransactionId": "0f3d6c5e-8a41-4f0e-9f55-2b6f2f0f7c11", "cavv": leakCAVV, "threeDsVersion": "2.2.0",
			"threeDsServerTransactionId": "d9b7f7a4-6d0f-4c8e-8c62-1f0e6f3a9b20",
		},
		options_ + "storedCredentialTransactionInformationNotApplicable": absent,
		options_ + "storedCredentialTransactionInformation": map[string]any{"customerInitiated": map[string]any{
			"transactionIntentClassification": "INSTALLMENT", "instrumentStorageType": "STORED_BY_THIS_PAYMENT",
		}},
		options_ + "scaExemptionNotApplicable": absent, options_ + "scaTransactionRiskAnalysis": none,
		options_ + "userSelectedProcessingNetworkType": "DEBIT", options_ + "userSelectedProcessingNetworkTypeNotApplicable": absent,
		"addressVerificationData": map[string]any{
			"addressLine": []any{"Rua das Flores 8"}, "postalCodeNumber": "4050-262", "countryCode": "PT",
		},
	}
	type message struct {
		Direction, MTI, DE4 string
		Tags                []string
	}
	for i, c := range []struct{ method, mti string }{{reserve, "0100"}, {sell, "0200"}} {
		amount := int64(54_101 + i)
		w.want(c.method, "said-"+c.method, full.and(edits{"amount": sum(amount)}), 200, "SUCCESS")
		var list []message
		w.command(w.control, "GET", "/transactions", "", &list)
		list = slices.DeleteFunc(list, func(m message) bool { return m.Direction != "seen" || m.DE4 != fmt.Sprintf("%012d", amount) })
		if len(list) != 1 || list[0].MTI != c.mti {
			t.Fatalf("%s: the host saw %+v", c.method, list)
		}
		for _, tag := range []string{"CV", "EC", "CA", "DS", "TV", "TS", "CI", "IR", "SX", "PR", "AA", "AP", "AC", "MR"} {
			if !slices.Contains(list[0].Tags, tag) {
				t.Errorf("%s: no %s among %v", c.method, tag, list[0].Tags)
			}
		}
		for _, tag := range []string{"PW", "BD", "BN", "CN", "KP"} {
			if slices.Contains(list[0].Tags, tag) {
				t.Errorf("%s: %s, which is Korea's, among %v", c.method, tag, list[0].Tags)
			}
		}
	}
}

// TestWordsThatAProfileGives: §7.1 settles four words for reservations and card checks and not for sales; a sale says them where the
// account's contract lists them, and something weaker, or nothing yet, where it does not.
func TestWordsThatAProfileGives(t *testing.T) {
	t.Parallel()
	const own = `[response_map]
J1 = { verdict = "declined", decline = "authentication_expired" }
J2 = { verdict = "declined", decline = "recurring_unsupported" }
J3 = { verdict = "declined", decline = "network_timeout" }
J4 = { verdict = "declined", decline = "below_amount_limit" }
J5 = { verdict = "declined", decline = "card_restricted" }
`
	words := map[string]string{
		"J1": "CARD_AUTHENTICATION_EXPIRED", "J2": "RECURRING_PAYMENT_NOT_SUPPORTED", "J3": "NETWORK_TIMEOUT",
		"J4": "TRANSACTION_UNDER_AMOUNT_LIMIT", "J5": "RESTRICTED_CARD",
	}
	emit := "[account.card_fop]\nemit = [\"" + strings.Join(slices.Sorted(maps.Values(words)), `", "`) + "\"]"
	dialect := map[string]string{"[response_map]\n": own}
	plain, listed := newWorld(t, options{api: fop, authorise: "4s", replace: dialect}), newWorld(t, options{api: fop, authorise: "4s", replace: dialect, fop: emit})
	for _, w := range []*world{plain, listed} {
		for _, code := range slices.Sorted(maps.Keys(words)) {
			w.rule(fmt.Sprintf(`{"action": "decline", "code": %q}`, code))
			for _, method := range slices.Sorted(maps.Keys(ways)) {
				status, word := 200, words[code]
				if method == sell && w == plain {
					if word = "ISSUER_DECLINED"; code == "J3" { // nobody may be told that there is no verdict
						status, word = 503, ""
					}
				}
				if got := w.ask(method, code+"-"+method, nil); !got.is(status, word) {
					t.Errorf("%s of %s: got %d %s, want %d %s", code, method, got.status, got.body, status, word)
				}
			}
			w.obey()
		}
	}
}

// TestWhatWasNotSent: who could have checked a CVN and an address that did not come is for the contract to say (§3.6, §3.7).
func TestWhatWasNotSent(t *testing.T) {
	t.Parallel()
	const party = "UNSUPPORTED_BY_INTEGRATOR"
	w := newWorld(t, options{api: fop, authorise: "4s", fop: "[account.card_fop]\ncvn_not_sent = \"NOT_SENT_" + party + "\"\navs_not_sent = \"" + party + "\""})
	for _, method := range slices.Sorted(maps.Keys(ways)) {
		got := w.want(method, "silent-"+method, edits{ways[method] + "cvn": absent, "addressVerificationData": absent}, 200, "SUCCESS")
		if got.part("cvnResult") != `"NOT_SENT_`+party+`"` || got.part("addressVerificationResult") != `{"notSent":{"support":"`+party+`"}}` {
			t.Errorf("%s: got %s", method, got.body)
		}
	}
}
