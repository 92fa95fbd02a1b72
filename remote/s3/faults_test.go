package s3_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/remotetest"
	"github.com/flowrepro/flow/remote/s3"
)

// bench is a cache with something in it, a server, and a proxy before it.
type bench struct {
	server *remotetest.S3
	proxy  *remotetest.Proxy
	direct *s3.Store
	faulty remote.Store
	cache  *cache.Store
	items  []remote.Item
	all    []cache.Digest
	packs  bool
}

// newBench makes a bench with 24 small files in a directory, a file of 1 MB and
// one that is sent in parts.
func newBench(t *testing.T, server *remotetest.S3, h *cache.Hash) *bench {
	t.Helper()
	b := &bench{server: server, proxy: remotetest.StartProxy(t, server.Endpoint), cache: remotetest.Cache(t, h)}
	b.items = remotetest.Fill(t, b.cache, rand.Uint64(), 24, 1<<20+99, 8<<20)
	b.all = remotetest.Digests(t, b.cache, b.items)
	url := "s3://" + remotetest.Bucket + "/" + strings.ReplaceAll(t.Name(), "/", "-")
	b.direct = open(t, url, server.Settings())
	settings := server.Settings()
	settings["endpointurl"] = b.proxy.URL
	settings["read_timeout"] = "1"
	o, err := s3.Parse(url, settings)
	if err != nil {
		t.Fatal(err)
	}
	o.PartSize, o.Threshold = 5<<20, 5<<20
	o.Retry = quick()
	s, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.faulty = remote.Retry(s, quick())
	return b
}

// quick tries again without long pauses.
func quick() *remote.Retrier {
	return remote.NewRetrier(remote.RetryOptions{Base: time.Millisecond, Max: 20 * time.Millisecond})
}

func (b *bench) through(c *cache.Store) *remote.Transfer {
	t := &remote.Transfer{Remote: b.faulty, Cache: c, Jobs: 8}
	if b.packs {
		t.Packs = new(remote.Packs)
	}
	return t
}

// push sends everything through the proxy.
func (b *bench) push(t *testing.T) (remote.Result, error) {
	t.Helper()
	return b.through(b.cache).Push(t.Context(), b.items, nil)
}

// settle ends the faults: the next push must complete, and a fetch into an empty
// cache bring everything.
func (b *bench) settle(t *testing.T) {
	t.Helper()
	remotetest.Sound(t, b.direct, b.cache.Hash())
	b.proxy.Inject(nil)
	res, err := b.push(t)
	if err != nil || len(res.Missing) > 0 {
		t.Fatalf("the next push: %+v, %v", res, err)
	}
	if n := remotetest.Sound(t, b.direct, b.cache.Hash()); n != len(b.all) {
		t.Errorf("%d objects on the remote, want %d", n, len(b.all))
		for _, d := range b.all {
			if _, err := b.direct.Stat(t.Context(), remote.ObjectName(d)); err != nil && !b.packs {
				t.Error(err)
			}
		}
	}
	b.fetch(t)
}

func (b *bench) fetch(t *testing.T) {
	t.Helper()
	fresh := remotetest.Cache(t, b.cache.Hash())
	res, err := b.through(fresh).Fetch(t.Context(), b.items)
	if err != nil || len(res.Missing) > 0 {
		t.Fatalf("fetch: %+v, %v", res, err)
	}
	if lost, err := fresh.Missing(t.Context(), b.all...); err != nil || len(lost) > 0 {
		t.Errorf("missing after the fetch: %v, %v", lost, err)
	}
	remotetest.SoundCache(t, fresh)
}

// sometimes injects a fault into every so many-th request that matches.
func sometimes(every int64, match func(*http.Request) bool, f remotetest.Fault) func(*http.Request) remotetest.Fault {
	var n atomic.Int64
	return func(r *http.Request) remotetest.Fault {
		if (match == nil || match(r)) && n.Add(1)%every == 0 {
			return f
		}
		return nil
	}
}

// firstOfEach injects a fault into the first request that matches of every object.
func firstOfEach(match func(*http.Request) bool, f remotetest.Fault) func(*http.Request) remotetest.Fault {
	var seen sync.Map
	return func(r *http.Request) remotetest.Fault {
		if !match(r) {
			return nil
		}
		if _, again := seen.LoadOrStore(r.URL.Path, true); again {
			return nil
		}
		return f
	}
}

