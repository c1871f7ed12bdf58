package koreacards

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

var won = money.Of("KRW")

var korea = terms{Terms: cards.Terms{
	API:     API,
	Account: engine.Account{ID: "HanbitPG_KRW", Currencies: []money.Currency{won}, Location: time.FixedZone("KST", 9*3600)},
	Now:     time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
}}

func (t terms) with(p Profile) terms { t.profile, t.Profile = p, p.Profile; return t }

type edits = gsptest.Edits

var (
	absent                    = gsptest.Absent
	golden, canonical, edited = gsptest.Golden, gsptest.Canonical, gsptest.Edited
)

// heard is the service before an engine that only listens, and a call of the account.
func heard(t testing.TB, at terms) (*Service, *gsptest.Engine, gsp.Call) {
	t.Helper()
	e := &gsptest.Engine{In: at.Account.Currencies[0]}
	s, err := NewService(e, map[string]Profile{at.Account.ID: at.profile})
	if err != nil {
		t.Fatal(err)
	}
	return s, e, gsp.Call{Account: at.Account, At: at.Now}
}

func captureAsk(t testing.TB, body []byte) (engine.CaptureAsk, error) {
	t.Helper()
	s, e, call := heard(t, korea)
	_, err := gsptest.Call(t, call, s.AsynchronousCaptureFundsReservation, body)
	return e.Captured, err
}

func cancelAsk(t testing.TB, body []byte) (engine.CancelAsk, error) {
	t.Helper()
	s, e, call := heard(t, korea)
	_, err := gsptest.Call(t, call, s.AsynchronousCancelFundsReservation, body)
	return e.Released, err
}

func reserveAsk(t testing.TB, at terms, body []byte) (engine.ReserveAsk, error) {
	t.Helper()
	var in ReserveFundsRequest
	if err := gsp.Decode(body, &in); err != nil {
		return engine.ReserveAsk{}, err
	}
	return at.reserveAsk(in)
}

const (
	cardAt    = "accountDetails.card."
	options   = "additionalTransactionProcessingOptions."
	threeDS   = options + "threeDSecureAuthenticationDetails."
	stored    = options + "storedCredentialTransactionInformation."
	customer  = stored + "customerInitiated."
	merchant  = stored + "merchantInitiated."
	addressAt = "addressVerificationData."
)

func TestReserveFundsIsReadWhole(t *testing.T) {
	pan, _ := card.ParsePAN("4242424242424242")
	for name, want := range map[string]payment.AuthOrder{
		"p1-request": {
			Amount: money.New(12900, won), PAN: pan, Expiry: card.Expiry{Year: 2029, Month: 8},
			MCC: "5816", Statement: "GOOGLE*Star Farm",
			Holder: payment.Holder{PINDigits: card.Conceal("47"), BirthDate: card.Conceal("910417"), CI: card.Conceal(ci)},
		},
		"p1-full": {
			Amount: money.New(12900, won), PAN: pan, Expiry: card.Expiry{Year: 2029, Month: 8}, CVN: card.Conceal("737"),
			MCC: "5816", Statement: "GOOGLE*별농장", Network: payment.WishCredit, ECI: "05",
			ThreeDS: payment.ThreeDS{
				DirectoryServerID: "3b2c7b0e-6a4f-4d0e-9a57-0f6f1c2d3e4f", ServerID: "8a880dc0-d2d2-4067-bcb1-b08d1690b26e",
				CAVV: card.Conceal("AJkBBkhgQQAAAE4gSEJydQAAAAA="), Version: "2.2.0",
			},
			Stored: payment.StoredCredential{
				Initiator: payment.ByMerchant, Intent: payment.Recurring, StoredBefore: true, EarlierNetwork: "583103536844189",
			},
			Address: payment.Address{Lines: []string{"세종대로 110", "3층"}, PostalCode: "04524", Country: "KR"},
			Holder: payment.Holder{
				PINDigits: card.Conceal("47"), BirthDate: card.Conceal("910417"), BusinessNumber: card.Conceal("1234567891"), CI: card.Conceal(ci),
			},
		},
	} {
		ask, err := reserveAsk(t, korea, golden(t, name))
		if err != nil {
			t.Fatal(name, err)
		}
		if ask.Decided != nil || !reflect.DeepEqual(ask.Order, want) {
			t.Errorf("%s: got  %+v\nwant %+v", name, ask.Order, want)
		}
	}
}

