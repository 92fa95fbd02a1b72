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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/remotetest"
)

// packing is a transfer that packs, and remembers indexes in a place of its own.
func packing(t *testing.T, s remote.Store, c *cache.Store) *remote.Transfer {
	t.Helper()
	return &remote.Transfer{Remote: s, Cache: c, Packs: &remote.Packs{Dir: filepath.Join(t.TempDir(), "packs")}}
}

func storeNames(t *testing.T, s remote.Store, prefix string) []string {
	t.Helper()
	var list []string
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, info.Name)
	}
	return list
}

func TestPackedPushAndFetch(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, c, 1, 1500, 0, 300_000, 600_000, 3<<20)
	all := remotetest.Digests(t, c, items)
	counted, m := counting(s)
	res, err := packing(t, counted, c).Push(t.Context(), items, nil)
	if err != nil || res.Objects != len(all) || len(res.Missing) > 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	// The pack and its index, the manifest, and two that are large.
	if puts := m.Counts()["put"].Operations; puts != 5 {
		t.Errorf("%d puts", puts)
	}
	if n := remotetest.Sound(t, s, cache.BLAKE3); n != len(all) {
		t.Errorf("%d objects, want %d", n, len(all))
	}

	counted, m = counting(s)
	other := packing(t, counted, c)
	if res, err = other.Push(t.Context(), items, nil); err != nil || res.Objects != 0 {
		t.Errorf("again: %+v, %v", res, err)
	}
	// The marker twice, the packs, their index, and what lies by itself.
	if got, want := operations(m), "get 3, list 1, stat 3"; got != want {
		t.Errorf("again: %s, want %s", got, want)
	}
	other.Remote, m = counting(s)
	if res, err = other.Push(t.Context(), items, nil); err != nil || res.Objects != 0 {
		t.Errorf("once more: %+v, %v", res, err)
	}
	if got, want := operations(m), "get 2, list 1, stat 3"; got != want {
		t.Errorf("once more: %s, want %s", got, want)
	}

	fresh := remotetest.Cache(t, cache.BLAKE3)
	counted, m = counting(s)
	to := packing(t, counted, fresh)
	if res, err = to.Fetch(t.Context(), items); err != nil || res.Objects != len(all) || len(res.Missing) > 0 {
		t.Errorf("fetch: %+v, %v", res, err)
	}
	// The manifest, the index, the pack at once, and the two large ones, of which
	// one is asked for its size.
	if got, want := operations(m), "get 5, list 1, stat 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	remotetest.SoundCache(t, fresh)
	if lost, err := fresh.Missing(t.Context(), all...); err != nil || len(lost) > 0 {
		t.Errorf("missing: %v, %v", lost, err)
	}
	if res, err = to.Fetch(t.Context(), items); err != nil || res.Objects != 0 {
		t.Errorf("fetch again: %+v, %v", res, err)
	}
}

// A small target of a large project costs what it needs, however much there is
// besides.
func TestPackedFetchAsksOnlyForWhatIsNeeded(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	var all, small []remote.Item
	for seed := range uint64(6) {
		items := remotetest.Fill(t, c, 100+seed, 400, 100_000)
		all = append(all, items...)
		small = append(small, items[0])
	}
	if _, err := packing(t, s, c).Push(t.Context(), all, nil); err != nil {
		t.Fatal(err)
	}
	within := func(name string) remote.Item { return remote.Item{Entry: small[2].Entry, Within: name} }
	for _, q := range []struct {
		item remote.Item
		most int64 // bytes
		want string
	}{
		{all[1], 100_000, "get 2, list 1"},
		{small[2], 400 * 50, "get 3, list 1"},
		{within("03/f3"), 50, "get 3, list 1"},
		{within("03"), 400 * 50, "get 3, list 1"},
	} {
		counted, m := counting(s)
		tr := packing(t, counted, remotetest.Cache(t, cache.BLAKE3))
		res, err := tr.Fetch(t.Context(), []remote.Item{q.item})
		if err != nil || len(res.Missing) > 0 {
			t.Fatal(res, err)
		}
		if got := operations(m); got != q.want {
			t.Errorf("%q: %s, want %s", q.item.Within, got, q.want)
		}
		manifest, _ := c.SizeOf(small[2].Entry.Digest)
		index, err := s.Stat(t.Context(), strings.Replace(storeNames(t, s, "packs/")[0], ".pack", ".index", 1))
		if err != nil {
			t.Fatal(err)
		}
		if n, most := m.Counts()["get"].Bytes, q.most+index.Size+manifest; n > most {
			t.Errorf("%q: %d bytes, want up to %d", q.item.Within, n, most)
		}
	}
}

