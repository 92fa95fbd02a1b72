package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/dir"
	"github.com/flowrepro/flow/remote/remotetest"
)

func newDir(t *testing.T) (remote.Store, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "store")
	s, err := dir.New(dir.Options{Path: root})
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

// counting returns s with its operations counted.
func counting(s remote.Store) (remote.Store, *remote.Metrics) {
	m := new(remote.Metrics)
	return remote.Observe(s, m.Add), m
}

func operations(m *remote.Metrics) string {
	var parts []string
	for op, c := range m.Counts() {
		parts = append(parts, fmt.Sprintf("%s %d", op, c.Operations))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func TestPushAndFetch(t *testing.T) {
	for _, h := range []*cache.Hash{cache.BLAKE3, cache.MD5} {
		t.Run(h.Name, func(t *testing.T) {
			s, _ := newDir(t)
			c := remotetest.Cache(t, h)
			items := remotetest.Fill(t, c, 1, 30, 0, 5, 3<<20)
			all := remotetest.Digests(t, c, items)
			tr := &remote.Transfer{Remote: s, Cache: c}
			res, err := tr.Push(t.Context(), items, nil)
			if err != nil || res.Objects != len(all) || len(res.Missing) > 0 {
				t.Fatalf("%+v, %v", res, err)
			}
			if n := remotetest.Sound(t, s, h); n != len(all) {
				t.Errorf("%d objects, want %d", n, len(all))
			}
			if res, err = tr.Push(t.Context(), items, nil); err != nil || res.Objects != 0 {
				t.Errorf("again: %+v, %v", res, err)
			}
			fresh := remotetest.Cache(t, h)
			counted, m := counting(s)
			to := &remote.Transfer{Remote: counted, Cache: fresh}
			if res, err = to.Fetch(t.Context(), items); err != nil || res.Objects != len(all) || len(res.Missing) > 0 {
				t.Errorf("fetch: %+v, %v", res, err)
			}
			// Each object is asked for once, the big one for its size too; in DVC's
			// format, which does not tell that it is big, for its rest as well.
			gets := len(all)
			if h == cache.MD5 {
				gets++
			}
			if got, want := operations(m), fmt.Sprintf("get %d, stat 1", gets); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			remotetest.SoundCache(t, fresh)
			if res, err = to.Fetch(t.Context(), items); err != nil || res.Objects != 0 {
				t.Errorf("fetch again: %+v, %v", res, err)
			}
		})
	}
}

// A part of a directory is fetched with its manifest and nothing else.
func TestFetchAsksOnlyForWhatIsNeeded(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, c, 2, 700, 100)
	if _, err := (&remote.Transfer{Remote: s, Cache: c}).Push(t.Context(), items, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		item remote.Item
		want string
	}{
		{items[1], "get 1"},
		{remote.Item{Entry: items[0].Entry, Within: "03/f3"}, "get 2"},
		{remote.Item{Entry: items[0].Entry, Within: "03"}, "get 101"},
	} {
		counted, m := counting(s)
		tr := &remote.Transfer{Remote: counted, Cache: remotetest.Cache(t, cache.BLAKE3)}
		if _, err := tr.Fetch(t.Context(), []remote.Item{c.item}); err != nil {
			t.Fatal(err)
		}
		if got := operations(m); got != c.want {
			t.Errorf("%q: %s, want %s", c.item.Within, got, c.want)
		}
	}
}

// Many objects are looked up by listing, few by asking for each.
func TestPresent(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.MD5)
	items := remotetest.Fill(t, c, 3, 2500)
	all := remotetest.Digests(t, c, items)
	tr := &remote.Transfer{Remote: s, Cache: c}
	if _, err := tr.Push(t.Context(), items, nil); err != nil {
		t.Fatal(err)
	}
	gone := remote.ObjectName(all[7])
	if err := s.Remove(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 100, len(all)} {
		counted, m := counting(s)
		found, err := (&remote.Transfer{Remote: counted, Cache: c}).Present(t.Context(), all[:n])
		want := n
		if n > 7 {
			want--
		}
		if err != nil || len(found) != want {
			t.Errorf("%d: %d found, %v", n, len(found), err)
		}
		if n < 200 != strings.HasPrefix(operations(m), "stat") {
			t.Errorf("%d: %s", n, operations(m))
		}
		if lists := m.Counts()["list"].Operations; lists > 257 {
			t.Errorf("%d listings", lists)
		}
	}
}

