package pay

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"naru/core/money"
)

// manner is how a state looks and behaves. The word for it is in the tables of languages.
type manner struct {
	Name  string // for the script and the style sheet
	shape string // the icon's path
	tone  string // the colour: never without the shape and the word
	Last  bool   // nothing more will happen on this page
}

// The icons, each one path in a box of 24.
const (
	clockShape  = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7.5V12l3 2"
	searchShape = "M10.5 3.5a7 7 0 1 0 0 14 7 7 0 0 0 0-14M15.5 15.5 20.5 20.5"
	tickShape   = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12.3l2.7 2.7 5.3-5.5"
	heedShape   = "M12 4 21.5 20h-19zM12 10v4.5M12 17.2v.1"
	barShape    = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12h8"
	backShape   = "M8.5 6 4 10.5 8.5 15M4.5 10.5H15a4.5 4.5 0 0 1 0 9h-3"
	copyShape   = "M9 9h10.5v11H9zM5 15.5V4h10.5"
)

var manners = [states]manner{
	Waiting:     {"waiting", clockShape, "calm", false},
	Seen:        {"seen", searchShape, "news", false},
	Received:    {"received", tickShape, "ok", true},
	OtherAmount: {"other-amount", heedShape, "wait", false}, // a person may still decide that it pays
	Expired:     {"expired", barShape, "bad", false},        // money may still come
	Late:        {"late", heedShape, "wait", false},
	Cancelled:   {"cancelled", barShape, "calm", true},
	TakenBack:   {"taken-back", backShape, "bad", true},
	Refused:     {"refused", barShape, "bad", true},
}

// shown is the state as of the server's clock: at the end of its time an order takes no more money, though the sweep comes up to half a
// minute later (merchant-gateway §5.3).
func (o Order) shown() State {
	if o.State == Waiting && !o.Now.Before(o.Expires) {
		return Expired
	}
	return o.State
}

// row is one line of the details; Copy is the raw value that its button copies.
type row struct{ ID, Label, Value, Hint, Copy string }

// view is an order as the templates show it.
type view struct {
	T      *words
	Order  Order
	Path   string // of the page
	State  State
	Manner manner
	Said   string
	Beside string

	Amount, CopyAmount string
	Note               string
	Rows               []row
	Form               *form
	Register           string // the path of the registration page, where it comes first; the form is there

	Until, Left string // while time runs
	Next        [2]string
}

// viewOf is an order as a reader of the language sees it. A form stands where the account would, until the payer has said who he is.
func viewOf(o Order, t *words, paths paths, asked *form) view {
	s := o.shown()
	v := view{
		T: t, Order: o, Path: paths.page, State: s, Manner: manners[s], Said: t.States[s], Beside: t.Beside[s], Next: t.Next[s],
		Amount: t.won(o.amount(s)),
	}
	switch s {
	case Waiting:
		v.Until, v.Left = around(t.Until, t.clock(o.Expires)), left(o.Expires.Sub(o.Now))
		switch {
		case o.NeedsRegistration:
			v.Register, v.Form = paths.register, asked
		case o.NeedsName:
			v.Form, v.Next = asked, t.NextNaming
		default:
			v.CopyAmount = strconv.FormatInt(o.Transfer.Minor(), 10)
			v.Rows = o.where(t, true)
		}
		v.Note = o.difference(t)
	case Seen:
		v.Rows = o.where(t, false)
		v.Note = o.ordered(t, s)
	default:
		v.Rows = o.receipt(t, s)
		v.Note = o.ordered(t, s)
	}
	return v
}

// amount is the one large number: what to send, what came, or what the order was about.
func (o Order) amount(s State) money.Amount {
	switch {
	case s == Waiting || s == Seen:
		return o.Transfer
	case !o.Received.IsZero():
		return o.Received
	default:
		return o.Ordered
	}
}

