package bankfeed

import (
	"cmp"
	"encoding/xml"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"naru/core/bank"
	"naru/core/money"
	"naru/core/payout"
)

// Payer is the account of ours that an order is paid from, as the bank knows it.
type Payer struct {
	Name     string // of our company
	Customer string // our number at the bank
	Bank     string // institution code
	Account  string // digits
	Service  string // service level: URGP for instant transfers, by agreement, else NURG
}

// The elements of pain.001.001.10 that we write, in the schema's order (rails §4.4).
type transferDocument struct {
	XMLName xml.Name        `xml:"urn:iso:std:iso:20022:tech:xsd:pain.001.001.10 Document"`
	Message transferMessage `xml:"CstmrCdtTrfInitn"`
}

type transferMessage struct {
	ID       string          `xml:"GrpHdr>MsgId"`
	Made     string          `xml:"GrpHdr>CreDtTm"`
	NbOfTxs  int             `xml:"GrpHdr>NbOfTxs"`
	CtrlSum  string          `xml:"GrpHdr>CtrlSum"`
	Name     string          `xml:"GrpHdr>InitgPty>Nm"`
	Customer string          `xml:"GrpHdr>InitgPty>Id>OrgId>Othr>Id"`
	Payment  transferPayment `xml:"PmtInf"`
}

type transferPayment struct {
	ID        string `xml:"PmtInfId"`
	Method    string `xml:"PmtMtd"`
	BtchBookg bool   `xml:"BtchBookg"`
	NbOfTxs   int    `xml:"NbOfTxs"`
	CtrlSum   string `xml:"CtrlSum"`
	Service   string `xml:"PmtTpInf>SvcLvl>Cd"`
	Day       string `xml:"ReqdExctnDt>Dt"`
	Debtor    string `xml:"Dbtr>Nm"`
	Account   string `xml:"DbtrAcct>Id>Othr>Id"`
	Ccy       string `xml:"DbtrAcct>Ccy"`
	Bank      string `xml:"DbtrAgt>FinInstnId>ClrSysMmbId>MmbId"`
	Charges   string `xml:"ChrgBr"`
	InstrID   string `xml:"CdtTrfTxInf>PmtId>InstrId"`
	EndToEnd  string `xml:"CdtTrfTxInf>PmtId>EndToEndId"`
	Amount    amount `xml:"CdtTrfTxInf>Amt>InstdAmt"`
	PayeeBank string `xml:"CdtTrfTxInf>CdtrAgt>FinInstnId>ClrSysMmbId>MmbId"`
	Payee     string `xml:"CdtTrfTxInf>Cdtr>Nm"`
	Number    string `xml:"CdtTrfTxInf>CdtrAcct>Id>Othr>Id"`
	Purpose   string `xml:"CdtTrfTxInf>Purp>Cd"`
	Text      string `xml:"CdtTrfTxInf>RmtInf>Ustrd,omitempty"`
}

var won = money.Of("KRW")

var (
	legalNumber    = regexp.MustCompile(`^[0-9]{6,20}$`)
	legalReference = regexp.MustCompile(`^[A-Za-z0-9-]{1,35}$`)
)

// check says whether a transfer can carry an order; its error names the field, never its content.
func check(o payout.Order, banks bank.Table) error {
	to, known := banks.Lookup(o.Target.Bank)
	name := o.Target.Name.Reveal()
	switch {
	case o.Amount.Currency() != won || !o.Amount.IsPositive():
		return errors.New("amount: this bank pays whole won")
	case !known:
		return errors.New("bank: nobody knows this institution code")
	case !to.Pays:
		return errors.New("bank: this institution receives no transfers")
	case !legalNumber.MatchString(o.Target.Number.Reveal()):
		return errors.New("account: 6 to 20 digits are wanted")
	case strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > mostName:
		return errors.New("name: the holder's name is wanted, in 140 characters at most")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("name: a character of it cannot be written")
	}
	return nil
}

