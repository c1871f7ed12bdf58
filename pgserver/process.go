package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// owner is who runs a server: the user postgres where we are root, as whom PostgreSQL refuses to run, and else ourselves (nil).
func owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// hand gives a folder to its owner and, in the folder of temporary files, lets others pass through the folders above: a test's own are
// closed to all but root.
func hand(dir string, to *syscall.Credential) error {
	if err := os.Chown(dir, int(to.Uid), int(to.Gid)); err != nil {
		return err
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		if inside, err := filepath.Rel(os.TempDir(), d); err != nil || inside == ".." || strings.HasPrefix(inside, "../") {
			return nil
		}
		info, err := os.Stat(d)
		if err != nil {
			return err
		}
		if info.Mode()&0o001 == 0 {
			if err := os.Chmod(d, info.Mode()|0o001); err != nil {
				return err
			}
		}
	}
}

// keepPort takes a port. The server listens there whenever it runs; while it does not, nobody does: a socket that is bound and never
// listens keeps the kernel from giving the port to whoever takes any.
func keepPort() (*os.File, int, error) {
	syscall.ForkLock.RLock() // no child inherits it
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, 0, err
	}
	kept := os.NewFile(uintptr(fd), "port")
	at, err := bound(fd)
	if err != nil {
		return nil, 0, errors.Join(err, kept.Close())
	}
	return kept, at.Port, nil
}

func bound(fd int) (*syscall.SockaddrInet4, error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil { // beside us, who says which
		return nil, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	return at.(*syscall.SockaddrInet4), nil
}

// command is one of PostgreSQL's programs, which sees nothing of our environment and none of our terminal's signals.
func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.Env = s.Dir, []string{"PATH=" + s.bin + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = attributes()
	cmd.SysProcAttr.Credential, cmd.SysProcAttr.Setpgid = s.owner, true
	cmd.WaitDelay = time.Second
	return cmd
}

// tool runs one of PostgreSQL's programs to its end.
func (s *Server) tool(ctx context.Context, name string, args ...string) error {
	runtime.LockOSThread() // see launch
	defer runtime.UnlockOSThread()
	if out, err := s.command(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// process is a postmaster, from its start to its end.
type process struct {
	*os.Process
	ended chan struct{}
	err   error // how it ended
}

// launch starts a child that dies with us. The kernel ends the child with the thread that started it, which is not ours to lose: a
// goroutine keeps that thread until the child has ended.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		p.Process = cmd.Process
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// kill ends a postmaster and its children. It is held first, so that it has no more children than we see.
func (p *process) kill() error {
	_ = p.Signal(syscall.SIGSTOP) // it may have ended
	for {
		if st, err := read(p.Pid); err != nil || st.state == "T" || st.state == "Z" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	family, err := children(p.Pid)
	_ = p.Signal(syscall.SIGKILL)
	for _, c := range family {
		_ = syscall.Kill(c.pid, syscall.SIGKILL)
	}
	<-p.ended
	for _, c := range family { // while one of them lives, the memory that they share keeps the server from starting again
		for st, err := read(c.pid); err == nil && st.state != "Z"; st, err = read(c.pid) {
			time.Sleep(time.Millisecond)
		}
	}
	return err
}

// cpu is the time of a process and of all its children. One that ends while we count would be counted twice or not at all.
func (p *process) cpu() (time.Duration, error) {
	for {
		before, err := read(p.Pid)
		if err != nil {
			return 0, err
		}
		family, err := children(p.Pid)
		if err != nil {
			return 0, err
		}
		after, err := read(p.Pid)
		if err != nil {
			return 0, err
		}
		if before.buried != after.buried {
			continue
		}
		ticks := after.own + after.buried
		for _, c := range family {
			ticks += c.own + c.buried
		}
		return time.Duration(ticks) * clockTick, nil
	}
}

// clockTick is the unit of /proc/PID/stat on Linux.
const clockTick = 10 * time.Millisecond

// stat is what the kernel says of a process.
type stat struct {
	pid, parent int
	state       string
	own         int64 // ticks of its own
	buried      int64 // ticks of its children that have ended
}

// read asks the kernel (Linux, proc(5)).
func read(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // the name before may hold anything
	if len(f) < 15 {
		return stat{}, fmt.Errorf("process %d: the kernel says %q", pid, text)
	}
	var n [15]int64
	for i := 1; i < len(n); i++ {
		if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
			return stat{}, fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return stat{pid: pid, state: f[0], parent: int(n[1]), own: n[11] + n[12], buried: n[13] + n[14]}, nil
}

// children are the processes that a process has started and that have not been waited for.
func children(parent int) ([]stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []stat
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue // no process
		}
		if st, err := read(pid); err == nil && st.parent == parent { // it may have ended since
			all = append(all, st)
		}
	}
	return all, nil
}
