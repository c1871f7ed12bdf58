package e2e

import (
	"strconv"
	"strings"
)

// api is an API as Google uses it: for whom, where its methods stand, and what a good request of each says. Tables are written with
// the sections of Korea Cards v1; sections are those of this API's sheet in their place.
type api struct {
	name, prefix          string
	first, second, closed string // its accounts
	currency              string // of its examples
	examples              map[string]string
	sections              *strings.Replacer
}

// apis are the two of cards, which share all rules that are not their own.
var apis = []*api{korea, fop}

var korea = &api{
	name: "korea-cards-v1", prefix: "/v1/payment-integrator-korea-cards-api/", first: first, second: second, closed: closed, currency: "KRW",
	examples: koreanExamples, sections: strings.NewReplacer(),
}

var fop = &api{
	name: "card-fop-v1", prefix: "/v1/payment-integrator-card-fop-api/", first: firstFOP, second: secondFOP, closed: closedFOP,
	currency: "EUR", examples: fopExamples,
	sections: strings.NewReplacer(
		"gsp-core §", "gsp-core §", "Korea §10", "Card FOP §9", "Korea §4.4", "Card FOP §4.5", "Korea §", "Card FOP §",
		"P4 §4.4", "P5 §4.5", "P4 §10", "P5 §9", "P4 §", "P5 §", "P5 §3.4", "P6 §3.3", "P6 §2.2", "P7 §4.7", "P6 §", "P7 §",
		"§3.6: ", "§3.5: ", "§3.4: ", "§3.3: ", "§4.4: ", "§4.5: ", "§4.5: ", "§4.6: ", ", §10: ", ", §9: ", "a won", "a minor unit",
	),
}

// upi is the API of payouts. Its rows are named by those of disburse v1 §11.
var upi = &api{
	name: "disburse-v1", prefix: "/v1/", first: firstPay, second: secondPay, currency: "INR",
	examples: map[string]string{
		"echo": `{"clientMessage": "namaste"}`,
		pay:    `{"transactionDescription": "Reward 4711", "currencyCode": "INR", "amount": "125500000", "upiDetails": {"vpa": "success@sim"}}`,
	},
	sections: strings.NewReplacer(
		"Korea §10: another verb", "§2: another verb",
		"Korea §10: not decryptable", "§11 1: not decryptable", "Korea §10: unknown encryption key", "§11 1: unknown encryption key",
		"Korea §10: revoked encryption key", "§11 1: revoked encryption key",
		"Korea §10: not signed", "§11 2: not signed", "Korea §10: unknown signing key", "§11 2: unknown signing key",
		"Korea §10: inactive signing key", "§11 2: inactive signing key",
		"Korea §10: not strict JSON", "§11 3: not strict JSON", "Korea §10: other major version", "§11 4: other major version",
		"Korea §10: timestamp", "§11 5: timestamp", "Korea §10: no ", "§11 6: no ", "Korea §10: without ", "§11 6: without ",
		"gsp-core §8: null in ", "§11 6: null in ", "Korea §10: request id ", "§11 7: request id ",
		"Korea §10: unknown account", "§11 8: unknown account", "Korea §10: account not enabled", "§11 9: account not enabled",
		"Korea §10: key reused ", "§11 14: key reused ",
	),
}

// path is where a method stands; two have no part in the common prefix (§1.2 of both sheets).
func (a *api) path(method string) string {
	switch method {
	case "echo":
		return "/v1/echo"
	case defend:
		return "/v1/payment-integrator-dispute-api/" + defend
	}
	return a.prefix + method
}

func (a *api) owns(account string) bool {
	return account == a.first || account == a.second || account == a.closed
}

// as is the world with a Google that speaks another API.
func (w *world) as(a *api) *world {
	inner := *w
	inner.api = a
	return &inner
}

// sum is an amount in minor units, as the network has it. A request says it in micros of its own currency, or of the API's.
type sum int64

func (s sum) in(a *api, named any) string {
	unit, known := micros[a.currency], false
	if code, ok := named.(string); ok {
		if unit, known = micros[code]; !known {
			unit = micros[a.currency]
		}
	}
	return strconv.FormatInt(int64(s)*unit, 10)
}

// micros is how many of them the minor unit of a currency has (ISO 4217; §2.2 of both sheets).
var micros = map[string]int64{"KRW": 1_000_000, "JPY": 1_000_000, "EUR": 10_000, "USD": 10_000, "INR": 10_000, "KWD": 1_000}

