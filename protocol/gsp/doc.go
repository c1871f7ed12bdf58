// Package gsp is what every Google Standard Payments API shares: the envelope around a message, in both directions.
//
// As a server (gsp-core §5.4), one call goes through these steps and stops at the first that fails:
//
//	route, verb, size ─▶ decrypt ─▶ signature ─▶ strict JSON ─▶ header, version, id, time ─▶ account ─▶ Once ─▶ method
//	     (empty answer)  └──── refusals of strangers ────┘     (pipeline.go)                                     │
//	                          (strangers.go)                                                                     ▼
//	 answer ◀─ encode ◀─ encrypt ◀─ sign ◀─ fresh responseHeader ◀──────────────── response members, or a fault (faults.go)
//
// A method returns; only the envelope writes. What is stored for a repeat is the response without its header, so a repeat is
// stamped, signed and encrypted anew. When nobody answers in time, the caller gets 503 (or 409, where it repeated a call that is
// still running): both say that nothing is decided, and the caller asks again with the same request id.
//
// As a client (client.go), one attempt goes out and comes back as a Reply: what it means for the next attempt, never a guess. What every
// notification has in common stands in notify.go.
package gsp
