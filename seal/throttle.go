package seal

import (
	"sync"
	"time"
)

// throttle caps how much work strangers can make us do in a second. A failure is charged after it happened, so requests
// in flight at the same moment may overshoot; the debt is paid before anything further is allowed.
type throttle struct {
	mu     sync.Mutex
	rate   float64 // failures a second, and the burst
	tokens float64
	last   time.Time
}

func newThrottle(perSecond int) *throttle {
	return &throttle{rate: float64(perSecond), tokens: float64(perSecond)}
}

func (t *throttle) allows(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if passed := now.Sub(t.last).Seconds(); passed > 0 {
		t.tokens = min(t.rate, t.tokens+passed*t.rate)
		t.last = now
	}
	return t.tokens >= 1
}

func (t *throttle) charge() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens--
}
