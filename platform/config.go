package platform

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"naru/core/money"
	"naru/core/settlement"
	"naru/engine"
	"naru/protocol/gsp/cardfop"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/disburse"
	"naru/protocol/gsp/koreacards"
	"naru/rail/iso8583"
	"naru/store"
)

// Config is the one configuration file (naru.example.toml shows every key with its meaning). Paths are relative to the file; secrets stand
// in files of their own. The zero value of a key is its default.
type Config struct {
	Environment string     `toml:"environment"` // sandbox or production
	Log         Log        `toml:"log"`
	Store       Store      `toml:"store"`
	Node        Node       `toml:"node"`
	GSP         GSP        `toml:"gsp"`
	Admin       Admin      `toml:"admin"`
	Webhooks    Webhooks   `toml:"webhooks"`
	Acquirers   []Acquirer `toml:"acquirer"`
	Banks       []Bank     `toml:"payout_bank"`
	Accounts    []Account  `toml:"account"`

	MerchantAPI MerchantAPI    `toml:"merchant_api"`
	Pay         PayPage        `toml:"pay"`
	Merchants   []Merchant     `toml:"merchant"`
	Receivers   []Receiver     `toml:"receiving_account"`
	Feeds       []Feed         `toml:"bank_feed"`
	Transfers   []TransferBank `toml:"transfer_bank"`

	dir string
}

// Log is what is written to standard error.
type Log struct {
	Level  string `toml:"level"`  // debug, info, warn or error; info
	Format string `toml:"format"` // text or json; text
}

// Store is where everything is kept.
type Store struct {
	Path        string `toml:"path"`        // the database file, for one process
	URL         string `toml:"url"`         // or a PostgreSQL database, for one node or many: postgres://user@host:port,host2:port2/name
	Password    string `toml:"password"`    // file with the password for it, if it asks for one
	Connections int    `toml:"connections"` // to it, at the most; 16
	KEK         string `toml:"kek"`         // file with the key-encryption key, mode 0600; naru keys kek makes one
}

// Node is this node among those that share a database.
type Node struct {
	Name  string           `toml:"name"`  // for operators to tell nodes apart; the name of the machine where empty
	Lease iso8583.Duration `toml:"lease"` // after how long a silence the others take over what a node worked on; 10s
	Drain iso8583.Duration `toml:"drain"` // told to end, how long it says at /readyz that it does before it takes no more calls; 0s
}

// GSP is the listener that Google calls, the keys, and Google's own side.
type GSP struct {
	Listen        string           `toml:"listen"`         // host:port
	Cert          string           `toml:"cert"`           // certificate chain, PEM
	Key           string           `toml:"key"`            // its private key, PEM
	TLSMax        string           `toml:"tls_max"`        // 1.2 or 1.3; 1.3
	BasePath      string           `toml:"base_path"`      // in front of every path
	ServerMessage string           `toml:"server_message"` // of echo
	OwnKeys       string           `toml:"own_keys"`       // folder of our OpenPGP keys
	Passphrase    string           `toml:"passphrase"`     // file with the passphrase of our keys, if they have one
	GoogleKeys    string           `toml:"google_keys"`    // folder of Google's public keys
	GoogleBase    string           `toml:"google_base"`    // https address of what Google hosts
	GoogleCA      string           `toml:"google_ca"`      // PEM file of authorities to trust there; those of the system if empty
	Paths         Paths            `toml:"paths"`          // overrides of Google-hosted paths, by API and method
	Armor         bool             `toml:"armor"`          // send armored OpenPGP inside
	NoIntegrity   bool             `toml:"allow_no_integrity_packet"`
	Deadline      iso8583.Duration `toml:"deadline"`  // for a whole call; 5s
	MaxCalls      int              `toml:"max_calls"` // calls in work at a time; 1024
	BodyLimit     int64            `toml:"body_limit"`
	Failures      int              `toml:"max_failures"` // unreadable or unsigned messages a second from one address; 40
	RawScope      string           `toml:"raw_scope"`    // scope of rawResult in what we tell Google; Iso8583Code
	Settlements   Drop             `toml:"settlements"`  // where settlement files go, for accounts that settle by file
}

