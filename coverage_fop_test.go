package naru_test

var cardFOP = surface{
	title: "Card FOP v1", name: "card-fop-v1", folder: "protocol/gsp/cardfop", play: "fop", events: "§5.11", marked: true,
	echo:      call{"P8", "§4.8", "echo", "/v1/echo", "gsp.EchoRequest", "gsp.EchoResponse"},
	elsewhere: map[string]string{"§6.2": "§5.11", "§6.3": "§5.11"},
	shares:    []string{"gsp", "cards"}, domain: []string{"payment", "engine"}, headings: []string{"§2.3", "§2.6"}, answers: ofCards,
	situations: []string{"Topic", "Kind", "Rule", "Status", "Violation", "Illegal move", "From", "Situation"},
	codes:      codes{2, 3, "fopCodes", []string{"P1", "P4", "P6"}, []string{"e2e.TestResponseCodes", "e2e.TestVerificationCodes"}},
	matrices: []matrixOf{
		{"e2e.TestErrorMatrix", "errorMatrix", ""},
		{"e2e.TestErrorMatrixOfTheLaterMethods", "laterMatrix", ""},
		{"e2e.TestErrorMatrixOfTheLaterMethods", "general", ", each for P4, P5, P6 and P7"},
		{"e2e.TestErrorMatrixOfCardFOP", "TestErrorMatrixOfCardFOP", ""},
	},
	columns:     map[string]int{"P1": 2, "P4": 3, "P6": 4},
	inWords:     fopInWords,
	violated:    fopViolated,
	unexercised: fopUnexercised,
}

const (
	ofFOP   = "e2e.TestErrorMatrixOfCardFOP/"
	refunds = "e2e.TestRefundsInEveryState/"
	stage   = "e2e.TestDefenceInEveryStage/"
	move    = "engine.TestEveryMoveOfADispute/"
	google  = "google.TestStatesOfSales/"
	story   = "stories.TestStories/"
)

