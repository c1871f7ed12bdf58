package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
)

// hostDispute is a chargeback in the host's own record.
type hostDispute struct {
	RRN    string   `json:"rrn"`
	State  string   `json:"state"`
	Amount int64    `json:"amount"`
	Told   []string `json:"told"`
	Event  string   `json:"event_id"`
}

func (w *world) hostDisputes() (list []hostDispute) {
	w.t.Helper()
	w.command(w.control, "GET", "/disputes", "", &list)
	return list
}

// hostRecord is a line of a file, told or to be told.
type hostRecord struct {
	Type        string `json:"rec_type"`
	ID          string `json:"event_id"`
	RRN         string `json:"rrn"`
	Amount      int64  `json:"txn_amount"`
	Currency    string `json:"txn_ccy"`
	Gross       int64  `json:"gross_amount"`
	Interchange int64  `json:"interchange_fee"`
	Scheme      int64  `json:"scheme_fee"`
	Acquirer    int64  `json:"acquirer_fee"`
	Tax         int64  `json:"tax"`
	Result      string `json:"result"`
	Merchant    string `json:"merchant"`
	File        string `json:"file"`
}

func (w *world) hostRecords() (list []hostRecord) {
	w.t.Helper()
	w.command(w.control, "GET", "/records", "", &list)
	return list
}

// desk lets somebody at the acquirer do something that no message asks for; out is what it made.
func (w *world) desk(action string, out any, format string, args ...any) {
	w.t.Helper()
	w.command(w.control, "POST", "/actions/"+action, fmt.Sprintf(format, args...), out)
}

// cut takes the line to the host down and waits until the integrator has noticed: what it sends from now on does not leave the house. mend
// brings it up again.
func (w *world) cut() {
	w.t.Helper()
	w.rule(`{"action": "refuse-connection"}`)
	w.desk("drop", nil, "")
	w.until("the line is down", func() bool { return strings.Contains(w.metrics(), noLine) })
}

func (w *world) mend() {
	w.t.Helper()
	w.obey()
	w.ready()
}

// ready waits until the line to the host is up, and the payout bank's statement is read.
func (w *world) ready() {
	w.t.Helper()
	w.until("the line is up", func() bool { return !strings.Contains(w.metrics(), noLine) })
	if w.bank != nil {
		w.until("the books have what the payout bank holds", w.even)
	}
}

const noLine = "naru_rail_connections{acquirer=\"host\"} 0\n"

// deliver has the acquirer say all that it has to say, and waits until it was taken.
func (w *world) deliver() {
	w.t.Helper()
	w.desk("settle", nil, "")
	w.until("the acquirer's files are taken", w.taken)
}

// taken reports whether nothing lies in the inbox.
func (w *world) taken() bool {
	left, err := filepath.Glob(filepath.Join(w.file(inbox), "*.csv"))
	w.check(err)
	return len(left) == 0
}

// sold is a payment that was taken: id is the reservation, id and "-capture" the capture, or the sale. It gives back the network's
// reference.
func (w *world) sold(id string, amount int64, changes edits) (rrn string) {
	w.t.Helper()
	if w.single {
		w.want(sell, id+"-capture", edits{"amount": sum(amount)}.and(changes), 200, "SUCCESS")
		return w.reference(w.asked(id))
	}
	w.want(reserve, id, edits{"amount": sum(amount)}.and(changes), 200, "SUCCESS")
	w.want(capture, id+"-capture", edits{of: id, "amount": sum(amount)}.and(only(changes, account)), 200, "ACKNOWLEDGED")
	w.verdict(id+"-capture", "SUCCESS")
	return w.reference(id)
}

// asked is the request that first named a payment of sold.
func (w *world) asked(id string) string {
	if w.single {
		return id + "-capture"
	}
	return id
}

// only is one of several changes.
func only(e edits, path string) edits {
	if value, there := e[path]; there {
		return edits{path: value}
	}
	return nil
}

// repay asks for a refund of what sold sold.
func (w *world) repay(id, sale string, amount int64, status int, word string) answer {
	w.t.Helper()
	return w.want(refund, id, edits{paid: sale + "-capture", back: sum(amount)}, status, word)
}

// refundRow is where a refund stands, and how the network names it.
func (w *world) refundRow(id string) (state, rrn string) {
	w.t.Helper()
	for _, f := range w.books().refunds {
		if f.RequestID == id && w.api.owns(f.Account) {
			return f.State, f.RRN
		}
	}
	return "", ""
}

// disputeState is where the newest stage of a capture's disputes stands.
func (w *world) disputeState(capture string) (state string) {
	w.t.Helper()
	for _, d := range w.books().disputes {
		if d.CaptureRequestID == capture && w.api.owns(d.Account) {
			state = d.State
		}
	}
	return state
}

// cased waits until as many cases are open.
func (w *world) cased(n int64) {
	w.t.Helper()
	w.until(fmt.Sprint(n, " cases are open"), func() bool {
		owed, err := w.platform.Store.Backlog(w.t.Context())
		w.check(err)
		return owed.Cases == n
	})
	w.cases = n
}
