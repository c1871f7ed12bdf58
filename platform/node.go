package platform

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"naru/engine"
)

// shortestLease is what a lease must last at the least: it is renewed four times within it, over a network.
const shortestLease = time.Second

// longestDrain is less than whoever sends the signal waits before it kills.
const longestDrain = time.Minute

// node is who this process is among those that share its database: the name that operators know, and what tells this life from every other.
func (c Config) node() (engine.Node, error) {
	name := c.Node.Name
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return engine.Node{}, fmt.Errorf("node.name is empty, and the machine has no name: %w", err)
		}
		name = host
	}
	life, err := uuid.NewV7()
	if err != nil {
		return engine.Node{}, err
	}
	return engine.Node{ID: name + "/" + life.String(), Lease: cmp.Or(c.Node.Lease.Duration, 10*time.Second)}, nil
}

// Password is that of the database; none where no file is named.
func (c Config) Password() (string, error) {
	if c.Store.Password == "" {
		return "", nil
	}
	text, err := os.ReadFile(c.file(c.Store.Password))
	if err != nil {
		return "", fmt.Errorf("store.password: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// settled is after what time no transaction can still write in front of an event of the journal: more than any lives. A sandbox need not wait so long.
func (c Config) settled(lease time.Duration) time.Duration {
	if c.Sandbox() {
		return 2 * lease
	}
	return max(time.Minute, 6*lease)
}
