package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/cache"
)

// fill makes n small files in ws/rel, of which the content begins with text.
func (b *bench) fill(rel, text string, n int) {
	b.Helper()
	for i := range n {
		b.write(fmt.Sprintf("%s/%d/f%03d", rel, i%3, i), fmt.Sprintf("%s %d", text, i))
	}
}

func (b *bench) add(rel string) (cache.Entry, *cache.Manifest) {
	b.Helper()
	e, m, err := b.store.Add(b.Context(), b.scanner, b.path(rel), cache.SaveOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return e, m
}

// again is another process with the same store.
func (b *bench) again(from int, links ...cache.LinkType) *bench {
	b.Helper()
	s, err := cache.Open(cache.Options{Dir: b.store.Dir(), Hash: b.store.Hash(), Links: links, Workers: 3, PackFrom: from})
	if err != nil {
		b.Fatal(err)
	}
	return &bench{b.T, b.dir, s, nil, &cache.Scanner{Hash: b.store.Hash(), Workers: 3}}
}

// content reads an object, "" when it is not there.
func (b *bench) content(d cache.Digest) string {
	b.Helper()
	o, err := b.store.Open(d)
	if errors.Is(err, cache.ErrNotFound) {
		return ""
	}
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	data, err := io.ReadAll(o)
	if err != nil || int64(len(data)) != o.Size() {
		b.Fatalf("%d bytes of %d, %v", len(data), o.Size(), err)
	}
	return string(data)
}

// looseFiles counts the objects of files that lie by themselves.
func (b *bench) looseFiles() int {
	b.Helper()
	list, err := filepath.Glob(filepath.Join(b.store.Dir(), "files", "blake3", "*", "*"))
	if err != nil {
		b.Fatal(err)
	}
	return len(slices.DeleteFunc(list, func(p string) bool { return strings.HasSuffix(p, ".dir") }))
}

func TestSmallFilesArePacked(t *testing.T) {
	for name, save := range map[string]func(b *bench) (cache.Entry, *cache.Manifest){
		"add": func(b *bench) (cache.Entry, *cache.Manifest) { return b.add("d") },
		"save": func(b *bench) (cache.Entry, *cache.Manifest) {
			e := b.save("d", cache.SaveOptions{})
			_, m := b.scan("d")
			return e, m
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPackBench(t, cache.BLAKE3, 20)
			b.fill("d", "x", 40)
			b.write("d/same", "x 7", "d/empty", "", "d/large", strings.Repeat("l", cache.PackedLimit))
			e, m := save(b)
			if n := len(b.packNames()); n != 1 || b.looseFiles() != 1 {
				t.Fatalf("%d packs, %d objects beside them", n, b.looseFiles())
			}
			for _, x := range m.Members {
				want, err := os.ReadFile(b.path("d/" + x.Path))
				if err != nil {
					t.Fatal(err)
				}
				if n, ok := b.store.SizeOf(x.Digest); !ok || n != x.Size || !b.store.Has(x.Digest) || b.content(x.Digest) != string(want) {
					t.Errorf("%s: %d bytes, %v", x.Path, n, ok)
				}
				if ok, err := b.store.Trusted(x.Digest); !ok || err != nil {
					t.Errorf("%s is not trusted: %v", x.Path, err)
				}
			}
			before := b.tree("d")
			if err := os.RemoveAll(b.path("d")); err != nil {
				t.Fatal(err)
			}
			b.again(-1).checkout("d", e, cache.CheckoutOptions{Verify: true})
			if diff := cmp.Diff(before, b.tree("d")); diff != "" {
				t.Error(diff)
			}
			// What is there is not packed again; a few more objects are files.
			b.fill("d", "x", 45)
			save(b)
			if n := len(b.packNames()); n != 1 && name == "save" || b.looseFiles() < 1 {
				t.Errorf("%d packs, %d objects beside them", n, b.looseFiles())
			}
			b.noTemp()
			b.verified()
		})
	}
}

