package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payout"
)

// Merchant is a business that is paid by bank transfer through us, and pays out (merchant-gateway §1).
type Merchant struct {
	ID       string
	Location *time.Location // its business day
	Deposits []DepositService
	Payouts  []PayoutService

	TellReversals bool // a notification where the bank takes a paid credit back (merchant-gateway §17)
	TellEnds      bool // notifications of deposit orders that expired, were cancelled or failed (merchant-gateway §7)
}

// Fee is what we keep: a share, in hundredths of a percent, and a fixed part in minor units; the share rounds half up (design §3.4).
type Fee struct {
	BP    int64
	Fixed int64
}

// of is the fee of an amount.
func (f Fee) of(a money.Amount) money.Amount {
	return money.New((a.Minor()*f.BP+5_000)/10_000+f.Fixed, a.Currency())
}

// DepositService is one way for a merchant to be paid. Its zero durations are those of the sheets.
type DepositService struct {
	ID         string // such as SVC0026
	Closed     bool   // switched off for now
	Limits     Limits
	Fee        Fee      // on what arrived
	Receivers  []string // the accounts of ours that payers may be shown, in the order in which they are tried
	Life       time.Duration
	Grace      time.Duration // after an order's end, for banks that book late
	Quarantine time.Duration // how long after its end nobody else is shown its amount
	RealName   bool          // only the payer's own name pays
	Unique     bool          // the amount shown is lowered until it is the only one of its account
	Range      int64         // by how much at the most, in minor units
	Tokens     bool          // the payer writes a code into the transfer
	Other      deposit.OtherAmount
	Register   bool // a payer who is not known yet registers first
}

// PayoutService is one way for a merchant to pay out.
type PayoutService struct {
	ID     string // such as SVC0004
	Closed bool
	Limits Limits
	Fee    Fee // on the amount, on top of it
	Bank   string
	Review *money.Amount // from this amount on a person must agree; nil: never
}

// Receiver is an account of ours that payers transfer to.
type Receiver struct {
	ID       string
	Bank     string // institution code
	Number   string
	Holder   string
	Branch   string
	Disabled bool
	MostOpen int64        // open orders at once; 0 bounds nothing
	DayLimit money.Amount // what may come in a day of the merchant's time zone; nothing bounds nothing
	Virtual  []Range      // virtual accounts that lead to it: each order gets its own
}

// Pause is that a receiving account rests, because an operator said so: no new order is to be paid there, and what comes is still taken.
type Pause struct {
	Receiver, Note string
	Since          time.Time
}

// Range is account numbers from First to Last, of one length.
type Range struct{ First, Last string }

// Refusal is why a merchant's request is not done. Nothing has changed.
type Refusal string

// The refusals (merchant-gateway §15).
const (
	RefusedService   Refusal = "there is no such service"
	RefusedUnopened  Refusal = "the service is not open for this merchant"
	RefusedClosed    Refusal = "the service is switched off"
	RefusedDuplicate Refusal = "the order number was used before"
	RefusedBelow     Refusal = "the amount is below the minimum"
	RefusedAbove     Refusal = "the amount is above the maximum"
	RefusedBalance   Refusal = "the balance is too low"
	RefusedPool      Refusal = "no receiving account is available"
	RefusedBank      Refusal = "the bank is not supported"
	RefusedState     Refusal = "that is not possible any more"
	RefusedPayer     Refusal = "the payer is known already"
)

func (r Refusal) Error() string { return string(r) }

// MerchantPayout is a payout as its merchant knows it.
type MerchantPayout struct {
	payout.Payout
	Number    string // the gateway's order number
	Service   string
	NotifyURL string // empty: nobody is told
	SignType  string
}

// Page is which part of a list is wanted, newest first.
type Page struct {
	Merchant      string
	Number        string // the gateway's order number; empty for all
	ClientID      string // the merchant's; empty for all
	From, Until   time.Time
	States        []string // empty for all
	Offset, Limit int64
}

