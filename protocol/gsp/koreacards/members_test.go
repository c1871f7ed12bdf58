package koreacards

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

// merged is an example with the members of a message put over its own.
func merged(t *testing.T, example, members string) []byte {
	t.Helper()
	var over edits
	if err := json.Unmarshal([]byte(members), &over); err != nil {
		t.Fatal(err)
	}
	return edited(t, example, over)
}

// The members of a card check that its examples do not have, one of each union (§4.5, §4.8, §14 point 20), and what they ask of the
// network.
func TestOtherMembersOfCardChecksAreRead(t *testing.T) {
	const older = `{"card":{"accountNumber":"4111111111111111","nameOnCard":"HANBIT TRADING","expiryMonth":"02","expiryYear":"30",
		"issuanceDateMonth":"02","issuanceDateYear":"20"}}`
	hold, zero := cardChecks[0], cardChecks[1]
	for _, row := range []struct {
		check   cardCheck
		members string // a VerifyCardWithMinimumReservationRequest or a VerifyCardWithZeroAmountRequest
		ask     func(*payment.AuthOrder)
	}{
		{hold, older, func(*payment.AuthOrder) {}},
		{zero, older, func(o *payment.AuthOrder) { hold := askOf(t, hold).Order; o.PAN, o.Expiry = hold.PAN, hold.Expiry }},
		{hold, `{"businessIdentifier":null,"dateOfBirth":"1991-04-17"}`, func(o *payment.AuthOrder) {
			o.Holder.BusinessNumber, o.Holder.BirthDate = payment.Holder{}.BusinessNumber, askOf(t, zero).Order.Holder.BirthDate
		}},
		{hold, `{"storedCredentialTransactionInformation":{"merchantInitiated":{"transactionIntentClassification":"RECURRING",
			"previousTransactionInformation":{"networkTransactionIdentifier":"583103536844189"}}}}`, func(o *payment.AuthOrder) {
			o.Stored = payment.StoredCredential{
				Initiator: payment.ByMerchant, Intent: payment.Recurring, StoredBefore: true, EarlierNetwork: "583103536844189",
			}
		}},
		{hold, `{"storedCredentialTransactionInformation":{"merchantInitiated":{"transactionIntentClassification":"INSTALLMENT",
			"previousTransactionInformationNotProvided":{}}}}`, func(o *payment.AuthOrder) {
			o.Stored = payment.StoredCredential{Initiator: payment.ByMerchant, Intent: payment.Instalment, StoredBefore: true}
		}},
		{hold, `{"additionalTransactionProcessingOptions":{"userSelectedProcessingNetworkType":"CREDIT","electronicCommerceIndicator":"05",
			"threeDSecureAuthenticationDetails":{"directoryServerTransactionId":"3b2c7b0e-6a4f-4d0e-9a57-0f6f1c2d3e4f",
				"cavv":"AJkBBkhgQQAAAE4gSEJydQAAAAA=","threeDsVersion":"2.2.0",
				"threeDsServerTransactionId":"8a880dc0-d2d2-4067-bcb1-b08d1690b26e"},
			"storedCredentialTransactionInformation":{"customerInitiated":{"transactionIntentClassification":"UNSCHEDULED",
				"instrumentStorageType":"FIRST"}},"scaLowValueTransaction":{}}}`, func(o *payment.AuthOrder) {
			whole, err := reserveAsk(t, korea, golden(t, "p1-full"))
			if err != nil {
				t.Fatal(err)
			}
			o.Network, o.ECI, o.ThreeDS = whole.Order.Network, whole.Order.ECI, whole.Order.ThreeDS
			o.Stored = payment.StoredCredential{Initiator: payment.ByCustomer, Intent: payment.Unscheduled, StorageAsStated: "FIRST"}
		}},
		{hold, `{"additionalTransactionProcessingOptions":{"userSelectedProcessingNetworkType":"DEBIT","storedCredentialTransactionInformation":
			{"merchantInitiated":{"transactionIntentClassification":"RECURRING","previousTransactionInformation":
			{"networkTransactionIdentifier":"583103536844189"}}},"scaTransactionRiskAnalysis":{}}}`, func(o *payment.AuthOrder) {
			o.Network = payment.WishDebit
			o.Stored = payment.StoredCredential{
				Initiator: payment.ByMerchant, Intent: payment.Recurring, StoredBefore: true, EarlierNetwork: "583103536844189",
			}
		}},
		{
			hold, `{"additionalTransactionProcessingOptions":{"threeDSecureNotApplicable":{},"storedCredentialTransactionInformation":
			{"merchantInitiated":{"transactionIntentClassification":"RECURRING","previousTransactionInformationNotProvided":{}}}}}`,
			func(o *payment.AuthOrder) {
				o.Stored = payment.StoredCredential{Initiator: payment.ByMerchant, Intent: payment.Recurring, StoredBefore: true}
			},
		},
		{hold, `{"additionalTransactionProcessingOptions":{"userSelectedProcessingNetworkTypeNotApplicable":{},
			"electronicCommerceIndicatorNotApplicable":{},"threeDSecureNotAppplicable":{},
			"storedCredentialTransactionInformationNotApplicable":{},"scaExemptionNotApplicable":{}}}`, func(*payment.AuthOrder) {}},
		{hold, `{"pin":null,"connectingInformation":null,"businessIdentifier":null,"additionalTransactionProcessingOptions":{"pin":"93",
			"connectingInformation":"` + ci + `","dateOfBirth":"1991-04-17","businessIdentifier":"1234567891"}}`, func(o *payment.AuthOrder) {
			o.Holder.BirthDate = askOf(t, zero).Order.Holder.BirthDate
		}},
	} {
		want := askOf(t, row.check).Order
		row.ask(&want)
		got, err := row.check.ask(t, korea, merged(t, row.check.example, row.members))
		if err != nil || got.Decided != nil || !reflect.DeepEqual(got.Order, want) {
			t.Errorf("%s: %v, decided %v\ngot  %+v\nwant %+v", row.members, err, got.Decided, got.Order, want)
		}
	}
}

