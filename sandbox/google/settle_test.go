package google

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

const yes = `200 {"success":{}}`

func newerCode(code string) string {
	status := map[string]int{"invalidIdentifier": 404, "idempotencyViolation": 412}[code]
	return fmt.Sprintf(`%d {%q:{}}`, max(status, 400), code)
}

func newerField(field string) string {
	return fmt.Sprintf(`400 {"invalidFieldValue":{"invalidFieldName":%q}}`, field)
}

// newer is a message of generation B.
func newer(id string, changes map[string]string) string { return newerOf(piaid, id, changes) }

func newerOf(account, id string, changes map[string]string) string {
	members := map[string]string{
		"paymentIntegratorAccountId": "-",
		"requestHeader": fmt.Sprintf(`{"protocolVersion":{"major":1},"requestId":%q,"requestTimestamp":{"epochMillis":"%d"},`+
			`"paymentIntegratorAccountId":%q}`, id, time.Now().UnixMilli(), account),
	}
	maps.Copy(members, changes)
	return notice(id, members)
}

func inWon(micros string) string { return `{"amountMicros":"` + micros + `","currencyCode":"KRW"}` }

const week = `{"start":{"epochMillis":"1772409600000"},"end":{"epochMillis":"1773014400000"}}`

// statementOf is part of a settlement, without events.
func statementOf(id string, offset, total int, micros string) map[string]string {
	return map[string]string{
		"generatedTimestamp": `{"epochMillis":"1773619100000"}`, "settlementPeriod": week, "settlementAmount": inWon(micros),
		"settlementId": strconv.Quote(id), "notificationOffset": strconv.Itoa(offset), "notificationTotal": strconv.Itoa(total),
	}
}

func money(charge, fee, vat string) string {
	return `"eventCharge":` + inWon(charge) + `,"eventFee":` + inWon(fee) + `,"eventVat":` + inWon(vat)
}

// captureEvent takes a fee of 258 won and VAT of 26.
func captureEvent(id, charge string) string {
	return fmt.Sprintf(`{"captureRequestId":%q,"paymentIntegratorCaptureId":"own-%s",%s}`, id, id, money(charge, "-258000000", "-26000000"))
}

func refundEvent(id, charge string) string {
	return fmt.Sprintf(`{"asynchronousRefundRequestId":%q,"paymentIntegratorRefundId":"own-%s",%s}`, id, id, money(charge, "0", "0"))
}

func adjustment(micros string) string {
	return `{"adjustmentAmount":` + inWon(micros) + `,"adjustmentType":{"aggregatedSchemeFees":{}}}`
}

const presented = `"eventPresentmentDetails":{"presentmentAmount":{"amountMicros":"0","currencyCode":"KRW"},` +
	`"nanoExchangeRate":"10000000000000"}`

