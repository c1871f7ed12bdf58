package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	collecting "naru/rail/bankfeed/sim"
	"naru/sandbox/shop"
)

// shopID is the sample merchant's platform_id.
const shopID = "PF0901"

// Its services: the sheet names two of them (merchant-gateway §13), and the other numbers are ours.
const (
	transferIn   = "SVC0026" // the amount shown is the only one of its account; the payer's own name
	virtualIn    = "SVC9026" // every order has an account number of its own
	registeredIn = "SVC9126" // payers register first
	codedIn      = "SVC9226" // the payer writes a code; several orders may show one amount
	transferOut  = "SVC0004"
	reviewedOut  = "SVC9004" // a person must agree
)

// The deposit bank. Its first account is where payers transfer to, and from which payouts are made; the second has virtual ones.
const (
	collectingCode     = "011"
	collectingPrefix   = "NH"
	collectingCustomer = "NARU0001"
	collectingScan     = 100 * time.Millisecond
	transferBank       = "nonghyup-transfers"
	feedName, feedKey  = "nonghyup", "sandbox"
	mainAccount        = "100200300400"
	mainReceiver       = "nonghyup-main"
	virtualAccount     = "100200300500"
	virtualReceiver    = "nonghyup-virtual"
	virtualFirst       = "56200000000000"
	virtualLast        = "56200000009999"
	holder             = "주식회사 받음"
)

var collectingAccounts = []collecting.Account{
	{Number: mainAccount, Holder: holder},
	{Number: virtualAccount, Holder: holder, Virtual: []collecting.Range{{From: virtualFirst, To: virtualLast}}},
}

// The merchant's terms: 0.8 % of what arrives, and 1,000 won for a payout, on top.
const depositRate, payoutFee = 80, 1_000

// merchantConfig is the part of naru.toml that is about merchants and their bank.
var merchantConfig = `
[merchant_api]
listen = "{{.API}}"

[pay]
listen = "{{.Page}}"

[[bank_feed]]
name = "` + feedName + `"
bank = "` + collectingCode + `"
keys = { ` + feedKey + ` = ["` + feedSecret + `"] }
transfers = "` + transferBank + `"

[bank_feed.inbox]
folder = "` + collectingInbox + `"
scan = "200ms"

[[transfer_bank]]
name = "` + transferBank + `"
bank = "` + collectingCode + `"
account = "` + mainAccount + `"
holder = "` + holder + `"
customer = "` + collectingCustomer + `"
outbox = { folder = "` + collectingOutbox + `" }

[[receiving_account]]
id = "` + mainReceiver + `"
bank = "` + collectingCode + `"
number = "` + mainAccount + `"
holder = "` + holder + `"

[[receiving_account]]
id = "` + virtualReceiver + `"
bank = "` + collectingCode + `"
number = "` + virtualAccount + `"
holder = "` + holder + `"
virtual = ["` + virtualFirst + "-" + virtualLast + `"]

[[merchant]]
id = "` + shopID + `"
name = "나루 상점"
time_zone = "Asia/Seoul"
key = "` + shopSign + `"
authorization = "` + shopQuery + `"
webhook = "` + shopWebhook + `"
tell_ends = true

[merchant.api]
payment_info = true
precheck_url = "` + shop.CheckURL("http://{{.Shop}}") + `"
` + depositService(transferIn, mainReceiver, "unique_amount = true") +
	depositService(virtualIn, virtualReceiver, "") +
	depositService(registeredIn, mainReceiver, "unique_amount = true\nregister = true") +
	depositService(codedIn, mainReceiver, "tokens = true\nany_name = true") +
	payoutService(transferOut, "") + payoutService(reviewedOut, "review = 0")

func depositService(id, receiver, more string) string {
	return strings.TrimRight(fmt.Sprintf(`
[[merchant.deposit]]
service = "%s"
receivers = ["%s"]
least = 1000
most = 30000000
rate = %d
%s`, id, receiver, depositRate, more), "\n") + "\n"
}

func payoutService(id, more string) string {
	return strings.TrimRight(fmt.Sprintf(`
[[merchant.payout]]
service = "%s"
bank = "%s"
least = 1000
most = 30000000
fixed = %d
%s`, id, transferBank, payoutFee, more), "\n") + "\n"
}

// cashier is where the merchant's page pays at the deposit bank.
type cashier struct{ bank *collecting.Host }

// Deposit books a transfer, which the bank reports as ever.
func (t cashier) Deposit(_ context.Context, account string, amount int64, name string) error {
	_, err := t.bank.Deposit(collecting.Deposit{Account: account, Credit: collecting.Credit{Amount: amount, Name: name}})
	return err
}

// endowment is what the merchant begins with, less our fee: an order of its own that somebody really paid.
const endowment = 10_000_000

// endow gives the merchant a balance, once: a first order is made, transferred, reported, matched, told and booked like any other. One that
// was cut off by an end in the middle stays as it is, and there is another.
func (s *Sandbox) endow(ctx context.Context) error {
	if len(s.shop.Bookings()) > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id := fmt.Sprintf("opening-%d", s.clock.Now().Unix()) // never that of one that was cut off
	a, err := s.shop.Send(ctx, shop.Order{Call: "createDeposit", Fields: map[string]string{
		"service_id": codedIn, "payment_cl_id": id, "name": firstPayer, "amount": hundredths(endowment),
	}})
	if err != nil {
		return err
	}
	var made created
	if err := json.Unmarshal(a.Body, &made); err != nil || made.Code != "0000" {
		return fmt.Errorf("the merchant's first order is answered %d %s", a.Status, made.Code)
	}
	if err := (cashier{s.collecting}).Deposit(ctx, made.Data.Info.Receiver.Number, endowment, firstPayer); err != nil {
		return err
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for len(s.shop.Bookings()) == 0 {
		select {
		case <-look.C:
		case <-s.ended:
			return errors.New("the integrator has ended by itself")
		case <-ctx.Done():
			return errors.New("the merchant never hears of its first deposit")
		}
	}
	return nil
}

// hundredths is an amount of whole won as the merchant API has it.
func hundredths(won int64) string { return fmt.Sprintf("%d00", won) }

// The payers and payees of the story: nobody.
const (
	firstPayer = "김하늘"
	otherPayer = "박하나"
	thirdPayer = "최두리"
	stranger   = "이방인"
	payee      = "이도윤"
)