func askOf(t *testing.T, c cardCheck) engine.ReserveAsk {
	t.Helper()
	ask, err := c.ask(t, korea, golden(t, c.example))
	if err != nil {
		t.Fatal(err)
	}
	return ask
}

// Every form that the answer to a card check can have (§3.5, §3.7, §3.9, §4.5, §4.8).
func TestOtherAnswersToCardChecks(t *testing.T) {
	approved := payment.Outcome{
		Verdict: payment.Approved, Code: "85", AdviceCode: "01", Approval: "30118799", Issuer: "EXAMPLE CARD CO", IssuerCountry: "KR",
		Brands: []string{"VISA"}, CardKind: payment.Prepaid, CVN: payment.CVNMatch, NetworkID: "583103536844190", LinkID: "TL-0001",
		AVS: payment.AVSCheck{Raw: "Z", Line: payment.AVSNoMatch, PostalCode: payment.AVSMatch},
	}
	older := payment.Outcome{Verdict: payment.Approved, Code: "000", CardKind: payment.Debit}
	for _, row := range []struct {
		example string
		outcome payment.Outcome
		answer  string // a VerifyCardWithMinimumReservationResponse or a VerifyCardWithZeroAmountResponse
	}{
		{"p5-full", approved, `{"cardNetworkResult":{"passThroughResponseCodes":{"iso8583V1987ResponseCode":{"value":"85"},
			"merchantAdviceCode":{"value":"01"}},"authorizationCode":"30118799"},
			"addressVerificationResult":{"result":{"rawAvsResult":"Z","addressLine":"MISMATCH",
			"localityName":"SKIPPED_BY_NETWORK","administrativeAreaName":"SKIPPED_BY_NETWORK","postalCodeNumber":"MATCH",
			"countryCode":"SKIPPED_BY_NETWORK","nameOnCard":"SKIPPED_BY_NETWORK"}},"cvnResult":"MATCH","cardMetadata":{"issuerName":
			"EXAMPLE CARD CO","issuingCountryCode":"KR","networks":["VISA"],"cardType":"PREPAID_CARD"},"fundsTransferFlow":"NOT_SUPPORTED",
			"reserveCaptureFlow":"SUPPORTED","additionalTransactionProcessingResult":{"storedCredentialInformationSuccessful":
			{"networkTransactionIdentifier":"583103536844190","supplementaryNetworkTransactionIdentifier":"TL-0001"}},"result":"SUCCESS"}`},
		{"p8-full", approved, `{"cardNetworkResult":{"passThroughResponseCodes":{"iso8583V1987ResponseCode":{"value":"85"},
			"merchantAdviceCode":{"value":"01"}},"authorizationCode":"30118799"},
			"addressVerificationResult":{"result":{"rawAvsResult":"Z","addressLine":"MISMATCH",
			"localityName":"SKIPPED_BY_NETWORK","administrativeAreaName":"SKIPPED_BY_NETWORK","postalCodeNumber":"MATCH",
			"countryCode":"SKIPPED_BY_NETWORK","nameOnCard":"SKIPPED_BY_NETWORK"}},"cvnResult":"MATCH","result":"SUCCESS"}`},
		{"p5-full", older, `{"cardNetworkResult":{"passThroughResponseCodes":{"iso8583V1993ResponseCode":{"value":"000"}}},
			"addressVerificationResult":{"sentUnsupported":{"reason":"UNSUPPORTED_BY_NETWORK"}},
			"cvnResult":"NOT_SPECIFIED","cardMetadata":{"cardType":"DEBIT_CARD"},
			"fundsTransferFlow":"NOT_SUPPORTED","reserveCaptureFlow":"SUPPORTED","additionalTransactionProcessingResult":
			{"storedCredentialInformationUnsupported":{"reasonDescription":"the network gave no transaction identifier"}},"result":"SUCCESS"}`},
		{"p8-full", older, `{"cardNetworkResult":{"passThroughResponseCodes":{"iso8583V1993ResponseCode":{"value":"000"}}},
			"addressVerificationResult":{"sentUnsupported":{"reason":"UNSUPPORTED_BY_NETWORK"}},
			"cvnResult":"NOT_SPECIFIED","result":"SUCCESS"}`},
		{"p5-full", payment.Outcome{Verdict: payment.Refused, Decline: payment.PINMismatch}, `{"cardNetworkResult":
			{"cardNetworkResultNotAvailable":{}},"addressVerificationResult":{"sentUnsupported":{"reason":"UNSUPPORTED_BY_NETWORK"}},
			"cvnResult":"NOT_VERIFIED","cardMetadata":{"cardType":"INTEGRATOR_CANNOT_SPECIFY_CARD_TYPE"},
			"fundsTransferFlow":"NOT_SUPPORTED","reserveCaptureFlow":"NOT_SUPPORTED","result":"PIN_MISMATCH"}`},
		{"p8-full", payment.Outcome{Verdict: payment.Refused, Decline: payment.CardExpired}, `{"cardNetworkResult":
			{"cardNetworkResultNotAvailable":{}},"addressVerificationResult":{"sentUnsupported":{"reason":"UNSUPPORTED_BY_NETWORK"}},
			"cvnResult":"NOT_VERIFIED","result":"CARD_EXPIRED"}`},
	} {
		ask := map[string]func(testing.TB, terms, []byte) (engine.ReserveAsk, error){"p5-full": verifyHoldAsk, "p8-full": checkAsk}[row.example]
		got, err := ask(t, korea.with(Profile{Profile: cards.Profile{NetworkResult: cards.PassThroughForm}}), golden(t, row.example))
		if err != nil {
			t.Fatal(err)
		}
		text := canonical(t, []byte(answer(t, got, engine.ReserveResult{Outcome: row.outcome})))
		if want := canonical(t, []byte(row.answer)); !bytes.Equal(text, want) {
			t.Errorf("%s: got  %s\nwant %s", row.example, text, want)
		}
	}
}

