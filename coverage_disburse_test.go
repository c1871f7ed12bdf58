package naru_test

import (
	"encoding/csv"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

var disburseFunds = surface{
	title: "disburseFunds v1", name: "disburse-v1", folder: "protocol/gsp/disburse", play: "upi",
	shares: []string{"gsp"}, domain: []string{"payout", "engine"},
	echo:     call{"P2", "§6", "echo", "/v1/echo", "gsp.EchoRequest", "gsp.EchoResponse"},
	paths:    []string{"resultPath", "echoPath"},
	headings: []string{"§3.1", "§3.2", "§3.4", "§3.5"},
	situations: []string{
		"§2 rule", "§2 status", "#", "§4.3 value", "§5 item", "§5 answer", "step", "case", "§8.1 fact", "UPI field", "NPCI situation",
		"state", "from", "attempt",
	},
	answers: []string{
		"HTTP", "rule", "use", "value", "meaning", "companion", "our reaction (inferred)", "action", "send?", "limit", "consequence",
		"disburseFundsResultCode", "to", "answer to Google", "guard / error", "errorResponseCode",
	},
	matrices: []matrixOf{
		{payoutMatrix, "TestErrorMatrixOfPayouts", ""},
		{payoutMatrix, "general", ", each of disburseFunds"},
	},
	foreign:     []string{"INR"}, // a currency
	inWords:     disburseInWords,
	violated:    disburseViolated,
	unexercised: disburseUnexercised,
}

const (
	payoutMatrix = "e2e.TestErrorMatrixOfPayouts"
	ofPayouts    = payoutMatrix + "/"
	ofRequests   = ofPayouts + "disburseFunds, "
	flow         = "e2e.TestPayoutFlow"
	words        = "disburse.TestErrorMatrix/"
	heard        = "google.TestPayoutResults/"
	everyVerdict = "engine.TestEveryVerdictInEveryState"
	firstVerdict = "engine.TestFirstAnswers"
	never        = "payout.TestWhatCannotHappen"
	oneValue     = "disburse.TestBothChannelsSayTheSame"
	addresses    = "disburse.TestAddresses/"
)

// disburseInWords are the rules that the sheet has outside its tables, in its own words, with their tests.
var disburseInWords = []stated{
	{"§3.1", "Accept any minor/revision under major 1", []string{"gsp.TestSteps7To11", payoutMatrix}},
	{"§4.3", "There is no PENDING / ACKNOWLEDGED value", []string{"disburse.TestResultsThatAreNotWritten/a word of tomorrow"}},
	{"§4.3", "never read anything out of a PIAID", []string{"disburse.TestAmounts/a yen"}},
	{"§4.3", "the amounts come from the contract of the PIAID", []string{"e2e.TestPayoutLimits"}},
	{"§4.3", "result codes for limits are business results (HTTP 200), not `PRECONDITION_VIOLATION`", []string{
		"disburse.TestLimitsAreAnswers", "e2e.TestPayoutLimits",
	}},
	{"§4.3", "equality with a limit is allowed", []string{"engine.TestPayoutLimits", "e2e.TestPayoutLimits"}},
	{"§5", "The page lists no `paymentIntegratorTransactionId` in this request", []string{"disburse.TestTheSheetsNotification"}},
	{"§6", "only TLS 1.2 accepted, plain HTTP refused", []string{"gsp.TestE1WeakSuitesE2Versions", "gsp.TestE3PlainHTTPGetsNothing"}},
	{"§6", "several signatures at once (known/unknown, active/expired) handled", []string{
		"gsp.TestE5KnownBesideUnknownSigner", "gsp.TestX13EveryRotationPhase",
	}},
	{"§6", "A PIAID is not part of the echo body", []string{"disburse.TestEcho", "disburse.TestTheMethodAtItsPath"}},
	{"§7.3", "A 200 is a final statement", []string{"disburse.TestAnswers", "engine.TestALostAnswer"}},
	{"§8.4", "a repeat by Google only reads our state, it never triggers an enquiry", []string{"engine.TestALostAnswer", flow}},
	{"§11", "Replay lookup before body checks", []string{
		ofPayouts + "§11 14: before the fields", ofPayouts + "§11 14: before what is wrong",
	}},
	{"§11", "Order of checks", []string{
		"disburse.TestOrderOfFaults", ofPayouts + "§11 4: before what the header lacks", ofPayouts + "§11 7: before the time",
		ofPayouts + "§11 8: before the fields",
	}},
}

// disburseViolated names by hand the tests of the rows that the sheet says in words; mustExist looks after it.
var disburseViolated = map[string][]string{
	"§2 HTTP verb":        {ofRequests + "§2: another verb"},
	"§2 PGP content type": {"gsp.TestX14X15Encodings", "gsp.TestClientSpeaksBothGenerations"},
	"§2 HTTP 200":         {"disburse.TestLimitsAreAnswers", "e2e.TestPayoutResults"},
	"§2 non-200":          {firstVerdict, flow},
	"§2 clock check": {
		ofRequests + "§11 5: timestamp late", ofRequests + "§11 5: timestamp early", "disburse.TestAttempts/clock off once",
	},
	"§2 micros": {"disburse.TestAmounts"},
	"§2 400":    {ofPayouts + "§11 3: a comment", words + "11: nothing"},
	"§2 401":    {ofRequests + "§11 2: not signed"},
	"§2 403":    {ofPayouts + "§11 9: an account of Korea Cards", "engine.TestAnAccountThatPaysNothingOut"},
	"§2 404":    {ofPayouts + "§11 8: before the fields", ofPayouts + "§1: no inquiry, and no return"},
	"§2 409":    {words + "15: a copy is running"},
	"§2 412":    {ofPayouts + "§11 14: another amount"},
	"§2 503":    {words + "15: not decided", flow},
	"§2 429, 499, 500, 501, 504": {
		words + "our bug", "gsp.TestX3ErrorsAreNotFinal",
	},

	"§2 I1": {ofPayouts + "§11 14: of another account", "engine.TestAccountsDoNotShareKeys"},
	"§2 I2": {"e2e.TestPayoutResults", firstVerdict, "engine.TestALostAnswer"},
	"§2 I3": {ofPayouts + "§11 14: another text", "gsp.TestX1ReplayX2ChangeX5DeclineX6OtherAccount"},
	"§2 I4": {"engine.TestALostAnswer", "engine.TestTheAdapterCannot", flow},
	"§2 I5": {"gsp.TestX1ReplayX2ChangeX5DeclineX6OtherAccount", flow},
	"§2 I6": {
		ofPayouts + "§11 14: another amount", ofPayouts + "§11 14: another address", ofPayouts + "§11 14: of what was refused",
	},
	"§2 I7": {"e2e.TestPayoutResults", "engine.TestPayoutDies", "e2e.TestPayoutFaults", story + "payout_lost"},

	"§4.3 UNKNOWN_RESULT":                         {"disburse.TestResultsThatAreNotWritten/nobody knows"},
	"§4.3 SUCCESS":                                {"e2e.TestPayoutResults", "disburse.TestAnswers", story + "payout"},
	"§4.3 DISBURSEMENT_UNDER_TRANSACTION_LIMIT":   {"e2e.TestPayoutLimits", "engine.TestPayoutLimits", "disburse.TestResults"},
	"§4.3 DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT": {"e2e.TestPayoutLimits", "engine.TestALimitOfTheBank", "disburse.TestResults"},
	"§4.3 ACCOUNT_CLOSED":                         {"e2e.TestPayoutResults", "upi.TestEveryStateAndReason"},
	"§4.3 ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER":      {"e2e.TestPayoutResults", "upi.TestNoTableAccuses"},
	"§4.3 ACCOUNT_CLOSED_FRAUD":                   {"engine.TestRefuseByHand", "e2e.TestPayoutResults", "upi.TestNoTableAccuses"},
	"§4.3 ACCOUNT_ON_HOLD":                        {"engine.TestAStuckPayout", "e2e.TestPayoutResults"},

	"§5 page":       nil,
	"§5 call":       {"disburse.TestTheSheetsNotification", "google.TestPayoutResults"},
	"§5 purpose":    {"disburse.TestTheSheetsNotification", flow},
	"§5 key":        {heard + "again", heard + "under another id"},
	"§5 value rule": {oneValue, heard + "another thing than the answer", heard + "what the answer said"},
	"§5 404 empty body": {
		"disburse.TestAttempts/keys are wrong", "gsp.TestClientClasses",
	},
	"§5 non-200 + ErrorResponse": {
		"disburse.TestAttempts/unknown there", "disburse.TestAttempts/another value", "outbox.TestUnknownIdentifier",
		"outbox.TestRefusedIsParked",
	},
	"§5 5xx, timeout": {"disburse.TestAttempts/silent", "outbox.TestRepeatedUntilDelivered"},

	"§7.1 1: Google":      {"disburse.TestTheSheetsRequest", "google.TestSendPayout"},
	"§7.1 2: integrator":  {"engine.TestPayoutDies", "engine.TestTheDiskFailsOnAnAnswer"},
	"§7.1 3: integrator":  {"engine.TestPayoutLimits", "e2e.TestPayoutLimits"},
	"§7.1 4: integrator":  {firstVerdict, "engine.TestTheCallerHangsUp", "upi.TestSilence", "gsp.TestDeadline"},
	"§7.1 5a: integrator": {firstVerdict, "engine.TestTheCallerWaits", "engine.TestNewsBeforeTheAnswer", "e2e.TestPayoutEvents"},
	"§7.1 5b: integrator": {firstVerdict, flow},
	"§7.1 6: Google":      {"engine.TestALostAnswer", flow},
	"§7.1 7: integrator":  {"engine.TestALostAnswer", flow},
	"§7.1 8: Google":      {"engine.TestALostAnswer", flow},

	"§7.2 200 with result delivered synchronously": {firstVerdict, oneValue, flow},
	"§7.2 answer timed out or a non-200 was returned, result later final": {
		"engine.TestALostAnswer", everyVerdict, flow,
	},
	"§7.2 result still unknown / deemed": {"engine.TestWhenTheBankIsAsked", firstVerdict, flow, story + "payout_deemed"},
	"§7.2 result recorded but no proof that Google read the 200": {
		"engine.TestTheCallerHangsUp", heard + "what the answer said",
	},
	"§7.2 payout returned after SUCCESS": {"engine.TestReturnedAfterSuccess", flow, story + "payout_returned"},

	"§8.1 shape": {
		addresses + "the example", addresses + "no sign", addresses + "two signs", addresses + "no handle", addresses + "no local part",
	},
	"§8.1 total length": {
		addresses + "255 characters", addresses + "256 characters", addresses + "256 characters, a longer handle",
	},
	"§8.1 local part charset": {
		addresses + "an underscore", addresses + "a hyphen", addresses + "a plus", addresses + "a letter of another script",
		"upi.TestCheck/underscore",
	},
	"§8.1 lengths used by PSPs": {
		addresses + "the shortest", addresses + "a local part too short", addresses + "the longest handle", addresses + "a handle too long",
	},
	"§8.1 handle": {
		addresses + "a handle with digits", addresses + "a handle that starts with digit", addresses + "a handle with a dot",
	},
	"§8.1 global addresses": {
		addresses + "an account and a branch", addresses + "an Aadhaar number", addresses + "an issuer's number",
		"disburse.TestProfilesAreByAccount",
	},
	"§8.1 case":              {addresses + "capitals stay", "e2e.TestAddresses"},
	"§8.1 recommended check": {"disburse.TestAddresses", "e2e.TestAddresses"},
	"§8.1 existence":         {"e2e.TestAddresses", "upi.TestValidations"},
	"§8.1 inactivity":        {"upi.TestEveryCodeOfTheSwitch"},

	"§8.2 Txn id":        {"engine.TestAnotherAttempt", "upi.TestCheck/reference of 40"},
	"§8.2 Txn note":      {"upi.TestNarration/Google - Music"},
	"§8.2 refId":         {"engine.TestAnotherAttempt", "upi.TestOrdersAsBytes"},
	"§8.2 custRef (RRN)": {"engine.TestWhatABankTellsOfAPayment"},
	"§8.2 payee name":    {"upi.TestOrdersAsBytes/configured"},
	"§8.2 currency":      {"upi.TestCheck/dollars", ofPayouts + "§11 14: before what is wrong"},

	"§9 00, CS, TCC": {codesOfSwitch, firstVerdict},
	"§9 amount above PIAID cap (pre-check), U02, Z8": {
		codesOfSwitch, "engine.TestPayoutLimits", "engine.TestALimitOfTheBank",
	},
	"§9 amount below PIAID floor (pre-check)": {"engine.TestPayoutLimits"},
	"§9 XI, UX, MB":                         {codesOfSwitch},
	"§9 ZH, U95":                            {codesOfSwitch},
	"§9 YF, ZY, B3, PS, ZE, ZG, ZI, XW, CA": {codesOfSwitch},
	"§9 XC, YD, XE, XG, XK, Z5, ZP, LC":     {codesOfSwitch},
	"§9 U29 (no leg code), U78, U84, U89, U91, U93, U94, Y1, XU, UB": {
		codesOfSwitch, "upi.TestCodesOfLegs", "engine.TestAnotherAttempt",
	},
	"§9 Z9, U03, Z7, ZU, YE, ZX, XH, 59, K1, M16, U16, U28, U80, U81, U86, U90, U92": {
		codesOfSwitch, "engine.TestAStuckPayout", "engine.TestTheFloatGuardRefuses",
	},
	"§9 integrator's own flag: account closed for fraud / take-over": {"engine.TestRefuseByHand", "upi.TestNoTableAccuses"},
	"§9 U30 / U31": {codesOfSwitch, "upi.TestCodesOfLegs", everyVerdict},
	"§9 U67, U85, U87, UT, 01, U70, U01, U36, U38": {
		codesOfSwitch, "engine.TestWhenAnOrderIsSentAgain",
	},
	"§9 U68, U82, U88, BT, RB, 96":                      {codesOfSwitch, "engine.TestWhenTheBankIsAsked"},
	"§9 NC, OC, 21, RET before any result was recorded": {codesOfSwitch, everyVerdict},
	"§9 RET after SUCCESS was recorded":                 {"engine.TestReturnedAfterSuccess"},
	"§9 VPA legal by 8.1 but refused by the adapter's own check (rails O9)": {
		"engine.TestTheAdapterCannot", "upi.TestCheck/underscore", "e2e.TestAddresses",
	},
	"§9 any other code": {codesOfSwitch, "engine.TestAnAlert"},

	"§10 NEW":       {payoutMatrix},
	"§10 RECORDED":  {"engine.TestPayoutDies", "payout.TestMoneyOfEveryWay"},
	"§10 SUBMITTED": {firstVerdict, "payout.TestMoneyOfEveryWay"},
	"§10 RETRYABLE": {firstVerdict, "engine.TestAnotherAttempt"},
	"§10 UNKNOWN":   {firstVerdict, "engine.TestALostAnswer"},
	"§10 DEEMED":    {firstVerdict, "engine.TestWhenTheBankIsAsked"},
	"§10 REVERSING": {firstVerdict, everyVerdict},
	"§10 SUCCEEDED": {firstVerdict, everyVerdict},
	"§10 DECLINED":  {firstVerdict, everyVerdict},
	"§10 RETURNED":  {"engine.TestReturnedAfterSuccess", "payout.TestMoneyOfEveryWay"},

	"§10 NEW: invalid request":                         {payoutMatrix},
	"§10 NEW: valid":                                   {"engine.TestPayoutDies"},
	"§10 RECORDED: limit hit":                          {"engine.TestPayoutLimits"},
	"§10 RECORDED: attempt sent":                       {firstVerdict},
	"§10 SUBMITTED: 00":                                {firstVerdict},
	"§10 SUBMITTED: final business decline, not moved": {firstVerdict},
	"§10 SUBMITTED: explicit beneficiary refusal after debit (U31 + leg code)": {
		"upi.TestCodesOfLegs", firstVerdict, "payout.TestMoneyOfEveryWay",
	},
	"§10 SUBMITTED: credit timeout, reversal started": {firstVerdict, everyVerdict},
	"§10 REVERSING: CS":                          {everyVerdict},
	"§10 REVERSING: 00, NC, OC":                  {everyVerdict},
	"§10 REVERSING: 96, RB":                      {everyVerdict},
	"§10 SUBMITTED: transient, not moved":        {firstVerdict},
	"§10 RETRYABLE: new attempt n+1":             {"engine.TestAnotherAttempt"},
	"§10 RETRYABLE: attempt or age budget spent": {"engine.TestAStuckPayout", "engine.TestRefuseByHand"},
	"§10 SUBMITTED: timeout / 01":                {firstVerdict, "e2e.TestPayoutFaults"},
	"§10 UNKNOWN: enquiry: 00":                   {everyVerdict, "engine.TestALostAnswer", "e2e.TestPayoutFaults"},
	"§10 UNKNOWN: enquiry: failed / U48 after allowed time": {
		everyVerdict, "engine.TestTheStatementProvesAbsence", "engine.TestAnEnquiryThatFailsSaysNothing",
		"e2e.TestPayoutThatNobodyHeard",
	},
	"§10 UNKNOWN: enquiry: deemed":         {everyVerdict},
	"§10 DEEMED: TCC":                      {everyVerdict, flow},
	"§10 DEEMED: RET":                      {everyVerdict, "engine.TestWhenTheBankIsAsked", flow},
	"§10 SUCCEEDED: RET / chargeback":      {"engine.TestReturnedAfterSuccess", "engine.TestAReturnIsFoundByItsLine", flow},
	"§10 any terminal: same request again": {firstVerdict, "e2e.TestPayoutResults"},
	"§10 any: same key, other body":        {firstVerdict, ofPayouts + "§11 14: another amount"},

	"§10 SUCCEEDED ↔ DECLINED":                     {never, everyVerdict, "engine.TestNewsInAnyOrder"},
	"§10 UNKNOWN/DEEMED → SUBMITTED (new attempt)": {never, "engine.TestAnyHistoryPaysOnce", "e2e.TestRandomPayoutFaults"},
	"§10 SUBMITTED with a Txn id already used":     {"engine.TestAnotherAttempt", "engine.TestAnyHistoryPaysOnce"},
	"§10 notification while not terminal":          {firstVerdict, "disburse.TestAttempts/an open result"},
	"§10 notification for an id Google never sent": {heard + "a request of another kind", "outbox.TestUnknownIdentifier"},
	"§10 notification with a different result than recorded": {
		heard + "another thing than the answer", "disburse.TestAttempts/another value",
	},
	"§10 caching a non-200 as the answer": {firstVerdict, flow},
	"§10 result UNKNOWN_RESULT, or limit field without its code, or both limit fields": {
		"disburse.TestResultsThatAreNotWritten/nobody knows", "disburse.TestResultsThatAreNotWritten/a success with a maximum",
		"disburse.TestResultsThatAreNotWritten/both limits, too much",
	},

	"§11 1: encrypted to unknown/inactive key": {
		ofRequests + "§11 1: not decryptable", ofRequests + "§11 1: unknown encryption key", ofRequests + "§11 1: revoked encryption key",
	},
	"§11 2: no valid signature from a known active key": {
		ofRequests + "§11 2: not signed", ofRequests + "§11 2: unknown signing key", ofRequests + "§11 2: inactive signing key",
	},
	"§11 3: decrypts, not valid JSON (strict: duplicate keys, trailing commas, comments refused)": {
		ofPayouts + "§11 3: a comment", ofPayouts + "§11 3: a trailing comma", ofRequests + "§11 3: not strict JSON: a member twice",
	},
	"§11 4: protocolVersion.major ≠ 1": {
		ofRequests + "§11 4: other major version", ofPayouts + "§11 4: before what the header lacks",
	},
	"§11 5: requestTimestamp outside ±60 s": {
		ofRequests + "§11 5: timestamp late", ofRequests + "§11 5: timestamp early",
	},
	"§11 6: any REQUIRED field absent or empty; upiDetails or vpa absent": {
		ofRequests + "§11 6: no header", ofRequests + "§11 6: no account", words + "6: an empty description", words + "6: no target",
		words + "6: no address",
	},
	"§11 7: requestId too long / bad charset": {
		ofRequests + "§11 7: request id of 101 characters", ofRequests + "§11 7: request id with a bad character",
	},
	"§11 8: PIAID unknown": {ofRequests + "§11 8: unknown account", words + "8: account unknown"},
	"§11 9: PIAID known but not allowed for this signer or not enabled for payouts": {
		ofPayouts + "§11 9: an account of Korea Cards", ofPayouts + "§11 9: an account of Card FOP", words + "9: account without a bank",
	},
	"§11 10: currencyCode not ISO 4217, or not enabled for the PIAID": {
		ofRequests + "§11 10: no such currency", ofRequests + "§11 10: not contracted",
	},
	"§11 11: amount not an integer string, ≤ 0, above int64, or not a whole number of minor units": {
		ofRequests + "§11 11: letters", ofRequests + "§11 11: nothing", ofRequests + "§11 11: above int64",
		ofRequests + "§11 11: half a paisa (OP-13)",
	},
	"§11 13: vpa malformed": {words + "13: address malformed", "disburse.TestAddresses", "e2e.TestAddresses"},
	"§11 14: key reused with other body": {
		ofPayouts + "§11 14: another amount", ofPayouts + "§11 14: another address", ofRequests + "§11 14: key reused with a member more",
	},
	"§11 15: same key: first call still being worked on / answered 503, outcome not final": {
		words + "15: a copy is running", words + "15: not decided", "engine.TestTheCallerWaits", "e2e.TestPayoutCopies", flow,
	},
	"§11 16: amount outside limits": {"disburse.TestLimitsAreAnswers", "e2e.TestPayoutLimits", story + "limits"},
	"§11 17: rail or database down, float empty": {
		words + "17: no database", "engine.TestTheDiskFailsOnAnAnswer", "engine.TestTheFloatGuardRefuses", "e2e.TestPayoutFloat",
		"e2e.TestPayoutWithoutABank",
	},
	"§11 18: unknown extra JSON fields": {"disburse.TestTheMethodAtItsPath/members that nobody knows (18)"},
}

// codesOfSwitch goes through every code of the switch.
const codesOfSwitch = "upi.TestEveryCodeOfTheSwitch"

// disburseUnexercised says of what no test exercises why that is right.
var disburseUnexercised = map[string]string{
	"§2 JWE content type":    "not built: messages are sealed with OpenPGP, the first of the two that Google offers",
	"§2 SLA (example terms)": "for whoever operates one; what a request may take is bounded (`gsp.TestDeadline`)",
	"§2 sandbox":             "for whoever operates one",
	"§5 page":                "a place on the web",
	"§8.2 message id":        "the bank's own",
	"§8.2 status enquiry":    "a rule of the switch: we ask the bank's records (§8.4)",
	"§11 12: two members of destinationFopDetails": "cannot happen: the union has one member; its name twice is row 3, any other name row 18",

	"errorResponseCode " + zeroCode: zeroValue,
}

// payoutTables lists what a payout bank says and what Google hears of it, and holds the tables against the sheet.
func (c *coverage) payoutTables() {
	c.heading("### codes (§4.3)", "reason", "result", "test")
	says := map[string]string{"": ""}
	for _, row := range c.mapping("codes") {
		says[row.from] = row.to
		c.row(quoted(row.from), quoted(row.to), c.byHand("codes", []string{"disburse.TestResults"}, ""))
	}
	hears := map[string]string{}
	for _, table := range []struct {
		name, of, test string
		keys           int // columns that name a row
	}{
		{"npci.csv", "§8.5, §9", codesOfSwitch, 1},
		{"reasons.csv", "rails §2.5, §2.6", "upi.TestEveryStateAndReason", 2},
		{"errors.csv", "rails §2.3", "upi.TestRefusals", 3},
	} {
		rows := c.csv("rail/upi/" + table.name)
		head := rows[0]
		c.heading("### "+table.name+" ("+table.of+")", slices.Concat(head[:table.keys], []string{"verdict", "Google hears", "test"})...)
		for _, row := range rows[1:] {
			verdict, refuse := row[slices.Index(head, "verdict")], row[slices.Index(head, "refuse")]
			answer := "503"
			switch {
			case verdict == "credited":
				answer = "200 SUCCESS"
			case verdict == "taken_back":
				answer = "503 until the money is back, then 200 " + says[refuse]
			case refuse != "":
				answer = "200 " + says[refuse]
			}
			if table.keys == 1 {
				hears[row[0]] = answer
			}
			cells := slices.Clone(row[:table.keys])
			for i := range cells {
				cells[i] = strings.ReplaceAll(cells[i], "|", ", ")
			}
			test := c.proof(table.name+" "+row[0], c.withRow(table.test, row[:table.keys]))
			c.row(slices.Concat(cells, []string{verdict, answer, test})...)
		}
	}
	c.asMapped(hears)
}

// csv reads a table of an adapter.
func (c *coverage) csv(name string) [][]string {
	file, err := os.Open(name)
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		c.t.Fatal(err)
	}
	return rows
}

