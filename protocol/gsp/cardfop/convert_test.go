package cardfop

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

var euro, yen, dinar = money.Of("EUR"), money.Of("JPY"), money.Of("KWD")

// europe is the account of the sheet's examples, with money of every number of decimals.
var europe = terms{account: engine.Account{
	ID: "NorthwindPSP_EUR", APIs: []string{Name}, Currencies: []money.Currency{euro, yen, dinar}, Location: time.FixedZone("WET", 0),
}}

type terms struct {
	account engine.Account
	profile cards.Profile
}

func (t terms) with(p cards.Profile) terms { t.profile = p; return t }

var now = time.UnixMilli(1767225600000)

type edits = gsptest.Edits

var (
	absent         = gsptest.Absent
	golden, edited = gsptest.Golden, gsptest.Edited
)

// heard is the service before an engine that only listens, and a call of the account.
func heard(t testing.TB, at terms) (*Service, *gsptest.Engine, gsp.Call) {
	t.Helper()
	e := &gsptest.Engine{In: euro, Result: engine.ReserveResult{Outcome: payment.Outcome{Verdict: payment.Approved, Code: "00"}}}
	s, err := NewService(e, map[string]Profile{at.account.ID: {at.profile}})
	if err != nil {
		t.Fatal(err)
	}
	return s, e, gsp.Call{Account: at.account, At: now}
}

// asked is what the engine hears of a question about a card.
func asked(t testing.TB, at terms, method string, body []byte) (engine.ReserveAsk, error) {
	t.Helper()
	s, e, call := heard(t, at)
	var err error
	switch method {
	case "reserveFunds":
		_, err = gsptest.Call(t, call, s.reserveFunds, body)
	case "capture":
		_, err = gsptest.Call(t, call, s.capture, body)
	default:
		_, err = gsptest.Call(t, call, s.verifyCardWithMinimumReservation, body)
	}
	return e.Reserved, err
}

const (
	cardAt  = "accountDetails.card."
	options = "additionalTransactionProcessingOptions."
	stored  = options + "storedCredentialTransactionInformation."
)

func TestQuestionsAreReadWhole(t *testing.T) {
	master, _ := card.ParsePAN("5555555555554444")
	visa, _ := card.ParsePAN("4111111111111111")
	amex, _ := card.ParsePAN("378282246310005")
	reserve := payment.AuthOrder{
		Amount: money.New(4999, euro), PAN: master, Expiry: card.Expiry{Year: 2029, Month: 11}, CVN: card.Conceal("737"),
		Statement: "GOOGLE*Puzzle Box", MCC: "5816", ECI: "02",
		Address: payment.Address{Lines: []string{"Rua das Flores 8"}, PostalCode: "4050-262", Country: "PT"},
		ThreeDS: payment.ThreeDS{
			DirectoryServerID: "0f3d6c5e-8a41-4f0e-9f55-2b6f2f0f7c11", ServerID: "d9b7f7a4-6d0f-4c8e-8c62-1f0e6f3a9b20",
			CAVV: card.Conceal("kBMI1mH9wqAAAAAAAAAAAAAAAAA="), Version: "2.2.0",
		},
		Stored: payment.StoredCredential{Initiator: payment.ByCustomer, Intent: payment.Recurring, StorageAsStated: "<value per Google>"},
	}
	sale := reserve
	sale.Purpose = payment.ToSell
	for _, row := range []struct {
		method, example string
		want            payment.AuthOrder
	}{
		{"reserveFunds", "p1-request", reserve},
		{"capture", "p1-request", sale}, // the same members
		{"capture", "p4-request", payment.AuthOrder{
			Purpose: payment.ToSell, Amount: money.New(499, euro), PAN: visa, Expiry: card.Expiry{Year: 2028, Month: 4}, MCC: "5817",
			Statement: "GOOGLE*Cloud Save",
		}},
		{"verify", "p6-request", payment.AuthOrder{
			Purpose: payment.ToVerify, Amount: money.New(0, euro), PAN: amex, Expiry: card.Expiry{Year: 2030, Month: 9},
			CVN: card.Conceal("1234"), MCC: "5815", Statement: "GOOGLE*Card check",
		}},
	} {
		ask, err := asked(t, europe, row.method, golden(t, row.example))
		if err != nil || ask.Decided != nil || !reflect.DeepEqual(ask.Order, row.want) {
			t.Errorf("%s of %s: %v\ngot  %+v\nwant %+v", row.method, row.example, err, ask.Order, row.want)
		}
	}
}

