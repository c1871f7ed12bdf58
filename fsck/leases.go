package fsck

import "strings"

// ofNode is how the leases begin that say that a node lives; every other one is for what one node does for all.
const ofNode = "node/"

// strangers are requests in work by a node that never lived: another one would take them over while they are worked on.
const strangers = `
SELECT i.account || '/' || i.request_id, i.node FROM idempotency AS i
 WHERE NOT i.done AND i.node <> '' AND NOT EXISTS (SELECT 1 FROM lease AS l WHERE l.name = '` + ofNode + `' || i.node)`

// leases checks who lives, who works for all, and whose the requests are that are being worked on.
func (x *run) leases() error {
	err := x.each("SELECT name, holder, fence FROM lease", func(scan func(...any) error) error {
		var name, holder string
		var fence int64
		err := scan(&name, &holder, &fence)
		x.did("leases")
		node, is := strings.CutPrefix(name, ofNode)
		switch {
		case fence <= 0:
			x.bad("leases", "lease", name, "is given for the time %d, and the first is 1", fence)
		case holder == "", is && node != holder:
			x.bad("leases", "lease", name, "is held by %q", holder)
		}
		return err
	})
	if err != nil {
		return err
	}
	return x.each(strangers, func(scan func(...any) error) error {
		var row, node string
		err := scan(&row, &node)
		x.bad("leases", "idempotency", row, "is being worked on by %q, which was never there", node)
		return err
	})
}