func TestNothingIsPackedWhereFilesAreLinked(t *testing.T) {
	for _, links := range [][]cache.LinkType{{cache.Hardlink, cache.Copy}, {cache.Symlink}} {
		b := newPackBench(t, cache.BLAKE3, 1, links...)
		b.fill("d", "x", 10)
		b.add("d")
		if n := len(b.packNames()); n != 0 {
			t.Errorf("%v: %d packs", links, n)
		}
	}
	b := newPackBench(t, cache.BLAKE3, -1)
	b.fill("d", "x", 300)
	b.add("d")
	if n := len(b.packNames()); n != 0 {
		t.Errorf("%d packs where there should be none", n)
	}
}

// Who changes to links gets files of the packed objects.
func TestLinksToPackedObjects(t *testing.T) {
	for _, link := range []cache.LinkType{cache.Hardlink, cache.Symlink} {
		b := newPackBench(t, cache.BLAKE3, 1)
		b.fill("d", "x", 10)
		e, m := b.add("d")
		other := b.again(0, link)
		other.checkout("d", e, cache.CheckoutOptions{Relink: true})
		x := m.Members[3]
		info, err := os.Stat(b.path("d/" + x.Path))
		if err != nil {
			t.Fatal(err)
		}
		if object, err := os.Stat(b.store.Path(x.Digest)); err != nil || !os.SameFile(info, object) {
			t.Errorf("%s: %v", link, err)
		}
		if ch := other.checkout("d", e, cache.CheckoutOptions{Relink: true}); !ch.Empty() {
			t.Errorf("changes %+v", ch)
		}
		if err := other.store.Unprotect(b.path("d")); err != nil {
			t.Fatal(err)
		}
		b.write("d/"+x.Path, "mine")
		b.verified()
	}
}

