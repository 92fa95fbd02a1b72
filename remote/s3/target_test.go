package s3_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/remotetest"
)

// largeProject is what the remote of a project with one large directory has.
type largeProject struct {
	dir cache.Entry
	// members are the directory's, content is that of each.
	members []cache.Member
	// manifest and indexes are in bytes.
	manifest, indexes int64
	packs             int
}

// content is what the i-th member of a large project holds.
func content(i int) []byte { return fmt.Appendf(nil, "object %d\n", i) }

// newLargeProject stores the manifest of a directory of n files: without packs
// the first of these, and with packs all, by the published form of packs and not
// by the code under test.
func newLargeProject(t *testing.T, s remote.Store, h *cache.Hash, n int, packed bool) *largeProject {
	t.Helper()
	put := func(name string, data []byte) {
		if err := s.Put(t.Context(), name, remote.Bytes(data)); err != nil {
			t.Fatal(err)
		}
	}
	p := new(largeProject)
	for i := range n {
		w := h.New()
		_, _ = w.Write(content(i)) // never fails
		m := cache.Member{Path: fmt.Sprintf("%03d/%06d", i/1000, i), Digest: cache.NewDigest(h, w.Sum(nil), false), Size: -1}
		if h == cache.BLAKE3 {
			m.Size = int64(len(content(i)))
		}
		p.members = append(p.members, m)
	}
	m := cache.Manifest{Members: p.members}
	encoded := m.Encode(h)
	p.dir, p.manifest = m.Entry(h), int64(len(encoded))
	put(remote.ObjectName(p.dir.Digest), encoded)
	if !packed {
		put(remote.ObjectName(p.members[0].Digest), content(0))
		return p
	}
	const each = 25_000
	for begin := 0; begin < n; begin += each {
		var body []byte
		var entries [][]byte
		for i := begin; i < min(n, begin+each); i++ {
			e := slices.Clone(p.members[i].Digest.Sum())
			e = binary.LittleEndian.AppendUint64(e, uint64(len(body)))
			entries = append(entries, binary.LittleEndian.AppendUint32(e, uint32(len(content(i)))))
			body = append(body, content(i)...)
		}
		slices.SortFunc(entries, func(a, b []byte) int { return slices.Compare(a[:32], b[:32]) })
		index := append([]byte("flowpack"), 1, 0, 0, 0, 0, 0, 0, 0)
		index = binary.LittleEndian.AppendUint64(index, uint64(len(entries)))
		index = binary.LittleEndian.AppendUint64(index, uint64(len(body)))
		for _, e := range entries {
			index = append(index, e...)
		}
		sum := blake3.Sum256(index)
		name := "packs/blake3/" + hex.EncodeToString(sum[:])
		put(name+".pack", body)
		put(name+".index", index)
		p.packs++
		p.indexes += int64(len(index))
	}
	return p
}

// TestSmallTargetOfALargeProject fetches one file of a project of 100,000
// objects, and counts what the server is asked: that must not grow with the
// project, but for its manifest and the indexes of its packs, which are read once.
func TestSmallTargetOfALargeProject(t *testing.T) {
	const n = 100_000
	server := remotetest.StartS3(t)
	for _, c := range []struct {
		name   string
		hash   *cache.Hash
		packed bool
	}{
		{"DVC's format", cache.MD5, false},
		{"native", cache.BLAKE3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy := remotetest.StartProxy(t, server.Endpoint)
			settings := server.Settings()
			settings["endpointurl"] = proxy.URL
			s := open(t, "s3://"+remotetest.Bucket+"/"+c.hash.Name, settings)
			p := newLargeProject(t, s, c.hash, n, c.packed)

			var mu sync.Mutex
			var asked []string
			proxy.Inject(func(r *http.Request) remotetest.Fault {
				mu.Lock()
				defer mu.Unlock()
				what := r.Method
				switch {
				case r.URL.Query().Has("list-type"):
					what = "list"
				case strings.HasSuffix(r.URL.Path, ".index"):
					what = "index"
				case r.Header.Get("Range") != "":
					what = r.Header.Get("Range")
				}
				asked = append(asked, what)
				return nil
			})
			metrics := new(remote.Metrics)
			tr := &remote.Transfer{Remote: remote.Observe(s, metrics.Add), Cache: remotetest.Cache(t, c.hash), Jobs: 8}
			if c.packed {
				tr.Packs = &remote.Packs{Dir: t.TempDir()}
			}
			fetch := func(i, want int, most int64, text string) {
				t.Helper()
				asked = nil
				before := metrics.Counts()["get"].Bytes
				res, err := tr.Fetch(t.Context(), []remote.Item{{Entry: p.dir, Within: p.members[i].Path}})
				if err != nil || len(res.Missing) > 0 || !tr.Cache.Has(p.members[i].Digest) {
					t.Fatalf("%+v, %v", res, err)
				}
				if len(asked) != want {
					t.Errorf("%s: %d requests, want %d: %v", text, len(asked), want, asked)
				}
				if n := metrics.Counts()["get"].Bytes - before; n > most {
					t.Errorf("%s: %d bytes, want at most %d", text, n, most)
				}
			}
			size := int64(len(content(0)))
			if !c.packed {
				// The manifest and the object.
				fetch(0, 2, p.manifest+size, "the first")
				return
			}
			// Besides the listing of packs and their indexes.
			fetch(0, 2+1+p.packs, p.manifest+size+p.indexes, "the first")
			// The manifest is in the cache, the indexes are kept.
			fetch(77_777, 2, int64(len(content(77_777))), "another")
		})
	}
}