// fopInWords are the rules that the sheet has outside its tables, in its own words, with their tests.
var fopInWords = []stated{
	{"§1.1", "Google-hosted URLs end with the caller's payment integrator account id", []string{
		"e2e.TestEveryNotificationOfCardFOP",
	}},
	{"§1.1", "All methods are `POST`", []string{matrix + "§5.4 1: another verb at a method"}},
	{"§2.3", "`echo` has no PIAID in its PI-hosted body", []string{"cardfop.TestMethodsAtTheirPaths"}},
	{"§2.5", "Everything the server understood and decided - approvals **and declines** - is HTTP 200", []string{
		"e2e.TestResponseCodes",
	}},
	{"§3", "Two members present -> `INVALID_FIELD_VALUE`", []string{
		ofFOP + "capture, §3.2: two rails", ofFOP + "capture, §3.2: an ECI and none", ofFOP + "capture, §3.2: 3-D Secure and none",
		ofFOP + "capture, §3.2: stored credentials and none", ofFOP + "capture, §3.2: two exemptions",
		ofFOP + "capture, §3.3: by the customer and by the merchant", ofFOP + "capture, §3.3: a payment before, and none",
		ofFOP + "capture, §3.1: a token of two kinds", later + "P7 §4.7: both criteria",
	}},
	{"§3", "none in a required union -> `MISSING_REQUIRED_FIELD`", []string{
		ofFOP + "capture, §3.1: neither a card nor a token", ofFOP + "capture, §3.2: no rail", ofFOP + "capture, §3.2: no ECI",
		ofFOP + "capture, §3.2: no 3-D Secure", ofFOP + "capture, §3.2: no stored credentials", ofFOP + "capture, §3.3: by nobody",
		ofFOP + "capture, §3.3: no payment before", ofFOP + "capture, §3.1: a token of no kind", later + "P7 §4.7: no criterion",
	}},
	{"§3.1", "Use digits 13-19 + Luhn for PANs, digits 3-4 for `cvn`", []string{
		matrix + "C8, Card FOP §4.1: card number of 12 digits", matrix + "C8, Card FOP §4.1: card number of 20 digits",
		"cardfop.TestMistypedCardDataDeclines", "cardfop.TestPaymentFaults",
	}},
	{"§3.2", "`PROCESSING_NETWORK_TYPE_UNSPECIFIED` (zero, never)", []string{ofFOP + "capture, §3.2: zero value of the rail"}},
	{"§3.2", "accept `CREDIT` / `DEBIT` and any other string as open enum", []string{
		"cardfop.TestMembersOfAPayment/debit", "koreacards.TestReserveFundsAccepts",
	}},
	{"§3.3", "`PreviousTransactionInformation` members were not readable", []string{
		"e2e.TestStoredCredentials", "koreacards.TestReserveFundsAccepts",
	}},
	{"§3.4", "on success answers of capture, reserveFunds and card verification", []string{
		"cardfop.TestStoredCredentialResults", "cardfop.TestStoredCredentialsOfChecks", "e2e.TestStoredCredentials",
	}},
	{"§3.6", "Google wants an explicit statement per field, never an omission", []string{
		"cardfop.TestChecks", "e2e.TestResultsOfTheAddress",
	}},
	{"§3.7", "`MISMATCH` in `cvnResult` does not by itself decline", []string{"e2e.TestResultsOfTheCardNumber", story + "avs_cvn"}},
	{"§3.9", "`ResponseCode` is an object with the code string", []string{
		"cards.TestResponseCodeIsReadInBothShapes", "cardfop.TestNetworkResults",
	}},
	{"§3.9", "one setting for both card APIs, `cardNetworkResult.form = raw | passThrough`, default `raw`", []string{
		"cardfop.TestNetworkResults", "e2e.TestNetworkResults",
	}},
	{"§4.1", "a cancel (P3) or `reservationExpirationTimestamp`, whichever is first", []string{
		"engine.TestExpiry", story + "fop_hold",
	}},
	{"§4.1", "a partial approval has to be answered as `ISSUER_DECLINED`, and the partial hold released by the PI", []string{
		"engine.TestReservePartialIsGivenBack", "e2e.TestResponseCodes/01 02 10", story + "partial_approval",
	}},
	{"§4.1", "final answer not obtainable now 503", []string{"e2e.TestResponseCodes", inState + "reversing"}},
	{"§4.1", "A wrong PAN, expiry or CVN is **not** an error but a decline (HTTP 200)", []string{
		"cardfop.TestMistypedCardDataDeclines",
	}},
	{"§4.1", "letters in a PAN or fewer than 13 or more than 19 digits are 400 `INVALID_FIELD_VALUE`", []string{
		matrix + "C8, Card FOP §4.1: card number of letters", matrix + "C8, Card FOP §4.1: card number of 12 digits",
		matrix + "C8, Card FOP §4.1: card number of 20 digits",
	}},
	{"§4.2", "one capture per hold, ever; a smaller amount closes the hold and the remainder has to be released", []string{
		story + "fop_hold", "engine.TestPartialCapture",
	}},
	{"§4.3", "hold already **expired or auto-cancelled by the PI -> this is a successful cancel**", []string{
		inState + "expired", inState + "a card check that nobody cancelled",
	}},
	{"§4.3", "A second cancel with a new requestId after a finished cancel: treat alike, ACK + `SUCCESS`", []string{
		inState + "cancelled",
	}},
	{"§4.3", "Cancel after capture or during a pending capture: 400 `PRECONDITION_VIOLATION`", []string{
		inState + "captured", inState + "capture pending",
	}},
	{"§4.3", "Unknown hold: 404 `INVALID_IDENTIFIER`", []string{matrix + "Card FOP §9: cancel of an unknown reservation"}},
	{"§4.3", "Cancel of a declined reservation: ACK + `SUCCESS`", []string{inState + "declined", inState + "a sale, declined"}},
	{"§4.3", "Cancel of a reservation that never got a 200: 503 while its reversal is unanswered, then ACK and G2 `SUCCESS`", []string{
		inState + "reversing", inState + "not held", inState + "a sale, reversing", inState + "a sale, not held",
	}},
	{"§4.3", "if the P1 comes again afterwards: 200 with a decline, nothing is held", []string{
		story + "not_held_cancelled", story + "sale_lost_answer",
	}},
	{"§4.3", "Cancel of a reservation the PI never saw (request lost): 404", []string{inState + "never asked for"}},
	{"§4.4", "Its `requestId` is the `captureRequestId` of later refunds, ARN, disputes, fraud, settlement", []string{
		"e2e.TestEveryNotificationOfCardFOP", story + "sale_refunded", story + "sale_disputed",
	}},
	{"§4.4", "No G1 follows", []string{"e2e.TestNoVerdictOnASale"}},
	{"§4.4", "No expiry member", []string{"e2e.TestNetworkResults"}},
	{"§4.4", "Partial approval: decline (7.2 code 10)", []string{"engine.TestSalePartialIsGivenBack", "e2e.TestResponseCodes/01 02 10"}},
	{"§4.4", "reverse in any case (rails 1.11 T1), answer 503 until the reversal is answered", []string{
		"engine.TestSaleWithoutVerdict", inState + "a sale, reversing", story + "sale_lost_answer",
	}},
	{"§4.4", "then a repeat of the same requestId starts a new attempt", []string{
		"e2e.TestSalesAnswerOnce", "e2e.TestResponseCodes", story + "sale_lost_answer",
	}},
	{"§4.5", "several partial refunds must be supported, each with its own requestId", []string{
		refunds + "CAPTURED", story + "sale_refunded",
	}},
	{"§4.5", "sum of pending and successful refunds (minus reversed ones, G10) must not exceed the captured amount", []string{
		refunds + "REFUND_PENDING", refunds + "REFUNDED", refunds + "REFUND_REVERSED in part",
	}},
	{"§4.6", "The PI makes the smallest hold the network allows", []string{
		"engine.TestCheckOfACard", "e2e.TestVerificationThatCostsMoney",
	}},
	{"§4.6", "Google sends **no amount**", []string{later + "verifyCardWithMinimumReservation, §9: an amount"}},
	{"§4.6", "Nothing is ever captured", []string{inState + "a card check, held", later + "P2 §4.2: the hold of a card check"}},
	{"§4.6", "`CapabilitySupport`: `SUPPORTED` `[ex]`, `NOT_SUPPORTED` `[ex]`", []string{
		"cardfop.TestFlows", "e2e.TestSalesOnly", "e2e.TestVerificationCodes",
	}},
	{"§4.7", "`CAPTURE_REQUEST_ID_NOT_FOUND` (capture unknown)", []string{"e2e.TestWrongAPI", inState + "a sale, declined"}},
	{"§4.7", "`INVALID_DOCUMENT_FORMAT` (not a readable PDF)", []string{
		"koreacards.TestDocuments", "e2e.TestDefenceIsTaken/no PDF",
	}},
	{"§4.7", "`CHARGEBACK_NOT_DEFENDABLE` (no open dispute, `replyByDate` over, stage decided", []string{
		inState + "a sale", stage + "INQUIRY_CLOSED", stage + "CB1_LOST", stage + "CB1_REVERSED",
	}},
	{"§4.7", "attach the evidence to the open one(s), newest stage first", []string{"engine.TestEvidence"}},
	{"§4.8", "no weak ciphers; only TLS 1.2; no plain HTTP", []string{
		"gsp.TestE1WeakSuitesE2Versions", "gsp.TestE3PlainHTTPGetsNothing",
	}},
	{"§4.8", "several signatures on one message (known and unknown, expired and active) must be handled", []string{
		matrix + "E5: stranger's and active signature", matrix + "E5: expired and active signature",
	}},
	{"§4.8", "never faster than one per 10 s and never more than 30 per 15 min", nil},
	{"§5", "`paymentIntegratorAccountId` in the body, PIAID again at the end of the URL", []string{
		"e2e.TestEveryNotificationOfCardFOP",
	}},
	{"§5.1", "The verdict is fixed per `captureFundsReservationRequestId`; a later call cannot change it", []string{
		google + "another verdict",
	}},
	{"§5.2", "Expired or auto-cancelled hold = `SUCCESS`", []string{inState + "expired"}},
	{"§5.3", "fixed per `refundRequestId`", []string{"google.TestStates/another verdict"}},
	{"§5.4", "the PI **must** send it then", []string{"cardfop.TestARNsAreAlwaysOffered", "engine.TestClearingOfASale"}},
	{"§5.4", "A second call with another ARN for the same capture -> HTTP 400. Same ARN again -> 200", []string{
		google + "another", google + "the same", "engine.TestReferenceNumberOfAnother",
	}},
	{"§5.5", "A refund's ARN differs from its capture's ARN; each of several refunds has its own", []string{
		"engine.TestReferenceNumbers",
	}},
	{"§5.5", "a different ARN for the same refund -> HTTP 400", []string{google + "of a refund, another"}},
	{"§5.6", "**No money moves.** Google may answer with evidence through P7", []string{
		refunds + "an inquiry moves no money", stage + "INQUIRY_OPEN",
	}},
	{"§5.7", "This notification's own `requestId` becomes `chargebackRequestId` in G8", []string{
		google + "one that was never told is won", google + "it is won", story + "sale_disputed",
	}},
	{"§5.8", "After a first stage the issuer may come back with a second chargeback (new G7)", []string{
		move + "chb cbr cb2", story + "sale_disputed",
	}},
	{"§5.9", "Every suspected fraud should be reported. No money moves", []string{move + "chb fraud", "engine.TestFraudTwice"}},
	{"§5.10", "a refund that had been `SUCCESS` came back from the issuer", []string{
		refunds + "REFUND_REVERSED as a whole", story + "sale_refunded",
	}},
	{"§5.11", "This one method uses the **v2 dialect**", []string{"cardfop.TestTheSheetsSettlement"}},
	{"§5.11", "negative = value from Google to the PI; positive = value the PI owes Google", []string{
		"e2e.TestEveryNotificationOfCardFOP", story + "settlement_currencies",
	}},
	{"§6.1", "Without 3 or 4 the hold ends by itself after a fixed time", []string{"engine.TestExpiry"}},
	{"§6.1", "Some days after 3b: PI -> Google G4 with the ARN (obligatory once known)", []string{
		"e2e.TestEveryNotificationOfCardFOP", story + "arn_late",
	}},
	{"§6.2", "PI authorizes and captures in one go, answers at once", []string{
		story + "sale", story + "sale_refunded", story + "sale_disputed",
	}},
	{"§6.3", "partial refunds and several refunds per capture must work; total never above the capture", []string{
		story + "sale_refunded",
	}},
	{"§6.4", "PI releases, `ACKNOWLEDGED`, then G2 `SUCCESS` - also when nothing was really held", []string{
		inState + "a card check, held", inState + "a card check, not held",
	}},
	{"§6.5", "There is no \"lost\" message; silence after `replyByDate` means the chargeback stands", []string{move + "chb clock"}},
	{"§6.5", "Fraud-caused disputes: send G9 **in addition**", []string{move + "chb fraud"}},
	{"§6.6", "PI -> Google G9 for every suspicion, independent of money and of disputes", []string{
		"engine.TestFraudTwice", story + "sale_disputed",
	}},
	{"§7.1", "allow them in both", []string{"cardfop.TestResultCodes", "e2e.TestWordsThatAProfileGives"}},
	{"§7.2", "Always pass the untouched network code in `cardNetworkResult`", []string{
		"e2e.TestResponseCodes", "e2e.TestVerificationCodes",
	}},
}