// One settlement after the other (remittance §11.2). The ids are those of paid.
func TestSettlement(t *testing.T) {
	s := paid(t, "")
	path := at("settlementNotification")
	one := `[` + captureEvent("c", "12900000000") + `]`
	for i, c := range []struct {
		why, id string
		members map[string]string
		want    string
	}{
		{"the sum is wrong", "", but(statementOf("a", 0, 1, "12616000001"), "captureEvents", one), newerCode("preconditionViolation")},
		{"one part", "a0", but(statementOf("a", 0, 1, "12616000000"), "captureEvents", one), yes},
		{"again", "a0", but(statementOf("a", 0, 1, "12616000000"), "captureEvents", one), yes},
		{"its id with another content", "a0", statementOf("b", 0, 1, "0"), newerCode("idempotencyViolation")},
		{"the same under another id", "", but(statementOf("a", 0, 1, "12616000000"), "captureEvents", one), yes},
		{"another content of what is complete", "", statementOf("a", 0, 1, "0"), newerCode("preconditionViolation")},
		{"a further part", "", statementOf("a", 1, 2, "12616000000"), newerCode("preconditionViolation")},
		{"a capture that is settled", "", but(statementOf("b", 0, 1, "12616000000"), "captureEvents", one), newerCode("preconditionViolation")},
		{
			"an event twice in one part", "",
			but(statementOf("b", 0, 1, "-2000000"), "refundEvents", `[`+refundEvent("f", "-1000000")+`,`+refundEvent("f", "-1000000")+`]`),
			newerCode("preconditionViolation"),
		},

		{"no part", "", statementOf("b", 0, 0, "0"), newerField("notificationTotal")},
		{"a part that there is not", "", statementOf("b", 3, 3, "0"), newerField("notificationOffset")},
		{"a part before the first", "", statementOf("b", -1, 3, "0"), newerField("notificationOffset")},
		{"the last part first", "b2", but(statementOf("b", 2, 3, "0"), "aggregateAdjustments", `[`+adjustment("4000000000")+`]`), yes},
		{"with another number of parts", "", statementOf("b", 1, 4, "0"), newerField("notificationTotal")},
		{"with another amount", "", statementOf("b", 1, 3, "1000000"), newerField("settlementAmount")},
		{
			"with another currency", "",
			but(statementOf("b", 1, 3, "0"), "settlementAmount", `{"amountMicros":"0","currencyCode":"USD"}`), newerField("settlementAmount"),
		},
		{
			"with another period", "",
			but(statementOf("b", 1, 3, "0"), "settlementPeriod", strings.Replace(week, "17730144", "17730145", 1)), newerField("settlementPeriod"),
		},
		{"another content of a part", "", statementOf("b", 2, 3, "0"), newerCode("idempotencyViolation")},
		{
			"the same content of a part", "",
			but(statementOf("b", 2, 3, "0"), "aggregateAdjustments", `[`+adjustment("4000000000")+`]`), yes,
		},
		{"the first part", "", but(statementOf("b", 0, 3, "0"), "refundEvents", `[`+refundEvent("f", "-4000000000")+`]`), yes},
		{
			"the part that completes, with a wrong sum", "",
			but(statementOf("b", 1, 3, "0"), "aggregateAdjustments", `[`+adjustment("1000000")+`]`), newerCode("preconditionViolation"),
		},
		{
			"an event that is in another part", "",
			but(statementOf("b", 1, 3, "0"), "refundEvents", `[`+refundEvent("f", "0")+`]`), newerCode("preconditionViolation"),
		},
		{"the part that completes", "", statementOf("b", 1, 3, "0"), yes},

		{
			"a capture under a refund's id", "",
			but(statementOf("c", 0, 1, "716000000"), "captureEvents", `[`+captureEvent("f", "1000000000")+`]`), newerCode("invalidIdentifier"),
		},
		{
			"a refund under a capture's id", "",
			but(statementOf("c", 0, 1, "-1000000"), "refundEvents", `[`+refundEvent("c", "-1000000")+`]`), newerCode("invalidIdentifier"),
		},
		{
			"a reversed refund under a reservation's id", "", but(statementOf("c", 0, 1, "1000000"), "reverseRefundEvents",
				`[{"asynchronousRefundRequestId":"r",`+money("1000000", "0", "0")+`}]`), newerCode("invalidIdentifier"),
		},
		{
			"a reservation under a capture's id", "", but(statementOf("c", 0, 1, "-1000000"), "fundsReservationEvents",
				`[{"fundsReservationRequestId":"c","eventFee":`+inWon("-1000000")+`,`+presented+`}]`), newerCode("invalidIdentifier"),
		},
		{
			"a chargeback of a refund", "", but(statementOf("c", 0, 1, "-1000000"), "chargebackEvents",
				`[{"captureRequestId":"f","paymentIntegratorChargebackNotificationRequestId":"b",`+money("-1000000", "0", "0")+`}]`),
			newerCode("invalidIdentifier"),
		},
		{
			"everything at once", "", but(statementOf("c", 0, 1, "2400000"),
				"captureEvents", `[`+captureEvent("z", "285000000")+`]`, // 1 won
				"refundEvents", `[`+refundEvent("z", "-1000000")+`]`,
				"reverseRefundEvents", `[{"asynchronousRefundRequestId":"z",`+money("2000000", "0", "0")+`}]`,
				"chargebackEvents", // of the integrator's id c, which is not ours
				`[{"captureRequestId":"z","paymentIntegratorChargebackNotificationRequestId":"c",`+money("-3000000", "0", "0")+`}]`,
				"reverseChargebackEvents", `[{"paymentIntegratorChargebackReversedNotificationRequestId":"w",`+money("3000000", "0", "0")+`}]`,
				"fundsReservationEvents", `[{"fundsReservationRequestId":"r","eventFee":`+inWon("-100000")+
					`,"eventFeeBreakdown":{"feeDetails":[]},`+presented+`}]`,
				"aggregateAdjustments", `[`+adjustment("1000000")+`]`,
				"miscellaneousAdjustments", `[{"adjustmentAmount":`+inWon("-500000")+`}]`,
				"eventsOfTomorrow", `[{"eventCharge":`+inWon("5")+`}]`,
			), yes,
		},
		{"nothing at all", "", statementOf("d", 0, 1, "0"), yes},
	} {
		id := c.id
		if id == "" {
			id = "n" + strconv.Itoa(i)
		}
		if got := s.tell(path, newer(id, c.members)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.why, got, c.want)
		}
	}
	list := s.google.Settlements()
	for i := range list {
		list[i].At, list[i].parts = time.Time{}, nil
	}
	start, end := time.UnixMilli(1772409600000).UTC(), time.UnixMilli(1773014400000).UTC()
	channel := "notification"
	want := []Settlement{
		{
			Channel: channel, Account: piaid, ID: "a", Currency: "KRW", AmountMicros: 12_616_000_000,
			Start: start, End: end, Parts: 1, Complete: true,
			Events: []Event{
				{Kind: "captureEvent", Subject: "c", OwnID: "own-c", ChargeMicros: 12_900_000_000, FeeMicros: -258_000_000, VATMicros: -26_000_000},
			},
		},
		{
			Channel: channel, Account: piaid, ID: "b", Currency: "KRW", Start: start, End: end, Parts: 3, Complete: true,
			Events: []Event{
				{Kind: "aggregateAdjustment", Adjustment: "aggregatedSchemeFees", AdjustmentMicros: 4_000_000_000},
				{Kind: "refundEvent", Subject: "f", OwnID: "own-f", ChargeMicros: -4_000_000_000},
			},
		},
		{
			Channel: channel, Account: piaid, ID: "c", Currency: "KRW", AmountMicros: 2_400_000, Start: start, End: end, Parts: 1, Complete: true,
			Events: []Event{
				{Kind: "aggregateAdjustment", Adjustment: "aggregatedSchemeFees", AdjustmentMicros: 1_000_000},
				{Kind: "captureEvent", Subject: "z", OwnID: "own-z", ChargeMicros: 285_000_000, FeeMicros: -258_000_000, VATMicros: -26_000_000},
				{Kind: "chargebackEvent", Subject: "c", Capture: "z", ChargeMicros: -3_000_000},
				{Kind: "fundsReservationEvent", Subject: "r", Presented: "KRW", FeeMicros: -100_000},
				{Kind: "miscellaneousAdjustment", AdjustmentMicros: -500_000},
				{Kind: "refundEvent", Subject: "z", OwnID: "own-z", ChargeMicros: -1_000_000},
				{Kind: "reverseChargebackEvent", Subject: "w", ChargeMicros: 3_000_000},
				{Kind: "reverseRefundEvent", Subject: "z", ChargeMicros: 2_000_000},
			},
		},
		{Channel: channel, Account: piaid, ID: "d", Currency: "KRW", Start: start, End: end, Parts: 1, Complete: true},
	}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("the settlements are\n%+v, want\n%+v", list, want)
	}
	for _, part := range []string{
		`"channel":"notification","piaid":"Test_KRW","settlement_id":"b","currency":"KRW","amount_micros":0,`,
		`"complete":true,"problems":[]`,
	} {
		if got := s.control("GET", "/settlements", "", 200); !strings.Contains(got, part) {
			t.Errorf("the control port says %s, not %s", got, part)
		}
	}
}