var wordLike = regexp.MustCompile(`[A-Za-z0-9_]+`)

// withRow is a test that goes through a table, if it has the row: each of its words, but of alternatives one.
func (c *coverage) withRow(test string, keys []string) string {
	suite, _, _ := strings.Cut(test, ".")
	i := slices.IndexFunc(c.readings[suite], func(r *reading) bool { return r.name == test })
	if i < 0 {
		return ""
	}
	has := map[string]bool{}
	for word := range c.readings[suite][i].words {
		for _, part := range wordLike.FindAllString(strings.ToLower(word), -1) {
			has[part] = true
		}
	}
	for _, key := range keys[len(keys)/2:] { // the first of several is the state, or the status
		some := key == "" || key == "*"
		for alternative := range strings.SplitSeq(strings.ToLower(key), "|") {
			every := true
			for _, word := range wordLike.FindAllString(alternative, -1) {
				every = every && has[word]
			}
			some = some || every
		}
		if !some {
			return ""
		}
	}
	return test
}

var codeLike = regexp.MustCompile(`\b[A-Z0-9]{2,3}\b`)

// asMapped holds the codes of the switch against the sheet: each of §8.5 is known, and where §9 says what Google hears, it does.
func (c *coverage) asMapped(hears map[string]string) {
	for _, row := range c.sheet["§8.5"][0].rows {
		for _, code := range codeLike.FindAllString(row[0], -1) {
			if hears[code] == "" {
				c.t.Errorf("npci.csv has no %s of §8.5", code)
			}
		}
	}
	held := 0
	for _, row := range c.sheet["§9"][0].rows {
		if !statusIn.MatchString(row[1]) || strings.HasPrefix(row[1], "by ") { // nothing is said, or another code decides
			continue
		}
		want := row[1][:3]
		if want == "200" {
			want += " " + row[2]
		}
		for _, code := range codeLike.FindAllString(row[0], -1) {
			if answer := hears[code]; answer != "" {
				if held++; !strings.HasPrefix(answer, want) {
					c.t.Errorf("npci.csv: Google hears %s of %s, and the sheet says %s", answer, code, want)
				}
			}
		}
	}
	if held < 60 {
		c.t.Errorf("only %d codes were held against §9", held)
	}
}

