package koreacards

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"naru/core/fault"
	"naru/engine"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

func defendAsk(t testing.TB, body []byte) (engine.DefendAsk, error) {
	t.Helper()
	s, e, call := heard(t, korea)
	_, err := gsptest.Call(t, call, s.DefendChargeback, body)
	return e.Defended, err
}

const document = "defenseMaterialDocument."

func TestDefencesAreRead(t *testing.T) {
	ask, err := defendAsk(t, golden(t, "p6-request"))
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Key{Account: "HanbitPG_KRW", RequestID: "KR-CAP-77b0-0001"}
	if ask.Capture != want || !bytes.HasPrefix(ask.Document, []byte("%PDF-1.7\n")) {
		t.Errorf("%v, %d bytes", ask.Capture, len(ask.Document))
	}
	elsewhere, err := defendAsk(t, golden(t, "p6-elsewhere"))
	if want := (engine.Key{Account: "HanbitPG_KRW"}); err != nil || elsewhere.Capture != want || elsewhere.Document == nil {
		t.Errorf("a payment made elsewhere: %v, %v", elsewhere.Capture, err)
	}
	elsewhere, err = defendAsk(t, edited(t, "p6-elsewhere", edits{"mrnPaymentDetails": edits{"new": []any{1}}}))
	if err != nil || elsewhere.Capture.RequestID != "" {
		t.Errorf("unknown members of mrnPaymentDetails: %v", err)
	}
}

// Every row of the violations of §4.6, and of the forms that a document may have.
func TestDocuments(t *testing.T) {
	pdf := "%PDF-1.7\n?>?>\xff\xfe" // has both characters in which the alphabets differ
	for name, row := range map[string]struct {
		edit     edits
		document string // "": none
		kind     fault.Kind
		says     string // "": no fault
	}{
		"base64url":                     {edits{document + "payload": base64.RawURLEncoding.EncodeToString([]byte(pdf))}, pdf, 0, ""},
		"base64url, padded":             {edits{document + "payload": base64.URLEncoding.EncodeToString([]byte(pdf))}, pdf, 0, ""},
		"base64":                        {edits{document + "payload": base64.RawStdEncoding.EncodeToString([]byte(pdf))}, pdf, 0, ""},
		"base64, padded":                {edits{document + "payload": base64.StdEncoding.EncodeToString([]byte(pdf))}, pdf, 0, ""},
		"no base64":                     {edits{document + "payload": "%PDF-1.7"}, "", 0, ""},
		"half a character":              {edits{document + "payload": "JVBERi0xLjcKJcK1wrYKC"}, "", 0, ""},
		"both alphabets":                {edits{document + "payload": "JVBERi0-Pz8_+/8"}, "", 0, ""},
		"empty":                         {edits{document + "payload": ""}, "", 0, ""},
		"no PDF":                        {edits{document + "payload": base64.RawURLEncoding.EncodeToString([]byte("\x89PNG\r\n"))}, "", 0, ""},
		"PDF later on":                  {edits{document + "payload": base64.RawURLEncoding.EncodeToString([]byte(" %PDF-1.7"))}, "", 0, ""},
		"another type":                  {edits{document + "mimeType": "IMAGE_PNG"}, "", 0, ""},
		"zero value of the type":        {edits{document + "mimeType": "MIME_TYPE_UNSPECIFIED"}, "", fault.Invalid, "mimeType"},
		"empty type":                    {edits{document + "mimeType": ""}, "", fault.Invalid, "mimeType"},
		"no type":                       {edits{document + "mimeType": absent}, "", fault.Missing, "defenseMaterialDocument.mimeType"},
		"no payload":                    {edits{document + "payload": absent}, "", fault.Missing, "defenseMaterialDocument.payload"},
		"null payload":                  {edits{document + "payload": nil}, "", fault.Missing, "defenseMaterialDocument.payload"},
		"payload that is no text":       {edits{document + "payload": 5}, "", fault.Invalid, "payload"},
		"no document":                   {edits{"defenseMaterialDocument": absent}, "", fault.Missing, "defenseMaterialDocument"},
		"no criteria":                   {edits{"captureRequestId": absent}, "", fault.Missing, "criteria"},
		"both criteria":                 {edits{"mrnPaymentDetails": edits{}}, "", fault.Invalid, "criteria"},
		"a capture without a name":      {edits{"captureRequestId": ""}, "", fault.Invalid, "captureRequestId"},
		"payment details that are text": {edits{"captureRequestId": absent, "mrnPaymentDetails": "M-1"}, "", fault.Invalid, "mrnPaymentDetails"},
	} {
		ask, err := defendAsk(t, edited(t, "p6-request", row.edit))
		kind, says := fault.Of(err)
		if (err != nil) != (row.says != "") || kind != row.kind || !strings.Contains(says, row.says) {
			t.Errorf("%s: %v %q", name, kind, says)
		}
		if err == nil && (string(ask.Document) != row.document || (ask.Document == nil) != (row.document == "")) {
			t.Errorf("%s: %d bytes, want %d", name, len(ask.Document), len(row.document))
		}
	}
}

