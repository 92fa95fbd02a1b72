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
	"testing"
	"time"

	"github.com/flowrepro/flow/cache"
)

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
			info, _ := os.Stat(b.store.Path(d))
			f.Close()
			if f.Size() != int64(size) || info.Size() != f.Size() || info.Mode().Perm() != 0o444 {
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
