package bankfeed

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
)

// The elements of camt.054 and camt.053 that we read, of every version from .02 to .13 (rails §3.3).
type cashMessage struct {
	ID            string    `xml:"GrpHdr>MsgId"`
	Made          string    `xml:"GrpHdr>CreDtTm"`
	Page          string    `xml:"GrpHdr>MsgPgntn>PgNb"`
	Notifications []account `xml:"Ntfctn"`
	Statements    []account `xml:"Stmt"`
}

type account struct {
	Seq     string    `xml:"ElctrncSeqNb"`
	From    string    `xml:"FrToDt>FrDtTm"`
	Copy    string    `xml:"CpyDplctInd"`
	ID      number    `xml:"Acct>Id"`
	Ccy     string    `xml:"Acct>Ccy"`
	Bank    agent     `xml:"Acct>Svcr>FinInstnId"`
	Bal     []balance `xml:"Bal"`
	All     *summary  `xml:"TxsSummry>TtlNtries"`
	Credits *summary  `xml:"TxsSummry>TtlCdtNtries"`
	Debits  *summary  `xml:"TxsSummry>TtlDbtNtries"`
	Entries []entry   `xml:"Ntry"`
}

type number struct {
	IBAN  string
	Other string `xml:"Othr>Id"`
}

// agent is a bank: BICFI, which was BIC in the versions of 2009.
type agent struct {
	BICFI, BIC string
	Member     string `xml:"ClrSysMmbId>MmbId"`
}

type balance struct {
	Code  string `xml:"Tp>CdOrPrtry>Cd"`
	Amt   amount
	Sign  string `xml:"CdtDbtInd"`
	Dates dates  `xml:"Dt"`
}

type amount struct {
	Ccy  string `xml:",attr"`
	Text string `xml:",chardata"`
}

type summary struct {
	Count string `xml:"NbOfNtries"`
	Sum   string
}

// code is a choice of Cd and Prtry, and was plain text before .08.
type code struct {
	Text      string `xml:",chardata"`
	Cd, Prtry string
}

type dates struct{ Dt, DtTm string }

type entry struct {
	Ref      string   `xml:"NtryRef"`
	Amt      []amount // exactly one
	Sign     string   `xml:"CdtDbtInd"`
	Reversal string   `xml:"RvslInd"`
	Status   code     `xml:"Sts"`
	Booked   dates    `xml:"BookgDt"`
	Value    dates    `xml:"ValDt"`
	BankRef  string   `xml:"AcctSvcrRef"`
	Family   string   `xml:"BkTxCd>Domn>Fmly>SubFmlyCd"`
	Details  []detail `xml:"NtryDtls>TxDtls"`
	Note     string   `xml:"AddtlNtryInf"`
}

type detail struct {
	BankRef  string   `xml:"Refs>AcctSvcrRef"`
	InstrID  string   `xml:"Refs>InstrId"`
	EndToEnd string   `xml:"Refs>EndToEndId"`
	Amt      *amount  // of the versions from 2010 on
	OldAmt   *amount  `xml:"AmtDtls>TxAmt>Amt"`
	Sign     string   `xml:"CdtDbtInd"`
	Debtor   party    `xml:"RltdPties>Dbtr"`
	Ultimate party    `xml:"RltdPties>UltmtDbtr"`
	From     number   `xml:"RltdPties>DbtrAcct>Id"`
	To       number   `xml:"RltdPties>CdtrAcct>Id"`
	FromBank agent    `xml:"RltdAgts>DbtrAgt>FinInstnId"`
	Free     []string `xml:"RmtInf>Ustrd"`
	Made     string   `xml:"RltdDts>TxDtTm"`
	Accepted string   `xml:"RltdDts>AccptncDtTm"`
	Return   *struct {
		Reason code `xml:"Rsn"`
	} `xml:"RtrInf"`
}

// party has its name in Pty from .08 on.
type party struct {
	Nm  string
	Pty struct{ Nm string }
}

func (p party) name() string { return cmp.Or(clean(p.Pty.Nm, mostName), clean(p.Nm, mostName)) }

