// Package sandbox runs an integrator with everything around it on loopback: a simulated Google and a sample merchant in front; a simulated
// acquirer, a simulated payout bank and a simulated deposit bank behind; and a control port from which a person or a test moves time, makes
// faults and looks into every party's record.
//
//	control ──▶ Google ──HTTPS, PGP──▶ Naru ──TCP, ISO 8583──▶ acquirer
//	  story.go    google/                platform/                rail/iso8583/sim
//	  abroad.go     │                      │ │  ╲                   │
//	  payout.go     │                      │ │   ╲──HTTP, JSON──▶ payout bank      rail/upi/sim
//	                │                      │ │                      │
//	                │      merchant ──HTTP, signed JSON             │
//	  deposit.go    │        shop/         │ ╰──files, HTTP──▶ deposit bank         rail/bankfeed/sim
//	  transfer.go   │          │           │                        │
//	  page.go       │          │           │                        │
//	                └── google.jsonl       └── naru.db              └── acquirer.jsonl, payouts.jsonl,
//	                           └── shop.jsonl                            deposits.jsonl
//	                          └──────── compare.go: do all agree? ──────────┘
//	      rows.go payment by payment, paid.go payout by payout, matched.go transfer by transfer, totals.go in sum
//
// Files travel beside the wires: the acquirer's by the folders acquirer/to-naru and acquirer/from-naru, the deposit bank's by bank/to-naru
// and bank/from-naru, settlements to Google by SFTP.
//
// They are peers: they share the clock of business time, which the control port moves, and nothing else but the wire. Each keeps its
// own record in the folder, so that a second start goes on where the first ended.
package sandbox
