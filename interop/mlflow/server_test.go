//go:build interop

package mlflow

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// python is the interpreter of an environment that has mlflow.
func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("FLOW_TEST_PYTHON")
	if p == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("FLOW_TEST_PYTHON does not name a Python with mlflow")
		}
		t.Skip("FLOW_TEST_PYTHON does not name a Python with mlflow")
	}
	return p
}

// environment keeps MLflow from asking anybody or telling anybody anything.
func environment(home string) []string {
	env := []string{
		"HOME=" + home, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "GIT_PYTHON_REFRESH=quiet",
		"PYTHONWARNINGS=ignore", "PATH=" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1",
	}
	return env
}

// script runs a Python program in a directory and returns what it prints.
func script(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python(t), append([]string{"-c", program}, args...)...)
	cmd.Dir = dir
	cmd.Env = environment(t.TempDir())
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), problems.String())
	}
	return strings.TrimSpace(out.String())
}

// startServer runs `mlflow server` with arguments, and stops it at the end of
// the test. It returns its address.
func startServer(t *testing.T, dir string, args ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-m", "mlflow", "server", "--host", "127.0.0.1", "--port", fmt.Sprint(port), "--workers", "1"}, args...)
	cmd := exec.Command(python(t), args...)
	cmd.Dir = dir
	cmd.Env = environment(dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-exited
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", log.String())
		}
	})
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health", nil)
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return address
			}
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("the server ended: %v\n%s", err, log.String())
		case <-ctx.Done():
			t.Fatalf("the server does not answer\n%s", log.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// newServer runs a server with a store and artifacts of its own.
func newServer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	return startServer(t, dir, "--backend-store-uri", "sqlite:///"+filepath.Join(dir, "server.db"),
		"--artifacts-destination", filepath.Join(dir, "artifacts"))
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
