// Package killtest kills the real binary wherever it can die, and proves that no money was lost, doubled or forgotten (design §2, §3.8).
//
//	Google ──relay──▶ naru serve (the victim) ──▶ acquirer
//	  ▲                    │ verdicts                │
//	  └────────────────────┘                         ▼
//	its record        its database           its record of truth
//
// Google and the acquirer live in the test process and survive. Traffic knows nothing of deaths: each payment is asked for again, with the
// same request id, until it has its answer, as Google does. The victim dies at a named point (serve --crash-at) or at a random instant,
// and is started again. In the end the three records must agree, every answer must come again word for word, and fsck must find nothing.
//
//	kill_test.go     which deaths: every point of package crash, and random instants
//	life_test.go     one database, its peers, and the victims that die on it
//	traffic_test.go  the payments
//	audit_test.go    what must be true in the end
package killtest
