package platform

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"naru/core/deposit"
	"naru/core/money"
	"naru/engine"
	"naru/protocol/merchant"
	"naru/rail/iso8583"
)

// MerchantAPI is the listener that merchants call, with their own page beside it (merchant-gateway §2).
type MerchantAPI struct {
	Listen  string   `toml:"listen"`  // host:port; none where empty
	Cert    string   `toml:"cert"`    // certificate chain, PEM; plain HTTP where empty, on loopback only
	Key     string   `toml:"key"`     // its private key, PEM
	Proxies []string `toml:"proxies"` // networks whose X-Forwarded-For is believed, such as 10.0.0.0/8
	Sources []string `toml:"sources"` // addresses that our notifications come from, for merchants to know

	NotifyTimeout iso8583.Duration `toml:"notify_timeout"` // of one notification: merchants query the order before they answer; 20s

	Institutions string `toml:"institutions"` // CSV file that adds to the shipped list of banks, or replaces rows of it
}

// PayPage is the listener of the payment page, an origin of its own.
type PayPage struct {
	Listen string `toml:"listen"` // host:port; none where empty
	Cert   string `toml:"cert"`
	Key    string `toml:"key"`
	Origin string `toml:"origin"` // how payers reach it, such as https://pay.example.com; http://LISTEN where empty
	Help   string `toml:"help"`   // address that a payer in trouble is shown
}

// Feed is how a bank tells what it booked (rails §3.4): by files, by camt.054 over HTTP, by JSON over HTTP.
type Feed struct {
	Name     string              `toml:"name"`
	Bank     string              `toml:"bank"`      // institution code of who reports, three digits
	Keys     map[string][]string `toml:"keys"`      // files with the secrets that sign what is pushed, by key id: two while one is replaced
	BICs     map[string]string   `toml:"bics"`      // institution codes by the first eight letters of a BIC, for banks that name others by nothing else
	Accounts []string            `toml:"accounts"`  // account numbers that it may report by JSON; all of its bank where empty
	Inbox    Inbox               `toml:"inbox"`     // where its files arrive
	Transfer string              `toml:"transfers"` // the transfer_bank whose answers come this way
}

// Inbox is where files arrive: a folder, or one on an SFTP server that we know by its key.
type Inbox struct {
	Folder  string           `toml:"folder"`
	SFTP    string           `toml:"sftp"` // host:port
	User    string           `toml:"user"`
	Key     string           `toml:"key"`      // file with our private key
	HostKey string           `toml:"host_key"` // file with the server's public key
	Dir     string           `toml:"dir"`
	Scan    iso8583.Duration `toml:"scan"`    // how often it is looked at; 5s
	Settle  iso8583.Duration `toml:"settle"`  // how long a file that cannot be read is left alone, in case it is still being written; 1m
	Timeout iso8583.Duration `toml:"timeout"` // for one file; 1m
}

// TransferBank is a bank account from which payouts are made by pain.001 (rails §4.4).
type TransferBank struct {
	Name     string             `toml:"name"`
	Bank     string             `toml:"bank"`     // its institution code
	Account  string             `toml:"account"`  // from which it pays
	Holder   string             `toml:"holder"`   // whose it is
	Customer string             `toml:"customer"` // our number at the bank
	Urgent   bool               `toml:"urgent"`   // ask for instant payment (URGP)
	Outbox   Drop               `toml:"outbox"`   // where orders go
	URL      string             `toml:"url"`      // instead: where they are posted, signed with key_id and key_secret
	KeyID    string             `toml:"key_id"`
	Secret   string             `toml:"key_secret"` // file
	Resend   []iso8583.Duration `toml:"resend"`     // after the first sending, while the bank does not answer; 30m, 1h, 2h
	Again    iso8583.Duration   `toml:"again"`      // until another attempt where nothing was paid; 30m
	Attempts int64              `toml:"attempts"`   // without a person; 3
	Timeout  iso8583.Duration   `toml:"timeout"`    // of one call to url; 4s
}

// Receiver is an account of ours that payers transfer to.
type Receiver struct {
	ID       string   `toml:"id"`
	Bank     string   `toml:"bank"` // institution code
	Number   string   `toml:"number"`
	Holder   string   `toml:"holder"`
	Branch   string   `toml:"branch"`
	Disabled bool     `toml:"disabled"`  // no new orders; what comes is still taken
	MostOpen int64    `toml:"most_open"` // orders at once
	DayLimit int64    `toml:"day_limit"` // won in a day
	Virtual  []string `toml:"virtual"`   // ranges of virtual accounts, such as "56200000000000-56200000009999"
}

