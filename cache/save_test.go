package cache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/flowrepro/flow/cache"
)

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
					object, err := os.Stat(b.object(x.Digest))
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

// An error on the way leaves the workspace, and no half of anything.
func TestErrorsLoseNothing(t *testing.T) {
	contract(t, []cache.LinkType{cache.Hardlink}, func(b *bench) {
		ctx := context.Background()
		b.write("d/a", "1", "d/b", "2", "f", "3")
		e, m := b.scan("d")
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
		e = b.save("d", cache.SaveOptions{Relink: true})
		f := b.save("f", cache.SaveOptions{})

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