// The rows of §3, §4.1 and §10 that need nothing but the message.
func TestReserveFundsFaults(t *testing.T) {
	missing := func(path string) (string, edits, fault.Kind, string) {
		return path, edits{path: absent}, fault.Missing, path
	}
	type row struct {
		name string
		edit edits
		kind fault.Kind
		says string // what the description names
	}
	rows := []row{}
	add := func(name string, edit edits, kind fault.Kind, says string) {
		rows = append(rows, row{name, edit, kind, says})
	}
	for _, path := range []string{
		"accountDetails", "currencyCode", "amount", "transactionDescription", "merchantCategoryCode", "additionalTransactionProcessingOptions",
		cardAt + "accountNumber", cardAt + "nameOnCard", threeDS + "directoryServerTransactionId", threeDS + "cavv",
		merchant + "transactionIntentClassification",
	} {
		add(missing(path))
		add(path+" is null", edits{path: nil}, fault.Missing, path)
	}
	for _, union := range []struct {
		name string
		edit edits // with none of its members
	}{
		{"accountDetails", edits{"accountDetails": edits{}}},
		{options + "processing_network_type", edits{options + "userSelectedProcessingNetworkType": absent}},
		{options + "electronic_commerce_indicator_option", edits{options + "electronicCommerceIndicator": absent}},
		{options + "authentication_details", edits{options + "threeDSecureAuthenticationDetails": absent}},
		{options + "stored_credentials", edits{options + "storedCredentialTransactionInformation": absent}},
		{"storedCredentialTransactionInformation", edits{options + "storedCredentialTransactionInformation": edits{}}},
		{merchant + "previousTransactionInformation", edits{merchant + "previousTransactionInformation": absent}},
	} {
		add("no member of "+union.name, union.edit, fault.Missing, union.name)
	}
	for path, union := range map[string]string{
		options + "userSelectedProcessingNetworkTypeNotApplicable":      "processing_network_type",
		options + "electronicCommerceIndicatorNotApplicable":            "electronic_commerce_indicator_option",
		options + "threeDSecureNotAppplicable":                          "authentication_details",
		options + "threeDSecureNotApplicable":                           "authentication_details",
		options + "storedCredentialTransactionInformationNotApplicable": "stored_credentials",
		options + "scaLowValueTransaction":                              "sca_exemption_type",
		options + "scaTransactionRiskAnalysis":                          "sca_exemption_type",
		merchant + "previousTransactionInformationNotProvided":          "previousTransactionInformation",
		stored + "customerInitiated":                                    "storedCredentialTransactionInformation",
	} {
		member := any(edits{})
		if path == stored+"customerInitiated" {
			member = edits{"transactionIntentClassification": "RECURRING", "instrumentStorageType": "FIRST"}
		}
		add("two members of "+union+" by "+path, edits{path: member}, fault.Invalid, union)
	}
	for path, values := range map[string][]any{
		"currencyCode":           {"", "INR", "krw", "KRW ", "XXX", 410},
		"amount":                 {"0", 0, "-1000000", "1", "12900000001", 500000, "12.9", "", "1e9", "9223372036854775808", true, edits{}},
		"merchantCategoryCode":   {"", "581", "58166", "58x6", 5816},
		"transactionDescription": {5, edits{}},
		"accountDetails":         {"card", edits{"card": 5}},
		cardAt + "accountNumber": {
			"", "4242x24242424242", "424242424242", "42424242424242424242", " 4242424242424242",
			"４２４２４２４２４２４２４２４２", 4242424242424242,
		},
		cardAt + "nameOnCard":                         {7, []any{}},
		cardAt + "expiryMonth":                        {"", "8", "008", "AU", 8, absent},
		cardAt + "expiryYear":                         {"", "9", "2029", "2x", 29, absent},
		cardAt + "cvn":                                {"", "12", "12345", "73x", 737},
		options + "userSelectedProcessingNetworkType": {"", "PROCESSING_NETWORK_TYPE_UNSPECIFIED"},
		options + "electronicCommerceIndicator":       {"", "005", "x5"},
		merchant + "transactionIntentClassification":  {"", "TRANSACTION_INTENT_CLASSIFICATION_UNKNOWN"},
		options + "pin":                               {"", "4x", "ab", "４７", 47},
		options + "dateOfBirth":                       {"", "1991/04/17", "1991-4-17", "19910417x", "9104", "yesterday", 910417},
		options + "businessIdentifier":                {"", "123456789", "12345678911", "123-45-6789x", 1234567891},
		options + "connectingInformation":             {"", ci[:87], ci + "AAAA", strings.Repeat("!", 88), strings.Repeat("A", 88), 5},
		addressAt + "countryCode":                     {"kr", "KOR", "K"},
		addressAt + "addressLine":                     {"one line", []any{5}},
	} {
		field := path[strings.LastIndex(path, ".")+1:]
		for _, v := range values {
			name := fmt.Sprintf("%s=%v", path, v)
			if v == absent {
				name = path + " without its half"
			}
			add(name, edits{path: v}, fault.Invalid, field)
		}
	}
	add("customerInitiated without intent", edits{
		options + "storedCredentialTransactionInformation": edits{"customerInitiated": edits{"instrumentStorageType": "FIRST"}},
	}, fault.Missing, "customerInitiated.transactionIntentClassification")
	add("customerInitiated without storage", edits{
		options + "storedCredentialTransactionInformation": edits{"customerInitiated": edits{"transactionIntentClassification": "RECURRING"}},
	}, fault.Missing, "customerInitiated.instrumentStorageType")
	add("zero storage type", edits{options + "storedCredentialTransactionInformation": edits{"customerInitiated": edits{
		"transactionIntentClassification": "RECURRING", "instrumentStorageType": "INSTRUMENT_STORAGE_TYPE_UNSPECIFIED",
	}}}, fault.Invalid, "instrumentStorageType")

	token := edits{"nameOnCard": "SEO JIHUN", "paymentTokenAccountNumber": "5555555555554444"}
	without := func(name string) edits { e := maps.Clone(token); delete(e, name); return e }
	add("card and token", edits{"accountDetails.paymentToken": token}, fault.Invalid, "accountDetails")
	with := func(more edits) edits {
		e := maps.Clone(token)
		maps.Copy(e, more)
		return edits{"accountDetails": edits{"paymentToken": e}}
	}
	add("two kinds of token", with(edits{"tokenTypeDeviceToken": edits{}, "tokenTypeNotApplicable": edits{}}), fault.Invalid, "token_type")
	add("token of letters", with(edits{"paymentTokenAccountNumber": "5555x55555554444"}), fault.Invalid, "paymentTokenAccountNumber")
	add("token too short", with(edits{"paymentTokenAccountNumber": "555555555555"}), fault.Invalid, "paymentTokenAccountNumber")
	add("token with half an expiry", with(edits{"expiryMonth": "08"}), fault.Invalid, "paymentToken.expiryMonth")
	add("token with a cryptogram that is no text", with(edits{"cryptogram": 5}), fault.Invalid, "cryptogram")
	add("token without name", edits{"accountDetails": edits{"paymentToken": without("nameOnCard")}}, fault.Missing, "paymentToken.nameOnCard")
	add("token without number", edits{"accountDetails": edits{"paymentToken": without("paymentTokenAccountNumber")}},
		fault.Missing, "paymentToken.paymentTokenAccountNumber")

	add("missing goes before wrong (§10)", edits{"amount": "-5", options + "pin": "x", cardAt + "nameOnCard": absent}, fault.Missing,
		"nameOnCard")
	add("wrong goes before mistyped", edits{cardAt + "accountNumber": "4242424242424243", "merchantCategoryCode": "x"}, fault.Invalid,
		"merchantCategoryCode")

	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			_, err := reserveAsk(t, korea, edited(t, "p1-full", r.edit))
			kind, public := fault.Of(err)
			if err == nil || kind != r.kind || !strings.Contains(public, r.says) {
				t.Errorf("got kind %v, %q", kind, public)
			}
			for _, v := range r.edit {
				if s, ok := v.(string); ok && len(s) > 5 && strings.Contains(err.Error(), s) {
					t.Errorf("the fault repeats the value: %q", err)
				}
			}
		})
	}
}

