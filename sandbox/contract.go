package sandbox

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// Contract is sandbox.json: all that an outside client needs to know. File names are relative to its folder.
type Contract struct {
	GSP      GSPContract      `json:"gsp"`
	Merchant MerchantContract `json:"merchant"`
	Admin    Base             `json:"admin"`
	Pay      Base             `json:"pay"`
	Acquirer Address          `json:"acquirer"`
	UPI      Base             `json:"upi"`
	Bank     Base             `json:"bank"` // where payers transfer to
	Control  Base             `json:"control"`
}

// GSPContract is both sides of the GSP wire.
type GSPContract struct {
	Base       string         `json:"base"`
	CA         string         `json:"ca"`
	Accounts   []Account      `json:"accounts"`
	Integrator IntegratorKeys `json:"integrator"`
	Google     GoogleContract `json:"google"`
}

// Account is one payment integrator account (PIAID).
type Account struct {
	PIAID      string   `json:"piaid"`
	APIs       []string `json:"apis"`
	Currencies []string `json:"currencies"`
}

// IntegratorKeys names the integrator's public key.
type IntegratorKeys struct {
	PGPPublic string `json:"pgp_public"`
}

// GoogleContract is what the simulated Google hosts, and its key: whoever holds the secret half can play Google.
type GoogleContract struct {
	Base      string       `json:"base"`
	PGPSecret string       `json:"pgp_secret"`
	PGPPublic string       `json:"pgp_public"`
	Files     FilesAddress `json:"files"` // where settlement files are uploaded
}

// FilesAddress is an SFTP server: its host:port, its key, and the key of whoever may upload.
type FilesAddress struct {
	SFTP    string `json:"sftp"`
	HostKey string `json:"host_key"`
	Key     string `json:"key"`
}

// MerchantContract is all that the sample merchant knows of the merchant API: whoever has it can play that merchant.
type MerchantContract struct {
	Base          string `json:"base"`
	Desk          string `json:"desk"` // the merchant's page
	PlatformID    string `json:"platform_id"`
	PlatformKey   string `json:"platform_key"`
	Authorization string `json:"authorization"`
	Webhook       string `json:"webhook_secret"` // of the Standard Webhooks headers
}

// Base is a server's address as a URL without a path.
type Base struct {
	Base string `json:"base"`
}

// Address is host:port.
type Address struct {
	Address string `json:"address"`
}

// accounts are those that the sandbox is contracted for.
var accounts = append(slices.Clone(sellers), Account{payer, []string{disburse}, []string{"INR"}})

// sellers take cards. Each has a terminal and a merchant number of its own at the acquirer.
var sellers = []Account{
	{first, []string{koreaCards}, []string{"KRW"}},
	{second, []string{koreaCards}, []string{"KRW"}},
	{third, []string{cardFOP}, []string{"EUR", "JPY", "KWD"}},
}

const (
	first, second, third, payer   = "NaruPG_KRW", "NaruPG2_KRW", "NaruPG_EUR", "NaruPay_INR"
	koreaCards, cardFOP, disburse = "korea-cards-v1", "card-fop-v1", "disburse-v1"
)

// payoutBank is our name of the bank that pays for us, and bankAccount the account there from which it does.
const payoutBank, bankAccount, bankUser = "razorpayx", "7878780080316316", "rzp_test_sandbox"

// opening is what that account holds at the very start, and bankDelay how long an ordinary payout takes: the caller is still there.
const opening, bankDelay = 50_000_00, 300 * time.Millisecond

// apiOf is the one API of each account.
func apiOf() map[string]string {
	of := map[string]string{}
	for _, a := range accounts {
		of[a.PIAID] = a.APIs[0]
	}
	return of
}

