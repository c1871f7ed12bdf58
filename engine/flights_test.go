package engine_test

import (
	"testing"

	"naru/engine"
)

// A copy that joined a call of its own content waits for that one, whatever comes after it under the same key.
func TestFlightsCompareWithTheOneThatIsJoined(t *testing.T) {
	var f engine.Flights
	a, b := request("q", "m", "a"), request("q", "m", "b")
	if first, _, _ := f.Join(a); !first {
		t.Fatal("the first is not the first")
	}
	first, same, done := f.Join(a)
	if _, other, _ := f.Join(b); first || !same || other {
		t.Error("compared wrongly:", first, same, other)
	}
	f.Leave(a.Key)
	<-done
	if first, _, _ := f.Join(b); !first {
		t.Error("the key is still taken")
	}
	f.Leave(b.Key)
}