// decided is the tests of each open point; what was decided stands in docs/divergences.md.
var decided = map[string][]string{
	"OP-1":  {firstVerdict, "engine.TestALostAnswer", flow, story + "payout_lost"},
	"OP-2":  {"engine.TestAStuckPayout", "engine.TestRefuseByHand", "upi.TestNoTableAccuses", "e2e.TestPayoutResults"},
	"OP-3":  {"disburse.TestAddresses", "e2e.TestAddresses"},
	"OP-4":  {"disburse.TestTheSheetsNotification", oneValue},
	"OP-5":  {"engine.TestReplayIsTheSameForEver", "outbox.TestRepeatedUntilDelivered"},
	"OP-6":  {"engine.TestReturnedAfterSuccess", "disburse.TestAnswers", flow, story + "payout_returned"},
	"OP-7":  {oneValue, "google.TestPayoutResults"},
	"OP-8":  {words + "6: no target", words + "6: target null"},
	"OP-9":  {"disburse.TestResultsThatAreNotWritten", "google.TestPayoutAnswers/both limits"},
	"OP-10": {"disburse.TestDescriptions", "upi.TestNarration", ofRequests + "OP-10: a text of 256"},
	"OP-11": {words + "15: a copy is running", words + "15: not decided"},
	"OP-12": {"engine.TestTheCallerWaits", "engine.TestCopiesOnTwoNodes", "e2e.TestPayoutCopies"},
	"OP-13": {"disburse.TestAmounts/half a paisa", ofRequests + "§11 11: half a paisa (OP-13)"},
}

