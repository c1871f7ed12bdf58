package sim

import (
	"cmp"
	"time"

	"github.com/go-json-experiment/json"
)

// notes are an object, and an empty array where there are none (rails §2.7).
type notes map[string]string

// MarshalJSON writes the empty array.
func (n notes) MarshalJSON() ([]byte, error) {
	if len(n) == 0 {
		return []byte("[]"), nil
	}
	return json.Marshal(map[string]string(n), json.Deterministic(true))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *notes) UnmarshalJSON(text []byte) error {
	if string(text) == "[]" {
		*n = nil
		return nil
	}
	return json.Unmarshal(text, (*map[string]string)(n))
}

type statusDetails struct {
	Description string `json:"description"`
	Source      string `json:"source"`
	Reason      string `json:"reason"`
}

// payoutEntity is a payout as callers and events see it, member by member as the worked example of rails §2.7.
type payoutEntity struct {
	ID            string         `json:"id"`
	Entity        string         `json:"entity"`
	FundAccountID string         `json:"fund_account_id"`
	FundAccount   *fundAccount   `json:"fund_account,omitzero"` // answers have it, events have not
	Amount        int64          `json:"amount"`
	Currency      string         `json:"currency"`
	Notes         notes          `json:"notes"`
	Fees          int64          `json:"fees"`
	Tax           int64          `json:"tax"`
	Status        state          `json:"status"`
	Purpose       string         `json:"purpose"`
	UTR           *string        `json:"utr"`
	Mode          string         `json:"mode"`
	ReferenceID   *string        `json:"reference_id"`
	Narration     *string        `json:"narration"`
	BatchID       *string        `json:"batch_id"`
	StatusDetails *statusDetails `json:"status_details"`
	CreatedAt     int64          `json:"created_at"`
	FeeType       *string        `json:"fee_type"`
	DebitAccount  string         `json:"debit_account_number,omitzero"`
}