// burst injects a fault into the first few of every so many requests.
func burst(length, every int64, f remotetest.Fault) func(*http.Request) remotetest.Fault {
	var n atomic.Int64
	return func(*http.Request) remotetest.Fault {
		if n.Add(1)%every < length {
			return f
		}
		return nil
	}
}

// TestPassingFaults is about faults that go away: the transfer must succeed as
// if nothing had happened.
func TestPassingFaults(t *testing.T) {
	server := remotetest.StartS3(t)
	puts, gets := remotetest.IsObject(http.MethodPut), remotetest.IsObject(http.MethodGet)
	for _, c := range []struct {
		name string
		// pushing and fetching are injected meanwhile.
		pushing, fetching func(*http.Request) remotetest.Fault
	}{
		{"5xx bursts", burst(3, 40, remotetest.Status(503, "ServiceUnavailable", 0)),
			burst(3, 20, remotetest.Status(500, "InternalError", 0))},
		{"slow down", sometimes(5, puts, remotetest.Status(503, "SlowDown", 0)), sometimes(5, gets, remotetest.Status(503, "SlowDown", 0))},
		{"too many requests", remotetest.Times(2, puts, remotetest.Status(429, "TooManyRequests", time.Second)),
			remotetest.Times(2, gets, remotetest.Status(429, "TooManyRequests", time.Second))},
		// versitygw's answer when a removal takes the directory of a new object away.
		{"lost directories", sometimes(4, puts, remotetest.Status(409, "ExistingObjectIsDirectory", 0)), nil},
		{"resets before", sometimes(4, nil, remotetest.ResetBefore), sometimes(4, nil, remotetest.ResetBefore)},
		{"resets after", sometimes(4, puts, remotetest.ResetAfter), sometimes(4, gets, remotetest.ResetAfter)},
		{"resets in the middle", nil, sometimes(3, gets, remotetest.ResetMid)},
		{"truncated", nil, firstOfEach(gets, remotetest.Truncate)},
		{"corrupted", firstOfEach(puts, remotetest.CorruptUpload), firstOfEach(gets, remotetest.Corrupt)},
	} {
		for _, packs := range []bool{false, true} {
			name := c.name
			if packs {
				name += " with packs"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, server, cache.BLAKE3)
				b.packs = packs
				b.proxy.Inject(c.pushing)
				if res, err := b.push(t); err != nil || res.Objects != len(b.all) {
					t.Fatalf("push: %+v, %v", res, err)
				}
				if n := remotetest.Sound(t, b.direct, cache.BLAKE3); n != len(b.all) {
					t.Errorf("%d objects on the remote, want %d", n, len(b.all))
				}
				b.proxy.Inject(c.fetching)
				b.fetch(t)
				b.settle(t)
			})
		}
	}
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, server, cache.MD5)
		b.proxy.Inject(remotetest.Times(3, puts, b.proxy.Hang()))
		if res, err := b.push(t); err != nil || res.Objects != len(b.all) {
			t.Fatalf("push: %+v, %v", res, err)
		}
		b.proxy.Inject(remotetest.Times(3, gets, b.proxy.Hang()))
		b.settle(t)
	})
	t.Run("skewed clock", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, server, cache.MD5)
		skew := remotetest.Skewed(10 * time.Minute)
		b.proxy.Inject(func(*http.Request) remotetest.Fault { return skew })
		if res, err := b.push(t); err != nil || res.Objects != len(b.all) {
			t.Fatalf("push: %+v, %v", res, err)
		}
		b.fetch(t)
	})
}

