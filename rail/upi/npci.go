package upi

import (
	_ "embed"

	"naru/core/payout"
)

// ScopeNPCI says that a code is one of NPCI's (disburse v1 §3.3).
const ScopeNPCI = "npci-upi"

//go:embed npci.csv
var npciCSV string

// code is a row of npci.csv.
type code struct {
	category, again string
	meaning
}

// npci is npci.csv, where its columns are explained.
var npci = func() map[string]code {
	table := map[string]code{}
	for _, row := range rows("npci.csv", npciCSV, 7) {
		m := meaningOf("npci.csv", row[2], row[3], row[5], row[6])
		if m.alert != "" {
			m.alert = "UPI code " + row[0] + ": " + m.alert
		}
		table[row[0]] = code{row[1], row[4], m}
	}
	return table
}()

// NPCI is what the switch's code of a payout means, and the code of its leg where it has one (disburse v1 §8.5, rails §2.10). It is for
// banks that pass these codes on; RazorpayX has reasons instead. Some codes say that a leg failed and not why: there the leg's own code
// counts. A code that no table knows may mean anything.
func NPCI(result, leg string) payout.Answer {
	row, known := npci[result]
	name := word(result)
	if known && row.category == "leg" && leg != "" {
		row, known = npci[leg]
		name += ":" + word(leg)
		known = known && row.category != "leg" && row.category != "ok" // a leg that went well is no reason for a failure
	}
	if !known {
		return payout.Answer{Scope: ScopeNPCI, Code: name, Alert: "a UPI code that is in no sheet: " + name}
	}
	a := row.answer()
	a.Scope, a.Code = ScopeNPCI, name
	return a
}
