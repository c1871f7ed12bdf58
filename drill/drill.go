// Package drill kills and cuts off what several nodes rest on while requests come in: their database's primary, one of them, the network
// between, the replica. It says how long that was felt, and proves that nothing that was acknowledged is lost: each answer is found again,
// the acquirer holds what the books hold, and fsck finds nothing. Everything runs on loopback and is thrown away.
package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say what is played, and how.
type Options struct {
	Binary       string        // this program: its nodes are processes of their own
	Only         []string      // some of Names; all where empty
	Asynchronous bool          // only that the primary is lost, and the replica was a moment behind: what is lost is shown, and no failure
	Load         time.Duration // before anything happens, and again after it is mended
	PerSecond    float64       // requests
	Lease        time.Duration // of a node
	Progress     io.Writer
}

// Report is what came of the drills.
type Report struct {
	Lease     float64  `json:"lease_s"`
	PerSecond float64  `json:"requests_per_second"`
	Drills    []Result `json:"drills"`
}

// Result is what came of one. Times are milliseconds of wall time.
type Result struct {
	Name         string   `json:"name"`
	What         string   `json:"what"`
	Requests     int      `json:"requests"`
	Acknowledged int      `json:"acknowledged"`
	Found        int      `json:"found"`       // of those, with the same answer
	Repeated     int      `json:"repeated"`    // requests of which a call failed
	Undone       int      `json:"undone"`      // first attempts that nobody knew the end of: reversed, and asked anew
	BackMS       float64  `json:"back_ms"`     // from the blow to the first 200 of a call that was sent after it
	InWorkMS     float64  `json:"in_work_ms"`  // the slowest request that was under way when it fell, over all its calls
	AskedMS      float64  `json:"asked_ms"`    // the slowest that was due after it
	Outages      []Outage `json:"outages"`     // one for each node
	Notes        []string `json:"notes"`       // what else was seen
	Problems     []string `json:"problems"`    // why the drill failed
	AtAcquirer   int      `json:"at_acquirer"` // holds, in its own record
	InBooks      int      `json:"in_books"`    // holds
	Disagreeing  int      `json:"disagreeing"` // holds that only one of them knows
	FsckErrors   int64    `json:"fsck_errors"` // in the database that is left
	Synchronous  bool     `json:"synchronous"` // commits waited for a replica
}

// Outage is how a node was felt to be away: by calls to it that were not answered 200. Times count from the blow.
type Outage struct {
	Node      string  `json:"node"`
	Failed    int     `json:"failed"`
	FirstMS   float64 `json:"first_ms"`   // when the first of them was sent
	LastMS    float64 `json:"last_ms"`    // when the last of them had failed
	LongestMS float64 `json:"longest_ms"` // how long one of them waited at the most
}

// drills are all there are, in the order in which they are played.
var drills = []struct {
	name, what string
	setting    setting
	play       func(*stage, context.Context) error
}{
	{"primary", "the primary database is killed, and its replica takes over", setting{replica: true}, (*stage).losePrimary},
	{"node", "a node is killed", setting{}, (*stage).loseNode},
	{"partition", "a node is cut off from the database for longer than its lease", setting{line: true}, (*stage).losePath},
	{"standby", "the replica that commits wait for is killed", setting{replica: true}, (*stage).loseStandby},
}

// Names are those of all drills.
func Names() (names []string) {
	for _, d := range drills {
		names = append(names, d.name)
	}
	return names
}

// Run plays the drills one after the other. What they found wrong stands in the report; an error is that one could not be played.
func Run(ctx context.Context, o Options) (Report, error) {
	r := Report{Lease: o.Lease.Seconds(), PerSecond: o.PerSecond}
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return r, fmt.Errorf("there is no drill %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	if o.PerSecond <= 0 || o.Lease <= 0 || o.Load <= 0 {
		return r, errors.New("load, requests a second and lease: more than nothing")
	}
	if o.Asynchronous {
		o.Only = []string{"primary"}
	}
	for _, d := range drills {
		if len(o.Only) > 0 && !slices.Contains(o.Only, d.name) {
			continue
		}
		fmt.Fprintf(o.Progress, "%s: %s\n", d.name, d.what)
		s, err := build(ctx, o, d.setting)
		if err != nil {
			return r, fmt.Errorf("%s: %w", d.name, err)
		}
		s.result.Name, s.result.What = d.name, d.what
		if err := errors.Join(d.play(s, ctx), s.close()); err != nil {
			return r, fmt.Errorf("%s: %w", d.name, err)
		}
		r.Drills = append(r.Drills, s.result)
	}
	return r, nil
}

// OK reports whether every drill went well.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Drills, func(d Result) bool { return len(d.Problems) > 0 })
}

// Write prints the report for people.
func (r Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Two nodes, a lease of %g s, %g requests a second. Times count from the blow.\n", r.Lease, r.PerSecond)
	for _, d := range r.Drills {
		fmt.Fprintf(&b, "\n%s: %s\n", d.Name, d.What)
		for _, o := range d.Outages {
			if o.Failed == 0 {
				fmt.Fprintf(&b, "  node %s: no call failed\n", o.Node)
				continue
			}
			fmt.Fprintf(&b, "  node %s: calls that failed: %d, from %s to %s; the longest waited %s\n",
				o.Node, o.Failed, seconds(o.FirstMS), seconds(o.LastMS), seconds(o.LongestMS))
		}
		fmt.Fprintf(&b, "  first 200 after %s; slowest request: %s of those in work, %s of those asked later\n",
			seconds(d.BackMS), seconds(d.InWorkMS), seconds(d.AskedMS))
		fmt.Fprintf(&b, "  requests repeated: %d; attempts undone at the acquirer and made anew: %d\n", d.Repeated, d.Undone)
		for _, n := range d.Notes {
			fmt.Fprintf(&b, "  %s\n", n)
		}
		fmt.Fprintf(&b, "  acknowledged %d, found %d\n", d.Acknowledged, d.Found)
		fmt.Fprintf(&b, "  held at the acquirer %d, in the books %d, by one alone %d; fsck finds %d errors\n",
			d.AtAcquirer, d.InBooks, d.Disagreeing, d.FsckErrors)
		for _, p := range d.Problems {
			fmt.Fprintf(&b, "  FAILED: %s\n", p)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func seconds(ms float64) string { return fmt.Sprintf("%.2f s", ms/1000) }
