// Package sim is the acquirer at the other end of the wire: a host that speaks a dialect of rails §1 on a socket of its own,
// keeps accounts and a ledger, and writes down everything that it saw and said.
//
//	        frame.go        answer.go                     book.go
//	socket ─────────▶ take ─────────▶ rule? ─▶ judge ───▶ checks, holds, bookings
//	       ◀───────── conn.go ◀────── leave ◀─ compose ◀─ verdict
//	                  (late, half,             │
//	                   twice, never)           ▼ file.go: one line per message, before the answer leaves
//
// It shares nothing with the connector but the table of elements and the profile. It is rude within the specification: what
// arrives together is answered in any order, unknown DE48 tags and free text come with one answer in a few, approval codes end
// in a blank or are lower case. All of it follows from Config.Seed; Config.Polite turns it off.
//
// Without sign-on every request gets 91. Nothing is repaired silently: a missing or misshapen element, a secret DE48 tag in
// anything but a first 0100 or 0200, and bytes after the last element get 30; a 0220 whose PAN, currency, RRN, approval code or
// approval number is not that of the hold gets 77; a repeat mark where the profile knows none gets 12.
//
// # Cards
//
// A numbered card is 999999000000, three digits, and the check digit. Numbers below 100 answer with their code:
//
//	9999990000000006  00 approved          9999990000000410  41 lost              9999990000000618  61 amount limit
//	9999990000000055  05 do not honour     9999990000000436  43 stolen            9999990000000626  62 restricted
//	9999990000000105  10 partial           9999990000000519  51 no funds          9999990000000659  65 count limit
//	9999990000000147  14 (not in the base) 9999990000000543  54 expired           9999990000000782  78 not activated
//	9999990000000576  57 not permitted     9999990000000550  55 wrong PIN, KP N   9999990000000824  82 wrong CVV2, CR N
//	9999990000000592  59 fraud             9999990000000915  91 issuer down       9999990000000964  96 malfunction
//
// and so for every code of two digits. Behind 09 16 20 22 68 85 94, which leave the caller in doubt, the host holds the money:
// 9999990000000683 is 68, 9999990000000857 is 85, 9999990000000949 is 94. From 900 on:
//
//	9999990000009015  no answer, held               9999990000009148  approved, then revoked: its 0220 gets R1
//	9999990000009023  answer after 6 s              9999990000009155  answers and hangs up
//	9999990000009031  hangs up, held                9999990000009163  half an answer, then hangs up
//	9999990000009049  partial approval (10)         9999990000009171  wrong STAN
//	9999990000009056  91, then 00 (per DE48 MR)     9999990000009189  truncated message
//	9999990000009064  wrong DE4                     9999990000009197  garbage
//	9999990000009072  wrong birth date (05, KB N)   9999990000009205  answers twice
//	9999990000009080  PIN 47, born 910417           9999990000009213  signs off in front of the answer
//	9999990000009098  PIN 93, business 1234567891   9999990000009221  answers byte by byte
//	9999990000009106  CVV2 737                      9999990000009239  no answer, not held
//	9999990000009114  balance 100000                9999990000009247  61 above 50000
//	9999990000009122  hold ends after 10 minutes    9999990000009254  65 after two a day
//	9999990000009130  the reversal overtakes it     9999990000009262  80 unless the expiry is 12/29
//
// 9999990000009130 is put aside unread until its reversal has come, been answered 25, and been remembered; then it is read,
// and refused (12). The public test numbers of the card brands (4242424242424242, 4111111111111111, 5555555555554444,
// 378282246310005 ...) and all of 99999911... are ordinary cards, which take any expiry to come, CVV2, PIN and birth date.
// 4242... and 4111... are Korean: their approval number has eight digits (DE48 AN), and DE38 is the end of it.
// A merchant (DE42) whose name begins with CLOSED gets 03, such a terminal (DE41) 58.
//
// # Control
//
//	GET    /transactions  ?rrn= ?after=   every message seen and sent; "kept" is an answer that was decided and did not arrive whole
//	GET    /holds  ?rrn=                  holds: open, captured, released, expired, revoked
//	GET    /bookings  ?rrn=               captures, sales, refunds
//	GET    /scenarios, POST, DELETE       rules
//	GET    /clock, POST {"advance":"30s"} business time; it can be moved here only if Config.Now is nil
//	POST   /actions/signoff, echo, cutover, drop
//	POST   /actions/expire-hold, revoke   {"rrn":"632612000123"}
//	POST   /reset                         forgets all but the connections
//
// A rule says which messages, what, and how often; the first that fits acts, before what the card would do. A rule that has
// used up its times, or whose turn (nth) has not come, lets the next one try. Rules do not survive a restart.
//
//	{"action": "silent", "match": {"mti": "0220"}, "times": 1}                    book the next capture, say nothing
//	{"action": "late", "delay_ms": 6000, "match": {"pan": "999999", "nth": 3}}    from the third message of these cards on
//	{"action": "decline", "code": "1A", "match": {"amount": 12900}}
//	{"action": "decline", "code": "96", "match": {"mti": "0800"}, "times": 2}     refuse two sign-ons
//	{"action": "set", "elements": {"38": "A1B2C3"}, "tags": {"CR": "U"}, "match": {"mti": "0100"}}
//
//	decided      decline (code, tags)   approve-as (code; books)   partial   revoke   busy-once   set (elements, tags)
//	not heard    silent (booked)   silent-dropped (not booked)   overtaken   refuse-connection
//	broken off   late (delay_ms)   close-before-answer   answer-then-close   close-mid-answer   slow (delay_ms between bytes)
//	too much     duplicate   signoff   unknown-tag   extra-elements
//	wrong        wrong-stan   wrong-amount   truncated   garbage   bad-length
package sim
