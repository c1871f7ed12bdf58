package room

import (
	"net/netip"
	"testing"
)

// fill lets a guest take all it can get.
func fill(r *Room, g Guest) (n int) {
	for r.Enter(g) {
		n++
	}
	return n
}

// Who holds on to all it can get leaves a place for whoever comes for the first time, however many did so before.
func TestShares(t *testing.T) {
	for _, c := range []struct {
		name   string
		places int
		guests []Guest
		want   []int
	}{
		{"parties", 1024, []Guest{{Party: "a"}, {Party: "b"}, {Party: "c"}, {Party: "d"}, {Party: "e"}}, []int{768, 192, 48, 12, 3}},
		{"guests of one party", 1024, []Guest{{"a", "1"}, {"a", "2"}, {"a", "3"}, {"a", "4"}}, []int{576, 144, 36, 9}},
		{"guests of several", 1024, []Guest{{"a", "1"}, {"b", "2"}, {"a", "3"}, {"b", "4"}}, []int{576, 252, 3, 62}},
		{"the same name elsewhere", 1024, []Guest{{"a", "1"}, {"b", "1"}}, []int{576, 252}},
		{"few places", 4, []Guest{{Party: "a"}, {Party: "b"}, {Party: "c"}}, []int{3, 1, 0}},
		{"one place", 1, []Guest{{"a", "1"}, {Party: "b"}}, []int{1, 0}},
		{"no place", 0, []Guest{{Party: "a"}}, []int{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, all := New(c.places), 0
			for i, g := range c.guests {
				n := fill(r, g)
				if all += n; n != c.want[i] {
					t.Errorf("%v takes %d places, want %d", g, n, c.want[i])
				}
			}
			if r.Taken() != all || r.Full() != (all == c.places) {
				t.Errorf("%d taken, full: %t", r.Taken(), r.Full())
			}
			for i, g := range c.guests {
				for range c.want[i] {
					r.Leave(g)
				}
			}
			if r.Taken() != 0 || len(r.held) != 0 {
				t.Errorf("%d places taken at the end by %v", r.Taken(), r.held)
			}
			if n := fill(r, c.guests[0]); n != c.want[0] {
				t.Errorf("afterwards %d", n)
			}
		})
	}
}

// The rule, for every state of small rooms: there is a place for a new party while any is free, and for a new guest while its party has
// one.
func TestNewcomers(t *testing.T) {
	for places := range 40 {
		for first := range places + 1 {
			r, old := New(places), Guest{"a", "1"}
			for range first {
				if !r.Enter(old) {
					break
				}
			}
			r.Enter(Guest{"b", "1"})
			full := r.Full()
			if r.Enter(Guest{"c", "1"}) == full {
				t.Fatalf("%d places, %v: a new party finds a place: %t", places, r.held, !full)
			}
			if !r.Enter(Guest{"a", "2"}) && r.Enter(Guest{Party: "a"}) {
				t.Fatalf("%d places, %v: there was a place for a new guest", places, r.held)
			}
		}
	}
}

func TestFrom(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := From(netip.MustParseAddr(from)); got != (Guest{Party: want}) {
			t.Errorf("%s: %v", from, got)
		}
	}
	if From(netip.Addr{}).Party == "" {
		t.Error("nobody is nobody's guest")
	}
}
