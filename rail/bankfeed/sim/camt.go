package sim

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/korean"
)

// The elements of camt.054 and camt.053, in the order of the schema (rails §3.3). The 2009 form differs in Sts, Dbtr and the details' Amt.
type camtDocument struct {
	XMLName      xml.Name
	Notification *camtMessage `xml:"BkToCstmrDbtCdtNtfctn"`
	Statement    *camtMessage `xml:"BkToCstmrStmt"`
}

type camtMessage struct {
	Header camtHeader `xml:"GrpHdr"`
	Ntfctn *camtBody
	Stmt   *camtBody
}

type camtHeader struct {
	MsgID   string `xml:"MsgId"`
	CreDtTm string
}

type camtBody struct {
	ID           string `xml:"Id"`
	ElctrncSeqNb int
	CreDtTm      string
	FrToDt       *camtPeriod
	CpyDplctInd  string `xml:",omitempty"`
	Acct         camtAccount
	Bal          []camtBalance
	TxsSummry    camtSummary
	Ntry         []camtEntry
}

type camtPeriod struct{ FrDtTm, ToDtTm string }

type camtAccount struct {
	ID     string `xml:"Id>Othr>Id"`
	Scheme string `xml:"Id>Othr>SchmeNm>Cd"`
	Ccy    string
	Ownr   *camtName
	Svcr   camtAgent
}

type camtName struct{ Nm string }

type camtAgent struct {
	Member string `xml:"FinInstnId>ClrSysMmbId>MmbId"`
}

type camtBalance struct {
	Code      string `xml:"Tp>CdOrPrtry>Cd"`
	Amt       camtAmount
	CdtDbtInd string
	Date      string `xml:"Dt>Dt"`
}

type camtAmount struct {
	Ccy  string `xml:"Ccy,attr"`
	Text string `xml:",chardata"`
}

type camtSummary struct {
	Credits *camtSum `xml:"TtlCdtNtries"`
	Debits  *camtSum `xml:"TtlDbtNtries"`
}

type camtSum struct {
	NbOfNtries int
	Sum        string
}

type camtStatus struct {
	Text string `xml:",chardata"`
	Cd   string `xml:",omitempty"`
}

type camtEntry struct {
	NtryRef     string
	Amt         camtAmount
	CdtDbtInd   string
	RvslInd     bool
	Sts         camtStatus
	BookgDt     *camtMoment
	ValDt       camtDay
	AcctSvcrRef string
	Domain      string        `xml:"BkTxCd>Domn>Cd"`
	Family      string        `xml:"BkTxCd>Domn>Fmly>Cd"`
	SubFamily   string        `xml:"BkTxCd>Domn>Fmly>SubFmlyCd"`
	Details     []camtDetails `xml:"NtryDtls>TxDtls"`
}

type camtMoment struct{ DtTm string }

type camtDay struct{ Dt string }

type camtDetails struct {
	AcctSvcrRef string      `xml:"Refs>AcctSvcrRef"`
	InstrID     string      `xml:"Refs>InstrId,omitempty"`
	EndToEndID  string      `xml:"Refs>EndToEndId"`
	Amt         *camtAmount // not in the form of 2009
	CdtDbtInd   string      `xml:",omitempty"`
	OldAmount   *camtAmount `xml:"AmtDtls>TxAmt>Amt"` // instead of both
	RltdPties   camtParties
	Debtor      *camtAgent `xml:"RltdAgts>DbtrAgt"`
	Creditor    *camtAgent `xml:"RltdAgts>CdtrAgt"`
	Ustrd       *string    `xml:"RmtInf>Ustrd"`
	TxDtTm      string     `xml:"RltdDts>TxDtTm"`
	Reason      *string    `xml:"RtrInf>Rsn>Cd"`
}

type camtParties struct {
	Dbtr     *camtParty
	DbtrAcct *camtNumber
	Cdtr     *camtParty
	CdtrAcct *camtNumber
}

type camtParty struct {
	Nm  string `xml:",omitempty"`
	Pty *camtName
}

