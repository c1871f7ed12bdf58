package stories

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"naru/sandbox/shop"
)

// deal is what a merchant's story knows of an order or a payout.
type deal struct {
	call, signed string
	number       string // the gateway's
	display      int64  // won to be transferred
	account      string // where to
	token        string
	transfers    []string // the bank's names of them
}

// services are the sandbox's, where a story names none: that of deposits shows the payer what the merchant asks for, and takes any name.
var services = map[string]string{"createDeposit": "SVC9226", "createDepositV2": "SVC9226", "createPayout": "SVC0004"}

// clientIDs is what the merchant's own number is called.
var clientIDs = map[string]string{"createDeposit": "payment_cl_id", "createDepositV2": "payment_cl_id", "createPayout": "payout_cl_id"}

// merchant CALL ID CODE [KEY=VALUE...] | answered ID STATUS | told ID STATUS [KEY=VALUE...] | books ID WON FEE | balance WON | fault KIND
// ACTION TIMES | fault none: what the sample merchant asks the gateway, what it finds by a query, what it was told and acknowledged, what
// stands in its books of an order, by how much its balance moved since "ledger mark", and how it misbehaves when it is called. Keys of a
// call are won, signed (MD5 where it is absent), service and the names of the wire; of what was told real and fee, in won, and times: so
// many messages, all the same. Without times it was told at least once. clock moves business time before each look.
func (w *world) merchant(ts *testscript.TestScript, neg bool, args []string) {
	switch args[0] {
	case "answered":
		w.wait(ts, func() (string, bool) {
			status := w.status(ts, args[1])
			return status, status == args[2]
		})
	case "told":
		look := func() (string, bool) { return w.heard(ts, args[1], args[2], args[3:]) }
		if neg {
			if got, told := look(); told {
				ts.Fatalf("%s was told: %s", args[1], got)
			}
			return
		}
		w.wait(ts, look)
	case "books":
		w.wait(ts, func() (string, bool) {
			got := "nothing"
			var list []shop.Booking
			w.call(ts, http.MethodGet, "/merchant/books", nil, &list)
			for _, b := range list {
				if b.ClientID == args[1] {
					got = fmt.Sprintf("%d %d", b.Amount/100, b.Fee/100)
				}
			}
			return got, got == strings.Join(args[2:], " ")
		})
	case "balance":
		w.wait(ts, func() (string, bool) {
			got := strconv.FormatInt(w.balance(ts)-w.owned, 10)
			return got, got == args[1]
		})
	case "fault":
		if args[1] == "none" {
			w.call(ts, http.MethodDelete, "/merchant/faults", nil, nil)
			return
		}
		times, _ := strconv.Atoi(args[3])
		w.call(ts, http.MethodPost, "/merchant/faults", map[string]any{"kind": args[1], "action": args[2], "times": times}, nil)
	default:
		w.trade(ts, args)
	}
}

// asks has the sample merchant call the gateway; what is signed in the answer must be right.
func (w *world) asks(ts *testscript.TestScript, call, signed string, with map[string]string, into any) {
	var a struct {
		Status int
		Body   json.RawMessage
		SignOK bool `json:"sign_ok"`
	}
	w.call(ts, http.MethodPost, "/merchant/send", map[string]any{"call": call, "sign_type": signed, "fields": with}, &a)
	if a.Status != http.StatusOK || !a.SignOK {
		ts.Fatalf("%s: %d, its signatures are right: %t", call, a.Status, a.SignOK)
	}
	ts.Check(json.Unmarshal(a.Body, into))
}

func (w *world) trade(ts *testscript.TestScript, args []string) {
	if len(args) < 3 || services[args[0]] == "" {
		ts.Fatalf("usage: CALL ID CODE [KEY=VALUE...]")
	}
	d, id := deal{call: args[0]}, args[1]
	with := map[string]string{"service_id": services[d.call], clientIDs[d.call]: id}
	if d.call == "createPayout" {
		with["bank_name"], with["name"], with["number"], with["currency"] = "KBSTAR_KR", payee, payeeAccount, "krw"
	} else {
		with["name"] = payer
	}
	for _, a := range args[3:] {
		switch key, value, _ := strings.Cut(a, "="); key {
		case "won":
			with["amount"] = value + "00"
			d.display, _ = strconv.ParseInt(value, 10, 64)
		case "signed":
			d.signed = value
		case "service":
			with["service_id"] = value
		default:
			with[key] = value
		}
	}
	var made struct {
		Code string `json:"error_code"`
		Data struct {
			Payment string `json:"payment_id"` // version 2
			Number  string `json:"card_number"`
			Token   string `json:"token"`
			Payout  string `json:"payout_id"`
			Info    struct {
				Payment  string `json:"payment_id"`
				Display  int64  `json:"display_amount"`
				Receiver struct {
					Number string `json:"card_number"`
				} `json:"receiver"`
				Token string `json:"token"`
			} `json:"payment_info"`
		} `json:"data"`
	}
	w.asks(ts, d.call, d.signed, with, &made)
	if made.Code != args[2] {
		ts.Fatalf("%s %s: got %s", d.call, id, made.Code)
	}
	if _, known := w.deals[id]; known || made.Code != "0000" { // the same number again changes nothing
		return
	}
	info := made.Data.Info
	d.number, d.display = made.Data.Payment+made.Data.Payout+info.Payment, cmp.Or(info.Display/100, d.display) // version 2 shows the amount
	d.account, d.token = made.Data.Number+info.Receiver.Number, made.Data.Token+info.Token
	w.deals[id] = &d
}

