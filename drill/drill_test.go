package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"naru/clock"
	"naru/crash"
	"naru/platform"
)

// TestMain lets the test binary play naru serve, as a node of a drill.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		if err := serve(os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serve(config string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := platform.Load(config)
	if err != nil {
		return err
	}
	log := platform.Logger(os.Stderr, cfg.Log)
	p, err := platform.Start(ctx, cfg, platform.World{Clock: &clock.Movable{}, Crash: crash.Never, Log: log})
	if err != nil {
		return err
	}
	log.Info("ready", "gsp", p.GSPAddr)
	return p.Wait()
}

func TestANodeIsKilled(t *testing.T) {
	r, err := Run(t.Context(), Options{
		Binary: os.Args[0], Only: []string{"node"}, Load: 500 * time.Millisecond, PerSecond: 10, Lease: time.Second, Progress: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	d := r.Drills[0]
	if !r.OK() || len(r.Drills) != 1 || d.Acknowledged == 0 || d.Acknowledged != d.Requests || d.Found != d.Acknowledged ||
		d.InBooks < d.Found || d.AtAcquirer != d.InBooks || d.Outages[0].Failed == 0 {
		t.Errorf("%s", &text)
	}
}

func TestRunRefusesWhatIsNotThere(t *testing.T) {
	for problem, o := range map[string]Options{
		"no drill":          {Only: []string{"flood"}, Load: 1, PerSecond: 1, Lease: 1},
		"more than nothing": {Load: 1, PerSecond: 1},
	} {
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %v", problem, err)
		}
	}
}

// blown is when something ended in the examples below.
var blown = time.Unix(1_000_000, 0)

func at(seconds float64) time.Time { return blown.Add(time.Duration(seconds * float64(time.Second))) }

func called(node string, sent, over float64, status int) call {
	return call{node: node, sent: at(sent), over: at(over), status: status}
}

var played = []request{
	{id: "before", due: at(-2), answer: []byte("{}"), calls: []call{called("a", -2, -1.5, 503), called("b", -1.5, -1, 200)}},
	{id: "in work", due: at(-1), answer: []byte("{}"), calls: []call{called("a", -1, 4, 0), called("b", 4, 5, 503), called("a", 5, 9, 200)}},
	{id: "after", due: at(1), answer: []byte("{}"), calls: []call{called("b", 1, 1.25, 200)}},
	{id: "unheard", due: at(2), calls: []call{called("a", 2, 2+callTime.Seconds(), 0)}},
	{id: "not asked", due: at(3)},
}

func TestFelt(t *testing.T) {
	var got Result
	got.felt(played, []string{"a", "b"}, blown)
	want := Result{
		Requests: 5, Acknowledged: 3, Repeated: 3, BackMS: 1250, InWorkMS: 10_000, AskedMS: millis(callTime),
		Outages: []Outage{
			{Node: "a", Failed: 2, FirstMS: -1000, LastMS: 2000 + millis(callTime), LongestMS: millis(callTime)},
			{Node: "b", Failed: 1, FirstMS: 4000, LastMS: 5000, LongestMS: 1000},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var calm Result
	calm.felt(played[:1], []string{"a"}, blown)
	if calm.BackMS != 0 || calm.Outages[0] != (Outage{Node: "a"}) {
		t.Errorf("what was over before the blow did not feel it: %+v", calm)
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		node     string
		from, to float64
		want     int
	}{{"", -9, 99, 3}, {"a", -9, 99, 1}, {"b", 0, 99, 1}, {"", 1, 99, 1}, {"", 0, 9, 1}} { // strictly between
		if got := answeredWithin(played, c.node, at(c.from), at(c.to)); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	if got := firstAfter(played, "a", at(0)); got != 9000 {
		t.Errorf("node a was back after %g ms", got)
	}
	if got := firstAfter(played, "a", at(6)); got != 0 {
		t.Errorf("nobody asked node a later, and it was back after %g ms", got)
	}
	if got := mute(played); got != 1 {
		t.Errorf("%d calls were left without an answer", got)
	}
}

func TestAlone(t *testing.T) {
	one := map[string]int64{"1": 100, "2": 200, "3": 300}
	if n := alone(one, one); n != 0 {
		t.Errorf("equal records differ in %d", n)
	}
	if n := alone(one, map[string]int64{"2": 200, "3": 301, "4": 400}); n != 3 {
		t.Errorf("%d, and 1 is here alone, 3 has another amount, 4 is there alone", n)
	}
}

func TestLine(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l, err := lay(server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := net.Dial("tcp", l.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	l.cut()
	if _, err := near.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if err := far.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := far.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("something passed a line that is cut, or it said so: %q, %v", got, err)
	}
	if err := far.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	l.mend()
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "late" {
		t.Errorf("what was sent meanwhile: %q, %v", got, err)
	}
	l.cut()
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Read(got); err == nil {
		t.Error("the line was taken away, and its connection stands")
	}
}