type camtNumber struct {
	ID   string  `xml:"Id>Othr>Id"`
	Type *string `xml:"Tp>Prtry"`
}

// optional is a text that leaves no trace where it is empty, not even the elements around it.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// stamp is a time as the bank writes it: Korean time, to the second.
func stamp(t time.Time) string { return t.In(kst).Format(time.RFC3339) }

// message is what one camt message says, and how.
type message struct {
	id       string
	number   int // ElctrncSeqNb
	made     time.Time
	account  Account
	list     []*Transaction
	channels []string
	plan     plan
	copy     bool // DUPL
	day      string
	balances [2]int64 // OPBD, CLBD, with a day
	decimals bool     // 50003.00 is 50003
}

// write makes the bytes of a message.
func (b *book) write(m message) []byte {
	body := &camtBody{
		ID: m.id + "-1", ElctrncSeqNb: m.number, CreDtTm: stamp(m.made),
		Acct: camtAccount{ID: m.account.Number, Scheme: "BBAN", Ccy: "KRW", Svcr: camtAgent{b.cfg.Code}},
	}
	if m.copy {
		body.CpyDplctInd = "DUPL"
	}
	for _, together := range entriesOf(m.list) {
		body.Ntry = append(body.Ntry, m.entry(together, len(body.Ntry)+1, b.cfg.Code))
	}
	body.TxsSummry = m.summary()
	message := &camtMessage{Header: camtHeader{m.id, stamp(m.made)}}
	name := "camt.054.001.08"
	doc := camtDocument{Notification: message}
	switch {
	case m.day != "":
		name, doc = "camt.053.001.08", camtDocument{Statement: message}
		message.Stmt = body
		if m.account.Holder != "" {
			body.Acct.Ownr = &camtName{m.account.Holder}
		}
		body.FrToDt = &camtPeriod{m.day + "T00:00:00+09:00", m.day + "T23:59:59+09:00"}
		for i, code := range []string{"OPBD", "CLBD"} {
			body.Bal = append(body.Bal, camtBalance{code, m.won(max(m.balances[i], -m.balances[i])), sign(m.balances[i]), m.day})
		}
	case m.plan.old:
		name = "camt.054.001.02"
		message.Ntfctn = body
	default:
		message.Ntfctn = body
	}
	doc.XMLName = xml.Name{Space: "urn:iso:std:iso:20022:tech:xsd:" + name, Local: "Document"}
	return dressed(written(doc), m.plan)
}

func sign(won int64) string {
	if won < 0 {
		return dbit
	}
	return crdt
}

// written is a document as text. Nothing that the bank composes cannot be written.
func written(doc any) []byte {
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("a document of the bank's own making cannot be written: " + err.Error())
	}
	return append([]byte(xml.Header), append(text, '\n')...)
}

// dressed is the text in another character set, or behind a byte order mark.
func dressed(text []byte, p plan) []byte {
	if p.euckr {
		text = bytes.Replace(text, []byte(`encoding="UTF-8"`), []byte(`encoding="EUC-KR"`), 1)
		foreign, err := encoding.HTMLEscapeUnsupported(korean.EUCKR.NewEncoder()).Bytes(text)
		if err != nil {
			panic("what can be escaped cannot be written: " + err.Error())
		}
		return foreign
	}
	if p.mark {
		return append([]byte("\xef\xbb\xbf"), text...)
	}
	return text
}

// entriesOf are the booking lines: the transactions of one batch are one.
func entriesOf(list []*Transaction) (entries [][]*Transaction) {
	for i, t := range list {
		if i > 0 && t.Batch != "" && t.Batch == list[i-1].Batch {
			last := &entries[len(entries)-1]
			*last = append(*last, t)
			continue
		}
		entries = append(entries, []*Transaction{t})
	}
	return entries
}

func (m message) won(amount int64) camtAmount { return camtAmount{"KRW", m.digits(amount)} }

