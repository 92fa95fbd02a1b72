package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/cache"
)

// bench is a workspace with a store beside it.
type bench struct {
	*testing.T
	dir     string
	store   *cache.Store
	memo    *cache.Memo
	scanner *cache.Scanner
}

func newBench(t *testing.T, h *cache.Hash, links ...cache.LinkType) *bench {
	t.Helper()
	dir := t.TempDir()
	memo := cache.OpenMemo(filepath.Join(dir, "state", "memo"), nil)
	s, err := cache.Open(cache.Options{Dir: filepath.Join(dir, "cache"), Hash: h, Links: links, Workers: 3, Memo: memo})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "ws"), 0o777); err != nil {
		t.Fatal(err)
	}
	return &bench{t, dir, s, memo, &cache.Scanner{Hash: h, Memo: memo, Workers: 3}}
}

func (b *bench) path(rel string) string {
	return filepath.Join(b.dir, "ws", filepath.FromSlash(rel))
}

// write makes files from "path", "content" pairs; a path that ends in * is
// executable, one that ends in @ a symbolic link to its content.
func (b *bench) write(pairs ...string) {
	b.Helper()
	for i := 0; i < len(pairs); i += 2 {
		name, content := pairs[i], pairs[i+1]
		mode := fs.FileMode(0o644)
		p := b.path(strings.TrimRight(name, "*@"))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			b.Fatal(err)
		}
		if strings.HasSuffix(name, "@") {
			if err := os.Symlink(content, p); err != nil {
				b.Fatal(err)
			}
			continue
		}
		if strings.HasSuffix(name, "*") {
			mode = 0o755
		}
		_ = os.Remove(p)
		if err := os.WriteFile(p, []byte(content), mode); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *bench) scan(rel string) (cache.Entry, *cache.Manifest) {
	b.Helper()
	e, m, err := b.scanner.Scan(context.Background(), b.path(rel))
	if err != nil {
		b.Fatal(err)
	}
	return e, m
}

func (b *bench) save(rel string, opt cache.SaveOptions) cache.Entry {
	b.Helper()
	e, m := b.scan(rel)
	if err := b.store.Save(context.Background(), b.path(rel), e, m, opt); err != nil {
		b.Fatal(err)
	}
	return e
}

func (b *bench) checkout(rel string, e cache.Entry, opt cache.CheckoutOptions) cache.Changes {
	b.Helper()
	ch, err := b.store.Checkout(context.Background(), b.path(rel), e, opt)
	if err != nil {
		b.Fatal(err)
	}
	return ch
}

// tree lists what is below ws/rel: files with content, * for execute bits,
// @ for links, / for directories.
func (b *bench) tree(rel string) map[string]string {
	b.Helper()
	got := make(map[string]string)
	root := b.path(rel)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root && d.IsDir() {
			return err
		}
		name := "."
		if p != root {
			r, _ := filepath.Rel(root, p)
			name = filepath.ToSlash(r)
		}
		if d.IsDir() {
			got[name+"/"] = ""
			return nil
		}
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if info.Mode()&0o111 != 0 {
			name += "*"
		}
		if d.Type()&fs.ModeSymlink != 0 {
			name += "@"
		}
		data, err := os.ReadFile(p)
		got[name] = string(data)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *bench) want(rel string, pairs ...string) {
	b.Helper()
	want := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	if diff := cmp.Diff(want, b.tree(rel)); diff != "" {
		b.Errorf("%s (-want +got):\n%s", rel, diff)
	}
}

// noTemp checks that no temporary file is left anywhere.
func (b *bench) noTemp() {
	b.Helper()
	_ = filepath.WalkDir(b.dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), cache.TempPrefix) {
			b.Errorf("left behind: %s", p)
		}
		return nil
	})
}

// verified checks that the store has no fault.
func (b *bench) verified() {
	b.Helper()
	r, err := b.store.Verify(context.Background(), cache.VerifyOptions{})
	if err != nil {
		b.Fatal(err)
	}
	if !r.OK() {
		b.Errorf("store is damaged: %+v", r)
	}
}

