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
	Load     string `json:"load_average"` // before the run: what else the machine did
}

func conditions(h home) (Conditions, error) {
	c := Conditions{
		When: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version(), Store: h.describe(), CPU: "unknown",
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return c, err
	}
	c.Load = strings.Fields(string(load))[0]
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

// openssl is the CPU time of two RSA-2048 private operations as OpenSSL does them, with every core busy. It counts its own CPU time only
// where it is not told to use several cores, and wall time otherwise: so it is started for each of them.
func openssl(ctx context.Context) (float64, error) {
	var group errgroup.Group
	each := make([]float64, runtime.NumCPU()) // operations per CPU second
	for i := range each {
		group.Go(func() error {
			out, err := exec.CommandContext(ctx, "openssl", "speed", "-mr", "-seconds", "2", "rsa2048").Output()
			if err != nil {
				return fmt.Errorf("openssl speed: %w (Debian: apt-get install openssl)", err)
			}
			for line := range strings.Lines(string(out)) {
				if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 5 && f[0] == "+F2" {
					if each[i], err = strconv.ParseFloat(f[3], 64); err != nil || each[i] <= 0 {
						return fmt.Errorf("openssl speed printed %q", line)
					}
					return nil
				}
			}
			return errors.New("openssl speed printed no figure for RSA")
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, rate := range each {
		sum += 2000 / rate
	}
	return sum / float64(len(each)), nil
}

// clockTick is the unit of /proc/PID/stat on Linux.
const clockTick = 10 * time.Millisecond

// spent is what the server and its database have cost so far.
func (s *server) spent() (at spent, err error) {
	if at.server, err = s.cpu(); err != nil {
		return at, err
	}
	at.database, err = s.home.spent()
	return at, err
}

// spentHere is the same where this process does the server's work.
func (s *server) spentHere() (at spent, err error) {
	at.server = ownCPU()
	at.database, err = s.home.spent()
	return at, err
}

// cpu is the server's own.
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
