package sim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// files is the bank's SFTP server: /out and /in are the two folders. Whoever logs in may read, write, rename and remove in both.
type files struct {
	listener net.Listener
	config   *ssh.ServerConfig
	host     ssh.PublicKey
	roots    map[string]*os.Root
	patience time.Duration
	log      *slog.Logger
}

// hostKeyFile is the server's key under Config.Dir: who knows the bank by it still does after a restart.
const hostKeyFile = "files_host.key"

func openFiles(cfg Config) (_ *files, err error) {
	if cfg.Files == "" {
		return nil, nil
	}
	key, err := hostKey(cfg.Dir)
	if err != nil {
		return nil, err
	}
	f := &files{host: key.PublicKey(), roots: map[string]*os.Root{}, patience: cfg.Patience, log: cfg.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.closeRoots())
		}
	}()
	for name, dir := range map[string]string{"out": cfg.Out, "in": cfg.In} {
		if dir == "" {
			continue
		}
		if f.roots[name], err = os.OpenRoot(dir); err != nil {
			delete(f.roots, name)
			return nil, err
		}
	}
	known := cfg.FilesKey.Marshal()
	f.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), known) {
			return nil, errors.New("this key is not known")
		}
		return nil, nil
	}}
	f.config.AddHostKey(key)
	f.listener, err = net.Listen("tcp", cfg.Files)
	return f, err
}

// hostKey makes the server's key once, and reads it.
func hostKey(dir string) (ssh.Signer, error) {
	name := filepath.Join(dir, hostKeyFile)
	if dir != "" {
		text, err := os.ReadFile(name)
		if err == nil {
			return ssh.ParsePrivateKey(text)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if dir != "" {
		block, err := ssh.MarshalPrivateKey(private, "")
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(name+temporary, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
		if err := os.Rename(name+temporary, name); err != nil {
			return nil, err
		}
	}
	return ssh.NewSignerFromKey(private)
}

// FileServer is the address of the SFTP server and the key it is known by; nothing where there is none.
func (h *Host) FileServer() (address string, host ssh.PublicKey) {
	if h.files == nil {
		return "", nil
	}
	return h.files.listener.Addr().String(), h.files.host
}

func (f *files) closeRoots() (err error) {
	for _, root := range f.roots {
		err = errors.Join(err, root.Close())
	}
	return err
}

// close stops listening; serve then hangs up on everybody.
func (f *files) close() error {
	if f == nil {
		return nil
	}
	return f.listener.Close()
}

func (f *files) serve() {
	var sessions sync.WaitGroup
	ctx, hangUp := context.WithCancel(context.Background())
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				f.log.Error("the bank's file server does not listen any more", "cause", err)
			}
			break
		}
		sessions.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			defer conn.Close()
			if err := f.session(conn); err != nil && ctx.Err() == nil {
				f.log.Warn("a session of the bank's file server failed", "cause", err)
			}
		})
	}
	hangUp()
	sessions.Wait()
	if err := f.closeRoots(); err != nil {
		f.log.Error("the bank's file server does not close well", "cause", err)
	}
}

// session is one connection with any number of SFTP channels, one after the other.
func (f *files) session(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(f.patience)); err != nil { // wall time
		return err
	}
	secure, channels, requests, err := ssh.NewServerConn(conn, f.config)
	if err != nil {
		return err
	}
	defer secure.Close()
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	go ssh.DiscardRequests(requests) // ends with the connection
	for offer := range channels {
		if offer.ChannelType() != "session" {
			_ = offer.Reject(ssh.UnknownChannelType, "files only")
			continue
		}
		channel, asks, err := offer.Accept()
		if err != nil {
			return err
		}
		for ask := range asks {
			is := ask.Type == "subsystem" && string(ask.Payload) == "\x00\x00\x00\x04sftp"
			_ = ask.Reply(is, nil)
			if is {
				go ssh.DiscardRequests(asks)
				break
			}
		}
		server := sftp.NewRequestServer(channel, sftp.Handlers{FileGet: f, FilePut: f, FileCmd: f, FileList: f})
		if err := server.Serve(); err != nil && err != io.EOF {
			return err
		}
		_ = channel.Close()
	}
	return nil
}

// place is the folder that a path is in, and the name there.
func (f *files) place(p string) (*os.Root, string, error) {
	folder, name, _ := strings.Cut(strings.TrimPrefix(path.Clean("/"+p), "/"), "/")
	root := f.roots[folder]
	if root == nil {
		return nil, "", os.ErrNotExist
	}
	if name == "" {
		name = "."
	}
	return root, name, nil
}

// Fileread implements sftp.FileReader.
func (f *files) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	root, name, err := f.place(r.Filepath)
	if err != nil {
		return nil, err
	}
	return root.Open(name)
}

// Filewrite implements sftp.FileWriter.
func (f *files) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	root, name, err := f.place(r.Filepath)
	if err != nil {
		return nil, err
	}
	flags := os.O_WRONLY
	for _, flag := range []struct {
		asked bool
		means int
	}{{r.Pflags().Creat, os.O_CREATE}, {r.Pflags().Excl, os.O_EXCL}, {r.Pflags().Trunc, os.O_TRUNC}} {
		if flag.asked {
			flags |= flag.means
		}
	}
	return root.OpenFile(name, flags, 0o600)
}

// Filecmd implements sftp.FileCmder.
func (f *files) Filecmd(r *sftp.Request) error {
	root, name, err := f.place(r.Filepath)
	if err != nil {
		return err
	}
	switch r.Method {
	case "Setstat":
		return nil
	case "Remove", "Rmdir":
		return root.Remove(name)
	case "Mkdir":
		return root.Mkdir(name, 0o700)
	case "Rename":
		to, target, err := f.place(r.Target)
		if err != nil {
			return err
		}
		if _, err := to.Stat(target); err == nil {
			return os.ErrExist
		}
		return f.PosixRename(r)
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename implements sftp.PosixRenameFileCmder: a file of that name is replaced.
func (f *files) PosixRename(r *sftp.Request) error {
	root, name, err := f.place(r.Filepath)
	if err != nil {
		return err
	}
	to, target, err := f.place(r.Target)
	if err != nil {
		return err
	}
	if to != root {
		return os.ErrPermission
	}
	return root.Rename(name, target)
}

// Filelist implements sftp.FileLister. The two folders are what there is to list at the top.
func (f *files) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if path.Clean(r.Filepath) == "/" {
		var all listing
		for name, root := range f.roots {
			info, err := root.Stat(".")
			if err != nil {
				return nil, err
			}
			all = append(all, named{info, name})
		}
		if r.Method == "List" {
			return all, nil
		}
		return listing{named{all[0], "/"}}, nil
	}
	root, name, err := f.place(r.Filepath)
	if err != nil {
		return nil, err
	}
	if r.Method != "List" {
		info, err := root.Stat(name)
		return listing{info}, err
	}
	entries, err := fs.ReadDir(root.FS(), name)
	if err != nil {
		return nil, err
	}
	var all listing
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // one that went away meanwhile is not listed
			all = append(all, info)
		}
	}
	return all, nil
}

// named is a folder under the name that clients know it by.
type named struct {
	os.FileInfo
	name string
}

// Name implements os.FileInfo.
func (n named) Name() string { return n.name }

type listing []os.FileInfo

// ListAt implements sftp.ListerAt.
func (l listing) ListAt(to []os.FileInfo, at int64) (int, error) {
	if at >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[at:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}
