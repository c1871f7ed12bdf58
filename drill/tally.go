package drill

import (
	"slices"
	"time"
)

// request is one that was asked until it was answered.
type request struct {
	id     string
	due    time.Time
	calls  []call
	answer []byte // of its 200, without what is of the moment; nil is none
}

// call is one call of a request.
type call struct {
	node       string
	sent, over time.Time
	status     int // 0: no answer
}

func (c call) good() bool { return c.status == 200 }

// took is how long the request was asked, over all its calls.
func (r request) took() time.Duration { return r.calls[len(r.calls)-1].over.Sub(r.due) }

// underWay reports whether a call was waiting for its answer at a moment.
func (r request) underWay(at time.Time) bool {
	return slices.ContainsFunc(r.calls, func(c call) bool { return c.sent.Before(at) && c.over.After(at) })
}

// felt writes down how requests felt a blow.
func (d *Result) felt(all []request, nodes []string, blow time.Time) {
	after := func(t time.Time) float64 { return millis(t.Sub(blow)) }
	for _, n := range nodes {
		d.Outages = append(d.Outages, Outage{Node: n})
	}
	d.BackMS = firstAfter(all, "", blow)
	for _, r := range all {
		d.Requests++
		if r.answer != nil {
			d.Acknowledged++
		}
		if slices.ContainsFunc(r.calls, func(c call) bool { return !c.good() }) {
			d.Repeated++
		}
		switch {
		case len(r.calls) == 0:
		case r.due.After(blow):
			d.AskedMS = max(d.AskedMS, millis(r.took()))
		case r.underWay(blow):
			d.InWorkMS = max(d.InWorkMS, millis(r.took()))
		}
		for _, c := range r.calls {
			if c.good() || !c.over.After(blow) {
				continue
			}
			o := &d.Outages[slices.Index(nodes, c.node)]
			if o.Failed++; o.Failed == 1 || after(c.sent) < o.FirstMS {
				o.FirstMS = after(c.sent)
			}
			o.LastMS = max(o.LastMS, after(c.over))
			o.LongestMS = max(o.LongestMS, millis(c.over.Sub(c.sent)))
		}
	}
}

// answeredWithin counts calls that were sent and answered 200 between two moments; by any node where node is empty.
func answeredWithin(all []request, node string, from, to time.Time) (n int) {
	for _, r := range all {
		for _, c := range r.calls {
			if c.good() && (node == "" || c.node == node) && c.sent.After(from) && c.over.Before(to) {
				n++
			}
		}
	}
	return n
}

// mute counts calls to nodes that run which got no answer at all before the caller lost patience.
func mute(all []request) (n int) {
	for _, r := range all {
		for _, c := range r.calls {
			if c.status == 0 && c.over.Sub(c.sent) >= callTime {
				n++
			}
		}
	}
	return n
}

// alone counts what stands in one of two records and not in the other.
func alone(a, b map[string]int64) (n int) {
	for name, amount := range a {
		if other, known := b[name]; !known || other != amount {
			n++
		}
	}
	for name := range b {
		if _, known := a[name]; !known {
			n++
		}
	}
	return n
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// firstAfter is how long after a moment a call that was sent later was answered 200 for the first time; by any node where node is empty.
func firstAfter(all []request, node string, since time.Time) float64 {
	var first time.Time
	for _, r := range all {
		for _, c := range r.calls {
			if c.good() && (node == "" || c.node == node) && c.sent.After(since) && (first.IsZero() || c.over.Before(first)) {
				first = c.over
			}
		}
	}
	if first.IsZero() {
		return 0
	}
	return millis(first.Sub(since))
}
