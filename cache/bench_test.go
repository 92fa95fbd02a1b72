package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/flowrepro/flow/cache"
)

// benchFiles is how many files of 1 KB the benchmarks work on; the published
// figures are for FLOW_BENCH_FILES=100000.
func benchFiles(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("FLOW_BENCH_FILES"))
	if err != nil {
		return 2000
	}
	b.Logf("%d files", n)
	return n
}

// manyFiles makes a directory of n files of 1 KB.
func manyFiles(b *testing.B, n int) string {
	b.Helper()
	root := filepath.Join(b.TempDir(), "data")
	r := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 1024)
	for i := range n {
		dir := filepath.Join(root, fmt.Sprint(i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(dir, 0o777); err != nil {
				b.Fatal(err)
			}
		}
		for j := range buf {
			buf[j] = byte(r.Uint32())
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), buf, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	return root
}

type benchStore struct {
	store *cache.Store
	memo  *cache.Memo
	scan  *cache.Scanner
	dir   string
}

func (s *benchStore) reopen(b *testing.B, h *cache.Hash, dir string) {
	s.dir = dir
	s.memo = cache.OpenMemo(filepath.Join(dir, "memo"), nil)
	store, err := cache.Open(cache.Options{Dir: filepath.Join(dir, "cache"), Hash: h, Memo: s.memo})
	if err != nil {
		b.Fatal(err)
	}
	s.store, s.scan = store, &cache.Scanner{Hash: h, Memo: s.memo}
}

// BenchmarkScan100k is everything that "status" of an unchanged directory
// does: walk, stat, memo, manifest, presence of all objects.
func BenchmarkScan100k(b *testing.B) {
	for _, h := range []*cache.Hash{cache.BLAKE3, cache.MD5} {
		b.Run(h.Name, func(b *testing.B) {
			ctx := context.Background()
			root := manyFiles(b, benchFiles(b))
			time.Sleep(50 * time.Millisecond) // or the memo refuses
			var s benchStore
			s.reopen(b, h, b.TempDir())
			e, m, err := s.scan.Scan(ctx, root)
			if err == nil {
				err = s.store.Save(ctx, root, e, m, cache.SaveOptions{})
			}
			if err == nil {
				err = s.memo.Save()
			}
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s.reopen(b, h, s.dir)
				got, m, err := s.scan.Scan(ctx, root)
				if err != nil || got != e {
					b.Fatal(err, got)
				}
				s.store.Know(got, m)
				missing, err := s.store.Missing(ctx, got.Digest)
				if err != nil || len(missing) > 0 {
					b.Fatal(err, len(missing))
				}
				if err := s.memo.Save(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAdd is the first scan and save.
func BenchmarkAdd(b *testing.B) {
	for _, h := range []*cache.Hash{cache.BLAKE3, cache.MD5} {
		b.Run(h.Name, func(b *testing.B) {
			ctx := context.Background()
			root := manyFiles(b, benchFiles(b))
			var s benchStore
			for b.Loop() {
				s.reopen(b, h, b.TempDir())
				e, m, err := s.scan.Scan(ctx, root)
				if err == nil {
					err = s.store.Save(ctx, root, e, m, cache.SaveOptions{})
				}
				if err == nil {
					err = s.memo.Save()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCheckout restores a directory that is not there.
func BenchmarkCheckout(b *testing.B) {
	for _, link := range []cache.LinkType{cache.Copy, cache.Hardlink, cache.Symlink} {
		b.Run(string(link), func(b *testing.B) {
			ctx := context.Background()
			root := manyFiles(b, benchFiles(b))
			dir := b.TempDir()
			s, err := cache.Open(cache.Options{
				Dir: filepath.Join(dir, "cache"), Hash: cache.BLAKE3, Links: []cache.LinkType{link},
				Memo: cache.OpenMemo(filepath.Join(dir, "memo"), nil),
			})
			if err != nil {
				b.Fatal(err)
			}
			e, m, err := (&cache.Scanner{Hash: cache.BLAKE3}).Scan(ctx, root)
			if err == nil {
				err = s.Save(ctx, root, e, m, cache.SaveOptions{})
			}
			if err != nil {
				b.Fatal(err)
			}
			i := 0
			for b.Loop() {
				i++
				if _, err := s.Checkout(ctx, filepath.Join(dir, fmt.Sprint(i)), e, cache.CheckoutOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHashFile hashes one large file from the page cache.
func BenchmarkHashFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "f")
	const size = 256 << 20
	if err := os.WriteFile(path, make([]byte, size), 0o666); err != nil {
		b.Fatal(err)
	}
	for _, h := range []*cache.Hash{cache.BLAKE3, cache.MD5} {
		b.Run(h.Name, func(b *testing.B) {
			b.SetBytes(size)
			s := &cache.Scanner{Hash: h}
			for b.Loop() {
				if _, _, err := s.Scan(context.Background(), path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
