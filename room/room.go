// Package room bounds how much is under way at once, so that nobody takes what all need: one rail that hangs, one account or one merchant
// that calls too much leaves places for the others.
package room

import (
	"net/netip"
	"sync"
)

// Guest is who takes a place, and whose party it comes with: an account and the rail behind it. Who has no name is the party itself.
type Guest struct{ Party, Name string }

// From is the guest whom calls from an address belong to, where nobody has proven who he is: the address, or the network of an IPv6 one.
func From(a netip.Addr) Guest {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	return Guest{Party: netip.PrefixFrom(a, bits).Masked().String()}
}

// share is how many places a party may hold for each that is free, and a guest for each that its party may still take. Who holds on to all
// it can get stops at three quarters, the next one at three quarters of what is left, and who comes for the first time finds a place.
// Nothing is set aside for parties that do not come. A room of fewer than four places has no shares.
const share = 3

// Room is a number of places. It is safe for concurrent use, and nobody ever waits in front of it.
type Room struct {
	places int

	mu    sync.Mutex
	taken int
	held  map[Guest]int // by guests, and by parties in all
}

// New makes a room.
func New(places int) *Room { return &Room{places: places, held: map[Guest]int{}} }

// Enter takes a place, or reports that there is none for this guest now.
func (r *Room) Enter(g Guest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	party := Guest{Party: g.Party}
	left := (share*(r.places-r.taken) - r.held[party] + share) / (share + 1) // places that the party may still take
	if left <= 0 || g != party && r.held[g] >= share*left {
		return false
	}
	r.taken++
	r.held[party]++
	if g != party {
		r.held[g]++
	}
	return true
}

// Leave gives a place back.
func (r *Room) Leave(g Guest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken--
	r.release(Guest{Party: g.Party})
	if g.Name != "" {
		r.release(g)
	}
}

// release forgets who holds nothing any more.
func (r *Room) release(g Guest) {
	if r.held[g]--; r.held[g] == 0 {
		delete(r.held, g)
	}
}

// Taken is how many places are taken.
func (r *Room) Taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken
}

// Full reports whether there is no place for anybody.
func (r *Room) Full() bool { return r.Taken() >= r.places }