func TestReserveFundsAccepts(t *testing.T) {
	for name, row := range map[string]struct {
		edit edits
		want func(payment.AuthOrder) bool
	}{
		"amount as a number": {
			edits{"amount": 12900000000}, func(o payment.AuthOrder) bool { return o.Amount == money.New(12900, won) },
		},
		"the largest amount": {
			edits{"amount": "9223372036854000000"}, func(o payment.AuthOrder) bool { return o.Amount.Minor() == 9223372036854 },
		},
		"unknown members": {edits{"new": 1, cardAt + "new": "x", options + "new": edits{}, threeDS + "new": []any{}}, nil},
		"another rail is no wish": {
			edits{options + "userSelectedProcessingNetworkType": "PREPAID_RAIL"},
			func(o payment.AuthOrder) bool { return o.Network == payment.NoWish },
		},
		"debit": {
			edits{options + "userSelectedProcessingNetworkType": "DEBIT"}, func(o payment.AuthOrder) bool { return o.Network == payment.WishDebit },
		},
		"instalment": {
			edits{merchant + "transactionIntentClassification": "INSTALLMENT"},
			func(o payment.AuthOrder) bool { return o.Stored.Intent == payment.Instalment },
		},
		"unscheduled": {
			edits{merchant + "transactionIntentClassification": "UNSCHEDULED"},
			func(o payment.AuthOrder) bool { return o.Stored.Intent == payment.Unscheduled },
		},
		"another intent is none of ours": {
			edits{merchant + "transactionIntentClassification": "NEW"},
			func(o payment.AuthOrder) bool { return o.Stored.Intent == payment.NoIntent },
		},
		"no earlier transaction": {
			edits{merchant + "previousTransactionInformation": absent, merchant + "previousTransactionInformationNotProvided": edits{}},
			func(o payment.AuthOrder) bool {
				return o.Stored == payment.StoredCredential{Initiator: payment.ByMerchant, Intent: payment.Recurring, StoredBefore: true}
			},
		},
		"customer initiated": {
			edits{options + "storedCredentialTransactionInformation": edits{"customerInitiated": edits{
				"transactionIntentClassification": "UNSCHEDULED", "instrumentStorageType": "FIRST",
			}}},
			func(o payment.AuthOrder) bool {
				return o.Stored == payment.StoredCredential{Initiator: payment.ByCustomer, Intent: payment.Unscheduled, StorageAsStated: "FIRST"}
			},
		},
		"not applicable, right spelling": {
			edits{options + "threeDSecureAuthenticationDetails": absent, options + "threeDSecureNotApplicable": edits{}},
			func(o payment.AuthOrder) bool { return o.ThreeDS == payment.ThreeDS{} },
		},
		"not applicable, the sheet's spelling": {
			edits{options + "threeDSecureAuthenticationDetails": absent, options + "threeDSecureNotAppplicable": edits{}},
			func(o payment.AuthOrder) bool { return o.ThreeDS == payment.ThreeDS{} },
		},
		"SCA low value": {edits{options + "scaExemptionNotApplicable": absent, options + "scaLowValueTransaction": edits{}}, nil},
		"no expiry": {
			edits{cardAt + "expiryMonth": absent, cardAt + "expiryYear": absent}, func(o payment.AuthOrder) bool { return o.Expiry.IsZero() },
		},
		"this very month":    {edits{cardAt + "expiryMonth": "03", cardAt + "expiryYear": "26"}, nil},
		"no cvn":             {edits{cardAt + "cvn": nil}, func(o payment.AuthOrder) bool { return o.CVN.IsZero() }},
		"four digits of cvn": {edits{cardAt + "cvn": "7373"}, func(o payment.AuthOrder) bool { return o.CVN.Len() == 4 }},
		"13 digits":          {edits{cardAt + "accountNumber": "4222222222222"}, nil},
		"19 digits":          {edits{cardAt + "accountNumber": "6304000000000000000"}, nil},
		"long description": {
			edits{"transactionDescription": strings.Repeat("가", 5000)}, func(o payment.AuthOrder) bool { return len(o.Statement) == 15000 },
		},
		"empty description": {edits{"transactionDescription": ""}, nil},
		"birth date, compact": {
			edits{options + "dateOfBirth": "19910417"}, func(o payment.AuthOrder) bool { return o.Holder.BirthDate.Reveal() == "910417" },
		},
		"birth date, dashed": {
			edits{options + "dateOfBirth": "2000-02-29"}, func(o payment.AuthOrder) bool { return o.Holder.BirthDate.Reveal() == "000229" },
		},
		"pin of four": {
			edits{options + "pin": "4711"}, func(o payment.AuthOrder) bool { return o.Holder.PINDigits.Reveal() == "47" },
		},
		"none of the holder's": {
			edits{
				options + "pin": absent, options + "dateOfBirth": absent, options + "businessIdentifier": nil,
				options + "connectingInformation": absent,
			},
			func(o payment.AuthOrder) bool { return o.Holder == payment.Holder{} },
		},
		"an empty address": {edits{"addressVerificationData": edits{}}, func(o payment.AuthOrder) bool { return o.Address.IsZero() }},
	} {
		t.Run(name, func(t *testing.T) {
			ask, err := reserveAsk(t, korea, edited(t, "p1-full", row.edit))
			if err != nil || ask.Decided != nil {
				t.Fatalf("decided %+v, %v", ask.Decided, err)
			}
			if row.want != nil && !row.want(ask.Order) {
				t.Errorf("got %+v", ask.Order)
			}
		})
	}
}

