// Package killtest kills the real binary wherever it can die, and proves that no money was lost, doubled or forgotten (design §2, §3.8).
//
//	Google ◀──── requests, verdicts, news, settlements ────▶ ┌────────────────┐ ◀──── ISO 8583, files ────▶ acquirer
//	                                                         │ the victim:    │ ◀──── orders, events ─────▶ payout bank
//	a merchant ◀──────────── requests, news ────────────────▶│ naru serve     │ ◀──── files, pushes ──────▶ deposit bank
//	                                                         └ its database ──┘
//
// Google, the acquirer, the banks and the merchant live in the test process and survive. Traffic, in won by Korea Cards v1, in three
// more currencies by Card FOP v1, in rupees by disburseFunds v1, and by bank transfer in won through the merchant gateway, knows nothing
// of deaths: each request is sent again until it has its answer. Google repeats the same request id; the merchant, whose number is used
// up by an order that it was never told of, asks for that order under another number, and for a payout queries (merchant-gateway §8,
// §16). The victim dies at a named point (serve --crash-at) or at a random instant, and is started again, always at the addresses of its
// life. When the payments are at rest the acquirer ends its business day and hands over its files, and the deposit bank states its day;
// then the victim is started in a time zone in which the next day has begun, reads the statement of the payout bank, and settles with
// Google. In the end the records must agree on every hold, sale, refund, dispute, settlement, payout, order and credit, every answer of
// Google's must come again word for word, and fsck must find nothing. At no time has a bank paid a request twice.
//
// All this is lived twice: in a file, and on a PostgreSQL server, which is a child of the test process and survives as well. There every
// victim is a new node; what a dead one worked on is given up when its lease is over, by the next victim or by a node that lived beside it.
//
//	kill_test.go      on what, and which deaths: every point of package crash, and random instants
//	beside_test.go    a death beside another node
//	life_test.go      one database, its peers, and the victims that die on it
//	traffic_test.go   the payments, and how Google asks
//	after_test.go     what happens to captured money: refunds, disputes, the end of the day
//	payout_test.go    money that is paid out: what happens to it, and what must be true of it in the end
//	merchant_test.go  the same of a merchant's orders and payouts
//	audit_test.go     what must be true in the end: secrets, holds and sales, and that all news is told once
//	money_test.go     and of the money: refunds, disputes, files, settlements, the ledger
package killtest