// Registration is what a payer of a merchant told of itself, once.
type Registration struct {
	Merchant, User string
	Payer          []byte // sealed
	Bank           string
	At             time.Time
}

// BankEntry is one booking that a bank told of, remembered so that it counts once (rails §3.2).
type BankEntry struct {
	Bank, Account, ID string
	Debit             bool
	Amount            money.Amount
	Receiver          string
	Credit            string // what became of it: the credit
	Payout            string // or the payout that it is about
	Message           string // the first message that told of it
	Original          string // of a reversal: the id of what it takes back
	Notified          bool   // a notification told of it
	Stated            bool   // a statement did
	Day               string // YYYYMMDD, of the booking
	At                time.Time
}

// BankMessage is a message of a feed that was taken into account.
type BankMessage struct {
	Feed, ID                    string
	Kind                        deposit.MessageKind
	Digest                      string
	Entries, Accepted, Repeated int64
	At                          time.Time
}

// FeedReceipt is what became of a message.
type FeedReceipt struct {
	Entries    int64
	Accepted   int64
	Duplicates int64
	Refused    []RefusedEntry // each alone; of a file there is none: it is refused whole
}

// RefusedEntry is a booking that was not taken.
type RefusedEntry struct {
	ID  string
	Why EntryRefusal
}

// EntryRefusal is why a booking was not taken (rails §3.5).
type EntryRefusal string

// The refusals of bookings.
const (
	UnknownAccount EntryRefusal = "unknown_account"
	InvalidAmount  EntryRefusal = "invalid_amount"
	WrongCurrency  EntryRefusal = "currency"
	Conflict       EntryRefusal = "conflict" // the same transaction, with other data
	FutureDate     EntryRefusal = "future_date"
)

func (r EntryRefusal) Error() string { return string(r) }

// MerchantKey is a secret of a merchant: several may be valid at once, so that they can be changed without a pause.
type MerchantKey struct {
	ID        string
	Merchant  string
	Purpose   KeyPurpose
	Sealed    []byte
	CreatedAt time.Time
	EndsAt    time.Time // not valid from then on; zero: no end
}

// KeyPurpose is what a secret is for.
type KeyPurpose string

// The purposes of secrets.
const (
	SigningKey KeyPurpose = "sign"          // platform_key (merchant-gateway §1)
	QueryToken KeyPurpose = "authorization" // the Authorization header
	WebhookKey KeyPurpose = "webhook"       // of the Standard Webhooks headers
)

// NoticeLog is a notification and every attempt to deliver it.
type NoticeLog struct {
	Notice
	State NoticeState
	Due   time.Time
	Tries []NoticeTry
}

