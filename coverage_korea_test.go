package naru_test

var koreaCards = surface{
	title: "Korea Cards v1", name: "korea-cards-v1", folder: "protocol/gsp/koreacards", play: "korea", events: "§6.3",
	echo:   call{"P7", "§4.7", "echo", "/v1/echo", "gsp.EchoRequest", "gsp.EchoResponse"},
	shares: []string{"gsp", "cards"}, domain: []string{"payment", "engine"}, headings: []string{"§2.3", "§2.6"}, answers: ofCards,
	situations: []string{"Violation", "Situation", "`result`"},
	codes:      codes{1, 3, "codes", []string{"heard by Google, nothing in the profile"}, []string{"e2e.TestResponseCodes"}},
	matrices: []matrixOf{
		{"e2e.TestErrorMatrix", "errorMatrix", ""},
		{"e2e.TestErrorMatrixOfTheLaterMethods", "laterMatrix", ""},
		{"e2e.TestErrorMatrixOfTheLaterMethods", "general", ", each for P4, P5, P6 and P8"},
	},
	foreign:     []string{"KRW", "NOT_HELD"}, // a currency, and a state of ours
	violated:    koreaViolated,
	unexercised: koreaUnexercised,
}

// koreaViolated names by hand the tests of the rows that the sheet says in words; mustExist looks after it.
var koreaViolated = map[string][]string{
	"§4.1 approved in full":                {"stories.TestStories/approved_captured"},
	"§4.1 partial approval by the network": {"stories.TestStories/partial_approval"},
	"§4.1 any decline":                     {"stories.TestStories/declines"},
	"§4.1 PIN wrong / birth date or business number wrong": {
		"stories.TestStories/declines",
	},
	"§4.1 network silent, or an answer that may hide a hold (rails 1.10)": {
		"stories.TestStories/lost_answer", inState + "reversing",
	},
	"§4.1 network answers that it cannot decide now (91 and its kin)": {
		"stories.TestStories/undecided_codes",
	},
	"§4.1 wrong merchant set-up (ISO 3)": {"e2e.TestMerchantThatTheHostDoesNotKnow"},
	"§4.1 currency not contracted, amount <= 0, not whole won, two union members": {
		matrix + "Korea §10: currency not contracted", matrix + "Korea §10: amount nothing", matrix + "Korea §10: fraction of a won",
		matrix + "Korea §10: two members of a union",
	},
	"§4.1 required member or union missing": {
		matrix + "Korea §10: required member missing", matrix + "Korea §10: union missing",
	},
	"§4.1 PAN, expiry, pin as a cardholder can mistype them (Luhn, month 13, expired, too many or too few pin digits)": {
		"koreacards.TestMistypedCardDataDeclines", "koreacards.TestMistypedCardChecksDecline",
	},
	"§4.1 PAN, expiry, pin with letters, empty, or a PAN outside 13-19 digits": {
		matrix + "C8, Korea §4.1: card number of letters", matrix + "C8, Korea §4.1: month of letters",
		matrix + "C8, Korea §4.1: PIN of letters",
		matrix + "C8, Korea §4.1: empty card number", matrix + "C8, Korea §4.1: card number of 12 digits",
		matrix + "C8, Korea §4.1: card number of 20 digits",
	},
	"§4.2 reservationRequestId unknown, or of another PIAID": {
		matrix + "Korea §10: capture of an unknown reservation", matrix + "Korea §10: capture of another account's",
	},
	"§4.2 second P2 (new requestId) in any later state": {
		matrix + "Korea §10: captured twice", inState + "capture pending",
	},
	"§4.2 amount above the reserved amount": {matrix + "Korea §10: more than what is held"},
	"§4.2 amount <= 0, not whole won": {
		matrix + "Korea §4.2: capture of nothing", matrix + "Korea §4.2: capture of a fraction",
	},
	"§4.2 hold cancelled, cancel pending, or declined": {
		inState + "cancelled", inState + "cancel pending", inState + "declined",
	},
	"§4.2 hold made by P5":                  {later + "P2 §4.2: the hold of a card check"},
	"§4.2 hold expired":                     {inState + "expired"},
	"§4.2 issuer revoked the authorization": {"stories.TestStories/revoked"},
	"§4.2 network refuses the completion for any other reason": {
		"e2e.TestCaptureThatTheHostRefuses",
	},
	"§4.2 P1 never got a 200 and its attempt was reversed (NOT_HELD)": {
		inState + "not held",
	},
	"§4.2 P1 still undecided, or its reversal still unanswered": {
		inState + "pending", inState + "reversing",
	},
	"§4.3 hold open": {"stories.TestStories/cancelled"},
	"§4.3 hold already **expired or auto-cancelled**": {
		inState + "expired", inState + "a card check that nobody cancelled",
	},
	"§4.3 hold already cancelled by another requestId": {inState + "cancelled", inState + "cancel pending"},
	"§4.3 reservation declined, capture failed": {
		inState + "declined", inState + "capture failed: revoked",
	},
	"§4.3 P1 or P5 never got a 200 and its attempt was reversed (NOT_HELD)": {
		"stories.TestStories/not_held_cancelled", inState + "a card check, not held",
	},
	"§4.3 capture pending or done": {
		inState + "capture pending", matrix + "Korea §10: cancelled after the capture",
	},
	"§4.3 reservation unknown": {matrix + "Korea §10: cancel of an unknown reservation"},
	"§4.3 P1 still undecided, or its reversal still unanswered": {
		inState + "pending", inState + "reversing",
	},
	"§4.4 captureRequestId unknown": {
		later + "P4 §4.4: capture unknown", later + "P4 §4.4: capture of another account",
	},
	"§4.4 above the remainder known to the PI": {later + "P4 §4.4: above the remainder"},
	"§4.4 above the remainder, found only later downstream": {
		"engine.TestRefundThatTheNetworkRefuses/13", "koreacards.TestRefundCodes/nothing_left",
	},
	"§4.4 capture pending or failed": {inState + "capture pending", inState + "capture failed: revoked"},
	"§4.4 amount <= 0, not whole won": {
		later + "asynchronousRefund, §10: amount nothing", later + "asynchronousRefund, §10: amount below nothing",
		later + "asynchronousRefund, §10: fraction of a won",
	},
	"§4.4 too late for the card product": {"e2e.TestRefundWindow"},
	"§4.4 within the remainder, but above captured - refunds - standing chargebacks": {
		"e2e.TestRefundsInEveryState/charged back in part",
	},
	"§4.4 card lost, stolen, cancelled; issuer refuses; network has no refunds": {
		"engine.TestRefundThatTheNetworkRefuses", "e2e.TestRefundsInEveryState/REFUND_FAILED", "koreacards.TestRefundCodes",
	},
	"§4.6 SUCCESS": {"e2e.TestDefenceIsTaken/base64url", "e2e.TestDefenceInEveryStage/CB1_OPEN"},
	"§4.6 CAPTURE_REQUEST_ID_NOT_FOUND": {
		"e2e.TestDefenceIsTaken/unknown capture", "e2e.TestDefenceIsTaken/a payment made elsewhere",
	},
	"§4.6 INVALID_DOCUMENT_FORMAT": {"e2e.TestDefenceIsTaken/no PDF", "e2e.TestDefenceIsTaken/no base64"},
	"§4.6 CHARGEBACK_NOT_DEFENDABLE": {
		"e2e.TestDefenceIsTaken/no dispute", "e2e.TestDefenceInEveryStage/CB1_LOST",
	},
	"§10 not decryptable, unknown encryption key": {
		matrix + "§5.4 4, C1: no OpenPGP", matrix + "§5.4 4, X16: encrypted to a stranger",
		matrix + "§5.4 4, Korea §10: encrypted to a revoked key of ours",
	},
	"§10 no valid signature": {
		matrix + "§5.4 5, Korea §10: not signed", matrix + "§5.4 5, C2, E4: signed by a stranger",
	},
	"§10 decrypted but not strict JSON": {matrix + "§5.4 6, C3: no JSON", matrix + "X17: duplicate member"},
	"§10 other major version":           {matrix + "§5.4 8, X8, Korea §10: other major version"},
	"§10 timestamp off by more than 60 s": {
		matrix + "§5.4 10, C4, X12: late", matrix + "§5.4 10, X12: early",
	},
	"§10 PIAID unknown": {matrix + "§5.4 11, C6, Korea §10: unknown account"},
	"§10 requestId longer than 100 or bad character": {
		matrix + "§5.4 9, X11: 101 characters", matrix + "X11: a blank in the id",
	},
	"§10 key reused with other content": {
		matrix + "§5.4 12, X2: other amount", matrix + "§4.3: the same id for another method",
	},
	"§10 required member or union missing": {
		matrix + "Korea §10: required member missing", matrix + "Korea §10: union missing",
	},
	"§10 zero value of an enum; unknown text where this sheet calls the list complete": {
		matrix + "Korea §10: zero value of an enum",
	},
	"§10 PIAID known, but not enabled for this API": {matrix + "§5.4 11, Korea §10: account not enabled"},
	"§10 two members of one union":                  {matrix + "Korea §10: two members of a union"},
	"§10 amount not int64, <= 0, fraction of a won; currency not contracted": {
		matrix + "Korea §10: amount no int64", matrix + "Korea §10: amount nothing", matrix + "Korea §10: fraction of a won",
		matrix + "Korea §10: currency not contracted",
	},
	"§10 reservation, capture, refund, chargeback id unknown": {
		matrix + "Korea §10: capture of an unknown reservation", later + "P4 §4.4: capture unknown",
	},
	"§10 state or amount rule broken": {
		matrix + "Korea §10: captured twice", matrix + "Korea §10: more than what is held",
	},
	"§10 other ARN":     {"google.TestStates/another number", "engine.TestReferenceNumberOfAnother"},
	"§10 ISO 3":         {"e2e.TestMerchantThatTheHostDoesNotKnow"},
	"§10 ISO 6, 20, 30": {"e2e.TestResponseCodes/06 20 30"},
	"§10 ISO 9, 19, 22, 28, timeout": {
		"e2e.TestResponseCodes/09 19 22 28", "stories.TestStories/lost_answer",
	},
	"§10 parallel copy still running at deadline": {"e2e.TestCopyStillWaitingAtTheDeadline"},
	"§10 method not offered (e.g. capture)":       {matrix + "Korea §10: method not offered"},
}