func TestTokensAreRead(t *testing.T) {
	whole := edits{}
	if err := json.Unmarshal(golden(t, "p1-token"), &whole); err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]payment.TokenKind{
		"": payment.OtherToken, "tokenTypeDeviceToken": payment.DeviceToken, "tokenTypeMerchantToken": payment.MerchantToken,
		"tokenTypeUnsupported": payment.OtherToken, "tokenTypeNotApplicable": payment.OtherToken,
	} {
		edit := edits{"accountDetails": whole}
		token := maps.Clone(whole["paymentToken"].(edits))
		if member != "" {
			token[member] = edits{}
			edit = edits{"accountDetails": edits{"paymentToken": token}}
		}
		ask, err := reserveAsk(t, korea, edited(t, "p1-request", edit))
		if err != nil || ask.Decided != nil {
			t.Fatalf("%q: %+v, %v", member, ask.Decided, err)
		}
		o := ask.Order
		if o.Token.Kind != want || o.Token.Cryptogram.Reveal() != "AgAAAAAABk4DWZ4C28yUQAAAAAA=" || o.PAN.Reveal() != "5555555555554444" ||
			o.Expiry != (card.Expiry{Year: 2029, Month: 8}) || !o.CVN.IsZero() {
			t.Errorf("%q: %+v", member, o)
		}
	}
	bare := edits{"accountDetails": edits{"paymentToken": edits{"nameOnCard": "SEO JIHUN", "paymentTokenAccountNumber": "5555555555554445"}}}
	ask, err := reserveAsk(t, korea, edited(t, "p1-request", bare)) // a check digit that nobody typed
	if err != nil || ask.Decided != nil || !ask.Order.Token.Cryptogram.IsZero() || !ask.Order.Expiry.IsZero() {
		t.Errorf("%+v, %v", ask, err)
	}
	bare["accountDetails"].(edits)["paymentToken"].(edits)["expiryMonth"] = "01"
	bare["accountDetails"].(edits)["paymentToken"].(edits)["expiryYear"] = "26"
	ask, err = reserveAsk(t, korea, edited(t, "p1-request", bare))
	if err != nil || ask.Decided == nil || ask.Decided.Decline != payment.CardExpired {
		t.Errorf("a token that has expired: %+v, %v", ask.Decided, err)
	}
}

