//go:build unix

package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/cache"
)

// What DVC 3.67 makes of the same directories.
var goldenDirs = []struct {
	name     string
	files    []string
	digest   string
	size     int64
	manifest string
}{
	{
		"execute bit", []string{"a", "1\n", "b*", "22\n"},
		"3845349db8a955eea14669faafb286e4.dir", 5,
		`[{"md5": "b026324c6904b2a9cb4b88d6d61c81d1", "relpath": "a"}, {"md5": "2fc57d6f63a9ee7e2f21a26fa522e3b6", "relpath": "b"}]`,
	},
	{
		"order", []string{"a/x", "a/x", "a-b/x", "a-b/x", "a.txt", "a.txt"},
		"60e1967b606eef28893f8e6f0b632b26.dir", 13,
		`[{"md5": "ddffb397c8362ee9084ab012577a5520", "relpath": "a-b/x"}, {"md5": "a5e54d1fd7bb69a228ef0dcd2431367e", "relpath": "a.txt"}, {"md5": "e2d645f7ae8e44add7bcb2494c6e0ef8", "relpath": "a/x"}]`,
	},
	{
		"names", []string{
			"é/ü", "x", `q"b\s`, "x", "\U0001F600.txt", "x", "tab\tnl\ncr\rbs\bff\fesc\x1bdel\x7f", "x",
			"<&>", "x", "\u2028", "x", "\uffee", "x",
		},
		"f9cd8533efcbd9ebf87b4eb5a8d77bac.dir", 7,
		`[{"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "<&>"}, {"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "q\"b\\s"}, {"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "tab\tnl\ncr\rbs\bff\fesc\u001bdel\u007f"}, {"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "\u00e9/\u00fc"}, {"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "\u2028"}, {"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "\uffee"}, {"md5": "9dd4e461268c8034f5c8564e155c67a6", "relpath": "\ud83d\ude00.txt"}]`,
	},
	{
		"links", []string{"f", "f\n", "d/y", "y", "todir@", "d", "tofile@", "f"},
		"7805a5cc89269baabb826ab6a8ced895.dir", 5,
		`[{"md5": "415290769594460e2e485922904f345d", "relpath": "d/y"}, {"md5": "9a8ad92c50cae39aa2c5604fd0ab6d8c", "relpath": "f"}, {"md5": "9a8ad92c50cae39aa2c5604fd0ab6d8c", "relpath": "tofile"}]`,
	},
	{"empty", nil, "d751713988987e9331980363e24189ce.dir", 0, `[]`},
}

func TestDirectoryIsWhatDVCSays(t *testing.T) {
	for _, tt := range goldenDirs {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, cache.MD5)
			if err := os.MkdirAll(b.path("d/empty/dir"), 0o777); err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(tt.files); i += 2 {
				b.write("d/"+tt.files[i], tt.files[i+1])
			}
			e, m := b.scan("d")
			if e.Digest.String() != tt.digest || e.Size != tt.size || e.Files != len(m.Members) || e.Exec {
				t.Errorf("entry %+v, digest %s", e, e.Digest)
			}
			if diff := cmp.Diff(tt.manifest, string(m.Encode(cache.MD5))); diff != "" {
				t.Error(diff)
			}
			b.save("d", cache.SaveOptions{})
			data, err := os.ReadFile(b.store.Path(e.Digest))
			if err != nil || string(data) != tt.manifest {
				t.Errorf("object %q, %v", data, err)
			}
			if want := tt.digest[:2] + string(os.PathSeparator) + tt.digest[2:]; !strings.HasSuffix(b.store.Path(e.Digest), want) {
				t.Errorf("path %s", b.store.Path(e.Digest))
			}
		})
	}
}

func TestNativeManifest(t *testing.T) {
	b := newBench(t, cache.BLAKE3)
	b.write("d/a", "1\n", "d/b*", "22\n", "d/é", "")
	_, m := b.scan("d")
	want := fmt.Sprintf(`[{"blake3": "%s", "relpath": "a", "size": 2}, `+
		`{"blake3": "%s", "exec": true, "relpath": "b", "size": 3}, `+
		`{"blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262", "relpath": "\u00e9", "size": 0}]`,
		m.Members[0].Digest, m.Members[1].Digest)
	if diff := cmp.Diff(want, string(m.Encode(cache.BLAKE3))); diff != "" {
		t.Error(diff)
	}
}

