// Package iso8583 is the rail to a card acquirer: ISO 8583:1987 over long-lived TCP connections, in the dialect of a profile.
//
//	profile.go  what may differ from host to host: profiles/*.toml     spec.go     the data elements, rails §1.4
//	message.go  a message that cannot print itself                     private.go  the tags of DE48, rails §1.5
//	codec.go    orders become messages                                 answers.go  answers become verdicts: de39.csv
//	frame.go    length header and TPDU                                 session.go  one connection
//	link.go     all connections: sign-on, echo, reconnect, matching    rail.go     the verbs that the engine calls
//	totals.go   the totals of a day, compared                          dispute.go  chargebacks that the host tells
//
// What happens to the money when nobody answers: Authorise, of a hold or of a sale, says Unclear, and the engine sends a reversal until it
// is answered. So it does for a refund, which Advise sends once. Completions and reversals are silent, and sent again until they are
// answered.
// A message leaves once. Send fails with ErrNotSent only while no byte can have left; after every other failure the host may have
// booked. Late answers change nothing, they are counted and shown to LinkConfig.Late.
package iso8583
