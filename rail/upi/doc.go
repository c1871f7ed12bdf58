// Package upi is the rail that pays money out to UPI addresses, through a payout product: no network of its own (rails §2.1).
//
//	bank.go     what any payout bank must keep to; banktest/ is the same as tests
//	razorpay.go RazorpayX Payouts v1: the verbs                   wire.go    its JSON, as the product spells it
//	compose.go  orders become bytes, texts become legal           client.go  one call, and whether anything of it left
//	answers.go  answers become verdicts: reasons.csv, errors.csv  hear.go    signed events
//	npci.go     the codes of the network itself: npci.csv
//
// What happens to the money when nobody answers: Pay says Unknown, and the engine asks with Enquire, or sends the same key and the same
// bytes again while the bank remembers the key. Nothing here makes a key, changes bytes, or tries twice. NotSent only where no connection
// came about. An answer that contradicts its order is about something else: Unknown, and somebody looks.
package upi