// contracted is every currency that the acquirer settles with us.
func contracted() (codes []string) {
	for _, a := range sellers {
		codes = append(codes, a.Currencies...)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// merchant is the number that the acquirer knows an account by.
func merchant(i int) string { return fmt.Sprintf("PIMERCHANT%05d", i+1) }

// captureEvery is how often a capture file is made, where the dialect wants such files.
const captureEvery = "1m"

// googlePath stands in front of what Google hosts (Korea §1.1).
const googlePath = "/secure-serving/gsp"

// offset is where a listener stands above the port base. What is not built yet is not here.
type offset int

const (
	gspPort        offset = 0
	googlePort     offset = 1
	apiPort        offset = 2 // where merchants call
	controlPort    offset = 3
	adminPort      offset = 4
	pagePort       offset = 5
	acquirerPort   offset = 7
	bankPort       offset = 8
	collectingPort offset = 9  // the deposit bank
	filesPort      offset = 10 // Google's SFTP server
	hooksPort      offset = 11 // where banks tell by themselves
	shopPort       offset = 12 // where the sample merchant is told
)

// at is the address of a listener; without a base any free port.
func (o offset) at(base int) string {
	if base == 0 {
		return "127.0.0.1:0"
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(base+int(o)))
}

// addresses is where everything listens, host:port, the banks as URLs, the dialect that the acquirer speaks, and a database that is not in
// the folder.
type addresses struct {
	GSP, Google, Files, Control, Admin, Acquirer, Bank, Hooks, API, Page, Collecting, Shop, Profile, Store string
}

func (a addresses) contract(of shopKeys) Contract {
	return Contract{
		GSP: GSPContract{
			Base: "https://" + a.GSP, CA: caFile, Accounts: accounts,
			Integrator: IntegratorKeys{integratorPublic},
			Google: GoogleContract{
				"https://" + a.Google + googlePath, googleSecret, googlePublic, FilesAddress{a.Files, filesHostKey, filesKey},
			},
		},
		Merchant: MerchantContract{"http://" + a.API, "http://" + a.API + "/desk/", shopID, of.sign, of.query, of.webhook},
		Admin:    Base{"http://" + a.Admin}, Pay: Base{"http://" + a.Page}, Acquirer: Address{a.Acquirer}, UPI: Base{a.Bank},
		Bank: Base{a.Collecting}, Control: Base{"http://" + a.Control},
	}
}

func (c Contract) text() ([]byte, error) {
	text, err := json.MarshalIndent(c, "", "  ")
	return append(text, '\n'), err
}

// config is naru.toml: with it "naru serve --config" runs the same integrator alone.
func (a addresses) config() ([]byte, error) {
	var b strings.Builder
	err := configTemplate.Execute(&b, struct {
		addresses
		GooglePath string
		Accounts   []Account
		Terms      map[string]string
	}{a, googlePath, sellers, terms})
	return []byte(b.String()), err
}

var configTemplate = template.Must(template.New(configFile).Funcs(template.FuncMap{
	"quoted":   func(list []string) string { return `"` + strings.Join(list, `", "`) + `"` },
	"terminal": func(i int) string { return fmt.Sprintf("PI%06d", i+1) },
	"merchant": merchant,
}).Parse(`# The sandbox writes this file at every start. naru serve --config FILE runs the same integrator alone.

environment = "sandbox"

[store]
{{if .Store}}url = {{printf "%q" .Store}}{{else}}path = "` + database + `"{{end}}
kek = "` + kekFile + `"

[gsp]
listen = "{{.GSP}}"
cert = "` + serverCert + `"
key = "` + serverKey + `"
server_message = "naru sandbox"
own_keys = "` + ownKeys + `"
google_keys = "` + googleKeys + `"
google_base = "https://{{.Google}}{{.GooglePath}}"
google_ca = "` + caFile + `"

[gsp.settlements]
sftp = "{{.Files}}"
user = "naru"
key = "` + filesKey + `"
host_key = "` + filesHostKey + `"

[admin]
listen = "{{.Admin}}"

[webhooks]
listen = "{{.Hooks}}"

[[payout_bank]]
name = "` + payoutBank + `"
base = "{{.Bank}}/v1"
key_id = "` + bankUser + `"
key_secret = "` + bankSecret + `"
webhooks = ["` + hookSecret + `"]
account = "` + bankAccount + `"
guard = "queue"

[[acquirer]]
name = "simulator"
profile = "{{.Profile}}"
addresses = ["{{.Acquirer}}"]
institution = "12345678901"
city = "SEOUL"
day_totals = true

[acquirer.files]
acquirer = "ACQ0001"
inbox = "` + acquirerInbox + `"
outbox = "` + acquirerOutbox + `"
scan = "200ms"
capture_every = "` + captureEvery + `"
{{range $i, $a := .Accounts}}
[[account]]
id = "{{$a.PIAID}}"
apis = [{{quoted $a.APIs}}]
currencies = [{{quoted $a.Currencies}}]
acquirer = "simulator"
terminals = ["{{terminal $i}}"]
merchant = "{{merchant $i}}"
mcc = "5816"
{{index $.Terms $a.PIAID}}{{end}}
[[account]]
id = "` + payer + `"
apis = ["` + disburse + `"]
currencies = ["INR"]
payout_bank = "` + payoutBank + `"
time_zone = "Asia/Kolkata"
` + merchantConfig))

// terms is what the contract of each account says beside its names.
var terms = map[string]string{
	first: fmt.Sprintf(koreanTerms, "notification"), second: fmt.Sprintf(koreanTerms, "file"), third: worldTerms,
}

const koreanTerms = `
[account.settle]
by = "%s"

[account.fees]
capture_rate = 200
chargeback = 20000
reservation = 15
vat_rate = 1000
`

// worldTerms are in cents, yen and fils.
const worldTerms = `time_zone = "Asia/Seoul"
limits = { EUR = { least = 50, most = 1000000 }, JPY = { least = 50 }, KWD = { least = 100 } }

[account.card_fop]
network_result = "passThrough"

[account.settle]
by = "notification"
skip_empty_days = true

[account.fees]
capture_rate = 200
chargeback = 1500
reservation = 5
vat_rate = 1000

[account.fees_in.JPY]
capture_rate = 250
chargeback = 2500
vat_rate = 1000

[account.fees_in.KWD]
capture_rate = 200
capture = 20
chargeback = 5000
vat_rate = 1000
`
