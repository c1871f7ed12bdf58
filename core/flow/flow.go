// Package flow is a state machine as a table: what is not listed cannot happen. The table can draw itself.
package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rules lists, for each state, the events that may happen in it and the state they lead to.
type Rules[S, E ~string] map[S]map[E]S

// Next is the state after e happened in s. ok is false where that cannot happen.
func (r Rules[S, E]) Next(s S, e E) (next S, ok bool) {
	next, ok = r[s][e]
	return next, ok
}

// States lists every state in order of its name.
func (r Rules[S, E]) States() []S {
	all := map[S]bool{}
	for s, row := range r {
		all[s] = true
		for _, to := range row {
			all[to] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Events lists every event in order of its name.
func (r Rules[S, E]) Events() []E {
	all := map[E]bool{}
	for _, row := range r {
		for e := range row {
			all[e] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Grid is the whole table as text, one line a state and event, impossible ones included.
func (r Rules[S, E]) Grid() string {
	var b strings.Builder
	for _, s := range r.States() {
		for _, e := range r.Events() {
			to, ok := r.Next(s, e)
			if !ok {
				to = "-"
			}
			fmt.Fprintf(&b, "%-16s %-12s %s\n", s, e, to)
		}
	}
	return b.String()
}

// Reaches reports whether events, told in order from the state first, can happen, and where they end.
func (r Rules[S, E]) Reaches(first S, events []E) (last S, ok bool) {
	last = first
	for _, e := range events {
		if last, ok = r.Next(last, e); !ok {
			return last, false
		}
	}
	return last, true
}

// Drawing is the table as a Mermaid state diagram; start is where it begins.
func (r Rules[S, E]) Drawing(start S) string {
	var b strings.Builder
	fmt.Fprintf(&b, "stateDiagram-v2\n    [*] --> %s\n", start)
	for _, s := range r.States() {
		for _, e := range r.Events() {
			if to, ok := r.Next(s, e); ok {
				fmt.Fprintf(&b, "    %s --> %s : %s\n", s, to, e)
			}
		}
		if len(r[s]) == 0 {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	return b.String()
}