// A MerchantReader reads what merchants have.
type MerchantReader interface {
	Order(id string) (deposit.Order, bool, error)
	OrderByClient(merchant, clientID string) (deposit.Order, bool, error)
	OrderByNumber(number string) (deposit.Order, bool, error)
	OrderByLink(link string) (deposit.Order, bool, error)
	Orders(Page) (list []deposit.Order, total int64, err error)
	// OrdersShowing are the orders on a receiving account that show an amount, not paid, whose time touches the given one; newest first.
	OrdersShowing(receiver string, a money.Amount, madeBefore, endedAfter time.Time) ([]deposit.Order, error)
	// OrdersNamed are the orders on a receiving account, waiting or seen, with one of these tokens, or whose payer's name begins with what has this
	// digest; newest first.
	OrdersNamed(receiver string, tokens []string, name []byte, limit int) ([]deposit.Order, error)
	// OrdersPassed are orders that wait for an amount, and were made within a time of money of that amount that came since then and is nobody's.
	OrdersPassed(since time.Time, within time.Duration, limit int) ([]deposit.Order, error)
	OrdersOfVirtual(receiver, number string, limit int) ([]deposit.Order, error) // newest first
	OpenOrders(receiver string) (int64, error)
	Reserved(receiver string, from, to int64) ([]int64, error)          // the amounts in a range that are taken
	VirtualInUse(receiver, number string) (bool, error)                 // by an order that is open or rests
	Received(receiver string, since time.Time) (minor int64, err error) // what has come
	LastCredit(receiver string) (time.Time, bool, error)                // when the bank booked the newest
	DueOrders(now time.Time, limit int) ([]deposit.Order, error)
	NextOrder() (time.Time, bool, error)
	Credit(id string) (deposit.Credit, bool, error)
	CreditByBankID(bank, account, bankID string) (deposit.Credit, bool, error)
	CreditsSuspecting(order string) ([]deposit.Credit, error) // unmatched ones that are probably for it, oldest first
	Credits(open bool, limit int) ([]deposit.Credit, error)
	// WaitingCredits are unmatched ones of an amount that a new order may still claim, oldest first.
	WaitingCredits(receiver string, a money.Amount, now time.Time) ([]deposit.Credit, error)
	BankEntry(bank, account, id string, debit bool) (BankEntry, bool, error)
	ReversalOf(bank, account, original string) (BankEntry, bool, error)
	UntoldEntries(bank, account, day string) ([]BankEntry, error) // of a day, that no statement has
	BankMessage(feed string, kind deposit.MessageKind, id string) (BankMessage, bool, error)
	LastSequence(bank, account string) (int64, bool, error)
	Pauses() ([]Pause, error) // by receiving account
	Registration(merchant, user string) (Registration, bool, error)
	MerchantPayout(id string) (MerchantPayout, bool, error)
	MerchantPayoutByClient(merchant, clientID string) (MerchantPayout, bool, error)
	MerchantPayouts(Page) (list []MerchantPayout, total int64, err error)
	MerchantKeys(merchant string) ([]MerchantKey, error) // newest first
	Balance(ledger.Account, money.Currency) (minor int64, err error)
	NoticesOf(account string, from, until time.Time, subject string, offset, limit int64) ([]NoticeLog, error) // newest first
}

// A MerchantWriter writes it. Updates name the version they were made from and report false where somebody was faster.
type MerchantWriter interface {
	InsertOrder(o deposit.Order, name []byte) (bool, error) // name: digest of the payer's; false: the order number, or the amount, is taken
	UpdateOrder(o deposit.Order, name []byte) (bool, error) // from version o.Version-1; a nil name leaves the digest
	InsertCredit(deposit.Credit) error
	UpdateCredit(deposit.Credit) (bool, error) // from version c.Version-1
	InsertBankEntry(BankEntry) (bool, error)   // false: it is there
	UpdateBankEntry(BankEntry) error           // that it was told, and by what
	InsertBankMessage(BankMessage) (bool, error)
	PutSequence(bank, account string, seq int64) error
	PutRegistration(Registration) error
	PutPause(Pause) (bool, error)              // false: it rests already
	DeletePause(receiver string) (bool, error) // false: it does not rest
	InsertMerchantPayout(MerchantPayout) error
	InsertMerchantKey(MerchantKey) error
	EndMerchantKey(merchant, id string, at time.Time) (bool, error)
	ResendNotice(id string, at time.Time) (bool, error) // due again, with all its tries before it; false: it is not there, or on its way
}

// Sender is who sent a credit, as the bank told it.
type Sender struct {
	Name    card.Secret
	Bank    string
	Account card.Secret
	Memo    card.Secret
}