// Two who push the same, in whatever order, write the same; and few objects are
// not worth a pack.
func TestPacksAreNamedByWhatTheyHold(t *testing.T) {
	a, _ := newDir(t)
	b, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	items := append(remotetest.Fill(t, c, 7, 40, 10), remotetest.Fill(t, c, 8, 40, 20)...)
	if _, err := packing(t, a, c).Push(t.Context(), items, nil); err != nil {
		t.Fatal(err)
	}
	turned := []remote.Item{items[3], items[1], items[2], items[0]}
	if _, err := packing(t, b, c).Push(t.Context(), turned, nil); err != nil {
		t.Fatal(err)
	}
	x, y := storeNames(t, a, "packs/"), storeNames(t, b, "packs/")
	if len(x) != 2 || strings.Join(x, " ") != strings.Join(y, " ") {
		t.Errorf("%q and %q", x, y)
	}
	few, _ := newDir(t)
	if _, err := packing(t, few, c).Push(t.Context(), remotetest.Fill(t, c, 9, 5), nil); err != nil {
		t.Fatal(err)
	}
	if got := storeNames(t, few, "packs/"); len(got) != 0 {
		t.Errorf("%q for five objects", got)
	}
	plain, _ := newDir(t)
	tr := packing(t, plain, c)
	tr.Packs.ReadOnly = true
	if _, err := tr.Push(t.Context(), items, nil); err != nil || len(storeNames(t, plain, "packs/")) > 0 {
		t.Errorf("packs, or %v", err)
	}
	// A remote may hold both.
	tr.Packs.ReadOnly = false
	more := append(items, remotetest.Fill(t, c, 10, 50)...)
	if _, err := tr.Push(t.Context(), more, nil); err != nil {
		t.Fatal(err)
	}
	to := packing(t, plain, remotetest.Cache(t, cache.BLAKE3))
	if res, err := to.Fetch(t.Context(), more); err != nil || len(res.Missing) > 0 || res.Objects != len(remotetest.Digests(t, c, more)) {
		t.Errorf("%+v, %v", res, err)
	}
}

