// Package nodetest runs three nodes of the real binary on one PostgreSQL database, takes them away one after the other while payments go
// on, and proves that many nodes answer as one. Where one process can die, package killtest shows.
//
//	Google ──────┐              ┌▶ naru serve, a ┐               ┌──▶ acquirer
//	a merchant ──┼─▶ balancer ──┼▶ naru serve, b ┼─ any of them ─┼──▶ Google, the merchant: verdicts
//	its bank ────┘              └▶ naru serve, c ┘               └──▶ PostgreSQL
//
// All but the nodes lives in the test process, or dies with it. Every copy and every repeat of a request goes to any node; the bank tells
// of each credit by file, which one node reads, and by a push, which any node takes. One node is killed and one is stopped for longer than
// its lease while they have requests in work; then each is restarted in good order, which no caller may notice. In the end the books, the
// acquirer and Google must agree on every hold, sale, capture, cancel and refund, every node must give every answer again word for word,
// each credit must have paid its one order, and fsck must find nothing.
//
//	nodes_test.go     the story
//	cluster_test.go   the nodes, what is around them, and the database as seen from outside
//	balancer_test.go  which node hears what
//	traffic_test.go   the payments, and how Google asks
//	market_test.go    the deposit orders, and how a merchant asks
//	audit_test.go     what must be true in the end
package nodetest
