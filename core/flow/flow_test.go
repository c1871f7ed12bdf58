package flow_test

import (
	"slices"
	"testing"

	. "naru/core/flow"
)

type state string

type event string

var door = Rules[state, event]{
	"open":   {"close": "closed"},
	"closed": {"open": "open", "wall": "gone"},
}

func TestRules(t *testing.T) {
	if to, ok := door.Next("closed", "wall"); to != "gone" || !ok {
		t.Error(to, ok)
	}
	for _, impossible := range []struct {
		s state
		e event
	}{{"open", "open"}, {"gone", "open"}, {"nowhere", "open"}, {"open", "never"}} {
		if to, ok := door.Next(impossible.s, impossible.e); ok {
			t.Errorf("%v leads to %s", impossible, to)
		}
	}
	if got := door.States(); !slices.Equal(got, []state{"closed", "gone", "open"}) {
		t.Error(got)
	}
	if got := door.Events(); !slices.Equal(got, []event{"close", "open", "wall"}) {
		t.Error(got)
	}
	if last, ok := door.Reaches("open", []event{"close", "wall"}); last != "gone" || !ok {
		t.Error(last, ok)
	}
	if _, ok := door.Reaches("open", []event{"close", "close", "open"}); ok {
		t.Error("a door was closed twice")
	}
}

func TestGridHasTheImpossibleToo(t *testing.T) {
	const want = `closed           close        -
closed           open         open
closed           wall         gone
gone             close        -
gone             open         -
gone             wall         -
open             close        closed
open             open         -
open             wall         -
`
	if got := door.Grid(); got != want {
		t.Error(got)
	}
}

func TestDrawing(t *testing.T) {
	const want = `stateDiagram-v2
    [*] --> open
    closed --> open : open
    closed --> gone : wall
    gone --> [*]
    open --> closed : close
`
	if got := door.Drawing("open"); got != want {
		t.Error(got)
	}
}