// The manifest is sent when all of its members are there, and records after it.
func TestOrder(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, c, 4, 20, 10)
	all := remotetest.Digests(t, c, items)
	record := remote.Record{Name: remote.RecordName(strings.Repeat("ab", 32)), Data: []byte("{}"), Needs: []cache.Digest{items[0].Entry.Digest, items[1].Entry.Digest}}
	denied := remote.ObjectName(all[3])
	var mu sync.Mutex
	var order []string
	watched := remote.Observe(&denying{s, denied}, func(op remote.Operation) {
		mu.Lock()
		defer mu.Unlock()
		if op.Op == "put" && op.Err == nil {
			order = append(order, op.Name)
		}
	})
	tr := &remote.Transfer{Remote: watched, Cache: c}
	res, err := tr.Push(t.Context(), items, []remote.Record{record})
	var te *remote.TransferError
	if !errors.As(err, &te) || te.Failed != 1 || res.Objects != len(all)-2 || res.Records != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if !strings.HasPrefix(err.Error(), "1 files failed to upload\n  put '"+denied+"'") {
		t.Errorf("%q", err)
	}
	tr.Remote = remote.Observe(s, func(op remote.Operation) {
		mu.Lock()
		defer mu.Unlock()
		if op.Op == "put" {
			order = append(order, op.Name)
		}
	})
	if res, err = tr.Push(t.Context(), items, []remote.Record{record}); err != nil || res.Objects != 2 || res.Records != 1 {
		t.Errorf("%+v, %v", res, err)
	}
	want := []string{denied, remote.ObjectName(items[0].Entry.Digest), record.Name}
	if got := order[len(order)-3:]; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

// denying refuses to store one name.
type denying struct {
	remote.Store
	name string
}

func (d *denying) Put(ctx context.Context, name string, b remote.Body) error {
	if name == d.name {
		return &remote.Error{Op: "put", Name: name, Kind: remote.Denied, Err: errors.New("no")}
	}
	return d.Store.Put(ctx, name, b)
}

// A damaged object does not leave the cache.
func TestPushOfADamagedObject(t *testing.T) {
	for _, size := range []int{100, 3 << 20} {
		s, _ := newDir(t)
		c := remotetest.Cache(t, cache.MD5)
		items := remotetest.Fill(t, c, 5, 0, size)
		path := c.Path(items[0].Entry.Digest)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = (&remote.Transfer{Remote: s, Cache: c}).Push(t.Context(), items, nil)
		var bad *cache.CorruptError
		if !errors.As(err, &bad) || bad.Quarantine == "" {
			t.Errorf("%d bytes: %v", size, err)
		}
		if n := remotetest.Sound(t, s, cache.MD5); n != 0 || c.Has(items[0].Entry.Digest) {
			t.Errorf("%d bytes: it is still there", size)
		}
	}
}

// What a remote's file lost, as by a power failure, is sent again: of a single
// file and of the member of a directory.
func TestPushRepairsWhatIsShorter(t *testing.T) {
	for _, h := range []*cache.Hash{cache.BLAKE3, cache.MD5} {
		t.Run(h.Name, func(t *testing.T) {
			s, root := newDir(t)
			c := remotetest.Cache(t, h)
			items := remotetest.Fill(t, c, 6, 5, 1000)
			tr := &remote.Transfer{Remote: s, Cache: c}
			if _, err := tr.Push(t.Context(), items, nil); err != nil {
				t.Fatal(err)
			}
			m, err := c.Manifest(items[0].Entry.Digest)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range []cache.Digest{items[1].Entry.Digest, m.Members[3].Digest} {
				path := filepath.Join(root, filepath.FromSlash(remote.ObjectName(d)))
				if err := errors.Join(os.Chmod(path, 0o644), os.Truncate(path, 7)); err != nil {
					t.Fatal(err)
				}
			}
			if res, err := tr.Push(t.Context(), items, nil); err != nil || res.Objects != 2 {
				t.Errorf("%+v, %v", res, err)
			}
			if n := remotetest.Sound(t, s, h); n != 7 {
				t.Errorf("%d objects, want 7", n)
			}
		})
	}
}

// flaky ends readers early a number of times.
type flaky struct {
	remote.Store
	mu     sync.Mutex
	breaks int
	after  int64
}

func (f *flaky) Get(ctx context.Context, name string, r remote.Range) (io.ReadCloser, error) {
	body, err := f.Store.Get(ctx, name, r)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.breaks == 0 {
		return body, nil
	}
	f.breaks--
	broken := &remote.Error{Op: "get", Name: name, Kind: remote.Unavailable, Err: io.ErrUnexpectedEOF}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(body, f.after), errorReader{broken}), body}, nil
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

