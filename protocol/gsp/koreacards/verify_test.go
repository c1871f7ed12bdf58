package koreacards

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
)

func verifyHoldAsk(t testing.TB, at terms, body []byte) (engine.ReserveAsk, error) {
	t.Helper()
	var in VerifyCardWithMinimumReservationRequest
	if err := gsp.Decode(body, &in); err != nil {
		return engine.ReserveAsk{}, err
	}
	return at.verifyHoldAsk(in)
}

func checkAsk(t testing.TB, at terms, body []byte) (engine.ReserveAsk, error) {
	t.Helper()
	var in VerifyCardWithZeroAmountRequest
	if err := gsp.Decode(body, &in); err != nil {
		return engine.ReserveAsk{}, err
	}
	return at.checkAsk(in)
}

// cardCheck is P5 or P8, for what both must do.
type cardCheck struct {
	example string
	ask     func(testing.TB, terms, []byte) (engine.ReserveAsk, error)
}

var cardChecks = []cardCheck{{"p5-request", verifyHoldAsk}, {"p8-request", checkAsk}, {"p5-full", verifyHoldAsk}, {"p8-full", checkAsk}}

func TestCardChecksAreReadWhole(t *testing.T) {
	visa, _ := card.ParsePAN("4111111111111111")
	other, _ := card.ParsePAN("4242424242424242")
	seoul := payment.Address{Lines: []string{"세종대로 110", "3층"}, PostalCode: "04524", Country: "KR"}
	none := money.New(0, won)
	want := []payment.AuthOrder{
		{
			Purpose: payment.ToVerify, Amount: none, PAN: visa, Expiry: card.Expiry{Year: 2030, Month: 2}, MCC: "5815",
			Statement: "GOOGLE*Card check",
			Holder:    payment.Holder{PINDigits: card.Conceal("93"), BusinessNumber: card.Conceal("1234567891"), CI: card.Conceal(ci)},
		},
		{
			Purpose: payment.ToCheck, Amount: none, PAN: other, Expiry: card.Expiry{Year: 2029, Month: 8},
			Holder: payment.Holder{PINDigits: card.Conceal("47"), BirthDate: card.Conceal("910417")},
		},
		{
			Purpose: payment.ToVerify, Amount: none, PAN: visa, Expiry: card.Expiry{Year: 2030, Month: 2}, CVN: card.Conceal("737"), MCC: "5815",
			Statement: "GOOGLE*Card check", Address: seoul, ECI: "05",
			Stored: payment.StoredCredential{Initiator: payment.ByCustomer, Intent: payment.Unscheduled, StorageAsStated: "FIRST"},
			Holder: payment.Holder{PINDigits: card.Conceal("93"), BirthDate: card.Conceal("910417"), CI: card.Conceal(ci)}, // in both places
		},
		{
			Purpose: payment.ToCheck, Amount: none, PAN: other, Expiry: card.Expiry{Year: 2029, Month: 8}, CVN: card.Conceal("737"), MCC: "5815",
			Address: seoul, Holder: payment.Holder{PINDigits: card.Conceal("47"), BusinessNumber: card.Conceal("1234567891"), CI: card.Conceal(ci)},
		},
	}
	for i, c := range cardChecks {
		ask, err := c.ask(t, korea, golden(t, c.example))
		if err != nil || ask.Decided != nil || !reflect.DeepEqual(ask.Order, want[i]) {
			t.Errorf("%s: decided %v, %v\ngot  %+v\nwant %+v", c.example, ask.Decided, err, ask.Order, want[i])
		}
	}
}

