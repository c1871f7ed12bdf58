package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"naru/seal"
)

// Conditions are what the figures depend on.
type Conditions struct {
	When     string `json:"when"`
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	Go       string `json:"go"`
	Revision string `json:"revision"`
	Store    string `json:"store"`
}

func conditions() (Conditions, error) {
	c := Conditions{
		When: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version(), Store: "SQLite, WAL, synchronous=FULL",
		CPU: "unknown",
	}
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return c, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			c.CPU = strings.TrimSpace(value)
			break
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c.Revision = s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return c, nil
}

// floorCPU is the CPU time of one floor operation in milliseconds, with every core busy, as under load: cores that share an execution unit
// are slower together than alone, and the figures would not compare.
func floorCPU(f *seal.Floor, d time.Duration) (float64, error) {
	var group errgroup.Group
	var n atomic.Int64
	before, start := ownCPU(), time.Now()
	for range runtime.NumCPU() {
		group.Go(func() error {
			for ; time.Since(start) < d; n.Add(1) {
				if err := f.Do(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return (ownCPU() - before).Seconds() * 1000 / float64(n.Load()), nil
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it cannot fail for ourselves
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// openssl is the time of two RSA-2048 private operations as OpenSSL does them, with every core busy.
func openssl(ctx context.Context) (float64, error) {
	cores := runtime.NumCPU()
	out, err := exec.CommandContext(ctx, "openssl", "speed", "-mr", "-multi", strconv.Itoa(cores), "-seconds", "2", "rsa2048").Output()
	if err != nil {
		return 0, fmt.Errorf("openssl speed: %w (Debian: apt-get install openssl)", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 5 && f[0] == "+F2" {
			perSecond, err := strconv.ParseFloat(f[3], 64)
			if err != nil || perSecond <= 0 {
				return 0, fmt.Errorf("openssl speed printed %q", line)
			}
			return 2000 * float64(cores) / perSecond, nil
		}
	}
	return 0, errors.New("openssl speed printed no figure for RSA")
}

// clockTick is the unit of /proc/PID/stat on Linux.
const clockTick = 10 * time.Millisecond

// cpu is the server's CPU time so far.
func (s *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	after := string(text[strings.LastIndexByte(string(text), ')')+2:]) // the name may hold anything
	f := strings.Fields(after)
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err1, err2)
}

// memory reads one line of the server's status, in MiB.
func (s *server) memory(name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("the server's status has no %s", name)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
