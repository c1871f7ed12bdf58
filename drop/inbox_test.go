package drop_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"naru/drop"
)

// inboxes are the same folder on this machine and on a server.
func inboxes(t *testing.T) map[string]func() (drop.Inbox, string) {
	return map[string]func() (drop.Inbox, string){
		"folder": func() (drop.Inbox, string) {
			dir := t.TempDir()
			return drop.Folder(dir), dir
		},
		"sftp": func() (drop.Inbox, string) {
			dir, host, user := t.TempDir(), signer(t), signer(t)
			return drop.SFTP{Address: serve(t, dir, host, user.PublicKey()), User: "naru", Key: user, Host: host.PublicKey(), Dir: dir}, dir
		},
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tree is every file below a folder, and what it holds.
func tree(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		list = append(list, name+": "+string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func listed(t *testing.T, in drop.Inbox) (files []drop.File, names []string) {
	t.Helper()
	files, err := in.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := f.Name
		if f.Claimed {
			name += ", claimed"
		}
		names = append(names, name)
	}
	return files, names
}

func TestInbox(t *testing.T) {
	for kind, open := range inboxes(t) {
		t.Run(kind, func(t *testing.T) {
			in, dir := open()
			if _, names := listed(t, in); len(names) != 0 {
				t.Fatalf("%v", names)
			}
			for _, name := range []string{"c.xml", "a.xml", "b.xml", "half.xml.tmp"} {
				write(t, dir, name, "text of "+name)
			}
			files, names := listed(t, in)
			if want := []string{"a.xml", "b.xml", "c.xml"}; !slices.Equal(names, want) || files[0].Size != 13 || files[0].Changed.IsZero() {
				t.Fatalf("%+v", files)
			}
			if text, err := in.Read(t.Context(), files[0], 13); err != nil || string(text) != "text of a.xml" {
				t.Errorf("%q, %v", text, err)
			}
			if _, err := in.Read(t.Context(), files[0], 12); !errors.Is(err, drop.ErrTooLarge) {
				t.Errorf("%v", err)
			}
			b, err := in.Claim(t.Context(), files[1])
			if err != nil || !b.Claimed {
				t.Fatalf("%+v, %v", b, err)
			}
			if _, err := in.Claim(t.Context(), files[1]); err == nil {
				t.Error("claimed twice")
			}
			if _, err := in.Claim(t.Context(), drop.File{Name: "none.xml"}); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
			if _, names := listed(t, in); !slices.Equal(names, []string{"b.xml, claimed", "a.xml", "c.xml"}) {
				t.Errorf("%v", names)
			}
			if text, err := in.Read(t.Context(), b, 100); err != nil || string(text) != "text of b.xml" {
				t.Errorf("%q, %v", text, err)
			}
			write(t, dir, "b.xml", "another b")
			if _, err := in.Claim(t.Context(), files[1]); !errors.Is(err, fs.ErrExist) {
				t.Errorf("one that is being taken was covered: %v", err)
			}
			finish := func(f drop.File, reasons []byte) {
				t.Helper()
				if err := in.Finish(t.Context(), f, reasons); err != nil {
					t.Error(err)
				}
			}
			finish(b, nil)
			finish(b, nil) // somebody else was faster
			if b, err = in.Claim(t.Context(), files[1]); err != nil {
				t.Fatal(err)
			}
			finish(b, nil)
			c, err := in.Claim(t.Context(), files[2])
			if err != nil {
				t.Fatal(err)
			}
			finish(c, []byte("{}"))
			want := []string{
				"a.xml: text of a.xml", "done/b.xml: text of b.xml", "done/b.xml.1: another b", "failed/c.xml: text of c.xml",
				"failed/c.xml.err: {}", "half.xml.tmp: text of half.xml.tmp",
			}
			if got := tree(t, dir); !slices.Equal(got, want) {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	rung, ended := make(chan struct{}, 1), make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		ended <- drop.Folder(dir).Watch(ctx, func() {
			select {
			case rung <- struct{}{}:
			default:
			}
		})
	}()
	<-rung
	write(t, dir, "a.xml", "text")
	<-rung
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A file that certainly did not come to its place is told from one of which nobody knows.
func TestNotTaken(t *testing.T) {
	dir, host, user := t.TempDir(), signer(t), signer(t)
	address := serve(t, dir, host, user.PublicKey())
	at := drop.SFTP{Address: address, User: "naru", Key: user, Host: host.PublicKey()}
	stranger, nowhere := at, at
	stranger.Key = signer(t)
	nowhere.Dir = "none"
	for name, place := range map[string]drop.Place{
		"no folder": drop.Folder(filepath.Join(dir, "none")), "no user": stranger, "no folder there": nowhere,
		"no server": drop.SFTP{Address: "127.0.0.1:0", Key: user, Host: host.PublicKey()},
	} {
		if err := place.Put(t.Context(), "a.xml", nil); !errors.Is(err, drop.ErrNotTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := at.Put(t.Context(), "a/b", nil); !errors.Is(err, drop.ErrNotTaken) {
		t.Errorf("no name: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "a.xml", "full"), 0o700); err != nil { // the last step fails
		t.Fatal(err)
	}
	if err := at.Put(t.Context(), "a.xml", nil); err == nil || errors.Is(err, drop.ErrNotTaken) || !strings.Contains(err.Error(), "a.xml") {
		t.Errorf("the server did not rename: %v", err)
	}
}
