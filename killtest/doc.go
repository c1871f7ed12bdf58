// Package killtest kills the real binary wherever it can die, and proves that no money was lost, doubled or forgotten (design §2, §3.8).
//
//	Google ──relay──▶ naru serve (the victim) ──▶ acquirer
//	  ▲                 │ verdicts, news,  ▲         │
//	  └─────────────────┘ settlements      └─ files ─┤
//	its record              its database             ▼ its record of truth
//	                          ▲    │
//	                   events └─┐  └──▶ payout bank ──▶ its record of truth
//	                            └─relay─────┘
//
// Google, the acquirer and the payout bank live in the test process and survive. Traffic, in won by Korea Cards v1, in three more
// currencies by Card FOP v1 and in rupees by disburseFunds v1, knows nothing of deaths: each request is sent again, with the same request
// id, until it has its answer, as Google does. The victim dies at a named point (serve --crash-at) or at a random instant, and is started
// again. When the payments are at rest the acquirer ends its business day and hands over its files; then the victim is started in a time
// zone in which the next day has begun, reads the statement of the payout bank, and settles with Google. In the end the records must agree
// on every hold, sale, refund, dispute, settlement and payout, every answer must come again word for word, and fsck must find nothing. At
// no time has the payout bank paid a request twice.
//
//	kill_test.go     which deaths: every point of package crash, and random instants
//	life_test.go     one database, its peers, and the victims that die on it
//	traffic_test.go  the payments, and how Google asks
//	after_test.go    what happens to captured money: refunds, disputes, the end of the day
//	payout_test.go   money that is paid out: what happens to it, and what must be true of it in the end
//	audit_test.go    what must be true in the end: secrets, holds and sales, and that all news is told once
//	money_test.go    and of the money: refunds, disputes, files, settlements, the ledger
package killtest
