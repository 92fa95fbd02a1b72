package cache_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	return newPackBench(t, h, 0, links...)
}

// newPackBench is newBench with packs from so many files on.
func newPackBench(t *testing.T, h *cache.Hash, from int, links ...cache.LinkType) *bench {
	t.Helper()
	dir := t.TempDir()
	memo := cache.OpenMemo(filepath.Join(dir, "state", "memo"), nil)
	s, err := cache.Open(cache.Options{Dir: filepath.Join(dir, "cache"), Hash: h, Links: links, Workers: 3, Memo: memo, PackFrom: from})
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
	at := int64(-1)
	if body, o, ok := b.packed(d); ok {
		p, at = body, o.Offset+o.Length/2
	}
	info, err := os.Stat(p)
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(p)
	if err != nil || len(data) == 0 {
		b.Fatalf("object to damage: %v, %d bytes", err, len(data))
	}
	if at < 0 {
		at = int64(len(data) / 2)
	}
	data[at] ^= 4
	_ = os.Chmod(p, 0o644)
	if err := os.WriteFile(p, data, 0o644); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(p, info.Mode()); err != nil {
		b.Fatal(err)
	}
}

// packNames are the names of the packs there are.
func (b *bench) packNames() []string {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(b.store.Dir(), "packs", "blake3", "*.index"))
	if err != nil {
		b.Fatal(err)
	}
	return files
}

// packed finds an object in the files of packs.
func (b *bench) packed(d cache.Digest) (body string, o cache.Packed, ok bool) {
	b.Helper()
	for _, file := range b.packNames() {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		x, err := cache.ParsePackIndex(data)
		if err != nil {
			continue
		}
		for _, o := range x.Find(map[cache.Digest]struct{}{d: {}}) {
			return strings.TrimSuffix(file, ".index") + ".pack", o, true
		}
	}
	return "", o, false
}

// object is the file that has the object d: its own, or a pack.
func (b *bench) object(d cache.Digest) string {
	b.Helper()
	if body, _, ok := b.packed(d); ok {
		return body
	}
	return b.store.Path(d)
}

var algorithms = []*cache.Hash{cache.BLAKE3, cache.MD5, cache.MD5Text}

// contract runs a test for every algorithm.
func contract(t *testing.T, links []cache.LinkType, fn func(b *bench)) {
	t.Helper()
	for _, h := range algorithms {
		t.Run(h.Name, func(t *testing.T) { fn(newBench(t, h, links...)) })
	}
	t.Run("packs", func(t *testing.T) { fn(newPackBench(t, cache.BLAKE3, 1, links...)) })
}