// Paths are Google-hosted paths, by API and method.
type Paths map[string]map[string]string

// Drop is where files go: a folder, or an SFTP server that we know by its key.
type Drop struct {
	Folder  string           `toml:"folder"`
	SFTP    string           `toml:"sftp"`     // host:port
	User    string           `toml:"user"`     // on that server
	Key     string           `toml:"key"`      // file with our private key
	HostKey string           `toml:"host_key"` // file with the server's public key, one line as ssh-keyscan prints it without the host's name
	Dir     string           `toml:"dir"`      // on that server
	Name    string           `toml:"name"`     // pattern of file names; Google's own where empty
	Timeout iso8583.Duration `toml:"timeout"`  // for one file; 1m
}

// Admin is the operators' listener: /livez, /readyz, /metrics, /slo, and for programs of the same machine alone what naru cases does.
type Admin struct {
	Listen string `toml:"listen"` // host:port; loopback unless remote is true
	Remote bool   `toml:"remote"`
}

// Webhooks is the listener that banks call: POST /payouts/NAME, and what bank feeds push. Whoever calls must sign; in front of the world it stands behind TLS.
type Webhooks struct {
	Listen string `toml:"listen"` // host:port; none where empty
	Cert   string `toml:"cert"`   // certificate chain, PEM; plain HTTP where empty, on loopback only
	Key    string `toml:"key"`    // its private key, PEM
}

// Bank is one account at a bank that pays for us: RazorpayX (rails §2.2).
type Bank struct {
	Name     string             `toml:"name"`
	Base     string             `toml:"base"`       // https address, such as https://api.razorpay.com/v1; plain HTTP on loopback only
	CA       string             `toml:"ca"`         // PEM file of authorities to trust there; those of the system if empty
	KeyID    string             `toml:"key_id"`     // user of its API
	Secret   string             `toml:"key_secret"` // file with the password
	Signing  []string           `toml:"webhooks"`   // files with the secrets that sign its events: two while one is replaced
	Account  string             `toml:"account"`    // from which it pays
	Debit    string             `toml:"debit"`      // how its answers name that account, where they name another
	Purpose  string             `toml:"purpose"`    // payout
	Payee    string             `toml:"payee"`      // name that every payee has there; "Google user"
	Cap      int64              `toml:"cap"`        // of one payout, minor units; 10000000
	QueueLow bool               `toml:"queue_if_low_balance"`
	Guard    engine.FloatGuard  `toml:"guard"`    // of what the float does not cover: refuse or queue; the bank decides where empty
	Timeout  iso8583.Duration   `toml:"timeout"`  // of one call; 4s
	Again    iso8583.Duration   `toml:"again"`    // until another attempt where nothing was paid; 30m
	Validate bool               `toml:"validate"` // ask whether somebody has an address before it is paid; the bank may charge for it
	Resend   []iso8583.Duration `toml:"resend"`   // after the first sending, while the bank does not answer; 1m, 2m, 5m
	Look     []iso8583.Duration `toml:"look"`     // between questions about an open order; 30s, 2m, 5m, 10m, 15m
	Attempts int64              `toml:"attempts"` // without a person; 3
}

// Acquirer is one link to a card acquirer: a dialect and what differs between hosts that speak it.
type Acquirer struct {
	Name        string      `toml:"name"`
	Profile     string      `toml:"profile"`      // pi87-default, pi87-alt, or a profile file
	Addresses   []string    `toml:"addresses"`    // host:port, in order of preference
	Institution string      `toml:"institution"`  // our acquiring institution id (DE32)
	City        string      `toml:"city"`         // where the merchant is (DE43)
	Country     string      `toml:"country"`      // alpha-2; KR
	CountryCode string      `toml:"country_code"` // ISO 3166 numeric (DE19); 410
	TimeZone    string      `toml:"time_zone"`    // of its business day; Asia/Seoul
	DayTotals   bool        `toml:"day_totals"`   // compare the totals of every business day with the host (0500)
	Files       Files       `toml:"files"`
	TLS         iso8583.TLS `toml:"tls"`
}