// The form of a settlement: the newer dialect and nothing else.
func TestSettlementForm(t *testing.T) {
	s := paid(t, "")
	gone := newerCode("missingRequiredField")
	header := func(h string) map[string]string { return but(statementOf("f", 0, 1, "0"), "requestHeader", h) }
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	event := func(list, e string) map[string]string { return but(statementOf("f", 0, 1, "0"), list, `[`+e+`]`) }
	n := 0
	for _, c := range []struct {
		why     string
		members map[string]string
		want    string
	}{
		{"no period", but(statementOf("f", 0, 1, "0"), "settlementPeriod", "-"), gone},
		{"no amount", but(statementOf("f", 0, 1, "0"), "settlementAmount", "-"), gone},
		{"no id", but(statementOf("f", 0, 1, "0"), "settlementId", "-"), gone},
		{"no offset", but(statementOf("f", 0, 1, "0"), "notificationOffset", "-"), gone},
		{"no total", but(statementOf("f", 0, 1, "0"), "notificationTotal", "-"), gone},
		{"no time of generation", but(statementOf("f", 0, 1, "0"), "generatedTimestamp", "-"), gone},
		{"the generation as text", but(statementOf("f", 0, 1, "0"), "generatedTimestamp", "1773619100000"), newerField("generatedTimestamp")},
		{"the offset as text", but(statementOf("f", 0, 1, "0"), "notificationOffset", "0"), newerField("notificationOffset")},
		{"the amount as text", but(statementOf("f", 0, 1, "0"), "settlementAmount", "12"), newerField("settlementAmount")},
		{"an amount without currency", but(statementOf("f", 0, 1, "0"), "settlementAmount", `{"amountMicros":"0"}`), gone},
		{
			"an amount in a currency that is none",
			but(statementOf("f", 0, 1, "0"), "settlementAmount", `{"amountMicros":"0","currencyCode":"won"}`),
			newerField("settlementAmount.currencyCode"),
		},
		{
			"a period that ends before it starts", but(statementOf("f", 0, 1, "0"), "settlementPeriod",
				`{"start":{"epochMillis":"2"},"end":{"epochMillis":"1"}}`), newerField("settlementPeriod"),
		},
		{
			"the account beside the header", but(header(`{"protocolVersion":{"major":1},"requestId":"x","requestTimestamp":{"epochMillis":"`+
				now+`"}}`), "paymentIntegratorAccountId", piaid), gone,
		},
		{
			"another account", header(`{"protocolVersion":{"major":1},"requestId":"x","requestTimestamp":{"epochMillis":"` + now +
				`"},"paymentIntegratorAccountId":"Other_KRW"}`), newerCode("invalidFieldValue"),
		},
		{
			"the time as text", header(`{"protocolVersion":{"major":1},"requestId":"x","requestTimestamp":"` + now +
				`","paymentIntegratorAccountId":"Test_KRW"}`), newerField("requestHeader.requestTimestamp"),
		},
		{"events that are no list", but(statementOf("f", 0, 1, "0"), "captureEvents", "{}"), newerField("captureEvents")},
		{"an event that is no object", event("captureEvents", "7"), newerField("captureEvents[0]")},
		{"an event of nothing", event("captureEvents", `{"paymentIntegratorCaptureId":"o",`+money("0", "0", "0")+`}`), gone},
		{"a capture without our id", event("captureEvents", `{"captureRequestId":"z",`+money("0", "0", "0")+`}`), gone},
		{"no fee", event("captureEvents", strings.Replace(captureEvent("z", "0"), "eventFee", "fee", 1)), gone},
		{"no VAT", event("captureEvents", strings.Replace(captureEvent("z", "0"), "eventVat", "vat", 1)), gone},
		{"no charge", event("captureEvents", strings.Replace(captureEvent("z", "0"), "eventCharge", "charge", 1)), gone},
		{
			"two currencies", event("captureEvents", strings.Replace(captureEvent("z", "0"), "KRW", "USD", 1)),
			newerField("captureEvents[0].eventCharge.currencyCode"),
		},
		{"a capture of half a won", event("captureEvents", captureEvent("z", "500000")), newerField("captureEvents[0].eventCharge")},
		{
			"won that the holder paid in dollars", event("captureEvents", strings.Replace(captureEvent("c", "1000000"), "{",
				"{"+strings.Replace(presented, "KRW", "USD", 1)+",", 1)), newerCode("preconditionViolation"),
		},
		{"a capture that Google owes", event("captureEvents", captureEvent("z", "-1000000")), newerField("captureEvents[0].eventCharge")},
		{"a refund that the integrator owes", event("refundEvents", refundEvent("z", "1000000")), newerField("refundEvents[0].eventCharge")},
		{
			"a chargeback that the integrator owes", event("chargebackEvents",
				`{"captureRequestId":"z","paymentIntegratorChargebackNotificationRequestId":"b",`+money("1000000", "0", "0")+`}`),
			newerField("chargebackEvents[0].eventCharge"),
		},
		{"a reversed chargeback of nothing", event("reverseChargebackEvents", `{`+money("1000000", "0", "0")+`}`), gone},
		{
			"a reservation that charges", event("fundsReservationEvents",
				`{"fundsReservationRequestId":"r","eventCharge":`+inWon("0")+`,"eventFee":`+inWon("0")+`,`+presented+`}`),
			newerField("fundsReservationEvents[0].eventCharge"),
		},
		{
			"a reservation without presentment", event("fundsReservationEvents",
				`{"fundsReservationRequestId":"r","eventFee":`+inWon("0")+`}`), gone,
		},
		{
			"a rate of nothing", event("fundsReservationEvents", `{"fundsReservationRequestId":"r","eventFee":`+inWon("0")+`,`+
				strings.Replace(presented, "10000000000000", "0", 1)+`}`),
			newerField("fundsReservationEvents[0].eventPresentmentDetails.nanoExchangeRate"),
		},
		{"an adjustment of nothing", event("aggregateAdjustments", `{"adjustmentType":{"eventFeesRounding":{}}}`), gone},
		{"an adjustment without type", event("aggregateAdjustments", `{"adjustmentAmount":`+inWon("0")+`}`), gone},
		{
			"an adjustment of two types", event("aggregateAdjustments", `{"adjustmentAmount":`+inWon("0")+`,"adjustmentType":{"a":{},"b":{}}}`),
			newerField("aggregateAdjustments[0].adjustmentType"),
		},
		{
			"amounts beyond 64 bits", event("captureEvents", captureEvent("z", "9223372036854775808")),
			newerField("captureEvents[0].eventCharge.amountMicros"),
		},
		{
			"a sum beyond 64 bits", but(statementOf("f", 0, 1, "-569551616"), "captureEvents",
				`[`+captureEvent("z", "9223372036854000000")+`,`+captureEvent("y", "9223372036854000000")+`]`), newerCode("preconditionViolation"),
		},
		{"loose JSON", map[string]string{"a": `1,"a":1`}, newerCode("invalidDecryptedRequest")},
	} {
		n++
		if got := s.tell(at("settlementNotification"), newer("n"+strconv.Itoa(n), c.members)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.why, got, c.want)
		}
	}
	if got := s.google.Settlements(); got != nil {
		t.Errorf("something was taken: %+v", got)
	}
}
