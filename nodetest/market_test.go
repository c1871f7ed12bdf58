package nodetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"naru/platform"
	collecting "naru/rail/bankfeed/sim"
	"naru/sandbox"
	"naru/sandbox/shop"
)

const (
	payerAccount = "110222333444"
	familyName   = "한하늘" // every payer has a first name of its own
)

// order is one deposit order.
type order struct {
	id, name string
	amount   int64  // that the payer transfers, in won
	credit   string // the transfer, by the bank's id; empty where the order has no known account
}

// Where the bank's files lie.
const fromBank, toBank = "bank/to-naru", "bank/from-naru"

// trade is what the nodes are to know of the merchant and its bank beside what the sandbox says.
func trade(config fields) {
	config["bank_feed"].([]any)[0].(fields)["inbox"] = fields{"folder": fromBank, "scan": "100ms"}
	config["transfer_bank"].([]any)[0].(fields)["outbox"] = fields{"folder": toBank}
	config["merchant"].([]any)[0].(fields)["api"] = fields{"payment_info": true}
}

// openMarket starts the deposit bank and the merchant.
func (c *cluster) openMarket(config platform.Config, keyring sandbox.MerchantContract) {
	c.t.Helper()
	hooks := httptest.NewServer(door{c.balancer, func(a addresses) string { return "http://" + a.hooks }, false})
	c.t.Cleanup(hooks.Close)
	api := httptest.NewServer(door{c.balancer, func(a addresses) string { return "http://" + a.merchants }, true})
	c.t.Cleanup(api.Close)
	bank := collecting.Config{
		Address: "127.0.0.1:0", Code: config.Transfers[0].Bank, Customer: config.Transfers[0].Customer, ScanEvery: 100 * time.Millisecond,
		Out: filepath.Join(c.dir, fromBank), In: filepath.Join(c.dir, toBank), Push: hooks.URL, Feed: config.Feeds[0].Name,
		Delay: time.Second, Seed: int64(c.seed),
	}
	for _, r := range config.Receivers {
		bank.Accounts = append(bank.Accounts, collecting.Account{Number: r.Number, Holder: r.Holder})
	}
	for id, files := range config.Feeds[0].Keys {
		text, err := os.ReadFile(filepath.Join(c.dir, files[0]))
		must(c.t, err)
		bank.Key, bank.Secret = id, strings.TrimSpace(string(text))
	}
	var err error
	c.till, err = collecting.Start(c.ctx, bank)
	must(c.t, err)
	c.t.Cleanup(func() { _ = c.till.Close() })
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.seller.ServeHTTP(w, r) }))
	c.t.Cleanup(own.Close)
	c.seller, err = shop.New(shop.Config{
		API: api.URL, PlatformID: keyring.PlatformID, Key: keyring.PlatformKey, Authorization: keyring.Authorization,
		Webhook: keyring.Webhook, Own: own.URL, Now: time.Now, Business: time.Now,
	})
	must(c.t, err)
	c.t.Cleanup(func() { _ = c.seller.Close() })
}

// tills is how many things the merchant sells side by side.
const tills = 3

// shop has the merchant sell one thing after the other, each paid at once, until over.
func (c *cluster) shop(till int, over <-chan struct{}) {
	for n := till; ; n += tills {
		select {
		case <-over:
			return
		case <-c.ctx.Done():
			return
		default:
		}
		o := &order{id: fmt.Sprintf("order-%d", n), name: string(rune('가'+28*n)) + familyName}
		c.mu.Lock()
		c.orders = append(c.orders, o)
		c.mu.Unlock()
		if account := c.ask(o, 20_000+200*int64(n)); account == "" || !c.pay(o, account) {
			continue
		}
		if !c.until(func() bool { return c.hears(o) }) {
			return
		}
	}
}

// made is an answer of the gateway; without a code, nobody knows what became of the request.
type made struct {
	Code string `json:"error_code"`
	Data struct {
		Info struct {
			Display  int64 `json:"display_amount"`
			Receiver struct {
				Number string `json:"card_number"`
			} `json:"receiver"`
		} `json:"payment_info"`
	} `json:"data"`
}