// A cancel's verdict with the network's code, which the sheet's example does not have (§5.2).
func TestCancelVerdictWithACode(t *testing.T) {
	peer := gsptest.Says("SUCCESS")
	n := notifier(t, cards.NotifierConfig{Client: peer, Network: "BC"}, Profile{})
	n.Send(t.Context(), engine.Notice{
		ID: "n", Kind: engine.CancelResult, Account: "HanbitPG_KRW", Subject: "KR-CXL-0a91-0001", Result: "SUCCESS", Code: "0000",
	})
	body, err := gsp.Encode(peer.Heard[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"cancelFundsReservationRequestId":"KR-CXL-0a91-0001","cancelFundsReservationResult":"SUCCESS",` +
		`"rawResult":{"scope":"BC","rawCode":"0000"}}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// Every kind of event in full, as a GspCardSettlementEntry of the file (§6.2) and in its array of a SettlementNotification (§5.9).
func TestEachEventInFull(t *testing.T) {
	var file bytes.Buffer
	if err := cards.WriteSettlementFile(&file, header, settlementOf("s", 1, allItems()), sequence(allItems(), nil)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(file.String()), "\n")[2:]
	for i, want := range []string{
		`{"entryId":"1","settlementEntryType":{"captureEvent":{"captureRequestId":"KR-CAP-77b0-0001",
			"paymentIntegratorCaptureId":"hb-cap-0000731","eventCharge":{"amountMicros":"12900000000","currencyCode":"KRW"},
			"eventFee":{"amountMicros":"-258000000","currencyCode":"KRW"},
			"eventVat":{"amountMicros":"-26000000","currencyCode":"KRW"}}}}`,
		`{"entryId":"2","settlementEntryType":{"refundEvent":{"asynchronousRefundRequestId":"KR-RFD-b61d-0001",
			"paymentIntegratorRefundId":"hb-rfd-0000088","eventCharge":{"amountMicros":"-4000000000","currencyCode":"KRW"},
			"eventFee":{"amountMicros":"0","currencyCode":"KRW"},"eventVat":{"amountMicros":"0","currencyCode":"KRW"}}}}`,
		`{"entryId":"3","settlementEntryType":{"reverseRefundEvent":{"asynchronousRefundRequestId":"KR-RFD-b61d-0001",
			"eventCharge":{"amountMicros":"4000000000","currencyCode":"KRW"},
			"eventFee":{"amountMicros":"-1000000","currencyCode":"KRW"},"eventVat":{"amountMicros":"0","currencyCode":"KRW"}}}}`,
		`{"entryId":"4","settlementEntryType":{"chargebackEvent":{"captureRequestId":"KR-CAP-77b0-0001",
			"paymentIntegratorChargebackNotificationRequestId":"hb-g6-0000005",
			"eventCharge":{"amountMicros":"-8900000000","currencyCode":"KRW"},
			"eventFee":{"amountMicros":"-1000000000","currencyCode":"KRW"},
			"eventVat":{"amountMicros":"-100000000","currencyCode":"KRW"}}}}`,
		`{"entryId":"5","settlementEntryType":{"reverseChargebackEvent":{"captureRequestId":"KR-CAP-77b0-0001",
			"paymentIntegratorChargebackReversedNotificationRequestId":"hb-g7-0000005",
			"eventCharge":{"amountMicros":"8900000000","currencyCode":"KRW"},"eventFee":{"amountMicros":"0","currencyCode":"KRW"},
			"eventVat":{"amountMicros":"0","currencyCode":"KRW"}}}}`,
		`{"entryId":"6","settlementEntryType":{"fundsReservationEvent":{"fundsReservationRequestId":"KR-VER-22a7-0001",
			"eventFee":{"amountMicros":"-11000000","currencyCode":"KRW"},
			"eventPresentmentDetails":{"presentmentAmount":{"amountMicros":"0","currencyCode":"KRW"},"nanoExchangeRate":"10000000000000"}}}}`,
		`{"entryId":"7","settlementEntryType":{"aggregateAdjustment":{
			"adjustmentAmount":{"amountMicros":"-15000000","currencyCode":"KRW"},"adjustmentType":{"aggregatedSchemeFees":{}}}}}`,
		`{"entryId":"8","settlementEntryType":{"miscellaneousAdjustment":{
			"adjustmentAmount":{"amountMicros":"70000000","currencyCode":"KRW"},
			"adjustmentDescription":"credit of 2 March was 70 won short"}}}`,
	} {
		if got, want := canonical(t, []byte(lines[i])), canonical(t, []byte(want)); !bytes.Equal(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}

	peer := &gsptest.Google{Answers: []gsp.Reply{successB(t)}}
	keep := &shelf{s: settlementOf("s", 1, allItems()), items: allItems()}
	notifier(t, cards.NotifierConfig{Client: peer, Settlements: keep}, Profile{}).Send(t.Context(), part("s", 0))
	body, err := gsp.Encode(peer.Heard[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"settlementId":"s","notificationOffset":0,"notificationTotal":1,"generatedTimestamp":{"epochMillis":"1773619100000"},
		"settlementPeriod":{"start":{"epochMillis":"1772409600000"},"end":{"epochMillis":"1773619200000"}},
		"settlementAmount":{"amountMicros":"11559000000","currencyCode":"KRW"},
		"captureEvents":[{"captureRequestId":"KR-CAP-77b0-0001","paymentIntegratorCaptureId":"hb-cap-0000731",
			"eventCharge":{"amountMicros":"12900000000","currencyCode":"KRW"},
			"eventFee":{"amountMicros":"-258000000","currencyCode":"KRW"},
			"eventVat":{"amountMicros":"-26000000","currencyCode":"KRW"}}],
		"refundEvents":[{"asynchronousRefundRequestId":"KR-RFD-b61d-0001","paymentIntegratorRefundId":"hb-rfd-0000088",
			"eventCharge":{"amountMicros":"-4000000000","currencyCode":"KRW"},"eventFee":{"amountMicros":"0","currencyCode":"KRW"},
			"eventVat":{"amountMicros":"0","currencyCode":"KRW"}}],
		"reverseRefundEvents":[{"asynchronousRefundRequestId":"KR-RFD-b61d-0001",
			"eventCharge":{"amountMicros":"4000000000","currencyCode":"KRW"},
			"eventFee":{"amountMicros":"-1000000","currencyCode":"KRW"},"eventVat":{"amountMicros":"0","currencyCode":"KRW"}}],
		"chargebackEvents":[{"captureRequestId":"KR-CAP-77b0-0001","paymentIntegratorChargebackNotificationRequestId":"hb-g6-0000005",
			"eventCharge":{"amountMicros":"-8900000000","currencyCode":"KRW"},
			"eventFee":{"amountMicros":"-1000000000","currencyCode":"KRW"},
			"eventVat":{"amountMicros":"-100000000","currencyCode":"KRW"}}],
		"reverseChargebackEvents":[{"captureRequestId":"KR-CAP-77b0-0001",
			"paymentIntegratorChargebackReversedNotificationRequestId":"hb-g7-0000005",
			"eventCharge":{"amountMicros":"8900000000","currencyCode":"KRW"},"eventFee":{"amountMicros":"0","currencyCode":"KRW"},
			"eventVat":{"amountMicros":"0","currencyCode":"KRW"}}],
		"fundsReservationEvents":[{"fundsReservationRequestId":"KR-VER-22a7-0001",
			"eventFee":{"amountMicros":"-11000000","currencyCode":"KRW"},
			"eventPresentmentDetails":{"presentmentAmount":{"amountMicros":"0","currencyCode":"KRW"},"nanoExchangeRate":"10000000000000"}}],
		"aggregateAdjustments":[{"adjustmentAmount":{"amountMicros":"-15000000","currencyCode":"KRW"},
			"adjustmentType":{"aggregatedSchemeFees":{}}}],
		"miscellaneousAdjustments":[{"adjustmentAmount":{"amountMicros":"70000000","currencyCode":"KRW"},
			"adjustmentDescription":"credit of 2 March was 70 won short"}]}`
	if got, want := canonical(t, body), canonical(t, []byte(want)); !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
