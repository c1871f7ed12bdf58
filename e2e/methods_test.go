package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// sealed is a method's example with changes, signed and encrypted with the keys named.
func sealed(from, to []string, method string, e edits) func(*world) answer {
	return func(w *world) answer {
		return w.post(w.api.path(method), must(box(from, to).Seal([]byte(w.sealable(method, e)))))
	}
}

// text is a method's example as text, with a change that JSON would not make.
func text(method string, e edits, change func(string) string) func(*world) answer {
	return func(w *world) answer {
		return w.post(w.api.path(method), must(w.box.Seal([]byte(change(w.sealable(method, e))))))
	}
}

const (
	encryption, signature, syntax  = "INVALID_PAYLOAD_ENCRYPTION", "INVALID_PAYLOAD_SIGNATURE", "INVALID_DECRYPTED_REQUEST"
	missing, invalid, identifier   = "MISSING_REQUIRED_FIELD", "INVALID_FIELD_VALUE", "INVALID_IDENTIFIER"
	precondition, violation, stale = "PRECONDITION_VIOLATION", "IDEMPOTENCY_VIOLATION", "REQUEST_TIMESTAMP_OUT_OF_RANGE"
	stampAt, versionAt             = "requestHeader.requestTimestamp", "requestHeader.protocolVersion"
	ci                             = "connectingInformation" // of a card check; a reservation has it among its options (Korea §11)
)

// general are the rows of Korea §10 that every method has, whatever it is about. good is a request that would be taken; used are the ids
// that were answered with 200, one for each method.
func general(method string, good edits, used map[string]string) (rows []row) {
	ours, googles := []string{"ours"}, []string{"google"}
	add := func(name string, send func(*world) answer, status int, word string) {
		rows = append(rows, row{method + ", Korea §10: " + name, send, status, word})
	}
	changed := func(e edits) func(*world) answer { return edited(method, good.and(e)) }
	add("another verb", func(w *world) answer { return w.answered("GET", w.api.path(method), nil) }, 405, "")
	add("not decryptable", func(w *world) answer { return w.post(w.api.path(method), []byte("AAAA")) }, 400, encryption)
	add("unknown encryption key", sealed(googles, []string{"stranger"}, method, good), 400, encryption)
	add("revoked encryption key", sealed(googles, []string{"ours-revoked"}, method, good), 400, encryption)
	add("not signed", func(w *world) answer { return w.post(w.api.path(method), unsigned([]byte(w.sealable(method, good)))) }, 401, signature)
	add("unknown signing key", sealed([]string{"stranger"}, ours, method, good), 401, signature)
	add("inactive signing key", sealed([]string{"google-revoked"}, ours, method, good), 401, signature)
	add("not strict JSON: a member twice", text(method, good, func(s string) string { return `{"novel":1,"novel":1,` + s[1:] }), 400, syntax)
	add("not strict JSON: trailing data", text(method, good, func(s string) string { return s + "{}" }), 400, syntax)
	add("not strict JSON: half", text(method, good, func(s string) string { return s[:len(s)/2] }), 400, syntax)
	add("other major version", changed(edits{versionAt + ".major": 2}), 400, "INVALID_API_VERSION")
	add("no header", changed(edits{"requestHeader": absent}), 400, missing)
	add("no version", changed(edits{versionAt: absent}), 400, missing)
	add("no timestamp", changed(edits{stampAt: absent}), 400, missing)
	add("timestamp late", changed(edits{stampAt: after(-10 * time.Minute)}), 400, stale)
	add("timestamp early", changed(edits{stampAt: after(10 * time.Minute)}), 400, stale)
	add("no account", changed(edits{account: absent}), 400, missing)
	add("unknown account", changed(edits{account: "Nobody_KRW"}), 404, identifier)
	add("account not enabled", changed(edits{account: disabled}), 403, "FORBIDDEN")
	add("no request id", changed(edits{requestID: absent}), 400, missing)
	add("request id of 101 characters", changed(edits{requestID: strings.Repeat("x", 101)}), 400, invalid)
	add("request id with a bad character", changed(edits{requestID: "a/b"}), 400, invalid)
	add("key reused with a member more", changed(edits{requestID: used[method], "novel": 1}), 412, violation)
	add("key reused with an empty member more", changed(edits{requestID: used[method], "novel": nil, "other": ""}), 412, violation)
	return append(rows, strangers(method, good, used)...)
}

