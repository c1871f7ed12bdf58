package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"naru/sandbox/shop"
)

// created is the answer to a new order, of either version, or to a payout (merchant-gateway §5, §5.4, §8).
type created struct {
	Code string `json:"error_code"`
	Data struct {
		Link     string `json:"link"`
		Register string `json:"register_link"`
		Payment  string `json:"payment_id"` // version 2
		Payout   string `json:"payout_id"`
		Number   string `json:"card_number"`
		Token    string `json:"token"`
		Info     struct {
			Payment  string `json:"payment_id"`
			Display  int64  `json:"display_amount"`
			Receiver struct {
				Number string `json:"card_number"`
			} `json:"receiver"`
			Sender struct {
				Number string `json:"card_number"`
			} `json:"sender"`
			Token string `json:"token"`
		} `json:"payment_info"`
	} `json:"data"`
}

// shopAnswer is what came back on a call of the shop's.
type shopAnswer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
	SignOK bool            `json:"sign_ok"`
}

// order is a deposit order or a payout that the shop asked for.
type order struct {
	kind, id, number string // ours, and the gateway's
	amount, display  int64  // won; display is what the payer is asked for
	account, token   string
	link, register   string
}

// shopCalls has the shop call the gateway.
func (t *teller) shopCalls(ctx context.Context, call, signType string, with map[string]string) (a shopAnswer) {
	t.call(ctx, http.MethodPost, "/merchant/send", fields{"call": call, "sign_type": signType, "fields": with}, &a)
	return a
}

// request is an order to ask for.
type request struct {
	call, signType, service string
	amount                  int64 // won
	with                    map[string]string
	want                    string // error_code; 0000 where empty
}

// orders has the shop ask for an order, and tells how it was answered.
func (t *teller) orders(ctx context.Context, r request) (o order) {
	t.serial++
	o = order{kind: shop.Deposit, id: fmt.Sprintf("%s-%d", t.id[max(0, len(t.id)-15):], t.serial), amount: r.amount} // v1: 32 characters
	with := map[string]string{"service_id": r.service, "amount": hundredths(r.amount)}
	if r.call == "createPayout" {
		o.kind = shop.Payout
		with["bank_name"], with["name"], with["number"], with["currency"] = "KBSTAR_KR", payee, payeeAccount, "krw"
	}
	with[clientIDs[o.kind]] = o.id
	maps.Copy(with, r.with)
	var made created
	a := t.shopCalls(ctx, r.call, r.signType, with)
	_ = json.Unmarshal(a.Body, &made) // what cannot be read has no code
	d := made.Data
	o.number, o.link, o.register = d.Payment+d.Payout+d.Info.Payment, d.Link, d.Register
	o.account, o.token, o.display = d.Number+d.Info.Receiver.Number, d.Token+d.Info.Token, r.amount
	end := fmt.Sprint(a.Status, " ", made.Code)
	if d.Info.Display > 0 {
		if o.display = d.Info.Display / 100; o.display != r.amount {
			end += ", to be transferred: " + figures(o.display, "KRW")
		}
	}
	what := fmt.Sprintf("%s %s %s, %s", r.call, r.service, priced(r.amount, "KRW"), cmp.Or(r.signType, shop.MD5))
	t.line("Shop", what, end, "", made.Code == cmp.Or(r.want, "0000"))
	return o
}

// clientIDs is what the shop's own number is called.
var clientIDs = map[string]string{shop.Deposit: "payment_cl_id", shop.Payout: "payout_cl_id"}

// transfers has somebody pay at the bank, and gives the bank's name of it.
func (t *teller) transfers(ctx context.Context, account string, won int64, name string, more fields) string {
	credit := fields{"account": account, "amount": won, "name": name}
	maps.Copy(credit, more)
	var done struct {
		ID string `json:"bank_txn_id"`
	}
	t.delivered(ctx)
	t.call(ctx, http.MethodPost, "/bank/credits", credit, &done)
	t.line("Payer", "transfers "+priced(won, "KRW")+" to "+account, "booked", "", done.ID != "")
	return done.ID
}

// soon polls. Who waits for business time, to tell late or again, need not be waited for: after a moment the clock moves.
func (t *teller) soon(ctx context.Context, step time.Duration, look func() bool) bool {
	looks := 0
	return t.poll(ctx, func() bool {
		if look() {
			return true
		}
		if looks++; looks > 10 {
			t.advance(ctx, step)
		}
		return false
	})
}

// notices are what the shop heard of an order, the oldest first.
func (t *teller) notices(ctx context.Context, o order) []shop.Heard {
	var all []shop.Heard
	t.call(ctx, http.MethodGet, "/merchant/received", nil, &all)
	return slices.DeleteFunc(all, func(h shop.Heard) bool { return h.Kind != o.kind || h.ClientID != o.id })
}