// Files is the exchange of files with an acquirer: settlements and disputes from it, captures to it.
type Files struct {
	Acquirer     string           `toml:"acquirer"`      // how it calls itself in file names, such as ACQ0001
	Inbox        string           `toml:"inbox"`         // folder where its files arrive
	Outbox       string           `toml:"outbox"`        // folder where it takes ours from
	Scan         iso8583.Duration `toml:"scan"`          // how often the inbox is looked at; 2s
	CaptureEvery iso8583.Duration `toml:"capture_every"` // how often a capture file is made where the profile captures by file; 1h
}

// Account is one payment integrator account (PIAID).
type Account struct {
	ID         string             `toml:"id"`
	APIs       []string           `toml:"apis"`
	Currencies []string           `toml:"currencies"`
	Acquirer   string             `toml:"acquirer"`
	Bank       string             `toml:"payout_bank"`
	Terminals  []string           `toml:"terminals"`
	Merchant   string             `toml:"merchant"`
	MCC        string             `toml:"mcc"`
	TimeZone   string             `toml:"time_zone"` // of its business day; Asia/Seoul for an account in won alone, otherwise needed
	Limits     map[string]Limits  `toml:"limits"`    // of payments, by currency
	Korea      koreacards.Profile `toml:"korea_cards"`
	FOP        cardfop.Profile    `toml:"card_fop"`
	Disburse   disburse.Profile   `toml:"disburse"`

	RefundWindow  iso8583.Duration `toml:"refund_window"`  // after a capture; 8760h
	DisputeWindow iso8583.Duration `toml:"dispute_window"` // after a capture; 12960h. When both are over the card is erased
	VerifyHold    iso8583.Duration `toml:"verify_hold"`    // until a card check's hold is let go that nobody cancelled; 24h
	DisputeWait   iso8583.Duration `toml:"dispute_wait"`   // after evidence, until a chargeback counts as lost; 1800h
	Settle        Settle           `toml:"settle"`
	Fees          Fees             `toml:"fees"`
	FeesIn        map[string]Fees  `toml:"fees_in"` // instead of fees, by currency
}

// Limits bounds what one payment may ask for, in minor units; 0 bounds nothing. What is beyond is declined without asking the acquirer.
type Limits struct {
	Least int64 `toml:"least"`
	Most  int64 `toml:"most"`
}

// Settle is how an account settles with Google.
type Settle struct {
	By        engine.SettleBy `toml:"by"`              // notification or file; never where empty
	SkipEmpty bool            `toml:"skip_empty_days"` // a day without events makes no settlement
	PartSize  int             `toml:"part_size"`       // events in one notification at most; 1000
	NoARN     bool            `toml:"no_arn"`          // Google does not offer the calls for acquirer reference numbers
}

// Fees is what the contract with Google lets us charge. Rates are hundredths of a percent, the rest minor units.
type Fees struct {
	CaptureRate       int64 `toml:"capture_rate"`
	Capture           int64 `toml:"capture"`
	Refund            int64 `toml:"refund"`
	Chargeback        int64 `toml:"chargeback"`
	Reservation       int64 `toml:"reservation"` // on holds that never became payments, and on card checks
	VATRate           int64 `toml:"vat_rate"`
	ReturnOnRefund    bool  `toml:"return_on_refund"`
	PassAcquirerFees  bool  `toml:"pass_acquirer_fees"`
	PassAcquirerFixes bool  `toml:"pass_acquirer_adjustments"`
}

func (f Fees) terms() settlement.Terms {
	return settlement.Terms{
		CaptureBP: f.CaptureRate, CaptureFixed: f.Capture, RefundFixed: f.Refund, DisputeFixed: f.Chargeback, ReserveFixed: f.Reservation,
		VATBP: f.VATRate, ReturnFee: f.ReturnOnRefund, PassFeesOn: f.PassAcquirerFees, PassAdjustsOn: f.PassAcquirerFixes,
	}
}

