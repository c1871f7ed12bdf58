// Package clearing reads and writes the files that an acquirer and we exchange: bytes in, records out, and the other way round. It knows
// no folder, no clock and no database.
//
//	file.go        what all files share: name, H, N, D, T, and when a whole file is refused (rails §4.3)
//	settlement.go  PISTL and PIDSP, acquirer to us: one Record per event, and when one line is rejected (rails §4.3)
//	capture.go     PICAP, us to acquirer, and its answer PICAPR (rails §4.2)
//	reasons.go     what a scheme's dispute code means: reasons.csv (rails §1.16)
//
// What happens to the money: a file that is not whole, not ours or does not add up is refused and books nothing. In a file that holds, a
// line that makes no sense is rejected by itself, with its reason, and the others are good. Whether a record fits what we know of its
// payment, and whether its event was already booked, is the engine's to say.
package clearing
