package bankfeed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/deposit"
	"naru/drop"
	"naru/engine"
	"naru/rail/bankfeed"
)

// letterbox is an inbox in a folder, with a clock that stands still.
type letterbox struct {
	*bankfeed.Inbox
	t   *testing.T
	dir string
	to  *taker
	at  time.Time
}

func newLetterbox(t *testing.T) *letterbox {
	l := &letterbox{t: t, dir: t.TempDir(), to: &taker{}, at: at}
	l.Inbox = &bankfeed.Inbox{
		Feed: feed, Place: drop.Folder(l.dir), Every: time.Hour, Settle: time.Minute, Taker: l.to, Now: func() time.Time { return l.at },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	return l
}

func (l *letterbox) write(name, text string) {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *letterbox) look() {
	l.t.Helper()
	if err := l.Look(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
}

// lies says which files there are.
func (l *letterbox) lies(want ...string) {
	l.t.Helper()
	var got []string
	err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(l.dir, path)
			got = append(got, name)
		}
		return err
	})
	if err != nil || !slices.Equal(got, want) {
		l.t.Errorf("there are %q, want %q, %v", got, want, err)
	}
}

func (l *letterbox) reason(name string) string {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "failed", name+".err"))
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (l *letterbox) taken() (ids []string) {
	for _, m := range l.to.messages {
		ids = append(ids, m.ID)
	}
	return ids
}

// example is the sheet's notification under another name.
func example(t *testing.T, id string) string {
	return edit(t, "<MsgId>KB20261122-000017", "<MsgId>"+id)
}

func TestFiles(t *testing.T) {
	l := newLetterbox(t)
	l.write("C.xml", example(t, "M3"))
	l.write("A.xml", example(t, "M1"))
	l.write("B.xml", "\ufeff"+example(t, "M2"))
	l.write("D.xml", file(t, "pain.002-11.xml"))
	l.write("E.xml.tmp", example(t, "M4"))
	l.write("F.txt", "a letter")
	l.look()
	l.lies("E.xml.tmp", "F.txt", "done/A.xml", "done/B.xml", "done/C.xml", "done/D.xml")
	if got := l.taken(); !slices.Equal(got, []string{"M1", "M2", "M3"}) || len(l.to.news) != 1 || l.to.banks[0] != "kb" {
		t.Errorf("%v %+v", got, l.to.news)
	}
	if m := l.to.messages[0]; m.Kind != deposit.Notification || m.Feed != "kb-main" {
		t.Errorf("%+v", m)
	}
	l.look()
	if len(l.to.messages) != 3 {
		t.Error("taken again")
	}
	l.write("A.xml", example(t, "M1")) // the bank sends a name again
	l.look()
	l.lies("E.xml.tmp", "F.txt", "done/A.xml", "done/A.xml.1", "done/B.xml", "done/C.xml", "done/D.xml")
}

// Somebody who writes under the final name is waited for, as long as something changes (rails §3.9).
func TestHalfWrittenFile(t *testing.T) {
	l := newLetterbox(t)
	whole := example(t, "M1")
	l.write("A.xml", "")
	l.write("B.xml", example(t, "M2"))
	l.look()
	l.lies("A.xml", "done/B.xml")
	l.at = l.at.Add(59 * time.Second)
	l.write("A.xml", whole[:700])
	l.look()
	l.at = l.at.Add(59 * time.Second)
	l.look()
	l.lies("A.xml", "done/B.xml")
	l.write("A.xml", whole)
	l.at = l.at.Add(time.Hour)
	l.look()
	l.lies("done/A.xml", "done/B.xml")
	if got := l.taken(); !slices.Equal(got, []string{"M2", "M1"}) {
		t.Errorf("%v", got)
	}
}

func TestNeverFinishedFile(t *testing.T) {
	l := newLetterbox(t)
	l.write("A.xml", example(t, "M1")[:700])
	l.look()
	l.at = l.at.Add(time.Minute)
	l.look()
	l.lies("failed/A.xml", "failed/A.xml.err")
	if got := l.reason("A.xml"); !strings.HasPrefix(got, `{"reasons":["not a well-formed document: line `) {
		t.Errorf("%s", got)
	}
	if len(l.to.messages) != 0 {
		t.Error("half a document was taken")
	}
}

