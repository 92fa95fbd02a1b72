package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server under load, with its children.
type process struct {
	cmd    *exec.Cmd
	stderr tail
	addr   string
}

// tail keeps the end of what a server writes. It takes what a server logs under
// load as a container's runtime would, without growing.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const limit = 16 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last)+len(p) > 2*limit {
		t.last = append(t.last[:0], t.last[max(0, len(t.last)-limit):]...)
	}
	t.last = append(t.last, p[max(0, len(p)-limit):]...)
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}

// startServer runs a command whose arguments have the port for PORT, and waits
// until the path answers.
func startServer(ctx context.Context, path string, env []string, args ...string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "PORT", port)
	}
	p := &process{addr: "http://" + addr, cmd: exec.Command(args[0], args[1:]...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.stderr
	if err := startApart(p.cmd); err != nil {
		return nil, err
	}
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if a, err := http.Get(p.addr + path); err == nil {
			_ = a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return p, nil
			}
		}
		if time.Now().After(end) || ctx.Err() != nil {
			p.stop()
			return nil, fmt.Errorf("%s does not answer: %s", args[0], p.stderr.String())
		}
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait()
}

// tree returns the process and all that descend from it. It reads /proc: where
// there is none, only the process is known, and nothing of what it uses.
func (p *process) tree() []int {
	list := []int{p.cmd.Process.Pid}
	for i := 0; i < len(list); i++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", list[i]))
		for _, t := range tasks {
			data, _ := os.ReadFile(t)
			for _, f := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(f); err == nil {
					list = append(list, pid)
				}
			}
		}
	}
	return list
}

// cpu returns the processor time of the tree so far.
func (p *process) cpu() time.Duration {
	var ticks int64
	for _, pid := range p.tree() {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(data), ") ")
		if f := strings.Fields(rest); len(f) > 12 {
			for _, s := range f[11:13] {
				n, _ := strconv.ParseInt(s, 10, 64)
				ticks += n
			}
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory returns the resident memory of the largest process of the tree.
func (p *process) memory() (most int64) {
	for _, pid := range p.tree() {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, rest, _ := strings.Cut(string(data), "VmRSS:")
		if f := strings.Fields(rest); len(f) > 0 {
			n, _ := strconv.ParseInt(f[0], 10, 64)
			most = max(most, n<<10)
		}
	}
	return most
}

// stolen returns how long the machine's host kept its processors from it so far,
// all of them together; 0 where that is not known.
func stolen() time.Duration {
	data, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(data), "\n")
	f := strings.Fields(line)
	if len(f) < 9 {
		return 0
	}
	n, _ := strconv.ParseInt(f[8], 10, 64)
	return time.Duration(n) * 10 * time.Millisecond
}