// How much of a text is kept.
const (
	mostName = 140
	mostMemo = 500
	mostID   = 64
)

// bookings reads a message. One mistake in it refuses all of it: what it says of money must be right together.
func (f Feed) bookings(kind deposit.MessageKind, in cashMessage, body []byte) (Document, error) {
	sum := sha256.Sum256(body)
	m := deposit.Message{Feed: f.ID, ID: strings.TrimSpace(in.ID), Kind: kind, Digest: hex.EncodeToString(sum[:])}
	if m.ID == "" || len(m.ID) > 35 {
		return Document{}, wrong("GrpHdr/MsgId", "1 to 35 characters are wanted")
	}
	made, err := moment(in.Made)
	if err != nil {
		return Document{}, within("GrpHdr/CreDtTm", err)
	}
	if page := strings.TrimSpace(in.Page); page != "" && page != "1" { // pages share their message's name
		if n, err := strconv.Atoi(page); err != nil || n < 1 {
			return Document{}, wrong("GrpHdr/MsgPgntn/PgNb", "no number")
		}
		m.ID += "/" + page
	}
	element, accounts := "Ntfctn", in.Notifications
	if kind == deposit.Statement {
		element, accounts = "Stmt", in.Statements
	}
	if len(accounts) == 0 {
		return Document{}, wrong(element, "there is none")
	}
	for i, a := range accounts {
		r, err := f.report(a, reading{kind, m.ID, made})
		if err != nil {
			return Document{}, within(element+" "+strconv.Itoa(i+1), err)
		}
		m.Reports = append(m.Reports, r)
		m.Copy = m.Copy || a.Copy == "DUPL" || a.Copy == "CODU"
	}
	return Document{ID: m.ID, Bookings: &m}, nil
}

// reading is what every part of a message must know of it.
type reading struct {
	kind    deposit.MessageKind
	message string
	made    time.Time
}

func (f Feed) report(in account, m reading) (deposit.Report, error) {
	r := deposit.Report{Bank: cmp.Or(f.institution(in.Bank), f.Bank), Account: in.ID.text()}
	switch {
	case r.Account == "":
		return r, wrong("Acct/Id", "no account")
	case r.Bank == "":
		return r, wrong("Acct/Svcr", "no bank")
	}
	if seq := strings.TrimSpace(in.Seq); seq != "" && m.kind == deposit.Notification { // statements are counted apart
		var err error
		if r.Seq, err = strconv.ParseInt(seq, 10, 64); err != nil || r.Seq < 0 {
			return r, wrong("ElctrncSeqNb", "no number")
		}
	}
	in.Ccy = strings.TrimSpace(in.Ccy)
	if in.Ccy == "" && len(in.Entries) > 0 && len(in.Entries[0].Amt) > 0 {
		in.Ccy = in.Entries[0].Amt[0].Ccy
	}
	all := &totals{}
	for i, e := range in.Entries {
		found, err := f.entries(e, in.Ccy, r, m, all)
		if err != nil {
			return r, within("Ntry "+strconv.Itoa(i+1), err)
		}
		r.Entries = append(r.Entries, found...)
	}
	for _, s := range []struct {
		element string
		said    *summary
		is      tally
	}{{"TtlCdtNtries", in.Credits, all.credits}, {"TtlDbtNtries", in.Debits, all.debits}, {"TtlNtries", in.All, all.both()}} {
		if err := s.is.check(s.said, in.Ccy); err != nil {
			return r, within("TxsSummry/"+s.element, err)
		}
	}
	if m.kind != deposit.Statement {
		return r, nil
	}
	return r, in.closing(&r)
}

// closing reads what only a statement has: its day, and the balances around it.
func (a account) closing(r *deposit.Report) error {
	var b deposit.Balances
	_, opened, err := a.balance(&b.Opening, "OPBD", "PRCD")
	if err != nil {
		return err
	}
	end, closed, err := a.balance(&b.Closing, "CLBD")
	if err != nil {
		return err
	}
	if opened && closed {
		r.Balances = &b
	}
	at, err := end.at()
	if err == nil && at.IsZero() {
		at, err = dates{DtTm: a.From}.at()
	}
	if err != nil || at.IsZero() {
		return errors.New("no day: neither Bal CLBD nor FrToDt says one")
	}
	r.Day = compact(at)
	return nil
}

