package cmd_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/remote/remotetest"
	"github.com/flowrepro/flow/remote/s3"
)

// serverKill is a project whose remote is on a server.
type serverKill struct {
	*testing.T
	server       *remotetest.S3
	format, home string
	hash         *cache.Hash
	// template has the data, in the cache too, and nothing pushed.
	template string
	data     map[string]string
	objects  int
	prefixes int
}

// TestKilledServerTransfers kills push and pull, in turn and in both formats, at
// random moments of their work with a real server. Whatever the moment, what has
// a name on the server must be what its name says, and so must be what is in the
// cache; the same command, run again, completes; and what was pushed arrives in
// a fresh clone as it was.
func TestKilledServerTransfers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no server")
	}
	kills, random := killPlan(t, 4)
	server := remotetest.StartS3(t)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	var killed atomic.Int64
	for i, c := range []struct {
		format string
		hash   *cache.Hash
		large  int64 // bytes of a file that is sent in parts, 0 for none
		share  int
	}{
		// Those in parts take long: they are a twentieth, and left out of few.
		{"native", cache.BLAKE3, 0, (kills + 1) / 2 * 19 / 20}, {"dvc", cache.MD5, 0, kills / 2 * 19 / 20},
		{"native", cache.BLAKE3, 40 << 20, kills / 40}, {"dvc", cache.MD5, 40 << 20, kills / 40},
	} {
		if c.share == 0 {
			continue
		}
		random := rand.New(rand.NewPCG(random.Uint64(), 0)) //nolint:gosec // reproducible
		t.Run(fmt.Sprintf("%s/%d", c.format, c.large), func(t *testing.T) {
			t.Parallel() // each has prefixes of its own on the server
			k := &serverKill{T: t, server: server, format: c.format, hash: c.hash, home: t.TempDir(), prefixes: i * 1000}
			k.setup(c.large)
			pushTook := k.reference("push")
			pullTook := k.reference("pull")
			mine := 0
			for n := 0; n < c.share || mine == 0 && n < c.share+6; n++ {
				// The moments are spread over the whole duration; they come sooner when
				// all were too late, since what the duration was taken of was slower.
				moment := (float64(n%c.share) + random.Float64()) / float64(c.share)
				if late := n - c.share; late >= 0 {
					moment /= float64(2 * (late + 1))
				}
				var done bool
				if n%2 == 0 {
					done = k.push(time.Duration(moment * float64(pushTook)))
				} else {
					done = k.pull(time.Duration(moment * float64(pullTook)))
				}
				if done {
					mine++
					killed.Add(1)
				}
			}
		})
	}
	t.Cleanup(func() { // after the parallel ones
		if n := int(killed.Load()); n < kills/3 && !t.Failed() {
			t.Errorf("only %d of %d commands were killed before their end", n, kills)
		}
		t.Logf("%d were killed before their end", killed.Load())
	})
}

func (k *serverKill) must(dir string, args ...string) {
	k.Helper()
	if out, code := runFlow(k.T, k.home, dir, args...); code != 0 {
		k.Fatalf("flow %v ends with %d:\n%s", args, code, out)
	}
}

func (k *serverKill) setup(large int64) {
	k.Helper()
	k.template = filepath.Join(k.home, "template")
	const files = 120
	for i := range files {
		write(k.T, filepath.Join(k.template, "data", fmt.Sprint(i%3), fmt.Sprint(i)), fmt.Sprintf("%s %d\n", k.format, i))
	}
	k.objects = files + 1 // the manifest
	if large > 0 {
		buf := make([]byte, large)
		random := rand.NewChaCha8([32]byte{1})
		_, _ = random.Read(buf) // never fails
		write(k.T, filepath.Join(k.template, "data", "large"), string(buf))
		k.objects++
	}
	k.data = k.read(k.template)
	k.must(k.template, "init", "--format", k.format, "--no-scm")
	k.must(k.template, "add", "data")
	k.must(k.template, "remote", "add", "-d", "r", "s3://"+remotetest.Bucket+"/"+k.prefix())
	k.must(k.template, "remote", "modify", "r", "endpointurl", k.server.Endpoint)
}

