// Package sim is the payout bank at the other end of the wire: a real HTTP server that speaks RazorpayX Payouts v1 (rails §2.2-§2.7),
// keeps accounts and idempotency keys, moves payouts along in business time, tells of it by signed events, and writes down what it saw and
// decided.
//
//	caller ──HTTP──▶ serve.go: who, how often, what ─▶ rule? ─▶ create, get, list ... ─▶ book.go ──▶ answer
//	                                                   rules.go                            │ ▲       (late, lost, wrong, never)
//	                                                                     states.go: legal ─┤ └─ payees.go: the script of an address
//	owner  ◀──HTTP── events.go: signed, again until 2xx ◀── rule? ◀── an event for each step ┘
//	                                                   file.go ◀───────────────────────────┘ one line a step, before the answer leaves
//
// It shares nothing with the adapter. It is rude within the specification: one event in eight comes twice, one in eight comes 3 s late, so
// that the next one overtakes it, and one in four has members that no document names. All of it follows from Config.Seed; Config.Polite
// turns it off.
//
// # Time
//
// Everything but the network runs on business time: delays, the seven days of a key, the second of the rate, redeliveries. What is due
// happens, at its own time and in its order, before any call is answered; events leave in Tick. With Config.Sleep (clock.Movable has one)
// or without Config.Now the bank waits for the time by itself; with Config.Now alone nothing leaves until somebody says Tick or POST
// /actions/tick.
//
// # Calls
//
//	POST /v1/payouts                                one payout for each account and X-Payout-Idempotency, for 7 days
//	GET  /v1/payouts/:id
//	GET  /v1/payouts?account_number=                reference_id, status, mode, contact_id, fund_account_id, from, to, count, skip
//	POST /v1/payouts/:id/cancel                     queued ones
//	POST /v1/fund_accounts/validations, GET .../:id completed after Config.Delay, free of charge
//	GET  /v1/banking_balances
//	GET  /v1/transactions?account_number=           from, to, count, skip; the newest first, like all lists
//
// Every rule of the table of rails §2.3 is enforced, a member that the table does not have is refused, and the error names the member.
// Bodies that come with one key are compared after canonicalisation (RFC 8785): blanks, escapes and the order of members do not matter. A
// refusal spends no key. An amount above Config.Cap is refused with reason amount_exceeds_vpa_limit, an address that is not on
// Config.Allowed with 400. The answer to a repeat shows the payout as it stands.
//
// # Money
//
// Fees contain their tax, as in the product's own samples, and come on top: when processing starts the account is debited amount and fees
// in one line, and when the payout ends unpaid, or comes back later, the whole comes back in one line. Where the account has too little, a
// payout fails with insufficient_funds and no line; with queue_if_low_balance it is queued, goes when there is enough, and fails after 90
// days. No account is ever below nought.
//
// # Addresses
//
// Upper and lower case are one. An address at another handle than these two is an ordinary person's and is paid like success@sim. At
// @simrev what fails here ends in reversed instead. d is Config.Delay.
//
//	success@sim          processing, its UTR after d/2 (payout.updated), processed after d
//	instant@sim          processed in the answer
//	late@sim             processed after 30 minutes
//	late-utr@sim         processed after d without UTR, which comes an hour later
//	pending@sim          processing (partner_bank_pending) until somebody settles it
//	approval@sim         pending; rejected after 90 days
//	queued@sim           queued (gateway_degraded), goes after 30 minutes
//	deemed@sim           processing, after d beneficiary_bank_confirmation_pending, two days later processed
//	deemed-reversed@sim  the same, three days later reversed
//	returned@sim         processed after d, reversed two days later
//	failed-reversed@sim  failed, and the debit stays; a day later reversed, and the money is back
//	again@sim            the first payout of a request (Config.Root of its reference) fails with beneficiary_bank_failure, others succeed
//	cap@sim              takes Rs 5,000 a payout, else transaction_limit_exceeded
//	invalid@sim          beneficiary_vpa_invalid; so has every name at @sim that is not here
//	frozen@sim           bank_account_frozen            closed@sim    bank_account_closed
//	dormant@sim          beneficiary_account_dormant    bankdown@sim  beneficiary_bank_offline
//	timeout@sim          npci_beneficiary_timeout       limit@sim     transaction_limit_exceeded
//	unheard-of@sim       a reason that no document names
//	unvalidated@sim      as invalid@sim, and its validation fails
//
// Every reason of rails §2.6 has an address, with hyphens: imps-not-allowed@sim fails with it, bank-window-closed@sim is processing with
// it for an hour and then processed, low-balance@sim is queued with it for 30 minutes. So have NPCI's codes, told in the description alone
// ("(NPCI ZH)"): npci-zh@sim fails as the product has it, npci-u68@sim and its kin (RB 96 BT U82 U88) are deemed, npci-01@sim and its kin
// (U27 U30 U67 U85 UT UP) are processing for an hour and then processed, npci-21@sim is reversed, npci-00@sim succeeds. The others: ZH UX
// U29 ZE ZG ZI U95 XI MB MJ YF ZY B3 PS XW YD Z5 U02 Z8 U78 XU Y1 U28 U17 UB U80 U08 U03 U09 Z9 XY U48.
//
// # Events
//
// payout.pending, .queued, .initiated, .processed, .updated, .reversed, .failed, .rejected; fund_account.validation.completed, .failed;
// transaction.created for every line. What is not answered 2xx within Config.Patience comes again after 1, 2, 5, 15, 30, 60, 60 ...
// minutes times Config.RetryScale. After a day the place is switched off, until POST /actions/webhook names one; what waits then still
// comes. An event keeps the secret of its birth: after a rotation two are in use.
//
// # Control
//
//	GET    /transactions  ?reference= &payout= &call= &kind= &after=   the record of truth: seen, sent, kept (did not leave whole), decided,
//	                                                                   booked, told; it names nobody
//	GET    /payouts       ?reference= &root= &id= &status=             each with its history
//	GET    /paid          ?root= &twice=true                           by what the references of one request have in common: how many were
//	                                                                   paid, came back, are open; twice if more than one is paid or may be
//	GET    /statement     ?account= &payout=
//	GET    /events        ?event= &subject=
//	GET    /scenarios, POST, DELETE                                    rules
//	GET    /clock, POST {"advance":"30s"}                              business time; it can be moved here only if Config.Now is nil
//	POST   /actions/settle         {"id", "reference", "as", "reason"} ends what is named, else all that is open: by its script, or as told
//	POST   /actions/reverse        {"id" or "reference", "reason"}     what is processing or failed
//	POST   /actions/return         {"id" or "reference", "reason"}     what was processed
//	POST   /actions/fund           {"account", "amount", "payer"}      money from outside; with a minus, to it
//	POST   /actions/redeliver      {"id"} of an event or a payout
//	POST   /actions/rotate-secret  {"secret"}
//	POST   /actions/webhook        {"url", "off"}
//	POST   /actions/limit          {"per_second"}                      then 429; 0 is no limit
//	POST   /actions/tick
//	POST   /reset                                                      forgets payouts, keys, rules and records; ids go on
//
// # Rules
//
// A rule says which calls or events, what, and how often; the first that fits acts. One that has used up its times, or whose turn (nth)
// has not come, lets the next one try. vpa and reference match by their first letters. Rules do not survive a restart.
//
//	{"action": "hang-after", "match": {"call": "create"}, "times": 1}                make the next payout, say nothing
//	{"action": "500-before", "match": {"call": "get", "reference": "PID26"}}         enquiries that fail
//	{"action": "act-as", "as": "frozen@sim", "match": {"amount": 77700}}             whoever it is
//	{"action": "webhook-late", "delay_ms": 60000, "match": {"event": "payout.initiated"}}
//
//	not heard    500-before   503-before   429   hang-before   close-before
//	lost         500-after   hang-after   close-after   half-answer   garbage (no JSON)   nonsense (other JSON): decided all the same
//	its own way  slow (delay_ms of wall time)   webhook-first (the payout ends and is told before the create call is answered as it began)
//	             unlisted (a list finds nothing)   act-as (another address's script)
//	events       webhook-never   webhook-late (delay_ms of business time)   webhook-duplicate
//	             webhook-old-secret   webhook-wrong-signature   webhook-unknown-fields: every delivery counts for times
package sim