// damage changes one bit of an object, keeping its mode and size.
func (b *bench) damage(d cache.Digest) {
	b.Helper()
	p := b.store.Path(d)
	info, err := os.Stat(p)
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(p)
	if err != nil || len(data) == 0 {
		b.Fatalf("object to damage: %v, %d bytes", err, len(data))
	}
	data[len(data)/2] ^= 4
	_ = os.Chmod(p, 0o644)
	if err := os.WriteFile(p, data, 0o644); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(p, info.Mode()); err != nil {
		b.Fatal(err)
	}
}

var algorithms = []*cache.Hash{cache.BLAKE3, cache.MD5, cache.MD5Text}

// contract runs a test for every algorithm.
func contract(t *testing.T, links []cache.LinkType, fn func(b *bench)) {
	t.Helper()
	for _, h := range algorithms {
		t.Run(h.Name, func(t *testing.T) { fn(newBench(t, h, links...)) })
	}
}

func TestSaveAndCheckoutDirectory(t *testing.T) {
	contract(t, nil, func(b *bench) {
		b.write("d/a", "1\n", "d/run*", "#!\n", "d/sub/deep/x", strings.Repeat("x", 3<<20), "d/empty", "")
		e := b.save("d", cache.SaveOptions{})
		if !e.Digest.IsDir() || e.Files != 4 || e.Size != 2+3+3<<20 {
			b.Errorf("entry %+v", e)
		}
		b.noTemp()
		b.verified()
		err := b.store.Walk(context.Background(), func(d cache.Digest, _ int64, _ time.Time) error {
			info, err := os.Stat(b.store.Path(d))
			if err == nil && info.Mode().Perm() != 0o444 {
				b.Errorf("object %s has mode %v", d, info.Mode())
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}

		if err := os.RemoveAll(b.path("d")); err != nil {
			b.Fatal(err)
		}
		ch := b.checkout("d", e, cache.CheckoutOptions{Verify: true})
		if diff := cmp.Diff([]string{"a", "empty", "run", "sub/deep/x"}, ch.Added); diff != "" || ch.Modified != nil || ch.Deleted != nil {
			b.Errorf("changes %+v", ch)
		}
		run := "run"
		if b.scanner.Hash == cache.BLAKE3 {
			run = "run*"
		}
		b.want("d", "a", "1\n", run, "#!\n", "sub/", "", "sub/deep/", "", "sub/deep/x", strings.Repeat("x", 3<<20), "empty", "")
		if got, _ := b.scan("d"); got != e {
			b.Errorf("scanned %+v, want %+v", got, e)
		}
		if ch := b.checkout("d", e, cache.CheckoutOptions{}); !ch.Empty() {
			b.Errorf("second checkout changed %+v", ch)
		}
		b.noTemp()
	})
}

func TestCheckoutUpdatesOnlyWhatDiffers(t *testing.T) {
	contract(t, nil, func(b *bench) {
		b.write("d/same", "same", "d/mod", "old", "d/gone/in/deep", "gone", "d/kind", "file")
		old := b.save("d", cache.SaveOptions{})
		b.write("d/mod", "new", "d/add/x", "add")
		for _, p := range []string{"d/gone", "d/kind"} {
			if err := os.RemoveAll(b.path(p)); err != nil {
				b.Fatal(err)
			}
		}
		b.write("d/kind/below", "now a directory")
		now := b.save("d", cache.SaveOptions{})
		before, err := os.Stat(b.path("d/same"))
		if err != nil {
			b.Fatal(err)
		}

		ch := b.checkout("d", old, cache.CheckoutOptions{})
		want := cache.Changes{
			Added: []string{"gone/in/deep", "kind"}, Modified: []string{"mod"},
			Deleted: []string{"add/x", "kind/below"},
		}
		if diff := cmp.Diff(want, ch); diff != "" {
			b.Error(diff)
		}
		b.want("d", "same", "same", "mod", "old", "gone/", "", "gone/in/", "", "gone/in/deep", "gone", "kind", "file")
		b.checkout("d", now, cache.CheckoutOptions{})
		b.want("d", "same", "same", "mod", "new", "add/", "", "add/x", "add", "kind/", "", "kind/below", "now a directory")
		after, err := os.Stat(b.path("d/same"))
		if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
			b.Errorf("a file that is the same was touched: %v", err)
		}
		b.noTemp()
	})
}

func TestCheckoutBetweenFileAndDirectory(t *testing.T) {
	contract(t, nil, func(b *bench) {
		b.write("f", "a file", "d/x", "1", "d/y/z", "2")
		f, d := b.save("f", cache.SaveOptions{}), b.save("d", cache.SaveOptions{})
		if ch := b.checkout("d", f, cache.CheckoutOptions{}); !slices.Equal(ch.Added, []string{"."}) || len(ch.Deleted) != 2 {
			b.Errorf("changes %+v", ch)
		}
		b.want("d", ".", "a file")
		if ch := b.checkout("d", d, cache.CheckoutOptions{}); !slices.Equal(ch.Deleted, []string{"."}) || len(ch.Added) != 2 {
			b.Errorf("changes %+v", ch)
		}
		b.want("d", "x", "1", "y/", "", "y/z", "2")
		b.noTemp()
	})
}

func TestExecuteBitOfAFile(t *testing.T) {
	contract(t, []cache.LinkType{cache.Hardlink}, func(b *bench) {
		b.write("s*", "#!/bin/sh\n")
		e := b.save("s", cache.SaveOptions{Relink: true})
		if !e.Exec {
			b.Fatal("not recorded")
		}
		if err := os.Remove(b.path("s")); err != nil {
			b.Fatal(err)
		}
		b.checkout("s", e, cache.CheckoutOptions{})
		info, err := os.Stat(b.path("s"))
		if err != nil || info.Mode()&0o100 == 0 {
			b.Errorf("mode %v, %v", info.Mode(), err)
		}
		if err := os.Chmod(b.path("s"), 0o644); err != nil {
			b.Fatal(err)
		}
		if ch := b.checkout("s", e, cache.CheckoutOptions{}); !slices.Equal(ch.Modified, []string{"."}) {
			b.Errorf("changes %+v", ch)
		}
		b.want("", "s*", "#!/bin/sh\n")
		b.verified()
		if info, err := os.Stat(b.store.Path(e.Digest)); err != nil || info.Mode().Perm() != 0o444 {
			b.Errorf("object's mode: %v, %v", info, err)
		}
	})
}

func TestUnsavedContentIsKept(t *testing.T) {
	contract(t, nil, func(b *bench) {
		ctx := context.Background()
		b.write("d/a", "1", "d/b", "2")
		e := b.save("d", cache.SaveOptions{})
		b.write("d/a", "precious", "d/c", "also")
		_, err := b.store.Checkout(ctx, b.path("d"), e, cache.CheckoutOptions{})
		var unsaved *cache.UnsavedError
		if !errors.As(err, &unsaved) {
			b.Fatalf("error %v", err)
		}
		if diff := cmp.Diff([]string{b.path("d/a"), b.path("d/c")}, unsaved.Paths); diff != "" {
			b.Error(diff)
		}
		b.want("d", "a", "precious", "b", "2", "c", "also")

		stop := errors.New("no")
		_, err = b.store.Checkout(ctx, b.path("d"), e, cache.CheckoutOptions{Keep: func(string) error { return stop }})
		if !errors.Is(err, stop) {
			b.Errorf("error %v", err)
		}
		b.want("d", "a", "precious", "b", "2", "c", "also")

		var kept []string
		b.checkout("d", e, cache.CheckoutOptions{Keep: func(p string) error {
			data, err := os.ReadFile(p)
			kept = append(kept, string(data))
			return err
		}})
		b.want("d", "a", "1", "b", "2")
		if diff := cmp.Diff([]string{"precious", "also"}, kept); diff != "" {
			b.Error(diff)
		}

		b.write("d/a", "worthless")
		b.checkout("d", e, cache.CheckoutOptions{Force: true})
		b.want("d", "a", "1", "b", "2")
	})
}

func TestMissingObjectsTouchNothing(t *testing.T) {
	contract(t, nil, func(b *bench) {
		ctx := context.Background()
		b.write("d/a", "1", "d/b", "2")
		e, m := b.scan("d")
		b.save("d", cache.SaveOptions{})
		b.write("d/a", "x", "d/b", "y")
		b.save("d", cache.SaveOptions{})
		if err := b.store.Remove(m.Members[1].Digest); err != nil {
			b.Fatal(err)
		}
		check := func(want ...cache.Digest) {
			b.Helper()
			_, err := b.store.Checkout(ctx, b.path("d"), e, cache.CheckoutOptions{})
			var missing *cache.MissingError
			if !errors.As(err, &missing) || !errors.Is(err, cache.ErrNotFound) {
				b.Fatalf("error %v", err)
			}
			if !slices.Equal(missing.Digests, want) {
				b.Errorf("missing %v, want %v", missing.Digests, want)
			}
			got, err := b.store.Missing(ctx, e.Digest)
			if err != nil || !slices.Equal(got, want) {
				b.Errorf("Missing says %v, %v; want %v", got, err, want)
			}
			b.want("d", "a", "x", "b", "y")
		}
		check(m.Members[1].Digest)
		if err := b.store.Remove(e.Digest); err != nil {
			b.Fatal(err)
		}
		check(e.Digest)
	})
}

func TestDamagedObjectsNeverArrive(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	for _, links := range [][]cache.LinkType{{cache.Copy}, {cache.Reflink}, {cache.Hardlink}, {cache.Symlink}} {
		t.Run(string(links[0]), func(t *testing.T) {
			contract(t, links, func(b *bench) {
				ctx := context.Background()
				b.write("d/small", "small", "d/big", big, "d/fine", "fine", "f", "single")
				e, f := b.save("d", cache.SaveOptions{}), b.save("f", cache.SaveOptions{})
				_, m := b.scan("d")
				if err := os.RemoveAll(b.path("d")); err != nil {
					b.Fatal(err)
				}
				if err := os.Remove(b.path("f")); err != nil {
					b.Fatal(err)
				}
				var bad []cache.Digest
				for _, name := range []string{"big", "small"} {
					x, _ := m.Lookup(name)
					bad = append(bad, x.Digest)
					b.damage(x.Digest)
				}
				slices.SortFunc(bad, func(a, b cache.Digest) int { return strings.Compare(a.String(), b.String()) })
				b.damage(f.Digest)
				for rel, e := range map[string]cache.Entry{"d": e, "f": f} {
					_, err := b.store.Checkout(ctx, b.path(rel), e, cache.CheckoutOptions{Verify: true})
					var missing *cache.MissingError
					if !errors.As(err, &missing) {
						b.Fatalf("error %v", err)
					}
					if rel == "d" && !slices.Equal(missing.Corrupt, bad) {
						b.Errorf("corrupt %v, want %v", missing.Corrupt, bad)
					}
					if _, err := os.Lstat(b.path(rel)); !errors.Is(err, fs.ErrNotExist) {
						b.Errorf("%s is there: %v", rel, err)
					}
				}
				b.noTemp()
				for _, d := range append(bad, f.Digest) {
					if b.store.Has(d) {
						b.Errorf("damaged object %s is still there", d)
					}
				}
			})
		})
	}
}

// A damaged object that is not of mode 0444 is noticed without being asked.
func TestUntrustedObjects(t *testing.T) {
	contract(t, nil, func(b *bench) {
		ctx := context.Background()
		b.write("f", "content", "g", "other")
		f, g := b.save("f", cache.SaveOptions{}), b.save("g", cache.SaveOptions{})
		b.damage(f.Digest)
		for _, e := range []cache.Entry{f, g} {
			if err := os.Chmod(b.store.Path(e.Digest), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.Remove(b.path("f")); err != nil {
			b.Fatal(err)
		}
		_, err := b.store.Checkout(ctx, b.path("f"), f, cache.CheckoutOptions{})
		var missing *cache.MissingError
		if !errors.As(err, &missing) || len(missing.Corrupt) != 1 {
			b.Fatalf("error %v", err)
		}
		if b.store.Has(f.Digest) {
			b.Error("corrupted object is still there")
		}
		ok, err := b.store.Trusted(g.Digest)
		info, serr := os.Stat(b.store.Path(g.Digest))
		if !ok || err != nil || serr != nil || info.Mode().Perm() != 0o444 {
			b.Errorf("good object: %v, %v, %v", ok, err, info)
		}
		if ok, err := b.store.Trusted(f.Digest); ok || err != nil {
			b.Errorf("absent object: %v, %v", ok, err)
		}
		// Saving again repairs.
		b.write("f", "content")
		b.save("f", cache.SaveOptions{})
		b.verified()
	})
}

func TestSaveRepairsTornObject(t *testing.T) {
	contract(t, nil, func(b *bench) {
		b.write("f", "content")
		e := b.save("f", cache.SaveOptions{})
		p := b.store.Path(e.Digest)
		_ = os.Chmod(p, 0o644)
		if err := os.Truncate(p, 0); err != nil {
			b.Fatal(err)
		}
		_ = os.Chmod(p, 0o444)
		b.save("f", cache.SaveOptions{})
		b.verified()
		if !b.store.Has(e.Digest) {
			b.Error("not stored again")
		}
	})
}

func TestSaveNoticesEdits(t *testing.T) {
	for _, links := range [][]cache.LinkType{{cache.Copy}, {cache.Hardlink}, {cache.Symlink}} {
		for _, size := range []int{7, 1 << 20} {
			t.Run(fmt.Sprint(links[0], size), func(t *testing.T) {
				contract(t, links, func(b *bench) {
					edited := strings.Repeat("y", size)
					for _, rel := range []string{"d/a", "f"} {
						b.write(rel, strings.Repeat("x", size))
						top := strings.TrimSuffix(rel, "/a")
						e, m := b.scan(top)
						for _, now := range []string{edited, edited + "z", ""} {
							b.write(rel, now)
							err := b.store.Save(context.Background(), b.path(top), e, m, cache.SaveOptions{Relink: true})
							if !errors.Is(err, cache.ErrChanged) {
								b.Errorf("error %v", err)
							}
							info, err := os.Stat(b.path(rel))
							if err != nil || info.Mode().Perm() != 0o644 {
								b.Errorf("mode %v, %v", info, err)
							}
						}
						if err := os.Remove(b.path(rel)); err != nil {
							b.Fatal(err)
						}
						err := b.store.Save(context.Background(), b.path(top), e, m, cache.SaveOptions{})
						if !errors.Is(err, cache.ErrChanged) {
							b.Errorf("vanished: error %v", err)
						}
						if b.store.Has(e.Digest) {
							b.Error("stored")
						}
					}
					b.noTemp()
					b.verified()
				})
			})
		}
	}
}

func TestLinks(t *testing.T) {
	tests := []struct {
		link   cache.LinkType
		suffix string
		ro     bool
	}{{cache.Copy, "", false}, {cache.Reflink, "", false}, {cache.Hardlink, "", true}, {cache.Symlink, "@", true}}
	for _, tt := range tests {
		t.Run(string(tt.link), func(t *testing.T) {
			contract(t, []cache.LinkType{tt.link}, func(b *bench) {
				check := func() {
					b.Helper()
					e := ""
					if tt.link == cache.Symlink {
						e = "@"
					}
					b.want("d", "a"+tt.suffix, "1", "sub/", "", "sub/b"+tt.suffix, "1", "e"+e, "")
					info, err := os.Stat(b.path("d/a"))
					if err != nil {
						b.Fatal(err)
					}
					if ro := info.Mode()&0o222 == 0; ro != tt.ro {
						b.Errorf("mode %v", info.Mode())
					}
					_, m := b.scan("d")
					x, _ := m.Lookup("a")
					object, err := os.Stat(b.store.Path(x.Digest))
					if err != nil {
						b.Fatal(err)
					}
					if same := os.SameFile(info, object); same != tt.ro {
						b.Errorf("same file: %v", same)
					}
				}
				b.write("d/a", "1", "d/sub/b", "1", "d/e", "")
				e := b.save("d", cache.SaveOptions{Relink: true})
				check()
				if err := os.RemoveAll(b.path("d")); err != nil {
					b.Fatal(err)
				}
				b.checkout("d", e, cache.CheckoutOptions{})
				check()
				if ch := b.checkout("d", e, cache.CheckoutOptions{Relink: true}); !ch.Empty() {
					b.Errorf("changes %+v", ch)
				}
				check()

				if err := b.store.Unprotect(b.path("d")); err != nil {
					b.Fatal(err)
				}
				b.want("d", "a", "1", "sub/", "", "sub/b", "1", "e", "")
				b.write("d/a", "2")
				b.verified()
				b.write("d/a", "1")
				b.checkout("d", e, cache.CheckoutOptions{Relink: true})
				check()
				b.noTemp()
				b.verified()
			})
		})
	}
}

// A manifest, or what is in the workspace, cannot make a checkout write
// somewhere else.
func TestCheckoutStaysInside(t *testing.T) {
	contract(t, nil, func(b *bench) {
		b.write("d/sub/x", "1", "d/sub2/y", "2", "outside/x", "precious")
		e := b.save("d", cache.SaveOptions{})
		b.save("outside", cache.SaveOptions{})
		for _, force := range []bool{false, true} {
			if err := os.RemoveAll(b.path("d/sub")); err != nil {
				b.Fatal(err)
			}
			b.write("d/sub@", "../outside")
			b.checkout("d", e, cache.CheckoutOptions{Force: force})
			b.want("d", "sub/", "", "sub/x", "1", "sub2/", "", "sub2/y", "2")
			b.want("outside", "x", "precious")
		}
		// The output itself is a link to a directory.
		if err := os.RemoveAll(b.path("d")); err != nil {
			b.Fatal(err)
		}
		b.write("d@", "outside")
		b.checkout("d", e, cache.CheckoutOptions{})
		b.want("d", "sub/", "", "sub/x", "1", "sub2/", "", "sub2/y", "2")
		b.want("outside", "x", "precious")

		// A link to the right content is the user's choice and stays.
		if err := os.Rename(b.path("d"), b.path("elsewhere")); err != nil {
			b.Fatal(err)
		}
		b.write("d@", "elsewhere")
		if ch := b.checkout("d", e, cache.CheckoutOptions{}); !ch.Empty() {
			b.Errorf("changes %+v", ch)
		}
		if _, err := os.Readlink(b.path("d")); err != nil {
			b.Error(err)
		}
	})
}

func TestIgnoredFilesStay(t *testing.T) {
	contract(t, nil, func(b *bench) {
		ignore := func(abs string, dir bool) bool { return strings.HasSuffix(abs, ".log") }
		b.scanner.Ignore = ignore
		b.write("d/a", "1", "d/x.log", "log", "d/sub/y.log", "log")
		e := b.save("d", cache.SaveOptions{})
		if e.Files != 1 {
			b.Errorf("entry %+v", e)
		}
		b.write("d/sub/b", "2")
		b.save("d", cache.SaveOptions{})
		b.checkout("d", e, cache.CheckoutOptions{Ignore: ignore})
		b.want("d", "a", "1", "x.log", "log", "sub/", "", "sub/y.log", "log")
	})
}

func TestBrokenLinks(t *testing.T) {
	contract(t, []cache.LinkType{cache.Symlink}, func(b *bench) {
		b.write("d/a", "1", "d/b", "2")
		e := b.save("d", cache.SaveOptions{Relink: true})
		_, m := b.scan("d")
		if err := b.store.Remove(m.Members[0].Digest); err != nil {
			b.Fatal(err)
		}
		if _, _, err := b.scanner.Scan(context.Background(), b.path("d")); err == nil {
			b.Error("scanned a broken link")
		}
		d, _, err := b.store.Put(context.Background(), strings.NewReader("1"))
		if err != nil || d != m.Members[0].Digest {
			b.Fatal(err, d)
		}
		if ch := b.checkout("d", e, cache.CheckoutOptions{}); !ch.Empty() {
			b.Errorf("changes %+v", ch)
		}
		// One that leads elsewhere is somebody's.
		if err := os.Remove(b.path("d/a")); err != nil {
			b.Fatal(err)
		}
		b.write("d/a@", "/nowhere/at/all")
		_, err = b.store.Checkout(context.Background(), b.path("d"), e, cache.CheckoutOptions{})
		var unsaved *cache.UnsavedError
		if !errors.As(err, &unsaved) {
			b.Errorf("error %v", err)
		}
		b.checkout("d", e, cache.CheckoutOptions{Force: true})
		b.want("d", "a@", "1", "b@", "2")
	})
}

func TestPut(t *testing.T) {
	contract(t, nil, func(b *bench) {
		for _, size := range []int{0, 1, smallRead - 1, smallRead, smallRead + 1, 9 << 20} {
			data := bytes.Repeat([]byte("a\n"), size/2+1)[:size]
			d, n, err := b.store.Put(context.Background(), oneByteFirst(data))
			if err != nil || n != int64(size) {
				b.Fatalf("%d, %v", n, err)
			}
			w := b.scanner.Hash.New()
			w.Write(data)
			if want := cache.NewDigest(b.scanner.Hash, w.Sum(nil), false); d != want {
				b.Errorf("digest %s, want %s", d, want)
			}
			f, err := b.store.Open(d)
			if err != nil {
				b.Fatal(err)
			}
			info, _ := f.Stat()
			f.Close()
			if info.Size() != int64(size) || info.Mode().Perm() != 0o444 {
				b.Errorf("object %v", info)
			}
			if _, err := b.store.PutAs(context.Background(), d, bytes.NewReader(append(data, 'x'))); !errors.Is(err, cache.ErrChanged) {
				b.Errorf("PutAs: %v", err)
			}
			if n, err := b.store.PutAs(context.Background(), d, bytes.NewReader(data)); err != nil || n != int64(size) {
				b.Errorf("PutAs: %d, %v", n, err)
			}
		}
		b.noTemp()
		b.verified()
	})
}

const smallRead = 1 << 20

// oneByteFirst reads data in pieces of odd sizes.
func oneByteFirst(data []byte) *pieces { return &pieces{data: data, n: 1} }

type pieces struct {
	data []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	k := copy(b[:min(len(b), p.n)], p.data)
	p.data = p.data[k:]
	p.n = p.n*3 + 1
	return k, nil
}

func TestMissingOfMany(t *testing.T) {
	for _, h := range []*cache.Hash{cache.BLAKE3, cache.MD5, cache.MD5Text} {
		b := newBench(t, h)
		m := new(cache.Manifest)
		var want []cache.Digest
		for i := range 3000 {
			text := fmt.Sprintf("%04d", i)
			w := h.New()
			w.Write([]byte(text))
			d := cache.NewDigest(h, w.Sum(nil), false)
			m.Members = append(m.Members, cache.Member{Path: text, Digest: d, Size: 4})
			if i%7 == 0 {
				want = append(want, d)
				continue
			}
			p := b.store.Path(d)
			if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, []byte(text), 0o444); err != nil {
				t.Fatal(err)
			}
		}
		e, err := b.store.PutManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(want, func(a, b cache.Digest) int { return strings.Compare(a.String(), b.String()) })
		got, err := b.store.Missing(context.Background(), e.Digest)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d missing, want %d; %v", h.Name, len(got), len(want), err)
		}
	}
}

func TestVerify(t *testing.T) {
	contract(t, nil, func(b *bench) {
		ctx := context.Background()
		b.write("d/a", "1", "d/b", "22", "g/x", "333", "f", "single")
		d, g := b.save("d", cache.SaveOptions{}), b.save("g", cache.SaveOptions{})
		b.save("f", cache.SaveOptions{})
		_, m := b.scan("d")
		b.damage(m.Members[0].Digest)
		b.damage(g.Digest)
		stale := filepath.Join(filepath.Dir(b.store.Path(d.Digest)), cache.TempPrefix+"stale")
		fresh := filepath.Join(filepath.Dir(b.store.Path(d.Digest)), cache.TempPrefix+"fresh")
		for _, p := range []string{stale, fresh} {
			if err := os.WriteFile(p, nil, 0o444); err != nil {
				b.Fatal(err)
			}
		}
		old := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(stale, old, old); err != nil {
			b.Fatal(err)
		}
		r, err := b.store.Verify(ctx, cache.VerifyOptions{})
		if err != nil {
			b.Fatal(err)
		}
		want := []cache.Digest{m.Members[0].Digest, g.Digest}
		slices.SortFunc(want, func(a, b cache.Digest) int { return strings.Compare(a.String(), b.String()) })
		if !slices.Equal(r.Corrupt, want) || !slices.Equal(r.Incomplete, []cache.Digest{d.Digest}) ||
			r.Checked != 6 || r.Swept != 1 || r.OK() || len(r.Unreadable) != 0 {
			b.Errorf("report %+v, want corrupt %v", r, want)
		}
		if _, err := os.Stat(fresh); err != nil {
			b.Errorf("swept what may be in use: %v", err)
		}
		missing, err := b.store.Missing(ctx, d.Digest, g.Digest)
		if err != nil || !slices.Equal(missing, want) {
			b.Errorf("missing %v, %v", missing, err)
		}
		kept, err := filepath.Glob(filepath.Join(b.store.Dir(), "quarantine", b.scanner.Hash.Name, "*"))
		if err != nil || len(kept) != 2 {
			b.Errorf("quarantine %v, %v", kept, err)
		}
		b.save("d", cache.SaveOptions{})
		b.save("g", cache.SaveOptions{})
		b.verified()
	})
}

// An error on the way leaves the workspace, and no half of anything.
func TestErrorsLoseNothing(t *testing.T) {
	contract(t, []cache.LinkType{cache.Hardlink}, func(b *bench) {
		ctx := context.Background()
		b.write("d/a", "1", "d/b", "2", "f", "3")
		e, m := b.scan("d")
		f, _ := b.scan("f")
		// A file where the store wants a directory stands for whatever makes
		// writing fail; modes do not stop every user.
		block := filepath.Dir(b.store.Path(m.Members[1].Digest))
		if err := os.MkdirAll(filepath.Dir(block), 0o777); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(block, nil, 0o666); err != nil {
			b.Fatal(err)
		}
		err := b.store.Save(ctx, b.path("d"), e, m, cache.SaveOptions{Relink: true})
		if err == nil || !strings.Contains(err.Error(), b.path("d/b")) {
			b.Errorf("error %v", err)
		}
		if b.store.Has(e.Digest) {
			b.Error("manifest stored before its members")
		}
		b.want("d", "a", "1", "b", "2")
		b.noTemp()
		if err := os.Remove(block); err != nil {
			b.Fatal(err)
		}
		e, f = b.save("d", cache.SaveOptions{Relink: true}), b.save("f", cache.SaveOptions{})

		// The same for a checkout: the output's parent is a file.
		b.write("file", "x")
		for _, e := range []cache.Entry{e, f} {
			if _, err := b.store.Checkout(ctx, b.path("file/below"), e, cache.CheckoutOptions{}); err == nil {
				b.Error("no error")
			}
		}
		b.want("file", ".", "x")
		b.noTemp()
		b.verified()
	})
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]cache.Options{
		"no hash":      {Dir: t.TempDir()},
		"no directory": {Hash: cache.MD5},
		"a file":       {Dir: file, Hash: cache.MD5},
		"link type":    {Dir: t.TempDir(), Hash: cache.MD5, Links: []cache.LinkType{"teleport"}},
	} {
		if _, err := cache.Open(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	dir := filepath.Join(t.TempDir(), "cache")
	s, err := cache.Open(cache.Options{Dir: dir, Hash: cache.MD5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Missing(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading created the store: %v", err)
	}
}

func TestSharedStore(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no groups")
	}
	b := newBench(t, cache.MD5)
	s, err := cache.Open(cache.Options{Dir: filepath.Join(b.dir, "shared", "cache"), Hash: cache.MD5, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := s.Put(context.Background(), strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{s.Dir(), filepath.Dir(s.Path(d))} {
		info, err := os.Stat(p)
		if err != nil || info.Mode()&(fs.ModePerm|fs.ModeSetgid) != 0o775|fs.ModeSetgid {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}

// Several stores on one directory, as of several processes, save and check
// out the same things at once.
func TestConcurrentUse(t *testing.T) {
	contract(t, nil, func(b *bench) {
		for i := range 40 {
			b.write(fmt.Sprintf("d/%d/f", i), fmt.Sprint(i%7))
		}
		e, m := b.scan("d")
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				s, err := cache.Open(cache.Options{Dir: b.store.Dir(), Hash: b.scanner.Hash, Memo: b.memo})
				if err == nil {
					err = s.Save(context.Background(), b.path("d"), e, m, cache.SaveOptions{})
				}
				if err == nil {
					_, err = s.Checkout(context.Background(), b.path(fmt.Sprint("copy", i)), e, cache.CheckoutOptions{})
				}
				if err == nil {
					err = b.memo.Save()
				}
				if err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		for i := range 4 {
			if got, _ := b.scan(fmt.Sprint("copy", i)); got != e {
				b.Errorf("copy %d: %+v", i, got)
			}
		}
		b.noTemp()
		b.verified()
	})
}
