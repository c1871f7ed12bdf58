package iso8583

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

//go:embed profiles/*.toml
var profiles embed.FS

// DefaultProfile is the name of the shipped PI-87 dialect.
const DefaultProfile = "pi87-default"

// Profile is everything in which one acquirer's host may differ from the next (rails §1.3). Each key stands in
// profiles/pi87-default.toml with its meaning and its default.
type Profile struct {
	Name                  string              `toml:"name"`
	Header                string              `toml:"header"`
	NumericEncoding       string              `toml:"numeric_encoding"`
	BitmapEncoding        string              `toml:"bitmap_encoding"`
	LengthPrefixEncoding  string              `toml:"length_prefix_encoding"`
	MTIVersion            int                 `toml:"mti_version"`
	PrivateLayout         string              `toml:"private_layout"`
	EchoSet               []int               `toml:"echo_set"`
	MatchKey              []int               `toml:"match_key"`
	CaptureMode           string              `toml:"capture_mode"`
	AccountVerification   string              `toml:"account_verification"`
	ChargebackOnline      bool                `toml:"chargeback_online"`
	ReversalMTI           string              `toml:"reversal_mti"`
	RepeatMTI             bool                `toml:"repeat_mti"`
	ReversalReasonElement int                 `toml:"reversal_reason_element"`
	ReleaseRest           bool                `toml:"release_rest"`
	DupRRN                string              `toml:"dup_rrn"`
	DE39x16               string              `toml:"de39_16"`
	TPDU                  TPDU                `toml:"tpdu"`
	NetworkCodes          NetworkCodes        `toml:"network_codes"`
	Timeouts              Timeouts            `toml:"timeouts"`
	SAF                   SAF                 `toml:"saf"`
	Pool                  Pool                `toml:"pool"`
	TLS                   TLS                 `toml:"tls"`
	ResponseMap           map[string]Override `toml:"response_map"`
}

// TPDU is the transport header of rails §1.2: the answer swaps destination and source.
type TPDU struct {
	Enabled bool   `toml:"enabled"`
	Dest    string `toml:"dest"`
	Src     string `toml:"src"`
}

// NetworkCodes are the values of DE70 (rails §1.13).
type NetworkCodes struct {
	SignOn    string `toml:"sign_on"`
	SignOff   string `toml:"sign_off"`
	KeyChange string `toml:"key_change"`
	Cutover   string `toml:"cutover"`
	Echo      string `toml:"echo"`
}

// Timeouts are the timers of rails §1.11.
type Timeouts struct {
	Connect   Duration `toml:"connect"`
	Write     Duration `toml:"write"`
	Authorise Duration `toml:"authorise"`
	Advice    Duration `toml:"advice"`
	Network   Duration `toml:"network"`
	Idle      Duration `toml:"idle"`
	Drain     Duration `toml:"drain"`
}

// SAF says when an unanswered advice is sent again and when somebody is told (rails §1.11 T8). It has no expiry.
type SAF struct {
	Backoff   []Duration `toml:"backoff"`
	Alarms    []Duration `toml:"alarms"`
	Overtaken Duration   `toml:"overtaken"`
}

// Pool is the set of connections to one host.
type Pool struct {
	Connections  int      `toml:"connections"`
	InFlight     int      `toml:"in_flight"`
	Addresses    []string `toml:"addresses"`
	ReconnectMin Duration `toml:"reconnect_min"`
	ReconnectMax Duration `toml:"reconnect_max"`
	Plaintext    bool     `toml:"plaintext"`
}

// TLS names the files of the secured connection.
type TLS struct {
	Enabled    bool   `toml:"enabled"`
	CA         string `toml:"ca"`
	Cert       string `toml:"cert"`
	Key        string `toml:"key"`
	ServerName string `toml:"server_name"`
}

// Override replaces the meaning of one DE39 code; an empty column keeps that of the table.
type Override struct {
	Verdict string `toml:"verdict"`
	Decline string `toml:"decline"`
}

// Duration is a time.Duration written as text, such as "1m30s".
type Duration struct{ time.Duration }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(text))
	return err
}

// LoadProfile reads a shipped profile by its name, or a TOML file by its path, on top of pi87-default.
// It reports every problem at once.
func LoadProfile(name string) (Profile, error) {
	var p Profile
	base, err := profiles.ReadFile("profiles/" + DefaultProfile + ".toml")
	if err == nil {
		err = strict(base, &p)
	}
	if err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", DefaultProfile, err)
	}
	text, err := profiles.ReadFile("profiles/" + name + ".toml")
	if err != nil {
		if text, err = os.ReadFile(name); err != nil {
			return Profile{}, fmt.Errorf("profile %s: neither shipped nor a readable file: %w", name, err)
		}
	}
	if err := strict(text, &p); err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", name, err)
	}
	if err := p.Validate(); err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", name, err)
	}
	return p, nil
}

func strict(text []byte, p *Profile) error {
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(p)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		return fmt.Errorf("unknown keys:\n%s", unknown.String())
	}
	return err
}

