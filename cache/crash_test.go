//go:build unix

package cache_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowrepro/flow/cache"
)

const (
	crashEnv     = "FLOW_CACHE_CRASH_DIR"
	crashPackEnv = "FLOW_CACHE_CRASH_PACKS"
)

// crashFiles is the content of version v of the directory. Half of the files
// differ between versions, and each version has some of its own.
func crashFiles(v int) map[string]string {
	files := make(map[string]string)
	for i := range 60 {
		name := fmt.Sprintf("%d/f%d", i%5, i)
		switch i % 3 {
		case 0:
			files[name] = fmt.Sprint("both ", i)
		case 1:
			files[name] = strings.Repeat(fmt.Sprint(v, i), 2000)
		default:
			files[fmt.Sprintf("%d/v%d-%d", i%5, v, i)] = fmt.Sprint("own ", v, i)
		}
	}
	return files
}

// crashVictim goes back and forth between two versions until it is killed.
func crashVictim(dir string) error {
	ctx := context.Background()
	out := filepath.Join(dir, "ws", "out")
	memo := cache.OpenMemo(filepath.Join(dir, "memo"), nil)
	s, err := cache.Open(cache.Options{Dir: filepath.Join(dir, "cache"), Hash: cache.BLAKE3, Memo: memo, PackFrom: crashPackFrom()})
	if err != nil {
		return err
	}
	scan := &cache.Scanner{Hash: cache.BLAKE3, Memo: memo}
	for {
		var versions []cache.Entry
		for v := range 2 {
			src := filepath.Join(dir, "ws", fmt.Sprint("v", v))
			e, m, err := scan.Scan(ctx, src)
			if err == nil {
				err = s.Save(ctx, src, e, m, cache.SaveOptions{})
			}
			if err != nil {
				return err
			}
			versions = append(versions, e)
		}
		for _, e := range versions {
			if _, err := s.Checkout(ctx, out, e, cache.CheckoutOptions{}); err != nil {
				return err
			}
		}
		if err := memo.Save(); err != nil {
			return err
		}
		m, err := s.Manifest(versions[1].Digest)
		if err != nil {
			return err
		}
		going := []cache.Digest{versions[1].Digest}
		for _, x := range m.Members[:len(m.Members)/2] {
			going = append(going, x.Digest)
		}
		if err := s.Remove(ctx, going...); err != nil {
			return err
		}
		if err := os.RemoveAll(out); err != nil {
			return err
		}
		if err := os.RemoveAll(s.Dir()); err != nil {
			return err
		}
	}
}

// Killed at any moment, the store verifies and every workspace file is that of
// one version, whole.
func TestKill(t *testing.T) {
	if dir := os.Getenv(crashEnv); dir != "" {
		t.Fatal(crashVictim(dir))
	}
	for name, from := range map[string]string{"files": "-1", "packs": "1"} {
		t.Run(name, func(t *testing.T) { killRounds(t, from) })
	}
}

// crashPackFrom is the Options.PackFrom of the victim.
func crashPackFrom() int {
	n, _ := strconv.Atoi(os.Getenv(crashPackEnv))
	return n
}

func killRounds(t *testing.T, packFrom string) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, cache.BLAKE3)
	for v := range 2 {
		for name, content := range crashFiles(v) {
			b.write(fmt.Sprintf("v%d/%s", v, name), content)
		}
	}
	for round := range 8 {
		cmd := exec.Command(self, "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), crashEnv+"="+b.dir, crashPackEnv+"="+packFrom)
		var output strings.Builder
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(25+11*round) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if output.Len() > 0 {
			t.Fatalf("ended by itself: %s", output.String())
		}
		b.checkAfterKill()
	}
}

func (b *bench) checkAfterKill() {
	b.Helper()
	ctx := context.Background()
	s, err := cache.Open(cache.Options{Dir: filepath.Join(b.dir, "cache"), Hash: cache.BLAKE3})
	if err != nil {
		b.Fatal(err)
	}
	r, err := s.Verify(ctx, cache.VerifyOptions{})
	// A directory may be incomplete here since the victim also deletes.
	if err != nil || len(r.Corrupt) > 0 || len(r.Unreadable) > 0 {
		b.Fatalf("store: %+v, %v", r, err)
	}
	v0, v1 := crashFiles(0), crashFiles(1)
	if _, err := os.Stat(b.path("out")); err == nil {
		for name, content := range b.tree("out") {
			if !strings.HasSuffix(name, "/") && content != v0[name] && content != v1[name] {
				b.Fatalf("file %s is of neither version", name)
			}
		}
	}
	// Going on as if nothing had happened works, with the memo of the dead.
	memo := cache.OpenMemo(filepath.Join(b.dir, "memo"), nil)
	s, err = cache.Open(cache.Options{Dir: filepath.Join(b.dir, "cache"), Hash: cache.BLAKE3, Memo: memo})
	if err != nil {
		b.Fatal(err)
	}
	scan := &cache.Scanner{Hash: cache.BLAKE3, Memo: memo}
	for v := range 2 {
		src := b.path(fmt.Sprint("v", v))
		e, m, err := scan.Scan(ctx, src)
		if err == nil {
			err = s.Save(ctx, src, e, m, cache.SaveOptions{})
		}
		if err == nil {
			_, err = s.Checkout(ctx, b.path("out"), e, cache.CheckoutOptions{Force: true, Verify: true})
		}
		if err != nil {
			b.Fatal(err)
		}
		if got, _, err := (&cache.Scanner{Hash: cache.BLAKE3}).Scan(ctx, b.path("out")); err != nil || got != e {
			b.Fatalf("version %d: %+v, %v", v, got, err)
		}
	}
}