// Merchant is a business that is paid through us, and pays out.
type Merchant struct {
	ID            string           `toml:"id"` // platform_id
	Name          string           `toml:"name"`
	Logo          string           `toml:"logo"`  // file: PNG, JPEG or WebP, shown on the payment page
	Brand         string           `toml:"brand"` // colour, such as #0b5fff
	TimeZone      string           `toml:"time_zone"`
	Key           string           `toml:"key"`           // file with its first platform_key
	Authorization string           `toml:"authorization"` // file with its first token for queries
	Webhook       string           `toml:"webhook"`       // file with its first secret of Standard Webhooks; made where empty
	TellReversals bool             `toml:"tell_reversals"`
	TellEnds      bool             `toml:"tell_ends"`
	API           merchant.Profile `toml:"api"`
	Deposits      []DepositService `toml:"deposit"`
	Payouts       []PayoutService  `toml:"payout"`
}

// DepositService is one way to be paid.
type DepositService struct {
	Service    string              `toml:"service"` // such as SVC0026
	Closed     bool                `toml:"closed"`
	Least      int64               `toml:"least"` // won
	Most       int64               `toml:"most"`
	Rate       int64               `toml:"rate"` // hundredths of a percent of what arrived
	Fixed      int64               `toml:"fixed"`
	Receivers  []string            `toml:"receivers"`
	Life       iso8583.Duration    `toml:"life"`       // 10m
	Grace      iso8583.Duration    `toml:"grace"`      // 30s
	Quarantine iso8583.Duration    `toml:"quarantine"` // 24h
	AnyName    bool                `toml:"any_name"`   // the payer's own name is not demanded
	Unique     bool                `toml:"unique_amount"`
	Range      int64               `toml:"range"` // won; 100
	Tokens     bool                `toml:"tokens"`
	Other      deposit.OtherAmount `toml:"other_amount"` // case; paid with what arrived where empty
	Register   bool                `toml:"register"`
}

// PayoutService is one way to pay out.
type PayoutService struct {
	Service string `toml:"service"` // such as SVC0004
	Closed  bool   `toml:"closed"`
	Least   int64  `toml:"least"`
	Most    int64  `toml:"most"`
	Rate    int64  `toml:"rate"` // hundredths of a percent of the amount, on top
	Fixed   int64  `toml:"fixed"`
	Bank    string `toml:"bank"`   // the transfer_bank
	Review  *int64 `toml:"review"` // from this amount on a person must agree; never where absent
}

var (
	platformID  = regexp.MustCompile(`^[A-Za-z0-9]{1,7}$`)
	serviceID   = regexp.MustCompile(`^[A-Za-z0-9]{1,7}$`)
	accountDigs = regexp.MustCompile(`^\d{6,20}$`)
	virtualSpan = regexp.MustCompile(`^(\d{6,18})-(\d{6,18})$`)
	institution = regexp.MustCompile(`^\d{3}$`)
	brandColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
)

// plainAllowed reports whether an address is https, or stays on this machine.
func plainAllowed(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Host))
}

