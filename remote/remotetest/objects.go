package remotetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/remote"
)

// Cache returns an empty cache.
func Cache(tb testing.TB, h *cache.Hash) *cache.Store {
	tb.Helper()
	s, err := cache.Open(cache.Options{Dir: filepath.Join(tb.TempDir(), "cache"), Hash: h})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Fill puts a directory of n small files and a single file of each of the sizes
// into a cache, and returns them as items. Content follows from the seed.
func Fill(tb testing.TB, s *cache.Store, seed uint64, n int, sizes ...int) []remote.Item {
	tb.Helper()
	dir := tb.TempDir()
	random := rand.New(rand.NewPCG(seed, 1))
	data := filepath.Join(dir, "data")
	for i := range n {
		name := filepath.Join(data, fmt.Sprintf("%02d", i%7), fmt.Sprintf("f%d", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(name, fmt.Appendf(nil, "%d %d %d", seed, i, random.Uint64()), 0o666); err != nil {
			tb.Fatal(err)
		}
	}
	var items []remote.Item
	add := func(path string) {
		sc := cache.Scanner{Hash: s.Hash()}
		e, m, err := sc.Scan(context.Background(), path)
		if err == nil {
			err = s.Save(context.Background(), path, e, m, cache.SaveOptions{})
		}
		if err != nil {
			tb.Fatal(err)
		}
		items = append(items, remote.Item{Entry: e})
	}
	if n > 0 {
		add(data)
	}
	for i, size := range sizes {
		buf := make([]byte, size)
		for k := 0; k+8 <= size; k += 8 {
			v := random.Uint64()
			for j := range 8 {
				buf[k+j] = byte(v >> (8 * j))
			}
		}
		path := filepath.Join(dir, fmt.Sprintf("single%d", i))
		if err := os.WriteFile(path, buf, 0o666); err != nil {
			tb.Fatal(err)
		}
		add(path)
	}
	return items
}

// Digests returns the digests of items and of the members of directories.
func Digests(tb testing.TB, s *cache.Store, items []remote.Item) []cache.Digest {
	tb.Helper()
	var list []cache.Digest
	for _, it := range items {
		list = append(list, it.Entry.Digest)
		if !it.Entry.Digest.IsDir() {
			continue
		}
		m, err := s.Manifest(it.Entry.Digest)
		if err != nil {
			tb.Fatal(err)
		}
		for _, b := range m.Members {
			list = append(list, b.Digest)
		}
	}
	return list
}

// Sound reads every object of a store, in packs or not, and fails when one is not
// what its name says. It returns how many there are.
func Sound(tb testing.TB, s remote.Store, h *cache.Hash) int {
	tb.Helper()
	n := soundPacks(tb, s)
	for info, err := range s.List(context.Background(), "files/") {
		if err != nil {
			tb.Fatal(err)
		}
		d, ok := remote.ParseObjectName(h, info.Name)
		if !ok {
			tb.Errorf("'%s' is no object's name", info.Name)
			continue
		}
		r, err := s.Get(context.Background(), info.Name, remote.Range{})
		if err != nil {
			tb.Fatal(err)
		}
		w := h.New()
		_, err = io.Copy(w, r)
		r.Close()
		if err != nil {
			tb.Fatal(err)
		}
		if got := cache.NewDigest(h, w.Sum(nil), d.IsDir()); got != d {
			tb.Errorf("'%s' holds %s", info.Name, got)
		}
		n++
	}
	return n
}

// soundPacks reads packs by their published form and not by the code under test.
func soundPacks(tb testing.TB, s remote.Store) int {
	tb.Helper()
	read := func(name string) []byte {
		data, err := remote.ReadAll(context.Background(), s, name, 1<<30)
		if err != nil {
			tb.Fatal(err)
		}
		return data
	}
	n := 0
	for info, err := range s.List(context.Background(), "packs/") {
		if err != nil {
			tb.Fatal(err)
		}
		name, ok := strings.CutSuffix(info.Name, ".index")
		if !ok {
			continue
		}
		index, pack := read(info.Name), read(name+".pack")
		if sum := blake3.Sum256(index); "packs/blake3/"+hex.EncodeToString(sum[:]) != name {
			tb.Errorf("'%s' is not what its name says", info.Name)
		}
		count := int(binary.LittleEndian.Uint64(index[16:]))
		if len(index) != 32+44*count || binary.LittleEndian.Uint64(index[24:]) != uint64(len(pack)) {
			tb.Fatalf("'%s' does not hold together", info.Name)
		}
		for i := range count {
			e := index[32+44*i:]
			offset, length := binary.LittleEndian.Uint64(e[32:]), uint64(binary.LittleEndian.Uint32(e[40:]))
			if sum := blake3.Sum256(pack[offset : offset+length]); !bytes.Equal(sum[:], e[:32]) {
				tb.Errorf("'%s.pack' holds %x where it should hold %x", name, sum, e[:32])
			}
		}
		n += count
	}
	return n
}

// SoundCache verifies a cache: what is in it must be what its name says.
func SoundCache(tb testing.TB, s *cache.Store) {
	tb.Helper()
	rep, err := s.Verify(context.Background(), cache.VerifyOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	if len(rep.Corrupt)+len(rep.Unreadable)+rep.BadRecords > 0 {
		tb.Errorf("the cache is damaged: %+v", rep)
	}
}
