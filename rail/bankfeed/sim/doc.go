// Package sim is a Korean bank at the other end of the wire: it keeps accounts, books what payers send, reports it as camt.054 in a folder
// and by HTTP and as the JSON push, sends statements as camt.053, takes pain.001 and answers pain.002 (rails §3.3-§3.5, §3.9, §4.4), and
// writes down what it booked and said.
//
//	deposit ──▶ book.go: accounts ──▶ report.go: a message ──▶ tell.go ──▶ Out/CAMT054_….xml, or POST …/camt054, POST …/bank-credits
//	              ▲        │            camt.go: its bytes       ▲
//	              │        └─ file.go: one line a step ──────────┤ before anybody hears of it
//	In/….xml ─────┤                                              │
//	POST /payments┴─▶ orders.go: judged, begun, advanced ────────┴──▶ Out/PAIN002_….xml   pain.go: its bytes
//
// It shares nothing with the adapter. It is rude within the specification: one report in eight comes twice, to the byte, one in eight comes
// 3 s late, so that the next one overtakes it, one message in four writes 50003 won as 50003.00, one order in two is first ACCP instead of
// ACTC, and one payment in two is ACSC before it is ACCC. All of it follows from Config.Seed; Config.Polite turns it off.
//
// # Time
//
// Everything but the network runs on business time. What is due happens, at its own time and in its order, before anything else does;
// reports leave, and In is looked into, in Tick. With Config.Sleep (clock.Movable has one) or without Config.Now the bank waits by
// itself; with Config.Now alone nothing leaves until somebody says Tick or POST /actions/tick. Config.ScanEvery is wall time, and so are
// signatures. Days are Korean.
//
// # Reports
//
// A transaction is reported on every channel that its deposit asked for, else on Config.Channels: the same message with the same MsgId in a
// file and in a push, the same bank transaction id everywhere, so that it counts once. A reversal has the id of the deposit that it takes
// back, and direction DBIT (JSON: type reversal, both ids are that one): id and direction together name a movement (rails §3.2). The JSON
// push can say neither a payment, nor its return, nor what is pending; those are in files and pushes of camt.054 alone. ElctrncSeqNb counts
// the notifications of an account without gaps, and its statements apart. No answer, 429 and 5xx: the same body again after 5 s, 30 s, 2
// minutes, 10 minutes, 10 minutes ... Any other refusal of a push is for good.
//
// Files are written as NAME.xml.tmp and renamed. With Config.Files an SFTP server has the two folders as /out and /in.
//
// # Payments
//
// An order lies in In under a name that ends in .xml, and is moved to In/done or In/failed, or comes by POST /payments with the headers of
// rails §3.5: 202 says that it has come, no more. It is judged as a whole (FF01, AM05, AM10, BE05), then payment by payment (AC02, RC03,
// DT01, AM01, AM03, AM12, RC04, AC03). A MsgId that is known pays nothing: the answer is another pain.002 about how things stand. Else ACTC
// at once; after Config.Delay, on its day, ACCC and a debit, or RJCT with AM04 where there is too little. Every debit is one entry,
// BtchBookg or not. One EndToEndId in two messages is paid twice: GET /twice says so.
//
// # Control
//
//	GET    /transactions       ?id= &account= &virtual= &kind= &end_to_end=   what is booked or pending: deposit, reversal, payment, return
//	GET    /accounts                                                          with their balances
//	GET    /payments           ?order= &end_to_end= &status=                  each with its history
//	GET    /orders             ?id=                                           and how often each came
//	GET    /twice                                                             EndToEndIds that were paid more than once
//	GET    /reports            ?id= &kind= &channel=                          every message, and what the receiver said
//	GET    /scenarios, POST, DELETE                                           rules
//	GET    /clock, POST {"advance":"30s"}                                     it can be moved here only if Config.Now is nil
//	POST   /actions/deposit    {"account", "amount", "name"}, and what Deposit has: answers {"bank_txn_id", "transactions"}
//	POST   /actions/reversal   {"id"}
//	POST   /actions/return     {"end_to_end", "reason"}
//	POST   /actions/statement  {"account", "day"}                             camt.053; nothing named is every account, today
//	POST   /actions/report     {"id", "channels"}                             in another message
//	POST   /actions/tick
//	POST   /reset                                                             forgets all but ids and numbers
//
// # Rules
//
// A rule says which reports, payments or pushes, what, and how often; all that fit act. One that has used up its times, or whose turn (nth)
// has not come, does nothing. Rules do not survive a restart.
//
//	{"action": "twice", "match": {"account": "56200012345678"}, "times": 1}
//	{"action": "refuse", "code": "BE01", "match": {"end_to_end": "DEP-ORDER-77-RF1"}}
//	{"action": "push-unheard", "match": {"channel": "json"}, "times": 2}
//
//	reports   duplicate-message (the same bytes)   twice (in two messages)   copy (DUPL)   skip (its number is used, nobody hears of it)
//	          wrong-sums (with delay_ms: the right message then)   late (delay_ms, an hour)   swap (comes after the next of the account)
//	          pending (PDNG, booked after delay_ms, a minute)   half-file, half-temporary (half of it under its name, or NAME.xml.tmp; the
//	          whole after delay_ms, 5 s)   euc-kr   byte-order-mark   version-02   short-name (14 bytes of CP949)
//	payments  refuse, refuse-at-once, refuse-all (RJCT with code: in the second report, the first, of the group)   pdng (delay_ms, 1 h)
//	          lost (the order never arrived)   silent (paid, no pain.002)   silent-refuse   stop-at-acsc   slow (delay_ms, 1 h)
//	          group-level, payment-level (the status stands there alone)   return (after delay_ms, a day, with code)
//	calls     500-before (the order is not taken)   close-after (taken, and no answer)
//	pushes    push-unheard (delivered, and the answer is lost)   push-unsigned   push-yesterday: one that the bank spoils comes again
//
// A batch is a deposit with credits of several payers. Late booking is a deposit with booked_at in the past, or late.
package sim