// checkMerchants is the part of the check that is about merchants; taken are names that other parts use already.
func (c Config) checkMerchants(refuse func(string, ...any), taken map[string]bool) {
	listener := func(key, listen, cert, own string) {
		if listen == "" {
			return
		}
		if _, _, err := net.SplitHostPort(listen); err != nil {
			refuse("%s.listen = %q is not host:port", key, listen)
		} else if cert == "" && !Loopback(listen) {
			refuse("%s.listen = %q is not on loopback: it needs cert and key", key, listen)
		}
		if (cert == "") != (own == "") {
			refuse("%s: cert and key come together", key)
		}
	}
	listener("merchant_api", c.MerchantAPI.Listen, c.MerchantAPI.Cert, c.MerchantAPI.Key)
	listener("pay", c.Pay.Listen, c.Pay.Cert, c.Pay.Key)
	for key, origin := range map[string]string{"pay.origin": c.Pay.Origin, "pay.help": c.Pay.Help} {
		if origin != "" && !plainAllowed(origin) {
			refuse("%s = %q is no https address", key, origin)
		}
	}
	for _, p := range c.MerchantAPI.Proxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			refuse("merchant_api.proxies: %q is no network", p)
		}
	}
	code := func(name, value string) {
		if !institution.MatchString(value) {
			refuse("%s: bank %q is not three digits", name, value)
		}
	}
	own := func(name, id string, pattern *regexp.Regexp) {
		if !pattern.MatchString(id) {
			refuse("%s: the name does not look like %s", name, pattern)
		}
		if taken[id] { // their books would be one
			refuse("%s: the name stands twice", name)
		}
		taken[id] = true
	}
	transfers := map[string]bool{}
	for _, b := range c.Transfers {
		name := fmt.Sprintf("transfer_bank %s", b.Name)
		own(name, b.Name, fileID)
		transfers[b.Name] = true
		code(name, b.Bank)
		if !accountDigs.MatchString(b.Account) || b.Holder == "" {
			refuse("%s: account and holder are needed", name)
		}
		switch {
		case (b.URL == "") == (b.Outbox == Drop{}):
			refuse("%s: outbox or url, one of them", name)
		case b.URL != "" && (b.KeyID == "" || b.Secret == ""):
			refuse("%s: url needs key_id and key_secret", name)
		case b.URL != "" && !plainAllowed(b.URL):
			refuse("%s: url %q is no https address", name, b.URL)
		}
		b.Outbox.check(name+": outbox", refuse)
	}
	receivers := map[string]bool{}
	numbers := map[string]bool{}
	for _, r := range c.Receivers {
		name := fmt.Sprintf("receiving_account %s", r.ID)
		own(name, r.ID, fileID)
		receivers[r.ID] = true
		code(name, r.Bank)
		if !accountDigs.MatchString(r.Number) || r.Holder == "" {
			refuse("%s: number (digits) and holder are needed", name)
		}
		if key := r.Bank + "/" + r.Number; numbers[key] {
			refuse("%s: the account stands twice", name)
		} else {
			numbers[key] = true
		}
		for _, v := range r.Virtual {
			if m := virtualSpan.FindStringSubmatch(v); m == nil || len(m[1]) != len(m[2]) || m[1] > m[2] {
				refuse("%s: virtual %q is not FIRST-LAST", name, v)
			}
		}
		if r.MostOpen < 0 || r.DayLimit < 0 {
			refuse("%s: most_open and day_limit are nothing or more", name)
		}
	}
	feeds := map[string]bool{}
	for _, f := range c.Feeds {
		name := fmt.Sprintf("bank_feed %s", f.Name)
		if !fileID.MatchString(f.Name) || feeds[f.Name] {
			refuse("%s: a name of its own, letters, digits and hyphens", name)
		}
		feeds[f.Name] = true
		code(name, f.Bank)
		if f.Inbox == (Inbox{}) && len(f.Keys) == 0 {
			refuse("%s: neither inbox nor keys: nothing can arrive", name)
		}
		if len(f.Keys) > 0 && c.Webhooks.Listen == "" {
			refuse("%s: it is pushed, and webhooks.listen says nowhere", name)
		}
		if f.Inbox != (Inbox{}) && (f.Inbox.Folder == "") == (f.Inbox.SFTP == "") {
			refuse("%s: inbox: folder or sftp, one of them", name)
		}
		if f.Inbox.SFTP != "" && (f.Inbox.User == "" || f.Inbox.Key == "" || f.Inbox.HostKey == "") {
			refuse("%s: inbox: sftp needs user, key and host_key", name)
		}
		if f.Transfer != "" && !transfers[f.Transfer] {
			refuse("%s: there is no transfer_bank %q", name, f.Transfer)
		}
	}
	for _, m := range c.Merchants {
		c.checkMerchant(m, refuse, own, receivers, transfers)
	}
	if len(c.Merchants) > 0 && (c.MerchantAPI.Listen == "" || c.Pay.Listen == "") {
		refuse("there are merchants: merchant_api.listen and pay.listen are needed")
	}
}