// Of a push that was interrupted nothing is believed, whatever is there of it;
// nor of a pack that lost bytes.
func TestPartsOfPacksAreNotBelieved(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, pack, index string) error{
		"no index": func(_ *testing.T, _, index string) error { return os.Remove(index) },
		"no pack":  func(_ *testing.T, pack, _ string) error { return os.Remove(pack) },
		"a shorter pack": func(_ *testing.T, pack, _ string) error {
			return errors.Join(os.Chmod(pack, 0o600), os.Truncate(pack, 17))
		},
		"a shorter index": func(_ *testing.T, _, index string) error {
			return errors.Join(os.Chmod(index, 0o600), os.Truncate(index, 32+44))
		},
		"another index": func(_ *testing.T, _, index string) error {
			data, err := os.ReadFile(index)
			data[40] ^= 1
			return errors.Join(err, os.Chmod(index, 0o600), os.WriteFile(index, data, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, root := newDir(t)
			c := remotetest.Cache(t, cache.BLAKE3)
			items := remotetest.Fill(t, c, 11, 100)
			if _, err := packing(t, s, c).Push(t.Context(), items, nil); err != nil {
				t.Fatal(err)
			}
			names := storeNames(t, s, "packs/")
			at := func(suffix string) string {
				return filepath.Join(root, filepath.FromSlash(strings.TrimSuffix(strings.TrimSuffix(names[0], ".pack"), ".index")+suffix))
			}
			if err := spoil(t, at(".pack"), at(".index")); err != nil {
				t.Fatal(err)
			}
			to := packing(t, s, remotetest.Cache(t, cache.BLAKE3))
			res, err := to.Fetch(t.Context(), items)
			if err != nil || len(res.Missing) != 100 {
				t.Errorf("%d missing, %v", len(res.Missing), err)
			}
			remotetest.SoundCache(t, to.Cache)
			if res, err = packing(t, s, c).Push(t.Context(), items, nil); err != nil || res.Objects != 100 {
				t.Errorf("%+v, %v", res, err)
			}
			if n := remotetest.Sound(t, s, cache.BLAKE3); n != 101 {
				t.Errorf("%d objects", n)
			}
			if res, err = to.Fetch(t.Context(), items); err != nil || len(res.Missing) > 0 {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

// A damaged byte in a pack costs the object that it is in, and no other, and that
// one only if it does not lie by itself as well.
func TestDamagedPack(t *testing.T) {
	s, root := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, c, 12, 100)
	if _, err := packing(t, s, c).Push(t.Context(), items, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range storeNames(t, s, "packs/") {
		if strings.HasSuffix(name, ".pack") {
			path := filepath.Join(root, filepath.FromSlash(name))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, data, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	to := packing(t, s, remotetest.Cache(t, cache.BLAKE3))
	res, err := to.Fetch(t.Context(), items)
	var te *remote.TransferError
	if !errors.As(err, &te) || te.Failed != 1 || remote.KindOf(err) != remote.Corrupt || res.Objects != 99 {
		t.Errorf("%+v, %v", res, err)
	}
	remotetest.SoundCache(t, to.Cache)

	for _, d := range remotetest.Digests(t, c, items) {
		if to.Cache.Has(d) || d.IsDir() {
			continue
		}
		data, err := os.ReadFile(c.Path(d))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), remote.ObjectName(d), remote.Bytes(data)); err != nil {
			t.Fatal(err)
		}
	}
	to.Cache = remotetest.Cache(t, cache.BLAKE3)
	if res, err := to.Fetch(t.Context(), items); err != nil || res.Objects != 101 || len(res.Missing) > 0 {
		t.Errorf("with the object by itself: %+v, %v", res, err)
	}
	remotetest.SoundCache(t, to.Cache)
}

// unlisted does not let its packs be listed.
type unlisted struct{ remote.Store }

func (u *unlisted) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	if !strings.HasPrefix(prefix, "packs/") {
		return u.Store.List(ctx, prefix)
	}
	return func(yield func(remote.Info, error) bool) {
		yield(remote.Info{}, &remote.Error{Op: "list", Name: prefix, Kind: remote.Denied, Err: errors.New("no")})
	}
}

// Where packs cannot be listed, what lies by itself is found, and it is said, once,
// that the rest is not seen.
func TestPacksThatCannotBeListed(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, c, 19, 100, 700_000)
	if _, err := packing(t, s, c).Push(t.Context(), items, nil); err != nil {
		t.Fatal(err)
	}
	to := packing(t, &unlisted{s}, remotetest.Cache(t, cache.BLAKE3))
	var told []error
	to.Packs.Denied = func(err error) { told = append(told, err) }
	for range 2 {
		res, err := to.Fetch(t.Context(), items)
		if err != nil || len(res.Missing) != 100 {
			t.Errorf("%+v, %v", res, err)
		}
	}
	if !to.Cache.Has(items[1].Entry.Digest) {
		t.Error("what lies by itself was not found")
	}
	if len(told) != 1 || remote.KindOf(told[0]) != remote.Denied {
		t.Errorf("told of %v", told)
	}
}

// A damaged object of the cache does not get into a pack.
func TestPackOfADamagedObject(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, c, 13, 50, 1000)
	path := c.Path(items[1].Entry.Digest)
	if err := errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, make([]byte, 1000), 0o644)); err != nil {
		t.Fatal(err)
	}
	res, err := packing(t, s, c).Push(t.Context(), items, nil)
	var bad *cache.CorruptError
	if !errors.As(err, &bad) || res.Objects != 51 || c.Has(items[1].Entry.Digest) {
		t.Errorf("%+v, %v", res, err)
	}
	if n := remotetest.Sound(t, s, cache.BLAKE3); n != 51 {
		t.Errorf("%d objects", n)
	}
}

