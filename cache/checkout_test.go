package cache_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/cache"
)

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
			info, err := os.Stat(b.object(d))
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
		if err := b.store.Remove(t.Context(), m.Members[1].Digest); err != nil {
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
		if err := b.store.Remove(t.Context(), e.Digest); err != nil {
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
		if err := b.store.Remove(t.Context(), m.Members[0].Digest); err != nil {
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
