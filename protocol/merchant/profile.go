package merchant

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Profile is what one merchant's contract changes. Its zero value is what the sheet recommends.
type Profile struct {
	Algorithms  []Algorithm `toml:"algorithms"`                  // MD5, HMAC-SHA256; both where it is empty (§4.2)
	PaymentInfo bool        `toml:"payment_info"`                // a new order's answer says where to pay it (§5)
	Window      int64       `toml:"request_window"`              // how many seconds request_time may be off, either way; 300 (§16)
	AnyTime     bool        `toml:"any_request_time"`            // request_time may be any
	AllowIPs    []string    `toml:"allow_ips"`                   // addresses or networks that it calls from; any where it is empty (§16)
	Rate        int64       `toml:"rate"`                        // calls a second; 100, below 0 no limit (§16)
	Burst       int64       `toml:"burst"`                       // calls at once; twice the rate
	LastNumber  bool        `toml:"require_last_number"`         // a deposit order names the payer's account (§15, 0026)
	NeedChannel bool        `toml:"require_platform_channel_id"` // a request names the channel (§15, 0019)
	RealAmount  bool        `toml:"real_amount_in_payouts"`      // payouts are told with real_amount (§10)
	PayerName   bool        `toml:"payer_name"`                  // payment_cl_name in notifications and lists (§6.1, §7)
	NoFrozen    bool        `toml:"no_frozen_balance"`           // a balance comes without its frozen part (§18)
	Acks        []Ack       `toml:"acks"`                        // what acknowledges a notification beside error_code 0000 (§7)
	Bearer      bool        `toml:"bearer"`                      // the Authorization header may begin with "Bearer " (§1)
	PrecheckURL string      `toml:"precheck_url"`                // asked before a payout is taken on; never where it is empty (§11)
	Channel     string      `toml:"platform_channel_id"`         // PFC00000001
	ChannelName string      `toml:"channel_name"`                // KRW main

	allowed []netip.Prefix // AllowIPs, read
}

// Ack is an answer to a notification that a merchant gives instead of the documented one (§7).
type Ack string

// The acknowledgements: all of them with HTTP 200.
const (
	AckCode    Ack = "0000"    // the bare text
	AckSuccess Ack = "success" // the bare text
	AckEmpty   Ack = "empty"   // {} or nothing
)

const perSecond = 100 // calls of one merchant, where its profile says nothing

// Check says what is wrong with a profile.
func (p Profile) Check() error {
	_, err := p.ready(true)
	return err
}

// ready is a profile with its defaults, read and checked.
func (p Profile) ready(private bool) (Profile, error) {
	if len(p.Algorithms) == 0 {
		p.Algorithms = []Algorithm{MD5, HMAC}
	}
	for _, a := range p.Algorithms {
		if a != MD5 && a != HMAC {
			return p, fmt.Errorf("algorithms: %q is neither %s nor %s", a, MD5, HMAC)
		}
	}
	for _, a := range p.Acks {
		if !slices.Contains([]Ack{AckCode, AckSuccess, AckEmpty}, a) {
			return p, fmt.Errorf("acks: %q is none of %s, %s, %s", a, AckCode, AckSuccess, AckEmpty)
		}
	}
	p.allowed = nil
	for _, written := range p.AllowIPs {
		network, err := parseNetwork(written)
		if err != nil {
			return p, fmt.Errorf("allow_ips: %q is neither an address nor a network", written)
		}
		p.allowed = append(p.allowed, network)
	}
	if p.Window < 0 || p.Window > 86_400 || p.Burst < 0 {
		return p, errors.New("request_window is at most a day of seconds, and neither it nor burst is below 0")
	}
	if p.PrecheckURL != "" {
		if why := badTarget(p.PrecheckURL, private); why != "" {
			return p, fmt.Errorf("precheck_url %s", why)
		}
	}
	p.Window = cmp.Or(p.Window, 300)
	p.Rate = cmp.Or(p.Rate, perSecond)
	p.Burst = cmp.Or(p.Burst, 2*p.Rate)
	p.Channel = cmp.Or(p.Channel, "PFC00000001")
	p.ChannelName = cmp.Or(p.ChannelName, "KRW main")
	return p, nil
}

// parseNetwork reads an address or a network.
func parseNetwork(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Unmap().Prefix(a.Unmap().BitLen())
}

// admits reports whether a merchant may call from an address.
func (p Profile) admits(from netip.Addr) bool {
	return len(p.allowed) == 0 || slices.ContainsFunc(p.allowed, func(n netip.Prefix) bool { return n.Contains(from) })
}

// answersWith is how lists and balances are signed: with MD5, unless the merchant takes nothing but HMAC.
func (p Profile) answersWith() Algorithm {
	if slices.Contains(p.Algorithms, MD5) {
		return MD5
	}
	return HMAC
}

func profiles(from map[string]Profile, private bool) (map[string]Profile, error) {
	out := make(map[string]Profile, len(from))
	for id, p := range from {
		ready, err := p.ready(private)
		if err != nil {
			return nil, fmt.Errorf("merchant %s: %w", id, err)
		}
		out[id] = ready
	}
	return out, nil
}
