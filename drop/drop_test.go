package drop_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"naru/drop"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	place := drop.Folder(dir)
	for _, text := range []string{"one", "two, longer", "3"} {
		if err := place.Put(t.Context(), "a.csv", []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "a.csv"))
		if err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.tmp")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestOnlyFileNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "../a", "/a"} {
		if err := drop.Folder(t.TempDir()).Put(t.Context(), name, nil); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func signer(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve is an SFTP server of the library on a real socket; it lets in who has the key.
func serve(t *testing.T, dir string, host ssh.Signer, user ssh.PublicKey) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if string(k.Marshal()) != string(user.Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			session(conn, config, dir)
		}
	}()
	return l.Addr().String()
}

func session(conn net.Conn, config *ssh.ServerConfig, dir string) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				_ = r.Reply(r.Type == "subsystem", nil)
			}
		}()
		server, err := sftp.NewServer(channel, sftp.WithServerWorkingDirectory(dir))
		if err != nil {
			return
		}
		if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
			return
		}
		_ = channel.Close()
	}
}

func TestSFTP(t *testing.T) {
	dir, host, user := t.TempDir(), signer(t), signer(t)
	place := drop.SFTP{Address: serve(t, dir, host, user.PublicKey()), User: "naru", Key: user, Host: host.PublicKey()}
	for _, text := range []string{"one", "two, longer", strings.Repeat("much ", 100_000)} {
		if err := place.Put(t.Context(), "s.pgp", []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "s.pgp"))
		if err != nil || string(got) != text {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.tmp")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// A server that is not the one we know gets nothing, and so does a user whom it does not know.
func TestStrangers(t *testing.T) {
	dir, host, user := t.TempDir(), signer(t), signer(t)
	address := serve(t, dir, host, user.PublicKey())
	for name, place := range map[string]drop.SFTP{
		"server": {Address: address, User: "naru", Key: user, Host: signer(t).PublicKey()},
		"user":   {Address: address, User: "naru", Key: signer(t), Host: host.PublicKey()},
	} {
		if err := place.Put(t.Context(), "s.pgp", []byte("x")); err == nil {
			t.Errorf("a foreign %s", name)
		}
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}