func TestFetchResumes(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.MD5)
	items := remotetest.Fill(t, c, 8, 0, 30<<20)
	if _, err := (&remote.Transfer{Remote: s, Cache: c}).Push(t.Context(), items, nil); err != nil {
		t.Fatal(err)
	}
	fresh := remotetest.Cache(t, cache.MD5)
	// Without a retry the fetch fails in the middle of a later chunk.
	tr := &remote.Transfer{Remote: &flakyAt{s, 9 << 20}, Cache: fresh}
	if _, err := tr.Fetch(t.Context(), items); err == nil {
		t.Fatal("no error")
	}
	if fresh.Has(items[0].Entry.Digest) || !fresh.Begun(items[0].Entry.Digest) {
		t.Error("the beginning is not kept")
	}
	counted, m := counting(s)
	tr.Remote = counted
	if _, err := tr.Fetch(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	if got := m.Counts()["get"].Bytes; got >= 30<<20 || got < 10<<20 {
		t.Errorf("%d bytes fetched the second time", got)
	}
	remotetest.SoundCache(t, fresh)
}

// flakyAt fails reads of ranges that begin above an offset.
type flakyAt struct {
	remote.Store
	from int64
}

func (f *flakyAt) Get(ctx context.Context, name string, r remote.Range) (io.ReadCloser, error) {
	if r.Offset > f.from {
		return nil, &remote.Error{Op: "get", Name: name, Kind: remote.Unavailable, Err: io.ErrUnexpectedEOF}
	}
	return f.Store.Get(ctx, name, r)
}

func TestRetryGoesOnWhereAReaderBroke(t *testing.T) {
	s, _ := newDir(t)
	data := bytes.Repeat([]byte("0123456789"), 1000)
	if err := s.Put(t.Context(), "a", remote.Bytes(data)); err != nil {
		t.Fatal(err)
	}
	var slept []time.Duration
	r := remote.NewRetrier(remote.RetryOptions{Sleep: func(_ context.Context, d time.Duration) error {
		slept = append(slept, d)
		return nil
	}})
	got, err := remote.ReadAll(t.Context(), remote.Retry(&flaky{Store: s, breaks: 5, after: 1234}, r), "a", 1<<20)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	part, err := remote.Retry(&flaky{Store: s, breaks: 2, after: 3}, r).Get(t.Context(), "a", remote.Range{Offset: 5, Length: 10})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(part); err != nil || string(got) != "5678901234" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRetrierWaits(t *testing.T) {
	var slept []time.Duration
	r := remote.NewRetrier(remote.RetryOptions{Attempts: 4, Base: time.Second, Max: 3 * time.Second, MaxWait: 5 * time.Second,
		Sleep: func(_ context.Context, d time.Duration) error {
			slept = append(slept, d)
			return nil
		}})
	calls := 0
	fails := &remote.Error{Op: "put", Kind: remote.Unavailable, Err: errors.New("down")}
	err := r.Do(t.Context(), func() error { calls++; return fails })
	if !errors.Is(err, fails) || calls != 4 || len(slept) != 3 {
		t.Errorf("%d calls, slept %v: %v", calls, slept, err)
	}
	for i, most := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second} {
		if slept[i] <= 0 || slept[i] > most+1 {
			t.Errorf("pause %d is %v, want up to %v", i, slept[i], most)
		}
	}
	for _, kind := range []remote.Kind{remote.NotFound, remote.Denied, remote.Credentials, remote.Full, remote.Corrupt, remote.Setup, remote.Other} {
		calls = 0
		_ = r.Do(t.Context(), func() error { calls++; return &remote.Error{Op: "put", Kind: kind, Err: errors.New("no")} })
		if calls != 1 {
			t.Errorf("kind %d: %d calls", kind, calls)
		}
	}
	slept, calls = nil, 0
	err = r.Do(t.Context(), func() error {
		if calls++; calls == 1 {
			return &remote.Error{Op: "put", Kind: remote.Throttled, Wait: time.Hour, Err: errors.New("later")}
		}
		return nil
	})
	if err != nil || slept[0] != 5*time.Second {
		t.Errorf("slept %v: %v", slept, err)
	}
}