const (
	matrix  = "e2e.TestErrorMatrix/"
	later   = "e2e.TestErrorMatrixOfTheLaterMethods/"
	inState = "e2e.TestEveryMethodInEveryState/"
)

// koreaUnexercised says of what no test exercises why that is right.
var koreaUnexercised = map[string]string{
	"P2 response paymentIntegratorCaptureId": "not sent to Korea until it is confirmed (§4.2)",

	"AvsNotSupportedReason UNSUPPORTED_BY_INTEGRATOR": supported,
	"NotSentAvsSupport UNSUPPORTED_BY_INTEGRATOR":     byContract,
	"NotSentAvsSupport UNSUPPORTED_BY_ISSUER":         byContract,
	"VerificationResult SKIPPED_BY_ISSUER":            noLetter,
	"CvnResult NOT_SENT_UNSUPPORTED_BY_INTEGRATOR":    byContract,
	"CvnResult UNSUPPORTED_BY_INTEGRATOR":             supported,
	"CvnResult UNSUPPORTED_BY_NETWORK":                noLetter,
	"CvnResult SKIPPED_BY_ISSUER":                     noLetter,

	"errorResponseCode " + zeroCode:             zeroValue,
	"§4.6 zero value":                           zeroValue,
	"§3.7 NOT_SENT_AVS_SUPPORT_UNSPECIFIED":     zeroValue,
	"§3.7 AVS_NOT_SUPPORTED_REASON_UNSPECIFIED": zeroValue,
	"§3.8 CVN_RESULT_UNSPECIFIED":               zeroValue,
	"§3.10 CARD_TYPE_UNSPECIFIED":               zeroValue,
	"§5.13 UNKNOWN_REASON":                      zeroValue,

	"§10 PIAID in body differs from URL": "cannot happen: our paths name no account (§1.2), and our calls take both from one value",

	"§6.2 openingBalance":           "optional: no balance is carried over",
	"§6.2 closingBalance":           "optional: no balance is carried over",
	"§6.2 settlementPaymentDetails": "optional: the payment comes after the file",
	"§6.3 eventFeeBreakdown":        "optional, informative only: the acquirer's fees are not passed on",
}

const (
	zeroValue = "zero value: never sent"
	supported = "never said: the check is supported"
	noLetter  = "never said: no letter of the networks means it (rails §1.15)"

	byContract = "said only where an account's contract names it, which is handed on as it stands (`cardfop.TestChecks`)"
)