// koreanExamples are the sheet's own (Korea Cards v1 §4), with the holder's data of the card that knows them.
var koreanExamples = map[string]string{
	"echo": `{"clientMessage": "annyeong"}`,
	reserve: `{
		"accountDetails": {"card": {"accountNumber": "9999990000000006", "nameOnCard": "SEO JIHUN", "expiryMonth": "12", "expiryYear": "29"}},
		"currencyCode": "KRW", "amount": "12900000000", "transactionDescription": "GOOGLE*Star Farm", "merchantCategoryCode": "5816",
		"additionalTransactionProcessingOptions": {
			"userSelectedProcessingNetworkTypeNotApplicable": {}, "electronicCommerceIndicatorNotApplicable": {},
			"threeDSecureNotAppplicable": {}, "storedCredentialTransactionInformationNotApplicable": {},
			"pin": "47", "dateOfBirth": "1991-04-17",
			"connectingInformation": "5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g=="}}`,
	capture: `{"reservationRequestId": "", "amount": "12900000000"}`,
	cancel:  `{"reservationRequestId": ""}`,
	refund:  `{"captureRequestId": "", "refundAmount": "4000000000"}`,
	verify: `{
		"card": {"accountNumber": "9999990000000006", "nameOnCard": "SEO JIHUN", "expiryMonth": "12", "expiryYear": "29"},
		"currencyCode": "KRW", "transactionDescription": "GOOGLE*Card check", "merchantCategoryCode": "5815",
		"pin": "47", "dateOfBirth": "1991-04-17",
		"connectingInformation": "5wLdXA7VRrU6q/dXllJKbBBD2FUJ92h83TNuE/S9vE5sBEF+4XI0H0SGt13GirZjl1/XFPNLLrWFUxgm19E4/g=="}`,
	inspect: `{
		"card": {"accountNumber": "9999990000000006", "nameOnCard": "SEO JIHUN", "expiryMonth": "12", "expiryYear": "29"},
		"merchantCategoryCodeNotPresent": {}, "pin": "47", "dateOfBirth": "1991-04-17"}`,
	defend: `{"captureRequestId": "", "defenseMaterialDocument": {"mimeType": "APPLICATION_PDF", "payload": "JVBERi0xLjcKJcK1wrYKCg"}}`,
}

// fopExamples are those of Card FOP v1 §4: no holder's data, and a reservation in full.
var fopExamples = map[string]string{
	"echo": `{"clientMessage": "ping 0001"}`,
	reserve: `{
		"accountDetails": {"card": {
			"accountNumber": "9999990000000006", "nameOnCard": "INES DUARTE", "expiryMonth": "12", "expiryYear": "29", "cvn": "737"}},
		"currencyCode": "EUR", "amount": "49990000", "transactionDescription": "GOOGLE*Puzzle Box", "merchantCategoryCode": "5816",
		"addressVerificationData": {"addressLine": ["Rua das Flores 8"], "localityName": "Porto", "administrativeAreaName": "Porto",
			"postalCodeNumber": "4050-262", "countryCode": "PT"},
		"additionalTransactionProcessingOptions": {
			"userSelectedProcessingNetworkTypeNotApplicable": {}, "electronicCommerceIndicator": "02",
			"threeDSecureAuthenticationDetails": {
				"directoryServerTransactionId": "0f3d6c5e-8a41-4f0e-9f55-2b6f2f0f7c11", "cavv": "kBMI1mH9wqAAAAAAAAAAAAAAAAA=",
				"threeDsVersion": "2.2.0", "threeDsServerTransactionId": "d9b7f7a4-6d0f-4c8e-8c62-1f0e6f3a9b20"},
			"storedCredentialTransactionInformation": {"customerInitiated": {
				"transactionIntentClassification": "RECURRING", "instrumentStorageType": "STORED_BY_THIS_PAYMENT"}},
			"scaExemptionNotApplicable": {}}}`,
	capture: `{"reservationRequestId": "", "amount": "39990000"}`,
	cancel:  `{"reservationRequestId": ""}`,
	sell: `{
		"accountDetails": {"card": {"accountNumber": "9999990000000006", "nameOnCard": "TOMAS BERG", "expiryMonth": "12", "expiryYear": "29"}},
		"currencyCode": "EUR", "amount": "4990000", "transactionDescription": "GOOGLE*Cloud Save", "merchantCategoryCode": "5817",
		"additionalTransactionProcessingOptions": {
			"userSelectedProcessingNetworkTypeNotApplicable": {}, "electronicCommerceIndicatorNotApplicable": {},
			"threeDSecureNotAppplicable": {}, "storedCredentialTransactionInformationNotApplicable": {}}}`,
	refund: `{"captureRequestId": "", "refundAmount": "15000000"}`,
	verify: `{
		"card": {"accountNumber": "9999990000000006", "nameOnCard": "LENA VOSS", "expiryMonth": "12", "expiryYear": "29", "cvn": "737"},
		"currencyCode": "EUR", "transactionDescription": "GOOGLE*Card check", "merchantCategoryCode": "5815"}`,
	defend: `{"captureRequestId": "", "defenseMaterialDocument": {"mimeType": "APPLICATION_PDF", "payload": "JVBERi0xLjcKJcK1wrYKCg"}}`,
}