// The stored credential and Korea's members stand in either of two places of P5 (§14 point 20).
func TestEitherPlaceOfP5(t *testing.T) {
	credential := edits{"merchantInitiated": edits{
		"transactionIntentClassification": "RECURRING",
		"previousTransactionInformation":  edits{"networkTransactionIdentifier": "583103536844189"},
	}}
	top, err := verifyHoldAsk(t, korea, edited(t, "p5-request", edits{"storedCredentialTransactionInformation": credential}))
	if err != nil || top.Order.Stored.EarlierNetwork != "583103536844189" {
		t.Fatalf("%+v, %v", top.Order.Stored, err)
	}
	inner, err := verifyHoldAsk(t, korea, edited(t, "p5-request", edits{
		options + "storedCredentialTransactionInformation": credential,
		options + "pin": "93", "pin": absent, options + "connectingInformation": ci, "connectingInformation": absent,
		options + "businessIdentifier": "1234567891", "businessIdentifier": absent,
	}))
	if err != nil || !reflect.DeepEqual(inner.Order, top.Order) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, inner.Order, top.Order)
	}
	approved := payment.Outcome{Verdict: payment.Approved, Code: "00", NetworkID: "1"}
	for name, ask := range map[string]engine.ReserveAsk{"top": top, "options": inner} {
		if got := answer(t, ask, engine.ReserveResult{Outcome: approved}); !strings.Contains(got, `"storedCredentialInformationSuccessful":`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for path, edit := range map[string]edits{
		"pin":                   {options + "pin": "93"},
		"connectingInformation": {options + "connectingInformation": ci},
		"businessIdentifier":    {options + "businessIdentifier": "1234567891"},
		"dateOfBirth":           {"dateOfBirth": "1991-04-17", options + "dateOfBirth": "1991-04-17"},
		"storedCredentialTransactionInformation": {
			"storedCredentialTransactionInformation": credential, options + "storedCredentialTransactionInformation": credential,
		},
	} {
		_, err := verifyHoldAsk(t, korea, edited(t, "p5-request", edit))
		if kind, says := fault.Of(err); kind != fault.Invalid || !strings.HasPrefix(says, path) {
			t.Errorf("%s twice: %v", path, err)
		}
	}
}

func TestCardCheckFaults(t *testing.T) {
	type row struct {
		check cardCheck
		name  string
		edit  edits
		kind  fault.Kind
		says  string
	}
	var rows []row
	add := func(c cardCheck, name string, edit edits, kind fault.Kind, says string) {
		rows = append(rows, row{c, name, edit, kind, says})
	}
	hold, zero := cardChecks[0], cardChecks[1]
	for _, path := range []string{
		"card", "currencyCode", "transactionDescription", "merchantCategoryCode", "card.accountNumber", "card.nameOnCard",
	} {
		add(hold, "no "+path, edits{path: absent}, fault.Missing, path)
		add(hold, "null "+path, edits{path: nil}, fault.Missing, path)
	}
	for _, path := range []string{"card", "card.accountNumber", "card.nameOnCard"} {
		add(zero, "no "+path, edits{path: absent}, fault.Missing, path)
	}
	add(zero, "no category", edits{"merchantCategoryCodeNotPresent": absent}, fault.Missing, "merchantCategoryCode")
	add(zero, "two categories", edits{"merchantCategoryCode": "5815"}, fault.Invalid, "merchantCategoryCode")
	add(zero, "a category of letters", edits{"merchantCategoryCodeNotPresent": absent, "merchantCategoryCode": "58x5"}, fault.Invalid,
		"merchantCategoryCode")
	add(hold, "currency", edits{"currencyCode": "INR"}, fault.Invalid, "currencyCode")
	add(hold, "category", edits{"merchantCategoryCode": "581"}, fault.Invalid, "merchantCategoryCode")
	add(hold, "two initiators", edits{"storedCredentialTransactionInformation": edits{
		"customerInitiated": edits{"transactionIntentClassification": "RECURRING", "instrumentStorageType": "FIRST"},
		"merchantInitiated": edits{"transactionIntentClassification": "RECURRING", "previousTransactionInformationNotProvided": edits{}},
	}}, fault.Invalid, "storedCredentialTransactionInformation")
	add(hold, "two members of a union in the options", edits{
		options + "threeDSecureNotAppplicable":        edits{},
		options + "threeDSecureAuthenticationDetails": edits{"directoryServerTransactionId": "1", "cavv": "AAAA"},
	}, fault.Invalid, "authentication_details")
	for _, c := range []cardCheck{hold, zero} {
		for path, value := range map[string]any{
			"card": "4242424242424242", "card.accountNumber": "4242x24242424242", "card.cvn": "12", "card.expiryMonth": "8", "pin": "4x",
			"dateOfBirth": "17.4.1991", "businessIdentifier": "12", "connectingInformation": "?", "addressVerificationData.countryCode": "kr",
		} {
			field := path[strings.LastIndex(path, ".")+1:]
			add(c, fmt.Sprintf("%s: %s=%v", c.example, path, value), edits{path: value}, fault.Invalid, field)
		}
	}
	for _, r := range rows {
		_, err := r.check.ask(t, korea, edited(t, r.check.example, r.edit))
		if kind, says := fault.Of(err); err == nil || kind != r.kind || !strings.Contains(says, r.says) {
			t.Errorf("%s, %s: %v %q", r.check.example, r.name, kind, says)
		}
		for _, v := range r.edit {
			if s, ok := v.(string); ok && len(s) > 5 && err != nil && strings.Contains(err.Error(), s) {
				t.Errorf("%s: the fault repeats the value: %q", r.name, err)
			}
		}
	}
}

// What a holder can mistype is a 200 here too (§4.5: faults as in §4.1).
func TestMistypedCardChecksDecline(t *testing.T) {
	for _, c := range cardChecks {
		for path, row := range map[string]struct {
			value string
			want  payment.Reason
		}{
			"card.accountNumber": {"4242424242424241", payment.CardNumberInvalid},
			"card.expiryYear":    {"25", payment.CardExpired},
			"card.expiryMonth":   {"13", payment.ExpiryInvalid},
			"pin":                {"4", payment.PINMismatch},
		} {
			ask, err := c.ask(t, korea, edited(t, c.example, edits{path: row.value}))
			if err != nil || ask.Decided == nil || ask.Decided.Decline != row.want {
				t.Errorf("%s %s: %+v, %v", c.example, path, ask.Decided, err)
			}
		}
	}
}

func TestCardCheckAnswers(t *testing.T) {
	held := payment.Outcome{
		Verdict: payment.Approved, Code: "85", Approval: "30118799", Brands: []string{"BC", "VISA"}, IssuerCountry: "KR",
		CardKind: payment.Credit,
	}
	passed := payment.Outcome{Verdict: payment.Approved, Code: "85", Brands: []string{"BC"}, Issuer: "not said", CardKind: payment.Credit}
	wrongPIN := payment.Outcome{Verdict: payment.Refused, Code: "55", Decline: payment.PINMismatch, CardKind: payment.Debit}
	wrongBirth := payment.Outcome{Verdict: payment.Refused, Code: "55", Decline: payment.BirthOrBusinessNo, CardKind: payment.Debit}
	poor := payment.Outcome{Verdict: payment.Refused, Code: "51", Decline: payment.InsufficientFunds, CardKind: payment.Debit}
	plain := Profile{VerifyPlainCodes: true}
	said := func(c cardCheck, code, result string) string {
		base := `{"cardNetworkResult":{"rawResult":{"scope":"Iso8583Code","rawCode":"` + code + `"}},` +
			`"addressVerificationResult":{"notSent":{"support":"UNSUPPORTED_BY_NETWORK"}},"cvnResult":"NOT_SENT_UNSUPPORTED_BY_NETWORK"`
		if c.example == "p5-request" {
			base += `,"cardMetadata":{"cardType":"DEBIT_CARD"},"fundsTransferFlow":"NOT_SUPPORTED","reserveCaptureFlow":"NOT_SUPPORTED"`
		}
		return base + `,"result":"` + result + `"}`
	}
	hold, zero := cardChecks[0], cardChecks[1]
	for _, row := range []struct {
		check   cardCheck
		profile Profile
		outcome payment.Outcome
		want    string
	}{
		{hold, Profile{}, held, string(golden(t, "p5-response"))},
		{zero, Profile{}, passed, string(golden(t, "p8-response"))},
		{hold, Profile{}, wrongPIN, said(hold, "55", "PIN_MISMATCH")},
		{zero, Profile{}, wrongPIN, said(zero, "55", "PIN_MISMATCH")},
		{hold, plain, wrongPIN, said(hold, "55", "ISSUER_DECLINED")},
		{zero, plain, wrongPIN, said(zero, "55", "ISSUER_DECLINED")},
		{hold, plain, wrongBirth, said(hold, "55", "ISSUER_DECLINED")},
		{zero, Profile{}, wrongBirth, said(zero, "55", "DOB_OR_BRN_MISMATCH")},
		{hold, plain, poor, said(hold, "51", "INSUFFICIENT_FUNDS")},
		{zero, plain, poor, said(zero, "51", "INSUFFICIENT_FUNDS")},
	} {
		ask, err := row.check.ask(t, korea.with(row.profile), golden(t, row.check.example))
		if err != nil {
			t.Fatal(err)
		}
		got := canonical(t, []byte(answer(t, ask, engine.ReserveResult{ReservationID: "never said", Outcome: row.outcome})))
		if want := canonical(t, []byte(row.want)); !bytes.Equal(got, want) {
			t.Errorf("%s %s: got  %s\nwant %s", row.check.example, row.outcome.Decline, got, want)
		}
	}
	for _, c := range cardChecks {
		ask, err := c.ask(t, korea, golden(t, c.example))
		if err != nil {
			t.Fatal(err)
		}
		down := payment.Outcome{Verdict: payment.Refused, Code: "91", Decline: payment.IssuerUnavailable}
		if out, err := ask.Encode(engine.ReserveResult{Outcome: down}); !isKind(err, fault.Unavailable) || out != nil {
			t.Errorf("%s, issuer down: %s, %v; want 503", c.example, out, err)
		}
	}
	ask, err := reserveAsk(t, korea.with(plain), golden(t, "p1-request")) // the switch is for card checks alone
	if err != nil {
		t.Fatal(err)
	}
	if text := answer(t, ask, engine.ReserveResult{Outcome: wrongPIN}); !strings.HasSuffix(text, `"result":"PIN_MISMATCH"}`) {
		t.Errorf("reserveFunds says %s", text)
	}
}

// Whatever comes: no panic, and what was accepted asks the same after a round trip.
func FuzzCardChecks(f *testing.F) {
	for _, c := range cardChecks {
		f.Add(golden(f, c.example))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var hold VerifyCardWithMinimumReservationRequest
		var zero VerifyCardWithZeroAmountRequest
		if gsp.Decode(body, &hold) == nil {
			if ask, err := korea.verifyHoldAsk(hold); err == nil {
				sameAfterRoundTrip(t, ask, hold, verifyHoldAsk)
			}
		}
		if gsp.Decode(body, &zero) == nil {
			if ask, err := korea.checkAsk(zero); err == nil {
				sameAfterRoundTrip(t, ask, zero, checkAsk)
			}
		}
	})
}

func sameAfterRoundTrip(t *testing.T, ask engine.ReserveAsk, in any, read func(testing.TB, terms, []byte) (engine.ReserveAsk, error)) {
	again, err := gsp.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := read(t, korea, again)
	if err != nil || !reflect.DeepEqual(ask.Order, twice.Order) || !reflect.DeepEqual(ask.Decided, twice.Decided) {
		t.Errorf("a round trip changes the order: %v", err)
	}
}