// fopViolated names by hand the tests of the rows that the sheet says in words; mustExist looks after it.
var fopViolated = map[string][]string{
	"§2.1 Verb":                  {matrix + "§5.4 1: another verb", matrix + "§5.4 1: another verb at a method"},
	"§2.1 Payload protection":    {"seal.TestGnupgToUs", "seal.TestUsToGnupg", "seal.TestSignatures"},
	"§2.1 Content type with PGP": {"gsp.TestX14X15Encodings", "gsp.TestClientSpeaksBothGenerations"},
	"§2.1 TLS":                   {"gsp.TestE1WeakSuitesE2Versions", "gsp.TestE3PlainHTTPGetsNothing"},
	"§2.1 JSON":                  {"gsp.TestC3E6X17Step6StrictJSON"},

	"§2.2 timestamp (v1 dialect)":                  {"gsp.TestTimestamps"},
	"§2.2 amount":                                  {"e2e.TestEveryCurrency", "gsp.TestInt64"},
	"§2.2 amount (v2 dialect, settlement only)":    {"cardfop.TestTheSheetsSettlement"},
	"§2.2 timestamp (v2 dialect, settlement only)": {"gsp.TestTimestamps", "cardfop.TestTheSheetsSettlement"},
	"§2.2 currency": {
		ofFOP + "capture, §9: currency unknown", ofFOP + "capture, §9: currency in small letters",
	},
	"§2.2 country":          {ofFOP + "capture, §3.5: country of three letters", "cardfop.TestPaymentFaults"},
	"§2.2 \"empty\" marker": {"gsp.TestDecodeNamesTheMember", "gsp.TestUnions"},

	"§2.4 Key":                          {"engine.TestAccountsDoNotShareKeys", "e2e.TestSalesAnswerOnce"},
	"§2.4 Replay of a finished request": {"gsp.TestX1ReplayX2ChangeX5DeclineX6OtherAccount", "e2e.TestSalesAnswerOnce"},
	"§2.4 What is stored":               {"engine.TestSaleDeclinedIsFinal", "gsp.TestX1ReplayX2ChangeX5DeclineX6OtherAccount"},
	"§2.4 What must not be stored":      {"gsp.TestX3ErrorsAreNotFinal", "e2e.TestResponseCodes"},
	"§2.4 Same key, different content": {
		matrix + "§5.4 12, X2: other amount", matrix + "§4.3: the same id for another method",
		ofFOP + "§2.4: a sale with another amount", ofFOP + "§2.4: a sale that is sent as a reservation",
		ofFOP + "§2.4: a decline with another card",
	},
	"§2.4 Google's own retries": {"e2e.TestSalesAnswerOnce", "engine.TestReplayIsTheSameForEver"},
	"§2.4 Business-level idempotency": {
		google + "the same verdict", google + "another verdict", google + "the same", google + "another",
	},

	"§2.5 200": {"e2e.TestResponseCodes"},
	"§2.5 400": {matrix + "Card FOP §9: more than what is held", later + "P5 §4.5: above the remainder"},
	"§2.5 401": {matrix + "§5.4 5, Card FOP §9: not signed"},
	"§2.5 403": {"e2e.TestWrongAPI", matrix + "§5.4 11, Card FOP §9: account not enabled"},
	"§2.5 404": {matrix + "Card FOP §9: capture of an unknown reservation"},
	"§2.5 409": {"cardfop.TestErrorMatrix/parallel copy at deadline", "e2e.TestCopyStillWaitingAtTheDeadline"},
	"§2.5 412": {matrix + "§5.4 12, X2: other amount"},
	"§2.5 429": {"gsp.TestX3ErrorsAreNotFinal"},
	"§2.5 500": {"e2e.TestResponseCodes/06 20 30"},
	"§2.5 503": {"e2e.TestResponseCodes/09 19 22 28", inState + "reversing"},

	"§4.2 hold unknown": {matrix + "Card FOP §9: capture of an unknown reservation"},
	"§4.2 amount above the hold, or 0 / negative": {
		matrix + "Card FOP §9: more than what is held", matrix + "Card FOP §4.2: capture of nothing",
	},
	"§4.2 hold already captured or capture pending (other requestId)": {inState + "captured", inState + "capture pending"},
	"§4.2 hold cancelled or cancel pending":                           {inState + "cancelled", inState + "cancel pending"},
	"§4.2 hold was declined":                                          {inState + "declined"},
	"§4.2 hold expired":                                               {inState + "expired"},
	"§4.2 hold made by P6 (verification)":                             {later + "P2 §4.2: the hold of a card check"},

	"§4.5 capture unknown":            {later + "P5 §4.5: capture unknown", later + "P5 §4.5: capture of another account"},
	"§4.5 amount above the remainder": {later + "P5 §4.5: above the remainder", ofFOP + "§8.2: P5 above what is left of a sale"},
	"§4.5 amount 0 or negative": {
		later + "asynchronousRefund, §9: amount nothing", later + "asynchronousRefund, §9: amount below nothing",
	},
	"§4.5 capture pending or failed": {
		inState + "capture pending", inState + "capture failed: revoked", inState + "capture failed: expired",
	},
	"§4.5 account closed, window exceeded, scheme refusal": {
		"e2e.TestRefundCodes", "e2e.TestSaleWindow", refunds + "REFUND_FAILED",
	},
	"§4.5 within the remainder, but above captured - refunds - standing chargebacks": {refunds + "charged back in part"},

	"§6.7 Only one form":               {"cardfop.TestMethodsAtTheirPaths"},
	"§6.7 PI that works synchronously": {"google.TestVerdictInFlight"},
	"§6.7 Deadline for the result":     {"outbox.TestOperatorsLearnOfLateness"},
	"§6.7 Lost notification":           {"outbox.TestRepeatedUntilDelivered", "outbox.TestCrashAroundASending", story + "google_down"},
	"§6.7 Lost ACK":                    {inState + "captured", inState + "cancelled", refunds + "CAPTURED"},
	"§6.7 Result already known":        {google + "the same verdict", google + "another verdict"},

	"§6.8 Google gets no or a non-200 answer on P1/P4/P6": {
		"e2e.TestSalesAnswerOnce", inState + "not held", inState + "a sale, not held", inState + "a card check, not held",
	},
	"§6.8 PI has no network answer in time": {inState + "reversing", inState + "a sale, reversing", story + "sale_lost_answer"},
	"§6.8 Late approval after a timeout": {
		"engine.TestSaleThatIsAnsweredTooLate", "engine.TestAnswerThatComesTooLate", "iso8583.TestSilenceAndLateAnswer",
	},
	"§6.8 PI cannot reach Google": {"outbox.TestBackoff", "outbox.TestRepeatedUntilDelivered", story + "google_down"},
	"§6.8 Numbers published":      {"gsp.TestSteps7To11", "engine.TestExpiry"},

	"§7.2 any other code listed in rails 1.14": {"e2e.TestResponseCodes/36", "iso8583.TestEveryResponseCode"},
	"§7.2 anything else":                       {"e2e.TestResponseCodes/45 47 48 49 50 69 73 ZZ"},

	"§8.1 -: P1 result SUCCESS":                               {"engine.TestReserveApproved", story + "fop_hold"},
	"§8.1 -: P1 any other result":                             {inState + "declined"},
	"§8.1 -: P1 non-200 after a timeout or without a verdict": {inState + "reversing", inState + "not held"},
	"§8.1 -: P6 SUCCESS":                                      {inState + "a card check, held"},
	"§8.1 -: P6 any other result":                             {inState + "a card check, declined"},
	"§8.1 RESERVED: P2 accepted":                              {inState + "capture pending"},
	"§8.1 CAPTURE_PENDING: G1 SUCCESS accepted":               {inState + "captured"},
	"§8.1 CAPTURE_PENDING: G1 other result":                   {inState + "capture failed: revoked", inState + "capture failed: expired"},
	"§8.1 RESERVED, VERIFY_HELD: P3 accepted":                 {inState + "cancel pending", inState + "a card check, held"},
	"§8.1 CANCEL_PENDING: G2 SUCCESS":                         {inState + "cancelled", inState + "a card check, cancelled"},
	"§8.1 RESERVED, VERIFY_HELD: clock passes reservationExpirationTimestamp": {
		inState + "expired", inState + "a card check that nobody cancelled",
	},
	"§8.1 EXPIRED: P3":                       {inState + "expired"},
	"§8.1 EXPIRED: P2":                       {inState + "expired", inState + "capture failed: expired"},
	"§8.1 P2 or P3 with unknown reservation": {inState + "never asked for"},
	"§8.1 P2 (new requestId) in CAPTURE_PENDING, CAPTURED, CAPTURE_FAILED": {
		inState + "capture pending", inState + "captured", inState + "capture failed: revoked",
	},
	"§8.1 P2 in CANCEL_PENDING, CANCELLED, DECLINED, VERIFY_*": {
		inState + "cancel pending", inState + "cancelled", inState + "declined", inState + "a card check, held",
		inState + "a card check, declined",
	},
	"§8.1 P2 with amount above the hold":   {matrix + "Card FOP §9: more than what is held"},
	"§8.1 P3 in CAPTURE_PENDING, CAPTURED": {inState + "capture pending", inState + "captured", inState + "a sale"},
	"§8.1 P3 (new requestId) in CANCEL_PENDING, CANCELLED, DECLINED, CAPTURE_FAILED": {
		inState + "cancel pending", inState + "cancelled", inState + "declined", inState + "capture failed: revoked",
	},
	"§8.1 same requestId, same content":              {"e2e.TestSalesAnswerOnce", "engine.TestReplayIsTheSameForEver"},
	"§8.1 same requestId, other content":             {matrix + "§5.4 12, X2: other amount", matrix + "§4.3: a capture with another amount"},
	"§8.1 two P2, or P2 and P3, at the same instant": {"e2e.TestTwentyAtOnce", "e2e.TestCopyStillWaitingAtTheDeadline"},
	"§8.1 hold of another PIAID": {
		matrix + "Card FOP §9: capture of another account's", matrix + "Card FOP §9: cancel of another account's",
		ofFOP + "§8.1: P2 of another account's sale", "e2e.TestWrongAPI",
	},

	"§8.2 -: P4 SUCCESS, or G1 SUCCESS":      {inState + "a sale", inState + "captured"},
	"§8.2 CAPTURED: P5 accepted, amount a":   {refunds + "REFUND_PENDING"},
	"§8.2 refund REFUND_PENDING: G3 SUCCESS": {refunds + "REFUNDED"},
	"§8.2 refund REFUND_PENDING: G3 other":   {refunds + "REFUND_FAILED"},
	"§8.2 refund REFUNDED: G10 amount b":     {refunds + "REFUND_REVERSED in part", refunds + "REFUND_REVERSED as a whole"},
	"§8.2 P5, capture unknown": {
		later + "P5 §4.5: capture unknown", ofFOP + "§8.2: P5 of another account's sale",
	},
	"§8.2 P5, capture not successful":                         {inState + "capture pending", inState + "capture failed: revoked"},
	"§8.2 P5 above refundable":                                {refunds + "CAPTURED", ofFOP + "§8.2: P5 above what is left of a sale"},
	"§8.2 P5 above captured - refunds - standing chargebacks": {refunds + "charged back in part"},

	"§8.3 request sent, no verdict: first notification": {"google.TestVerdictInFlight"},
	"§8.3 verdict stored: same verdict (same or new requestId)": {
		google + "the same verdict", "google.TestStates/a verdict again, under another id",
	},
	"§8.3 verdict stored: other verdict":        {google + "another verdict", "google.TestStates/its id with another verdict"},
	"§8.3 unknown referenced request: ":         {google + "a sale's answer was its verdict"},
	"§8.3 wrong kind (e.g. capture id in G2): ": {google + "a sale is no hold", google + "a sale is no refund"},

	"§8.5 none: G6":                                           {move + "inq"},
	"§8.5 INQUIRY_OPEN: P7":                                   {move + "inq defend", stage + "INQUIRY_OPEN"},
	"§8.5 none, INQUIRY_*: G7 FIRST":                          {move + "chb", move + "inq chb", move + "inq defend chb"},
	"§8.5 CHARGEBACK_1: P7":                                   {move + "chb defend", stage + "CB1_OPEN"},
	"§8.5 CHARGEBACK_1, ..._DEFENDED: G8":                     {move + "chb cbr", move + "chb defend cbr"},
	"§8.5 REVERSED_1: G7 second stage":                        {move + "chb cbr cb2"},
	"§8.5 CHARGEBACK_2(_DEFENDED): G8":                        {move + "chb cbr cb2 cbr", move + "chb cbr cb2 defend cbr"},
	"§8.5 any open, after replyByDate without defence: clock": {move + "inq clock", move + "chb clock", move + "chb cbr cb2 clock"},
	"§8.5 ..._DEFENDED: issuer's refusal, or no reversal within a configured time": {
		move + "chb defend wait", "engine.TestPatienceWithADefence",
	},
	"§8.5 LOST: late win reported by the acquirer: G8": {
		move + "chb clock cbr", move + "chb defend wait cbr", move + "chb cbr cb2 clock cbr",
	},
	"§8.5 G8 with unknown chargebackRequestId":       {google + "one that was never told is won"},
	"§8.5 G8 twice, or above the chargeback amount":  {google + "and again", google + "more is won than was lost"},
	"§8.5 G7 second stage without a reversal before": {google + "a second stage before the first", move + "cb2"},
	"§8.5 sum of open chargebacks + refunds above the capture": {
		"e2e.TestChargebackMeetsRefund", "engine.TestChargebackOvertakesTheRefundOfASale",
	},
	"§8.5 P7 without an open inquiry or chargeback, or after replyByDate": {
		inState + "a sale", stage + "INQUIRY_CLOSED", stage + "CB1_LOST",
	},
	"§8.5 P7 for an unknown capture; without a readable PDF": {inState + "never asked for", "e2e.TestDefenceIsTaken/no PDF"},
	"§8.5 G6/G7/G9 for an unknown capture": {
		"google.TestStates/about a reservation", "google.TestStates/of a reservation", "google.TestStates/of a refund",
	},
	"§8.5 late chargeback on an already fully refunded capture": {"e2e.TestChargebackMeetsRefund"},

	"§9 cannot decrypt, unknown encryption key": {
		matrix + "§5.4 4, C1: no OpenPGP", matrix + "§5.4 4, X16: encrypted to a stranger",
		matrix + "§5.4 4, Card FOP §9: encrypted to a revoked key of ours",
	},
	"§9 no known active signature": {
		matrix + "§5.4 5, Card FOP §9: not signed", matrix + "§5.4 5, C2, E4: signed by a stranger",
	},
	"§9 decrypted, not parseable, not strict JSON": {matrix + "§5.4 6, C3: no JSON", matrix + "X17: duplicate member"},
	"§9 other major version":                       {matrix + "§5.4 8, X8, Card FOP §9: other major version"},
	"§9 clock difference above 60 s":               {matrix + "§5.4 10, C4, X12: late", matrix + "§5.4 10, X12: early"},
	"§9 required member or required union missing": {
		matrix + "Card FOP §9: required member missing", matrix + "Card FOP §9: union missing",
		"cardfop.TestErrorMatrix/member missing, P4",
	},
	"§9 enum / format / range / two union members / requestId over 100 chars or bad character": {
		matrix + "Card FOP §9: zero value of an enum", matrix + "Card FOP §9: amount no int64",
		matrix + "Card FOP §9: amount nothing", matrix + "Card FOP §9: two members of a union",
		matrix + "§5.4 9, X11: 101 characters", matrix + "X11: a blank in the id",
	},
	"§9 unknown PIAID": {matrix + "§5.4 11, C6, Card FOP §9: unknown account"},
	"§9 unknown reservation / capture / refund / chargeback id (P7: 200 with a result code, 4.7)": {
		matrix + "Card FOP §9: capture of an unknown reservation", later + "P5 §4.5: capture unknown", ofFOP + "§8.2: P5 of a hold",
	},
	"§9 PIAID known, but not enabled for this API": {matrix + "§5.4 11, Card FOP §9: account not enabled", "e2e.TestWrongAPI"},
	"§9 requestId reused with other content":       {matrix + "§5.4 12, X2: other amount", ofFOP + "§2.4: a sale with another amount"},
	"§9 state or amount rule broken": {
		matrix + "Card FOP §9: captured twice", matrix + "Card FOP §9: more than what is held", ofFOP + "§8.1: P2 of a sale",
	},
	"§9 other ARN for the same capture or refund": {
		google + "another", google + "of a refund, another", "engine.TestReferenceNumberOfAnother",
	},
	"§9 currency or MCC not contracted": {
		matrix + "Card FOP §9: currency not contracted", ofFOP + "capture, §9: currency not contracted",
	},
	"§9 network code 3":             {"e2e.TestMerchantThatTheHostDoesNotKnow", "e2e.TestResponseCodes/03"},
	"§9 network code 6, 20, 30":     {"e2e.TestResponseCodes/06 20 30"},
	"§9 network code 9, 19, 22, 28": {"e2e.TestResponseCodes/09 19 22 28"},
	"§9 internal clash":             {"e2e.TestCopyStillWaitingAtTheDeadline", "cardfop.TestErrorMatrix/parallel copy at deadline"},
}

