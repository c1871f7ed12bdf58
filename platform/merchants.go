package platform

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"naru/core/bank"
	"naru/core/card"
	"naru/core/deposit"
	"naru/core/payout"
	"naru/drop"
	"naru/engine"
	"naru/outbox"
	"naru/protocol/gsp"
	"naru/protocol/merchant"
	"naru/rail/bankfeed"
	"naru/store"
	"naru/web/desk"
	"naru/web/pay"
)

// counter is the merchant side of a platform: who is called by merchants, payers and deposit banks, and what calls them.
type counter struct {
	api, pay net.Listener
	server   *merchant.Server
	notifier *merchant.Notifier
	pages    *pay.Pages
	desk     *desk.Desk
	inboxes  []*bankfeed.Inbox
	pushed   http.Handler // what feeds push; nil where none does
}

// transfers makes the payout banks that are paid through by pain.001.
func (c Config) transfers(w World, banks map[string]engine.Bank, table bank.Table) error {
	for _, t := range c.Transfers {
		rail := &bankfeed.Transfers{
			Payer: bankfeed.Payer{Name: t.Holder, Customer: t.Customer, Bank: t.Bank, Account: t.Account, Service: "NURG"},
			Banks: table, Now: w.Clock.Now, Wall: time.Now,
		}
		if t.Urgent {
			rail.Payer.Service = "URGP"
		}
		var err error
		if t.URL == "" {
			rail.Place, err = c.drop("transfer_bank "+t.Name+": outbox", t.Outbox)
		} else {
			rail.URL, rail.Key = t.URL, t.KeyID
			rail.Secret, err = c.secret(t.Secret)
			rail.Client = &http.Client{Timeout: orTime(t.Timeout.Duration, 4*time.Second), CheckRedirect: noRedirect}
		}
		if err != nil {
			return fmt.Errorf("transfer_bank %s: %w", t.Name, err)
		}
		resend := plain(t.Resend)
		if resend == nil { // rails §4.4: the same MsgId again, where nothing comes within half an hour
			resend = []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour}
		}
		banks[t.Name] = engine.Bank{
			Rail: rail, Resend: resend, ResendFor: messageLife, Look: []time.Duration{time.Hour}, Again: t.Again.Duration, Attempts: t.Attempts,
			Absent: 4 * time.Hour,
		}
	}
	return nil
}