// openPoints lists what the sheet leaves open, with our decision in the words of docs/divergences.md.
func (c *coverage) openPoints() {
	told := c.decisions()
	c.heading("## Open points (§14)", "id", "the docs leave open", "our decision", "test")
	seen := map[string]bool{}
	for _, row := range c.sheet["§14"][0].rows {
		id := row[0]
		if seen[id] = true; told[id] == "" {
			c.t.Errorf("docs/divergences.md does not decide %s", id)
		}
		c.row(id, row[1], told[id], c.byHand("§14 "+id, decided[id], ""))
	}
	for _, id := range slices.Sorted(maps.Keys(decided)) {
		if !seen[id] {
			c.t.Errorf("%s: stands in decided, and not in the sheet", id)
		}
	}
}

var (
	ofDisburse = regexp.MustCompile(`(?ms)^## disburse v1.*?(?:\n\n|\z)`)
	pointed    = regexp.MustCompile(`\([^()]*OP-\d+[^()]*\)[^.]*\.`) // to the end of its sentence
	openPoint  = regexp.MustCompile(`OP-\d+`)
)

// decisions are the sentences of docs/divergences.md about open points.
func (c *coverage) decisions() map[string]string {
	return decisionsIn(c, ofDisburse, pointed, openPoint)
}

// decisionsIn are the sentences about points, by their names, in some parts of docs/divergences.md: each goes back to the one before it, or to
// where its item begins.
func decisionsIn(c *coverage, parts, pointed, points *regexp.Regexp) map[string]string {
	file, err := os.ReadFile("docs/divergences.md")
	if err != nil {
		c.t.Fatal(err)
	}
	told := map[string]string{}
	for _, part := range parts.FindAllString(string(file), -1) {
		for _, item := range strings.Split(part, "\n- ")[1:] {
			item = strings.Join(strings.Fields(item), " ")
			begin := 0
			for _, at := range pointed.FindAllStringIndex(item, -1) {
				for _, id := range points.FindAllString(item[at[0]:at[1]], -1) {
					told[id] = strings.TrimSpace(told[id] + " " + strings.TrimSpace(item[begin:at[1]]))
				}
				begin = at[1]
			}
		}
	}
	return told
}