// Load reads a configuration file and reports every problem in it at once.
func Load(path string) (Config, error) { return LoadAt(path, "") }

// LoadAt is Load with another place for the database than the file's, where one is named: a path, or a postgres:// address.
func LoadAt(path, place string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c := Config{dir: filepath.Dir(path)}
	err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&c)
	var unknown *toml.StrictMissingError
	switch {
	case errors.As(err, &unknown):
		err = fmt.Errorf("%s: unknown keys:\n%s", path, unknown.String())
	case err != nil:
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case store.IsPostgres(place):
		c.Store.URL, c.Store.Path = place, ""
	case place != "":
		c.Store.Path, c.Store.URL, c.Store.Password, c.Store.Connections = place, "", "", 0
	}
	if err := errors.Join(err, c.check()); err != nil {
		return Config{}, err
	}
	return c, nil
}

// file makes a path of the configuration absolute.
func (c Config) file(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// Database is where everything is kept: a path, or a postgres:// address.
func (c Config) Database() string { return cmp.Or(c.Store.URL, c.file(c.Store.Path)) }

// KEK is the path of the key-encryption key's file.
func (c Config) KEK() string { return c.file(c.Store.KEK) }

// Sandbox reports whether this is no place for real money.
func (c Config) Sandbox() bool { return c.Environment == "sandbox" }

var (
	accountID  = regexp.MustCompile(`^[\x21-\x7e]{1,100}$`)
	terminalID = regexp.MustCompile(`^[\x20-\x7e]{8}$`)
	merchantID = regexp.MustCompile(`^[\x20-\x7e]{15}$`)
	mcc        = regexp.MustCompile(`^\d{4}$`)
	fileID     = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)
)

// apis are the APIs there are, and notifications what those with irregular paths let us tell Google.
var (
	cardAPIs      = []string{koreacards.Name, cardfop.Name}
	apis          = append(cardAPIs, disburse.Name)
	notifications = map[string]cards.Notifications{koreacards.Name: koreacards.Notifications, cardfop.Name: cardfop.Notifications}
)

