package remotetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gofrs/flock"
)

// ServerVar names the environment variable that holds the path of a versitygw
// to use instead of building one.
const ServerVar = "FLOW_TEST_VERSITYGW"

const serverPackage = "github.com/versity/versitygw/cmd/versitygw"

// S3 is a running S3 server, versitygw, with its objects in files.
type S3 struct {
	// Endpoint is its URL; AccessKey and SecretKey are those of its root.
	Endpoint, AccessKey, SecretKey string
	// Dir holds a directory for each bucket, with a file for each object.
	Dir string

	log *bytes.Buffer
	cmd *exec.Cmd
	// backend are further arguments of the backend.
	backend []string
}

// Bucket is the bucket that exists from the start.
const Bucket = "bucket"

// StartS3 starts a server that stops with the test. The test is skipped when
// there is none to start and it cannot be built from what this machine has;
// with CI set in the environment it fails then. more are further arguments
// before the backend's.
func StartS3(tb testing.TB, more ...string) *S3 {
	tb.Helper()
	return startS3(tb, more, nil)
}

// StartVersionedS3 is StartS3 with a bucket that keeps old versions.
func StartVersionedS3(tb testing.TB) *S3 {
	tb.Helper()
	s := startS3(tb, nil, []string{"--versioning-dir", tb.TempDir()})
	c := s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, Region: "us-east-1", UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}, nil
		}),
	})
	_, err := c.PutBucketVersioning(tb.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(Bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func startS3(tb testing.TB, more, backend []string) *S3 {
	tb.Helper()
	if runtime.GOOS == "windows" {
		tb.Skip("versitygw keeps its objects on POSIX file systems only")
	}
	binary, err := server()
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal(err)
		}
		tb.Skipf("no S3 server: %v", err)
	}
	dir := tb.TempDir()
	s := &S3{AccessKey: "flowtest", SecretKey: "flowtestsecret", Dir: filepath.Join(dir, "objects"), backend: backend}
	for _, d := range []string{filepath.Join(s.Dir, Bucket), filepath.Join(dir, "attributes")} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			tb.Fatal(err)
		}
	}
	// A port that was free a moment ago may be taken by another test.
	for range 5 {
		if err = s.start(dir, binary, more); err == nil {
			break
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.stop)
	return s
}

func (s *S3) start(dir, binary string, more []string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	// Attributes go beside the objects: not every file system has its own.
	args := append([]string{"--port", address, "--quiet", "--keep-alive"}, more...)
	args = append(args, "posix", "--sidecar", filepath.Join(dir, "attributes"))
	args = append(append(args, s.backend...), s.Dir)
	s.log = new(bytes.Buffer)
	s.cmd = exec.Command(binary, args...)
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	endWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.Endpoint = "http://" + address
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		response, err := http.Get(s.Endpoint)
		if err == nil {
			response.Body.Close()
			return nil
		}
		if s.cmd.ProcessState != nil {
			break
		}
	}
	s.stop()
	return fmt.Errorf("the S3 server did not answer: %s", s.log)
}

func (s *S3) stop() {
	_ = s.cmd.Process.Kill() // it has nothing worth finishing
	_ = s.cmd.Wait()
}

// Settings are those of a remote on the server, with DVC's keys.
func (s *S3) Settings() map[string]string {
	return map[string]string{
		"endpointurl": s.Endpoint, "access_key_id": s.AccessKey, "secret_access_key": s.SecretKey, "region": "us-east-1",
	}
}

// server returns the path of versitygw: the one that the environment names, or
// one that is built, once for each version, from the module of tools. Without
// CI nothing is downloaded for that.
var server = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(ServerVar); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("%s: %w", ServerVar, err)
		}
		return path, nil
	}
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the source is not known")
	}
	tools := filepath.Join(filepath.Dir(here), "..", "..", "tools")
	sums, err := os.ReadFile(filepath.Join(tools, "go.sum"))
	if err != nil {
		return "", fmt.Errorf("the module of tools is not there: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "flow-test")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(dir, "versitygw.lock"))
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Close() //nolint:errcheck // goes with the descriptor
	path := filepath.Join(dir, fmt.Sprintf("versitygw-%x", sha256.Sum256(sums))[:26])
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	c := exec.Command("go", "build", "-o", path, serverPackage)
	c.Dir = tools
	c.Env = append(os.Environ(), "GOWORK=off")
	if os.Getenv("CI") != "true" {
		c.Env = append(c.Env, "GOPROXY=off", "GOFLAGS=-mod=mod")
	}
	if out, err := c.CombinedOutput(); err != nil {
		text, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("build versitygw: %w: %s (with CI=true it is downloaded; %s names one)", err, text, ServerVar)
	}
	return path, nil
})