// What cannot be right, however long one waits, is put away at once, with reasons.
func TestFailedFiles(t *testing.T) {
	l := newLetterbox(t)
	l.to.say = map[string]error{"M2": fmt.Errorf("entry 1: %w", engine.UnknownAccount)}
	l.write("A.xml", edit(t, "<Sum>50003", "<Sum>50004"))
	l.write("B.xml", example(t, "M2"))
	l.write("C.xml", example(t, "M3"))
	l.write("D.xml", strings.Repeat(" ", 16<<20+1))
	l.look()
	l.lies("done/C.xml", "failed/A.xml", "failed/A.xml.err", "failed/B.xml", "failed/B.xml.err", "failed/D.xml", "failed/D.xml.err")
	for name, want := range map[string]string{
		"A.xml": `{"reasons":["Ntfctn 1: TxsSummry/TtlCdtNtries: Sum: the bookings come to another"]}`,
		"B.xml": `{"reasons":["entry 1: unknown_account"]}`,
		"D.xml": `{"reasons":["drop: the file is too large"]}`,
	} {
		if got := l.reason(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A report on orders where nobody pays is for a person.
func TestNobodysOrders(t *testing.T) {
	l := newLetterbox(t)
	l.Feed.Payouts = ""
	l.write("A.xml", file(t, "pain.002-11.xml"))
	l.look()
	l.lies("failed/A.xml", "failed/A.xml.err")
}

// A crash in the middle is repeated: whatever was claimed and not put away is taken again (rails §3.4).
func TestCrash(t *testing.T) {
	l := newLetterbox(t)
	down := errors.New("the database is away")
	l.to.say = map[string]error{"M1": down}
	l.write("A.xml", example(t, "M1"))
	l.write("B.xml", example(t, "M2"))
	if err := l.Look(t.Context()); !errors.Is(err, down) {
		t.Fatalf("%v", err)
	}
	l.lies("done/B.xml", "processing/A.xml")
	again := newLetterbox(t)
	again.dir, again.Place = l.dir, l.Place
	again.look()
	again.lies("done/A.xml", "done/B.xml")
	if got := again.taken(); !slices.Equal(got, []string{"M1"}) {
		t.Errorf("%v", got)
	}
}

// gone is a place where somebody else takes every file between two of our steps.
type gone struct {
	drop.Inbox
	read, claim bool
}

func (g gone) Read(ctx context.Context, f drop.File, most int64) ([]byte, error) {
	if g.read && !f.Claimed || g.claim && f.Claimed {
		return nil, fs.ErrNotExist
	}
	return g.Inbox.Read(ctx, f, most)
}

func (g gone) Claim(ctx context.Context, f drop.File) (drop.File, error) {
	if !g.read && !g.claim {
		return f, fs.ErrNotExist
	}
	return g.Inbox.Claim(ctx, f)
}

func TestSomebodyElseIsFaster(t *testing.T) {
	for _, g := range []gone{{read: true}, {}, {claim: true}} {
		l := newLetterbox(t)
		g.Inbox = l.Place
		l.Place = g
		l.write("A.xml", example(t, "M1"))
		l.look()
		if len(l.to.messages) > 0 {
			t.Errorf("%+v: taken", g)
		}
	}
}

// signal is a taker that says when it has taken something.
type signal struct {
	*taker
	took chan string
}

func (s signal) TakeMessage(ctx context.Context, m deposit.Message) (engine.FeedReceipt, error) {
	got, err := s.taker.TakeMessage(ctx, m)
	s.took <- m.ID
	return got, err
}

// A file is taken when it appears, long before the next look is due.
func TestRun(t *testing.T) {
	l := newLetterbox(t)
	took, ended := make(chan string), make(chan error)
	l.Taker = signal{l.to, took}
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- l.Run(ctx) }()
	for _, id := range []string{"M1", "M2", "M3"} {
		if err := drop.Folder(l.dir).Put(ctx, id+".xml", []byte(example(t, id))); err != nil {
			t.Fatal(err)
		}
		if got := <-took; got != id {
			t.Errorf("%s was taken", got)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	l.lies("done/M1.xml", "done/M2.xml", "done/M3.xml")
}