// status is where an order stands by a query.
func (w *world) status(ts *testscript.TestScript, id string) string {
	d, call := w.deal(ts, id), "getDeposit"
	if d.call == "createPayout" {
		call = "getPayout"
	}
	var found struct {
		Data struct {
			Status int `json:"status"`
		} `json:"data"`
	}
	w.asks(ts, call, "", map[string]string{clientIDs[d.call]: id}, &found)
	return strconv.Itoa(found.Data.Status)
}

func (w *world) deal(ts *testscript.TestScript, id string) *deal {
	d := w.deals[id]
	if d == nil {
		ts.Fatalf("nobody has made %s", id)
	}
	return d
}

// heard is what the merchant was told of an order with a status, and whether it is as a story says.
func (w *world) heard(ts *testscript.TestScript, id, status string, wanted []string) (string, bool) {
	var all []shop.Heard
	times := 0
	fits := true
	want := map[string]int64{}
	for _, a := range wanted {
		key, value, _ := strings.Cut(a, "=")
		if key == "clock" {
			w.clock(ts, false, []string{value})
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		ts.Check(err)
		want[key] = n
	}
	w.call(ts, http.MethodGet, "/merchant/received", nil, &all)
	acked := false // once
	var seen []string
	for _, h := range all {
		if h.ClientID != id || h.Kind == shop.Check {
			continue
		}
		if !h.SignOK || !h.WebhookOK {
			ts.Fatalf("the merchant cannot trust what it heard: %+v", h)
		}
		seen = append(seen, fmt.Sprintf("%d of %d, fee %d, acknowledged %t %s", h.Status, h.Real, h.Fee, h.Acked, h.Fault))
		if strconv.FormatInt(h.Status, 10) != status {
			continue
		}
		times++
		acked = acked || h.Acked
		if real, named := want["real"]; named {
			fits = fits && h.Real == 100*real
		}
		if fee, named := want["fee"]; named {
			fits = fits && h.Fee == 100*fee
		}
	}
	wantTimes, counted := want["times"]
	return strings.Join(seen, "; "), acked && fits && (!counted || int64(times) == wantTimes)
}

// balance is what the merchant can pay out, by a query, in won.
func (w *world) balance(ts *testscript.TestScript) int64 {
	var b struct {
		Data struct {
			Total int64 `json:"total_balance"`
		} `json:"data"`
	}
	w.asks(ts, "getBalance", "", nil, &b)
	return b.Data.Total / 100
}

// Whose names and accounts stand in the stories.
const (
	payer, stranger            = "서하늘", "이방인"
	payee                      = "이도윤"
	payerAccount, payeeAccount = "110222333444", "3021234567891"
)

// payer ORDER [won=WON] [name=NAME] [code=written] [channels=file,push,json]: somebody transfers what the order shows, or another amount,
// under the name of the order or another one, and may write its code.
func (w *world) payer(ts *testscript.TestScript, neg bool, args []string) {
	d := w.deal(ts, args[0])
	credit := map[string]any{"account": d.account, "amount": d.display, "name": payer, "bank": "004", "number": payerAccount}
	for _, a := range args[1:] {
		switch key, value, _ := strings.Cut(a, "="); key {
		case "won":
			credit["amount"], _ = strconv.ParseInt(value, 10, 64)
		case "name":
			credit["name"] = value
		case "channels":
			credit["channels"] = strings.Split(value, ",")
		case "code":
			credit["memo"] = d.token
		}
	}
	var booked struct {
		ID string `json:"bank_txn_id"`
	}
	w.call(ts, http.MethodPost, "/bank/credits", credit, &booked)
	d.transfers = append(d.transfers, booked.ID)
}

// till rule FILE | used ACTION | clear | reverse ORDER | return WON CODE | pays WON STATUS... | heard | states: what the deposit bank does:
// a rule has done its work, it takes a transfer back, a payment comes back, its payments of an amount stand so; all that it had to tell is
// taken, or that and its statement of the day. Amounts name payouts, each of one story only.
func (w *world) till(ts *testscript.TestScript, neg bool, args []string) {
	type payment struct {
		EndToEnd string `json:"end_to_end"`
		Amount   int64
		Status   string
		Returned bool
	}
	of := func(amount string) (found []payment) {
		var list []payment
		w.call(ts, http.MethodGet, "/bank/payments", nil, &list)
		return slices.DeleteFunc(list, func(p payment) bool { return strconv.FormatInt(p.Amount, 10) != amount })
	}
	switch args[0] {
	case "rule":
		w.call(ts, http.MethodPost, "/bank/scenarios", json.RawMessage(ts.ReadFile(args[1])), nil)
	case "used":
		w.wait(ts, func() (string, bool) {
			var rules []struct {
				Action string
				Used   int
			}
			w.call(ts, http.MethodGet, "/bank/scenarios", nil, &rules)
			for _, r := range rules {
				if r.Action == args[1] && r.Used > 0 {
					return "", true
				}
			}
			return fmt.Sprint(rules), false
		})
	case "clear":
		w.call(ts, http.MethodDelete, "/bank/scenarios", nil, nil)
	case "reverse":
		w.call(ts, http.MethodPost, "/bank/actions/reversal", map[string]any{"id": w.deal(ts, args[1]).transfers[0]}, nil)
	case "return":
		made := of(args[1])
		if len(made) == 0 {
			ts.Fatalf("the bank has no payment of %s", args[1])
		}
		w.call(ts, http.MethodPost, "/bank/actions/return", map[string]any{"end_to_end": made[0].EndToEnd, "reason": args[2]}, nil)
	case "pays":
		w.wait(ts, func() (string, bool) {
			w.clock(ts, false, []string{"+1s"}) // the bank takes its time
			var states []string
			for _, p := range of(args[1]) {
				if p.Returned {
					p.Status += ":returned"
				}
				states = append(states, p.Status)
			}
			return fmt.Sprint(states), slices.Equal(states, args[2:])
		})
	case "states":
		w.call(ts, http.MethodPost, "/bank/actions/statement", map[string]any{}, nil)
		fallthrough
	case "heard":
		w.wait(ts, func() (string, bool) {
			w.clock(ts, false, []string{"+1s"})
			var reports []struct{ Done, Never bool }
			w.call(ts, http.MethodGet, "/bank/reports", nil, &reports)
			reports = slices.DeleteFunc(reports, func(r struct{ Done, Never bool }) bool { return r.Done || r.Never })
			var left []string
			for _, where := range []string{".", "processing"} {
				files, err := filepath.Glob(filepath.Join(w.data, "bank", "to-naru", where, "*.xml"))
				ts.Check(err)
				left = append(left, files...)
			}
			return fmt.Sprint("not told: ", len(reports), ", not taken: ", left), len(reports)+len(left) == 0
		})
	default:
		ts.Fatalf("till does not know %s", args[0])
	}
}

// person assigns ORDER KIND | returns KIND | cancels ORDER | approves KIND: what an operator does about the only case of a kind, or about
// an order.
func (w *world) person(ts *testscript.TestScript, neg bool, args []string) {
	about := func(kind string) string {
		var payment string
		w.wait(ts, func() (string, bool) {
			var list []struct{ Kind, Payment string }
			w.ask(ts, http.MethodGet, w.admin+"/cases", nil, &list)
			for _, c := range list {
				if c.Kind == kind {
					payment = c.Payment
				}
			}
			return fmt.Sprint(list), payment != ""
		})
		return payment
	}
	path, said := "", map[string]string{"note": "decided in a story"}
	switch args[0] {
	case "assigns":
		path, said["id"], said["order"] = "/credits/assign", about(args[2]), w.deal(ts, args[1]).number
	case "returns":
		path, said["id"], said["bank"] = "/credits/return", about(args[1]), "nonghyup-transfers"
	case "cancels":
		path, said["id"] = "/deposits/cancel", w.deal(ts, args[1]).number
	case "approves":
		path, said["id"] = "/payouts/approve", about(args[1])
	default:
		ts.Fatalf("a person does not do %s", args[0])
	}
	w.ask(ts, http.MethodPost, w.admin+path, said, nil)
}