// messageLife is how long a message may be sent again: its MsgId is the bank's duplicate key for ever (rails §4.4), and its day of payment is not.
const messageLife = 5 * 24 * time.Hour

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func orTime(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// institutions is the list of banks, with what the operator adds to it.
func (c Config) institutions() (bank.Table, error) {
	if c.MerchantAPI.Institutions == "" {
		return bank.Shipped, nil
	}
	f, err := os.Open(c.file(c.MerchantAPI.Institutions))
	if err != nil {
		return bank.Table{}, err
	}
	defer f.Close()
	return bank.Shipped.With(f)
}

// openCounter makes the merchant side. Where there are no merchants it has no listeners.
func (p *Platform) openCounter(ctx context.Context, c Config, w World, table bank.Table) (*counter, error) {
	x := &counter{}
	taker := heard{p.Engine, p.metrics}
	keys := map[string]bankfeed.Key{}
	var feeds []bankfeed.Feed
	for _, f := range c.Feeds {
		feed := bankfeed.Feed{ID: f.Name, Bank: f.Bank, Payouts: f.Transfer, BICs: f.BICs}
		feeds = append(feeds, feed)
		for id, files := range f.Keys {
			k := bankfeed.Key{Feed: f.Name}
			for _, file := range files {
				secret, err := c.secret(file)
				if err != nil {
					return nil, fmt.Errorf("bank_feed %s: keys: %w", f.Name, err)
				}
				k.Secrets = append(k.Secrets, secret)
			}
			for _, a := range f.Accounts {
				k.Accounts = append(k.Accounts, f.Bank+"/"+a)
			}
			keys[id] = k
		}
		if f.Inbox == (Inbox{}) {
			continue
		}
		place, err := c.inbox("bank_feed "+f.Name+": inbox", f.Inbox)
		if err != nil {
			return nil, err
		}
		x.inboxes = append(x.inboxes, &bankfeed.Inbox{
			Feed: feed, Place: place, Every: f.Inbox.Scan.Duration, Settle: f.Inbox.Settle.Duration, Taker: taker, Now: time.Now,
			Log: w.Log,
		})
	}
	if len(keys) > 0 {
		x.pushed = bankfeed.Handler(bankfeed.Config{Feeds: feeds, Keys: keys, Taker: taker, Now: time.Now, Log: w.Log})
	}
	if len(c.Merchants) == 0 {
		return x, nil
	}
	profiles := map[string]merchant.Profile{}
	for _, m := range c.Merchants {
		profiles[m.ID] = m.API
		for purpose, file := range map[engine.KeyPurpose]string{
			engine.SigningKey: m.Key, engine.QueryToken: m.Authorization, engine.WebhookKey: m.Webhook,
		} {
			if file == "" {
				continue
			}
			secret, err := c.secret(file)
			if err == nil {
				err = p.Engine.AdoptMerchantKey(ctx, m.ID, purpose, secret)
			}
			if err != nil {
				return nil, fmt.Errorf("merchant %s: %w", m.ID, err)
			}
		}
	}
	var err error
	if x.api, err = p.listen(c, c.MerchantAPI.Listen, c.MerchantAPI.Cert, c.MerchantAPI.Key); err != nil {
		return nil, fmt.Errorf("merchant_api: %w", err)
	}
	if x.pay, err = p.listen(c, c.Pay.Listen, c.Pay.Cert, c.Pay.Key); err != nil {
		return nil, errors.Join(fmt.Errorf("pay: %w", err), x.api.Close())
	}
	fail := func(err error) (*counter, error) { return nil, errors.Join(err, x.api.Close(), x.pay.Close()) }
	payOrigin := c.Pay.Origin
	if payOrigin == "" {
		payOrigin = origin(x.pay, c.Pay.Cert)
	}
	x.server, err = merchant.NewServer(merchant.Config{
		Environment: c.Environment, Engine: p.Engine, Merchants: profiles, Banks: table, PayBase: payOrigin, Proxies: c.MerchantAPI.Proxies,
		Private: c.Sandbox(), Sources: c.MerchantAPI.Sources, Now: time.Now, Business: w.Clock.Now, Log: w.Log, Meter: forMerchants{p.metrics},
		Refused: p.metrics.refusing("merchant"),
	})
	if err != nil {
		return fail(err)
	}
	x.notifier, err = merchant.NewNotifier(merchant.NotifierConfig{
		Engine: p.Engine, Merchants: profiles, Private: c.Sandbox(), Now: time.Now, Timeout: c.MerchantAPI.NotifyTimeout.Duration,
	})
	if err != nil {
		return fail(err)
	}
	shows, err := c.pages(p.Engine, w.Clock, table)
	if err != nil {
		return fail(err)
	}
	x.pages = pay.New(pay.Config{Orders: shows, Banks: shows.choices, Now: time.Now, Log: w.Log})
	x.desk = desk.New(desk.Config{
		Engine: p.Engine, Signing: signing{}, Now: time.Now, Business: w.Clock.Now, Log: w.Log, Plain: c.MerchantAPI.Cert == "",
		Settings:    func(id string) []desk.Setting { return settingsOf(x.server.Profile(id)) },
		PaymentPage: func(o deposit.Order) string { return payOrigin + "/gateway/portal/v1/payments/" + o.Link },
		Bank:        w.TestBank, Skip: w.Skip,
	})
	return x, nil
}

// origin is how a listener is reached on this machine.
func origin(l net.Listener, cert string) string {
	if cert != "" {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// servers are the listeners of the merchant side, each with who answers there.
func (x *counter) servers(p *Platform) map[*http.Server]net.Listener {
	if x.api == nil {
		return nil
	}
	front := http.NewServeMux()
	front.Handle("/", x.server)
	front.Handle("/desk/", x.desk)
	pages := gsp.HTTPServer(x.pages, p.log)
	pages.RegisterOnShutdown(x.pages.Close) // open streams would never end by themselves
	return map[*http.Server]net.Listener{gsp.HTTPServer(front, p.log): x.api, pages: x.pay}
}

// close lets idle connections go.
func (x *counter) close() {
	if x.server != nil {
		x.server.Close()
		x.notifier.Close()
	}
}

// How many merchants' notifications are on their way at once, in all and to one merchant: one that hangs takes no more than its share.
const (
	merchantLanes = 32
	merchantShare = 4
)

// outbox delivers what merchants are to hear. Google has its own: neither waits for the other.
func (x *counter) outbox(p *Platform, w World) *outbox.Worker {
	owed := &outbox.Worker{
		Queue: p.Store.Notices(store.Merchants, merchantShare, p.Engine.ClaimTime()), Clock: w.Clock, Crash: w.Crash, Log: w.Log, Meter: p.metrics, Bell: p.Engine.Notices[1],
		Lanes: merchantLanes, Most: p.Engine.LookAgain(), Claims: p.Store.Shared(), Senders: map[engine.NoticeKind]outbox.Sender{}, Patience: map[engine.NoticeKind][]time.Duration{},
	}
	for _, kind := range []engine.NoticeKind{engine.DepositResult, engine.TransferResult} {
		owed.Senders[kind], owed.Patience[kind] = x.notifier, outbox.Merchants
	}
	return owed
}

func (c Config) inbox(key string, i Inbox) (drop.Inbox, error) {
	place, err := c.drop(key, Drop{Folder: i.Folder, SFTP: i.SFTP, User: i.User, Key: i.Key, HostKey: i.HostKey, Dir: i.Dir, Timeout: i.Timeout})
	if err != nil {
		return nil, err
	}
	return place.(drop.Inbox), nil
}

// listen listens where merchants, payers or banks call.
func (p *Platform) listen(c Config, address, cert, key string) (net.Listener, error) {
	plain, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := p.bound(plain)
	if cert == "" {
		return l, nil
	}
	pair, err := tls.LoadX509KeyPair(c.file(cert), c.file(key))
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), nil
}

// heard counts what banks tell.
type heard struct {
	engine  *engine.Engine
	metrics *metrics
}

func (h heard) CheckMessage(m deposit.Message) error {
	err := h.engine.CheckMessage(m)
	if err != nil {
		h.metrics.Told(m.Feed, strings.ToLower(string(m.Kind))+"-refused")
	}
	return err
}

func (h heard) TakeMessage(ctx context.Context, m deposit.Message) (engine.FeedReceipt, error) {
	got, err := h.engine.TakeMessage(ctx, m)
	word := strings.ToLower(string(m.Kind))
	if err != nil {
		word += "-refused"
	}
	h.metrics.Told(m.Feed, word)
	return got, err
}

func (h heard) PayoutNews(ctx context.Context, bank string, news payout.News) error {
	h.metrics.Told(bank, "payout")
	return h.engine.PayoutNews(ctx, bank, news)
}

// signing lets the merchant's page say how the API signs.
type signing struct{}

func (signing) Explain(body []byte) (desk.Explanation, error) {
	x, err := merchant.Explain(body)
	return desk.Explanation{Text: x.Text, Signed: fields(x.Signed), Left: fields(x.Left)}, err
}

func fields(list []merchant.Field) (out []desk.Field) {
	for _, f := range list {
		out = append(out, desk.Field(f))
	}
	return out
}

func (signing) Digest(algorithm, text string, key card.Secret) string {
	return merchant.Algorithm(algorithm).Digest(text, key)
}

// settingsOf is a merchant's profile, for reading.
func settingsOf(p merchant.Profile) (list []desk.Setting) {
	add := func(name, value string) { list = append(list, desk.Setting{Name: name, Value: value}) }
	yes := func(name string, is bool) {
		value := "no"
		if is {
			value = "yes"
		}
		add(name, value)
	}
	var algorithms []string
	for _, a := range p.Algorithms {
		algorithms = append(algorithms, string(a))
	}
	add("Signature algorithms", strings.Join(algorithms, ", "))
	add("Calls are taken from", strings.Join(p.AllowIPs, ", "))
	if p.AnyTime {
		add("request_time", "any")
	} else {
		add("request_time may be off by", strconv.FormatInt(p.Window, 10)+" s")
	}
	yes("payment_info in answers", p.PaymentInfo)
	yes("real_amount in payout notifications", p.RealAmount)
	yes("payment_cl_name in notifications and lists", p.PayerName)
	yes("frozen balance in answers", !p.NoFrozen)
	yes("payouts are confirmed by you first", p.PrecheckURL != "")
	add("platform_channel_id", p.Channel)
	return list
}