// What one member more or less changes in the order, in a hold and in a sale alike (§3.1 to §3.3).
func TestMembersOfAPayment(t *testing.T) {
	token := func(kind string) edits {
		return edits{"accountDetails": edits{"paymentToken": edits{
			"nameOnCard": "Ines Duarte", "paymentTokenAccountNumber": "5204240250197840", "cryptogram": "AAEBAgMEBQYHCAkKCwwNDg8=", kind: edits{},
		}}}
	}
	kind := func(k payment.TokenKind) func(payment.AuthOrder) bool {
		return func(o payment.AuthOrder) bool {
			return reflect.DeepEqual(o.Token, payment.Token{Kind: k, Cryptogram: card.Conceal("AAEBAgMEBQYHCAkKCwwNDg8=")})
		}
	}
	for name, row := range map[string]struct {
		edit edits
		want func(payment.AuthOrder) bool
	}{
		"two decimals": {edits{"amount": "12340000"}, func(o payment.AuthOrder) bool { return o.Amount == money.New(1234, euro) }},
		"no decimals": {
			edits{"amount": "1234000000", "currencyCode": "JPY"}, func(o payment.AuthOrder) bool { return o.Amount == money.New(1234, yen) },
		},
		"three decimals": {
			edits{"amount": "1234000", "currencyCode": "KWD"}, func(o payment.AuthOrder) bool { return o.Amount == money.New(1234, dinar) },
		},
		"no exemption": {nil, func(o payment.AuthOrder) bool { return o.Exemption == payment.NoExemption }},
		"nothing said of exemptions": {
			edits{options + "scaExemptionNotApplicable": absent}, func(o payment.AuthOrder) bool { return o.Exemption == payment.NoExemption },
		},
		"low value": {
			edits{options + "scaExemptionNotApplicable": absent, options + "scaLowValueTransaction": edits{}},
			func(o payment.AuthOrder) bool { return o.Exemption == payment.LowValue && o.ThreeDS.Version == "2.2.0" },
		},
		"risk analysis": {
			edits{options + "scaExemptionNotApplicable": absent, options + "scaTransactionRiskAnalysis": edits{}},
			func(o payment.AuthOrder) bool { return o.Exemption == payment.RiskAnalysis },
		},
		"debit": {
			edits{options + "userSelectedProcessingNetworkTypeNotApplicable": absent, options + "userSelectedProcessingNetworkType": "DEBIT"},
			func(o payment.AuthOrder) bool { return o.Network == payment.WishDebit },
		},
		"no 3-D Secure": {
			edits{options + "threeDSecureAuthenticationDetails": absent, options + "threeDSecureNotAppplicable": edits{}},
			func(o payment.AuthOrder) bool { return o.ThreeDS == payment.ThreeDS{} },
		},
		"merchant initiated": {
			edits{options + "storedCredentialTransactionInformation": edits{"merchantInitiated": edits{
				"transactionIntentClassification": "UNSCHEDULED",
				"previousTransactionInformation":  edits{"networkTransactionIdentifier": "MCC5K2P9R0101"},
			}}},
			func(o payment.AuthOrder) bool {
				return o.Stored == payment.StoredCredential{
					Initiator: payment.ByMerchant, Intent: payment.Unscheduled, StoredBefore: true, EarlierNetwork: "MCC5K2P9R0101",
				}
			},
		},
		"merchant initiated, nothing earlier": {
			edits{options + "storedCredentialTransactionInformation": edits{"merchantInitiated": edits{
				"transactionIntentClassification": "INSTALLMENT", "previousTransactionInformationNotProvided": edits{},
			}}},
			func(o payment.AuthOrder) bool {
				return o.Stored == payment.StoredCredential{Initiator: payment.ByMerchant, Intent: payment.Instalment, StoredBefore: true}
			},
		},
		"no stored credential": {
			edits{
				options + "storedCredentialTransactionInformation":              absent,
				options + "storedCredentialTransactionInformationNotApplicable": edits{},
			},
			func(o payment.AuthOrder) bool { return o.Stored == payment.StoredCredential{} },
		},
		"device token":    {token("tokenTypeDeviceToken"), kind(payment.DeviceToken)},
		"merchant token":  {token("tokenTypeMerchantToken"), kind(payment.MerchantToken)},
		"unsupported":     {token("tokenTypeUnsupported"), kind(payment.OtherToken)},
		"no kind passed":  {token("tokenTypeNotApplicable"), kind(payment.OtherToken)},
		"Korea's members": {edits{options + "pin": "47"}, func(o payment.AuthOrder) bool { return o.Holder == payment.Holder{} }},
	} {
		for _, method := range []string{"reserveFunds", "capture"} {
			ask, err := asked(t, europe, method, edited(t, "p1-request", row.edit))
			if err != nil || !row.want(ask.Order) {
				t.Errorf("%s, %s: %v %+v", method, name, err, ask.Order)
			}
		}
	}
}

