package naru_test

const (
	everyCode = "; merchant.TestEveryCode/"
	codeOf    = "merchant.Code" + everyCode
	refusalOf = "merchant.refusals" + everyCode
	listens   = "merchant.(Server).proveBody" + everyCode
	finds     = "engine.TestMoneyFindsItsOrder/"
	decides   = "deposit.Decide; deposit.TestDecide/"
	meant     = "bankfeed.TestOneMeaning/"
	booked    = "bankfeed.TestKindsOfBooking/"
	spoilt    = "bankfeed.TestRefusedDocuments/"
	agree     = "; names.TestAgree/"
	outside   = "sandbox.TestOutsideMerchant; guide.TestSamples"
)

// evidence is where a row of the sheets is built and what proves it, or, behind a dash, why it is not built.
var evidence = map[string]string{
	"§1 platform_id": "platform.(Config).checkMerchant; platform.TestWhatMustNotBeTaken; merchant.TestEveryCode/another merchant",
	"§1 platform key (platform_key, sign_key)": "engine.(Engine).MerchantSecrets; engine.TestFirstKeyOfAMerchant; " +
		"engine.TestKeysThatAreRenewed; desk.TestANewKeyIsShownOnce",
	"§1 authorization": "merchant.(Server).proveToken; merchant.TestTokens; merchant.TestEveryCode/a prefix; " +
		"merchant.TestEveryCode/a prefix that is taken",
	"§1 base URL": "merchant.find; merchant.TestPaths; " + outside,

	"§2 1":  "merchant.(Server).createDeposit; merchant.TestDepositAnswers; " + outside,
	"§2 1b": "merchant.(Server).createDepositV2; merchant.TestDepositAnswers/v2; merchant.TestDepositAnswers/v2 with details",
	"§2 2":  "merchant.(Server).listDeposits; merchant.TestDepositList; sandbox.TestOutsideMerchant",
	"§2 2b": "merchant.(Server).getDeposit; merchant.TestSingleOrders; guide.TestSamples",
	"§2 3":  "merchant.(Notifier).Send; merchant.TestNotifications; " + outside,
	"§2 4":  "merchant.(Server).createPayout; merchant.TestPayoutAnswer; " + outside,
	"§2 5":  "merchant.(Server).listPayouts; merchant.TestPayoutList",
	"§2 5b": "merchant.(Server).getPayout; merchant.TestSingleOrders; guide.TestSamples",
	"§2 6":  "merchant.(Notifier).Send; merchant.TestNotifications; " + outside,
	"§2 7":  "merchant.(Server).precheck; merchant.TestPrecheck; sandbox.TestOutsideMerchant",
	"§2 8":  "merchant.(Server).getBalance; merchant.TestBalances",
	"§2 8b": "merchant.(Server).getBalanceV2; merchant.TestBalances; guide.TestSamples",
	"§2 9":  "pay.(Pages).page; pay.TestEveryStateInEveryLanguage; sandbox.TestWatchWithoutBrowser",
	"§2 10": "pay.(Pages).register; pay.TestFormsAreChecked; pay.TestRefusals",

	"§4.2 MD5 (legacy)": "merchant.(Algorithm).Digest; merchant.TestVectors/V1; merchant.TestSignatures/MD5; " +
		"merchant.TestSignatures/MD5, said; merchant.TestEveryCode/MD5 is over",
	"§4.2 HMAC-SHA256": "merchant.(Algorithm).Digest; merchant.TestVectors/V1h; merchant.TestSignatures/HMAC; " +
		"merchant.TestSignatures/HMAC under MD5's name",

	"§4.3 create deposit / create payout request": "merchant.(Server).proveBody; merchant.TestSignatures",
	"§4.3 create answers, all error answers":      "merchant.(Server).serve; merchant.TestDepositAnswers; merchant.TestPayoutAnswer",
	"§4.3 v1 query answer": "merchant.(Server).listDeposits; " +
		"merchant.TestDepositList; merchant.TestPayoutList",
	"§4.3 v2 query answer": "merchant.(Server).getDeposit; merchant.TestSingleOrders",
	"§4.3 notification":    "merchant.(Notifier).message; merchant.TestNotifications",
	"§4.3 v1 balance answer": "merchant.balanceSigned; " +
		"merchant.TestBalances; merchant.TestVectors/V8; merchant.TestVectors/V9",
	"§4.3 v2 balance answer":                               "merchant.(Server).getBalanceV2; merchant.TestBalances",
	"§4.3 nested objects (payment_info, receiver, sender)": "merchant.(document).explain; merchant.TestExplanation",
	"§4.5 non-empty strings and non-zero integers only":    "merchant.(document).explain; merchant.TestVectors/V1",
	"§4.5 a field with value 0 (fee, real_amount, status)": "merchant.(document).explain; merchant.TestVectors/V4; " +
		"merchant.TestVectors/V10",
	`§4.5 a field with ""`:   "merchant.(document).explain; merchant.TestSignatures/empty and null; merchant.TestDepositList",
	"§4.5 a field with null": "merchant.(document).explain; merchant.TestSignatures/empty and null; merchant.TestExplanation",
	"§4.5 an extra field the integration does not know": "merchant.(document).explain; merchant.TestSignatures/unknown text; " +
		"merchant.TestSignatures/an unknown list; merchant.TestSignatures/an added field",
	"§5 service_id": "merchant.refusedBy; merchant.TestEveryCode/no such service; merchant.TestEveryCode/not open",
	"§5 last_number": "merchant.(Server).depositAsk; merchant.TestEveryCode/no account of a payer; " +
		"merchant.TestEveryCode/account wanted",
	"§5 bank_name":    "merchant.(Server).bank; merchant.TestEveryCode/unknown bank of a payer",
	"§5 amount":       "merchant.parseAmount; merchant.TestAmounts; merchant.TestFractionSignedRounded",
	"§5 notify_url":   "merchant.badTarget; merchant.TestNotifyURLs; merchant.TestFieldsOfRequests",
	"§5 request_time": "merchant.(Profile).fresh; merchant.TestFreshness",
	"§5 sign":         "merchant.(Server).proveBody; merchant.TestSignatures",
	"§5 register_link": "merchant.(Server).deposited; merchant.TestDepositAnswers/a payer who must register sees no account; " +
		"engine.TestPayersThatTellTheirName/registration",
	"§5 payment_info.display_amount": "engine.giveAmount; engine.TestAmountsThatOnlyOneOrderShows; merchant.TestDepositAnswers/details",
	"§5 payment_info":                "merchant.PaymentInfo; merchant.TestDepositAnswers/details; merchant.TestDepositAnswers/link only",
	"§5 receiver.*":                  "merchant.Receiver; merchant.TestDepositAnswers/details; sandbox.TestOutsideMerchant",
	"§5 sender.*": "merchant.masked; merchant.TestDepositAnswers/details; merchant.TestDepositAnswers/nobody said who pays; " +
		"- what the wire adds is not sent",
	"§5 token":             "engine.newToken; engine.TestCodes; merchant.TestDepositAnswers/details",
	"§5.1 v1 portal":       "merchant.(Server).deposited; merchant.TestDepositAnswers/link only; " + outside,
	"§5.1 v2 portal":       "- not built: version 2 answers the same link as version 1",
	"§5.1 page with token": "- not built: the link carries nothing but an id that nobody can guess",
	"§5.1 cashier":         "- not built: version 2 answers the same link as version 1",
	"§7 payment_cl_name":   "merchant.named; merchant.TestNotifications/deposit with name",
	"§7 status":            "merchant.statuses; merchant.TestStatuses; merchant.TestTheOrderAsItStands",
	"§7 sign_type": "merchant.DepositNotification; merchant.TestNotifications/deposit, HMAC; " +
		"merchant.TestNotifications/deposit, nothing said",
	"§8 bank_name":               "merchant.(Server).payoutAsk; merchant.TestEveryCode/unknown bank; merchant.TestFieldsOfRequests",
	"§8 number":                  "merchant.(Server).payoutAsk; merchant.TestEveryCode/no account number",
	"§8 currency":                "merchant.(Server).payoutAsk; merchant.TestEveryCode/other currency; merchant.TestEveryCode/no currency",
	"§8 amount":                  "merchant.parseAmount; merchant.TestAmounts",
	"§8 notify_url":              "merchant.badTarget; merchant.TestNotifyURLs; engine.TestPayoutWithoutANotification",
	"§8 request_time":            "merchant.(Profile).fresh; merchant.TestFreshness",
	"§8 sign":                    "merchant.(Server).proveBody; merchant.TestSignatures",
	"§10 A; C Vietnam and China": "merchant.realAmount; merchant.TestNotifications/payout and real_amount",
	"§10 C Japan, Philippines; recorded traffic; integrations' data types": "merchant.PayoutNotification; " +
		"merchant.TestNotifications/payout, MD5; merchant.TestNotifications/payout, HMAC",

	"§13 SVC0004": "merchant.refusedBy; merchant.TestEveryCode/no such payout service; " + outside,
	"§13 SVC0026": "merchant.refusedBy; merchant.TestEveryCode/no such service; " + outside,
	"§14 3":       "merchant.statuses; merchant.TestStatuses; merchant.TestPayoutList; desk.TestEveryStateHasWords",
	"§14 5":       "merchant.payoutStatuses; merchant.TestStatuses; merchant.TestTheOrderAsItStands; desk.TestEveryStateHasWords",
	"§14 4":       "merchant.statuses; merchant.TestStatuses; engine.TestOrdersThatAPersonEnds; engine.TestPayoutThatAPersonJudges/cancelled",
	"§14 6":       "merchant.payoutStatuses; merchant.TestStatuses; engine.TestPayoutThatAPersonJudges/approved",

	"§15 0000": codeOf + "a deposit; merchant.TestEveryCode/a payout",
	"§15 0001": codeOf + "too many calls; merchant.TestNobodyKnows; merchant.TestOverload",
	"§15 0002": codeOf + "unsigned; merchant.TestFieldsOfRequests",
	"§15 0003": refusalOf + "closed",
	"§15 0004": listens + "another merchant; merchant.TestSignatures",
	"§15 0005": "merchant.(Server).proveToken" + everyCode + "no token",
	"§15 0006": "merchant.(Server).proveToken" + everyCode + "another token",
	"§15 0007": "- never occurs: a list without a match is empty (§6.1), and a single order has 0050 (§6.2)",
	"§15 0008": codeOf + "no account number",
	"§15 0009": "merchant.refusedBy" + everyCode + "no such service",
	"§15 0010": refusalOf + "not open; merchant.TestEveryCode/not open for payouts",
	"§15 0011": refusalOf + "no account free; engine.TestAmountsThatOnlyOneOrderShows",
	"§15 0012": refusalOf + "the bank's own refusal; merchant.TestEveryCode/unknown bank",
	"§15 0013": codeOf + "no deposit possible",
	"§15 0014": refusalOf + "the same deposit; merchant.TestEveryCode/the same payout; guide.TestSamples",
	"§15 0015": "merchant.(Profile).channel" + everyCode + "another channel",
	"§15 0016": "- never occurs: rates are checked with the configuration",
	"§15 0017": codeOf + "no payout possible; merchant.TestPrecheck/refused",
	"§15 0018": refusalOf + "balance; engine.TestBalanceThatGoesWhileTheMerchantIsAsked",
	"§15 0019": "merchant.(Profile).channel" + everyCode + "channel wanted",
	"§15 0020": "merchant.find" + everyCode + "v3; merchant.TestEveryCode/v1 payout",
	"§15 0021": "merchant.read" + everyCode + "no JSON; merchant.TestStrictBodies",
	"§15 0022": "merchant.(Server).body" + everyCode + "form",
	"§15 0023": "merchant.find" + everyCode + "PUT",
	"§15 0024": "- never occurs: no call of the API updates a deposit",
	"§15 0025": "- never occurs: no call of the API updates a channel",
	"§15 0026": "merchant.(Server).depositAsk" + everyCode + "account wanted",
	"§15 0027": "merchant.(Profile).admits" + everyCode + "from elsewhere; merchant.TestEveryCode/a query from elsewhere",
	"§15 0028": refusalOf + "below",
	"§15 0029": refusalOf + "above",
	"§15 0050": "merchant.(Server).getDeposit" + everyCode + "no such order; merchant.TestEveryCode/no such payout",

	"§16 freshness of request_time": "merchant.(Profile).fresh; merchant.TestFreshness",
	"§16 replay":                    "engine.(Engine).CreateDeposit; engine.TestCopiesOfOneCreation; merchant.TestFiftyAtOnce",
	"§16 IP allowlist": "merchant.(Server).from; merchant.TestFrom; merchant.TestEveryCode/from where it should; " +
		"merchant.TestDescriptionIsServed",
	"§16 rate limits": "merchant.(rates).take; merchant.TestRate",
	"§16 no distinct amount left on any receiving account (rails 3.7)": "engine.(Engine).receive; engine.TestAmountsThatOnlyOneOrderShows",
	"§16 duplicates": "engine.payable; engine.TestOrderWhoseAnswerIsLost; engine.TestPayoutWhoseAnswerIsLost; " +
		"engine.TestOrdersThatAreRefused",
	"§16 amount bounds": "engine.(Limits).bounds; engine.TestOrdersThatAreRefused; engine.TestPayoutsThatAreRefused; merchant.TestAmounts",
	"§16 fee":           "engine.(Fee).of; engine.TestMoneyFindsItsOrder; engine.TestVerdictsOnPayouts; sandbox.TestOutsideMerchant",
	"§16 balance":       "engine.(Engine).BalanceOf; engine.TestBalances; deposit.TestMoneyOfEveryEvent; payout.TestMoneyOfEveryWay",
	"§16 register_link": "engine.(Engine).RegisterPayer; engine.TestPayersThatTellTheirName/registration; pay.TestRefusals",
	"§16 notify_url":    "merchant.badTarget; merchant.TestNotifyURLs; merchant.TestPrivateTargets",
	"§16 language":      "pay.speak; pay.TestLanguages; pay.TestNoWordIsMissing; - `lang` in a link is not built",
	"§16 refunds, cancellation by the merchant, re-send of a notification, test mode": "desk.(Desk).resend; desk.TestSendOneAgain; " +
		"desk.TestSendParkedOnesAgain; desk.TestPayNow; engine.TestOrdersThatAPersonEnds",

	`§18 generic "create deposit / create withdrawal / quick start" pages of A`: "- not built: template text, as the sheet proposes",
	"§18 Korea deposit page of C": "merchant.depositService; merchant.TestEveryCode/no such service",
	"§18 name for Korea":          "engine.(Engine).WaitsForName; engine.TestNameThatComesAfterTheMoney; pay.TestFormForTheName",
	"§18 payout query path":       "merchant.operations; merchant.TestPayoutList",
	"§18 payout notification":     "merchant.payoutNotification; merchant.TestNotifications/payout, MD5",
	"§18 order number length":     "merchant.depositV2; merchant.TestFieldsOfRequests",
	"§18 page sizes, total":       "merchant.page; merchant.TestPages; merchant.TestEveryCode/a limit that is too large",
	"§18 balance outer signature": "merchant.balanceSigned; merchant.TestBalances",
	"§18 MD5 end date":            "merchant.(Profile).algorithm; merchant.TestEveryCode/MD5 is over",

	"rails §3.1 ISO 20022 camt.054 / camt.053": "bankfeed.Read; bankfeed.TestExample; bankfeed.TestStatement",
	"rails §3.1 Korean firm banking (펌뱅킹), fixed 300 bytes EUC-KR over TCP": "- not built: phase 2; " +
		"an adapter hands its bookings to the JSON push (§3.6)",
	"rails §3.1 Virtual account (가상계좌) notice": "bankfeed.readPush; bankfeed.TestEvents; engine.TestVirtualAccounts",
	"rails §3.1 KFTC Open Banking":             "- not built: a later poller; it hands its bookings to the JSON push (§3.6)",
	"rails §3.1 Scraping / SMS parsing":        "- not built, as the sheet says",
	"rails §3.1 JSON push":                     "bankfeed.(Config).push; bankfeed.TestPush; bankfeed.TestJudgedAlone",

	"rails §3.2 our account number": "bankfeed.account; " + meant + "account with dashes; " + meant + "account as IBAN",
	"rails §3.2 our bank":           "bankfeed.(Feed).institution; " + meant + "feed's bank; bankfeed.TestNobodysBank",
	"rails §3.2 virtual account":    "bankfeed.(Feed).detail; bankfeed.TestExample; " + booked + "no virtual account",
	"rails §3.2 bank transaction id": "bankfeed.(entry).id; " + meant + "entry's reference; " + meant + "detail's reference; " +
		booked + "no reference; bankfeed.TestBatch",
	"rails §3.2 amount": "bankfeed.(detail).amount; " + meant + "decimals; " + meant + "old transaction; " +
		"bankfeed.TestEntryWithoutDetails",
	"rails §3.2 direction":     "bankfeed.direction; " + spoilt + "no direction; " + booked + "nobody's debit",
	"rails §3.2 reversal flag": "bankfeed.truth; " + booked + "reversal; " + meant + "no reversal said",
	"rails §3.2 status":        "bankfeed.code; " + booked + "pending; " + meant + "proprietary status",
	"rails §3.2 depositor name (입금자명)": "bankfeed.(Feed).sender; " + meant + "ultimate debtor; " + meant + "name in remittance; " +
		booked + "name in the entry's note; " + booked + "no name",
	"rails §3.2 depositor bank / account": "bankfeed.(Feed).sender; bankfeed.TestExample; " + booked + "an unknown BIC",
	"rails §3.2 booked at": "bankfeed.(entry).bookedAt; " + meant + "booking time; " + meant + "acceptance time; " +
		booked + "a bare day before",
	"rails §3.2 value date": "bankfeed.(Feed).detail; " +
		meant + "value time; " + meant + "value day, zoned",
	"rails §3.2 balance after": "bankfeed.(account).closing; bankfeed.TestStatement/balances",
	"rails §3.2 memo":          "bankfeed.(Feed).sender; " + booked + "a long memo",
	"rails §3.3 /Ntfctn":       "bankfeed.cashMessage; bankfeed.TestExample; " + spoilt + "no notification",
	"rails §3.3 /Ntfctn/ElctrncSeqNb": "engine.(Engine).takeSequence; " +
		"engine.TestSequenceOfNotifications; " + spoilt + "sequence",
	"rails §3.3 /Ntfctn/CpyDplctInd": "bankfeed.(Feed).report; bankfeed.TestCopies",
	"rails §3.3 /Ntry/BkTxCd": "bankfeed.(entry).returned; " +
		booked + "our payment came back, by its code",
	"rails §3.3 /TxDtls/RtrInf": "bankfeed.(entry).returned; " +
		booked + "our payment came back; engine.TestPayoutsThatTheFeedBooks",
	"rails §3.3 .001.02 (2009)":                      "bankfeed.Read; " + meant + ".02; bankfeed.TestBatch/of another version",
	"rails §3.3 .001.04-.06 (general)":               "bankfeed.Read; " + meant + ".04; " + meant + ".06",
	"rails §3.3 .001.08 (2019, the SWIFT CBPR+ one)": "bankfeed.Read; bankfeed.TestExample",
	"rails §3.3 .001.09-.13": "bankfeed.Read; " +
		meant + ".09; " + meant + ".13; " + meant + "another element",
	"rails §3.3 tags without namespace match any namespace":                             "bankfeed.Read; " + meant + "a prefix",
	"rails §3.3 field tag Sts>Cd together with Sts is a conflict":                       "bankfeed.code; " + meant + ".02",
	"rails §3.3 Decoder.CharsetReader is called for declared charsets other than UTF-8": "bankfeed.charset; bankfeed.TestCharacterSets",
	"rails §3.3 UTF-8 byte order mark is accepted":                                      "bankfeed.parse; " + meant + "byte order mark",
	"rails §3.3 entities from a DTD are refused": "bankfeed.parse; " + spoilt + "types; " + spoilt + "too deep; " +
		spoilt + "too large",
	"rails §3.3 streaming with Token + DecodeElement per Ntry": "- not built: a message is read whole, and has 16 MiB at the most",
	"rails §3.3 moov-io/iso20022 v0.2.1":                       "- not used, as the sheet says",
	"rails §3.4 Folder / SFTP": "bankfeed.(Inbox).Look; bankfeed.TestFiles; bankfeed.TestFailedFiles; bankfeed.TestHalfWrittenFile; " +
		"bankfeed.TestRun; sim.TestFileServer",
	"rails §3.4 HTTP push": "bankfeed.(Config).document; bankfeed.TestDocuments; bankfeed.TestSendAgain",
	"rails §3.4 Atomicity": "engine.(Engine).TakeMessage; engine.TestMessageThatTheBankTellsAgain; bankfeed.TestCrash; " +
		"engine.TestMessagesThatAreRefused",
	"rails §3.4 Gaps": "engine.(Engine).takeSequence; engine.TestSequenceOfNotifications; engine.TestStatementOfADay",

	"rails §3.7 0": "engine.(Engine).takeEntry; engine.TestWhatNobodyCanExplain; engine.TestMessagesThatAreRefused",
	"rails §3.7 1": decides + "1: the account number names the order; deposit.TestDecide/1: another amount pays with what arrived; " +
		"deposit.TestDecide/1: another name on a real-name service; " + finds + "1: another amount, and the merchant asks first",
	"rails §3.7 2": decides + "3: booked five minutes early; " + finds + "2: booked before the order; " +
		finds + "2: booked in the grace",
	"rails §3.7 3": decides + "3: one order, and the name agrees; " + finds + "3: amount and name",
	"rails §3.7 4": decides + "4: one order, and another name; deposit.TestDecide/4: the amount alone, where it is unique; " +
		finds + "4: the amount alone, of money that is older",
	"rails §3.7 5": decides + "5: several, and one name agrees; deposit.TestDecide/5: homonyms; " + finds + "5: none of the names",
	"rails §3.7 6": decides + "6: another amount, and its code; " + finds + "6: the one order of that name; " +
		"engine.TestMoneyBeforeItsOrder",
	"rails §3.7 7": "engine.(Engine).takeBack; engine.TestMoneyThatTheBankTakesBack; deposit.TestPaidStaysPaid",
	"rails §3.7 8": decides + "8: booked after the end; " + finds + "8: booked in time, and told late; engine.TestMoneyThatGoesBack",
	"rails §3.7 9": "engine.(Engine).place; engine.TestMoneyFindsItsOrder; engine.TestSecondPayment; " +
		"engine.TestAnyHistoryFindsItsOrder",
	"rails §3.7 normalise":            "names.Normal; names.TestNormal",
	"rails §3.7 truncate":             "names.Agree" + agree + "14 bytes" + agree + "16 bytes" + agree + "20 bytes",
	"rails §3.7 equal":                "names.Agree" + agree + "equal" + agree + "shorter" + agree + "18 bytes",
	"rails §3.7 never":                "names.Agree" + agree + "similar" + agree + "same sound",
	"rails §3.7 order number in name": "names.Words; names.TestWords; " + finds + "6: a code that is part of a word",
	"rails §3.7 Idea":                 "engine.giveAmount; engine.TestAmountsThatOnlyOneOrderShows; engine.TestManyOrdersAtOnce",
	"rails §3.7 Range":                "engine.giveAmount; engine.TestAmountsThatOnlyOneOrderShows",
	"rails §3.7 Reservation":          "engine.(Engine).receive; engine.TestAmountsThatOnlyOneOrderShows; engine.TestManyOrdersAtOnce",
	"rails §3.7 Quarantine":           "engine.(Engine).endOrRest; engine.TestAmountsRest",
	"rails §3.7 Accounting":           "ledger.Deposited; deposit.TestMoneyOfEveryEvent; engine.TestBalances",

	"rails §3.9 Accounts": "sim.Account; sim.TestConfig; sim.TestDepositCommand",
	"rails §3.9 Deposit command": "sim.(Host).Deposit; sim.TestDepositByFile; sim.TestAllChannels; sim.TestWorkedNotification; " +
		"- the firm banking message is not built (§3.6)",
	"rails §3.9 Faults": "sim.Rule; contract.TestDeposits; sim.TestSameMoneyTwice; sim.TestWrongSums; sim.TestHalfFile; " +
		"sim.TestPushUnheard",
	"rails §3.9 End of day": "sim.(Host).Statement; sim.TestStatement; sim.TestSkipped; engine.TestStatementOfADay",
	"rails §3.9 Payments":   "sim.order; sim.TestPaid; sim.TestReturn; contract.TestPayments",

	"rails §4.4 GrpHdr/MsgId":                 "bankfeed.compose; bankfeed.TestComposeExample; sim.TestSameOrderAgain",
	"rails §4.4 PmtInf/ReqdExctnDt/Dt":        "bankfeed.compose; bankfeed.TestComposeDay",
	"rails §4.4 CdtTrfTxInf/RmtInf/Ustrd":     "bankfeed.passbook; bankfeed.TestComposeTexts",
	"rails §4.4 CdtTrfTxInf/PmtId/EndToEndId": "bankfeed.compose; bankfeed.TestComposeExample; engine.TestPayoutsThatTheFeedBooks",
	"rails §4.4 CdtTrfTxInf/Cdtr/Nm, CdtrAcct/Id/Othr/Id": "bankfeed.compose; bankfeed.TestComposeExample; bankfeed.TestCheck; " +
		"- no name inquiry is built: the bank refuses another name (BE01)",
	"rails §4.4 ACSC": "bankfeed.statuses; bankfeed.TestAnswers; contract.TestPayments/stop-at-acsc",
	"rails §4.4 none within 30 min": "platform.(Config).transfers; engine.TestWhenAnOrderIsSentAgain; sim.TestSilence; " +
		"contract.TestPayments",
	"rails §4.4 PART (group only)":                "bankfeed.statuses; bankfeed.TestAnswers; bankfeed.TestLevels; sim.TestPart",
	"rails §3.3 /Ntfctn/Acct/Ccy, Nm, Ownr, Svcr": "bankfeed.account; " + meant + "account's currency; " + meant + "feed's bank",
	"rails §4.4 TM01":                             "bankfeed.morning; bankfeed.TestCutOff",
	"rails §4.4 RJCT":                             "bankfeed.judge; bankfeed.TestAnswers; contract.TestPayments",
}

