package pay

import (
	"strings"
	"unicode"
)

// groupings says how banks print their account numbers, by institution code and number of digits. A number that is not here is shown in
// fours: the grouping is for the eye, what is copied are the digits.
var groupings = map[string]map[int][]int{
	"003": {14: {3, 6, 2, 3}},
	"004": {12: {3, 2, 4, 3}, 14: {6, 2, 6}},
	"011": {12: {3, 2, 6, 1}, 13: {3, 4, 4, 2}},
	"020": {13: {4, 3, 6}},
	"071": {14: {6, 2, 6}},
	"081": {14: {3, 6, 5}},
	"088": {12: {3, 3, 6}},
	"089": {12: {3, 3, 6}},
	"090": {13: {4, 2, 7}},
	"092": {12: {4, 4, 4}},
}

// printed writes an account number as its bank prints it.
func printed(a Account) string {
	groups, known := groupings[a.Bank.Code][len(a.Number)]
	if !known {
		groups = inFours(len(a.Number))
	}
	var parts []string
	rest := a.Number
	for _, n := range groups {
		parts, rest = append(parts, rest[:n]), rest[n:]
	}
	return strings.Join(parts, "-")
}

// inFours leaves no group of one: 13 digits are 4-4-5.
func inFours(digits int) (groups []int) {
	for digits > 5 {
		groups, digits = append(groups, 4), digits-4
	}
	if digits > 0 {
		groups = append(groups, digits)
	}
	return groups
}

// masked leaves of a name what its owner recognises: the first and the last syllable (김*늘), the first letter of each Latin word.
func masked(name string) string {
	words := strings.Fields(name)
	for i, w := range words {
		words[i] = maskedWord([]rune(w))
	}
	return strings.Join(words, " ")
}

func maskedWord(w []rune) string {
	last := len(w) - 1
	for i := 1; i < len(w); i++ {
		if i < last || last == 1 || !unicode.Is(unicode.Hangul, w[i]) && !unicode.Is(unicode.Han, w[i]) {
			w[i] = '*'
		}
	}
	return string(w)
}
