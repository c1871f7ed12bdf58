package clearing_test

import (
	"strings"
	"testing"

	"naru/core/payment"
	. "naru/rail/clearing"
)

// The table of rails §1.16, written down a second time.
var schemeReasons = map[payment.DisputeReason]string{
	payment.Fraud: "VISA/10.1 VISA/10.2 VISA/10.3 VISA/10.4 VISA/10.5 MASTERCARD/4837 MASTERCARD/4849 MASTERCARD/4870 MASTERCARD/4871 " +
		"/4537 /4540 /4562",
	payment.OtherReason: "VISA/11.1 VISA/11.2 VISA/11.3 MASTERCARD/4808 /4507 /4508 /4512 /4535 VISA/12.2 VISA/12.3 VISA/12.4 VISA/12.7 " +
		"/4546 /4501 /4554",
	payment.LatePresentment:           "VISA/12.1 /4542",
	payment.AmountDiffers:             "VISA/12.5 MASTERCARD/4834/amount /4531",
	payment.DuplicatePayment:          "VISA/12.6.1 MASTERCARD/4834/duplicate /4534",
	payment.PaidByOtherMeans:          "VISA/12.6.2 MASTERCARD/4834/other_means",
	payment.NotDelivered:              "VISA/13.1 MASTERCARD/4853/not_received /4555 /4559",
	payment.SubscriptionCanceled:      "VISA/13.2 MASTERCARD/4853/recurring MASTERCARD/4841 /4541",
	payment.DefectiveOrNotAsDescribed: "VISA/13.3 VISA/13.4 VISA/13.5 MASTERCARD/4853/not_as_described /4553 /4556",
	payment.CreditNotProcessed:        "VISA/13.6 VISA/13.7 MASTERCARD/4853/credit MASTERCARD/4860 /4560",
	payment.ChargeNotRecognized:       "MASTERCARD/4863 MASTERCARD/6305",
	payment.UnclearReason:             "/ VISA/ VISA/99.9 /4599 MASTERCARD/4834 MASTERCARD/4853 BC/30",
}

func TestReasons(t *testing.T) {
	codes := 0
	for want, cases := range schemeReasons {
		for _, c := range strings.Fields(cases) {
			part := append(strings.Split(c, "/"), "")
			if got := Reasons.Lookup(part[0], part[1], strings.ReplaceAll(part[2], "_", " ")); got != want {
				t.Errorf("%s is %s, want %s", c, got, want)
			}
			codes++
		}
	}
	if want := len(Reasons) + 5; codes != want { // five that no row knows; 4834 and 4853 without a word have rows
		t.Errorf("%d codes are tried, the table has %d", codes, len(Reasons))
	}
}

func TestReasonDependsOn(t *testing.T) {
	for _, c := range []struct {
		brand, code, text string
		want              payment.DisputeReason
	}{
		{"", "10.4", "", payment.Fraud},
		{"", "4837", "", payment.Fraud},
		{" visa ", " 10.4 ", "", payment.Fraud},
		{"BC", "10.4", "", payment.UnclearReason}, // a local brand's own number
		{"MASTERCARD", "10.4", "", payment.UnclearReason},
		{"BC", "4555", "", payment.NotDelivered}, // DE60 of a 0422
		{"MASTERCARD", "4834", "DUPLICATE amount", payment.DuplicatePayment},
		{"MASTERCARD", "4834", "Paid by Other Means, same amount", payment.PaidByOtherMeans},
		{"MASTERCARD", "4834", "금액 상이", payment.AmountDiffers},
		{"MASTERCARD", "4853", "credit not received", payment.CreditNotProcessed},
		{"MASTERCARD", "4853", "goods not received", payment.NotDelivered},
		{"MASTERCARD", "4853", "defective, refund refused", payment.DefectiveOrNotAsDescribed},
		{"MASTERCARD", "4853", "something else", payment.UnclearReason},
		{"VISA", "13.1", "recurring", payment.NotDelivered}, // the code says it all
	} {
		if got := Reasons.Lookup(c.brand, c.code, c.text); got != c.want {
			t.Errorf("%q %q %q: %s, want %s", c.brand, c.code, c.text, got, c.want)
		}
	}
}

func TestRetrievalWithoutKnownCodeIsNotRecognized(t *testing.T) {
	for _, c := range []struct {
		record Record
		want   payment.DisputeReason
	}{
		{Record{Type: INQ}, payment.ChargeNotRecognized},
		{Record{Type: INQ, Brand: "BC", Reason: "30"}, payment.ChargeNotRecognized},
		{Record{Type: INQ, Brand: "VISA", Reason: "10.4"}, payment.Fraud},
		{Record{Type: CHB, Brand: "BC", Reason: "30"}, payment.UnclearReason},
		{Record{Type: CHB, Brand: "MASTERCARD", Reason: "4834", Text: "twice"}, payment.DuplicatePayment},
	} {
		if got := c.record.DisputeReason(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.record, got, c.want)
		}
	}
}