// The rows of §3, §4.1, §4.4 and §9 that need nothing but the message.
func TestPaymentFaults(t *testing.T) {
	type row struct {
		edit edits
		kind fault.Kind
		says string
	}
	rows := map[string]row{}
	for _, path := range []string{
		"accountDetails", "currencyCode", "amount", "transactionDescription", "merchantCategoryCode", "additionalTransactionProcessingOptions",
		cardAt + "accountNumber", cardAt + "nameOnCard", options + "threeDSecureAuthenticationDetails.cavv",
		stored + "customerInitiated.instrumentStorageType", stored + "customerInitiated.transactionIntentClassification",
	} {
		rows["no "+path] = row{edits{path: absent}, fault.Missing, path}
	}
	for path, union := range map[string]string{
		options + "userSelectedProcessingNetworkTypeNotApplicable": "processing_network_type",
		options + "electronicCommerceIndicator":                    "electronic_commerce_indicator_option",
		options + "threeDSecureAuthenticationDetails":              "authentication_details",
		options + "storedCredentialTransactionInformation":         "stored_credentials",
		stored + "customerInitiated":                               "storedCredentialTransactionInformation",
		"accountDetails.card":                                      "accountDetails",
	} {
		rows["no member of "+union] = row{edits{path: absent}, fault.Missing, union}
	}
	for path, union := range map[string]string{
		options + "electronicCommerceIndicatorNotApplicable":            "electronic_commerce_indicator_option",
		options + "threeDSecureNotAppplicable":                          "authentication_details",
		options + "storedCredentialTransactionInformationNotApplicable": "stored_credentials",
		options + "scaLowValueTransaction":                              "sca_exemption_type",
		options + "scaTransactionRiskAnalysis":                          "sca_exemption_type",
	} {
		rows["two members of "+union+" by "+path] = row{edits{path: edits{}}, fault.Invalid, union}
	}
	rows["two rails"] = row{edits{options + "userSelectedProcessingNetworkType": "CREDIT"}, fault.Invalid, "processing_network_type"}
	token := edits{"nameOnCard": "Ines Duarte", "paymentTokenAccountNumber": "5204240250197840", "tokenTypeDeviceToken": edits{}}
	rows["card and token"] = row{edits{"accountDetails.paymentToken": token}, fault.Invalid, "accountDetails"}
	two := maps.Clone(token)
	two["tokenTypeNotApplicable"] = edits{}
	rows["two kinds of token"] = row{edits{"accountDetails": edits{"paymentToken": two}}, fault.Invalid, "token_type"}
	none := maps.Clone(token)
	delete(none, "tokenTypeDeviceToken")
	rows["no kind of token"] = row{edits{"accountDetails": edits{"paymentToken": none}}, fault.Missing, "token_type"}
	for path, values := range map[string][]any{
		"currencyCode":                          {"", "USD", "eur", 978},
		"amount":                                {"0", "-10000", "1", "4999001", "49.99", "9223372036854775808"},
		"merchantCategoryCode":                  {"", "581", "58x6"},
		cardAt + "accountNumber":                {"", "555555555555444x", "555555555555", "55555555555544445555"},
		cardAt + "expiryMonth":                  {"1", absent},
		cardAt + "cvn":                          {"12", "12345", "73x"},
		options + "electronicCommerceIndicator": {"", "005", "x"},
		stored + "customerInitiated.transactionIntentClassification":    {"TRANSACTION_INTENT_CLASSIFICATION_UNKNOWN"},
		"addressVerificationData.countryCode":                           {"pt", "PRT"},
		options + "threeDSecureAuthenticationDetails.threeDsVersion":    {2},
		stored + "customerInitiated.instrumentStorageType":              {""},
		options + "threeDSecureAuthenticationDetails.cavv":              {7},
		"accountDetails.card.issuanceDateMonth":                         {1},
		"addressVerificationData.addressLine":                           {"one line"},
		options + "storedCredentialTransactionInformation":              {"CIT"},
		"additionalTransactionProcessingOptions.scaLowValueTransaction": {5},
	} {
		field := path[strings.LastIndex(path, ".")+1:]
		for _, v := range values {
			rows[fmt.Sprintf("%s=%v", path, v)] = row{edits{path: v}, fault.Invalid, field}
		}
	}
	for code, amount := range map[string]string{"JPY": "1500000", "KWD": "1234500"} {
		rows[code+" in part"] = row{edits{"currencyCode": code, "amount": amount}, fault.Invalid, "amount"}
	}
	rows["missing goes before wrong"] = row{edits{"amount": "-5", cardAt + "nameOnCard": absent}, fault.Missing, "nameOnCard"}
	for name, row := range rows {
		for _, method := range []string{"reserveFunds", "capture"} {
			_, err := asked(t, europe, method, edited(t, "p1-request", row.edit))
			if kind, public := fault.Of(err); err == nil || kind != row.kind || !strings.Contains(public, row.says) {
				t.Errorf("%s, %s: got %v %q", method, name, kind, public)
			}
		}
	}
}

