package bankfeed

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"naru/drop"
)

// Inbox takes the files that a bank leaves for us, as they are complete (rails §3.4).
type Inbox struct {
	Feed   Feed
	Place  drop.Inbox
	Every  time.Duration // between two looks; 5 s where 0
	Settle time.Duration // how long a file that cannot be read must not change until it is given up; a minute where 0
	Taker  Taker
	Now    func() time.Time
	Log    *slog.Logger

	unread map[string]sighting // what could not be read when it was last looked at
}

// sighting is a file as it was seen, and since when it has been like that.
type sighting struct {
	file  drop.File
	since time.Time
}

// Run looks into the place again and again, and at once where it is told of a change, until ctx ends.
func (i *Inbox) Run(ctx context.Context) error {
	every := i.Every
	if every == 0 {
		every = 5 * time.Second
	}
	bell := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	if w, can := i.Place.(interface {
		Watch(context.Context, func()) error
	}); can {
		watching.Go(func() {
			err := w.Watch(ctx, func() {
				select {
				case bell <- struct{}{}:
				default:
				}
			})
			if err != nil {
				i.Log.Warn("a bank's folder is not watched, only looked into", "feed", i.Feed.ID, "error", err)
			}
		})
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := i.Look(ctx); err != nil && ctx.Err() == nil {
			i.Log.Error("a bank's files cannot be taken; they stay where they are", "feed", i.Feed.ID, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-bell:
		}
	}
}

// Look takes every file that is there, by name: first those that were claimed and not put away, because whoever did it died.
func (i *Inbox) Look(ctx context.Context) error {
	files, err := i.Place.List(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(files, inTurn)
	was := i.unread
	i.unread = map[string]sighting{}
	var problems []error
	for _, f := range files {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !strings.HasSuffix(f.Name, ".xml") {
			continue
		}
		if err := i.take(context.WithoutCancel(ctx), f, was[f.Name]); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// inTurn puts claimed files first, and those that count at their end, such as _9 and _10, in the order in which they were made.
func inTurn(a, b drop.File) int {
	if a.Claimed != b.Claimed {
		if a.Claimed {
			return -1
		}
		return 1
	}
	stem := func(name string) string { return strings.TrimRight(strings.TrimSuffix(name, ".xml"), "0123456789") }
	if x, y := stem(a.Name), stem(b.Name); x == y {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	}
	return cmp.Compare(a.Name, b.Name)
}

// take takes one file and puts it away. Until it is put away it will be taken again: taking twice changes nothing.
func (i *Inbox) take(ctx context.Context, f drop.File, before sighting) error {
	if !f.Claimed {
		if _, err := i.read(ctx, f); errors.Is(err, ErrUnfinished) && i.wait(f, before) {
			return nil
		} else if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else was faster
		}
		var err error
		if f, err = i.Place.Claim(ctx, f); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
	}
	d, err := i.read(ctx, f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var got receipt
	if why := (unreadable{}); errors.As(err, &why) {
		return i.fail(ctx, f, why)
	} else if err == nil {
		got, err = take(ctx, i.Taker, i.Feed, d)
	}
	if hopeless(err) {
		return i.fail(ctx, f, err)
	} else if err != nil {
		return err
	}
	i.Log.Info("a bank's file was taken", "feed", i.Feed.ID, "file", f.Name, "message", got.MessageID,
		"entries", got.Entries, "accepted", got.Accepted, "duplicates", got.Duplicates)
	return i.Place.Finish(ctx, f, nil)
}

// unreadable is why nothing in a file can be taken.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

func (i *Inbox) read(ctx context.Context, f drop.File) (Document, error) {
	content, err := i.Place.Read(ctx, f, largestDocument)
	if errors.Is(err, drop.ErrTooLarge) {
		return Document{}, unreadable{err}
	} else if err != nil {
		return Document{}, err
	}
	d, err := Read(i.Feed, content)
	if err != nil {
		err = unreadable{err}
	}
	return d, err
}

// wait reports whether a file that cannot be read may still be written, by somebody who does not keep to temporary names.
func (i *Inbox) wait(f drop.File, before sighting) bool {
	settle := i.Settle
	if settle == 0 {
		settle = time.Minute
	}
	now := i.Now()
	if before.since.IsZero() || before.file.Size != f.Size || !before.file.Changed.Equal(f.Changed) {
		before = sighting{f, now}
	}
	if now.Sub(before.since) >= settle {
		return false
	}
	i.unread[f.Name] = before
	return true
}

// fail puts a file away that nothing was taken of, and says why.
func (i *Inbox) fail(ctx context.Context, f drop.File, why error) error {
	reasons, err := json.Marshal(map[string][]string{"reasons": {why.Error()}}, json.Deterministic(true))
	if err != nil {
		return err
	}
	i.Log.Error("a bank's file was refused: nothing of it was taken", "feed", i.Feed.ID, "file", f.Name, "error", why)
	return i.Place.Finish(ctx, f, append(reasons, '\n'))
}