// isTold waits until the shop has heard of an order, found the same by a query, and acknowledged it.
func (t *teller) isTold(ctx context.Context, o order, status int64) (h shop.Heard) {
	told := t.soon(ctx, 2*time.Second, func() bool {
		for _, h = range t.notices(ctx, o) {
			if h.Status == status && h.Acked {
				return true
			}
		}
		return false
	})
	what := fmt.Sprintf("%s notification, status %d", o.kind, h.Status)
	if h.Real > 0 {
		what += ", " + priced(h.Real/100, "KRW") + " arrived"
	}
	if h.Fee > 0 {
		what += ", fee " + figures(h.Fee/100, "KRW")
	}
	t.line("Naru", what, "both signatures right, queried, acknowledged", "", told && h.SignOK && h.WebhookOK && h.Queried)
	return h
}

// arrives waits for the news that an order is paid, with this amount and our fee of it.
func (t *teller) arrives(ctx context.Context, o order, won int64) {
	h := t.isTold(ctx, o, shop.DepositPaid)
	if h.Real != won*100 || h.Fee != feeOf(won)*100 || h.Amount != o.amount*100 {
		t.line("Shop", "the amounts of that", "others", "", false)
	}
}

// feeOf is what the contract says that a deposit costs.
func feeOf(won int64) int64 { return (won*depositRate + 5_000) / 10_000 }

// stands asks where an order stands.
func (t *teller) stands(ctx context.Context, o order, want int64) {
	call := map[string]string{shop.Deposit: "getDeposit", shop.Payout: "getPayout"}[o.kind]
	status := int64(-1)
	is := t.soon(ctx, time.Second, func() bool {
		var in struct {
			Data struct {
				Status int64 `json:"status"`
			} `json:"data"`
		}
		a := t.shopCalls(ctx, call, "", map[string]string{clientIDs[o.kind]: o.id})
		if json.Unmarshal(a.Body, &in) == nil {
			status = in.Data.Status
		}
		return status == want
	})
	t.line("Shop", call, fmt.Sprint("status ", status), "", is)
}

// shopBalance is what the gateway says that the shop has and what of its money is frozen, in won; nothing where its signatures are wrong.
func (t *teller) shopBalance(ctx context.Context) (free, frozen int64) {
	var in struct {
		Data struct {
			Free   int64 `json:"total_balance"`
			Frozen int64 `json:"total_frozen_balance"`
		} `json:"data"`
	}
	a := t.shopCalls(ctx, "getBalance", "", nil)
	if !a.SignOK || json.Unmarshal(a.Body, &in) != nil {
		return 0, 0
	}
	return in.Data.Free / 100, in.Data.Frozen / 100
}

// moves does something, and tells by how much it changed the balance.
func (t *teller) moves(ctx context.Context, by int64, what func()) {
	before, _ := t.shopBalance(ctx)
	what()
	now := before
	is := t.soon(ctx, time.Second, func() bool {
		now, _ = t.shopBalance(ctx)
		return now-before == by
	})
	t.line("Shop", "getBalance: "+priced(now, "KRW"), "changed by "+figures(now-before, "KRW"), "", is)
}

// waits is a case that a person must see to.
type waits struct{ ID, Kind, Payment, Detail string }

// opens waits for a case of a kind.
func (t *teller) opens(ctx context.Context, kind string) (found waits) {
	is := t.soon(ctx, time.Second, func() bool {
		var all []waits
		t.operate(ctx, http.MethodGet, "/cases", nil, &all)
		at := slices.IndexFunc(all, func(c waits) bool { return c.Kind == kind })
		if at >= 0 {
			found = all[at]
		}
		return at >= 0
	})
	t.line("Naru", "case "+kind, "open", "", is)
	return found
}

// decides does what an operator does, and tells it.
func (t *teller) decides(ctx context.Context, path, what string, with fields) {
	t.operate(ctx, http.MethodPost, path, with, nil)
	t.line("Person", what, "done", "", true)
}

// copied is the amount that the payment page puts into the payer's clipboard.
var copied = regexp.MustCompile(`id="copy-amount"[^>]*data-copy="([0-9]+)"`)

// registers fills in the form of the registration page, and reads on the payment page how much is to be transferred.
func (t *teller) registers(ctx context.Context, o order, name, account string) (display int64) {
	if t.err != nil {
		return 0
	}
	form := url.Values{"name": {name}, "bank": {"004"}, "account": {account}}
	resp, err := t.http.Post(o.register, "application/x-www-form-urlencoded", strings.NewReader(form.Encode())) // and it shows the page
	if err == nil {
		var text []byte
		text, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close() // read to its end, or broken already
		if m := copied.FindSubmatch(text); m != nil {
			display, _ = strconv.ParseInt(string(m[1]), 10, 64)
		}
	}
	if err != nil {
		t.err = err
	}
	t.line("Payer", "registers, once, on "+o.register, "the page says "+priced(display, "KRW"), "", display > 0)
	return display
}

// payeeAccount is at KB Kookmin, and payerAccount too.
const payeeAccount, payerAccount = "3021234567891", "110222333444"
