package remotetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowrepro/flow/remote"
)

// Store runs the suite. open returns a fresh, empty store each time.
func Store(t *testing.T, open func(t *testing.T) remote.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, remote.Store)
	}{
		{"absent", absent},
		{"put and get", putAndGet},
		{"replace", replace},
		{"ranges", ranges},
		{"list", list},
		{"list many", listMany},
		{"remove", removeNames},
		{"refused body", refusedBody},
		{"bad names", badNames},
		{"odd names", oddNames},
		{"writers at once", writersAtOnce},
		{"big", big},
		{"cancelled", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func put(t *testing.T, s remote.Store, name string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), name, remote.Bytes(data)); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

func get(t *testing.T, s remote.Store, name string, r remote.Range) []byte {
	t.Helper()
	body, err := s.Get(t.Context(), name, r)
	if err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	data, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	return data
}

func names(t *testing.T, s remote.Store, prefix string) []string {
	t.Helper()
	list := []string{}
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		list = append(list, info.Name)
	}
	slices.Sort(list)
	return list
}

func absent(t *testing.T, s remote.Store) {
	if _, err := s.Stat(t.Context(), "files/no"); !errors.Is(err, remote.ErrNotFound) {
		t.Errorf("stat: %v", err)
	}
	if _, err := s.Get(t.Context(), "files/no", remote.Range{}); !errors.Is(err, remote.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if err := s.Remove(t.Context(), "files/no"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if got := names(t, s, "files/"); len(got) != 0 {
		t.Errorf("list: %q", got)
	}
}

func putAndGet(t *testing.T, s remote.Store) {
	for name, data := range map[string][]byte{
		"empty": {}, "a/b/c": []byte("hello"), "files/md5/ab/cd.dir": []byte("[]"), "zeros": make([]byte, 100_000),
	} {
		put(t, s, name, data)
		if got := get(t, s, name, remote.Range{}); !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(data))
		}
		info, err := s.Stat(t.Context(), name)
		if err != nil || info.Size != int64(len(data)) || info.Name != name {
			t.Errorf("stat %s: %+v, %v", name, info, err)
		}
		if age := time.Since(info.Modified); age < -time.Hour || age > time.Hour {
			t.Errorf("stat %s: modified %v", name, info.Modified)
		}
	}
}

func replace(t *testing.T, s remote.Store) {
	put(t, s, "x/y", []byte("first, and longer"))
	put(t, s, "x/y", []byte("second"))
	if got := get(t, s, "x/y", remote.Range{}); string(got) != "second" {
		t.Errorf("%q", got)
	}
}

