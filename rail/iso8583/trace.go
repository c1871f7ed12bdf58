package iso8583

import (
	"fmt"
	"strings"
	"time"

	"naru/core/payment"
)

const (
	stans     = 999_999 // 000001 to 999999
	laps      = 12      // how often the STANs may wrap before an RRN counter recurs
	alnum     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	timeOfDE7 = "0102150405" // DE7, MMDDhhmmss
	dayOfDE15 = "0102"       // DE15, MMDD
	yyyymmdd  = "20060102"
)

// Identify names message n of a link (rails §1.9): the STAN counts 000001 to 999999 and wraps; the RRN is YDDDhh in UTC and a
// counter of six characters. In the first lap of twelve the counter is the STAN; in the others its first two characters hold at
// least one letter, which tells the laps apart. So two messages of one hour share an RRN only 11 999 988 numbers apart.
func Identify(n int64, now time.Time) (stan, rrn string) {
	s, lap := n%stans+1, n/stans%laps
	now = now.UTC()
	counter := fmt.Sprintf("%s%04d", pair(lap*100+s/10_000), s%10_000)
	return fmt.Sprintf("%06d", s), fmt.Sprintf("%d%03d%02d%s", now.Year()%10, now.YearDay(), now.Hour(), counter)
}

// pair counts through all pairs of digits first, then those that begin with a letter, then those that only end with one.
func pair(k int64) string {
	const digits, letters = 100, 26 * 36
	switch {
	case k < digits:
		return fmt.Sprintf("%02d", k)
	case k < digits+letters:
		k -= digits
		return string([]byte{alnum[10+k/36], alnum[k%36]})
	default:
		k -= digits + letters
		return string([]byte{alnum[k/26], alnum[10+k%26]})
	}
}

// originalData is DE90: type, STAN, time and institution of the message that another one undoes or completes.
func originalData(mti string, t payment.Trace, institution string) string {
	return mti + t.STAN + t.At.UTC().Format(timeOfDE7) + strings.Repeat("0", 11-len(institution)) + institution + "00000000000"
}

// nearest completes a date of the wire, which names no year, with the year that brings it nearest to when it was read. What is no date
// is the zero time.
func nearest(layout, value string, when time.Time) (best time.Time) {
	for _, year := range []int{-1, 0, 1} {
		at, err := time.Parse("2006"+layout, fmt.Sprintf("%04d", when.UTC().Year()+year)+value)
		if err == nil && (best.IsZero() || at.Sub(when).Abs() < best.Sub(when).Abs()) {
			best = at
		}
	}
	return best
}

// businessDay is DE15 as YYYYMMDD, empty where it is no date.
func businessDay(de15 string, now time.Time) string {
	day := nearest(dayOfDE15, de15, now)
	if day.IsZero() {
		return ""
	}
	return day.Format(yyyymmdd)
}
