// Package fsck reads a database independently of the code that wrote it, and says whether what stands in it can be true.
//
// It shares the rules with the engine (core) and the keys (vault), and nothing else: its queries are its own. It reads in one transaction,
// so that it sees one moment of a database that is in use, and payment by payment, so that its memory does not grow with the database.
// What the two engines, SQLite and PostgreSQL, do not have in common stands in sqlite.go and postgres.go.
package fsck

import (
	"context"
	"errors"
	"fmt"

	"naru/vault"
)

// Options say what to read, and with what.
type Options struct {
	// Database is the address of one on a server (postgres://...), or a file. Another process may have a file open; this one must
	// not, because closing a file drops its locks of that file.
	Database  string
	Password  string   // of the server, where it does not stand in the address
	KEK       []byte   // key-encryption key; without it what is sealed or digested is reported as not checked
	Forbidden [][]byte // values that must stand nowhere in clear, for tests that know which secrets went in
	Strict    bool     // warnings count as errors
}

// checks is everything that is looked at, and why it matters. What is keyed needs the key-encryption key.
var checks = []struct {
	name, why string
	keyed     bool
}{
	{"schema", "tables, indexes and triggers stand as the migration made them: they forbid most of what is checked below", false},
	{"integrity", "the database finds its own pages and indexes in order", false},
	{"constraints", "every row keeps to the constraints of its table", false},
	{"references", "no row names a row that is not there", false},
	{"keys", "the keysets open under the key-encryption key", true},
	{"journal-chain", "no event is missing within a payment, and the payment knows the last one", false},
	{"journal-digests", "no event was changed after it was written", true},
	{"checkpoints", "no event is missing that was there when the journal was signed", false},
	{"checkpoint-digests", "the signatures over the journal are ours", true},
	{"states", "every reservation, refund, dispute, payout, deposit order and credit is where its events lead, and could get there", false},
	{"attempts", "what may be held at the network agrees with the reservation; at most one attempt may hold money", false},
	{"advices", "what the network must still hear is queued once, and what is over was told", false},
	{"jobs", "captures and cancels agree with the events of their reservation, and a sale with its one capture", false},
	{"refunds", "refunds give back no more than was captured, and each is paid by at most one attempt", false},
	{"disputes", "every stage of a dispute is of its payment, and every document that was handed over is in the journal", false},
	{"evidence-open", "every document opens in its place, and is the one that was handed over", true},
	{"postings", "the events of a payment, and of the book of an account, moved exactly the money that they must", false},
	{"balances", "each balance is the sum of its postings, and the books sum to zero", false},
	{"holds", "what the books call held is what the open reservations hold", false},
	{"payouts", "one order after the other went to the bank, only the last may pay, and somebody looks after what is open", false},
	{"payouts-open", "to whom payouts go, and what the banks were sent, opens in its place", true},
	{"deposits", "a deposit order is paid by one credit or not at all, and somebody looks after what is open", false},
	{"credits", "money that came by transfer is an order's, its sender's, or nobody's yet, and a person hears of that", false},
	{"bookings", "what banks booked on accounts that payers transfer to is known, and booked once", false},
	{"deposits-open", "who pays, who sent money, and what merchants sign with, opens in its place", true},
	{"merchants", "what the books owe merchants is what they were paid, less what they paid out and our fees", false},
	{"in-flight", "what the books call in flight is what the open payouts are", false},
	{"statements", "what payout banks say of our money is known and booked once", false},
	{"items", "what is to be settled is in one item, with the amount and sign of its event, and in the settlement of its day", false},
	{"settlements", "every settlement adds up from the journal, and begins where the one before it ends", false},
	{"acquirer-records", "each record of the acquirer stands once in the journal of what it is about, or has a case", false},
	{"acquirer-files", "the acquirer's files hold as many records, and as much, as was taken of them", false},
	{"capture-files", "the files of captures and refunds are complete, and carry what waits for their answer", false},
	{"totals", "the comparisons of a day's totals with the network are under way, or over with a result", false},
	{"answers", "every decided request has its answer, and no other has", false},
	{"answers-open", "every stored answer opens in its place and says what happened", true},
	{"leases", "who does something for all nodes is numbered, and a request in work names a node that there was, or none", false},
	{"notices", "each verdict and each piece of news is owed once, as it is, in order, and what was sent was answered", false},
	{"cards", "card data is kept where a later message needs it, and nowhere else", false},
	{"cards-open", "the card data that is kept opens in its place", true},
	{"secrets-columns", "no card number, no payment address, nobody's name or account, and no card secret's member, stands in clear", false},
	{"secrets-files", "nor anywhere in the pages of the database and its log, used or freed", false},
}