func (c Config) check() error {
	var problems []error
	refuse := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("configuration: "+format, args...))
	}
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			refuse("%s = %q: write one of %s", key, value, strings.TrimPrefix(strings.Join(allowed, ", "), ", "))
		}
	}
	needed := func(key, value string) {
		if value == "" {
			refuse("%s is missing", key)
		}
	}
	address := func(key, value string) {
		if _, _, err := net.SplitHostPort(value); err != nil {
			refuse("%s = %q is not host:port", key, value)
		}
	}
	oneOf("environment", c.Environment, "sandbox", "production")
	oneOf("log.level", c.Log.Level, "", "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, "", "text", "json")
	switch s := c.Store; {
	case s.Path == "" && s.URL == "":
		refuse("store.path is missing, or store.url for many nodes")
	case s.Path != "" && s.URL != "":
		refuse("store.path and store.url: write one of them")
	case s.URL != "" && !store.IsPostgres(s.URL):
		refuse("store.url is no postgres:// address")
	case s.URL == "" && (s.Password != "" || s.Connections != 0):
		refuse("store.password and store.connections belong to store.url")
	case s.Connections < 0:
		refuse("store.connections is less than nothing")
	}
	if c.Node.Drain.Duration < 0 || c.Node.Drain.Duration > longestDrain {
		refuse("node.drain = %q is not between 0s and %s", c.Node.Drain, longestDrain)
	}
	if d := c.Node.Lease.Duration; d != 0 && d < shortestLease {
		refuse("node.lease = %q is less than %s", d, shortestLease)
	}
	if c.Node.Name != "" && !fileID.MatchString(c.Node.Name) {
		refuse("node.name is 1 to 32 letters, digits and hyphens")
	}
	needed("store.kek", c.Store.KEK)
	address("gsp.listen", c.GSP.Listen)
	address("admin.listen", c.Admin.Listen)
	if _, _, err := net.SplitHostPort(c.Admin.Listen); err == nil && !c.Admin.Remote && !Loopback(c.Admin.Listen) {
		refuse("admin.listen = %q is not on loopback; set admin.remote = true if that is meant", c.Admin.Listen)
	}
	for key, value := range map[string]string{
		"gsp.cert": c.GSP.Cert, "gsp.key": c.GSP.Key, "gsp.own_keys": c.GSP.OwnKeys, "gsp.google_keys": c.GSP.GoogleKeys,
	} {
		needed(key, value)
	}
	if u, err := url.Parse(c.GSP.GoogleBase); err != nil || u.Scheme != "https" || u.Host == "" {
		refuse("gsp.google_base = %q is no https address", c.GSP.GoogleBase)
	}
	oneOf("gsp.tls_max", c.GSP.TLSMax, "", "1.2", "1.3")
	if w := c.Webhooks; w != (Webhooks{}) {
		address("webhooks.listen", w.Listen)
		if (w.Cert == "") != (w.Key == "") {
			refuse("webhooks: cert and key come together")
		}
		if w.Cert == "" && !Loopback(w.Listen) {
			refuse("webhooks.listen = %q is not on loopback: it needs cert and key", w.Listen)
		}
	}
	for api, paths := range c.GSP.Paths {
		oneOf("gsp.paths", api, cardAPIs...)
		for method := range paths {
			oneOf("gsp.paths."+api, method, notifications[api].Methods()...)
		}
	}
	banks := map[string]bool{}
	for i, b := range c.Banks {
		name := fmt.Sprintf("payout_bank %d (%s)", i+1, b.Name)
		if !fileID.MatchString(b.Name) {
			refuse("%s: name is 1 to 32 letters, digits and hyphens", name)
		}
		if banks[b.Name] {
			refuse("%s: the name stands twice", name)
		}
		banks[b.Name] = true
		oneOf(name+": guard", string(b.Guard), string(engine.NoGuard), string(engine.GuardRefuse), string(engine.GuardQueue))
		needed(name+": key_secret", b.Secret)
		if len(b.Signing) > 0 && c.Webhooks.Listen == "" {
			refuse("%s: its events are signed, and webhooks.listen says nowhere", name)
		}
		for _, d := range slices.Concat(b.Resend, b.Look) {
			if d.Duration <= 0 {
				refuse("%s: resend and look: %s is no wait", name, d)
			}
		}
		if b.Again.Duration < 0 || b.Timeout.Duration < 0 || b.Attempts < 0 || b.Cap < 0 {
			refuse("%s: timeout, again, attempts and cap are nothing or more", name)
		}
	}
	links := map[string]bool{}
	for i, a := range c.Acquirers {
		name := fmt.Sprintf("acquirer %d (%s)", i+1, a.Name)
		needed(name+": name", a.Name)
		if links[a.Name] {
			refuse("%s: the name stands twice", name)
		}
		links[a.Name] = true
		if len(a.Addresses) == 0 {
			refuse("%s: addresses is empty", name)
		}
		for _, to := range a.Addresses {
			address(name+": address", to)
		}
		profile, err := c.profile(a)
		if err != nil {
			refuse("%s: %w", name, err)
		}
		if _, err := zone(a.TimeZone); err != nil {
			refuse("%s: time_zone %q is unknown", name, a.TimeZone)
		}
		switch f := a.Files; {
		case f == Files{} && profile.CaptureMode == "file":
			refuse("%s: its profile captures by file: files is missing", name)
		case f != Files{} && (!fileID.MatchString(f.Acquirer) || f.Inbox == "" || f.Outbox == ""):
			refuse("%s: files: acquirer (letters and digits), inbox and outbox are needed", name)
		}
		if err := a.contract().Validate(); err != nil {
			refuse("%s: %w", name, err)
		}
	}
	if len(c.Accounts) == 0 && len(c.Merchants) == 0 {
		refuse("there is no [[account]] and no [[merchant]]")
	}
	ids := map[string]bool{}
	for i, a := range c.Accounts {
		name := fmt.Sprintf("account %d (%s)", i+1, a.ID)
		if !accountID.MatchString(a.ID) {
			refuse("%s: id is 1 to 100 visible characters", name)
		}
		if ids[a.ID] {
			refuse("%s: the id stands twice", name)
		}
		ids[a.ID] = true
		if banks[a.ID] { // their books would be one
			refuse("%s: a payout_bank has the same name", name)
		}
		for _, api := range a.APIs {
			oneOf(name+": apis", api, apis...)
		}
		if len(a.APIs) > 1 { // what we tell Google of an account goes the way of its one contract
			refuse("%s: apis: an account has one of %s", name, strings.Join(apis, ", "))
		}
		pays := slices.Contains(a.APIs, disburse.Name)
		known := true
		for _, code := range a.Currencies {
			if _, ok := money.Lookup(code); !ok {
				known = false
				refuse("%s: currency %q is unknown", name, code)
			}
		}
		if known {
			if err := a.account().Check(); err != nil {
				refuse("%s: %w", name, err)
			}
		}
		if a.TimeZone == "" && !slices.Equal(a.Currencies, []string{"KRW"}) {
			refuse("%s: time_zone is missing: only an account in KRW alone has a default", name)
		}
		for code := range a.Limits {
			oneOf(name+": limits", code, a.Currencies...)
		}
		for code := range a.FeesIn {
			oneOf(name+": fees_in", code, a.Currencies...)
		}
		if len(a.Currencies) == 0 {
			refuse("%s: currencies is empty", name)
		}
		switch {
		case pays && !banks[a.Bank]:
			refuse("%s: there is no payout_bank %q", name, a.Bank)
		case pays && (a.Acquirer != "" || len(a.Terminals) > 0 || a.Merchant != "" || a.MCC != ""):
			refuse("%s: an account that pays out has no acquirer, terminals, merchant or mcc", name)
		case pays && !slices.Equal(a.Currencies, []string{"INR"}): // disburse v1 §4.1: UPI knows no other
			refuse("%s: currencies: payouts to UPI are in INR", name)
		case pays && a.Settle != (Settle{}):
			refuse("%s: settle: payouts are not settled by naru yet", name)
		case !pays && a.Bank != "":
			refuse("%s: payout_bank is set, and apis does not name %s", name, disburse.Name)
		case !pays && !links[a.Acquirer]:
			refuse("%s: there is no acquirer %q", name, a.Acquirer)
		}
		if len(a.Terminals) == 0 && !pays {
			refuse("%s: terminals is empty", name)
		}
		for _, t := range a.Terminals {
			if !terminalID.MatchString(t) {
				refuse("%s: terminal %q is not 8 printable characters", name, t)
			}
		}
		if !merchantID.MatchString(a.Merchant) && !pays {
			refuse("%s: merchant %q is not 15 printable characters", name, a.Merchant)
		}
		if !mcc.MatchString(a.MCC) && !pays {
			refuse("%s: mcc %q is not four digits", name, a.MCC)
		}
		if _, err := a.location(); err != nil {
			refuse("%s: time_zone %q is unknown", name, a.TimeZone)
		}
		for section, profile := range map[string]struct {
			api   string
			unset bool
			check func() error
		}{
			"korea_cards": {koreacards.Name, reflect.ValueOf(a.Korea).IsZero(), a.Korea.Check},
			"card_fop":    {cardfop.Name, reflect.ValueOf(a.FOP).IsZero(), a.FOP.Check},
			"disburse":    {disburse.Name, reflect.ValueOf(a.Disburse).IsZero(), func() error { return nil }},
		} {
			if err := profile.check(); err != nil {
				refuse("%s: %s: %w", name, section, err)
			}
			if !profile.unset && !slices.Contains(a.APIs, profile.api) {
				refuse("%s: %s is set, and apis does not name %s", name, section, profile.api)
			}
		}
		for key, d := range map[string]iso8583.Duration{
			"refund_window": a.RefundWindow, "dispute_window": a.DisputeWindow, "verify_hold": a.VerifyHold, "dispute_wait": a.DisputeWait,
		} {
			if d.Duration < 0 {
				refuse("%s: %s is less than nothing", name, key)
			}
		}
		oneOf(name+": settle.by", string(a.Settle.By), string(engine.SettleNever), string(engine.SettleByNotice), string(engine.SettleByFile))
		if a.Settle.PartSize < 0 {
			refuse("%s: settle.part_size is less than nothing", name)
		}
		if a.Settle.NoARN && slices.Contains(a.APIs, cardfop.Name) { // Card FOP v1 §5.4: the numbers must be sent
			refuse("%s: settle.no_arn: %s offers the calls for acquirer reference numbers, and demands them", name, cardfop.Name)
		}
		if a.Settle.By == engine.SettleByFile && c.GSP.Settlements == (Drop{}) {
			refuse("%s: it settles by file, and gsp.settlements says nowhere", name)
		}
	}
	c.GSP.Settlements.check("gsp.settlements", refuse)
	taken := map[string]bool{}
	for _, names := range []map[string]bool{banks, ids} {
		for name := range names {
			taken[name] = true
		}
	}
	c.checkMerchants(refuse, taken)
	return errors.Join(problems...)
}