// What a holder can mistype is declined without the network (§4.1).
func TestMistypedCardDataDeclines(t *testing.T) {
	all := Profile{Profile: cards.Profile{Emit: []cards.ReserveFundsResultCode{"CARD_EXPIRATION_DATE_INVALID"}}}
	for name, row := range map[string]struct {
		profile Profile
		edit    edits
		want    cards.ReserveFundsResultCode
	}{
		"check digit":              {all, edits{cardAt + "accountNumber": "4242424242424241"}, "CARD_NUMBER_INVALID"},
		"month 13":                 {all, edits{cardAt + "expiryMonth": "13"}, "CARD_EXPIRATION_DATE_INVALID"},
		"month 00":                 {all, edits{cardAt + "expiryMonth": "00"}, "CARD_EXPIRATION_DATE_INVALID"},
		"month 13, not in profile": {Profile{}, edits{cardAt + "expiryMonth": "13"}, "ISSUER_DECLINED"},
		"last month":               {all, edits{cardAt + "expiryMonth": "02", cardAt + "expiryYear": "26"}, "CARD_EXPIRED"},
		"last year":                {all, edits{cardAt + "expiryMonth": "12", cardAt + "expiryYear": "25"}, "CARD_EXPIRED"},
		"pin too short":            {all, edits{options + "pin": "4"}, "PIN_MISMATCH"},
		"pin too long":             {all, edits{options + "pin": "47110"}, "PIN_MISMATCH"},
		"pin too long, strictly": {
			Profile{HolderFields: StrictHolder}, edits{
				options + "pin": "471", options + "businessIdentifier": absent,
				options + "dateOfBirth": absent,
			}, "PIN_MISMATCH",
		},
		"no such day":            {all, edits{options + "dateOfBirth": "1991-02-30"}, "DOB_OR_BRN_MISMATCH"},
		"no such month, compact": {all, edits{options + "dateOfBirth": "911317"}, "DOB_OR_BRN_MISMATCH"},
		"the first of two is the say": {
			all, edits{cardAt + "accountNumber": "4242424242424241", options + "pin": "4"}, "CARD_NUMBER_INVALID",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ask, err := reserveAsk(t, korea.with(row.profile), edited(t, "p1-full", row.edit))
			if err != nil || ask.Decided == nil {
				t.Fatalf("decided %+v, %v", ask.Decided, err)
			}
			got := answer(t, ask, engine.ReserveResult{Outcome: *ask.Decided})
			want := fmt.Sprintf(`{"cardNetworkResult":{"cardNetworkResultNotAvailable":{}},`+
				`"addressVerificationResult":{"sentUnsupported":{"reason":"UNSUPPORTED_BY_NETWORK"}},"cvnResult":"NOT_VERIFIED",`+
				`"cardMetadata":{"cardType":"INTEGRATOR_CANNOT_SPECIFY_CARD_TYPE"},"result":"%s"}`, row.want)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	for name, row := range map[string]struct {
		profile Profile
		edit    edits
	}{
		"check digit left to the network": {Profile{Profile: cards.Profile{SkipLuhn: true}}, edits{cardAt + "accountNumber": "4242424242424241"}},
		"any: what has no known form stays out": {
			Profile{HolderFields: AnyHolder}, edits{
				options + "pin": "47110", options + "dateOfBirth": "soon",
				options + "businessIdentifier": "12", options + "connectingInformation": "?",
			},
		},
	} {
		ask, err := reserveAsk(t, korea.with(row.profile), edited(t, "p1-full", row.edit))
		if err != nil || ask.Decided != nil {
			t.Errorf("%s: decided %+v, %v", name, ask.Decided, err)
		}
		if row.profile.HolderFields == AnyHolder && ask.Order.Holder != (payment.Holder{}) {
			t.Errorf("%s: got %+v", name, ask.Order.Holder)
		}
	}
	strict := korea.with(Profile{HolderFields: StrictHolder})
	for name, edit := range map[string]edits{
		"strict: both holder ids":   {options + "dateOfBirth": "1991-04-17", options + "pin": "47"},
		"strict: date without dash": {options + "businessIdentifier": absent, options + "pin": "47"},
	} {
		if _, err := reserveAsk(t, strict, edited(t, "p1-full", edit)); !isKind(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isKind(err error, k fault.Kind) bool {
	got, _ := fault.Of(err)
	return err != nil && got == k
}

func answer(t *testing.T, ask engine.ReserveAsk, r engine.ReserveResult) string {
	t.Helper()
	first, err := ask.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ask.Encode(r); err != nil || !bytes.Equal(first, again) {
		t.Errorf("encoding twice differs: %v", err)
	}
	return string(first)
}

func TestReserveFundsAnswers(t *testing.T) {
	until := time.UnixMilli(1773014401240)
	approved := payment.Outcome{
		Verdict: payment.Approved, Code: "00", Approval: "30118842", Brands: []string{"BC", "VISA"},
		Issuer: "EXAMPLE CARD CO", IssuerCountry: "KR", CardKind: payment.Credit,
	}
	declined := payment.Outcome{
		Verdict: payment.Refused, Decline: payment.PINMismatch, Code: "55", Brands: []string{"BC", "VISA"}, IssuerCountry: "KR",
		CardKind: payment.Credit,
	}
	full := payment.Outcome{
		Verdict: payment.Approved, Code: "00", AdviceCode: "01", Approval: "30118843", Brands: []string{"VISA"}, Issuer: "EXAMPLE CARD CO",
		IssuerCountry: "KR", CardKind: payment.Debit, CVN: payment.CVNMatch, NetworkID: "583103536844190", LinkID: "TL-0001",
		AVS: payment.AVSCheck{Raw: "Z", Line: payment.AVSNoMatch, PostalCode: payment.AVSMatch},
	}
	for _, row := range []struct {
		request, answer string
		profile         Profile
		result          engine.ReserveResult
	}{
		{"p1-request", "p1-approved", Profile{}, engine.ReserveResult{ReservationID: "hb-auth-0000731", Outcome: approved, HoldUntil: until}},
		{"p1-request", "p1-declined", Profile{}, engine.ReserveResult{ReservationID: "hb-auth-0000731", Outcome: declined}},
		{
			"p1-full", "p1-all",
			Profile{Profile: cards.Profile{NetworkResult: cards.PassThroughForm}},
			engine.ReserveResult{ReservationID: "hb-auth-0000732", Outcome: full, HoldUntil: until},
		},
	} {
		ask, err := reserveAsk(t, korea.with(row.profile), golden(t, row.request))
		if err != nil {
			t.Fatal(err)
		}
		got := canonical(t, []byte(answer(t, ask, row.result)))
		if want := golden(t, row.answer); !bytes.Equal(got, want) {
			t.Errorf("%s: got  %s\nwant %s", row.answer, got, want)
		}
	}
}

func TestAnswerTables(t *testing.T) {
	answered := func(example string, form cards.NetworkResultForm, o payment.Outcome) (out cards.ReserveFundsResponse) {
		t.Helper()
		o.Verdict = payment.Approved
		ask, err := reserveAsk(t, korea.with(Profile{Profile: cards.Profile{NetworkResult: form}}), golden(t, example))
		if err != nil {
			t.Fatal(err)
		}
		if err := gsp.Decode([]byte(answer(t, ask, engine.ReserveResult{Outcome: o})), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	all := func(o payment.Outcome) cards.ReserveFundsResponse { return answered("p1-full", cards.RawForm, o) }
	none := func(o payment.Outcome) cards.ReserveFundsResponse { return answered("p1-request", cards.RawForm, o) }
	check := func(name string, got, want any) {
		t.Helper()
		a, err1 := gsp.Encode(got)
		b, err2 := gsp.Encode(want)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: got %s, want %s", name, a, b)
		}
	}
	for in, want := range map[payment.CVNCheck]cards.CvnResult{
		payment.CVNNoResult: "NOT_SPECIFIED", payment.CVNMatch: "MATCH", payment.CVNNoMatch: "MISMATCH",
		payment.CVNSkippedByNetwork: "SKIPPED_BY_NETWORK", payment.CVNNotVerified: "NOT_VERIFIED",
		payment.CVNNotSpecified: "NOT_SPECIFIED", payment.CVNIssuerUnsupported: "UNSUPPORTED_BY_ISSUER",
	} {
		check("cvn "+string(in), all(payment.Outcome{Code: "05", CVN: in}).CvnResult, want)
		check("no cvn "+string(in), none(payment.Outcome{Code: "05", CVN: in}).CvnResult, cards.CvnNotSentUnsupportedByNetwork)
	}
	for in, want := range map[payment.AVSCheck]cards.AddressVerificationResult{
		{}:                            {SentUnsupported: &cards.AddressSentUnsupported{Reason: cards.AvsUnsupportedByNetwork}},
		{Raw: "G", Unsupported: true}: {SentUnsupported: &cards.AddressSentUnsupported{Reason: cards.AvsUnsupportedByIssuer}},
		{Raw: "Y", Line: payment.AVSMatch, PostalCode: payment.AVSMatch}:      {Result: avs("Y", "MATCH", "MATCH")},
		{Raw: "A", Line: payment.AVSMatch, PostalCode: payment.AVSNoMatch}:    {Result: avs("A", "MATCH", "MISMATCH")},
		{Raw: "P", Line: payment.AVSNotChecked, PostalCode: payment.AVSMatch}: {Result: avs("P", "SKIPPED_BY_NETWORK", "MATCH")},
		{Raw: "R"}: {Result: avs("R", "NOT_SPECIFIED", "NOT_SPECIFIED")},
	} {
		check("address "+in.Raw, all(payment.Outcome{AVS: in}).AddressVerificationResult, want)
		check("no address "+in.Raw, none(payment.Outcome{AVS: in}).AddressVerificationResult,
			cards.AddressVerificationResult{NotSent: &cards.AddressNotSent{Support: cards.NotSentUnsupportedByNetwork}})
	}
	for in, want := range map[payment.CardKind]cards.CardType{
		payment.CardKindUnknown: "INTEGRATOR_CANNOT_SPECIFY_CARD_TYPE", payment.Credit: "CREDIT_CARD", payment.Debit: "DEBIT_CARD",
		payment.Prepaid: "PREPAID_CARD",
	} {
		check("card "+string(in), all(payment.Outcome{CardKind: in}).CardMetadata.CardType, want)
	}
	no := &gsp.Empty{}
	for _, row := range []struct {
		form cards.NetworkResultForm
		out  payment.Outcome
		want cards.CardNetworkResult
	}{
		{cards.RawForm, payment.Outcome{}, cards.CardNetworkResult{CardNetworkResultNotAvailable: no}},
		{cards.PassThroughForm, payment.Outcome{}, cards.CardNetworkResult{CardNetworkResultNotAvailable: no}},
		{"raw", payment.Outcome{Code: "N4", AdviceCode: "03"}, cards.CardNetworkResult{
			RawResult: &cards.RawResult{Scope: "Iso8583Code", RawCode: "N4"},
		}},
		{
			cards.PassThroughForm,
			payment.Outcome{Code: "116"},
			cards.CardNetworkResult{PassThroughResponseCodes: &cards.PassThroughResponseCodes{Iso8583V1993ResponseCode: "116"}},
		},
		{cards.RawForm, payment.Outcome{Code: "10", Approval: "AB 1"}, cards.CardNetworkResult{
			RawResult:         &cards.RawResult{Scope: "Iso8583Code", RawCode: "10"},
			AuthorizationCode: "AB 1",
		}},
	} {
		check("network "+string(row.form)+row.out.Code, answered("p1-full", row.form, row.out).CardNetworkResult, row.want)
	}
	check("stored, no id", all(payment.Outcome{}).AdditionalTransactionProcessingResult, cards.AdditionalTransactionProcessingResult{
		StoredCredentialInformationUnsupported: &cards.StoredCredentialInformationUnsupported{
			ReasonDescription: "the network gave no transaction identifier",
		},
	})
	check("not stored", none(payment.Outcome{NetworkID: "1"}).AdditionalTransactionProcessingResult,
		cards.AdditionalTransactionProcessingResult{StoredCredentialInformationNotSent: no})
}

func avs(raw string, line, postal cards.VerificationResult) *cards.AddressResult {
	const skipped = cards.VerificationSkippedByNetwork
	return &cards.AddressResult{
		RawAvsResult: raw, AddressLine: line, LocalityName: skipped, AdministrativeAreaName: skipped, PostalCodeNumber: postal,
		CountryCode: skipped, NameOnCard: skipped,
	}
}

// The sheet's §7.1, with the evidence that decides whether a code may be sent freely.
var sheet = map[string]string{
	"SUCCESS": "yes", "PIN_MISMATCH": "yes", "DOB_OR_BRN_MISMATCH": "yes", "ISSUER_DECLINED": "yes", "DO_NOT_HONOR": "yes",
	"INSUFFICIENT_FUNDS": "yes", "CARD_NUMBER_INVALID": "yes", "CARD_EXPIRED": "yes", "CARD_LOST_OR_STOLEN": "yes",
	"SUSPECTED_FRAUD":     "yes",
	"TRANSACTION_INVALID": "yes", "TRANSACTION_NOT_ALLOWED": "yes", "TRANSACTION_COULD_NOT_BE_ROUTED": "yes",
	"TRANSACTION_EXCEEDS_AMOUNT_LIMIT": "yes",

	"STRONG_CUSTOMER_AUTHENTICATION_REQUIRED": "listed", "CARD_CANCELLED": "listed", "TRANSACTION_UNDER_AMOUNT_LIMIT": "listed",
	"RESTRICTED_CARD":                 "listed",
	"RECURRING_PAYMENT_NOT_SUPPORTED": "listed", "CARD_AUTHENTICATION_EXPIRED": "listed", "NETWORK_TIMEOUT": "listed",

	"CARD_ACTIVITY_EXCEEDS_AMOUNT_LIMIT": "listed", "CARD_ACTIVITY_EXCEEDS_COUNT_LIMIT": "listed", "CVN_MISMATCH": "listed",
	"CARD_NOT_ACTIVATED":           "listed",
	"CARD_EXPIRATION_DATE_INVALID": "listed", "CARD_AUTHENTICATION_FAILED": "listed", "ISSUER_OR_SWITCH_UNAVAILABLE": "listed",
	"STOP_PAYMENT":                "listed",
	"REVOCATION_OF_AUTHORIZATION": "listed",
}

func TestResultCodes(t *testing.T) {
	said := func(p Profile, why payment.Reason) (string, error) {
		ask, err := reserveAsk(t, korea.with(p), golden(t, "p1-request"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := ask.Encode(engine.ReserveResult{Outcome: payment.Outcome{Verdict: payment.Refused, Decline: why}})
		var out cards.ReserveFundsResponse
		if err == nil {
			err = gsp.Decode(text, &out)
		}
		return string(out.Result), err
	}
	var every Profile
	for code := range sheet {
		if code != "SUCCESS" {
			every.Emit = append(every.Emit, cards.ReserveFundsResultCode(code))
		}
	}
	reached := map[string]string{"SUCCESS": "yes"}
	for _, why := range gsptest.Reasons(t) {
		code, err := said(every, why)
		if err != nil || reached[code] != "" {
			t.Errorf("%s in the profile: got %s, %v", why, code, err)
		}
		got, err := said(Profile{}, why)
		switch reached[code] = sheet[code]; {
		case sheet[code] == "yes":
			if got != code || err != nil {
				t.Errorf("%s needs no profile: got %s, %v", why, got, err)
			}
		case why == payment.IssuerUnavailable, why == payment.NetworkTimeout:
			if !isKind(err, fault.Unavailable) {
				t.Errorf("%s outside the profile: got %s, %v; want 503", why, got, err)
			}
		case got != "ISSUER_DECLINED" || err != nil:
			t.Errorf("%s outside the profile: got %s, %v; want ISSUER_DECLINED", why, got, err)
		}
	}
	if !maps.Equal(reached, sheet) {
		t.Errorf("reached %v\nwant    %v", reached, sheet)
	}
	if got, err := said(every, "a reason of tomorrow"); got != "ISSUER_DECLINED" || err != nil {
		t.Errorf("an unknown reason: got %s, %v", got, err)
	}
}

func TestProfileCheck(t *testing.T) {
	for _, good := range []Profile{
		{},
		{HolderFields: "lenient"},
		{Profile: cards.Profile{Emit: []cards.ReserveFundsResultCode{"CVN_MISMATCH"}, NetworkResult: "raw"}},
		{Profile: cards.Profile{RefundCodes: []cards.RefundResultCode{}}},
		{Profile: cards.Profile{
			RefundCodes: []cards.RefundResultCode{"CARD_CANCELLED", "CHARGEBACK_IN_PLACE"}, FraudTypes: map[string]cards.FraudType{"6": "STOLEN"},
		}},
		{Profile: cards.Profile{CVNNotSent: "NOT_SENT_SUPPORTED", AVSNotSent: "AVS_SUPPORT_NOT_KNOWN"}},
	} {
		if err := good.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []Profile{
		{HolderFields: "loose"},
		{Profile: cards.Profile{Emit: []cards.ReserveFundsResultCode{"CVN_WRONG"}}},
		{Profile: cards.Profile{NetworkResult: "both"}},
		{Profile: cards.Profile{RefundCodes: []cards.RefundResultCode{"CARD_GONE"}}},
		{Profile: cards.Profile{RefundCodes: []cards.RefundResultCode{"SUCCESS"}}},
		{Profile: cards.Profile{FraudTypes: map[string]cards.FraudType{"6": ""}}},
		{Profile: cards.Profile{CVNNotSent: "MATCH"}},
		{Profile: cards.Profile{AVSNotSent: "SOMETIMES"}},
	} {
		if err := bad.Check(); err == nil {
			t.Errorf("%+v passes", bad)
		}
		if _, err := NewService(nil, map[string]Profile{"A": bad}); err == nil {
			t.Errorf("%+v is served", bad)
		}
	}
}

func TestCaptureAndCancelAreRead(t *testing.T) {
	ask, err := captureAsk(t, golden(t, "p2-request"))
	if err != nil {
		t.Fatal(err)
	}
	if amount, err := ask.Amount(won); amount != money.New(12900, won) || err != nil {
		t.Errorf("amount %v, %v", amount, err)
	}
	if want := (engine.Key{Account: "HanbitPG_KRW", RequestID: "KR-RSV-a3f9-0001"}); ask.Reservation != want {
		t.Errorf("reservation %v", ask.Reservation)
	}
	if got, err := ask.Encode("capture-1"); string(got) != `{"result":"ACKNOWLEDGED"}` || err != nil {
		t.Errorf("answer %s, %v", got, err)
	}
	release, err := cancelAsk(t, golden(t, "p3-request"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (engine.Key{Account: "HanbitPG_KRW", RequestID: "KR-RSV-91d2-0002"}); release.Reservation != want {
		t.Errorf("reservation %v", release.Reservation)
	}
	if got, err := release.Encode(); string(got) != `{"result":"ACKNOWLEDGED"}` || err != nil {
		t.Errorf("answer %s, %v", got, err)
	}

	for _, row := range []struct {
		example string
		edit    edits
		kind    fault.Kind
		says    string
	}{
		{"p2-request", edits{"reservationRequestId": absent, "amount": "0"}, fault.Missing, "reservationRequestId"},
		{"p2-request", edits{"amount": nil}, fault.Missing, "amount"},
		{"p2-request", edits{"amount": "0"}, fault.Invalid, "amount"},
		{"p2-request", edits{"amount": "-1000000"}, fault.Invalid, "amount"},
		{"p2-request", edits{"amount": "999999"}, fault.Invalid, "amount"},
		{"p2-request", edits{"amount": "a lot"}, fault.Invalid, "amount"},
		{"p2-request", edits{"reservationRequestId": 5}, fault.Invalid, "reservationRequestId"},
		{"p3-request", edits{"reservationRequestId": absent}, fault.Missing, "reservationRequestId"},
		{"p3-request", edits{"reservationRequestId": edits{}}, fault.Invalid, "reservationRequestId"},
	} {
		body := edited(t, row.example, row.edit)
		var err error
		if row.example == "p2-request" {
			_, err = captureAsk(t, body)
		} else {
			_, err = cancelAsk(t, body)
		}
		if kind, public := fault.Of(err); err == nil || kind != row.kind || !strings.Contains(public, row.says) {
			t.Errorf("%s %v: got %v %q", row.example, row.edit, kind, public)
		}
	}
}

// Whatever comes: no panic, and what was accepted asks the same after a round trip.
func FuzzReserveFunds(f *testing.F) {
	for _, name := range []string{"p1-request", "p1-full", "p1-other"} {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in ReserveFundsRequest
		if gsp.Decode(body, &in) != nil {
			return
		}
		ask, err := korea.reserveAsk(in)
		if err != nil {
			return
		}
		again, err := gsp.Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := reserveAsk(t, korea, again)
		if err != nil || !reflect.DeepEqual(ask.Order, twice.Order) || !reflect.DeepEqual(ask.Decided, twice.Decided) {
			t.Errorf("a round trip changes the order: %v", err)
		}
	})
}

// Whatever stands in a member: the fault does not say it.
func FuzzFaultsQuoteNothing(f *testing.F) {
	const hole, marker = "@@", "Zq7"
	var bodies []string
	for _, path := range []string{
		"currencyCode", "amount", "merchantCategoryCode", cardAt + "accountNumber", cardAt + "expiryMonth", cardAt + "expiryYear", cardAt + "cvn",
		options + "userSelectedProcessingNetworkType", options + "electronicCommerceIndicator", options + "pin", options + "dateOfBirth",
		options + "businessIdentifier", options + "connectingInformation", options + "threeDSecureNotAppplicable", threeDS + "cavv",
		addressAt + "countryCode", "additionalTransactionProcessingOptions", "accountDetails", options + hole,
	} {
		bodies = append(bodies, string(edited(f, "p1-full", edits{path: hole})))
	}
	f.Add("4242424242424242")
	f.Add("1991-04-17\x00")
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(marker + strings.ToValidUTF8(text, "") + marker)
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range bodies {
			_, err := reserveAsk(t, korea, []byte(strings.ReplaceAll(body, `"`+hole+`"`, string(quoted))))
			if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), marker) {
				t.Errorf("the fault quotes the message: %d characters", len(text))
			}
		}
	})
}
