package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"naru/sandbox"
)

// configFile is the server's configuration, in its folder.
const configFile = "bench.toml"

// server is naru serve under measurement, a process of its own in a folder of its own.
type server struct {
	binary, dir string
	home        home
	process     *exec.Cmd
}

// furnish lets a sandbox make the keys and certificates of a folder.
func furnish(ctx context.Context, dir string) (sandbox.Contract, error) {
	s, err := sandbox.Start(ctx, sandbox.Options{Dir: dir, Out: io.Discard})
	if err != nil {
		return sandbox.Contract{}, err
	}
	return s.Contract, s.Close()
}

// start runs the server until answers says that it is there, and says how long that took.
func (s *server) start(ctx context.Context, patience time.Duration, answers func() (bool, error)) (time.Duration, error) {
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	s.process = exec.CommandContext(ctx, s.binary, "serve", "--config", filepath.Join(s.dir, configFile))
	s.process.Stdout, s.process.Stderr = log, log
	start := time.Now()
	if err := s.process.Start(); err != nil {
		return 0, err
	}
	for time.Since(start) < patience && ctx.Err() == nil {
		there, err := answers()
		if err != nil {
			return 0, err
		}
		if there {
			return time.Since(start), nil
		}
		time.Sleep(5 * time.Millisecond) // it is not there yet
	}
	return 0, fmt.Errorf("the server does not answer%s", s.lastWords())
}

// lastWords are the newest lines of the server's log that are no calls that went well.
func (s *server) lastWords() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "status=200") {
			lines = append(lines, line)
		}
	}
	return "; its log ends in:\n" + strings.Join(lines[max(0, len(lines)-8):], "")
}

// kill ends the server as a crash would.
func (s *server) kill() error {
	err := s.process.Process.Signal(syscall.SIGKILL)
	_ = s.process.Wait() // it was killed
	return err
}

// stop lets the server end what it does.
func (s *server) stop() error {
	if s.process == nil || s.process.Process == nil || s.process.ProcessState != nil {
		return nil
	}
	err := s.process.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, s.process.Wait())
}
