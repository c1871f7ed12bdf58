package gsp

import (
	"net/netip"
	"sync"
	"time"

	"naru/core/fault"
)

// strangers bounds what those who have not proven who they are can cost us (design §3.9): who failed too often within a second is turned
// away before any cryptography.
type strangers struct {
	perSecond int // failures of one source

	mu       sync.Mutex
	second   int64
	failures map[netip.Prefix]int
}

const maxSources = 4096 // beyond it, failures of new sources within that second are not counted

// source is who a connection comes from: an IPv4 address or an IPv6 network.
func source(remote string) netip.Prefix {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip := addr.Addr().Unmap()
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// turnedAway reports whether a source has used up its failures of this second.
func (s *strangers) turnedAway(from netip.Prefix, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.second == now.Unix() && s.failures[from] >= s.perSecond
}

// failed counts a failure.
func (s *strangers) failed(from netip.Prefix, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.second != now.Unix() {
		s.second = now.Unix()
		clear(s.failures)
	}
	if _, known := s.failures[from]; known || len(s.failures) < maxSources {
		s.failures[from]++
	}
}

// shared are sealed refusals in which nothing stands of the call: each is signed at most once a second, and everybody gets the same bytes.
type shared struct {
	mu      sync.Mutex
	answers map[refusal]sealed
}

type refusal struct {
	generation Generation
	kind       fault.Kind
}

type sealed struct {
	wire []byte
	at   time.Time
}

func (s *shared) answer(r refusal, now time.Time, seal func() ([]byte, error)) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.answers[r]; ok && now.Sub(old.at).Abs() < time.Second {
		return old.wire, nil
	}
	wire, err := seal()
	if err == nil {
		s.answers[r] = sealed{wire, now}
	}
	return wire, err
}