func (c Config) checkMerchant(
	m Merchant, refuse func(string, ...any), own func(string, string, *regexp.Regexp), receivers, transfers map[string]bool,
) {
	name := fmt.Sprintf("merchant %s", m.ID)
	own(name, m.ID, platformID)
	if m.Name == "" || m.Key == "" || m.Authorization == "" {
		refuse("%s: name, key and authorization are needed", name)
	}
	if m.Brand != "" && !brandColour.MatchString(m.Brand) {
		refuse("%s: brand %q is not a colour like #0b5fff", name, m.Brand)
	}
	if _, err := zone(m.TimeZone); err != nil {
		refuse("%s: time_zone %q is unknown", name, m.TimeZone)
	}
	if err := m.API.Check(); err != nil {
		refuse("%s: api: %w", name, err)
	}
	ids := map[string]bool{}
	once := func(id string, least, most, rate, fixed int64) {
		if !serviceID.MatchString(id) || ids[id] {
			refuse("%s: service %q: each has an id of its own, 1 to 7 letters and digits", name, id)
		}
		ids[id] = true
		if least < 0 || most < 0 || most > 0 && least > most {
			refuse("%s: %s: no amount fits between least and most", name, id)
		}
		if rate < 0 || rate > 10_000 || fixed < 0 {
			refuse("%s: %s: rate is 0 to 10000 hundredths of a percent, fixed is nothing or more", name, id)
		}
	}
	for _, d := range m.Deposits {
		once(d.Service, d.Least, d.Most, d.Rate, d.Fixed)
		if len(d.Receivers) == 0 {
			refuse("%s: %s: receivers is empty", name, d.Service)
		}
		for _, r := range d.Receivers {
			if !receivers[r] {
				refuse("%s: %s: there is no receiving_account %q", name, d.Service, r)
			}
		}
		if !slices.Contains([]deposit.OtherAmount{deposit.PayWithReal, deposit.AskPerson}, d.Other) {
			refuse("%s: %s: other_amount is case, or empty", name, d.Service)
		}
		if d.Life.Duration < 0 || d.Grace.Duration < 0 || d.Quarantine.Duration < 0 || d.Range < 0 {
			refuse("%s: %s: life, grace, quarantine and range are nothing or more", name, d.Service)
		}
	}
	for _, p := range m.Payouts {
		once(p.Service, p.Least, p.Most, p.Rate, p.Fixed)
		if !transfers[p.Bank] {
			refuse("%s: %s: there is no transfer_bank %q", name, p.Service, p.Bank)
		}
	}
}

func (d Drop) check(name string, refuse func(string, ...any)) {
	if d == (Drop{}) {
		return
	}
	if (d.Folder == "") == (d.SFTP == "") {
		refuse("%s: folder or sftp, one of them", name)
	}
	if d.SFTP != "" && (d.User == "" || d.Key == "" || d.HostKey == "") {
		refuse("%s: sftp needs user, key and host_key", name)
	}
}

// merchants is the engine's view of merchants and receiving accounts.
func (c Config) merchants() (merchants []engine.Merchant, receivers []engine.Receiver) {
	won := func(minor int64) money.Amount { return money.New(minor, money.Of("KRW")) }
	for _, r := range c.Receivers {
		x := engine.Receiver{
			ID: r.ID, Bank: r.Bank, Number: r.Number, Holder: r.Holder, Branch: r.Branch, Disabled: r.Disabled, MostOpen: r.MostOpen,
			DayLimit: won(r.DayLimit),
		}
		for _, v := range r.Virtual {
			first, last, _ := strings.Cut(v, "-")
			x.Virtual = append(x.Virtual, engine.Range{First: first, Last: last})
		}
		receivers = append(receivers, x)
	}
	for _, m := range c.Merchants {
		in, _ := zone(m.TimeZone) // checked
		x := engine.Merchant{ID: m.ID, Location: in, TellReversals: m.TellReversals, TellEnds: m.TellEnds}
		for _, d := range m.Deposits {
			x.Deposits = append(x.Deposits, engine.DepositService{
				ID: d.Service, Closed: d.Closed, Limits: engine.Limits{Least: won(d.Least), Most: won(d.Most)}, Fee: engine.Fee{BP: d.Rate, Fixed: d.Fixed},
				Receivers: d.Receivers, Life: d.Life.Duration, Grace: d.Grace.Duration, Quarantine: d.Quarantine.Duration, RealName: !d.AnyName,
				Unique: d.Unique, Range: d.Range, Tokens: d.Tokens, Other: d.Other, Register: d.Register,
			})
		}
		for _, p := range m.Payouts {
			s := engine.PayoutService{
				ID: p.Service, Closed: p.Closed, Limits: engine.Limits{Least: won(p.Least), Most: won(p.Most)}, Fee: engine.Fee{BP: p.Rate, Fixed: p.Fixed},
				Bank: p.Bank,
			}
			if p.Review != nil {
				from := won(*p.Review)
				s.Review = &from
			}
			x.Payouts = append(x.Payouts, s)
		}
		merchants = append(merchants, x)
	}
	return merchants, receivers
}