// balance finds the first balance of some kinds.
func (a account) balance(into *money.Amount, kinds ...string) (dates, bool, error) {
	for _, kind := range kinds {
		for _, b := range a.Bal {
			if strings.TrimSpace(b.Code) != kind {
				continue
			}
			debit, err := direction(b.Sign)
			if err == nil {
				*into, err = b.Amt.read(cmp.Or(a.Ccy, b.Amt.Ccy))
			}
			if err != nil {
				return dates{}, false, within("Bal "+kind, err)
			}
			if debit {
				*into = into.Negated()
			}
			return b.Dates, true, nil
		}
	}
	return dates{}, false, nil
}

// tally is how many bookings there are, and what they come to.
type tally struct{ count, sum int64 }

// totals are those of one account, whatever became of the bookings.
type totals struct{ credits, debits tally }

func (t totals) both() tally {
	return tally{t.credits.count + t.debits.count, t.credits.sum + t.debits.sum}
}

// mostMinor keeps every sum of what a document has room for within 64 bits.
const mostMinor int64 = math.MaxInt64 / 2 / (largestDocument / int64(len(`<TxDtls><Amt Ccy="KRW">1</Amt></TxDtls>`)))

func (t *tally) add(a money.Amount) {
	t.count++
	t.sum += a.Minor()
}

// check holds what a bank says of its bookings against them.
func (t tally) check(said *summary, ccy string) error {
	if said == nil {
		return nil
	}
	if count := strings.TrimSpace(said.Count); count != "" && count != strconv.FormatInt(t.count, 10) {
		return within("NbOfNtries", fmt.Errorf("there are %d", t.count))
	}
	if strings.TrimSpace(said.Sum) == "" {
		return nil
	}
	c, _ := money.Lookup(ccy)
	if sum, err := decimal(said.Sum, c, math.MaxInt64); err != nil {
		return within("Sum", err)
	} else if sum.Minor() != t.sum {
		return wrong("Sum", "the bookings come to another")
	}
	return nil
}

// entries are what one booking line moves: nothing where it is not booked yet, one for each of its details where it has several.
func (f Feed) entries(in entry, ccy string, r deposit.Report, m reading, all *totals) ([]deposit.Entry, error) {
	if len(in.Amt) != 1 {
		return nil, wrong("Amt", "exactly one is wanted")
	}
	total, err := in.Amt[0].read(ccy)
	if err != nil {
		return nil, err
	}
	debit, err := direction(in.Sign)
	if err != nil {
		return nil, err
	}
	if debit {
		all.debits.add(total)
	} else {
		all.credits.add(total)
	}
	reversal, err := truth(in.Reversal)
	if err != nil {
		return nil, within("RvslInd", err)
	}
	switch in.Status.value() {
	case "":
		return nil, wrong("Sts", "there is none")
	case "BOOK":
	default:
		return nil, nil // it may never be booked
	}
	details := in.Details
	if len(details) == 0 {
		details = []detail{{}}
	}
	var list []deposit.Entry
	sum := money.New(0, total.Currency())
	for i, d := range details {
		e := deposit.Entry{Bank: r.Bank, Account: r.Account, Debit: debit, Reversal: reversal && debit}
		e.Returned = !debit && in.returned(d, reversal)
		if e.Amount, err = d.amount(total, len(details) == 1); err == nil {
			err = f.detail(&e, in, d, m)
		}
		if err == nil {
			e.ID, err = in.id(i, m)
		}
		if err != nil {
			return nil, within("TxDtls "+strconv.Itoa(i+1), err)
		}
		sum = sum.Plus(e.Amount)
		if !e.Amount.IsZero() { // a booking of nothing moves nothing
			list = append(list, e)
		}
	}
	if sum != total {
		return nil, wrong("TxDtls", "they do not come to the amount of their entry")
	}
	return list, nil
}

