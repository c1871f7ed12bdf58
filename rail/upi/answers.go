package upi

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payout"
)

// ScopeRazorpayX says that a code is a reason of the product (rails §2.6).
const ScopeRazorpayX = "razorpayx"

//go:embed reasons.csv
var reasonsCSV string

//go:embed errors.csv
var errorsCSV string

// meaning is what a row of any of the tables leads to.
type meaning struct {
	verdict payout.Verdict
	refuse  payout.Reason
	above   bool
	wait    time.Duration
	alert   string // empty where nobody needs to look
}

var verdicts = map[string]payout.Verdict{
	"unknown": payout.Unknown, "open": payout.Open, "queued": payout.Queued, "in_doubt": payout.InDoubt, "taken_back": payout.TakenBack,
	"credited": payout.Credited, "rejected": payout.Rejected, "failed": payout.Failed, "misfit": payout.Misfit,
	"came_back": payout.CameBack, "later": payout.Later, "absent": payout.Absent,
}

// refusals are the reasons that a table may name: no bank knows the others (disburse v1 §9).
var refusals = []payout.Reason{payout.NoReason, payout.AboveLimit, payout.Closed, payout.OnHold}

// standing is a status of the product and the reason that comes with it; "*" is any other.
type standing struct{ status, reason string }

// reasons is reasons.csv, where its columns are explained.
var reasons = func() map[standing]meaning {
	table := map[standing]meaning{}
	for _, row := range rows("reasons.csv", reasonsCSV, 8) {
		m := meaningOf("reasons.csv", row[2], row[3], row[6], row[7])
		m.above = row[4] == "x"
		if row[5] != "" {
			var err error
			if m.wait, err = time.ParseDuration(row[5]); err != nil {
				panic("upi: reasons.csv: " + err.Error())
			}
		}
		for _, reason := range strings.Fields(row[1]) {
			table[standing{row[0], reason}] = m
		}
	}
	return table
}()

// mistake is a row of errors.csv.
type mistake struct {
	status int
	reason string
	words  []string
	meaning
}

// mistakes is errors.csv, where its columns are explained.
var mistakes = func() (table []mistake) {
	for _, row := range rows("errors.csv", errorsCSV, 7) {
		status, err := strconv.Atoi(row[0])
		if err != nil {
			panic("upi: errors.csv: " + err.Error())
		}
		words := strings.FieldsFunc(row[2], func(c rune) bool { return c == '|' })
		table = append(table, mistake{status, row[1], words, meaningOf("errors.csv", row[3], row[4], row[5], row[6])})
	}
	return table
}()

func rows(name, text string, columns int) [][]string {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment, r.FieldsPerRecord = '#', columns
	rows, err := r.ReadAll()
	if err != nil {
		panic("upi: " + name + " is broken: " + err.Error())
	}
	return rows[1:]
}

func meaningOf(table, verdict, refuse, alert, says string) meaning {
	v, known := verdicts[verdict]
	if !known || !slices.Contains(refusals, payout.Reason(refuse)) {
		panic("upi: " + table + ": no such verdict or reason: " + verdict + " " + refuse)
	}
	m := meaning{verdict: v, refuse: payout.Reason(refuse)}
	if alert == "x" {
		m.alert = says
	}
	return m
}

func (m meaning) answer() payout.Answer {
	return payout.Answer{Verdict: m.verdict, Reason: m.refuse, Wait: m.wait, Alert: m.alert}
}

// judge reads a payout as the answer to an order.
func (r *RazorpayX) judge(body []byte, o payout.Order) payout.Answer {
	var e payoutEntity
	if json.Unmarshal(body, &e) != nil {
		return payout.Answer{Alert: "the bank's answer cannot be read"}
	}
	return r.match(e, o)
}

// match holds a payout against the order that it should be. One that is another says nothing of ours.
func (r *RazorpayX) match(e payoutEntity, o payout.Order) payout.Answer {
	switch {
	case o.Reference != "" && e.ReferenceID != o.Reference:
		return contradiction("reference_id")
	case o.BankID != "" && e.ID != o.BankID:
		return contradiction("id")
	case o.Reference != "" && e.Amount != o.Amount.Minor():
		return contradiction("amount")
	case o.Reference != "" && e.Currency != o.Amount.Currency().Code():
		return contradiction("currency")
	case !o.Target.VPA.IsZero() && !sameAddress(e.FundAccount.is, o.Target.VPA):
		return contradiction("fund_account")
	}
	return r.read(e)
}

// sameAddress compares what the bank repeats of an address; it may say nothing. Case does not count (disburse v1 §8.1).
func sameAddress(f fundAccount, want card.Secret) bool {
	said := f.VPA.is.Address
	return said == "" || want.IsZero() || strings.EqualFold(said, want.Reveal())
}

