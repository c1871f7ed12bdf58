package iso8583

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Revised romanisation of the parts of a Hangul syllable, letter by letter: what a statement can show, not how it is spoken.
var (
	leads  = strings.Split("G KK N D TT R M B PP S SS  J JJ CH K T P H", " ")
	vowels = strings.Split("A AE YA YAE EO E YEO YE O WA WAE OE YO U WO WE WI YU EU UI I", " ")
	tails  = strings.Split(" K K K N N N T L K M L L L P L M P P T T NG T T K T P T", " ")
)

// latin writes any text in upper-case printable ASCII: Hangul romanised, accents dropped, what remains left out (rails §1.17 L5).
func latin(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKC.String(text) {
		switch s := r - 0xAC00; {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case s >= 0 && s < 11172:
			b.WriteString(leads[s/588] + vowels[s%588/28] + tails[s%28])
		case r < 0x7F:
			if r > 0x20 {
				b.WriteRune(unicode.ToUpper(r))
			}
		default:
			for _, part := range norm.NFD.String(string(unicode.ToUpper(r))) {
				if part >= 0x20 && part <= 0x7E {
					b.WriteRune(part)
				}
			}
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// cut shortens a text to n bytes of ASCII; fit also fills it up with blanks.
func cut(text string, n int) string { return text[:min(n, len(text))] }

func fit(text string, n int) string {
	text = cut(text, n)
	return text + strings.Repeat(" ", n-len(text))
}