// inProse are the rules that the sheets have outside their tables.
var inProse = []reads{
	{"§3", "`error_code` is always a 4-character **string**", "merchant.Envelope; merchant.TestEveryCode; merchant.TestExamples"},
	{"§3", "`data` is absent then", "merchant.Envelope; merchant.TestEveryCode"},
	{"§3", "v1 list queries add a sibling `total` next to `data`", "merchant.Envelope; merchant.TestDepositList"},
	{"§3", "Business errors travel with HTTP 200", "merchant.said; merchant.TestEveryCode"},
	{"§3", "Send an `error_msg` with **every** error", "merchant.said; merchant.TestEveryCode; merchant.TestNobodyKnows"},
	{"§4.1", "Drop parameters whose value is empty", "merchant.(document).explain; merchant.TestExplanation; merchant.TestVectors/V2"},
	{"§4.1", "no URL encoding", "merchant.(document).explain; merchant.TestExplanation"},
	{"§4.1", "A list value is written as compact JSON without spaces", "merchant.(document).explain; merchant.TestVectors/V7"},
	{"§4.4", "accept both and sign the digits", "merchant.(document).explain; merchant.TestAmounts; merchant.TestVectors"},
	{"§4.4", "never round silently", "merchant.parseAmount; merchant.TestFractionSignedRounded"},
	{
		"§4.4", "In everything the gateway sends, use JSON integers",
		"merchant.DepositNotification; merchant.TestExamples; merchant.TestNotifications",
	},
	{"§4.5", "leave the field out", "merchant.DepositItem; merchant.TestDepositList; merchant.TestNotifications"},
	{"§5", "`amount % 100 == 0` should be required for KRW", "merchant.parseAmount; merchant.TestAmounts"},
	{"§5", "the merchant must book `real_amount`", "engine.(Engine).payWith; engine.TestMoneyFindsItsOrder; guide.TestSamples"},
	{"§5.1", "a state change when the money is seen", "pay.(Pages).events; pay.TestEvents; engine.TestPageHearsOfThePayment"},
	{"§5.1", "the payer is asked for it on the cashier page", "pay.(Pages).namePayer; pay.TestFormForTheName"},
	{"§5.2", "the step must be whole won", "engine.giveAmount; engine.TestAmountsThatOnlyOneOrderShows"},
	{
		"§5.3", "lifetime 600 s, swept up to about 30 s later to status 3",
		"engine.(Engine).ExpireDeposits; engine.TestANewOrder; pay.TestTimeIsOverByTheServersClock",
	},
	{"§5.4", "`payment_cl_id` String(64)", "merchant.depositV2; merchant.TestFieldsOfRequests"},
	{"§5.4", "flat in `data`", "merchant.DepositV2; merchant.TestDepositAnswers/v2 with details"},
	{"§5.4", "`qr_code_content` only where the channel has them", "- not built: no Korean channel of ours has a code to scan"},
	{"§6.1", "B misspells the upper bound as `carete_time__lte`", "merchant.page; merchant.TestPages"},
	{"§6.1", "No match: `\"0000\"`, `data: []`, `total: 0`", "merchant.(Server).listDeposits; merchant.TestDepositList"},
	{"§6.1", "Newest first", "engine.(Engine).Deposits; store.TestContract; merchant.TestPages"},
	{"§6.1", "`payment_cl_name` (payer's name) is in A's sample", "merchant.DepositItem; merchant.TestDepositList"},
	{"§6.2", "Unknown order: `0050`", "merchant.(Server).getDeposit; merchant.TestEveryCode/no such order"},
	{
		"§6.2", "`data` is one object with `payment_id`, `payment_cl_id`, `amount`, `real_amount`, `fee`, `status`",
		"merchant.DepositOrder; merchant.TestSingleOrders",
	},
	{"§7", "up to ten times, until the merchant acknowledges", "outbox.Merchants; outbox.TestMerchantsHearTenTimesWithinAnHour"},
	{"§7", "the merchant must be idempotent", "shop.(Shop).hear; shop.TestHear; guide.TestSamples"},
	{"§7", "Make it a per-merchant choice", "engine.Merchant; engine.TestMerchantsThatHearLess"},
	{
		"§7", "Only an `error_code` of `\"0000\"` is documented as acknowledgement",
		"merchant.acknowledged; merchant.TestAcknowledgements; merchant.TestRudeMerchants",
	},
	{
		"§7", "The new state must therefore be committed and visible to queries before the notification leaves",
		"merchant.(Notifier).message; merchant.TestQueryBeforeAnswer; guide.TestSamples",
	},
	{
		"§7.1", "the order counts with what arrived, above or below `amount`",
		"deposit.Decide; " + finds + "1: another amount; " + finds + "1: a larger amount",
	},
	{"§8", "an accepted payout must always be answered with 200", "merchant.(Server).createPayout; merchant.TestTakenOnIsAnswered"},
	{
		"§8", "On a timeout, HTTP 500, an empty answer or a slow network the merchant must not treat the payout as failed",
		"merchant.said; merchant.TestNobodyKnows; guide.TestSamples",
	},
	{"§9", "serve both with the same answer", "merchant.operations; merchant.TestPayoutList"},
	{"§9", "`error_msg` (reason, inside `data`, may be empty)", "merchant.payoutOrder; merchant.TestSingleOrders"},
	{"§9", "A's sample adds `real_amount`", "merchant.payoutItem; merchant.TestPayoutList"},
	{"§9", "`offset`, `limit` (25, at most 500), `payout_id`", "merchant.page; merchant.TestPages"},
	{
		"§9", "Item: `amount`, `fee`, `payout_id`, `payout_cl_id`, `platform_id`, `platform_channel_id`, `status`, `memo`",
		"merchant.PayoutItem; merchant.TestPayoutList",
	},
	{
		"§10", "`payout_id`, `payout_cl_id`, `platform_id`, `amount`, `fee`, `status`, `create_time`, `update_time`, `sign`",
		"merchant.PayoutNotification; merchant.TestNotifications/payout, MD5",
	},
	{"§10", "C adds optional `error_msg` and `sign_type`", "merchant.PayoutNotification; merchant.TestNotifications/payout, HMAC; " +
		"- `error_msg` is not sent"},
	{
		"§10", "Send `real_amount` in payout notifications only for merchants that ask for it",
		"merchant.realAmount; merchant.TestNotifications/payout and real_amount",
	},
	{"§11", "`platform_id`, `payout_cl_id`, `amount`, `name`, `number`, `sign`", "merchant.PayoutCheck; merchant.TestPrecheck/confirmed"},
	{"§11", "approves and anything else stops the payout", "merchant.(Server).precheck; merchant.TestPrecheck"},
	{"§11", "fail closed", "merchant.(Server).precheck; merchant.TestPrecheck/no answer"},
	{"§12", "mark our own codes as ours", "bank.shipped; bank.TestDocumentedNames"},
	{
		"§15", "required fields, merchant known, allowlist, signature, freshness, service, limits, duplicate, balance, pool",
		"merchant.(Server).proveBody; merchant.TestPrecedence",
	},
	{"§17", "create -> 0 pending", "deposit.Rules; deposit.TestEveryStateAndEvent; engine.TestANewOrder"},
	{"§17", "0 -> 1 money seen or payer reported", "deposit.Rules; deposit.TestEveryStateAndEvent; " + finds + "4: another name"},
	{
		"§17", "0,1 -> 2 confirmed with real_amount > 0",
		"deposit.Rules; deposit.TestEveryStateAndEvent; engine.TestMoneyThatAPersonAssigns",
	},
	{
		"§17", "0 -> 3 expiry (600 s + sweep) or operator cancels",
		"deposit.Rules; deposit.TestEveryStateAndEvent; engine.TestOrdersThatAPersonEnds",
	},
	{"§17", "0,1 -> 4 channel reports failure", "deposit.Rules; deposit.TestEveryStateAndEvent; engine.TestOrdersThatAPersonEnds"},
	{
		"§17", "3 -> 2 late money matched by an operator",
		"deposit.Rules; deposit.TestEveryStateAndEvent; engine.TestMoneyThatAPersonAssigns",
	},
	{"§17", "2 -> 2 the bank takes the credit back", "deposit.Rules; deposit.TestPaidStaysPaid; engine.TestMoneyThatTheBankTakesBack"},
	{
		"§17", "`update_time` changes with every transition",
		"merchant.depositItem; merchant.TestDepositList; engine.TestOrdersThatAPersonEnds",
	},
	{
		"§17", "-> 1 pending create with review on -> 6 under review",
		"payout.Rules; payout.TestEveryStateAndEvent; engine.TestPayoutThatAPersonJudges",
	},
	{"§17", "create scheduled -> 0 -> 1", "- not built: the API has no field that schedules"},
	{"§17", "1 -> 2 processing (sent to the bank)", "payout.Rules; payout.TestEveryStateAndEvent; engine.TestNewPayout"},
	{
		"§17", "2 -> 3 success (final, balance settled, notify)",
		"payout.Rules; payout.TestEveryStateAndEvent; engine.TestVerdictsOnPayouts",
	},
	{
		"§17", "1 -> 4 cancelled (final, released, notify)",
		"payout.Rules; payout.TestEveryStateAndEvent; engine.TestPayoutThatAPersonJudges/approved, and cancelled before it left",
	},
	{"§17", "2 -> 5 failed (final, released, notify)", "payout.Rules; payout.TestEveryStateAndEvent; engine.TestVerdictsOnPayouts"},
	{
		"§17", "3 -> 3 the beneficiary's bank returns the money later",
		"payout.Rules; payout.TestWhatCannotHappen; engine.TestPayoutThatComesBack",
	},
	{"§17", "unknown outcome at the bank: stay in 2; never guess", "payout.Rules; engine.TestVerdictsOnPayouts; merchant.TestStatuses"},
	{"§19", "`total` counts the channels, `request_time` is the server's clock", "merchant.BalanceV1; merchant.TestBalances"},
	{"§19", "In 2023 traffic the frozen fields were absent", "merchant.frozenPart; merchant.TestBalances"},
	{"§19", "v2 returns `platform_id`, `total_balance`, `total_frozen_balance` only", "merchant.BalanceV2; merchant.TestBalances"},
	{
		"rails §3.2", "Second arrival of the same key with equal amount is a duplicate, with another amount an alarm",
		"engine.(Engine).takeEntry; engine.TestBookingsThatAreToldAgain; engine.TestBookingWithAnotherAmount",
	},
	{"rails §3.3", "use it next morning as completeness check", "engine.(Engine).compareStatement; engine.TestStatementOfADay"},
	{"rails §3.5", "each event is judged alone", "bankfeed.(Config).push; bankfeed.TestJudgedAlone"},
	{"rails §3.5", "Worked signature", "bankfeed.Sign; bankfeed.TestWorkedSignature; sim.TestWorkedSignature"},
	{"rails §3.6", "Firm banking, common part", "- not built: phase 2 (§3.1)"},
	{"rails §3.6", "KFTC Open Banking (poller, later)", "- not built: later (§3.1)"},
	{"rails §3.6", "PG virtual-account notices (adapter to JSON push)", "- not built: such an adapter calls the JSON push"},
	{"rails §3.6", "numbers rest before re-use", "engine.giveVirtual; engine.TestVirtualAccounts"},
	{
		"rails §3.7", "one won more or less is never matched by the amount alone",
		"deposit.Decide; deposit.TestDecide/6: nothing fits; engine.TestMoneyBeforeItsOrder/another amount",
	},
	{"rails §3.8", "Ship the list as data with an override file", "bank.(Table).With; bank.TestOverride; bank.TestBrokenOverride"},
	{
		"rails §4.4", "A missing level inherits from the level above",
		"bankfeed.(level).under; bankfeed.TestLevels; bankfeed.TestStatusExample",
	},
	{
		"rails §4.4", "After ACSC the money can still return",
		"engine.(Engine).heardBooked; engine.TestPayoutsThatTheFeedBooks; engine.TestPayoutThatComesBack",
	},
}