// ask makes the order, twice at the same moment, which makes one. It gives the account that the payer is shown; none where that answer was
// lost: then nobody knows where to pay, and the number is used up (merchant-gateway §16).
func (c *cluster) ask(o *order, won int64) (account string) {
	said := [2]made{}
	var both errgroup.Group
	for i := range said {
		both.Go(func() error {
			a, err := c.seller.Send(c.ctx, shop.Order{Call: "createDeposit", Fields: map[string]string{
				"service_id": "SVC0026", "payment_cl_id": o.id, "amount": fmt.Sprint(100 * won), "name": o.name,
				"bank_name": "KBSTAR_KR", "last_number": payerAccount,
			}})
			if err != nil || a.Status != http.StatusOK {
				return nil
			}
			return json.Unmarshal(a.Body, &said[i])
		})
	}
	if err := both.Wait(); err != nil {
		c.t.Errorf("%s: the answer cannot be read: %v", o.id, err)
	}
	for _, s := range said {
		switch {
		case s.Code == "0000" && account == "":
			o.amount, account = s.Data.Info.Display/100, s.Data.Info.Receiver.Number
		case s.Code != "" && s.Code != taken:
			c.t.Errorf("%s is answered %s and %s", o.id, said[0].Code, said[1].Code)
		}
	}
	return account
}

// taken says that an order has this number (merchant-gateway §8).
const taken = "0014"

// pay transfers the money. The bank tells of it twice.
func (c *cluster) pay(o *order, account string) bool {
	booked, err := c.till.Deposit(collecting.Deposit{
		Account: account, Credit: collecting.Credit{Amount: o.amount, Name: o.name, Bank: "004", Number: payerAccount},
		Channels: []string{collecting.File, collecting.JSON},
	})
	if err != nil {
		c.t.Error(err)
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o.credit = booked[0].ID
	return true
}

// hears reports whether the merchant has acknowledged that an order is paid.
func (c *cluster) hears(o *order) bool {
	return slices.ContainsFunc(c.seller.Heard(), func(h shop.Heard) bool {
		return h.Kind == shop.Deposit && h.ClientID == o.id && h.Status == shop.DepositPaid && h.Acked
	})
}

// unsold reports whether the merchant, or a node, still has to hear of a credit.
func (c *cluster) unsold() bool {
	for _, o := range c.orders {
		if o.credit != "" && !c.hears(o) {
			return true
		}
	}
	var reports []struct{ Done, Never bool }
	c.hear(c.till.Control(), "/reports", &reports)
	return slices.ContainsFunc(reports, func(r struct{ Done, Never bool }) bool { return !r.Done && !r.Never })
}

const selectCredits = `
SELECT c.bank_id, COALESCE(o.client_id, ''), COALESCE(o.real_amount, 0)
  FROM bank_credit AS c LEFT JOIN deposit_order AS o ON o.id = c.order_id`

// market compares each transfer with the order that it paid, and what the merchant heard of it: any number of times the same.
func (c *cluster) market() {
	c.t.Helper()
	paid := map[string]order{} // by the credit
	rows, err := c.db.QueryContext(c.ctx, selectCredits)
	must(c.t, err)
	defer rows.Close()
	for rows.Next() {
		var got order
		must(c.t, rows.Scan(&got.credit, &got.id, &got.amount))
		if other, twice := paid[got.credit]; twice {
			c.t.Errorf("the transfer %s pays %s and %s", got.credit, other.id, got.id)
		}
		paid[got.credit] = got
	}
	must(c.t, rows.Err())
	told := map[string]int64{}
	for _, h := range c.seller.Heard() {
		if real, again := told[h.ClientID]; h.Status != shop.DepositPaid || again && real != h.Real {
			c.t.Errorf("the merchant heard of %s: %d with status %d", h.ClientID, h.Real, h.Status)
		}
		told[h.ClientID] = h.Real
	}
	for _, o := range c.orders {
		if o.credit == "" {
			continue
		}
		if got := paid[o.credit]; got.id != o.id || got.amount != o.amount || told[o.id] != 100*o.amount {
			c.t.Errorf("%s was paid with %d by %s: the books say %+v, the merchant heard %d", o.id, o.amount, o.credit, got, told[o.id])
		}
		delete(paid, o.credit)
	}
	for credit := range paid {
		c.t.Errorf("the books know a transfer %s that no payer made", credit)
	}
}
