// Package bankfeed is how we hear of money on our bank accounts, and how we send it from there (rails §3, §4.4).
//
//	document.go one XML document, whatever it is: limits, character sets    camt.go    bookings: camt.054 and camt.053
//	pain.go     orders we send: pain.001; what becomes of them: pain.002    answers.go status and reason codes become verdicts
//	push.go     bookings as JSON, and the signature of whoever calls        http.go    the two routes
//	inbox.go    files in a folder or on an SFTP server                      transfers.go the payout rail over all this
//
// What happens to the money when nobody answers: a booking counts when the engine has it on disk, and until then nobody is told that it was
// taken. A caller hears 5xx and sends again, a file stays where it was claimed and is taken again; a booking that comes twice counts once,
// whichever way it comes. A payment that was handed over is open until the bank tells what became of it: silence is never a no.
package bankfeed
