package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"syscall"
	"text/template"
)

// node is naru serve, a process of its own.
type node struct {
	name, dir, binary string
	lives             int
	process           *exec.Cmd
	gsp               atomic.Value // where its present life listens
}

// furnish writes a node's configuration.
func (s *stage) furnish(name, database string) (*node, error) {
	n := &node{name: name, dir: s.dir, binary: s.o.Binary}
	f, err := os.OpenFile(n.config(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return n, errors.Join(config.Execute(f, map[string]any{
		"Store": database, "Name": name, "Lease": s.o.Lease, "Acquirer": s.host.Addr(), "Account": account,
	}), f.Close())
}

const account = "Drill"

var config = template.Must(template.New("").Parse(`environment = "sandbox"
log.level = "info"
store = { url = "{{.Store}}", kek = "kek" }
node = { name = "{{.Name}}", lease = "{{.Lease}}" }
admin = { listen = "127.0.0.1:0" }
[gsp]
listen = "127.0.0.1:0"
cert = "server.pem"
key = "server.key"
own_keys = "keys/own"
google_keys = "keys/google"
google_base = "https://127.0.0.1:9"
[[acquirer]]
name = "main"
addresses = ["{{.Acquirer}}"]
institution = "12345678901"
city = "SEOUL"
[[account]]
id = "{{.Account}}"
apis = ["korea-cards-v1"]
currencies = ["KRW"]
acquirer = "main"
terminals = ["PI000001"]
merchant = "PIMERCHANT00001"
mcc = "5816"
`))

func (n *node) config() string { return filepath.Join(n.dir, "node-"+n.name+".toml") }
func (n *node) log() string {
	return filepath.Join(n.dir, fmt.Sprintf("node-%s-%d.log", n.name, n.lives))
}

// start runs a node until it says where it listens.
func (n *node) start(ctx context.Context) error {
	n.lives++
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n.process = exec.CommandContext(ctx, n.binary, "serve", "--config", n.config())
	n.process.Stdout, n.process.Stderr = log, log
	if err := errors.Join(n.process.Start(), log.Close()); err != nil {
		return err
	}
	err = until(ctx, "node "+n.name+" was ready", func() (bool, error) {
		text, err := os.ReadFile(n.log())
		if said := ready.FindSubmatch(text); said != nil {
			n.gsp.Store(string(said[1]))
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("%w; its log ends in:\n%s", err, n.lastWords())
	}
	return nil
}

// ready is what a node logs when it listens.
var ready = regexp.MustCompile(`msg=ready gsp=(\S+)`)

// kill ends a node as a crash would.
func (n *node) kill() error {
	err := n.process.Process.Kill()
	_ = n.process.Wait() // it was killed
	return err
}

// stop lets a node end what it does.
func (n *node) stop() error {
	if n.process == nil || n.process.Process == nil || n.process.ProcessState != nil {
		return nil
	}
	err := n.process.Process.Signal(syscall.SIGTERM)
	if err = errors.Join(err, n.process.Wait()); err != nil {
		return fmt.Errorf("node %s: %w; its log ends in:\n%s", n.name, err, n.lastWords())
	}
	return nil
}

// lastWords is the end of a node's log.
func (n *node) lastWords() []byte {
	text, err := os.ReadFile(n.log())
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-2000):]
}