func (c Config) profile(a Acquirer) (iso8583.Profile, error) {
	name := a.Profile
	if name == "" {
		name = iso8583.DefaultProfile
	}
	if strings.ContainsAny(name, "./") {
		name = c.file(name)
	}
	p, err := iso8583.LoadProfile(name)
	if err != nil {
		return p, err
	}
	p.Pool.Addresses = a.Addresses
	if a.TLS != (iso8583.TLS{}) {
		p.TLS = a.TLS
	}
	p.TLS.CA, p.TLS.Cert, p.TLS.Key = c.file(p.TLS.CA), c.file(p.TLS.Cert), c.file(p.TLS.Key)
	return p, p.Validate()
}

func (a Acquirer) contract() iso8583.Contract {
	return iso8583.Contract{
		Institution: a.Institution, City: a.City, Country: cmp.Or(a.Country, "KR"), CountryCode: cmp.Or(a.CountryCode, "410"),
	}
}

func (a Account) location() (*time.Location, error) { return zone(a.TimeZone) }

func zone(name string) (*time.Location, error) { return time.LoadLocation(cmp.Or(name, "Asia/Seoul")) }

// account is the engine's view of an account.
func (a Account) account() engine.Account {
	in, _ := a.location() // checked
	out := engine.Account{
		ID: a.ID, APIs: a.APIs, Acquirer: a.Acquirer, Bank: a.Bank, Terminals: a.Terminals, Merchant: a.Merchant, MCC: a.MCC, Location: in,
		RefundWindow: a.RefundWindow.Duration, DisputeWindow: a.DisputeWindow.Duration, VerifyHold: a.VerifyHold.Duration,
		DisputeWait: a.DisputeWait.Duration, Terms: a.Fees.terms(), SettleBy: a.Settle.By, SkipEmptyDays: a.Settle.SkipEmpty,
		PartSize: a.Settle.PartSize, NoARN: a.Settle.NoARN, TermsIn: map[string]settlement.Terms{},
	}
	for _, code := range a.Currencies {
		in := money.Of(code)
		out.Currencies = append(out.Currencies, in)
		if l, ok := a.Limits[code]; ok {
			out.Limits = append(out.Limits, engine.Limits{Least: money.New(l.Least, in), Most: money.New(l.Most, in)})
		}
		if _, ok := a.Limits[code]; !ok && a.Bank != "" { // disburse v1 §8.3
			out.Limits = append(out.Limits, engine.Limits{Least: money.New(1_00, in), Most: money.New(1_00_000_00, in)})
		}
		if f, ok := a.FeesIn[code]; ok {
			out.TermsIn[code] = f.terms()
		}
	}
	return out
}