// strangers are the rows of a method that hears what another should have: its key, or its body (design §3.10).
func strangers(method string, good edits, used map[string]string) (rows []row) {
	for _, other := range slices.Sorted(maps.Keys(used)) {
		if other == method || method == reserve && other == sell || method == sell && other == reserve { // whose members are the same
			continue
		}
		body := func(w *world) answer {
			return w.post(w.api.path(method), must(w.box.Seal([]byte(w.sealable(other, nil)))))
		}
		word := invalid
		if method == capture && other == cancel { // which has no member of its own
			word = missing
		}
		rows = append(rows,
			row{method + ", Korea §10: key of " + other, edited(method, good.and(edits{requestID: used[other]})), 412, violation},
			row{method + ", §3.10: body of " + other, body, 400, word})
	}
	return rows
}

// members are the rows of a method's own members: what is missing, and what has a value that nobody can mean.
func members(method string, good edits, required []string, wrong map[string]edits) (rows []row) {
	for _, at := range required {
		rows = append(rows,
			row{method + ", Korea §10: without " + at, edited(method, good.and(edits{at: absent})), 400, missing},
			row{method + ", gsp-core §8: null in " + at, edited(method, good.and(edits{at: nil})), 400, missing})
	}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		rows = append(rows, row{method + ", " + name, edited(method, good.and(wrong[name])), 400, invalid})
	}
	return rows
}

// ofCards are the values of a card that no holder can have typed (§4.1, §3.1 of both sheets), at the place that a card check has for them.
var ofCards = map[string]edits{
	"§4.1: card number of letters":        {number: "99999900000000AB"},
	"§4.1: card number of 12 digits":      {number: "999999000000"},
	"§4.1: card number of 20 digits":      {number: "99999900000000000006"},
	"§4.1: empty card number":             {number: ""},
	"§4.1: card number as a number":       {number: 9999990000000006},
	"§4.1: month of letters":              {"card.expiryMonth": "ab"},
	"§4.1: month without a year":          {"card.expiryYear": absent},
	"§3.1: CVN of letters":                {"card.cvn": "abc"},
	"§3.1: CVN of five digits":            {"card.cvn": "12345"},
	"§3.6: country of three letters":      {"addressVerificationData": map[string]any{"countryCode": "KOR"}},
	"§3.1: a card that is a list":         {"card": []any{}},
	"§4.5: merchant category in letters":  {"merchantCategoryCode": "food"},
	"§4.5: the token form":                {"accountDetails": map[string]any{"paymentToken": map[string]any{}}},
	"§1.4: a reservation that it has not": {of: "sold"},
}

// ofHolders are the values of the members that Korea Cards has alone.
var ofHolders = map[string]edits{
	"§4.1: PIN of letters":             {"pin": "4x"},
	"§4.1: empty PIN":                  {"pin": ""},
	"§3.2: birth date of letters":      {"dateOfBirth": "april"},
	"§3.2: CI of another length":       {ci: "QUJD"},
	"§3.2: business number of letters": {"businessIdentifier": "ten digits"},
}

// TestErrorMatrixOfTheLaterMethods is TestErrorMatrix for refunds, card checks, defences and sales: every general row of the matrix, every
// member missing and wrong, every violation of Korea §4.4 to §4.8 and Card FOP §4.4 to §4.7 that is refused. What is answered with 200
// stands in the tests of states and codes.
func TestErrorMatrixOfTheLaterMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{gsp: `deadline = "30s"`}) // documents of 16 MiB on a busy machine
	for _, a := range apis {
		t.Run(a.name, func(t *testing.T) { laterMatrix(w.in(t).as(a)) })
	}
}