// What a holder can mistype is declined without the network: a 200 in every method (§4.1).
func TestMistypedCardDataDeclines(t *testing.T) {
	for field, row := range map[string]struct{ value, want string }{
		"accountNumber": {"5555555555554445", "CARD_NUMBER_INVALID"},
		"expiryMonth":   {"13", "CARD_EXPIRATION_DATE_INVALID"},
		"expiryYear":    {"25", "CARD_EXPIRED"},
	} {
		for method, at := range map[string]string{
			"reserveFunds": "p1-request/" + cardAt, "capture": "p1-request/" + cardAt, "verify": "p6-request/card.",
		} {
			example, path, _ := strings.Cut(at, "/")
			ask, err := asked(t, europe, method, edited(t, example, edits{path + field: row.value}))
			if err != nil || ask.Decided == nil {
				t.Fatalf("%s, %s: decided %+v, %v", method, field, ask.Decided, err)
			}
			got := said(t, ask, engine.ReserveResult{Outcome: *ask.Decided})
			if got["result"] != row.want || got["cvnResult"] != "NOT_VERIFIED" {
				t.Errorf("%s, %s: %v", method, field, got)
			}
		}
	}
	wrong := edited(t, "p4-request", edits{cardAt + "accountNumber": "4111111111111112"})
	ask, err := asked(t, europe.with(cards.Profile{SkipLuhn: true}), "capture", wrong)
	if err != nil || ask.Decided != nil {
		t.Errorf("a check digit that is left to the network: %+v, %v", ask.Decided, err)
	}
}