// compose writes an order as one file with one transfer. Its reference is every name that the bank sees of it, so that whatever level a
// status is told on says whose it is; it is unique for ever, as the bank's duplicate key must be.
func compose(p Payer, o payout.Order, at time.Time) ([]byte, error) {
	if !legalReference.MatchString(o.Reference) {
		return nil, errors.New("reference: 1 to 35 letters, digits and hyphens are wanted")
	}
	sum, at := strconv.FormatInt(o.Amount.Minor(), 10), at.In(kst)
	text, err := xml.MarshalIndent(transferDocument{Message: transferMessage{
		ID: o.Reference, Made: at.Format(time.RFC3339), NbOfTxs: 1, CtrlSum: sum, Name: p.Name, Customer: p.Customer,
		Payment: transferPayment{
			ID: o.Reference, Method: "TRF", NbOfTxs: 1, CtrlSum: sum, Service: p.Service, Day: at.Format(time.DateOnly),
			Debtor: p.Name, Account: p.Account, Ccy: won.Code(), Bank: p.Bank, Charges: "SLEV",
			InstrID: o.Reference, EndToEnd: o.Reference, Amount: amount{won.Code(), sum},
			PayeeBank: o.Target.Bank, Payee: norm.NFC.String(strings.TrimSpace(o.Target.Name.Reveal())), Number: o.Target.Number.Reveal(),
			Purpose: "OTHR", Text: passbook(o.Target.Text),
		},
	}}, "", "  ")
	if err != nil {
		return nil, errors.New("the order cannot be written")
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

// widest is the room in a passbook: ten Hangul (rails §4.4), which are twice as wide as Latin letters.
const widest = 20

// passbook is as much of a text as a passbook shows.
func passbook(text string) string {
	var b strings.Builder
	width := 0
	for _, r := range norm.NFC.String(strings.Join(strings.Fields(text), " ")) {
		if !unicode.IsPrint(r) {
			continue
		}
		if width++; r >= utf8.RuneSelf {
			width++
		}
		if width > widest {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// The elements of pain.002 that we read, of every version from .03 to .11 (rails §4.4).
type statusReport struct {
	ID    string `xml:"GrpHdr>MsgId"`
	Made  string `xml:"GrpHdr>CreDtTm"`
	Group struct {
		Original string   `xml:"OrgnlMsgId"`
		Status   string   `xml:"GrpSts"`
		Reasons  []reason `xml:"StsRsnInf"`
	} `xml:"OrgnlGrpInfAndSts"`
	Payments []struct {
		Original  string    `xml:"OrgnlPmtInfId"`
		Status    string    `xml:"PmtInfSts"`
		Reasons   []reason  `xml:"StsRsnInf"`
		Transfers []outcome `xml:"TxInfAndSts"`
	} `xml:"OrgnlPmtInfAndSts"`
}

type reason struct {
	Code code `xml:"Rsn"`
}

type outcome struct {
	InstrID  string   `xml:"OrgnlInstrId"`
	EndToEnd string   `xml:"OrgnlEndToEndId"`
	Status   string   `xml:"TxSts"`
	Reasons  []reason `xml:"StsRsnInf"`
	Ref      string   `xml:"AcctSvcrRef"`
	Amt      *amount  `xml:"OrgnlTxRef>Amt>InstdAmt"`
}

// level is what one level of a report says.
type level struct {
	status string
	reason string
}

func levelOf(status string, reasons []reason) level {
	l := level{status: word(strings.TrimSpace(status))}
	for _, r := range reasons {
		l.reason = cmp.Or(l.reason, word(r.Code.value()))
	}
	return l
}

// under is a level below another: what it does not say it inherits (rails §4.4). A reason belongs to its own status only.
func (l level) under(above level) level {
	l.status = cmp.Or(l.status, above.status)
	if l.reason == "" && l.status == above.status {
		l.reason = above.reason
	}
	return l
}

// answers reads what became of orders.
func (f Feed) answers(in statusReport) (Document, error) {
	d := Document{ID: strings.TrimSpace(in.ID)}
	if d.ID == "" || len(d.ID) > 35 {
		return Document{}, wrong("GrpHdr/MsgId", "1 to 35 characters are wanted")
	}
	at, err := moment(in.Made)
	if err != nil {
		return Document{}, within("GrpHdr/CreDtTm", err)
	}
	tell := func(l level, o outcome, names ...string) {
		said := judge(l.status, l.reason, at)
		if l.status == partly {
			said.Alert = "the bank has taken some of an order, and does not say which"
		}
		said.Reference, said.UTR = cmp.Or(names...), word(strings.TrimSpace(o.Ref))
		if o.Amt != nil {
			if ordered, err := o.Amt.read(won.Code()); err == nil {
				said.Amount = ordered
			} else {
				said.Verdict, said.Alert = payout.Unknown, "the bank repeats an amount that is none"
			}
		}
		d.News = append(d.News, payout.News{ID: d.ID + "/" + said.Reference, At: at, Answer: said})
	}
	message, group := named(in.Group.Original), levelOf(in.Group.Status, in.Group.Reasons)
	for _, p := range in.Payments {
		payment := levelOf(p.Status, p.Reasons).under(group)
		for _, t := range p.Transfers {
			tell(levelOf(t.Status, t.Reasons).under(payment), t, named(t.EndToEnd), named(t.InstrID), named(p.Original), message)
		}
		if len(p.Transfers) == 0 {
			tell(payment, outcome{}, named(p.Original), message)
		}
	}
	if len(in.Payments) == 0 {
		tell(group, outcome{}, message)
	}
	return d, nil
}