// difference says why the amount is not the order's (merchant-gateway §5.2).
func (o Order) difference(t *words) string {
	if o.Transfer == o.Ordered {
		return ""
	}
	return around(t.ExactAmount, t.won(o.Ordered))
}

// ordered is the amount of the order, where another one is the large number.
func (o Order) ordered(t *words, s State) string {
	if o.amount(s) == o.Ordered {
		return ""
	}
	return t.OrderedAmount + " " + t.won(o.Ordered)
}

// where the money goes and whom it comes from. Once money was seen nothing is offered for copying: nobody shall pay twice.
func (o Order) where(t *words, offer bool) []row {
	rows := []row{
		{"bank", t.Bank, t.bank(o.Account.Bank), o.Account.Bank.hint(t), o.Account.Bank.Korean},
		{"account", t.Account, printed(o.Account), "", o.Account.Number},
		{"holder", t.Holder, o.Account.Holder, "", o.Account.Holder},
	}
	if o.Code != "" {
		rows = append(rows, row{"code", t.Code, o.Code, t.CodeHint, o.Code})
	}
	if !o.Payer.IsZero() {
		rows = append(rows, row{"payer", t.From, o.payer(t), t.FromHint, ""})
	}
	if !offer {
		for i := range rows {
			rows[i].Copy = ""
			if rows[i].ID != "bank" { // its hint is its code; the others say what to do
				rows[i].Hint = ""
			}
		}
	}
	return rows
}

// hint is the code of a bank, after the name that Korean apps know it by.
func (b Bank) hint(t *words) string {
	if t.bank(b) == b.Korean {
		return b.Code
	}
	return b.Korean + " " + b.Code
}

func (o Order) payer(t *words) string {
	return strings.TrimSuffix(masked(o.Payer.Reveal())+" · "+t.bank(o.PayerBank), " · ")
}

// receipt is what stands in the place of the account when there is nothing to send, or nothing any more.
func (o Order) receipt(t *words, s State) []row {
	at := o.Updated
	switch {
	case s == Expired:
		at = o.Expires
	case s == Received && !o.Done.IsZero():
		at = o.Done
	}
	rows := []row{
		{"at", t.At[s], t.moment(at), "", ""},
		{"reference", t.Reference, o.Reference, "", o.Reference},
		{"number", t.OrderNumber, o.Number, "", ""},
	}
	if !o.Payer.IsZero() {
		rows = append(rows, row{"payer", t.From, o.payer(t), "", ""})
	}
	return rows
}

// left writes a time as 9:41; a part of a second counts whole, as in the script.
func left(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// around puts a value into its place in a phrase.
func around(phrase, value string) string { return strings.Replace(phrase, "%s", value, 1) }

// Title is that of the tab: what the payer looks for when he comes back from his bank's app.
func (v view) Title() string { return v.Said + " · " + v.Order.Merchant.Name }

// Now is the server's time in milliseconds.
func (v view) Now() int64 { return v.Order.Now.UnixMilli() }

// Expires is when time is over, in milliseconds; nought where none runs.
func (v view) Expires() int64 {
	if v.State != Waiting {
		return 0
	}
	return v.Order.Expires.UnixMilli()
}

// Logo is the path of the merchant's picture, where there is one.
func (v view) Logo() string {
	if pictured(v.Order.Merchant.Logo) == "" {
		return ""
	}
	return v.Path + "/logo"
}

// Reloads reports whether the page, without a script, should look again by itself. Not while somebody types.
func (v view) Reloads() bool { return !v.Manner.Last && (v.Form == nil || v.Register != "") }

// Drawn is the path of the state's icon.
func (v view) Drawn() string { return v.Manner.shape }

// Tone is the state's colour.
func (v view) Tone() string { return v.Manner.tone }

// Button is the button that copies a raw value; its name says which.
func (v view) Button(id, label, raw string) button {
	return button{T: v.T, ID: id, Name: around(v.T.CopyOf, label), Raw: raw, Shape: copyShape}
}

type button struct {
	T                    *words
	ID, Name, Raw, Shape string
}