// Validate refuses every value that the code would not honour, all at once.
func (p Profile) Validate() error {
	var problems []error
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	for _, c := range []struct {
		key, value string
		honoured   []string
	}{
		{"header", p.Header, []string{"bin2", "ascii4", "bcd2", "vml"}},
		{"numeric_encoding", p.NumericEncoding, []string{"ascii", "bcd"}},
		{"bitmap_encoding", p.BitmapEncoding, []string{"binary", "hex"}},
		{"length_prefix_encoding", p.LengthPrefixEncoding, []string{"ascii", "bcd"}},
		{"private_layout", p.PrivateLayout, []string{"tag2len2", "tag2len3"}},
		{"capture_mode", p.CaptureMode, []string{"advice", "file", "single"}},
		{"reversal_mti", p.ReversalMTI, []string{"0420", "0400"}},
		{"dup_rrn", p.DupRRN, []string{"accept", "reject"}},
		{"de39_16", p.DE39x16, []string{"decline", "approved"}},
	} {
		if !slices.Contains(c.honoured, c.value) {
			refuse("%s = %q is not supported; write one of %s", c.key, c.value, strings.Join(c.honoured, ", "))
		}
	}
	if p.Name == "" {
		refuse("name is empty")
	}
	if p.MTIVersion != 0 {
		refuse("mti_version = %d is not supported; write 0 (the 1987 edition)", p.MTIVersion)
	}
	if !slices.Contains([]int{0, 56, 60}, p.ReversalReasonElement) {
		refuse("reversal_reason_element = %d is not supported; write 60, 56, or 0 for none", p.ReversalReasonElement)
	}
	if least := p.verifyWith(); p.AccountVerification != "zero" && (least < 1 || least > maxMinor) {
		refuse("account_verification = %q is not supported; write zero, or the least amount in minor units", p.AccountVerification)
	}
	if p.CaptureMode == "single" && p.AccountVerification != "zero" {
		refuse("account_verification = %q does not go with capture_mode = single: a host without holds checks with zero", p.AccountVerification)
	}
	for _, de := range p.MatchKey {
		if !slices.Contains([]int{7, 11, 32, 37, 41}, de) {
			refuse("match_key: element %d is not one of 7, 11, 32, 37, 41", de)
		}
	}
	if !slices.Contains(p.MatchKey, 11) || !slices.Contains(p.MatchKey, 7) && !slices.Contains(p.MatchKey, 37) {
		refuse("match_key needs 11 and one of 7 and 37: a STAN alone recurs")
	}
	for _, de := range p.EchoSet {
		if de < 2 || de > 128 {
			refuse("echo_set: there is no element %d", de)
		}
	}
	nii, code := regexp.MustCompile(`^\d{4}$`), regexp.MustCompile(`^(\d{3})?$`)
	if p.TPDU.Enabled && !(nii.MatchString(p.TPDU.Dest) && nii.MatchString(p.TPDU.Src)) {
		refuse("tpdu: dest and src are four digits each")
	}
	for key, value := range map[string]string{
		"sign_on": p.NetworkCodes.SignOn, "sign_off": p.NetworkCodes.SignOff,
		"key_change": p.NetworkCodes.KeyChange, "cutover": p.NetworkCodes.Cutover, "echo": p.NetworkCodes.Echo,
	} {
		if !code.MatchString(value) {
			refuse("network_codes.%s = %q: three digits", key, value)
		}
	}
	if p.NetworkCodes.SignOn == "" || p.NetworkCodes.Echo == "" {
		refuse("network_codes: sign_on and echo are needed")
	}
	for key, d := range map[string]Duration{
		"timeouts.connect": p.Timeouts.Connect, "timeouts.write": p.Timeouts.Write,
		"timeouts.authorise": p.Timeouts.Authorise, "timeouts.advice": p.Timeouts.Advice, "timeouts.network": p.Timeouts.Network,
		"saf.overtaken": p.SAF.Overtaken, "timeouts.idle": p.Timeouts.Idle, "timeouts.drain": p.Timeouts.Drain,
		"pool.reconnect_min": p.Pool.ReconnectMin, "pool.reconnect_max": p.Pool.ReconnectMax,
	} {
		if d.Duration <= 0 {
			refuse("%s must be more than nothing", key)
		}
	}
	if p.Pool.ReconnectMax.Duration < p.Pool.ReconnectMin.Duration {
		refuse("pool.reconnect_max is below pool.reconnect_min")
	}
	if len(p.SAF.Backoff) == 0 {
		refuse("saf.backoff is empty")
	}
	for _, d := range slices.Concat(p.SAF.Backoff, p.SAF.Alarms) {
		if d.Duration <= 0 {
			refuse("saf: %s is no wait", d)
		}
	}
	if p.Pool.Connections < 1 || p.Pool.Connections > 64 {
		refuse("pool.connections = %d: 1 to 64", p.Pool.Connections)
	}
	if p.Pool.InFlight < 2 || p.Pool.InFlight > 100_000 {
		refuse("pool.in_flight = %d: 2 to 100000", p.Pool.InFlight)
	}
	if (p.TLS.Cert == "") != (p.TLS.Key == "") {
		refuse("tls: cert and key come together")
	}
	if !p.TLS.Enabled && p.TLS != (TLS{}) {
		refuse("tls: files are named, but tls.enabled is false")
	}
	if _, err := p.answers(); err != nil {
		refuse("response_map: %w", err)
	}
	return errors.Join(problems...)
}

// verifyWith is the amount of a card check in minor units; what is no number is none.
func (p Profile) verifyWith() int64 {
	least, err := strconv.ParseInt(p.AccountVerification, 10, 64)
	if err != nil {
		return 0
	}
	return least
}