func known(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func (b *book) entity(p *payout, whole bool) payoutEntity {
	e := payoutEntity{
		ID: p.ID, Entity: "payout", FundAccountID: p.FundAccount, Amount: p.Amount, Currency: "INR", Notes: p.Notes, Fees: p.Fees, Tax: p.Tax,
		Status: p.Status, Purpose: p.Purpose, UTR: known(p.UTR), Mode: "UPI", ReferenceID: known(p.Reference), Narration: known(p.Narration),
		StatusDetails: details(p), CreatedAt: p.Made.Unix(),
	}
	if whole {
		e.FundAccount, e.DebitAccount = b.accounts[p.FundAccount], p.Account
	}
	return e
}

func details(p *payout) *statusDetails {
	if p.Reason == "" {
		return nil
	}
	w := reasons[p.Reason]
	d := statusDetails{cmp.Or(w.description, "something that no document names"), cmp.Or(w.source, internal), p.Reason}
	if p.Code != "" {
		d.Description += " (NPCI " + p.Code + ")"
	}
	return &d
}

type collection struct {
	Entity string `json:"entity"`
	Count  int    `json:"count"`
	Items  []any  `json:"items"`
}

// page is a part of a list, the newest first.
func page[T any](all []T, skip, count int, show func(T) any) collection {
	c := collection{"collection", 0, []any{}}
	for i := len(all) - 1 - skip; i >= 0 && c.Count < count; i-- {
		c.Items, c.Count = append(c.Items, show(all[i])), c.Count+1
	}
	return c
}

type balanceEntity struct {
	Entity        string `json:"entity"`
	ID            string `json:"id"`
	Currency      string `json:"currency"`
	AccountNumber string `json:"account_number"`
	AccountType   string `json:"account_type"`
	BankName      string `json:"bank_name"`
	BankCode      string `json:"bank_code"`
	Amount        int64  `json:"amount"`
	Available     int64  `json:"available_amount"`
	RefreshedAt   int64  `json:"refreshed_at"`
}

func (b *book) balances(now time.Time) collection {
	c := collection{"collection", 0, []any{}}
	for i, a := range b.cfg.Accounts {
		held := b.balance[a.Number]
		c.Count, c.Items = i+1, append(c.Items, balanceEntity{
			"banking_balance", named(b.cfg.Seed, "bacc_", i), "INR", a.Number, "current", "Simulated Bank", "SIMB", held, held, now.Unix(),
		})
	}
	return c
}

type transaction struct {
	ID            string `json:"id"`
	Entity        string `json:"entity"`
	AccountNumber string `json:"account_number"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	Credit        int64  `json:"credit"`
	Debit         int64  `json:"debit"`
	Balance       int64  `json:"balance"`
	Source        any    `json:"source"`
	CreatedAt     int64  `json:"created_at"`
}

type payoutSource struct {
	ID            string  `json:"id"`
	Entity        string  `json:"entity"`
	FundAccountID string  `json:"fund_account_id"`
	Amount        int64   `json:"amount"`
	Notes         notes   `json:"notes"`
	Fees          int64   `json:"fees"`
	Tax           int64   `json:"tax"`
	Status        state   `json:"status"`
	UTR           *string `json:"utr"`
	Mode          string  `json:"mode"`
	CreatedAt     int64   `json:"created_at"`
	FeeType       *string `json:"fee_type"`
}

type reversalSource struct {
	ID        string  `json:"id"`
	Entity    string  `json:"entity"`
	PayoutID  string  `json:"payout_id"`
	Amount    int64   `json:"amount"`
	Fee       int64   `json:"fee"`
	Tax       int64   `json:"tax"`
	Currency  string  `json:"currency"`
	Notes     notes   `json:"notes"`
	UTR       *string `json:"utr"`
	CreatedAt int64   `json:"created_at"`
}

type transferSource struct {
	ID            string `json:"id"`
	Entity        string `json:"entity"`
	PayerName     string `json:"payer_name"`
	PayerAccount  string `json:"payer_account"`
	PayerIFSC     string `json:"payer_ifsc"`
	Mode          string `json:"mode"`
	BankReference string `json:"bank_reference"`
	Amount        int64  `json:"amount"`
}

// statementLine is a movement as the statement shows it: the payout in it as it stands today.
func (b *book) statementLine(l *line) transaction {
	whole := max(l.Amount, -l.Amount)
	t := transaction{
		ID: l.ID, Entity: "transaction", AccountNumber: l.Account, Amount: whole, Currency: "INR", Credit: max(l.Amount, 0),
		Debit:   max(-l.Amount, 0),
		Balance: l.Balance, CreatedAt: l.At.Unix(),
	}
	own := l.ID[len("txn_"):]
	switch p := b.byID[l.Payout]; l.Kind {
	case "payout":
		t.Source = payoutSource{
			p.ID, "payout", p.FundAccount, p.Amount, p.Notes, p.Fees, p.Tax, p.Status, known(p.UTR), "UPI", p.Made.Unix(), nil,
		}
	case "reversal":
		t.Source = reversalSource{"rvrsl_" + own, "reversal", p.ID, p.Amount, p.Fees, p.Tax, "INR", p.Notes, known(p.UTR), l.At.Unix()}
	default:
		t.Source = transferSource{"bt_" + own, "bank_transfer", l.Payer, "000000000001", "SIMB0000001", "NEFT", "SIMR" + own, whole}
	}
	return t
}

type bankAccount struct {
	Name          *string `json:"name"`
	IFSC          *string `json:"ifsc"`
	AccountNumber *string `json:"account_number"`
}

type validationResults struct {
	AccountStatus        *string      `json:"account_status"`
	RegisteredName       *string      `json:"registered_name"`
	NameMatchScore       *int         `json:"name_match_score"`
	Details              *string      `json:"details"`
	ValidatedAccountType *string      `json:"validated_account_type"`
	BankAccount          *bankAccount `json:"bank_account"`
}

type validationEntity struct {
	ID            string            `json:"id"`
	Entity        string            `json:"entity"`
	FundAccount   *fundAccount      `json:"fund_account"`
	Status        string            `json:"status"`
	Results       validationResults `json:"validation_results"`
	StatusDetails statusDetails     `json:"status_details"`
	Notes         notes             `json:"notes"`
	ReferenceID   *string           `json:"reference_id"`
	CreatedAt     int64             `json:"created_at"`
}

func (b *book) validationEntity(v *validation) validationEntity {
	f := b.accounts[v.FundAccount]
	e := validationEntity{
		ID: v.ID, Entity: "fund_account.validation", FundAccount: f, Status: v.Status, Notes: v.Notes, ReferenceID: known(v.Reference),
		CreatedAt: v.Made.Unix(), StatusDetails: statusDetails{"the validation has begun", internal, "validation_request_created"},
	}
	switch v.Status {
	case "completed":
		e.StatusDetails = statusDetails{"the validation is done", internal, "validation_completed"}
		e.Results.AccountStatus, e.Results.ValidatedAccountType = known("invalid"), known("vpa")
		if p := find(f.VPA.Address, b.cfg.Seed); !p.invalid {
			score := 0
			if f.Contact.Name == p.name {
				score = 100
			}
			e.Results.AccountStatus, e.Results.RegisteredName, e.Results.NameMatchScore = known("active"), known(p.name), &score
		}
	case "failed":
		e.StatusDetails = statusDetails{"the bank did not say", bank, "beneficiary_bank_offline"}
	}
	return e
}