// TestStayingFaults is about faults that do not go away by themselves: the error
// must tell, nothing wrong may be stored, and the next run complete.
func TestStayingFaults(t *testing.T) {
	server := remotetest.StartS3(t)
	always := func(f remotetest.Fault) func(*http.Request) remotetest.Fault {
		return func(*http.Request) remotetest.Fault { return f }
	}
	puts, gets := remotetest.IsObject(http.MethodPut), remotetest.IsObject(http.MethodGet)
	on := func(match func(*http.Request) bool, f remotetest.Fault) func(*http.Request) remotetest.Fault {
		return func(r *http.Request) remotetest.Fault {
			if match(r) {
				return f
			}
			return nil
		}
	}
	for _, c := range []struct {
		name  string
		fault func(*http.Request) remotetest.Fault
		kind  remote.Kind
		text  string
		// most bounds the requests: there is no point in trying everything.
		most int64
	}{
		{"expired credentials", always(remotetest.Status(400, "ExpiredToken", 0)), remote.Credentials, "ExpiredToken", 20},
		{"unknown key", always(remotetest.Status(403, "InvalidAccessKeyId", 0)), remote.Credentials, "InvalidAccessKeyId", 20},
		{"full bucket", on(puts, remotetest.Status(507, "InsufficientStorage", 0)), remote.Full, "InsufficientStorage", 80},
		{"quota", on(puts, remotetest.Status(403, "QuotaExceeded", 0)), remote.Full, "QuotaExceeded", 80},
		{"no bucket", always(remotetest.Status(404, "NoSuchBucket", 0)), remote.Setup, "does not exist", 20},
		{"down", always(remotetest.Status(503, "ServiceUnavailable", 0)), remote.Unavailable, "ServiceUnavailable", 500},
	} {
		for _, packs := range []bool{false, true} {
			name, hash := c.name, cache.MD5
			if packs {
				name, hash = name+" with packs", cache.BLAKE3
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, server, hash)
				b.packs = packs
				b.proxy.Inject(c.fault)
				_, err := b.push(t)
				if err == nil || remote.KindOf(err) != c.kind {
					t.Fatalf("push: %v, of kind %d", err, remote.KindOf(err))
				}
				if !strings.Contains(err.Error(), c.text) {
					t.Errorf("%q does not tell of %s", err, c.text)
				}
				var h interface{ Hint() string }
				if !errors.As(err, &h) || h.Hint() == "" {
					t.Errorf("%v: no hint", err)
				}
				if n := b.proxy.Requests.Load(); n > c.most {
					t.Errorf("%d requests", n)
				}
				b.settle(t)
			})
		}
	}
	t.Run("permission denied on some keys", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, server, cache.BLAKE3)
		some := func(r *http.Request) bool { return puts(r) && strings.Contains(r.URL.Path, "/blake3/1") }
		b.proxy.Inject(on(some, remotetest.Status(403, "AccessDenied", 0)))
		res, err := b.push(t)
		alone := map[cache.Digest]bool{}
		for _, it := range b.items {
			alone[it.Entry.Digest] = true
		}
		denied, held := 0, 0 // held: a manifest waits for its members
		for _, d := range b.all {
			if d.String()[0] == '1' && !d.IsDir() {
				denied++
				if !alone[d] {
					held = 1
				}
			}
		}
		var te *remote.TransferError
		if denied > 0 && (!errors.As(err, &te) || te.Failed != denied || remote.KindOf(err) != remote.Denied) {
			t.Errorf("%d denied: %+v, %v", denied, res, err)
		}
		if want := len(b.all) - denied - held; denied > 0 && res.Objects != want {
			t.Errorf("%d objects sent, want %d: all but those denied, and the manifest of what is denied", res.Objects, want)
		}
		b.settle(t)
	})
	t.Run("permission denied on packs", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, server, cache.BLAKE3)
		b.packs = true
		packs := func(r *http.Request) bool { return puts(r) && strings.Contains(r.URL.Path, "/packs/") }
		b.proxy.Inject(on(packs, remotetest.Status(403, "AccessDenied", 0)))
		res, err := b.push(t)
		var te *remote.TransferError
		// 24 small ones in the pack; their manifest waits for them.
		if !errors.As(err, &te) || te.Failed != 24 || remote.KindOf(err) != remote.Denied || res.Objects != 2 {
			t.Errorf("%+v, %v", res, err)
		}
		b.settle(t)
	})
	for _, c := range []struct {
		name  string
		fault remotetest.Fault
	}{
		{"always corrupted", remotetest.Corrupt},
		{"always truncated", remotetest.Truncate},
		{"other content", remotetest.Body([]byte("something else"))},
		{"nothing", remotetest.Body(nil)},
		{"far too much", remotetest.Body(make([]byte, 2<<20))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, server, cache.BLAKE3)
			if _, err := b.push(t); err != nil {
				t.Fatal(err)
			}
			b.proxy.Inject(on(gets, c.fault))
			fresh := remotetest.Cache(t, cache.BLAKE3)
			if _, err := b.through(fresh).Fetch(t.Context(), b.items); remote.KindOf(err) != remote.Corrupt {
				t.Errorf("fetch: %v, of kind %d", err, remote.KindOf(err))
			}
			remotetest.SoundCache(t, fresh)
			b.proxy.Inject(nil)
			if _, err := b.through(fresh).Fetch(t.Context(), b.items); err != nil {
				t.Errorf("the next fetch: %v", err)
			}
			if lost, err := fresh.Missing(t.Context(), b.all...); err != nil || len(lost) > 0 {
				t.Errorf("%d missing, %v", len(lost), err)
			}
			remotetest.SoundCache(t, fresh)
		})
	}
}

