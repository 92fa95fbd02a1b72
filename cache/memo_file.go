package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// The memo file is a header and records of one size, sorted by key:
//
//	"flowmemo" version:1 0:7 count:8 checksum:32  then count times
//	key:16 size:8 mtime:8 ctime:8 inode:8 sum:32 day:4 0:4
//
// Integers are little-endian. The checksum is BLAKE3 over the records. Keys
// are hashes, hence evenly spread, so that interpolation finds one in a step
// or two and nothing needs to be built when the file is opened.
const (
	memoMagic   = "flowmemo\x01\x00\x00\x00\x00\x00\x00\x00"
	memoHeader  = len(memoMagic) + 8 + 32
	memoRecord  = 16 + 4*8 + 32 + 8
	memoMaxSize = 1 << 32 // some 48 million files
)

// memoTable is the records of a memo file.
type memoTable struct{ data []byte }

// readMemo reads the table at path. Whatever is not intact is empty.
func readMemo(path string) *memoTable {
	empty := new(memoTable)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > memoMaxSize {
		return empty
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) < memoHeader || string(data[:len(memoMagic)]) != memoMagic {
		return empty
	}
	count := binary.LittleEndian.Uint64(data[len(memoMagic):])
	body := data[memoHeader:]
	if count > memoMaxSize || uint64(len(body)) != count*memoRecord {
		return empty
	}
	sum := blake3.Sum256(body)
	if !bytes.Equal(sum[:], data[len(memoMagic)+8:memoHeader]) {
		return empty
	}
	return &memoTable{body}
}

func (t *memoTable) len() int { return len(t.data) / memoRecord }

func (t *memoTable) key(i int) []byte { return t.data[i*memoRecord:][:16] }

func (t *memoTable) value(i int) memoValue {
	b := t.data[i*memoRecord+16:]
	le := binary.LittleEndian
	v := memoValue{
		info: FileInfoKey{
			Size: int64(le.Uint64(b)), MTime: int64(le.Uint64(b[8:])),
			CTime: int64(le.Uint64(b[16:])), Inode: le.Uint64(b[24:]),
		},
		day: le.Uint32(b[64:]),
	}
	copy(v.sum[:], b[32:64])
	return v
}

func appendMemo(buf []byte, k []byte, v memoValue) []byte {
	le := binary.LittleEndian
	buf = append(buf, k...)
	buf = le.AppendUint64(buf, uint64(v.info.Size))
	buf = le.AppendUint64(buf, uint64(v.info.MTime))
	buf = le.AppendUint64(buf, uint64(v.info.CTime))
	buf = le.AppendUint64(buf, v.info.Inode)
	buf = append(buf, v.sum[:]...)
	buf = le.AppendUint32(buf, v.day)
	return le.AppendUint32(buf, 0)
}

// find looks a key up: interpolation on its first 64 bits while that narrows
// well, then bisection.
func (t *memoTable) find(k memoKey) (memoValue, bool) {
	lo, hi := 0, t.len() // the key is in [lo, hi) if anywhere
	want := binary.BigEndian.Uint64(k[:])
	for step := 0; lo < hi; step++ {
		mid := lo + (hi-lo)/2
		if step < 4 && hi-lo > 8 {
			first := binary.BigEndian.Uint64(t.key(lo))
			last := binary.BigEndian.Uint64(t.key(hi - 1))
			if want < first || want > last {
				return memoValue{}, false
			}
			if last > first {
				f := float64(want-first) / float64(last-first)
				mid = min(hi-1, lo+int(f*float64(hi-1-lo)))
			}
		}
		switch c := bytes.Compare(t.key(mid), k[:]); {
		case c == 0:
			return t.value(mid), true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return memoValue{}, false
}

// merge returns a table of t's entries and the fresh ones, which win, without
// those that were not used for memoLife days.
func (t *memoTable) merge(fresh map[memoKey]memoValue, used map[memoKey]struct{}, today uint32) *memoTable {
	keys := make([]memoKey, 0, len(fresh))
	for k := range fresh {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b memoKey) int { return bytes.Compare(a[:], b[:]) })
	out := make([]byte, 0, len(t.data)+len(keys)*memoRecord)
	old := func(i int) {
		v := t.value(i)
		if _, ok := used[memoKey(t.key(i))]; ok {
			v.day = today
		}
		if v.day+memoLife >= today {
			out = appendMemo(out, t.key(i), v)
		}
	}
	i, n := 0, t.len()
	for _, k := range keys {
		for ; i < n && bytes.Compare(t.key(i), k[:]) < 0; i++ {
			old(i)
		}
		if i < n && bytes.Equal(t.key(i), k[:]) {
			i++
		}
		out = appendMemo(out, k[:], fresh[k])
	}
	for ; i < n; i++ {
		old(i)
	}
	return &memoTable{out}
}

// writeMemo replaces the file at path.
func writeMemo(path string, t *memoTable) error {
	sum := blake3.Sum256(t.data)
	head := append(make([]byte, 0, memoHeader), memoMagic...)
	head = binary.LittleEndian.AppendUint64(head, uint64(t.len()))
	head = append(head, sum[:]...)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("save memo: %w", err)
	}
	err := atomicfile.Create(path, 0o600, func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		_, err := w.Write(t.data)
		return err
	})
	if err != nil {
		return fmt.Errorf("save memo: %w", err)
	}
	return nil
}