// said is an answer, read back.
func said(t testing.TB, ask engine.ReserveAsk, r engine.ReserveResult) (out map[string]any) {
	t.Helper()
	text, err := ask.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := gsp.Decode(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// The sheet's answers, from what a network may say (§4.1, §4.4, §4.6).
func TestTheSheetsAnswers(t *testing.T) {
	passThrough := cards.Profile{NetworkResult: cards.PassThroughForm}
	noAVS := passThrough
	noAVS.AVSNotSent = cards.NotSentUnsupportedByNetwork
	match := cards.VerificationMatch
	for _, row := range []struct {
		method, request, answer string
		profile                 cards.Profile
		result                  engine.ReserveResult
		differs                 edits // from the example
	}{
		{"reserveFunds", "p1-request", "p1-response", passThrough, engine.ReserveResult{
			ReservationID: "nw-auth-000912", HoldUntil: time.UnixMilli(1767830401120), Outcome: payment.Outcome{
				Verdict: payment.Approved, Code: "00", Approval: "T48213", CVN: payment.CVNMatch, Brands: []string{"MASTERCARD"},
				AVS:    payment.AVSCheck{Raw: "Y", Line: payment.AVSMatch, PostalCode: payment.AVSMatch},
				Issuer: "BANCO-EX-17", IssuerCountry: "PT", CardKind: payment.Debit, NetworkID: "MCC5K2P9R0101",
			},
		}, edits{ // no network of ours looks at these
			"addressVerificationResult.result": edits{
				"rawAvsResult": "Y", "addressLine": match, "postalCodeNumber": match, "localityName": "SKIPPED_BY_NETWORK",
				"administrativeAreaName": "SKIPPED_BY_NETWORK", "countryCode": "SKIPPED_BY_NETWORK", "nameOnCard": "SKIPPED_BY_NETWORK",
			},
		}},
		{"capture", "p4-request", "p4-response", passThrough, engine.ReserveResult{
			ReservationID: "never said", CaptureID: "nw-cap-000431", Outcome: payment.Outcome{
				Verdict: payment.Refused, Decline: payment.InsufficientFunds, Code: "51", Brands: []string{"VISA"}, CardKind: payment.Credit,
			},
		}, edits{"additionalTransactionProcessingResult": absent, "paymentIntegratorCaptureId": absent}}, // both on success only
		{"capture", "p4-request", "p4-response", passThrough, engine.ReserveResult{
			ReservationID: "never said", CaptureID: "nw-cap-000431", Outcome: payment.Outcome{
				Verdict: payment.Approved, Code: "00", AdviceCode: "01", Approval: "T1", Brands: []string{"VISA"}, CardKind: payment.Credit,
			},
		}, edits{"result": "SUCCESS", "cardNetworkResult": edits{"authorizationCode": "T1", "passThroughResponseCodes": edits{
			"iso8583V1987ResponseCode": edits{"value": "00"}, "merchantAdviceCode": edits{"value": "01"},
		}}}},
		{"verify", "p6-request", "p6-response", noAVS, engine.ReserveResult{
			Outcome: payment.Outcome{
				Verdict: payment.Approved, Code: "85", Approval: "009114", CVN: payment.CVNMatch, IssuerCountry: "DE", Brands: []string{"AMEX"},
				CardKind: payment.Credit,
			},
		}, edits{"fundsTransferFlow": "SUPPORTED"}}, // nothing tells us that a card cannot
	} {
		ask, err := asked(t, europe.with(row.profile), row.method, golden(t, row.request))
		if err != nil {
			t.Fatal(err)
		}
		text, err := ask.Encode(row.result)
		if err != nil {
			t.Fatal(err)
		}
		got, want := gsptest.Canonical(t, text), gsptest.Canonical(t, edited(t, row.answer, row.differs))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got  %s\nwant %s", row.answer, got, want)
		}
	}
}

// Which flows a card works with (§4.6).
func TestFlows(t *testing.T) {
	approved := payment.Outcome{Verdict: payment.Approved, Code: "00"}
	for name, row := range map[string]struct {
		result            engine.ReserveResult
		transfer, reserve string
	}{
		"approved":                {engine.ReserveResult{Outcome: approved}, "SUPPORTED", "SUPPORTED"},
		"a network without holds": {engine.ReserveResult{Outcome: approved, SellsOnly: true}, "SUPPORTED", "NOT_SUPPORTED"},
		"declined":                {engine.ReserveResult{Outcome: refused(payment.CardExpired)}, "NOT_SUPPORTED", "NOT_SUPPORTED"},
		"declined, and no holds": {
			engine.ReserveResult{Outcome: refused(payment.CardExpired), SellsOnly: true}, "NOT_SUPPORTED", "NOT_SUPPORTED",
		},
	} {
		ask, err := asked(t, europe, "verify", golden(t, "p6-request"))
		if err != nil {
			t.Fatal(err)
		}
		got := said(t, ask, row.result)
		if got["fundsTransferFlow"] != row.transfer || got["reserveCaptureFlow"] != row.reserve {
			t.Errorf("%s: %v", name, got)
		}
		if _, ok := got["additionalTransactionProcessingResult"]; ok != (row.result.Outcome.Verdict == payment.Approved) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func refused(why payment.Reason) payment.Outcome {
	return payment.Outcome{Verdict: payment.Refused, Code: "05", Decline: why}
}

// What is said of checks that were not asked for, could not be made, or were made (§3.6, §3.7), in every method.
func TestChecks(t *testing.T) {
	avs := func(raw string, unsupported bool) payment.AVSCheck {
		return payment.AVSCheck{Raw: raw, Unsupported: unsupported}
	}
	network := edits{"sentUnsupported": edits{"reason": "UNSUPPORTED_BY_NETWORK"}}
	issuer := edits{"sentUnsupported": edits{"reason": "UNSUPPORTED_BY_ISSUER"}}
	notSent := func(word string) edits { return edits{"notSent": edits{"support": word}} }
	silent := cards.Profile{CVNNotSent: cards.CvnNotSentUnsupportedByIssuer, AVSNotSent: cards.NotSentSupportNotKnown}
	for name, row := range map[string]struct {
		edit    edits
		profile cards.Profile
		outcome payment.Outcome
		address edits
		cvn     string
	}{
		"nothing sent": {
			edits{"addressVerificationData": absent, "cvn": absent},
			cards.Profile{},
			payment.Outcome{Code: "00"},
			notSent("SUPPORTED"),
			"NOT_SENT_SUPPORTED",
		},
		"nothing sent, by contract": {
			edits{"addressVerificationData": absent, "cvn": absent},
			silent,
			payment.Outcome{Code: "00"},
			notSent("AVS_SUPPORT_NOT_KNOWN"),
			"NOT_SENT_UNSUPPORTED_BY_ISSUER",
		},
		"an empty address": {
			edits{"addressVerificationData": edits{"addressLine": []any{""}, "postalCodeNumber": ""}},
			cards.Profile{},
			payment.Outcome{Code: "00"},
			notSent("SUPPORTED"), "NOT_SPECIFIED",
		},
		"a number that was not verified": {nil, silent, payment.Outcome{Code: "00", CVN: payment.CVNNotVerified}, network, "NOT_VERIFIED"},
		"no letters":                     {nil, silent, payment.Outcome{Code: "00"}, network, "NOT_SPECIFIED"},
		"an issuer without them": {
			nil, silent, payment.Outcome{Code: "00", AVS: avs("S", true), CVN: payment.CVNIssuerUnsupported}, issuer, "UNSUPPORTED_BY_ISSUER",
		},
		"no network asked": {nil, silent, payment.Outcome{}, network, "NOT_VERIFIED"},
		"a letter, every member": {
			nil,
			cards.Profile{},
			payment.Outcome{Code: "00", AVS: avs("R", false), CVN: payment.CVNNoMatch},
			edits{"result": edits{
				"rawAvsResult": "R", "addressLine": "NOT_SPECIFIED", "postalCodeNumber": "NOT_SPECIFIED", "localityName": "SKIPPED_BY_NETWORK",
				"administrativeAreaName": "SKIPPED_BY_NETWORK", "countryCode": "SKIPPED_BY_NETWORK", "nameOnCard": "SKIPPED_BY_NETWORK",
			}},
			"MISMATCH",
		},
	} {
		for method, example := range map[string]string{"reserveFunds": "p1-request", "capture": "p1-request", "verify": "p6-request"} {
			edit := edits{"addressVerificationData": edits{"postalCodeNumber": "4050-262", "countryCode": "PT"}}
			cvn := map[bool]string{true: "card.cvn", false: cardAt + "cvn"}[method == "verify"]
			for path, v := range row.edit {
				if path == "cvn" {
					path = cvn
				}
				edit[path] = v
			}
			ask, err := asked(t, europe.with(row.profile), method, edited(t, example, edit))
			if err != nil {
				t.Fatal(err)
			}
			row.outcome.Verdict, row.outcome.Decline = payment.Refused, payment.DoNotHonor
			got := said(t, ask, engine.ReserveResult{Outcome: row.outcome})
			if got["cvnResult"] != row.cvn || !reflect.DeepEqual(got["addressVerificationResult"], any(row.address)) {
				t.Errorf("%s, %s: %v %v", method, name, got["cvnResult"], got["addressVerificationResult"])
			}
		}
	}
}

// §3.4: what is said of the stored credential, beside SUCCESS only.
func TestStoredCredentialResults(t *testing.T) {
	for name, row := range map[string]struct {
		example string
		outcome payment.Outcome
		want    edits
	}{
		"used": {"p1-request", payment.Outcome{NetworkID: "MCC1", LinkID: "TL-1"}, edits{"storedCredentialInformationSuccessful": edits{
			"networkTransactionIdentifier": "MCC1", "supplementaryNetworkTransactionIdentifier": "TL-1",
		}}},
		"no id": {"p1-request", payment.Outcome{}, edits{"storedCredentialInformationUnsupported": edits{
			"reasonDescription": "the network gave no transaction identifier",
		}}},
		"none sent": {"p4-request", payment.Outcome{NetworkID: "MCC1"}, edits{"storedCredentialInformationNotSent": edits{}}},
	} {
		for _, method := range []string{"reserveFunds", "capture"} {
			ask, err := asked(t, europe, method, golden(t, row.example))
			if err != nil {
				t.Fatal(err)
			}
			row.outcome.Verdict, row.outcome.Code = payment.Approved, "00"
			got := said(t, ask, engine.ReserveResult{Outcome: row.outcome})["additionalTransactionProcessingResult"]
			if !reflect.DeepEqual(got, any(row.want)) {
				t.Errorf("%s, %s: %v", method, name, got)
			}
		}
	}
}

// The stored credential of a check has two places, and the check no required union (§4.6, §12 point 11).
func TestStoredCredentialsOfChecks(t *testing.T) {
	cit := edits{"customerInitiated": edits{"transactionIntentClassification": "RECURRING", "instrumentStorageType": "FIRST"}}
	want := payment.StoredCredential{Initiator: payment.ByCustomer, Intent: payment.Recurring, StorageAsStated: "FIRST"}
	for name, edit := range map[string]edits{
		"at the top": {"storedCredentialTransactionInformation": cit},
		"inside":     {options + "storedCredentialTransactionInformation": cit},
	} {
		ask, err := asked(t, europe, "verify", edited(t, "p6-request", edit))
		if err != nil || ask.Order.Stored != want {
			t.Errorf("%s: %v %+v", name, err, ask.Order.Stored)
			continue
		}
		approved := payment.Outcome{Verdict: payment.Approved, Code: "00", NetworkID: "MCC1"}
		got := said(t, ask, engine.ReserveResult{Outcome: approved})["additionalTransactionProcessingResult"]
		if !reflect.DeepEqual(got, any(edits{"storedCredentialInformationSuccessful": edits{"networkTransactionIdentifier": "MCC1"}})) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, row := range map[string]struct {
		edit edits
		kind fault.Kind
		says string
	}{
		"both": {
			edits{"storedCredentialTransactionInformation": cit, options + "storedCredentialTransactionInformation": cit},
			fault.Invalid,
			"storedCredentialTransactionInformation",
		},
		"no card":        {edits{"card": absent}, fault.Missing, "card"},
		"no currency":    {edits{"currencyCode": absent}, fault.Missing, "currencyCode"},
		"other currency": {edits{"currencyCode": "USD"}, fault.Invalid, "currencyCode"},
		"no description": {edits{"transactionDescription": absent}, fault.Missing, "transactionDescription"},
		"no category":    {edits{"merchantCategoryCode": absent}, fault.Missing, "merchantCategoryCode"},
		"two exemptions": {
			edits{options + "scaLowValueTransaction": edits{}, options + "scaTransactionRiskAnalysis": edits{}}, fault.Invalid, "sca_exemption_type",
		},
	} {
		_, err := asked(t, europe, "verify", edited(t, "p6-request", row.edit))
		if kind, public := fault.Of(err); err == nil || kind != row.kind || !strings.Contains(public, row.says) {
			t.Errorf("%s: got %v %q", name, kind, public)
		}
	}
}

// §7.1, by method: x is free, ? must be listed by the account, - is never said.
var sheet = map[string]string{ // P1, P4, P6
	"SUCCESS": "xxx", "ISSUER_DECLINED": "xxx", "DO_NOT_HONOR": "xxx", "INSUFFICIENT_FUNDS": "xxx", "CARD_NUMBER_INVALID": "xxx",
	"CARD_EXPIRED": "xxx", "CARD_EXPIRATION_DATE_INVALID": "xxx", "CARD_LOST_OR_STOLEN": "xxx", "CARD_NOT_ACTIVATED": "xxx",
	"CARD_CANCELLED": "xxx", "RESTRICTED_CARD": "x?x", "CVN_MISMATCH": "xxx", "SUSPECTED_FRAUD": "xxx", "TRANSACTION_INVALID": "xxx",
	"TRANSACTION_NOT_ALLOWED": "xxx", "TRANSACTION_COULD_NOT_BE_ROUTED": "xxx", "TRANSACTION_EXCEEDS_AMOUNT_LIMIT": "xxx",
	"TRANSACTION_UNDER_AMOUNT_LIMIT": "x?x", "CARD_ACTIVITY_EXCEEDS_AMOUNT_LIMIT": "xxx", "CARD_ACTIVITY_EXCEEDS_COUNT_LIMIT": "xxx",
	"STRONG_CUSTOMER_AUTHENTICATION_REQUIRED": "xx-", "CARD_AUTHENTICATION_EXPIRED": "x?x", "RECURRING_PAYMENT_NOT_SUPPORTED": "x?x",
	"NETWORK_TIMEOUT": "x?x",
}

func TestResultCodes(t *testing.T) {
	var every cards.Profile
	for code := range sheet {
		if code != "SUCCESS" {
			every.Emit = append(every.Emit, cards.ReserveFundsResultCode(code))
		}
	}
	methods := []string{"reserveFunds", "capture", "verify"}
	examples := []string{"p1-request", "p4-request", "p6-request"}
	say := func(n int, p cards.Profile, why payment.Reason) string {
		ask, err := asked(t, europe.with(p), methods[n], golden(t, examples[n]))
		if err != nil {
			t.Fatal(err)
		}
		text, err := ask.Encode(engine.ReserveResult{Outcome: refused(why)})
		if kind, _ := fault.Of(err); err != nil && kind == fault.Unavailable {
			return "503"
		}
		var out struct {
			Result string `json:"result"`
		}
		if err := gsp.Decode(text, &out); err != nil {
			t.Fatal(err)
		}
		return out.Result
	}
	reached := map[string]string{"SUCCESS": "xxx"}
	for _, why := range gsptest.Reasons(t) {
		word, marks := say(0, cards.Profile{}, why), ""
		for n := range methods {
			plain, listed := say(n, cards.Profile{}, why), say(n, every, why)
			instead := "ISSUER_DECLINED"
			if why == payment.NetworkTimeout || why == payment.IssuerUnavailable {
				instead = "503"
			}
			switch {
			case plain == word && listed == word:
				marks += "x"
			case plain == instead && listed == word:
				marks += "?"
			case plain == instead && listed == instead:
				marks += "-"
			default:
				t.Errorf("%s, %s: %s, where listed %s", why, methods[n], plain, listed)
			}
		}
		if word != "503" {
			reached[word] = marks
		}
	}
	if !maps.Equal(reached, sheet) {
		t.Errorf("reached %v\nwant    %v", reached, sheet)
	}
	for why, want := range map[payment.Reason]string{ // §7.2, where it is not the word alone
		payment.IssuerUnavailable: "503", payment.AuthenticationFailed: "ISSUER_DECLINED", payment.StopPayment: "ISSUER_DECLINED",
		payment.ConsentRevoked: "ISSUER_DECLINED", payment.PINMismatch: "ISSUER_DECLINED", payment.BirthOrBusinessNo: "ISSUER_DECLINED",
		"a reason of tomorrow": "ISSUER_DECLINED",
	} {
		for n, method := range methods {
			if got := say(n, every, why); got != want {
				t.Errorf("%s, %s: %s", method, why, got)
			}
		}
	}
}

func TestProfileCheck(t *testing.T) {
	for _, good := range []cards.Profile{
		{},
		{Emit: []cards.ReserveFundsResultCode{"NETWORK_TIMEOUT"}, NetworkResult: "passThrough"},
		{CVNNotSent: cards.CvnNotSentUnsupportedByIntegrator, AVSNotSent: cards.NotSentUnsupportedByIntegrator},
		{FraudTypes: map[string]cards.FraudType{"6": "STOLEN"}},
	} {
		if err := (Profile{good}).Check(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []cards.Profile{
		{Emit: []cards.ReserveFundsResultCode{"PIN_MISMATCH"}},
		{Emit: []cards.ReserveFundsResultCode{""}},
		{NetworkResult: "both"},
		{RefundCodes: []cards.RefundResultCode{"CARD_CANCELLED"}}, // all of them have evidence here
		{CVNNotSent: "NOT_VERIFIED"},
		{AVSNotSent: "NOT_SENT_AVS_SUPPORT_UNSPECIFIED"},
	} {
		if err := (Profile{bad}).Check(); err == nil {
			t.Errorf("%+v passes", bad)
		}
		if _, err := NewService(nil, map[string]Profile{"A": {bad}}); err == nil {
			t.Errorf("%+v is served", bad)
		}
	}
}

// The network's code in both forms, and in the two editions of its table (§3.9).
func TestNetworkResults(t *testing.T) {
	for name, row := range map[string]struct {
		form    cards.NetworkResultForm
		outcome payment.Outcome
		want    edits
	}{
		"raw": {cards.RawForm, payment.Outcome{Code: "N4", AdviceCode: "03"}, edits{"rawResult": edits{"scope": "Iso8583Code", "rawCode": "N4"}}},
		"1987": {cards.PassThroughForm, payment.Outcome{Code: "51", AdviceCode: "03"}, edits{"passThroughResponseCodes": edits{
			"iso8583V1987ResponseCode": edits{"value": "51"}, "merchantAdviceCode": edits{"value": "03"},
		}}},
		"1993": {cards.PassThroughForm, payment.Outcome{Code: "116"}, edits{"passThroughResponseCodes": edits{
			"iso8583V1993ResponseCode": edits{"value": "116"},
		}}},
		"none":      {cards.PassThroughForm, payment.Outcome{}, edits{"cardNetworkResultNotAvailable": edits{}}},
		"none, raw": {cards.RawForm, payment.Outcome{}, edits{"cardNetworkResultNotAvailable": edits{}}},
	} {
		ask, err := asked(t, europe.with(cards.Profile{NetworkResult: row.form}), "capture", golden(t, "p4-request"))
		if err != nil {
			t.Fatal(err)
		}
		row.outcome.Verdict, row.outcome.Decline = payment.Refused, payment.DoNotHonor
		if got := said(t, ask, engine.ReserveResult{Outcome: row.outcome})["cardNetworkResult"]; !reflect.DeepEqual(got, any(row.want)) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