// returned reports whether a credit is a payment of ours that came back: no deposit.
func (in entry) returned(d detail, reversal bool) bool {
	return reversal || d.Return != nil || strings.TrimSpace(in.Family) == "RRTN"
}

// amount is that of a detail; of the only one, that of its entry where it says none.
func (d detail) amount(total money.Amount, only bool) (money.Amount, error) {
	ccy := total.Currency().Code()
	if d.Amt != nil {
		return d.Amt.read(ccy)
	}
	if d.OldAmt != nil && (!only || d.OldAmt.Ccy == ccy) { // what was sent may have been in another currency
		return d.OldAmt.read(ccy)
	}
	if only {
		return total, nil
	}
	return total, wrong("Amt", "there is none")
}

// id is the bank's name of a booking: that of the detail, else of the entry, else one that is built (rails §3.2). It names one booking,
// also where a bank gives all details of an entry one name.
func (in entry) id(i int, m reading) (string, error) {
	own := func(d detail) string { return strings.TrimSpace(d.BankRef) }
	id, shared := strings.TrimSpace(in.BankRef), len(in.Details) > 1
	if i < len(in.Details) && own(in.Details[i]) != "" {
		id, shared = own(in.Details[i]), false
		for other, d := range in.Details {
			shared = shared || other != i && own(d) == id
		}
	}
	if id == "" {
		if m.kind == deposit.Statement { // it would count beside what was notified
			return "", wrong("AcctSvcrRef", "a statement's entry without one cannot be told from what was notified")
		}
		ref := strings.TrimSpace(in.Ref)
		if ref == "" {
			return "", wrong("AcctSvcrRef", "neither it nor NtryRef names the booking")
		}
		id = m.message + "/" + ref
	}
	if shared {
		id += "/" + strconv.Itoa(i+1)
	}
	if len(id) > 2*mostID {
		return "", wrong("AcctSvcrRef", "too long")
	}
	return id, nil
}

// detail fills in when, by whom and about what.
func (f Feed) detail(e *deposit.Entry, in entry, d detail, m reading) (err error) {
	if sign := strings.TrimSpace(d.Sign); sign != "" && sign != strings.TrimSpace(in.Sign) {
		return wrong("CdtDbtInd", "another than its entry's")
	}
	if e.BookedAt, err = in.bookedAt(d, m); err != nil {
		return err
	}
	value, err := in.Value.at()
	if err != nil {
		return within("ValDt", err)
	}
	if !value.IsZero() {
		e.ValueDay = compact(value)
	}
	if d.Return != nil {
		e.Reason = word(d.Return.Reason.value())
	}
	switch {
	case e.Returned || e.Debit && !e.Reversal: // ours, if anybody's
		e.EndToEnd = cmp.Or(named(d.EndToEnd), named(d.InstrID))
	case !e.Debit:
		f.sender(e, in, d)
	}
	return nil
}

// sender is who paid in.
func (f Feed) sender(e *deposit.Entry, in entry, d detail) {
	memo := ""
	for _, text := range d.Free {
		memo = strings.TrimSpace(memo + " " + clean(text, mostName))
	}
	name := cmp.Or(d.Debtor.name(), d.Ultimate.name(), clean(memo, mostName), clean(in.Note, mostName))
	e.Name, e.Memo, e.FromBank = card.Conceal(name), card.Conceal(clean(memo, mostMemo)), f.institution(d.FromBank)
	e.FromAccount = card.Conceal(d.From.text())
	if to := d.To.text(); to != e.Account {
		e.Virtual = to
	}
}

