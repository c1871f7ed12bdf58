package sim

import (
	"encoding/xml"
	"fmt"
	"time"
)

// The elements of pain.001.001.10 that the bank reads (rails §4.4).
type orderDocument struct {
	XMLName xml.Name
	Order   orderMessage `xml:"CstmrCdtTrfInitn"`
}

type orderMessage struct {
	ID       string      `xml:"GrpHdr>MsgId"`
	Made     string      `xml:"GrpHdr>CreDtTm"`
	NbOfTxs  string      `xml:"GrpHdr>NbOfTxs"`
	CtrlSum  string      `xml:"GrpHdr>CtrlSum"`
	Customer string      `xml:"GrpHdr>InitgPty>Id>OrgId>Othr>Id"`
	Parts    []orderPart `xml:"PmtInf"`
}

type orderPart struct {
	ID      string        `xml:"PmtInfId"`
	Method  string        `xml:"PmtMtd"`
	NbOfTxs string        `xml:"NbOfTxs"`
	CtrlSum string        `xml:"CtrlSum"`
	Day     string        `xml:"ReqdExctnDt>Dt"`
	Time    string        `xml:"ReqdExctnDt>DtTm"`
	Account string        `xml:"DbtrAcct>Id>Othr>Id"`
	Bank    string        `xml:"DbtrAgt>FinInstnId>ClrSysMmbId>MmbId"`
	Wishes  []orderWanted `xml:"CdtTrfTxInf"`
}

type orderWanted struct {
	InstrID  string     `xml:"PmtId>InstrId"`
	EndToEnd string     `xml:"PmtId>EndToEndId"`
	Amount   camtAmount `xml:"Amt>InstdAmt"`
	Bank     string     `xml:"CdtrAgt>FinInstnId>ClrSysMmbId>MmbId"`
	Name     string     `xml:"Cdtr>Nm"`
	Number   string     `xml:"CdtrAcct>Id>Othr>Id"`
	Memo     []string   `xml:"RmtInf>Ustrd"`
}

const orderSpace = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.10"

func readOrder(text []byte) (orderMessage, error) {
	var doc orderDocument
	if err := xml.Unmarshal(text, &doc); err != nil {
		return orderMessage{}, err
	}
	if (doc.XMLName != xml.Name{Space: orderSpace, Local: "Document"}) || doc.Order.ID == "" {
		return orderMessage{}, fmt.Errorf("this is no order in pain.001.001.10")
	}
	return doc.Order, nil
}

// The elements of pain.002.001.11, in the order of the schema.
type answerDocument struct {
	XMLName xml.Name
	Report  answerMessage `xml:"CstmrPmtStsRpt"`
}

type answerMessage struct {
	Header camtHeader    `xml:"GrpHdr"`
	Group  answerGroup   `xml:"OrgnlGrpInfAndSts"`
	Parts  []*answerPart `xml:"OrgnlPmtInfAndSts"`
}

type answerGroup struct {
	OrgnlMsgID   string `xml:"OrgnlMsgId"`
	OrgnlMsgNmID string `xml:"OrgnlMsgNmId"`
	GrpSts       string `xml:",omitempty"`
	Reason       *answerReason
}

type answerReason struct {
	XMLName xml.Name `xml:"StsRsnInf"`
	Code    string   `xml:"Rsn>Cd"`
	Text    string   `xml:"AddtlInf,omitempty"`
}

type answerPart struct {
	OrgnlPmtInfID string          `xml:"OrgnlPmtInfId"`
	PmtInfSts     string          `xml:",omitempty"`
	Transactions  []answerOutcome `xml:"TxInfAndSts"`
}

type answerOutcome struct {
	InstrID     string `xml:"OrgnlInstrId,omitempty"`
	EndToEndID  string `xml:"OrgnlEndToEndId"`
	TxSts       string
	Reason      *answerReason
	AcctSvcrRef string `xml:",omitempty"`
}

// texts say what the bank finds wrong, by the code that says it.
var texts = map[string]string{
	"AC01": "account does not exist", "AC02": "debtor account is not known", "AC03": "creditor account is missing or wrong",
	"AC04": "account is closed", "AM01": "amount is nought", "AM03": "currency is not KRW", "AM04": "insufficient funds",
	"AM05": "duplicate", "AM10": "control sum is wrong", "AM12": "amount is not whole won", "BE05": "initiating party is not known",
	"DT01": "execution date is wrong", "FF01": "the message is not as agreed", "RC03": "debtor bank is wrong",
	"RC04": "creditor bank is wrong",
}

func because(code string) *answerReason {
	if code == "" {
		return nil
	}
	return &answerReason{Code: code, Text: texts[code]}
}

// answer makes pain.002.001.11 about an order as it stands.
func (b *book) answer(o *order, id string, at time.Time) []byte {
	status, same := o.standing()
	group := answerGroup{OrgnlMsgID: o.ID, OrgnlMsgNmID: "pain.001.001.10", GrpSts: status}
	out := answerMessage{Header: camtHeader{id, stamp(at)}, Group: group}
	levels := o.Levels
	if !same {
		levels = ""
	}
	switch {
	case o.Refused != "":
		out.Group.Reason = because(o.Refused) // and no payment is known
	case levels == "payment":
		out.Group.GrpSts = ""
	}
	if levels != "group" {
		for _, n := range o.Payments {
			out.add(b.payments[n-1], levels)
		}
	} else if o.Refused == "" {
		out.Group.Reason = because(b.payments[o.Payments[0]-1].Reason)
	}
	return written(answerDocument{xml.Name{Space: "urn:iso:std:iso:20022:tech:xsd:pain.002.001.11", Local: "Document"}, out})
}

// add puts the state of a payment into its part; where all stand alike the part may say so for them.
func (m *answerMessage) add(p *Payment, levels string) {
	if len(m.Parts) == 0 || m.Parts[len(m.Parts)-1].OrgnlPmtInfID != p.Part {
		m.Parts = append(m.Parts, &answerPart{OrgnlPmtInfID: p.Part})
	}
	part := m.Parts[len(m.Parts)-1]
	if levels == "payment" {
		part.PmtInfSts = p.Status
		return
	}
	part.Transactions = append(part.Transactions, answerOutcome{p.InstrID, p.EndToEnd, p.Status, because(p.Reason), p.Transaction})
}
