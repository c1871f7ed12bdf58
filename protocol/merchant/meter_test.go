package merchant

import (
	"fmt"
	"slices"
	"testing"
)

// The meter hears the code as well as the status: nearly every answer of this API is a 200 (§3).
func TestMeter(t *testing.T) {
	m := &meter{}
	w := newWorld(t, Profile{Rate: 1, Burst: 1}, func(c *Config) { c.Meter = m })
	w.query(balance1)
	w.query(balance1) // too often
	w.send("GET", balance1, nil, "Authorization", "")
	w.query("/gateway/api/v1/nothing")
	if want := []string{"getBalance 200 0000", "getBalance 200 0001", "getBalance 200 0005", "none 404 0002"}; !slices.Equal(m.seen, want) {
		t.Errorf("got %q", m.seen)
	}
}

type meter struct{ seen []string }

func (m *meter) Called(method string, status int, code Code, _ float64) {
	m.seen = append(m.seen, fmt.Sprint(method, " ", status, " ", code))
}