func usedBy(t *testing.T, c *cache.Store, items []remote.Item) map[cache.Digest]bool {
	t.Helper()
	used := map[cache.Digest]bool{}
	for _, d := range remotetest.Digests(t, c, items) {
		used[d] = true
	}
	return used
}

func TestCollectPacks(t *testing.T) {
	s, root := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	keep, drop := remotetest.Fill(t, c, 14, 60, 100_000), remotetest.Fill(t, c, 15, 200, 50_000)
	lone := remotetest.Fill(t, c, 16, 30)
	tr := packing(t, s, c)
	// One pack of what is kept and what is not, one of what is not, and one that
	// stays.
	stays := remotetest.Fill(t, c, 17, 40)
	for _, items := range [][]remote.Item{append(keep, drop...), lone, stays} {
		if _, err := tr.Push(t.Context(), items, nil); err != nil {
			t.Fatal(err)
		}
	}
	// What is left of an interrupted push, long ago and now.
	old, now := "packs/blake3/"+strings.Repeat("0", 64)+".pack", "packs/blake3/"+strings.Repeat("1", 64)+".pack"
	for _, name := range []string{old, now} {
		if err := s.Put(t.Context(), name, remote.Bytes([]byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(filepath.Join(root, filepath.FromSlash(old)), yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	o := remote.CollectOptions{Used: usedBy(t, c, append(keep, stays...)), Hashes: []*cache.Hash{cache.BLAKE3}, Dry: true}
	before := storeNames(t, s, "")
	dry, err := tr.Collect(t.Context(), o)
	if err != nil || strings.Join(storeNames(t, s, ""), " ") != strings.Join(before, " ") {
		t.Fatalf("%+v, %v", dry, err)
	}
	o.Dry = false
	res, err := tr.Collect(t.Context(), o)
	if want := 201 + 1 + 31; err != nil || res != dry || res.Objects != want {
		t.Errorf("%+v after %+v, want %d objects: %v", res, dry, want, err)
	}
	if n, want := remotetest.Sound(t, s, cache.BLAKE3), len(o.Used); n != want {
		t.Errorf("%d objects are left, want %d", n, want)
	}
	for name, want := range map[string]bool{old: false, now: true} {
		if _, err := s.Stat(t.Context(), name); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	to := packing(t, s, remotetest.Cache(t, cache.BLAKE3))
	if res, err := to.Fetch(t.Context(), append(keep, stays...)); err != nil || len(res.Missing) > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err := tr.Collect(t.Context(), o); err != nil || res.Objects != 0 {
		t.Errorf("again: %+v, %v", res, err)
	}
	// What was collected is sent again.
	if res, err := tr.Push(t.Context(), drop, nil); err != nil || res.Objects != 202 {
		t.Errorf("%+v, %v", res, err)
	}
}

// Little that is not used is not worth writing a pack anew, unless every byte
// counts.
func TestCollectLeavesPacksWithLittleWaste(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, c, 18, 100)
	tr := packing(t, s, c)
	if _, err := tr.Push(t.Context(), items, nil); err != nil {
		t.Fatal(err)
	}
	o := remote.CollectOptions{Used: usedBy(t, c, items), Hashes: []*cache.Hash{cache.BLAKE3}}
	m, err := c.Manifest(items[0].Entry.Digest)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		delete(o.Used, m.Members[i].Digest)
	}
	if res, err := tr.Collect(t.Context(), o); err != nil || res.Objects != 0 || remotetest.Sound(t, s, cache.BLAKE3) != 101 {
		t.Errorf("%+v, %v", res, err)
	}
	o.MaxAge = time.Nanosecond
	o.Now = func() time.Time { return time.Now().Add(time.Second) }
	if res, err := tr.Collect(t.Context(), o); err != nil || res.Objects != 10 || remotetest.Sound(t, s, cache.BLAKE3) != 91 {
		t.Errorf("%+v, %v", res, err)
	}
}

// Many small pushes end in many small packs, which a collection puts together.
func TestCollectPutsSmallPacksTogether(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	tr := packing(t, s, c)
	var all []remote.Item
	for seed := range uint64(20) {
		items := remotetest.Fill(t, c, 50+seed, 20)
		if _, err := tr.Push(t.Context(), items, nil); err != nil {
			t.Fatal(err)
		}
		all = append(all, items...)
	}
	if n := len(storeNames(t, s, "packs/")); n != 40 {
		t.Errorf("%d names of packs", n)
	}
	o := remote.CollectOptions{Used: usedBy(t, c, all), Hashes: []*cache.Hash{cache.BLAKE3}}
	if res, err := tr.Collect(t.Context(), o); err != nil || res.Objects != 0 || remotetest.Sound(t, s, cache.BLAKE3) != len(o.Used) {
		t.Errorf("%+v, %v", res, err)
	}
	if n := len(storeNames(t, s, "packs/")); n != 2 {
		t.Errorf("%d names of packs", n)
	}
}

// during calls what it is given once, before the first operation of a kind on a
// name with a suffix.
type during struct {
	remote.Store
	op, suffix string
	once       sync.Once
	do         func()
}

func (d *during) maybe(op, name string) {
	if op == d.op && strings.HasSuffix(name, d.suffix) {
		d.once.Do(d.do)
	}
}

func (d *during) Get(ctx context.Context, name string, r remote.Range) (io.ReadCloser, error) {
	d.maybe("get", name)
	return d.Store.Get(ctx, name, r)
}

func (d *during) Put(ctx context.Context, name string, b remote.Body) error {
	d.maybe("put", name)
	return d.Store.Put(ctx, name, b)
}

func (d *during) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		d.maybe("remove", name)
	}
	return d.Store.Remove(ctx, names...)
}

// A collection that takes a pack away from under a fetch costs it another look,
// and one in the middle of a push does not take from it what it relies on.
func TestCollectMeanwhile(t *testing.T) {
	s, _ := newDir(t)
	c := remotetest.Cache(t, cache.BLAKE3)
	keep, drop := remotetest.Fill(t, c, 20, 60), remotetest.Fill(t, c, 21, 90)
	if _, err := packing(t, s, c).Push(t.Context(), append(keep, drop...), nil); err != nil {
		t.Fatal(err)
	}
	o := remote.CollectOptions{Used: usedBy(t, c, keep), Hashes: []*cache.Hash{cache.BLAKE3}}
	collect := func() {
		if res, err := packing(t, s, c).Collect(context.Background(), o); err != nil || res.Objects != 91 {
			t.Errorf("%+v, %v", res, err)
		}
	}
	to := packing(t, &during{Store: s, op: "get", suffix: ".pack", do: collect}, remotetest.Cache(t, cache.BLAKE3))
	if res, err := to.Fetch(t.Context(), keep); err != nil || len(res.Missing) > 0 || res.Objects != 61 {
		t.Errorf("%+v, %v", res, err)
	}
	remotetest.SoundCache(t, to.Cache)

	// The push finds drop in a pack, and sends something else when it is taken.
	if _, err := packing(t, s, c).Push(t.Context(), drop, nil); err != nil {
		t.Fatal(err)
	}
	more := append(drop, remotetest.Fill(t, c, 22, 40)...)
	from := packing(t, &during{Store: s, op: "put", suffix: ".pack", do: collect}, c)
	if _, err := from.Push(t.Context(), more, nil); err != nil {
		t.Fatal(err)
	}
	to = packing(t, s, remotetest.Cache(t, cache.BLAKE3))
	if res, err := to.Fetch(t.Context(), append(keep, more...)); err != nil || len(res.Missing) > 0 {
		t.Errorf("%d missing, %v", len(res.Missing), err)
	}
	// A fetch between the steps of a collection finds everything, too.
	o.Used = usedBy(t, c, append(keep, more[:1]...))
	gc := packing(t, &during{Store: s, op: "remove", suffix: ".pack", do: func() {
		to := packing(t, s, remotetest.Cache(t, cache.BLAKE3))
		if res, err := to.Fetch(context.Background(), keep); err != nil || len(res.Missing) > 0 {
			t.Errorf("%+v, %v", res, err)
		}
	}}, c)
	if _, err := gc.Collect(t.Context(), o); err != nil {
		t.Error(err)
	}
	remotetest.Sound(t, s, cache.BLAKE3)
}

// An interrupted collection leaves everything that is used, whenever it ends.
func TestInterruptedCollectOfPacks(t *testing.T) {
	for n := range 12 {
		s, _ := newDir(t)
		c := remotetest.Cache(t, cache.BLAKE3)
		keep, drop := remotetest.Fill(t, c, 23, 30, 9000), remotetest.Fill(t, c, 24, 60)
		if _, err := packing(t, s, c).Push(t.Context(), append(keep, drop...), nil); err != nil {
			t.Fatal(err)
		}
		left := n
		failing := &failingWrites{s, func() bool { left--; return left < 0 }}
		o := remote.CollectOptions{Used: usedBy(t, c, keep), Hashes: []*cache.Hash{cache.BLAKE3}}
		_, err := packing(t, failing, c).Collect(t.Context(), o)
		to := packing(t, s, remotetest.Cache(t, cache.BLAKE3))
		if res, ferr := to.Fetch(t.Context(), keep); ferr != nil || len(res.Missing) > 0 {
			t.Errorf("after %d writes (%v): %+v, %v", n, err, res, ferr)
		}
		if _, err := packing(t, s, c).Collect(t.Context(), o); err != nil {
			t.Error(err)
		}
		if left := remotetest.Sound(t, s, cache.BLAKE3); left != len(o.Used) {
			t.Errorf("after %d writes, and a whole collection: %d objects", n, left)
		}
	}
}

type failingWrites struct {
	remote.Store
	fails func() bool
}

var errNoMore = &remote.Error{Op: "put", Kind: remote.Setup, Err: errors.New("no more")}

func (f *failingWrites) Put(ctx context.Context, name string, b remote.Body) error {
	if f.fails() {
		return errNoMore
	}
	return f.Store.Put(ctx, name, b)
}

func (f *failingWrites) Remove(ctx context.Context, names ...string) error {
	if f.fails() {
		return errNoMore
	}
	return f.Store.Remove(ctx, names...)
}

// A listing of packs that does not end is given up, and names that are no packs
// are passed over.
func TestHostilePackListings(t *testing.T) {
	c := remotetest.Cache(t, cache.BLAKE3)
	items := remotetest.Fill(t, c, 25, 1)
	s, _ := newDir(t)
	for i := range 30 {
		for _, name := range []string{fmt.Sprintf("packs/blake3/%064x.index", i), fmt.Sprintf("packs/blake3/%064x.pack", i), fmt.Sprintf("packs/blake3/%d.pack", i), "packs/blake3/x"} {
			if err := s.Put(t.Context(), name, remote.Bytes(bytes.Repeat([]byte("flowpack\x01"), 100*i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	res, err := packing(t, s, remotetest.Cache(t, cache.BLAKE3)).Fetch(t.Context(), items)
	if err != nil || len(res.Missing) != 1 {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := packing(t, s, c).Push(t.Context(), items, nil); err != nil {
		t.Error(err)
	}
}