func TestScanFile(t *testing.T) {
	b := newBench(t, cache.MD5)
	b.write("f", "hello\n", "x*", "hello\n", "l@", "x")
	for rel, exec := range map[string]bool{"f": false, "x": true, "l": true} {
		e, m := b.scan(rel)
		if m != nil || e.Size != 6 || e.Exec != exec || e.Digest.String() != "b1946ac92492d2347c6235b4d2611184" {
			t.Errorf("%s: %+v %s", rel, e, e.Digest)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	tests := []struct {
		name string
		make func(b *bench)
		want string
	}{
		{"ignore file", func(b *bench) { b.write("d/sub/.dvcignore", "x") }, ".dvcignore file should not be in collected dir path: '%/d/sub'"},
		{"broken link", func(b *bench) { b.write("d/l@", "nowhere") }, "scan %/d/l: broken symbolic link"},
		{"not UTF-8", func(b *bench) { b.write("d/\xff", "") }, `scan %/d: name "\xff" is not valid UTF-8`},
		{"pipe", func(b *bench) {
			b.write("d/a", "")
			if err := syscall.Mkfifo(b.path("d/p"), 0o666); err != nil {
				b.Fatal(err)
			}
		}, "scan %/d/p: is a named pipe, which cannot be tracked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, cache.BLAKE3)
			tt.make(b)
			_, _, err := b.scanner.Scan(context.Background(), b.path("d"))
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.ReplaceAll(err.Error(), b.path(""), "%"); got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
		})
	}
}

func TestScanMissing(t *testing.T) {
	b := newBench(t, cache.BLAKE3)
	b.write("l@", "nowhere")
	for _, rel := range []string{"none", "none/below", "l"} {
		if _, _, err := b.scanner.Scan(context.Background(), b.path(rel)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", rel, err)
		}
	}
}

func TestScanCancelled(t *testing.T) {
	b := newBench(t, cache.BLAKE3)
	b.write("d/a", "1")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := b.scanner.Scan(ctx, b.path("d")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Files read in one go, in pieces and through the pipe have the digest that
// hashing them in memory gives, and progress adds up.
func TestHashSizes(t *testing.T) {
	const mib = 1 << 20
	contract(t, nil, func(b *bench) {
		for _, size := range []int{0, 1, mib - 1, mib, mib + 1, 3*mib + 5, 8 * mib, 9*mib + 7} {
			data := strings.Repeat("ab\r\n", size/4+1)[:size]
			b.write("f", data)
			w := b.scanner.Hash.New()
			w.Write([]byte(data))
			var files, bytes atomic.Int64
			s := cache.Scanner{Hash: b.scanner.Hash, Progress: func(f, n int64) { files.Add(f); bytes.Add(n) }}
			e, _, err := s.Scan(context.Background(), b.path("f"))
			if err != nil {
				b.Fatal(err)
			}
			if want := cache.NewDigest(b.scanner.Hash, w.Sum(nil), false); e.Digest != want || e.Size != int64(size) {
				b.Errorf("%d bytes: %s, want %s", size, e.Digest, want)
			}
			if files.Load() != 1 || bytes.Load() != int64(size) {
				b.Errorf("progress %d files, %d bytes", files.Load(), bytes.Load())
			}
		}
	})
}

func TestMemoIsUsedAndNeverWrong(t *testing.T) {
	b := newBench(t, cache.BLAKE3)
	b.write("d/a", "one", "d/b", "two")
	time.Sleep(60 * time.Millisecond)
	read := func() int64 {
		t.Helper()
		var n atomic.Int64
		s := *b.scanner
		s.Progress = func(_, bytes int64) { n.Add(bytes) }
		if _, _, err := s.Scan(context.Background(), b.path("d")); err != nil {
			t.Fatal(err)
		}
		return n.Load()
	}
	if n := read(); n != 6 {
		t.Errorf("first scan read %d bytes", n)
	}
	if n := read(); n != 0 {
		t.Errorf("second scan read %d bytes", n)
	}
	// Same size, same time: the change time gives it away.
	info, err := os.Stat(b.path("d/a"))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := b.scan("d")
	b.write("d/a", "ONE")
	if err := os.Chtimes(b.path("d/a"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	after, _ := b.scan("d")
	if before == after {
		t.Error("an edit went unnoticed")
	}
	// What has just changed is not trusted.
	if n := read(); n != 3 {
		t.Errorf("a file within its tick: read %d bytes", n)
	}
}

// A checkout fills the memo, so that the next scan reads nothing.
func TestCheckoutFillsMemo(t *testing.T) {
	for _, link := range []cache.LinkType{cache.Copy, cache.Hardlink, cache.Symlink} {
		t.Run(string(link), func(t *testing.T) {
			contract(t, []cache.LinkType{link}, func(b *bench) {
				b.write("d/a", "one", "d/b", "two", "d/c", "one", "f", "three")
				d, f := b.save("d", cache.SaveOptions{Relink: true}), b.save("f", cache.SaveOptions{Relink: true})
				b.write("d/a", "other")
				b.checkout("d", d, cache.CheckoutOptions{Force: true})
				if err := os.RemoveAll(b.path("f")); err != nil {
					b.Fatal(err)
				}
				b.checkout("f", f, cache.CheckoutOptions{})
				if err := os.RemoveAll(b.path("d")); err != nil {
					b.Fatal(err)
				}
				b.checkout("d", d, cache.CheckoutOptions{})
				var n atomic.Int64
				s := *b.scanner
				s.Progress = func(_, bytes int64) { n.Add(bytes) }
				for rel, want := range map[string]cache.Entry{"d": d, "f": f} {
					got, _, err := s.Scan(context.Background(), b.path(rel))
					if err != nil || got != want {
						b.Errorf("%s: %+v, %v", rel, got, err)
					}
				}
				if n.Load() != 0 {
					b.Errorf("read %d bytes", n.Load())
				}
			})
		})
	}
}