// passes is the order of reading. A pass that cannot be read to its end leaves its checks unchecked.
var passes = []struct {
	checks []string
	read   func(*run) error
}{
	{[]string{"schema"}, (*run).schema},
	{[]string{"integrity"}, func(x *run) error { return x.engine.integrity(x) }},
	{[]string{"constraints"}, (*run).constraints},
	{[]string{"references"}, func(x *run) error { return x.engine.references(x) }},
	{[]string{"keys"}, (*run).keys},
	{[]string{
		"journal-chain", "journal-digests", "states", "attempts", "advices", "jobs", "refunds", "disputes", "payouts", "payouts-open",
		"deposits", "credits", "deposits-open", "merchants", "postings", "balances", "holds", "in-flight", "items",
		"settlements", "acquirer-records", "cards", "cards-open",
	}, (*run).payments},
	{[]string{"statements"}, (*run).statements},
	{[]string{"bookings"}, (*run).bookings},
	{[]string{"evidence-open"}, (*run).evidence},
	{[]string{"acquirer-files"}, (*run).acquirerFiles},
	{[]string{"capture-files"}, (*run).captureFiles},
	{[]string{"totals"}, (*run).totals},
	{[]string{"checkpoints", "checkpoint-digests"}, (*run).checkpoints},
	// After those that learn who must not be named, and before those below: it learns the foreign identifiers that look like card numbers.
	{[]string{"secrets-columns"}, (*run).columns},
	{[]string{"answers", "answers-open"}, (*run).answers},
	{[]string{"leases"}, (*run).leases},
	{[]string{"notices"}, (*run).notices},
	{[]string{"secrets-files"}, func(x *run) error { return x.engine.files(x) }},
}

// run is one reading.
type run struct {
	Options
	ctx     context.Context
	db      database
	engine  *engine
	vault   *vault.Vault        // nil where there is no key
	opaque  map[string]struct{} // runs of digits in identifiers that others chose, or side by side in a record; they only look like cards
	persons persons
	shapes  []layout // of the records of tables and indexes
	report  Report

	newestUS   int64                 // when the newest event happened
	closings   map[string]*closing   // settlements, by id
	closingsOf map[string][]*closing // and by account and currency, in order
}

// Run reads the database and reports what is wrong. It fails where it cannot be read as a database of this version.
func Run(ctx context.Context, o Options) (Report, error) {
	x := &run{Options: o, ctx: ctx, opaque: map[string]struct{}{}}
	x.report = Report{Findings: []Finding{}, NotChecked: []NotChecked{}, Checked: map[string]int64{}, Rows: map[string]int64{}}
	var err error
	if x.db, x.engine, err = reach(ctx, o); err != nil {
		return x.report, fmt.Errorf("fsck: %w", err)
	}
	defer x.db.close()
	for _, p := range passes {
		err := x.db.apart(ctx, func() error { return p.read(x) })
		var why missing
		switch {
		case err == nil, errors.As(err, &why):
		case ctx.Err() != nil, errors.Is(err, errVersion), x.report.Errors == 0: // a good database that we cannot read: say so, prove nothing
			return x.report, fmt.Errorf("fsck: %s: %w", p.checks[0], err)
		}
		for _, c := range p.checks {
			x.concluded(c, err)
		}
	}
	return x.report, nil
}
