package cache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// treeBench is a directory of many files, a store, and a memo that takes
// everything for settled.
type treeBench struct {
	t    *testing.T
	base string
	root string
	hash *Hash
	memo *Memo
}

func newTreeBench(t *testing.T, h *Hash) *treeBench {
	t.Helper()
	b := &treeBench{t: t, base: t.TempDir(), hash: h}
	b.root = filepath.Join(b.base, "data")
	for i := range manyFiles + 10 {
		b.write(fmt.Sprintf("%d/%d", i%7, i), fmt.Sprintf("content %d", i))
	}
	b.reopen()
	return b
}

func (b *treeBench) reopen() {
	if err := b.memo.Save(); err != nil {
		b.t.Fatal(err)
	}
	b.memo = OpenMemo(filepath.Join(b.base, "memo"), func() time.Time { return time.Now().Add(time.Hour) })
}

func (b *treeBench) write(rel, text string) {
	b.t.Helper()
	path := filepath.Join(b.root, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		b.t.Fatal(err)
	}
}

func (b *treeBench) store() *Store {
	b.t.Helper()
	s, err := Open(Options{Dir: filepath.Join(b.base, "store"), Hash: b.hash, Memo: b.memo})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// scan returns what ScanTree finds, and how many bytes it hashed.
func (b *treeBench) scan() (Entry, *Tree, int64) {
	b.t.Helper()
	var read atomic.Int64
	sc := &Scanner{Hash: b.hash, Memo: b.memo, Progress: func(_, n int64) { read.Add(n) }}
	e, tree, err := sc.ScanTree(b.t.Context(), b.root)
	if err != nil {
		b.t.Fatal(err)
	}
	return e, tree, read.Load()
}

// check compares ScanTree with a scan that remembers nothing.
func (b *treeBench) check(what string) *Tree {
	b.t.Helper()
	e, tree, _ := b.scan()
	want, m, err := (&Scanner{Hash: b.hash}).Scan(b.t.Context(), b.root)
	if err != nil {
		b.t.Fatal(err)
	}
	if e != want {
		b.t.Errorf("%s: %+v, want %+v", what, e, want)
	}
	got, err := tree.Manifest(b.t.Context())
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	if string(got.Encode(b.hash)) != string(m.Encode(b.hash)) {
		b.t.Errorf("%s: another manifest", what)
	}
	return tree
}

func TestScanTree(t *testing.T) {
	for _, h := range []*Hash{BLAKE3, MD5} {
		t.Run(h.Name, func(t *testing.T) {
			b := newTreeBench(t, h)
			b.check("first")
			b.reopen()
			b.check("in the memo") // remembers the directory
			b.reopen()
			// Without the files' digests, so that only the directory is known.
			if err := os.Remove(filepath.Join(b.base, "memo")); err != nil {
				t.Fatal(err)
			}
			if _, _, read := b.scan(); read != 0 {
				t.Errorf("%d bytes were read of what did not change", read)
			}
			b.check("known")
			one := filepath.Join(b.root, "3", "3")
			for _, c := range []struct {
				what   string
				change func() error
			}{
				{"content of the same size", func() error { return os.WriteFile(one, []byte("CONTENT 3"), 0o666) }},
				{"execute bit", func() error { return os.Chmod(one, 0o777) }},
				{"name", func() error { return os.Rename(one, one+"x") }},
				{"file gone", func() error { return os.Remove(one + "x") }},
				{"file more", func() error { return os.WriteFile(one, []byte("new"), 0o666) }},
				{"directory moved", func() error { return os.Rename(filepath.Join(b.root, "5"), filepath.Join(b.root, "55")) }},
			} {
				if err := c.change(); err != nil {
					t.Fatal(err)
				}
				for _, when := range []string{"changed", "again", "known"} {
					b.check(c.what + ", " + when)
					b.reopen()
				}
			}
		})
	}
}

// The manifest of a tree that was known as a whole is that of what was seen.
func TestTreeManifestOfChangedFile(t *testing.T) {
	b := newTreeBench(t, BLAKE3)
	b.scan()
	b.scan()
	b.reopen()
	if err := os.Remove(filepath.Join(b.base, "memo")); err != nil {
		t.Fatal(err)
	}
	_, tree, _ := b.scan()
	b.write("3/3", "changed since")
	if m, err := tree.Manifest(t.Context()); err == nil {
		t.Errorf("a manifest of %d files that the entry does not belong to", len(m.Members))
	}
}

func TestHoldsTree(t *testing.T) {
	for _, h := range []*Hash{BLAKE3, MD5} {
		t.Run(h.Name, func(t *testing.T) {
			b := newTreeBench(t, h)
			s := b.store()
			ctx := context.Background()
			e, m, err := s.Add(ctx, &Scanner{Hash: h, Memo: b.memo}, b.root, SaveOptions{})
			if err != nil {
				t.Fatal(err)
			}
			holds := func(what string, want bool) {
				t.Helper()
				for range 2 {
					got, err := b.store().HoldsTree(ctx, TreeOf(e, m))
					if err != nil || got != want {
						t.Fatalf("%s: %v, %v", what, got, err)
					}
				}
			}
			holds("added", true)
			if now := s.mark(h); !b.memo.held(s.dir, e.Digest, now) {
				t.Error("what was found is not remembered")
			}
			b.reopen()
			holds("remembered", true)
			lost := m.Members[17].Digest
			if err := s.Remove(ctx, lost); err != nil {
				t.Fatal(err)
			}
			holds("without an object", false)
			if _, _, err := s.Add(ctx, &Scanner{Hash: h, Memo: b.memo}, b.root, SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			holds("stored again", true)
			if err := s.Remove(ctx, e.Digest); err != nil {
				t.Fatal(err)
			}
			holds("without the directory's object", false)
		})
	}
}

// While the store changes there is nothing to go by.
func TestHoldsTreeUnsettled(t *testing.T) {
	b := newTreeBench(t, BLAKE3)
	b.memo = OpenMemo(filepath.Join(b.base, "memo"), func() time.Time { return time.Now().Add(-time.Hour) })
	s := b.store()
	e, m, err := s.Add(t.Context(), &Scanner{Hash: BLAKE3, Memo: b.memo}, b.root, SaveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if held, err := s.HoldsTree(t.Context(), TreeOf(e, m)); err != nil || !held {
		t.Fatal(held, err)
	}
	if now := s.mark(BLAKE3); now != (mark{}) {
		t.Error("a mark of directories that may change without showing it")
	}
}

func TestCheckoutOfKnownTree(t *testing.T) {
	b := newTreeBench(t, BLAKE3)
	s := b.store()
	e, _, err := s.Add(t.Context(), &Scanner{Hash: BLAKE3, Memo: b.memo}, b.root, SaveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checkout := func(what string, changed int) {
		t.Helper()
		b.reopen()
		ch, err := b.store().Checkout(t.Context(), b.root, e, CheckoutOptions{Force: true})
		if n := len(ch.Added) + len(ch.Modified) + len(ch.Deleted); err != nil || n != changed {
			t.Errorf("%s: %d changes, want %d: %v", what, n, changed, err)
		}
		if got, _, err := (&Scanner{Hash: BLAKE3}).Scan(t.Context(), b.root); err != nil || got != e {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	for _, what := range []string{"first", "remembered", "known"} {
		checkout(what, 0)
	}
	b.write("3/3", "CONTENT 3")
	checkout("modified", 1)
	checkout("remembered again", 0)
	b.write("3/more", "more")
	checkout("more", 1)
	if err := os.Remove(filepath.Join(b.root, "3", "3")); err != nil {
		t.Fatal(err)
	}
	checkout("less", 1)
}
