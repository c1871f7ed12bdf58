package gsp

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"naru/engine"
	"naru/room"
	"naru/seal"
)

// An Idempotency answers each request once. It runs fn for a new request, waits for one that is still running, gives back what was
// answered before, and refuses a known key with other content.
type Idempotency interface {
	Once(context.Context, engine.Request, func(context.Context, engine.Turn) ([]byte, error)) ([]byte, error)
}

// Accounts knows the accounts we serve.
type Accounts interface {
	Account(id string) (engine.Account, bool)
}

// A Box opens what the peer sends and seals what we send. Open's errors are those of package seal; what it opened is memory of its own.
type Box interface {
	Open(context.Context, []byte) (seal.Opened, error)
	Seal([]byte) ([]byte, error)
}

// A Meter counts calls. API and method are ours or "none", so their values are few.
type Meter interface {
	Called(api, method string, status int, seconds float64)
}

// Config is what a Server needs. Zero limits take the defaults named here.
type Config struct {
	Environment   string // for the log
	ServerMessage string // of echo; optional
	BasePath      string // in front of every path; optional
	Box           Box
	LargeBox      Box // opens what comes to methods with a limit above BodyLimit; default: Box
	Idempotency   Idempotency
	Accounts      Accounts
	Now           func() time.Time // wall time: header timestamps
	Business      func() time.Time // business time, handed to methods
	NewID         func() string    // ids of our calls; default: random
	Log           *slog.Logger
	Meter         Meter               // optional
	Refused       func(reason string) // hears why a call was refused early, one word from a fixed list; optional

	Deadline  time.Duration // for a whole call, 5 s (gsp-core §6)
	BodyLimit int64         // bytes, 1 MiB
	MaxCalls  int           // calls in work at a time, and beside them calls on their way in, 1024
	Openings  int           // messages being opened at a time, twice the processors
	Failures  int           // undecryptable or unsigned messages a second from one source, 40
}

// Server answers what Google calls. It serves /v1/echo and /v2/echo by itself.
type Server struct {
	cfg       Config
	routes    map[string]*route
	arriving  *room.Room     // calls on their way in, by where they come from: nobody has proven yet who he is
	uploads   *room.Room     // the same of methods that take more than the default limit
	working   *room.Room     // calls in work, by account and by the rail behind it
	large     chan struct{}  // one place for a call to a method that takes more than the default limit
	line      line           // in front of the cryptography
	running   sync.WaitGroup // late work
	bodies    sync.Pool
	documents documents
	strangers strangers
	shared    shared
}

// route is where a method is served.
type route struct {
	api     API
	method  Method
	limit   int64
	prefix  string          // names the operation in a request's content
	foreign map[string]bool // members of sibling methods, in every API at this path
	other   *route          // the same method of another API at the same path: the account says which is meant
}

// NewServer makes a server that serves echo.
func NewServer(cfg Config) *Server {
	cfg.Deadline = cmp.Or(cfg.Deadline, 5*time.Second)
	cfg.BodyLimit = cmp.Or(cfg.BodyLimit, 1<<20)
	cfg.MaxCalls = cmp.Or(cfg.MaxCalls, 1024)
	cfg.Openings = cmp.Or(cfg.Openings, 2*runtime.GOMAXPROCS(0))
	if cfg.LargeBox == nil {
		cfg.LargeBox = cfg.Box
	}
	if cfg.NewID == nil {
		cfg.NewID = rand.Text
	}
	if cfg.Meter == nil {
		cfg.Meter = noMeter{}
	}
	if cfg.Refused == nil {
		cfg.Refused = func(string) {}
	}
	s := &Server{
		cfg: cfg, routes: map[string]*route{},
		arriving: room.New(cfg.MaxCalls), uploads: room.New(maxUploads), working: room.New(cfg.MaxCalls), large: make(chan struct{}, 1),
		line:      line{slots: make(chan struct{}, cfg.Openings)},
		strangers: strangers{perSecond: cmp.Or(cfg.Failures, 40), failures: map[netip.Prefix]int{}},
		shared:    shared{answers: map[refusal]sealed{}},
	}
	echo := []Method{Echo(cfg.ServerMessage)}
	s.Serve(API{Generation: A, Major: 1, Prefix: "/v1/", Methods: echo})
	s.Serve(API{Generation: B, Major: 2, Prefix: "/v2/", Methods: echo})
	return s
}

type noMeter struct{}

func (noMeter) Called(string, string, int, float64) {}

// Serve adds an API. All of them are added before the first request. Two APIs may have the same method at one path, as the card APIs have
// defendChargeback (Card FOP v1 §10); any other path that is taken is a mistake in the program.
func (s *Server) Serve(api API) {
	for _, m := range api.Methods {
		path := s.cfg.BasePath + cmp.Or(m.path, api.Prefix+m.name)
		r := &route{
			api: api, method: m, limit: cmp.Or(m.limit, s.cfg.BodyLimit),
			prefix:  fmt.Sprintf("%s %d %s\n", api.Name, api.Major, m.name),
			foreign: api.siblings(m), other: s.routes[path],
		}
		if r.other != nil {
			if !r.sharesWith(r.other) {
				panic("gsp: two methods at " + path)
			}
			maps.Copy(r.foreign, r.other.foreign)
		}
		s.routes[path] = r
	}
}

// sharesWith reports whether the account alone can say which of the APIs at a path is meant.
func (r *route) sharesWith(other *route) bool {
	for o := other; o != nil; o = o.other {
		if o.api.Name == r.api.Name {
			return false
		}
	}
	return r.api.Name != "" && other.api.Name != "" && r.api.Generation == other.api.Generation && r.api.Major == other.api.Major &&
		r.limit == other.limit && r.method.name == other.method.name && slices.Equal(r.method.members, other.method.members)
}

// Drain waits for calls whose caller was already told 503. Call it when the HTTP server has shut down.
func (s *Server) Drain() { s.running.Wait() }
