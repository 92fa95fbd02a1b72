package features

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
	"sort"
)

// WriteNPZ writes a matrix as scipy.sparse.save_npz lays it out, without
// compression: the matrix is stored in a cache that has its own ideas on that.
// The bytes depend on the matrix alone.
func WriteNPZ(w io.Writer, m *CSR) error {
	z := zip.NewWriter(w)
	entry := func(name, descr string, shape []int, n, size int, put func(i int, to []byte)) error {
		data := npyHeader(descr, shape...)
		head := len(data)
		data = append(data, make([]byte, n*size)...)
		for i := range n {
			put(i, data[head+i*size:])
		}
		f, err := z.CreateRaw(&zip.FileHeader{
			Name:               name + ".npy",
			Method:             zip.Store,
			CRC32:              crc32.ChecksumIEEE(data),
			CompressedSize64:   uint64(len(data)),
			UncompressedSize64: uint64(len(data)),
			ModifiedDate:       1<<5 | 1, //nolint:staticcheck // CreateRaw takes no other; 1980-01-01, the first day a zip can name
		})
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return err
	}
	put64 := func(x uint64, to []byte) { binary.LittleEndian.PutUint64(to, x) }
	// SciPy wants both index arrays in one type: 32 bits while they suffice.
	index, width := "<i4", 4
	putIndex := func(x int64, to []byte) { binary.LittleEndian.PutUint32(to, uint32(x)) }
	if len(m.Data) > math.MaxInt32 {
		index, width = "<i8", 8
		putIndex = func(x int64, to []byte) { binary.LittleEndian.PutUint64(to, uint64(x)) }
	}
	err := errors.Join(
		entry("indices", index, []int{len(m.Indices)}, len(m.Indices), width, func(i int, to []byte) { putIndex(int64(m.Indices[i]), to) }),
		entry("indptr", index, []int{len(m.Indptr)}, len(m.Indptr), width, func(i int, to []byte) { putIndex(m.Indptr[i], to) }),
		entry("format", "|S3", nil, 1, 3, func(_ int, to []byte) { copy(to, "csr") }),
		entry("shape", "<i8", []int{2}, 2, 8, func(i int, to []byte) { put64(uint64([2]int{m.Rows, m.Cols}[i]), to) }),
		entry("data", "<f8", []int{len(m.Data)}, len(m.Data), 8, func(i int, to []byte) { put64(math.Float64bits(m.Data[i]), to) }),
		z.Close(),
	)
	if err != nil {
		return fmt.Errorf("write matrix: %w", err)
	}
	return nil
}

// maxArray bounds one array of a matrix that is read, in bytes.
const maxArray = 1 << 34

// ReadNPZ reads a matrix in SciPy's CSR layout, compressed or not, and checks
// it. The values are read as float64 whatever their type.
func ReadNPZ(r io.ReaderAt, size int64) (*CSR, error) {
	m, err := readNPZ(r, size)
	if err != nil {
		return nil, fmt.Errorf("read matrix: %w", err)
	}
	return m, nil
}

// OpenNPZ reads a matrix from a file.
func OpenNPZ(path string) (*CSR, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the stage's declared dependency
	if err != nil {
		return nil, fmt.Errorf("read matrix: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read matrix: %w", err)
	}
	m, err := readNPZ(f, fi.Size())
	if err != nil {
		return nil, fmt.Errorf("read matrix %s: %w", path, err)
	}
	return m, nil
}

func readNPZ(r io.ReaderAt, size int64) (*CSR, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	array := func(name string) (*npyArray, error) {
		for _, f := range z.File {
			if f.Name != name+".npy" {
				continue
			}
			a, err := readArray(f, size)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return a, nil
		}
		return nil, fmt.Errorf("no array %s", name)
	}
	format, err := array("format")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(bytes.TrimRight(format.data, "\x00"), []byte("csr")) {
		return nil, fmt.Errorf("format %q, want csr", format.data)
	}
	integers := func(name string) []int64 {
		if err != nil {
			return nil
		}
		var a *npyArray
		if a, err = array(name); err != nil {
			return nil
		}
		var x []int64
		if x, err = a.integers(); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return x
	}
	shape := integers("shape")
	indptr := integers("indptr")
	indices := integers("indices")
	if err != nil {
		return nil, err
	}
	values, err := array("data")
	if err != nil {
		return nil, err
	}
	data, err := values.floats()
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if len(shape) != 2 || shape[0] < 0 || shape[1] < 0 || shape[0] > math.MaxInt32 || shape[1] > math.MaxInt32 {
		return nil, fmt.Errorf("shape %v: want two dimensions of at most %d", shape, math.MaxInt32)
	}
	m := &CSR{Rows: int(shape[0]), Cols: int(shape[1]), Indptr: indptr, Indices: make([]int32, len(indices)), Data: data}
	for i, c := range indices {
		if c < 0 || c >= shape[1] {
			return nil, fmt.Errorf("column %d of %d", c, shape[1])
		}
		m.Indices[i] = int32(c)
	}
	for i, x := range data {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("value %d is %v", i, x)
		}
	}
	if err := m.checkOffsets(); err != nil {
		return nil, err
	}
	// SciPy does not keep the columns of a row in order.
	for i := range m.Rows {
		if cols, values := m.Row(i); !slices.IsSorted(cols) {
			sort.Sort(byColumn{cols, values})
		}
	}
	return m, m.Check()
}

// byColumn sorts a row.
type byColumn struct {
	cols   []int32
	values []float64
}

func (r byColumn) Len() int           { return len(r.cols) }
func (r byColumn) Less(i, j int) bool { return r.cols[i] < r.cols[j] }
func (r byColumn) Swap(i, j int) {
	r.cols[i], r.cols[j] = r.cols[j], r.cols[i]
	r.values[i], r.values[j] = r.values[j], r.values[i]
}

// readArray reads an entry. What the archive says of its size is only
// believed within reason: deflate shrinks by a factor of at most 1032.
func readArray(f *zip.File, archive int64) (*npyArray, error) {
	if f.UncompressedSize64 > maxArray || f.UncompressedSize64/1032 > uint64(archive)+1 {
		return nil, fmt.Errorf("%d bytes: too large", f.UncompressedSize64)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // opened for reading
	data := make([]byte, f.UncompressedSize64)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) { // also verifies the checksum
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.New("longer than the archive says")
		}
		return nil, err
	}
	return parseNpy(data)
}