func TestDefenceResults(t *testing.T) {
	ask, err := defendAsk(t, golden(t, "p6-request"))
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range map[engine.DefendResult]string{
		engine.DefenceTaken: "SUCCESS", engine.DefenceOfUnknownCapture: "CAPTURE_REQUEST_ID_NOT_FOUND",
		engine.DefenceUnreadable: "INVALID_DOCUMENT_FORMAT", engine.DefenceOfNothing: "CHARGEBACK_NOT_DEFENDABLE",
	} {
		if got, err := ask.Encode(r); string(got) != `{"result":"`+want+`"}` || err != nil {
			t.Errorf("%d: %s, %v", r, got, err)
		}
	}
}

// §5.13 is complete: every reason of the domain has its word, every word its reason, and what is missing or new is unclear.
func TestDisputeReasons(t *testing.T) {
	sheet := []string{
		"CHARGE_NOT_RECOGNIZED", "CREDIT_NOT_PROCESSED", "DEFECTIVE_OR_NOT_AS_DESCRIBED", "DUPLICATE_PAYMENT", "FAMILIAR_FRAUD", "FRAUD",
		"INCORRECT_MERCHANDISE", "INPUT_ERROR", "INSUFFICIENT_FUNDS", "LATE_PRESENTMENT", "NOT_DELIVERED", "OTHER", "PAID_BY_OTHER_MEANS",
		"SUBSCRIPTION_CANCELED", "SUSPICIOUS", "TRANSACTION_AMOUNT_DIFFER", "UNCLEAR", "UNWANTED_MERCHANDISE",
	}
	says := func(reason, stage string) (out cards.ChargebackNotification) {
		tell(t, Profile{}, engine.Notice{Kind: engine.ChargebackRaised, Facts: engine.Facts{
			Capture: "c", Minor: 1, Currency: "KRW", Stage: stage, Reason: reason, AtMs: 1, ReplyMs: 2,
		}}, &out)
		return out
	}
	var said []string
	for _, reason := range gsptest.Constants(t, "../../../core/payment/dispute.go", "DisputeReason") {
		got := string(says(reason, "FIRST").ReasonCode)
		if got != strings.ToUpper(reason) { // the domain's words are Google's in small letters
			t.Errorf("%s is said as %s", reason, got)
		}
		said = append(said, got)
	}
	if slices.Sort(said); !slices.Equal(said, sheet) {
		t.Errorf("got  %v\nwant %v", said, sheet)
	}
	for _, reason := range []string{"", "10.4", "a reason of tomorrow"} {
		if got := says(reason, "FIRST").ReasonCode; got != "UNCLEAR" {
			t.Errorf("%q is said as %s", reason, got)
		}
	}
	for _, stage := range []cards.ChargebackStage{"FIRST", "SECOND"} {
		if got := says("fraud", string(stage)).ChargebackStage; got != stage {
			t.Errorf("%s is said as %s", stage, got)
		}
	}
}

func TestFraudTypes(t *testing.T) {
	p := Profile{Profile: cards.Profile{FraudTypes: map[string]cards.FraudType{"3": "STOLEN_CARD"}}}
	for code, want := range map[string]cards.FraudType{"3": "STOLEN_CARD", "6": "FRAUDULENT_USE"} {
		var said cards.FraudNotification
		tell(t, p, engine.Notice{Kind: engine.FraudReported, Code: code, Facts: engine.Facts{Capture: "c"}}, &said)
		if said.FraudType != want {
			t.Errorf("%s: %s", code, said.FraudType)
		}
	}
}
