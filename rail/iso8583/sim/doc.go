// Package sim is the acquirer at the other end of the wire: a host that speaks a dialect of rails §1 on a socket of its own,
// keeps accounts and a ledger, and writes down everything that it saw and said.
//
//	        frame.go        answer.go                     book.go
//	socket ─────────▶ take ─────────▶ rule? ─▶ judge ───▶ checks, holds, bookings
//	       ◀───────── conn.go ◀────── leave ◀─ compose ◀─ verdict
//	                  (late, half,             │
//	                   twice, never)           ▼ file.go: one line per message, before the answer leaves
//
//	merchant's folder ── collect.go ─▶ book ─▶ settle.go: what is due, what it costs ── files.go ─▶ merchant's folder
//	      captures                      ▲                                                   settlement, disputes, answers
//	                                    └ dispute.go: quarrels about bookings, told by 0422, by file, or by both
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
// # Sales
//
// A 0200 with DE3 00 takes money with its answer: it is checked like a 0100, the cards do to it what they do to that, and it is booked
// on the business day in DE15, also behind 09 20 22 68 85 94 and where the answer is lost. Nothing is held, and there is no RX. What 10
// and 32 grant, and 16 unless the profile approves with it, is not booked but set aside: GET /holds shows it, no total or file counts it.
//
// A 0420 that names the 0200 undoes a sale; the day's totals count both the debit and its reversal. A sale, or a capture, that has been
// refunded, or disputed and not won, is not undone (12), nor is any in part; another amount gets 77, a second time 25.
// Where the profile's capture_mode is single, a 0100 over money gets 40; with file, sales are taken on line as ever.
//
// # What the holder's bank looks at
//
//	9999990000009411  lives at number 8 of some street, postal code 12345-6789; all others live wherever they are said to (AVS Y)
//	9999990000009429  the last digit of the CVV2 is its result: 1 M, 2 N, 3 P, 4 S, 5 U, 6 blank, others none
//	9999990000009437  1A unless there is 3DS data (CA), an exemption (SX), or a merchant who starts the payment (CI M)
//	9999990000009445  65, likewise
//	9999990000009452  05 with merchant advice code (MC) 04 for a device token (TT D) without cryptogram (CG), unless CI is M
//	9999990000009460  05 for a payment that the merchant starts (CI M) with an NT that no approval of this host had
//	9999990000009478  05 with MC 03, never again
//	9999990000009486  51 with MC 24, after a day
//
// Number 8 and that code are X, or with its first five digits Y; F in GB (AC), D in other countries but US. The number alone is A, with
// no code B; the code alone W or Z, with no line P; neither is N. A postal code of AVS and a letter gets that letter on every card, and
// AVS alone gets no result. Results stand in approvals; a rule may put them into a decline. Every approval has a new NT, one of
// Mastercard's an NS as well.
//
// # Refunds
//
// A refund (0200, DE3 20) names what it gives back by DE48 OR (and OD, if it likes) or by DE90; where the two disagree it gets 77,
// without either 30, and 25 if there is no such booking. A card that is lost (41), stolen (43) or closed (46) takes no money back.
// These are ordinary until they are refunded:
//
//	9999990000009304  57                            9999990000009346  no answer, booked; then 00 (per original)
//	9999990000009312  41                            9999990000009353  13
//	9999990000009320  46                            9999990000009361  91, then 00 (per original)
//	9999990000009338  05
//
// # Verifications
//
// A verification (0100, DE4 nought, DE25 51) holds nothing and is answered 00, by Korean cards and 9999990000009403 with 85, no reason
// to decline. Where the profile's account_verification is an amount, 51 with less than that gets 13, and with more is a hold.
//
// # Control
//
//	GET    /transactions  ?rrn= ?after=   every message seen and sent; "kept" is an answer that was decided and did not arrive whole
//	GET    /holds  ?rrn=                  holds, and what sales set aside: open, captured, released, expired, revoked, rejected (in clearing)
//	GET    /bookings  ?rrn=               captures, sales, refunds, and what of them was refunded
//	GET    /disputes                      chargebacks: open, reversed (the merchant has won), lost; "told" by 0422, CHB or both
//	GET    /files                         files written: name, day, seq, records, net
//	GET    /records  ?rrn= ?type=         the records of those files; "file" is empty in what the next one will tell
//	GET    /scenarios, POST, DELETE       rules
//	GET    /clock, POST {"advance":"30s"} business time; it can be moved here only if Config.Now is nil
//	POST   /actions/signoff, echo, cutover, drop
//	POST   /actions/expire-hold, revoke   {"rrn":"632612000123"}
//	POST   /reset                         forgets all but the connections, and leaves the folders as they are
//
//	POST   /actions/chargeback            {"rrn", "amount", "reason": "10.4", "text", "stage": 1, "case", "online", "both"}
//	POST   /actions/chargeback-reversed   {"case"} or {"rrn"}: its newest open stage, won by the merchant (CBR)
//	POST   /actions/dispute-lost          the same, lost: no record tells it
//	POST   /actions/inquiry               {"rrn", "amount", "reason", "text"} (INQ)
//	POST   /actions/fraud                 {"rrn", "code": "6"} (FRD), as often as it is said
//	POST   /actions/bounce-refund         {"rrn" of the refund, "amount", "reason"} (RRF): the original can be refunded again
//	POST   /actions/reject-capture        {"rrn", "code": "25"} (REJ), as long as no file has settled it
//	POST   /actions/arn                   {"rrn"} (ARN), once a file has told the booking
//	POST   /actions/fee, adjust           {"amount", "code", "text", "merchant", "currency": "KRW"} (FEE, ADJ)
//	POST   /actions/settle                {"day", "cutover", "late_arn"}: all that is due up to the end of a day YYYYMMDD, or so far
//	POST   /actions/dispute-file          queued INQ, CHB, CBR and FRD alone
//	POST   /actions/redeliver             {"name"}: the good file once more, the last one if none is named
//	POST   /actions/collect               takes the capture files
//
// Members may be left out: what stands here with a value has that default, online, both, cutover and late_arn are true or false, an
// amount is what is left of the booking. A command about a booking needs one of that rrn, and not more money than it has; "stray": true
// allows any rrn, or any amount. Answers are the object made, or a list of files.
//
// # Disputes
//
// A chargeback is told by a CHB in the next file; with online by 0422 at once and by no file; with both by both, as one dispute. A 0422
// has DE2, 3, 4 (disputed), 7, 11, 32, 37, 41, 42, 49, DE60 (45xx, made of the scheme's reason; also where the profile puts reasons of
// reversals), DE90 of the 0220 or 0200, and in DE48 the case (DC), the stage 1 or 2 (DG) and the last day for evidence (DR, YYYYMMDD).
// It comes again as 0423 after 5 s, 15 s, and then every minute, from one connection to the next and over restarts, until a 0432 has
// a code that does not ask for patience (09 19 22 28 68 90 91 96); GET /disputes shows that code as "answer".
//
// # Files
//
// With Config.Deliver, every cut-over, by command or by the clock, writes PISTL_<acquirer>_<merchant>_<day>_<seq>.csv for each merchant
// and currency with something to say (rails §4.3), after taking what lies in Config.Collect. The files of a merchant's day are numbered
// through, whatever their currency; amounts are minor units of it. A booking has one record, CAP, REF, or RSV if it ended without money;
// P and its number is the event_id, E and a number that of all others. What is undone before it is told is not told; after that an ADJ
// takes it back, fees and all. One PAY for each currency pays what the files of earlier days added up to: reason_code is the last of
// those days, result C or D (paid or drawn), text the bank's reference. Behind the columns of rails §4.3 stands case_id.
//
// PICAP files (rails §4.2) are booked like 0220 and 0200, item by item, with the same codes, 77 for an item in another currency than the
// file's, and answered by PICAPR; then they move to done/, and what is no such file, or has a known name and other content, to refused/.
// One with a hole before its number stays.
//
// # Rules
//
// A rule says which messages, what, and how often; the first that fits acts, before what the card would do. A rule that has
// used up its times, or whose turn (nth) has not come, lets the next one try. Rules do not survive a restart. Beside elements a rule
// matches DE48: tags by their values, "" for one that is not there, and by lacks a 0100 or a sale without what the cards above look
// for: authentication, cryptogram or network-id.
//
//	{"action": "silent", "match": {"mti": "0220"}, "times": 1}                    book the next capture, say nothing
//	{"action": "late", "delay_ms": 6000, "match": {"pan": "999999", "nth": 3}}    from the third message of these cards on
//	{"action": "decline", "code": "1A", "match": {"amount": 12900}}
//	{"action": "decline", "code": "96", "match": {"mti": "0800"}, "times": 2}     refuse two sign-ons
//	{"action": "decline", "code": "57", "match": {"mti": "0200", "de3": "20"}}    no refunds; with approve-as they are booked
//	{"action": "decline", "code": "05", "tags": {"MC": "03"}, "match": {"tags": {"CI": "M", "IR": "R"}}}
//	{"action": "decline", "code": "1A", "match": {"lacks": "authentication", "mti": "0200"}}
//	{"action": "silent", "match": {"mti": "0200", "de3": "00"}, "times": 1}       book the next sale, say nothing
//	{"action": "set", "elements": {"38": "A1B2C3"}, "tags": {"CR": "U"}, "match": {"mti": "0100"}}
//
//	decided      decline (code, tags)   approve-as (code; books)   partial   revoke (holds)   busy-once   set (elements, tags)
//	not heard    silent (booked)   silent-dropped (not booked)   overtaken   refuse-connection
//	broken off   late (delay_ms)   close-before-answer   answer-then-close   close-mid-answer   slow (delay_ms between bytes)
//	too much     duplicate   signoff   unknown-tag   extra-elements
//	wrong        wrong-stan   wrong-amount   truncated   garbage   bad-length   totals-off (0500: the host counts one debit more)
//
// Rules about files are for those whose name begins with match.file, and count deliveries. The host keeps the good text:
//
//	{"action": "file-cut", "match": {"file": "PISTL"}, "times": 1}
//
//	spoiled      file-cut   file-bad-hash   file-bad-count   file-bad-sum
//	             file-bad-line (one record of unknown type and no money; the next file tells it right)
//	again        file-again, file-duplicate (the merchant's file before it comes once more, the same, or with other event ids; a
//	             redelivered file is its own)
package sim
