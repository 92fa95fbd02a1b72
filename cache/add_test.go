package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fillDir writes n small files, some of one content, in two levels.
func fillDir(t *testing.T, dir string, n int) {
	t.Helper()
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprint("d", i%7))
		if err := os.MkdirAll(sub, 0o777); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint("content ", i-i%3)
		if i == 5 {
			text = ""
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprint("f", i)), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// intact fails the test unless the store has nothing but whole objects.
func intact(t *testing.T, s *Store) {
	t.Helper()
	r, err := s.Verify(context.Background(), VerifyOptions{})
	if err != nil || !r.OK() {
		t.Fatalf("verify: %+v, %v", r, err)
	}
	err = filepath.WalkDir(s.Dir(), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), TempPrefix) {
			t.Errorf("%s is left", path)
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() && execMatters && info.Mode().Perm() != 0o444 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAddIsScanAndSave finds the same in either way, in an empty store and in
// one that has part of it.
func TestAddIsScanAndSave(t *testing.T) {
	ctx := context.Background()
	for _, h := range []*Hash{BLAKE3, MD5} {
		for _, before := range []int{0, 40} {
			t.Run(fmt.Sprint(h.Name, before), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				fillDir(t, dir, 400)
				s, err := Open(Options{Dir: filepath.Join(t.TempDir(), "cache"), Hash: h, Links: []LinkType{Copy}})
				if err != nil {
					t.Fatal(err)
				}
				sc := &Scanner{Hash: h}
				if before > 0 {
					some := filepath.Join(t.TempDir(), "some")
					fillDir(t, some, before)
					if _, _, err := s.Add(ctx, sc, some, SaveOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				want, _, err := sc.Scan(ctx, dir)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // the second time everything is there
					got, m, err := s.Add(ctx, sc, dir, SaveOptions{Relink: true})
					if err != nil || got != want {
						t.Fatalf("got %v, %v, want %v", got, err, want)
					}
					missing, err := s.Missing(ctx, got.Digest)
					if err != nil || len(missing) > 0 || len(m.Members) != 400 {
						t.Fatalf("missing %v, %v", missing, err)
					}
				}
				intact(t, s)
				back := filepath.Join(t.TempDir(), "back")
				if _, err := s.Checkout(ctx, back, want, CheckoutOptions{}); err != nil {
					t.Fatal(err)
				}
				if again, _, err := sc.Scan(ctx, back); err != nil || again != want {
					t.Fatalf("checked out %v, %v", again, err)
				}
			})
		}
	}
}

// TestAddAtOnce has several stores, as processes have them, make the same
// directories at the same time.
func TestAddAtOnce(t *testing.T) {
	ctx := context.Background()
	cacheDir := filepath.Join(t.TempDir(), "cache")
	dir := filepath.Join(t.TempDir(), "data")
	fillDir(t, dir, 500)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := Open(Options{Dir: cacheDir, Hash: BLAKE3, Links: []LinkType{Copy}})
			if err != nil {
				t.Error(err)
				return
			}
			e, _, err := s.Add(ctx, &Scanner{Hash: BLAKE3}, dir, SaveOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			if missing, err := s.Missing(ctx, e.Digest); err != nil || len(missing) > 0 {
				t.Errorf("missing %v, %v", missing, err)
			}
		})
	}
	wg.Wait()
	s, err := Open(Options{Dir: cacheDir, Hash: BLAKE3})
	if err != nil {
		t.Fatal(err)
	}
	intact(t, s)
}

// TestAddFails stores nothing half when something cannot be read; what is whole
// stays.
func TestAddFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	fillDir(t, dir, 50)
	s, err := Open(Options{Dir: filepath.Join(t.TempDir(), "cache"), Hash: BLAKE3, Links: []LinkType{Copy}})
	if err != nil {
		t.Fatal(err)
	}
	a := adder{s: s, sc: &Scanner{Hash: BLAKE3}, batch: s.batch(BLAKE3)}
	ctx := context.Background()
	items, _, err := a.sc.items(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	todo, err := a.sc.unknown(ctx, items)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(items[49].abs); err != nil {
		t.Fatal(err)
	}
	if err := a.all(ctx, items, todo); err == nil {
		t.Fatal("a file that vanished was stored")
	}
	intact(t, s)
}

// TestCheckoutCorruptAnew finds a corrupted object while a directory is made
// anew: it goes to quarantine and no directory appears.
func TestCheckoutCorruptAnew(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "data")
	fillDir(t, dir, 30)
	s, err := Open(Options{Dir: filepath.Join(t.TempDir(), "cache"), Hash: BLAKE3, Links: []LinkType{Copy}})
	if err != nil {
		t.Fatal(err)
	}
	e, m, err := s.Add(ctx, &Scanner{Hash: BLAKE3}, dir, SaveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	object := s.Path(m.Members[0].Digest)
	if err := os.Chmod(object, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(object, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	back := filepath.Join(t.TempDir(), "back")
	_, err = s.Checkout(ctx, back, e, CheckoutOptions{})
	var missing *MissingError
	if !errors.As(err, &missing) || len(missing.Corrupt) != 1 {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Lstat(back); !os.IsNotExist(err) {
		t.Fatalf("a directory appeared: %v", err)
	}
}
