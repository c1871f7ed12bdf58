package fsck

import (
	"fmt"
	"io"
	"strings"
)

// Severity is how much a finding matters.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the database cannot be true, or shows what it must not
	Warning Severity = "warning" // a person should look
)

// Finding is one thing that is wrong. It never holds a secret: what looks like a card number is masked.
type Finding struct {
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	Table    string   `json:"table"`
	Row      string   `json:"row"` // its primary key, parts joined by a slash
	Problem  string   `json:"problem"`
}

// NotChecked is a check, or a part of one, that could not be done.
type NotChecked struct {
	Check string `json:"check"`
	Why   string `json:"why"`
}

// Report is what a reading found. Findings holds the first of each check; the counts hold all.
type Report struct {
	Findings   []Finding        `json:"findings"`
	Errors     int64            `json:"errors"`
	Warnings   int64            `json:"warnings"`
	NotChecked []NotChecked     `json:"not_checked"`
	Checked    map[string]int64 `json:"checked"` // by check: how many things were looked at
	Rows       map[string]int64 `json:"rows"`    // by table

	found map[string]int
}

// OK reports whether nothing is wrong.
func (r Report) OK() bool { return r.Errors == 0 }

// mostFindings bounds what is kept of one check, so that a broken database does not fill the memory.
const mostFindings = 100

func (x *run) bad(check, table, row, problem string, args ...any) {
	x.find(Error, check, table, row, fmt.Sprintf(problem, args...))
}

func (x *run) warn(check, table, row, problem string, args ...any) {
	x.find(Warning, check, table, row, fmt.Sprintf(problem, args...))
}

func (x *run) find(s Severity, check, table, row, problem string) {
	r := &x.report
	if x.Strict {
		s = Error
	}
	if s == Error {
		r.Errors++
	} else {
		r.Warnings++
	}
	if r.found == nil {
		r.found = map[string]int{}
	}
	if r.found[check]++; r.found[check] <= mostFindings {
		r.Findings = append(r.Findings, Finding{check, s, table, x.masked(row), x.masked(problem)})
	}
}

// did counts things that were looked at.
func (x *run) did(check string) { x.report.Checked[check]++ }

// skip notes what could not be checked.
func (x *run) skip(check, why string) {
	x.report.NotChecked = append(x.report.NotChecked, NotChecked{check, why})
}

// concluded notes that a check was done, or why it was not.
func (x *run) concluded(check string, err error) {
	for _, c := range checks {
		switch {
		case c.name != check:
		case err != nil:
			x.skip(check, x.masked(err.Error()))
		case c.keyed && x.KEK == nil:
			x.skip(check, "needs the key-encryption key")
		case c.keyed && x.vault == nil:
			x.skip(check, "needs the keysets")
		default:
			x.report.Checked[check] += 0
		}
	}
}

// WriteTo prints the report for a person.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	for _, c := range checks {
		n, done := r.Checked[c.name]
		switch {
		case r.found[c.name] > 0:
			fmt.Fprintf(&b, "%-19s %5d found  %s\n", c.name, r.found[c.name], c.why)
		case done:
			fmt.Fprintf(&b, "%-19s %8d ok  %s\n", c.name, n, c.why)
		default:
			fmt.Fprintf(&b, "%-19s not checked  %s\n", c.name, c.why)
		}
	}
	if len(r.NotChecked) > 0 {
		fmt.Fprintf(&b, "\nnot checked:\n")
		for _, n := range r.NotChecked {
			fmt.Fprintf(&b, "  %s: %s\n", n.Check, n.Why)
		}
	}
	if len(r.Findings) > 0 {
		fmt.Fprintf(&b, "\nfound:\n")
		for _, f := range r.Findings {
			fmt.Fprintf(&b, "  %s %s: %s %s: %s\n", f.Severity, f.Check, f.Table, f.Row, f.Problem)
		}
		if more := r.Errors + r.Warnings - int64(len(r.Findings)); more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	fmt.Fprintf(&b, "\n%d reservations, %d payouts, %d deposit orders, %d credits, %d events, %d postings: ", r.Rows["reservation"],
		r.Rows["payout"], r.Rows["deposit_order"], r.Rows["bank_credit"], r.Rows["event"], r.Rows["posting"])
	if r.Errors+r.Warnings == 0 {
		fmt.Fprintf(&b, "clean\n")
	} else {
		fmt.Fprintf(&b, "%d errors, %d warnings\n", r.Errors, r.Warnings)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