// A process notices what another does with packs.
func TestPacksOfOtherProcesses(t *testing.T) {
	b := newPackBench(t, cache.BLAKE3, 1)
	b.fill("d", "x", 10)
	b.add("d")
	other := b.again(1)
	b.fill("e", "y", 10)
	_, m := b.scan("e")
	d := m.Members[0].Digest
	if other.store.Has(d) {
		t.Fatal("it is not there yet")
	}
	e, _ := b.add("e")
	if !other.store.Has(d) || other.content(d) == "" {
		t.Error("a pack of another process is not seen")
	}
	// The pack is written anew.
	if err := b.store.Remove(t.Context(), m.Members[1].Digest); err != nil {
		t.Fatal(err)
	}
	if other.content(d) == "" {
		t.Error("it is not found in the new pack")
	}
	if other.content(m.Members[1].Digest) != "" {
		t.Error("it was removed")
	}
	all := []cache.Digest{e.Digest}
	for _, x := range m.Members {
		all = append(all, x.Digest)
	}
	if err := b.store.Remove(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	if other.content(d) != "" || other.store.Has(d) {
		t.Error("it was removed")
	}
	if n := len(b.packNames()); n != 1 {
		t.Errorf("%d packs", n)
	}
	other.verified()
}

func TestDamagedPack(t *testing.T) {
	setup := func(t *testing.T) (*bench, cache.Entry, *cache.Manifest) {
		b := newPackBench(t, cache.BLAKE3, 1)
		b.fill("d", "x", 20)
		e, m := b.add("d")
		return b, e, m
	}
	flip := func(b *bench, m *cache.Manifest) {
		b.damage(m.Members[2].Digest)
		b.damage(m.Members[5].Digest)
	}
	bad := func(m *cache.Manifest) []cache.Digest {
		list := []cache.Digest{m.Members[2].Digest, m.Members[5].Digest}
		slices.SortFunc(list, cache.Digest.Compare)
		return list
	}
	t.Run("verify", func(t *testing.T) {
		b, e, m := setup(t)
		flip(b, m)
		r, err := b.store.Verify(t.Context(), cache.VerifyOptions{})
		if err != nil || r.OK() || len(r.Incomplete) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if diff := cmp.Diff(bad(m), r.Corrupt, cmp.Comparer(func(a, b cache.Digest) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		if lost, _ := b.store.Missing(t.Context(), e.Digest); len(lost) != 2 {
			t.Errorf("missing %v", lost)
		}
		if list, _ := filepath.Glob(filepath.Join(b.store.Dir(), "quarantine", "blake3", "*")); len(list) != 2 {
			t.Errorf("in quarantine: %v", list)
		}
		b.add("d") // the memo knows all; what is missing is stored again
		b.verified()
	})
	t.Run("checkout", func(t *testing.T) {
		b, e, m := setup(t)
		flip(b, m)
		if err := os.RemoveAll(b.path("d")); err != nil {
			t.Fatal(err)
		}
		_, err := b.store.Checkout(t.Context(), b.path("d"), e, cache.CheckoutOptions{Verify: true})
		var missing *cache.MissingError
		if !errors.As(err, &missing) || len(missing.Corrupt) == 0 {
			t.Fatal(err)
		}
		if lost, _ := b.store.Missing(t.Context(), e.Digest); len(lost) != 2 {
			t.Errorf("missing %v", lost)
		}
		if _, err := os.Lstat(b.path("d")); err == nil {
			t.Error("a part of a directory was made")
		}
	})
	t.Run("quarantine", func(t *testing.T) {
		b, e, m := setup(t)
		d := m.Members[4].Digest
		text := b.content(d)
		q := b.store.Quarantine(d)
		if data, err := os.ReadFile(q.Quarantine); err != nil || string(data) != text || b.store.Has(d) {
			t.Errorf("%q, %v", data, err)
		}
		if lost, _ := b.store.Missing(t.Context(), e.Digest); len(lost) != 1 {
			t.Errorf("missing %v", lost)
		}
	})
	for name, spoil := range map[string]func(body, index string) error{
		"truncated":     func(body, _ string) error { return os.Truncate(body, 10) },
		"empty":         func(body, _ string) error { return os.Truncate(body, 0) },
		"index torn":    func(_, index string) error { return os.Truncate(index, 100) },
		"index flipped": func(_, index string) error { return flipByte(index, 60) },
		"index emptied": func(_, index string) error { return os.Truncate(index, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			b, e, _ := setup(t)
			index := b.packNames()[0]
			body := strings.TrimSuffix(index, ".index") + ".pack"
			for _, p := range []string{body, index} {
				if err := os.Chmod(p, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := spoil(body, index); err != nil {
				t.Fatal(err)
			}
			other := b.again(1)
			if lost, err := other.store.Missing(t.Context(), e.Digest); err != nil || len(lost) != 20 {
				t.Errorf("missing %d, %v", len(lost), err)
			}
			r, err := other.store.Verify(t.Context(), cache.VerifyOptions{})
			if err != nil || r.TornPacks != 1 || r.OK() {
				t.Fatalf("%+v, %v", r, err)
			}
			other.add("d")
			if lost, err := other.store.Missing(t.Context(), e.Digest); err != nil || len(lost) != 0 {
				t.Errorf("missing %d, %v", len(lost), err)
			}
			other.verified()
		})
	}
	// A pack that this process has read from loses its end.
	t.Run("truncated in use", func(t *testing.T) {
		b, e, m := setup(t)
		b.content(m.Members[0].Digest)
		body := b.object(m.Members[0].Digest)
		if err := os.Chmod(body, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(body, 5); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(b.path("d")); err != nil {
			t.Fatal(err)
		}
		_, err := b.store.Checkout(t.Context(), b.path("d"), e, cache.CheckoutOptions{})
		var missing *cache.MissingError
		if !errors.As(err, &missing) {
			t.Fatal(err)
		}
	})
}

func flipByte(path string, at int) error {
	data, err := os.ReadFile(path)
	if err == nil {
		data[at] ^= 1
		err = os.WriteFile(path, data, 0o644)
	}
	return err
}

// Parts of packs without the other part are not believed in, and go when they are
// old.
func TestPartsOfPacks(t *testing.T) {
	for _, suffix := range []string{".pack", ".index"} {
		b := newPackBench(t, cache.BLAKE3, 1)
		b.fill("d", "x", 10)
		e, _ := b.add("d")
		name := strings.TrimSuffix(b.packNames()[0], ".index")
		if err := os.Remove(name + suffix); err != nil {
			t.Fatal(err)
		}
		other := b.again(1)
		if lost, err := other.store.Missing(t.Context(), e.Digest); err != nil || len(lost) != 10 {
			t.Errorf("missing %d, %v", len(lost), err)
		}
		if n, err := other.store.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		long := time.Now().Add(-2 * time.Hour)
		left, _ := filepath.Glob(name + ".*")
		if err := os.Chtimes(left[0], long, long); err != nil {
			t.Fatal(err)
		}
		if n, err := other.store.Sweep(t.Context()); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
}

// Many small packs become one, and stay as old as they were.
func TestSmallPacksArePutTogether(t *testing.T) {
	b := newPackBench(t, cache.BLAKE3, 1)
	var es []cache.Entry
	long := time.Now().Add(-100 * time.Hour).Truncate(time.Second)
	for i := range 20 {
		rel := fmt.Sprint("d", i)
		b.fill(rel, rel, 5)
		e, _ := b.add(rel)
		es = append(es, e)
	}
	for _, p := range b.packNames() {
		if err := os.Chtimes(strings.TrimSuffix(p, ".index")+".pack", long, long); err != nil {
			t.Fatal(err)
		}
	}
	b = b.again(1)
	if err := b.store.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.packNames()); n != 1 {
		t.Errorf("%d packs", n)
	}
	for _, e := range es {
		if lost, err := b.store.Missing(t.Context(), e.Digest); err != nil || len(lost) != 0 {
			t.Errorf("missing %d, %v", len(lost), err)
		}
	}
	n := 0
	err := b.store.Walk(t.Context(), func(d cache.Digest, _ int64, mod time.Time) error {
		if n++; !d.IsDir() && !mod.Equal(long) {
			t.Errorf("%s is of %v", d, mod)
		}
		return nil
	})
	if err != nil || n != 120 {
		t.Errorf("%d objects, %v", n, err)
	}
	b.verified()
	b.noTemp()
}

// A store that cannot be written is read all the same.
func TestPacksReadOnly(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("nothing is forbidden to root")
	}
	b := newPackBench(t, cache.BLAKE3, 1)
	b.fill("d", "x", 10)
	e, m := b.add("d")
	b.damage(m.Members[1].Digest)
	dir := filepath.Dir(b.packNames()[0])
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	if q := b.store.Quarantine(m.Members[1].Digest); q.Quarantine != "" && b.store.Has(m.Members[1].Digest) {
		t.Errorf("%+v", q)
	}
	other := b.again(1)
	if lost, err := other.store.Missing(t.Context(), e.Digest); err != nil || len(lost) != 0 {
		t.Errorf("missing %d, %v", len(lost), err)
	}
}

// Those who add and those who remove at the same time, each a process of its own
// as far as the store knows, lose nothing that is kept.
func TestPacksAtOnce(t *testing.T) {
	b := newPackBench(t, cache.BLAKE3, 1)
	b.fill("keep", "keep", 30)
	keep, _ := b.add("keep")
	want := b.tree("keep")
	var wg sync.WaitGroup
	for w := range 3 {
		rel := fmt.Sprint("w", w)
		b.fill(rel, rel, 30)
		wg.Go(func() {
			other := b.again(1)
			for range 8 {
				_, m, err := other.store.Add(t.Context(), other.scanner, b.path(rel), cache.SaveOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				var going []cache.Digest
				for _, x := range m.Members[:20] {
					going = append(going, x.Digest)
				}
				if err := other.store.Remove(t.Context(), going...); err != nil {
					t.Error(err)
					return
				}
				// Some of what was kept lies in the same packs.
				if err := other.store.Remove(t.Context(), m.Members[25].Digest); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			other := b.again(1)
			to := filepath.Join(b.dir, fmt.Sprint("out", w))
			for range 8 {
				if _, err := other.store.Checkout(t.Context(), to, keep, cache.CheckoutOptions{Verify: true}); err != nil {
					t.Error(err)
					return
				}
				if err := os.RemoveAll(to); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := os.RemoveAll(b.path("keep")); err != nil {
		t.Fatal(err)
	}
	b.checkout("keep", keep, cache.CheckoutOptions{Verify: true})
	if diff := cmp.Diff(want, b.tree("keep")); diff != "" {
		t.Error(diff)
	}
}

// Of those who ask at the same time one looks for packs, and all get the answer.
func TestPacksAskedForAtOnce(t *testing.T) {
	b := newPackBench(t, cache.BLAKE3, 1)
	b.fill("d", "x", 16)
	_, m := b.add("d")
	time.Sleep(150 * time.Millisecond) // the directory is not looked at twice then
	for range 50 {
		other := b.again(1)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for _, x := range m.Members {
			wg.Go(func() {
				<-begin
				if !other.store.Has(x.Digest) {
					t.Errorf("%s is not found", x.Path)
				}
			})
		}
		close(begin)
		wg.Wait()
	}
}

func TestPackWriter(t *testing.T) {
	b := newPackBench(t, cache.BLAKE3, 5)
	if w, err := b.store.PackWriter(cache.BLAKE3, 4); w != nil || err != nil {
		t.Errorf("%v, %v", w, err)
	}
	if w, err := b.store.PackWriter(cache.MD5, 400); w != nil || err != nil {
		t.Errorf("%v, %v", w, err)
	}
	w, err := b.store.PackWriter(cache.BLAKE3, 5)
	if err != nil {
		t.Fatal(err)
	}
	digest := func(data []byte) cache.Digest {
		h := cache.BLAKE3.New()
		h.Write(data)
		return cache.NewDigest(cache.BLAKE3, h.Sum(nil), false)
	}
	// More bytes than a pack has.
	var ds []cache.Digest
	data := bytes.Repeat([]byte{'x'}, 400_000)
	for i := range 100 {
		copy(data, fmt.Sprint("object ", i))
		d := digest(data)
		if err := w.Put(d, data); err != nil {
			t.Fatal(err)
		}
		ds = append(ds, d)
	}
	if err := w.Put(ds[0], []byte("another")); !errors.Is(err, cache.ErrChanged) {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(b.packNames()); n < 2 {
		t.Errorf("%d packs", n)
	}
	if lost, err := b.store.Missing(t.Context(), ds...); err != nil || len(lost) > 0 {
		t.Errorf("%v, %v", lost, err)
	}
	b.verified()
	b.noTemp()
}

// Whatever is done, a store with packs answers as one without.
func TestPacksMakeNoDifference(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		type world struct {
			*bench
			entries map[string]cache.Entry
		}
		var worlds []*world
		for _, from := range []int{-1, 2} {
			dir, err := os.MkdirTemp(t.TempDir(), "")
			if err != nil {
				r.Fatal(err)
			}
			memo := cache.OpenMemo(filepath.Join(dir, "memo"), nil)
			s, err := cache.Open(cache.Options{Dir: filepath.Join(dir, "cache"), Hash: cache.BLAKE3, Workers: 2, Memo: memo, PackFrom: from})
			if err != nil {
				r.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "ws"), 0o777); err != nil {
				r.Fatal(err)
			}
			worlds = append(worlds, &world{&bench{t, dir, s, memo, &cache.Scanner{Hash: cache.BLAKE3, Memo: memo, Workers: 2}}, map[string]cache.Entry{}})
		}
		names := []string{"p", "q"}
		var known []cache.Digest
		both := func(fn func(w *world) any) {
			a, b := fn(worlds[0]), fn(worlds[1])
			if fmt.Sprint(a) != fmt.Sprint(b) {
				r.Fatalf("without packs %v, with packs %v", a, b)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"add": func(r *rapid.T) {
				rel := rapid.SampledFrom(names).Draw(r, "rel")
				n, text := rapid.IntRange(1, 8).Draw(r, "n"), rapid.SampledFrom([]string{"", "a", "b"}).Draw(r, "text")
				save := rapid.Bool().Draw(r, "save")
				both(func(w *world) any {
					_ = os.RemoveAll(w.path(rel))
					for i := range n {
						w.write(fmt.Sprintf("%s/%d", rel, i), fmt.Sprint(text, i*i%5))
					}
					e, m, err := w.scanner.Scan(t.Context(), w.path(rel))
					if err == nil && save {
						err = w.store.Save(t.Context(), w.path(rel), e, m, cache.SaveOptions{})
					} else if err == nil {
						e, m, err = w.store.Add(t.Context(), w.scanner, w.path(rel), cache.SaveOptions{})
					}
					if err != nil {
						return err
					}
					w.entries[rel] = e
					if w == worlds[0] {
						for _, x := range m.Members {
							known = append(known, x.Digest)
						}
					}
					return e
				})
			},
			"checkout": func(r *rapid.T) {
				rel := rapid.SampledFrom(names).Draw(r, "rel")
				opt := cache.CheckoutOptions{Force: true, Verify: rapid.Bool().Draw(r, "verify")}
				fresh := rapid.Bool().Draw(r, "fresh")
				both(func(w *world) any {
					e, ok := w.entries[rel]
					if !ok {
						return nil
					}
					if fresh {
						_ = os.RemoveAll(w.path(rel))
					}
					ch, err := w.store.Checkout(t.Context(), w.path(rel), e, opt)
					var missing *cache.MissingError
					if errors.As(err, &missing) {
						return missing.Digests
					}
					return fmt.Sprint(ch, err, w.tree(rel))
				})
			},
			"remove": func(r *rapid.T) {
				if len(known) == 0 {
					r.Skip()
				}
				ds := rapid.SliceOfN(rapid.SampledFrom(known), 0, 3).Draw(r, "digests")
				both(func(w *world) any { return w.store.Remove(t.Context(), ds...) })
			},
			"quarantine": func(r *rapid.T) {
				if len(known) == 0 {
					r.Skip()
				}
				d := rapid.SampledFrom(known).Draw(r, "digest")
				both(func(w *world) any {
					there := w.store.Has(d)
					return w.store.Quarantine(d).Quarantine != "" == there
				})
			},
			"damage": func(r *rapid.T) {
				if len(known) == 0 {
					r.Skip()
				}
				d := rapid.SampledFrom(known).Draw(r, "digest")
				both(func(w *world) any {
					if n, ok := w.store.SizeOf(d); ok && n > 0 {
						w.damage(d)
					}
					rep, err := w.store.Verify(t.Context(), cache.VerifyOptions{})
					return fmt.Sprint(rep.Corrupt, rep.Incomplete, rep.Unreadable, err)
				})
			},
			"convert": func(r *rapid.T) {
				if len(known) == 0 {
					r.Skip()
				}
				d := rapid.SampledFrom(known).Draw(r, "digest")
				both(func(w *world) any {
					c, err := w.store.Convert(context.Background(), d, cache.MD5, nil)
					return fmt.Sprint(c.Digest, c.Size, err)
				})
			},
			"reopen": func(r *rapid.T) {
				for i, from := range []int{-1, 2} {
					w := worlds[i]
					s, err := cache.Open(cache.Options{Dir: w.store.Dir(), Hash: cache.BLAKE3, Workers: 2, Memo: w.memo, PackFrom: from})
					if err != nil {
						r.Fatal(err)
					}
					w.store = s
				}
			},
			"": func(r *rapid.T) {
				for _, d := range known {
					both(func(w *world) any {
						n, ok := w.store.SizeOf(d)
						return fmt.Sprintf("%d %v %v %q", n, ok, w.store.Has(d), w.content(d))
					})
				}
				both(func(w *world) any {
					var list []string
					err := w.store.Walk(t.Context(), func(d cache.Digest, size int64, _ time.Time) error {
						list = append(list, fmt.Sprint(d, size))
						return nil
					})
					slices.Sort(list)
					return fmt.Sprint(slices.Compact(list), err)
				})
				both(func(w *world) any {
					lost, err := w.store.Missing(t.Context(), known...)
					return fmt.Sprint(lost, err)
				})
			},
		})
	})
}
