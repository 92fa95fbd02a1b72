package cache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zeebo/blake3"
)

// memoDay is when the memo tests begin.
var memoDay = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func memoAt(path string, days int) *Memo {
	return OpenMemo(path, func() time.Time { return memoDay.AddDate(0, 0, days) })
}

func memoEntry(i int) (string, FileInfoKey, Digest) {
	sum := blake3.Sum256(fmt.Append(nil, i))
	info := FileInfoKey{Size: int64(i), MTime: int64(i)*1e9 + 1, CTime: int64(i)*1e9 + 2, Inode: uint64(i)}
	return fmt.Sprintf("/data/%d", i), info, NewDigest(BLAKE3, sum[:], false)
}

func fillMemo(t *testing.T, m *Memo, lo, hi int) {
	t.Helper()
	for i := lo; i < hi; i++ {
		path, info, d := memoEntry(i)
		m.Add(path, info, d, m.now())
	}
	if err := m.Save(); err != nil {
		t.Fatal(err)
	}
}

func memoHits(m *Memo, lo, hi int) int {
	n := 0
	for i := lo; i < hi; i++ {
		path, info, d := memoEntry(i)
		if got, ok := m.Lookup(BLAKE3, path, info); ok && got == d {
			n++
		} else if ok {
			n = -1 << 30 // wrong is much worse than absent
		}
	}
	return n
}

func TestMemoSavesAndMerges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "memo")
	a, b := memoAt(path, 0), memoAt(path, 0)
	if memoHits(a, 0, 10)+memoHits(b, 0, 10) != 0 {
		t.Fatal("hits in an empty memo")
	}
	fillMemo(t, a, 0, 600)
	fillMemo(t, b, 400, 1000)
	if n := memoHits(memoAt(path, 0), 0, 1100); n != 1000 {
		t.Errorf("%d entries, want 1000", n)
	}
	if n := memoHits(b, 0, 1100); n != 1000 {
		t.Errorf("%d entries after saving, want 1000", n)
	}
	if _, ok := a.Lookup(MD5, "/data/1", FileInfoKey{}); ok {
		t.Error("a hit for another algorithm")
	}
	p, info, _ := memoEntry(5)
	for _, other := range []FileInfoKey{
		{info.Size + 1, info.MTime, info.CTime, info.Inode},
		{info.Size, info.MTime + 1, info.CTime, info.Inode},
		{info.Size, info.MTime, info.CTime + 1, info.Inode},
		{info.Size, info.MTime, info.CTime, info.Inode + 1},
	} {
		if _, ok := a.Lookup(BLAKE3, p, other); ok {
			t.Errorf("a hit for %+v, recorded %+v", other, info)
		}
	}
}

func TestMemoKeepsSeveralAlgorithms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memo")
	m := memoAt(path, 0)
	info := FileInfoKey{Size: 3, MTime: 1, CTime: 1}
	want := make(map[*Hash]Digest)
	for _, h := range hashes {
		want[h] = digestOf(h, []byte("abc"), false)
		m.Add("/f", info, want[h], m.now())
	}
	if err := m.Save(); err != nil {
		t.Fatal(err)
	}
	for h, d := range want {
		if got, ok := memoAt(path, 0).Lookup(h, "/f", info); !ok || got != d {
			t.Errorf("%s: %v %v", h.Name, got, ok)
		}
	}
}

func TestMemoRefusesWhatIsTooYoung(t *testing.T) {
	now := memoDay.Add(123456789).UnixNano()
	tests := []struct {
		name  string
		mtime int64
		ctime int64
		want  bool
	}{
		{"long ago", now - 1e12, now - 1e12, true},
		{"just now", now, now, false},
		{"within a tick", now - 5e6, now - 5e6, false},
		{"a few ticks ago", now - 100e6, now - 100e6, true},
		{"future", now + 1e9, now + 1e9, false},
		{"time set back", now - 1e12, now - 5e6, false},
		{"time set forward", now + 1e12, now - 100e6, true},
		{"no change time", now - 100e6, 0, true},
		{"no change time, young", now - 5e6, 0, false},
		{"whole seconds", now - 1e12, now - 1e9 - now%1e9, false},
		{"whole seconds, old", now - 1e12, now - 3e9 - now%1e9, true},
	}
	for _, tt := range tests {
		m := memoAt(filepath.Join(t.TempDir(), "memo"), 0)
		info := FileInfoKey{Size: 1, MTime: tt.mtime, CTime: tt.ctime}
		_, _, d := memoEntry(1)
		m.Add("/f", info, d, time.Unix(0, now))
		if _, ok := m.Lookup(BLAKE3, "/f", info); ok != tt.want {
			t.Errorf("%s: remembered: %v, want %v", tt.name, ok, tt.want)
		}
	}
}

func TestMemoForgetsWhatIsNotUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memo")
	fillMemo(t, memoAt(path, 0), 0, 100)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Soon after, using entries writes nothing.
	m := memoAt(path, 10)
	memoHits(m, 0, 100)
	if err := m.Save(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("written: %v", err)
	}
	// Later, it renews them.
	m = memoAt(path, 100)
	memoHits(m, 0, 40)
	if err := m.Save(); err != nil {
		t.Fatal(err)
	}
	fillMemo(t, memoAt(path, 150), 100, 101)
	if n := memoHits(memoAt(path, 150), 0, 40); n != 40 {
		t.Errorf("%d of the used entries are left, want 40", n)
	}
	if n := memoHits(memoAt(path, 150), 40, 100); n != 0 {
		t.Errorf("%d of the unused entries are left", n)
	}
}

// Whatever happens to the file, a lookup gives the right digest or none.
func TestMemoSurvivesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memo")
	fillMemo(t, memoAt(path, 0), 0, 50)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	damaged := func(name string, data []byte) {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		m := memoAt(path, 0)
		if n := memoHits(m, 0, 50); n != 0 {
			t.Errorf("%s: %d hits", name, n)
		}
		fillMemo(t, m, 0, 7)
		if n := memoHits(memoAt(path, 0), 0, 50); n != 7 {
			t.Errorf("%s: %d hits after saving again", name, n)
		}
	}
	for range 60 {
		data := append([]byte(nil), good...)
		i := r.IntN(len(data))
		data[i] ^= 1 << r.IntN(8)
		damaged(fmt.Sprintf("bit in byte %d", i), data)
	}
	for _, n := range []int{0, 1, len(memoMagic), memoHeader - 1, memoHeader, memoHeader + memoRecord, len(good) - 1} {
		damaged(fmt.Sprintf("cut to %d", n), good[:n])
	}
	damaged("longer", append(append([]byte(nil), good...), 0))
	huge := append([]byte(nil), good...)
	binary.LittleEndian.PutUint64(huge[len(memoMagic):], 1<<63)
	damaged("huge count", huge)
	damaged("text", []byte("not a memo at all\n"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	m := memoAt(path, 0)
	if n := memoHits(m, 0, 50); n != 0 {
		t.Errorf("a directory: %d hits", n)
	}
	p, info, d := memoEntry(1)
	m.Add(p, info, d, m.now())
	if err := m.Save(); err == nil {
		t.Error("saved over a directory")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), TempPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Keys that are anything but evenly spread are found as well.
func TestMemoFindsSkewedKeys(t *testing.T) {
	fresh := make(map[memoKey]memoValue)
	var keys []memoKey
	for i := range 300 {
		var k memoKey
		switch i % 3 {
		case 0:
			binary.BigEndian.PutUint32(k[12:], uint32(i)) // differ in the last bytes
		case 1:
			binary.BigEndian.PutUint64(k[:], uint64(i)) // crowded at the start
		default:
			binary.BigEndian.PutUint64(k[:], ^uint64(i*i))
		}
		keys = append(keys, k)
		fresh[k] = memoValue{info: FileInfoKey{Size: int64(i)}, day: 1}
	}
	table := new(memoTable).merge(fresh, nil, 1)
	for _, k := range keys {
		if v, ok := table.find(k); !ok || v != fresh[k] {
			t.Errorf("key %x: %v %v", k, v, ok)
		}
		k[15] ^= 0x80
		if _, ok := table.find(k); ok {
			t.Errorf("key %x found", k)
		}
	}
}

func TestNilMemo(t *testing.T) {
	var m *Memo
	m.Add("/f", FileInfoKey{}, Digest{}, time.Now())
	if _, ok := m.Lookup(MD5, "/f", FileInfoKey{}); ok {
		t.Error("a hit")
	}
	if err := m.Save(); err != nil {
		t.Error(err)
	}
}
