package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// server is a versitygw with its objects in files.
type server struct {
	cmd      *exec.Cmd
	dir      string
	endpoint string
	log      bytes.Buffer
	ended    <-chan struct{}
}

const (
	bucket    = "bucket"
	accessKey = "flowbench"
	secretKey = "flowbenchsecret"
)

// The server is the same for all programs: one process that nobody shares the
// storage with needs no lock files, and with one user there are no access control
// lists.
var (
	gatewayFlags = []string{"--quiet", "--keep-alive", "--disable-acl"}
	posixFlags   = []string{"--disable-object-lock-file"}
)

// memoryDir is a directory in memory, "" where there is none.
func memoryDir() string {
	const dir = "/dev/shm"
	data, err := os.ReadFile("/proc/mounts")
	if err != nil || !strings.Contains("\n"+string(data), "\ntmpfs "+dir+" tmpfs ") {
		return ""
	}
	return dir
}

// memoryFree is how many bytes of memory programs can have; 0 when not known.
func memoryFree() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "MemAvailable:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib << 10
}

// startServer starts a server that keeps what it knows of objects in extended
// attributes, or in files beside them where the file system has none.
func startServer(binary, dir string) (*server, error) {
	for _, d := range []string{filepath.Join(dir, "objects", bucket), filepath.Join(dir, "attributes")} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			return nil, err
		}
	}
	s, err := tryServer(binary, dir, filepath.Join(dir, "objects"))
	if err != nil {
		s, err = tryServer(binary, dir, "--sidecar", filepath.Join(dir, "attributes"), filepath.Join(dir, "objects"))
	}
	return s, err
}

func tryServer(binary, dir string, posix ...string) (*server, error) {
	s := &server{dir: dir}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	_ = l.Close() // only its number was of interest
	s.endpoint = "http://" + address
	s.cmd = exec.Command(binary, slices.Concat([]string{"--port", address}, gatewayFlags, []string{"posix"}, posixFlags, posix)...)
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // that it was stopped is no error
		close(ended)
	}()
	s.ended = ended
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if a, err := http.Get(s.endpoint); err == nil {
			_ = a.Body.Close() // any answer will do
			return s, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("%s: %s", binary, s.log.String())
		default:
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer: %s", binary, s.log.String())
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// cpu returns the processor time of the server so far; 0 where there is no /proc.
func (s *server) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	var ticks int64
	_, rest, _ := strings.Cut(string(data), ") ")
	if f := strings.Fields(rest); len(f) > 12 {
		for _, text := range f[11:13] {
			n, _ := strconv.ParseInt(text, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// places are where the server keeps what is under a prefix of the bucket.
func (s *server) places(prefix string) []string {
	return []string{filepath.Join(s.dir, "objects", bucket, prefix), filepath.Join(s.dir, "attributes", bucket, prefix)}
}

// environment is what the tools learn the server by.
func (s *server) environment() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true", "DVC_NO_ANALYTICS=1",
		"RCLONE_CONFIG_R_TYPE=s3", "RCLONE_CONFIG_R_PROVIDER=Other", "RCLONE_CONFIG_R_ENDPOINT=" + s.endpoint, "RCLONE_CONFIG_R_REGION=us-east-1",
		"RCLONE_CONFIG_R_ACCESS_KEY_ID=" + accessKey, "RCLONE_CONFIG_R_SECRET_ACCESS_KEY=" + secretKey,
	}
}

// counter is a proxy before the server that counts what passes.
type counter struct {
	*httptest.Server
	requests, received atomic.Int64
	kinds              [5]atomic.Int64
}

var kinds = [...]string{"GET", "HEAD", "PUT", "POST", "list"}

func startCounter(s *server) (*counter, error) {
	u, err := url.Parse(s.endpoint)
	if err != nil {
		return nil, err
	}
	c := new(counter)
	next := &httputil.ReverseProxy{
		// The Host header stays: it is signed.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = u.Scheme, u.Host, r.In.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 100},
		ModifyResponse: func(a *http.Response) error {
			a.Body = &countedBody{a.Body, &c.received}
			return nil
		},
	}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		kind := r.Method
		if q := r.URL.Query(); kind == http.MethodGet && (q.Has("list-type") || q.Has("prefix")) {
			kind = "list"
		}
		if i := slices.Index(kinds[:], kind); i >= 0 {
			c.kinds[i].Add(1)
		}
		next.ServeHTTP(w, r)
	}))
	return c, nil
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// take returns what was counted since the last call, in words.
func (c *counter) take() string {
	text := fmt.Sprintf("%d", c.requests.Swap(0))
	var parts []string
	for i := range kinds {
		if n := c.kinds[i].Swap(0); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kinds[i]))
		}
	}
	return fmt.Sprintf("%s (%s) | %d", text, strings.Join(parts, ", "), c.received.Swap(0))
}