// bookedAt is when the payment was made, as exactly as it is told. A bare day is that of the message, or begins.
func (in entry) bookedAt(d detail, m reading) (time.Time, error) {
	for _, text := range []string{d.Made, d.Accepted} {
		if strings.TrimSpace(text) == "" {
			continue
		}
		at, err := moment(text)
		if err != nil {
			return at, within("RltdDts", err)
		}
		return at, nil
	}
	at, err := in.Booked.at()
	switch {
	case err != nil:
		return at, within("BookgDt", err)
	case at.IsZero(), in.Booked.DtTm == "" && compact(at) == compact(m.made):
		return m.made, nil
	}
	return at, nil
}

// at is the time, or the first moment of the day; zero where there is neither.
func (d dates) at() (time.Time, error) {
	switch {
	case strings.TrimSpace(d.DtTm) != "":
		return moment(d.DtTm)
	case strings.TrimSpace(d.Dt) != "":
		return day(d.Dt)
	}
	return time.Time{}, nil
}

func (c code) value() string {
	return cmp.Or(strings.TrimSpace(c.Cd), strings.TrimSpace(c.Prtry), strings.TrimSpace(c.Text))
}

// text is an account's number without the signs that people write into it.
func (n number) text() string {
	text := cmp.Or(strings.TrimSpace(n.Other), strings.TrimSpace(n.IBAN))
	if len(text) > mostID {
		return ""
	}
	return strings.NewReplacer("-", "", " ", "").Replace(text)
}

var threeDigits = regexp.MustCompile(`^[0-9]{3}$`)

// institution is the code of a bank; empty where it is not told.
func (f Feed) institution(a agent) string {
	if member := strings.TrimSpace(a.Member); threeDigits.MatchString(member) {
		return member
	}
	bic := cmp.Or(strings.TrimSpace(a.BICFI), strings.TrimSpace(a.BIC))
	return f.BICs[bic[:min(8, len(bic))]]
}

// named is how a payment was named; empty where it was not.
func named(id string) string {
	if id = strings.TrimSpace(id); id == "NOTPROVIDED" || len(id) > 35 {
		return ""
	}
	return id
}

// word is a code of a bank that is kept and shown: what no code holds is replaced, and an overlong one is cut.
func word(text string) string {
	text = strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '-' || c == '_' {
			return c
		}
		return '?'
	}, text)
	return text[:min(35, len(text))]
}

// within says in which element something is wrong.
func within(element string, err error) error { return fmt.Errorf("%s: %w", element, err) }

func wrong(element, why string) error { return within(element, errors.New(why)) }

func direction(text string) (debit bool, err error) {
	switch strings.TrimSpace(text) {
	case "CRDT":
		return false, nil
	case "DBIT":
		return true, nil
	}
	return false, wrong("CdtDbtInd", "neither CRDT nor DBIT")
}

func truth(text string) (bool, error) {
	switch strings.TrimSpace(text) {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	}
	return false, errors.New("neither true nor false")
}

// read reads an amount in the currency of its account.
func (a amount) read(ccy string) (money.Amount, error) {
	c, known := money.Lookup(ccy)
	if !known {
		return money.Amount{}, wrong("Amt", "a currency that nobody knows")
	}
	if a.Ccy != ccy {
		return money.Amount{}, wrong("Amt", "another currency than its account's")
	}
	found, err := decimal(a.Text, c, mostMinor)
	if err != nil {
		err = within("Amt", err)
	}
	return found, err
}

var decimals = regexp.MustCompile(`^([0-9]{1,18})(?:\.([0-9]{1,5}))?$`)

// decimal reads a number of units of a currency: up to 18 digits and five decimals, none of them finer than the currency (rails §3.3).
func decimal(text string, c money.Currency, most int64) (money.Amount, error) {
	part := decimals.FindStringSubmatch(strings.TrimSpace(text))
	if part == nil {
		return money.Amount{}, errors.New("no amount")
	}
	fraction := strings.TrimRight(part[2], "0")
	if len(fraction) > c.Exponent() {
		return money.Amount{}, money.ErrFraction
	}
	minor, err := strconv.ParseInt(part[1]+fraction+strings.Repeat("0", c.Exponent()-len(fraction)), 10, 64)
	if err != nil || minor > most {
		return money.Amount{}, money.ErrRange
	}
	return money.New(minor, c), nil
}