func laterMatrix(w *world) {
	w.sold("sold", 21_001, nil)
	w.sold("others", 21_002, edits{account: w.api.second})
	w.want(reserve, "held", edits{"amount": sum(21_003)}, 200, "SUCCESS")
	w.want(cancel, "cancel", edits{of: "held"}, 200, "ACKNOWLEDGED")
	w.repay("refund", "sold", 1_001, 200, "ACKNOWLEDGED")
	w.verdict("refund", "SUCCESS")
	w.want(verify, "verify", nil, 200, "SUCCESS")
	w.want(verify, "others-verify", edits{account: w.api.second}, 200, "SUCCESS")
	w.want(defend, "defend", edits{paid: "sold-capture"}, 200, "CHARGEBACK_NOT_DEFENDABLE")
	only := map[*api]string{korea: inspect, fop: sell}[w.api]
	w.want(only, "only", nil, 200, "SUCCESS")
	w.drain()

	used := map[string]string{
		reserve: "sold", capture: "sold-capture", cancel: "cancel", refund: "refund", verify: "verify", defend: "defend",
	}
	used[only] = "only"
	good := map[string]edits{refund: {paid: "sold-capture", back: sum(1)}, verify: nil, defend: {paid: "sold-capture"}, only: nil}
	const intent = "transactionIntentClassification"
	stored := func(e map[string]any) edits { return edits{"storedCredentialTransactionInformation": e} }
	rows := []row{
		{"P4 §4.4: capture unknown", edited(refund, edits{paid: "nobody", back: sum(1)}), 404, identifier},
		{"P4 §4.4: capture of another account", edited(refund, edits{paid: "others-capture", back: sum(1)}), 404, identifier},
		{"P4 §4.4: a reservation is no capture", edited(refund, edits{paid: "sold", back: sum(1)}), 404, identifier},
		{"P4 §4.4: a cancel is no capture", edited(refund, edits{paid: "cancel", back: sum(1)}), 404, identifier},
		{"P4 §4.4: a refund is no capture", edited(refund, edits{paid: "refund", back: sum(1)}), 404, identifier},
		{"P4 §4.4: above the remainder", edited(refund, edits{paid: "sold-capture", back: sum(20_001)}), 400, precondition},
		{"P4 §4.4: above the capture", edited(refund, edits{paid: "sold-capture", back: sum(21_002)}), 400, precondition},
		{"P4 §10: the order of checks: unknown goes before too much", edited(refund, edits{paid: "nobody", back: sum(1 << 40)}), 404, identifier},
		{"P4 §10: the order of checks: a value goes before unknown", edited(refund, edits{paid: "nobody", back: "1"}), 400, invalid},

		{"P2 §4.2: the hold of a card check", edited(capture, edits{of: "verify", "amount": sum(1)}), 400, precondition},
		{"P2 §4.2: another account's card check", edited(capture, edits{of: "others-verify", "amount": sum(1)}), 404, identifier},
		{"P3 §4.3: another account's card check", edited(cancel, edits{of: "others-verify"}), 404, identifier},
		{"P3 §4.3: a defence is no reservation", edited(cancel, edits{of: "defend"}), 404, identifier},
		{"P3 §4.3: a refund is no reservation", edited(cancel, edits{of: "refund"}), 404, identifier},

		{"P5 §3.4: no member of the union", edited(verify, stored(map[string]any{})), 400, missing},
		{"P6 §2.2: both criteria", edited(defend, edits{paid: "sold-capture", "mrnPaymentDetails": map[string]any{}}), 400, invalid},
		{"P6 §2.2: no criterion", edited(defend, edits{paid: absent}), 400, missing},
		{"P6 §1.2: under the other prefix", signed(w.api.prefix+defend, "{}"), 404, ""},
		{"P4 §1.2: under the other prefix", signed("/v1/payment-integrator-dispute-api/"+refund, "{}"), 404, ""},
	}
	unions := map[string]edits{
		"§3.4: two members of the union": stored(map[string]any{
			"customerInitiated": map[string]any{intent: "RECURRING", "instrumentStorageType": "STORED"},
			"merchantInitiated": map[string]any{intent: "RECURRING", "previousTransactionInformationNotProvided": map[string]any{}},
		}),
		"§3.4: zero value of an enum": stored(map[string]any{
			"customerInitiated": map[string]any{intent: "TRANSACTION_INTENT_CLASSIFICATION_UNKNOWN", "instrumentStorageType": "STORED"},
		}),
		"§3.2: zero value of an enum": {options_ + "userSelectedProcessingNetworkType": "PROCESSING_NETWORK_TYPE_UNSPECIFIED"},
		"§3.2: two members of a union": {
			options_ + "userSelectedProcessingNetworkType": "CREDIT", options_ + "userSelectedProcessingNetworkTypeNotApplicable": map[string]any{},
		},
		"§10: currency unknown":      {"currencyCode": "XQQ"},
		"§10: currency not ours":     {"currencyCode": "CHF"},
		"§10: an amount":             {"amount": sum(1)},
		"§10: currency as a number":  {"currencyCode": 410},
		"§10: statement as a number": {"transactionDescription": 1},
	}
	maps.Copy(unions, ofCards)
	if w.api == korea {
		maps.Copy(unions, ofHolders)
		unions["§11: a PIN in both places"] = edits{options_ + "pin": "47"}
		unions["§4.8: the other's union"] = edits{"merchantCategoryCodeNotPresent": map[string]any{}}
	}
	rows = append(rows, members(verify, nil, []string{
		"card", number, "card.nameOnCard", "currencyCode", "transactionDescription", "merchantCategoryCode",
	}, unions)...)
	if w.api == korea {
		rows = append(rows, []row{
			{"P2 §4.8: a check that holds nothing", edited(capture, edits{of: "only", "amount": sum(1)}), 404, identifier},
			{"P3 §4.8: a check that holds nothing", edited(cancel, edits{of: "only"}), 404, identifier},
			{"P6 §4.6: above 16 MiB", edited(defend, edits{
				paid: "sold-capture", document + ".payload": strings.Repeat("JVBE", 16<<20/3+1),
			}), 400, invalid},
			{"P6 §4.6: above the limit of the body", func(w *world) answer {
				return w.answered("POST", w.api.path(defend), strings.NewReader(strings.Repeat("A", 32<<20+1)))
			}, 413, ""},
			{"P6 §5.4 2: a large body that does not say so", func(w *world) answer {
				return w.answered("POST", w.api.path(defend), struct{ *strings.Reader }{strings.NewReader(strings.Repeat("A", 1<<20+1))})
			}, 413, ""},
		}...)
		without := edits{"merchantCategoryCodeNotPresent": absent}
		zero := map[string]edits{
			"§4.8: both members of the union":            {"merchantCategoryCode": "5816"},
			"§4.8: a currency, which it has not":         {"currencyCode": "KRW"},
			"§4.8: stored credentials, which it has not": stored(map[string]any{"customerInitiated": map[string]any{}}),
		}
		maps.Copy(zero, ofCards)
		maps.Copy(zero, ofHolders)
		zero["§4.5: merchant category in letters"] = without.and(zero["§4.5: merchant category in letters"])
		rows = append(rows, members(inspect, nil, []string{"card", number, "card.nameOnCard", "merchantCategoryCodeNotPresent"}, zero)...)
	}
	rows = append(rows, members(refund, good[refund], []string{paid, back}, map[string]edits{
		"§10: amount no int64":                {back: "9223372036854775808"},
		"§10: amount in words":                {back: "much"},
		"§10: amount nothing":                 {back: "0"},
		"§10: amount below nothing":           {back: sum(-5)},
		"§10: fraction of a won":              {back: "1500001"},
		"§4.4: the amount under another name": {"amount": sum(1)},
		"§10: an id that is a number":         {paid: 1},
	})...)
	rows = append(rows, members(defend, good[defend], []string{document, document + ".mimeType", document + ".payload"}, map[string]edits{
		"§10: zero value of an enum":    {document + ".mimeType": "MIME_TYPE_UNSPECIFIED"},
		"§10: empty type":               {document + ".mimeType": ""},
		"§10: a document that is text":  {document: "JVBERi0xLjcK"},
		"§10: a payload that is a list": {document + ".payload": []any{}},
		"§10: an empty id":              {paid: ""},
		"§10: an id that is a number":   {paid: 1},
	})...)
	for _, method := range slices.Sorted(maps.Keys(good)) {
		rows = append(rows, general(method, good[method], used)...)
	}
	for _, method := range []string{reserve, capture, cancel} {
		rows = append(rows, strangers(method, nil, used)...)
	}
	w.refused(rows)
}

// refused sends what must not be taken, and looks that the database is as it was.
func (w *world) refused(rows []row) {
	before, commits := w.contents(), w.commits()
	for _, r := range rows {
		w.t.Run(w.api.sections.Replace(r.name), func(t *testing.T) {
			w := w.in(t)
			got := r.send(w)
			if !got.is(r.status, r.word) || r.status >= 400 && r.word == "" && got.body != "" {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, r.status, r.word)
			}
			if !commits() {
				return
			}
			if now := w.contents(); !maps.Equal(now, before) {
				t.Errorf("the database was changed:\n%v\n%v", before, now)
				maps.Copy(before, now)
			}
		})
	}
}
