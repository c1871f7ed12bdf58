package clearing

import (
	_ "embed"
	"encoding/csv"
	"strings"

	"naru/core/payment"
)

//go:embed reasons.csv
var reasonsCSV string

// ReasonTable says what the dispute codes of the schemes mean.
type ReasonTable []reasonRow

type reasonRow struct {
	scheme, code string
	words        []string
	reason       payment.DisputeReason
}

// Reasons is reasons.csv, where its columns are explained.
var Reasons = reasonTable(reasonsCSV)

func reasonTable(text string) (t ReasonTable) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment, r.FieldsPerRecord = '#', 4
	rows, err := r.ReadAll()
	if err != nil {
		panic("clearing: the embedded table of dispute reasons is broken: " + err.Error())
	}
	for _, row := range rows[1:] {
		words := strings.FieldsFunc(row[2], func(c rune) bool { return c == '|' })
		for _, code := range strings.Fields(row[1]) {
			t = append(t, reasonRow{row[0], code, words, payment.DisputeReason(row[3])})
		}
	}
	return t
}

// Lookup is what a code means. A scheme's code is taken only for its own brand, as local brands number theirs alike; where no brand is
// given the code alone decides. The text beside the code tells the sub-reasons of Mastercard 4834 and 4853 apart. What no row knows, and
// no code, is unclear.
func (t ReasonTable) Lookup(brand, code, text string) payment.DisputeReason {
	brand, code, text = strings.ToUpper(strings.TrimSpace(brand)), strings.TrimSpace(code), strings.ToLower(text)
	for _, r := range t {
		if r.code == code && (r.scheme == "ISO" || r.scheme == brand || brand == "") && r.says(text) {
			return r.reason
		}
	}
	return payment.UnclearReason
}

func (r reasonRow) says(text string) bool {
	for _, w := range r.words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return len(r.words) == 0
}