func TestLimit(t *testing.T) {
	s, _ := newDir(t)
	var mu sync.Mutex
	now, most := 0, 0
	slow := &slowStore{Store: s, enter: func(d int) {
		mu.Lock()
		defer mu.Unlock()
		now += d
		most = max(most, now)
	}}
	l := remote.Limit(slow, remote.LimitOptions{Requests: 3})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := l.Put(t.Context(), fmt.Sprint(i), remote.Bytes([]byte("x"))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most > 3 {
		t.Errorf("%d at once", most)
	}
	// A reader holds its place until it is closed.
	one := remote.Limit(s, remote.LimitOptions{Requests: 1})
	body, err := one.Get(t.Context(), "1", remote.Range{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := one.Stat(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := errors.Join(body.Close(), body.Close()); err != nil {
		t.Error(err)
	}
	if _, err := one.Stat(t.Context(), "1"); err != nil {
		t.Error(err)
	}
	if got := remote.Limit(s, remote.LimitOptions{}); got != s {
		t.Error("no limits, and yet another store")
	}
}

type slowStore struct {
	remote.Store
	enter func(int)
}

func (s *slowStore) Put(ctx context.Context, name string, b remote.Body) error {
	s.enter(1)
	defer s.enter(-1)
	time.Sleep(time.Millisecond)
	return s.Store.Put(ctx, name, b)
}

// The suite holds for a store with all decorators on.
func TestDecoratedStore(t *testing.T) {
	remotetest.Store(t, func(t *testing.T) remote.Store {
		s, _ := newDir(t)
		s = remote.Limit(remote.Observe(s, new(remote.Metrics).Add), remote.LimitOptions{Requests: 20, Bandwidth: 10 << 30})
		return remote.Retry(s, remote.NewRetrier(remote.RetryOptions{}))
	})
}

// hostile is a remote that does what a remote must not do.
type hostile struct {
	remote.Store
	get  func(name string) io.Reader
	list func(prefix string) iter.Seq2[remote.Info, error]
	size int64
}

func (h *hostile) Stat(_ context.Context, name string) (remote.Info, error) {
	return remote.Info{Name: name, Size: h.size}, nil
}

func (h *hostile) Get(_ context.Context, name string, _ remote.Range) (io.ReadCloser, error) {
	return io.NopCloser(h.get(name)), nil
}

func (h *hostile) List(_ context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return h.list(prefix)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestHostileContent(t *testing.T) {
	source := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, source, 9, 5, 100, 2<<20)
	evil := []byte(`[{"blake3": "` + strings.Repeat("0f", 32) + `", "relpath": "../../evil", "size": 1}]`)
	for name, h := range map[string]*hostile{
		"endless bytes":   {get: func(string) io.Reader { return zeros{} }, size: 100},
		"gigantic":        {get: func(string) io.Reader { return zeros{} }, size: 1 << 60},
		"a path outside":  {get: func(string) io.Reader { return bytes.NewReader(evil) }, size: int64(len(evil))},
		"nothing":         {get: func(string) io.Reader { return bytes.NewReader(nil) }},
		"negative":        {get: func(string) io.Reader { return zeros{} }, size: -5},
		"no end, no size": {get: func(string) io.Reader { return io.MultiReader(strings.NewReader("x"), zeros{}) }, size: 2 << 20},
	} {
		c := remotetest.Cache(t, cache.BLAKE3)
		_, err := (&remote.Transfer{Remote: h, Cache: c}).Fetch(t.Context(), items)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		remotetest.SoundCache(t, c)
		for _, it := range items {
			if c.Has(it.Entry.Digest) {
				t.Errorf("%s: %s was stored", name, it.Entry.Digest)
			}
		}
	}
}

// A manifest that has the right digest and leads out is refused all the same.
func TestManifestOfAnAttacker(t *testing.T) {
	evil := []byte(`[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "../evil"}]`)
	w := cache.MD5.New()
	w.Write(evil)
	d := cache.NewDigest(cache.MD5, w.Sum(nil), true)
	s, _ := newDir(t)
	if err := s.Put(t.Context(), remote.ObjectName(d), remote.Bytes(evil)); err != nil {
		t.Fatal(err)
	}
	c := remotetest.Cache(t, cache.MD5)
	_, err := (&remote.Transfer{Remote: s, Cache: c}).Fetch(t.Context(), []remote.Item{{Entry: cache.Entry{Digest: d}}})
	if err == nil || !strings.Contains(err.Error(), "leads out") {
		t.Errorf("%v", err)
	}
}

// Listings may name anything, and go on.
func TestHostileListings(t *testing.T) {
	h := &hostile{list: func(prefix string) iter.Seq2[remote.Info, error] {
		return func(yield func(remote.Info, error) bool) {
			for i := 0; ; i++ {
				for _, name := range []string{"../x", prefix + "..", prefix + "zz/" + strings.Repeat("0", 62), fmt.Sprintf("%saa/%064x.json", prefix, i)} {
					if !yield(remote.Info{Name: name, Size: 1 << 50}, nil) {
						return
					}
				}
			}
		}
	}}
	tr := &remote.Transfer{Remote: h, Cache: remotetest.Cache(t, cache.BLAKE3)}
	err := tr.Records(t.Context(), false, 1000, 1<<20, func(string, string) bool { return false }, func(string, string, []byte) error { return nil })
	if remote.KindOf(err) != remote.Corrupt {
		t.Errorf("records: %v", err)
	}
	if list, err := remote.RecordsOf(t.Context(), h, true, strings.Repeat("a", 64), 8, 1<<20); err != nil || len(list) != 0 {
		t.Errorf("%d records, %v", len(list), err)
	}
}

func TestNames(t *testing.T) {
	for _, h := range []*cache.Hash{cache.BLAKE3, cache.MD5, cache.MD5Text} {
		for _, dir := range []bool{false, true} {
			d := cache.NewDigest(h, bytes.Repeat([]byte{0xab}, h.Size), dir)
			got, ok := remote.ParseObjectName(h, remote.ObjectName(d))
			if !ok || got != d {
				t.Errorf("%s: %v, %v", remote.ObjectName(d), got, ok)
			}
		}
	}
	if got, want := remote.ObjectName(cache.NewDigest(cache.MD5, make([]byte, 16), true)), "files/md5/00/"+strings.Repeat("0", 30)+".dir"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := remote.ObjectName(cache.NewDigest(cache.MD5Text, make([]byte, 16), false)), "00/"+strings.Repeat("0", 30); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCollect(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.MD5)
	keep := remotetest.Fill(t, c, 10, 9, 50)
	drop := remotetest.Fill(t, c, 11, 6, 60)
	tr := &remote.Transfer{Remote: s, Cache: c}
	records := []remote.Record{
		{Name: remote.RunName(strings.Repeat("1", 64), strings.Repeat("2", 64)), Data: []byte("keep"), Needs: []cache.Digest{keep[1].Entry.Digest}},
		{Name: remote.RunName(strings.Repeat("3", 64), strings.Repeat("4", 64)), Data: []byte("drop"), Needs: []cache.Digest{drop[1].Entry.Digest}},
	}
	if _, err := tr.Push(t.Context(), append(keep, drop...), records); err != nil {
		t.Fatal(err)
	}
	used := map[cache.Digest]bool{}
	for _, it := range keep {
		used[it.Entry.Digest] = true
	}
	// From an empty cache: what a used directory holds has to be asked for.
	clone := &remote.Transfer{Remote: s, Cache: remotetest.Cache(t, cache.MD5)}
	if err := clone.Close(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	o := remote.CollectOptions{Used: used, Hashes: []*cache.Hash{cache.MD5, cache.MD5Text}, Dry: true,
		Needs: func(_ string, data []byte) ([]cache.Digest, error) {
			if string(data) == "keep" {
				return records[0].Needs, nil
			}
			return records[1].Needs, nil
		}}
	before := remotetest.Sound(t, s, cache.MD5)
	dry, err := clone.Collect(t.Context(), o)
	if err != nil || remotetest.Sound(t, s, cache.MD5) != before {
		t.Fatalf("%+v, %v", dry, err)
	}
	o.Dry = false
	res, err := clone.Collect(t.Context(), o)
	if err != nil || res != dry || res.Objects != len(remotetest.Digests(t, c, drop)) || res.Records != 1 {
		t.Errorf("%+v after %+v, %v", res, dry, err)
	}
	if n := remotetest.Sound(t, s, cache.MD5); n != len(remotetest.Digests(t, c, keep)) {
		t.Errorf("%d objects left", n)
	}
	if _, err := s.Stat(t.Context(), records[1].Name); !errors.Is(err, remote.ErrNotFound) {
		t.Errorf("the record is still there: %v", err)
	}
	// What a used directory holds is nowhere: nothing may be removed.
	used[cache.NewDigest(cache.MD5, bytes.Repeat([]byte{1}, 16), true)] = true
	if err := clone.Close(t.Context(), used); !errors.Is(err, remote.ErrNotFound) {
		t.Errorf("%v", err)
	}
}