func (m message) digits(amount int64) string {
	text := strconv.FormatInt(amount, 10)
	if m.decimals {
		text += ".00"
	}
	return text
}

func (m message) summary() (s camtSummary) {
	sums := map[string]*camtSum{}
	amounts := map[string]int64{}
	for _, together := range entriesOf(m.list) {
		at := together[0].Direction
		if sums[at] == nil {
			sums[at] = &camtSum{}
		}
		sums[at].NbOfNtries++
		for _, t := range together {
			amounts[at] += t.Amount
		}
	}
	for at, sum := range sums {
		if m.plan.wrong {
			amounts[at]++
		}
		sum.Sum = m.digits(amounts[at])
	}
	return camtSummary{sums[crdt], sums[dbit]}
}

// families are the bank transaction codes of what the bank books.
var families = map[string][2]string{
	deposit: {"RCDT", "DMCT"}, reversal: {"RCDT", "DMCT"}, paid: {"ICDT", "DMCT"}, returned: {"ICDT", "RRTN"},
}

func (m message) entry(together []*Transaction, n int, code string) camtEntry {
	first, sum := together[0], int64(0)
	for _, t := range together {
		sum += t.Amount
	}
	e := camtEntry{
		NtryRef: fmt.Sprint(n), Amt: m.won(sum), CdtDbtInd: first.Direction, RvslInd: first.Kind == reversal,
		Sts: camtStatus{Cd: first.Status}, ValDt: camtDay{dayOf(first.At)}, AcctSvcrRef: first.ID, Domain: "PMNT",
		Family: families[first.Kind][0], SubFamily: families[first.Kind][1],
	}
	if first.Status == booked {
		e.BookgDt = &camtMoment{stamp(first.At)}
	}
	if len(together) > 1 {
		e.AcctSvcrRef = first.Batch
	}
	if m.plan.old {
		e.Sts = camtStatus{Text: first.Status}
	}
	for _, t := range together {
		e.Details = append(e.Details, m.details(t, code))
	}
	return e
}

func (m message) details(t *Transaction, code string) camtDetails {
	d := camtDetails{
		AcctSvcrRef: t.ID, InstrID: t.InstrID, EndToEndID: cmp.Or(t.EndToEnd, "NOTPROVIDED"), TxDtTm: stamp(t.At), Reason: optional(t.Reason),
	}
	name, memo := t.Name, t.Memo
	if m.plan.short {
		name, memo = shortened(name), shortened(memo)
	}
	d.Ustrd = optional(memo)
	party := &camtParty{Pty: &camtName{name}}
	if m.plan.old {
		party = &camtParty{Nm: name}
		d.OldAmount = new(m.won(t.Amount))
	} else {
		d.Amt, d.CdtDbtInd = new(m.won(t.Amount)), t.Direction
	}
	if name == "" {
		party = nil
	}
	other := &camtNumber{ID: t.Number}
	if t.Kind == paid || t.Kind == returned { // who pays and who is paid stay what they were
		d.RltdPties = camtParties{DbtrAcct: &camtNumber{ID: t.Account}, Cdtr: party, CdtrAcct: other}
		d.Debtor, d.Creditor = &camtAgent{code}, &camtAgent{t.Bank}
		return d
	}
	d.RltdPties = camtParties{Dbtr: party, DbtrAcct: other}
	d.Debtor = &camtAgent{t.Bank}
	if t.Virtual != "" {
		d.RltdPties.CdtrAcct = &camtNumber{t.Virtual, optional("VIRTUAL")}
	}
	return d
}

// passbook is how many bytes of CP949 a name has room for in a passbook (rails §3.6).
const passbook = 14

// shortened is a name as it is printed there: as many whole characters as have room.
func shortened(name string) string {
	room := passbook
	for at, r := range name {
		coded, err := encoding.ReplaceUnsupported(korean.EUCKR.NewEncoder()).String(string(r))
		if err != nil {
			panic("what can be replaced cannot be written: " + err.Error())
		}
		if room -= len(coded); room < 0 {
			return name[:at]
		}
	}
	return name
}