func contradiction(member string) payout.Answer {
	return payout.Answer{Alert: "the bank's answer contradicts the order: " + member}
}

// read is what a payout says by itself: its state decides about the money, the reason about the rest (rails §2.6).
func (r *RazorpayX) read(e payoutEntity) payout.Answer {
	switch {
	case e.Entity != "payout":
		return contradiction("entity")
	case !named(e.ID):
		return contradiction("id")
	case e.Currency != inr.Code():
		return contradiction("currency")
	case e.Mode != modeUPI:
		return contradiction("mode")
	case e.AccountNumber != "" && e.AccountNumber != r.cfg.DebitAccount:
		return contradiction("debit_account_number")
	case e.Tax < 0 || e.Fees < e.Tax:
		return contradiction("fees")
	}
	status, reason := word(e.Status), word(e.Details.is.Reason)
	row, known := reasons[standing{status, reason}]
	if !known {
		if row, known = reasons[standing{status, "*"}]; !known {
			row.alert = "a state of a payout that is in no sheet: " + status
		} else if reason != "" {
			row.alert = cmp.Or(row.alert, "a reason that is in no sheet") + ": " + reason
		}
	}
	if row.above && e.Amount > r.cfg.Cap.Minor() {
		row.refuse = payout.AboveLimit
	}
	a := row.answer()
	a.BankID, a.UTR, a.Status, a.Reference, a.Amount = e.ID, word(e.UTR), status, word(e.ReferenceID), money.New(e.Amount, inr)
	a.Fees, a.Tax = money.New(e.Fees-e.Tax, inr), money.New(e.Tax, inr)
	if reason != "" {
		a.Scope, a.Code = ScopeRazorpayX, reason
	}
	if a.Verdict == payout.InDoubt && e.CreatedAt > 0 {
		a.Deadline = workingDays(seconds(e.CreatedAt), r.cfg.DeemedDays)
	}
	return a
}

// refusal reads an answer to an order that is no payout (rails §2.3). What errors.csv does not know may have been paid.
func refusal(s said) payout.Answer {
	var e errorResponse
	broken := json.Unmarshal(s.body, &e) != nil
	switch {
	case s.status == 0:
		return payout.Answer{Alert: s.alert}
	case s.status >= http.StatusInternalServerError:
		return payout.Answer{}
	case s.status == http.StatusBadRequest && (broken || e.Error.Code != "BAD_REQUEST_ERROR"):
		return payout.Answer{Alert: "the bank's refusal cannot be read"}
	}
	description := strings.ToLower(e.Error.Description)
	for _, row := range mistakes {
		fits := len(row.words) == 0 || slices.ContainsFunc(row.words, func(w string) bool { return strings.Contains(description, w) })
		if row.status == s.status && fits && (row.reason == "" || row.reason == e.Error.Reason) {
			a := row.answer()
			if e.Error.Reason != "" {
				a.Scope, a.Code = ScopeRazorpayX, word(e.Error.Reason)
			}
			if a.Alert != "" {
				a.Alert += s.field()
			}
			return a
		}
	}
	return payout.Answer{Alert: "the bank answers in a way that is in no sheet: " + strconv.Itoa(s.status)}
}

// field is the member that the bank complains about, for an operator. Its text is not repeated: it may quote what is about a person.
func (s said) field() string {
	var e errorResponse
	if json.Unmarshal(s.body, &e) != nil || e.Error.Field == "" {
		return ""
	}
	return ": " + word(e.Error.Field)
}

var legalID = regexp.MustCompile(`^[A-Za-z0-9_]{4,64}$`)

// named reports whether a text can be an id of the product.
func named(id string) bool { return legalID.MatchString(id) }

// word is a word of the bank that is kept and shown: what no word holds is replaced, and an overlong one is cut.
func word(text string) string {
	clean := strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.ContainsRune("_-.:/ ", c) {
			return c
		}
		return '?'
	}, text)
	return clean[:min(64, len(clean))]
}

// ist is the time by which Indian banks work. India has no summer time.
var ist = time.FixedZone("IST", 5*3600+1800)

// workingDays is the end of the nth day after a time on which banks work: Saturdays and Sundays do not count. Holidays are not known here,
// and may add some.
func workingDays(from time.Time, n int) time.Time {
	y, m, d := from.In(ist).Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, ist)
	for n > 0 {
		if day = day.AddDate(0, 0, 1); day.Weekday() != time.Saturday && day.Weekday() != time.Sunday {
			n--
		}
	}
	return day.AddDate(0, 0, 1).UTC()
}
