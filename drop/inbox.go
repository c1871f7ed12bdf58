package drop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/pkg/sftp"
)

// An Inbox is where somebody leaves files for us. A file is claimed before it is taken, so that nobody else takes it, and put away after.
// One that was claimed and not put away is listed as such, and can be taken again.
type Inbox interface {
	// List is the files that are complete by their name, and those that were claimed; by name, claimed ones first.
	List(context.Context) ([]File, error)
	// Read is what a file holds, where that is not more than most bytes.
	Read(ctx context.Context, f File, most int64) ([]byte, error)
	// Claim makes a file ours. It fails with fs.ErrNotExist where somebody else was faster.
	Claim(context.Context, File) (File, error)
	// Finish puts a claimed file away: as done, or, where there are reasons, as failed, with the reasons beside it. That it was put away
	// before is no failure.
	Finish(ctx context.Context, f File, reasons []byte) error
}

// File is a file in an inbox.
type File struct {
	Name    string
	Size    int64
	Changed time.Time
	Claimed bool
}

// The folders below an inbox (rails §3.4).
const (
	processing = "processing"
	done       = "done"
	failed     = "failed"
	reasonsEnd = ".err"
)

// ErrTooLarge says that a file holds more than was asked for.
var ErrTooLarge = errors.New("drop: the file is too large")

// tree is what an inbox needs of a file system, here or on a server.
type tree interface {
	ReadDir(dir string) ([]fs.FileInfo, error)
	MkdirAll(dir string) error
	Lstat(name string) (fs.FileInfo, error)
	Rename(from, to string) error
	open(name string) (io.ReadCloser, error)
	put(name string, content []byte) error
}

func (f File) in(dir string) string {
	if f.Claimed {
		dir = path.Join(dir, processing)
	}
	return path.Join(dir, f.Name)
}

func list(t tree, dir string) ([]File, error) {
	for _, below := range []string{processing, done, failed} {
		if err := t.MkdirAll(path.Join(dir, below)); err != nil {
			return nil, err
		}
	}
	var all []File
	for _, claimed := range []bool{true, false} {
		from := File{Claimed: claimed}.in(dir)
		found, err := t.ReadDir(from)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(found, func(a, b fs.FileInfo) int { return cmp.Compare(a.Name(), b.Name()) })
		for _, f := range found {
			if f.Mode().IsRegular() && !strings.HasSuffix(f.Name(), temporary) {
				all = append(all, File{f.Name(), f.Size(), f.ModTime(), claimed})
			}
		}
	}
	return all, nil
}

func read(t tree, dir string, f File, most int64) (content []byte, err error) {
	file, err := t.open(f.in(dir))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err = io.ReadAll(io.LimitReader(file, most+1))
	if int64(len(content)) > most {
		err = errors.Join(err, ErrTooLarge)
	}
	return content, err
}

func claim(t tree, dir string, f File) (File, error) {
	from := f.in(dir)
	f.Claimed = true
	if _, err := t.Lstat(f.in(dir)); err == nil { // one of its name is still being taken: a rename would cover it
		return f, fmt.Errorf("drop: %s: %w", f.Name, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	return f, t.Rename(from, f.in(dir))
}

// finish puts the reasons there first: a file in failed/ always has its reasons. One of the same name that lies there already stays.
func finish(t tree, dir string, f File, reasons []byte) error {
	to := path.Join(dir, done)
	if reasons != nil {
		to = path.Join(dir, failed)
	}
	target := path.Join(to, f.Name)
	for n := 1; ; n++ {
		if _, err := t.Lstat(target); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
		target = path.Join(to, fmt.Sprintf("%s.%d", f.Name, n))
	}
	if reasons != nil {
		if err := t.put(target+reasonsEnd, reasons); err != nil {
			return err
		}
	}
	if err := t.Rename(f.in(dir), target); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// here is the file system of this machine.
type here struct{}

func (here) ReadDir(dir string) (list []fs.FileInfo, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // else it has just been taken away
			list = append(list, info)
		}
	}
	return list, err
}
func (here) MkdirAll(dir string) error               { return os.MkdirAll(dir, 0o700) }
func (here) Lstat(name string) (fs.FileInfo, error)  { return os.Lstat(name) }
func (here) Rename(from, to string) error            { return os.Rename(from, to) }
func (here) open(name string) (io.ReadCloser, error) { return os.Open(name) }
func (here) put(name string, content []byte) error {
	return Folder(path.Dir(name)).Put(context.Background(), path.Base(name), content)
}

// List implements Inbox.
func (f Folder) List(context.Context) ([]File, error) { return list(here{}, string(f)) }

// Read implements Inbox.
func (f Folder) Read(_ context.Context, file File, most int64) ([]byte, error) {
	return read(here{}, string(f), file, most)
}

// Claim implements Inbox.
func (f Folder) Claim(_ context.Context, file File) (File, error) {
	return claim(here{}, string(f), file)
}

// Finish implements Inbox.
func (f Folder) Finish(_ context.Context, file File, reasons []byte) error {
	return finish(here{}, string(f), file, reasons)
}

// Watch rings when it has begun and where something changes in the folder, until ctx ends. It may miss something: it only makes a periodic
// look quicker.
func (f Folder) Watch(ctx context.Context, ring func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(string(f), 0o700), w.Add(string(f))); err != nil {
		return errors.Join(err, w.Close())
	}
	ring()
	for {
		select {
		case <-ctx.Done():
			return w.Close()
		case <-w.Events:
			ring()
		case <-w.Errors: // the next look finds what was missed
		}
	}
}

// there is the file system of a server.
type there struct{ *sftp.Client }

func (t there) open(name string) (io.ReadCloser, error) { return t.Open(name) }
func (t there) put(name string, content []byte) error   { return put(t.Client, name, content) }

// List implements Inbox.
func (s SFTP) List(ctx context.Context) (all []File, err error) {
	err = s.dial(ctx, func(c *sftp.Client) error {
		all, err = list(there{c}, s.Dir)
		return err
	})
	return all, err
}

// Read implements Inbox.
func (s SFTP) Read(ctx context.Context, f File, most int64) (content []byte, err error) {
	err = s.dial(ctx, func(c *sftp.Client) error {
		content, err = read(there{c}, s.Dir, f, most)
		return err
	})
	return content, err
}

// Claim implements Inbox.
func (s SFTP) Claim(ctx context.Context, f File) (claimed File, err error) {
	err = s.dial(ctx, func(c *sftp.Client) error {
		claimed, err = claim(there{c}, s.Dir, f)
		return err
	})
	return claimed, err
}

// Finish implements Inbox.
func (s SFTP) Finish(ctx context.Context, f File, reasons []byte) error {
	return s.dial(ctx, func(c *sftp.Client) error { return finish(there{c}, s.Dir, f, reasons) })
}