// checkMerchants says what is wrong with merchants and receiving accounts.
func (e *Engine) checkMerchants(merchants []Merchant, receivers []Receiver) error {
	won := money.Of("KRW")
	for _, r := range receivers {
		if _, twice := e.receivers[r.ID]; twice || r.ID == "" || r.Bank == "" || r.Number == "" {
			return fmt.Errorf("receiving account %q: an id of its own, a bank and a number are needed", r.ID)
		}
		for _, v := range r.Virtual {
			if len(v.First) != len(v.Last) || v.First > v.Last || len(v.First) > 18 {
				return fmt.Errorf("receiving account %s: virtual accounts go from a first number to a last one of the same length", r.ID)
			}
		}
		e.receivers[r.ID] = r
		e.byNumber[r.Bank+"/"+r.Number] = r.ID
	}
	for _, m := range merchants {
		if _, twice := e.merchants[m.ID]; twice || m.ID == "" {
			return fmt.Errorf("merchant %q: an id of its own is needed", m.ID)
		}
		if m.Location == nil {
			return fmt.Errorf("merchant %s: no time zone", m.ID)
		}
		for i, d := range m.Deposits {
			for _, r := range d.Receivers {
				if _, ok := e.receivers[r]; !ok {
					return fmt.Errorf("merchant %s: %s: there is no receiving account %q", m.ID, d.ID, r)
				}
			}
			m.Deposits[i] = d.withDefaults()
			if d.Limits.Least.Currency() != won || d.Limits.Most.Currency() != won {
				return fmt.Errorf("merchant %s: %s: limits are in KRW", m.ID, d.ID)
			}
		}
		for _, p := range m.Payouts {
			if _, ok := e.banks[p.Bank]; !ok {
				return fmt.Errorf("merchant %s: %s: there is no payout bank %q", m.ID, p.ID, p.Bank)
			}
			if p.Limits.Least.Currency() != won || p.Limits.Most.Currency() != won {
				return fmt.Errorf("merchant %s: %s: limits are in KRW", m.ID, p.ID)
			}
		}
		e.merchants[m.ID] = m
	}
	return nil
}

func (s DepositService) withDefaults() DepositService {
	if s.Life == 0 {
		s.Life = 10 * time.Minute // merchant-gateway §5.3
	}
	if s.Grace == 0 {
		s.Grace = 30 * time.Second
	}
	if s.Quarantine == 0 {
		s.Quarantine = day // rails §3.7
	}
	if s.Range == 0 {
		s.Range = 100
	}
	return s
}

func (m Merchant) deposit(id string) (DepositService, bool) {
	for _, s := range m.Deposits {
		if s.ID == id {
			return s, true
		}
	}
	return DepositService{}, false
}

func (m Merchant) payout(id string) (PayoutService, bool) {
	for _, s := range m.Payouts {
		if s.ID == id {
			return s, true
		}
	}
	return PayoutService{}, false
}

// bounds is why an amount is not taken.
func (l Limits) bounds(a money.Amount) error {
	switch {
	case l.Least.Exceeds(a):
		return RefusedBelow
	case l.Most.IsPositive() && a.Exceeds(l.Most):
		return RefusedAbove
	}
	return nil
}

// Merchant finds a merchant by its id.
func (e *Engine) Merchant(id string) (Merchant, bool) {
	m, ok := e.merchants[id]
	return m, ok
}

// Balances is what a merchant has, and what of it is frozen beside that (merchant-gateway §16).
type Balances struct{ Free, Frozen money.Amount }

// BalanceOf reads a merchant's balance from the books.
func (e *Engine) BalanceOf(ctx context.Context, merchant string) (b Balances, err error) {
	won := money.Of("KRW")
	err = e.store.View(ctx, func(v Reader) error {
		free, err := v.Balance(ledger.Account{Kind: ledger.MerchantPayable, Owner: merchant}, won)
		if err != nil {
			return err
		}
		frozen, err := v.Balance(ledger.Account{Kind: ledger.PayoutInFlight, Owner: merchant}, won)
		b = Balances{money.New(-free, won), money.New(-frozen, won)} // we owe: credit balances
		return err
	})
	if err != nil {
		err = unavailable(err)
	}
	return b, err
}

// refused reports whether an error is a refusal: nothing has changed, and asking again changes nothing.
func refused(err error) bool {
	var r Refusal
	return errors.As(err, &r)
}