// prefix is where the latest push goes.
func (k *serverKill) prefix() string { return fmt.Sprintf("killed-%d", k.prefixes) }

func (k *serverKill) read(dir string) map[string]string {
	k.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name) // it is below
		all[rel] = string(data)
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	return all
}

// project copies the template to a directory of its own that pushes to a prefix
// of its own, and clone makes what somebody has who cloned it.
func (k *serverKill) project() string {
	k.Helper()
	dir := k.TempDir()
	copyTree(k.T, k.template, dir)
	k.prefixes++
	k.must(dir, "remote", "modify", "r", "url", "s3://"+remotetest.Bucket+"/"+k.prefix())
	return dir
}

func (k *serverKill) clone() string {
	k.Helper()
	dir := k.TempDir()
	k.must(dir, "init", "--format", k.format, "--no-scm")
	k.must(dir, "remote", "add", "-d", "r", "s3://"+remotetest.Bucket+"/"+k.prefix())
	k.must(dir, "remote", "modify", "r", "endpointurl", k.server.Endpoint)
	tracked, err := os.ReadFile(filepath.Join(k.template, "data.dvc"))
	if err != nil {
		k.Fatal(err)
	}
	write(k.T, filepath.Join(dir, "data.dvc"), string(tracked))
	return dir
}

// reference runs a command undisturbed, and returns how long it took.
func (k *serverKill) reference(verb string) time.Duration {
	k.Helper()
	var took time.Duration
	for range 2 { // the first warms the disk
		start := k.clone
		if verb == "push" {
			start = k.project
		}
		dir := start()
		began := time.Now()
		k.must(dir, verb)
		took = time.Since(began)
	}
	return took
}

// kill runs a command and kills it after a while; killed is false when the
// command was faster.
func (k *serverKill) kill(dir string, after time.Duration, args ...string) (killed bool) {
	k.Helper()
	c := flowCommand(k.T, k.home, dir, args...)
	if err := c.Start(); err != nil {
		k.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	err := c.Wait()
	var exit *exec.ExitError
	if killed = errors.As(err, &exit) && exit.ExitCode() == -1; !killed && err != nil {
		k.Fatalf("flow %v: %v", args, err)
	}
	return killed
}

// sound verifies what is on the server, and counts it.
func (k *serverKill) sound() int {
	k.Helper()
	o, err := s3.Parse("s3://"+remotetest.Bucket+"/"+k.prefix(), k.server.Settings())
	if err != nil {
		k.Fatal(err)
	}
	store, err := s3.New(o)
	if err != nil {
		k.Fatal(err)
	}
	return remotetest.Sound(k.T, store, k.hash)
}

func (k *serverKill) arrived(dir string, after time.Duration) {
	k.Helper()
	k.must(dir, "cache", "verify")
	if diff := cmp.Diff(k.data, k.read(dir)); diff != "" {
		k.Errorf("killed after %v: data after the next run (-want +got):\n%.2000s", after, diff)
	}
}

func (k *serverKill) push(after time.Duration) bool {
	k.Helper()
	dir := k.project()
	killed := k.kill(dir, after, "push")
	k.sound()
	k.must(dir, "cache", "verify")
	k.must(dir, "push")
	if n := k.sound(); n < k.objects {
		// There are more when a pack was there whose push did not know of it.
		k.Errorf("killed after %v: %d objects on the server after the next push, want %d", after, n, k.objects)
	}
	clone := k.clone()
	k.must(clone, "pull")
	k.arrived(clone, after)
	return killed
}

func (k *serverKill) pull(after time.Duration) bool {
	k.Helper()
	dir := k.clone()
	killed := k.kill(dir, after, "pull")
	k.must(dir, "cache", "verify")
	k.must(dir, "pull")
	k.arrived(dir, after)
	return killed
}