// fopUnexercised says of what no test exercises why that is right.
var fopUnexercised = map[string]string{
	"AvsNotSupportedReason UNSUPPORTED_BY_INTEGRATOR": supported,
	"NotSentAvsSupport UNSUPPORTED_BY_INTEGRATOR":     byContract,
	"NotSentAvsSupport UNSUPPORTED_BY_ISSUER":         byContract,
	"VerificationResult SKIPPED_BY_ISSUER":            noLetter,
	"CvnResult NOT_SENT_UNSUPPORTED_BY_INTEGRATOR":    byContract,
	"CvnResult UNSUPPORTED_BY_INTEGRATOR":             supported,
	"CvnResult UNSUPPORTED_BY_NETWORK":                noLetter,
	"CvnResult SKIPPED_BY_ISSUER":                     noLetter,

	"errorResponseCode " + zeroCode:             zeroValue,
	"§3.6 NOT_SENT_AVS_SUPPORT_UNSPECIFIED":     zeroValue,
	"§3.6 AVS_NOT_SUPPORTED_REASON_UNSPECIFIED": zeroValue,
	"§3.7 CVN_RESULT_UNSPECIFIED":               zeroValue,
	"§3.8 CARD_TYPE_UNSPECIFIED":                zeroValue,
	"§5.12 UNKNOWN_REASON":                      zeroValue,
	"§7.1 UNKNOWN_RESULT":                       zeroValue,
	"§3.6 UNKNOWN":                              "known from the history alone, and probably AVS_SUPPORT_NOT_KNOWN of today",

	"§2.1 Content type with JWE":      "not built: messages are sealed with OpenPGP, the first of the two that Google offers",
	"§2.1 Requirement words":          "how the sheet is read",
	"§2.1 Sandbox":                    "for whoever operates one",
	"§2.5 501":                        "never sent: what is not offered is an unknown route, 404",
	"§2.5 504":                        "never sent: a slow network is a 503",
	"§6.7 Why async":                  "asks for nothing",
	"§9 user action acting as a lock": "never sent: card flows do not use it",
	"§4.8 never faster than one per 10 s and never more than 30 per 15 min": "Google's own promise",

	"§5.11 eventFeeBreakdown": "optional, informative only: the acquirer's fees are not passed on",
}