func ranges(t *testing.T, s remote.Store) {
	put(t, s, "d", []byte("0123456789"))
	for _, c := range []struct {
		r    remote.Range
		want string
	}{
		{remote.Range{}, "0123456789"},
		{remote.Range{Offset: 3}, "3456789"},
		{remote.Range{Offset: 3, Length: 4}, "3456"},
		{remote.Range{Length: 1}, "0"},
		{remote.Range{Offset: 8, Length: 100}, "89"},
	} {
		if got := get(t, s, "d", c.r); string(got) != c.want {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
}

func list(t *testing.T, s remote.Store) {
	for _, n := range []string{"files/ab/1", "files/ab/2.dir", "files/ac/1", "filesystem", "other/ab/1", "top"} {
		put(t, s, n, []byte(n))
	}
	for prefix, want := range map[string][]string{
		"files/":   {"files/ab/1", "files/ab/2.dir", "files/ac/1"},
		"files/a":  {"files/ab/1", "files/ab/2.dir", "files/ac/1"},
		"files/ab": {"files/ab/1", "files/ab/2.dir"},
		"files":    {"files/ab/1", "files/ab/2.dir", "files/ac/1", "filesystem"},
		"to":       {"top"},
		"none/":    {},
		"":         {"files/ab/1", "files/ab/2.dir", "files/ac/1", "filesystem", "other/ab/1", "top"},
	} {
		if got := names(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("list %q: %q, want %q", prefix, got, want)
		}
	}
	for info, err := range s.List(t.Context(), "files/") {
		if err != nil || info.Size != int64(len(info.Name)) {
			t.Errorf("%+v, %v", info, err)
		}
		break // a listing may be left
	}
}

func listMany(t *testing.T, s remote.Store) {
	if testing.Short() {
		t.Skip("a thousand objects")
	}
	const n = 1050 // more than a page
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				if err := s.Put(t.Context(), fmt.Sprintf("m/%04d", i), remote.Bytes(nil)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := names(t, s, "m/"); len(got) != n || got[0] != "m/0000" || got[n-1] != fmt.Sprintf("m/%04d", n-1) {
		t.Errorf("%d names", len(got))
	}
}

func removeNames(t *testing.T, s remote.Store) {
	for _, n := range []string{"a/1", "a/2", "a/3"} {
		put(t, s, n, []byte(n))
	}
	if err := s.Remove(t.Context(), "a/1", "a/3", "a/4"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, s, "a/"); !slices.Equal(got, []string{"a/2"}) {
		t.Errorf("%q", got)
	}
	if err := s.Remove(t.Context()); err != nil {
		t.Errorf("nothing: %v", err)
	}
	put(t, s, "a/1", []byte("again"))
}

// wrongBody does not pass its check.
type wrongBody struct{ remote.Body }

var errWrong = errors.New("wrong content")

func (wrongBody) Check() error { return errWrong }

func refusedBody(t *testing.T, s remote.Store) {
	put(t, s, "kept", []byte("before"))
	for _, size := range []int{10, 40 << 20} {
		if size > 1000 && testing.Short() {
			continue
		}
		for _, name := range []string{"kept", "fresh"} {
			err := s.Put(t.Context(), name, wrongBody{remote.Bytes(make([]byte, size))})
			if !errors.Is(err, errWrong) {
				t.Errorf("%s, %d bytes: %v", name, size, err)
			}
		}
	}
	if got := get(t, s, "kept", remote.Range{}); string(got) != "before" {
		t.Errorf("%q", got)
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("%q", got)
	}
}

func badNames(t *testing.T, s remote.Store) {
	for _, n := range []string{"", "/a", "a/", "a//b", "../a", "a/../../b", "a/./b", "a\x00b"} {
		if err := s.Put(t.Context(), n, remote.Bytes(nil)); err == nil {
			t.Errorf("put %q", n)
		}
		if _, err := s.Get(t.Context(), n, remote.Range{}); err == nil {
			t.Errorf("get %q", n)
		}
		if _, err := s.Stat(t.Context(), n); err == nil {
			t.Errorf("stat %q", n)
		}
		if err := s.Remove(t.Context(), n); err == nil {
			t.Errorf("remove %q", n)
		}
	}
}

func oddNames(t *testing.T, s remote.Store) {
	for _, n := range []string{"a b/c+d", "ü/é", "a%2Fb/c", "x=1&y=2", "q?r#s"} {
		put(t, s, n, []byte(n))
		if got := get(t, s, n, remote.Range{}); string(got) != n {
			t.Errorf("%q: %q", n, got)
		}
	}
	if got := names(t, s, ""); len(got) != 5 || !slices.Contains(got, "a%2Fb/c") || !slices.Contains(got, "a b/c+d") {
		t.Errorf("%q", got)
	}
}

func writersAtOnce(t *testing.T, s remote.Store) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			data := []byte(strings.Repeat(string(rune('a'+w)), 50_000))
			for range 4 {
				if err := s.Put(t.Context(), "same", remote.Bytes(data)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := get(t, s, "same", remote.Range{})
	if len(got) != 50_000 || strings.Trim(string(got), string(got[:1])) != "" {
		t.Errorf("%d bytes of several writers", len(got))
	}
}

func big(t *testing.T, s remote.Store) {
	if testing.Short() {
		t.Skip("large")
	}
	data := make([]byte, 37<<20+123)
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; i+8 <= len(data); i += 8 {
		v := random.Uint64()
		for k := range 8 {
			data[i+k] = byte(v >> (8 * k))
		}
	}
	put(t, s, "big/one", data)
	if !bytes.Equal(get(t, s, "big/one", remote.Range{}), data) {
		t.Error("another content")
	}
	if got := get(t, s, "big/one", remote.Range{Offset: 20 << 20, Length: 1000}); !bytes.Equal(got, data[20<<20:20<<20+1000]) {
		t.Error("another part")
	}
}

func cancelled(t *testing.T, s remote.Store) {
	put(t, s, "a", []byte("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "b", remote.Bytes([]byte("b"))); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Get(ctx, "a", remote.Range{}); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if _, err := s.Stat(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("stat: %v", err)
	}
	if got := names(t, s, ""); !slices.Equal(got, []string{"a"}) {
		t.Errorf("%q", got)
	}
}