// TestTwoPushers sends the same objects from two processes at once.
func TestTwoPushers(t *testing.T) {
	server := remotetest.StartS3(t)
	for _, c := range []struct {
		name  string
		hash  *cache.Hash
		packs bool
	}{{"DVC's format", cache.MD5, false}, {"native", cache.BLAKE3, true}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, server, c.hash)
			b.packs = c.packs
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if _, err := b.push(t); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			b.settle(t)
		})
	}
}

// TestPushBesideCollection collects garbage again and again, by references that
// do not know what is being pushed: what the push says is there must be.
func TestPushBesideCollection(t *testing.T) {
	server := remotetest.StartS3(t)
	for _, packs := range []bool{false, true} {
		t.Run(fmt.Sprintf("packs %t", packs), func(t *testing.T) {
			b := newBench(t, server, cache.BLAKE3)
			b.packs = packs
			slow := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				time.Sleep(20 * time.Millisecond)
				next.ServeHTTP(w, r)
			}
			b.proxy.Inject(sometimes(3, nil, slow))
			for range 4 {
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for range 2 {
						other := &remote.Transfer{Remote: b.direct, Cache: remotetest.Cache(t, cache.BLAKE3), Jobs: 4}
						if packs {
							other.Packs = new(remote.Packs)
						}
						if _, err := other.Collect(ctx, remote.CollectOptions{Hashes: []*cache.Hash{cache.BLAKE3}}); err != nil && ctx.Err() == nil {
							t.Error(err)
						}
						time.Sleep(30 * time.Millisecond)
					}
				})
				time.Sleep(time.Duration(rand.N(60)) * time.Millisecond)
				_, err := b.push(t)
				cancel()
				wg.Wait()
				if err != nil {
					t.Fatal(err)
				}
			}
			// Without a collection after it, a push must leave everything there.
			b.settle(t)
		})
	}
}

// TestUploadResumes breaks an upload in parts off and sees that the next one
// sends only the rest.
func TestUploadResumes(t *testing.T) {
	server := remotetest.StartS3(t)
	proxy := remotetest.StartProxy(t, server.Endpoint)
	settings := server.Settings()
	settings["endpointurl"] = proxy.URL
	o, err := s3.Parse("s3://"+remotetest.Bucket+"/resumes", settings)
	if err != nil {
		t.Fatal(err)
	}
	o.PartSize, o.Threshold, o.Parts, o.Abandoned = 5<<20, 5<<20, 1, time.Millisecond
	o.Retry = remote.NewRetrier(remote.RetryOptions{Attempts: 1})
	s, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := remotetest.Cache(t, cache.MD5)
	items := remotetest.Fill(t, c, 7, 0, 22<<20)
	tr := &remote.Transfer{Remote: s, Cache: c}
	part := func(r *http.Request) bool { return r.URL.Query().Get("partNumber") != "" }
	proxy.Inject(remotetest.Times(100, func(r *http.Request) bool { return r.URL.Query().Get("partNumber") >= "4" && part(r) }, remotetest.ResetBefore))
	if _, err := tr.Push(t.Context(), items, nil); err == nil {
		t.Fatal("the push did not fail")
	}
	time.Sleep(10 * time.Millisecond)
	var parts atomic.Int64
	proxy.Inject(func(r *http.Request) remotetest.Fault {
		if part(r) && r.Method == http.MethodPut {
			parts.Add(1)
		}
		return nil
	})
	if _, err := tr.Push(t.Context(), items, nil); err != nil {
		t.Fatal(err)
	}
	if n := parts.Load(); n != 2 {
		t.Errorf("%d parts sent, want the last 2 of 5", n)
	}
	if n := remotetest.Sound(t, s, cache.MD5); n != 1 {
		t.Errorf("%d objects", n)
	}
}
