// Package drop hands files over to somebody who takes them from a folder or from an SFTP server: whole or not at all.
package drop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// A Place takes files. Put replaces a file of the same name; until it returns, nobody sees the new one under its name.
type Place interface {
	Put(ctx context.Context, name string, content []byte) error
}

// ErrNotTaken says that a file is certainly not at its place. Put fails without it where nobody can tell.
var ErrNotTaken = errors.New("the file was not taken")

// temporary ends the name of a file that is not complete: whoever takes files leaves it alone (rails §4.2).
const temporary = ".tmp"

func check(name string) error {
	if name == "" || name != filepath.Base(name) || name == "." || name == ".." {
		return fmt.Errorf("drop: %q is no file name", name)
	}
	return nil
}

// Folder is a place on this machine.
type Folder string

// Put implements Place.
func (f Folder) Put(_ context.Context, name string, content []byte) error {
	if err := check(name); err != nil {
		return errors.Join(ErrNotTaken, err)
	}
	target := filepath.Join(string(f), name)
	file, err := os.OpenFile(target+temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return errors.Join(ErrNotTaken, err)
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(target+temporary, target)
	}
	if err != nil { // a folder of ours renames, or does not
		err = errors.Join(ErrNotTaken, err)
	}
	return err
}

// SFTP is a place on a server that we know by its key.
type SFTP struct {
	Address string // host:port
	User    string
	Key     ssh.Signer    // ours
	Host    ssh.PublicKey // the server's, and no other
	Dir     string        // where files go; the login folder where empty
	Timeout time.Duration // for everything about one file; a minute where 0
}

// Put implements Place.
func (s SFTP) Put(ctx context.Context, name string, content []byte) error {
	err := check(name)
	reached := false
	if err == nil {
		err = s.dial(ctx, func(c *sftp.Client) error {
			reached = true
			return put(c, path.Join(s.Dir, name), content)
		})
	}
	if err != nil && !reached {
		err = errors.Join(ErrNotTaken, err)
	}
	return err
}

// dial logs in and does something there.
func (s SFTP) dial(ctx context.Context, do func(*sftp.Client) error) (err error) {
	limit := s.Timeout
	if limit == 0 {
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return err
	}
	hangUp := context.AfterFunc(ctx, func() { _ = conn.Close() }) // whatever hangs ends with it
	defer hangUp()
	session, channels, requests, err := ssh.NewClientConn(conn, s.Address, &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.Key)}, HostKeyCallback: ssh.FixedHostKey(s.Host), Timeout: limit,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("drop: %s: %w", s.Address, err), closed(conn))
	}
	link := ssh.NewClient(session, channels, requests)
	defer func() { err = errors.Join(err, closed(link)) }()
	client, err := sftp.NewClient(link)
	if err != nil {
		return fmt.Errorf("drop: %s: %w", s.Address, err)
	}
	defer func() { err = errors.Join(err, closed(client)) }()
	return do(client)
}

func put(c *sftp.Client, target string, content []byte) error {
	file, err := c.OpenFile(target+temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("drop: %s: %w: %w", target, ErrNotTaken, err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("drop: %s: %w: %w", target, ErrNotTaken, err)
	}
	if err := c.PosixRename(target+temporary, target); err == nil {
		return nil
	}
	if err := c.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) { // a server that does not replace
		return fmt.Errorf("drop: %s: %w", target, err)
	}
	if err := c.Rename(target+temporary, target); err != nil {
		return fmt.Errorf("drop: %s: %w", target, err)
	}
	return nil
}

// closed closes; that somebody else was faster is no failure.
func closed(c interface{ Close() error }) error {
	if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
