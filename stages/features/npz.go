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
func WriteNPZ(w io.Writer, m *CSR) error { return writeNPZ(w, m, false) }

// writeNPZ writes the values as float64, or rounded to float32.
func writeNPZ(w io.Writer, m *CSR, single bool) error {
	z := zip.NewWriter(w)
	// SciPy wants both index arrays in one type: 32 bits while they suffice.
	index := "<i4"
	if len(m.Data) > math.MaxInt32 {
		index = "<i8"
	}
	indices := func(i int, to []byte) { binary.LittleEndian.PutUint32(to, uint32(m.Indices[i])) }
	indptr := func(i int, to []byte) { binary.LittleEndian.PutUint32(to, uint32(m.Indptr[i])) }
	if index == "<i8" {
		indices = func(i int, to []byte) { binary.LittleEndian.PutUint64(to, uint64(m.Indices[i])) }
		indptr = func(i int, to []byte) { binary.LittleEndian.PutUint64(to, uint64(m.Indptr[i])) }
	}
	value, values := "<f8", func(i int, to []byte) { binary.LittleEndian.PutUint64(to, math.Float64bits(m.Data[i])) }
	if single {
		value = "<f4"
		values = func(i int, to []byte) { binary.LittleEndian.PutUint32(to, math.Float32bits(float32(m.Data[i]))) }
	}
	shape := [2]int{m.Rows, m.Cols}
	err := errors.Join(
		writeEntry(z, "indices", index, []int{len(m.Indices)}, indices),
		writeEntry(z, "indptr", index, []int{len(m.Indptr)}, indptr),
		writeEntry(z, "format", "|S3", nil, func(_ int, to []byte) { copy(to, "csr") }),
		writeEntry(z, "shape", "<i8", []int{2}, func(i int, to []byte) { binary.LittleEndian.PutUint64(to, uint64(shape[i])) }),
		writeEntry(z, "data", value, []int{len(m.Data)}, values),
		z.Close(),
	)
	if err != nil {
		return fmt.Errorf("write matrix: %w", err)
	}
	return nil
}

// writeEntry writes one array, whose elements put encodes one by one. The
// archive has the size and the checksum before the data, so the array is encoded
// twice, through a small buffer: it may be most of what is in memory.
func writeEntry(z *zip.Writer, name, descr string, shape []int, put func(i int, to []byte)) error {
	a := npyArray{descr: descr, shape: shape}
	width, err := a.itemSize()
	if err != nil {
		return err
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	head := npyHeader(descr, shape...)
	buffer := make([]byte, min(n, 1<<13)*width)
	encode := func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		for lo := 0; lo < n; {
			size := 0
			for ; size < len(buffer) && lo < n; size += width {
				put(lo, buffer[size:])
				lo++
			}
			if _, err := w.Write(buffer[:size]); err != nil {
				return err
			}
		}
		return nil
	}
	sum := crc32.NewIEEE()
	if err := encode(sum); err != nil {
		return err
	}
	size := uint64(len(head) + n*width)
	f, err := z.CreateRaw(&zip.FileHeader{
		Name:               name + ".npy",
		Method:             zip.Store,
		CRC32:              sum.Sum32(),
		CompressedSize64:   size,
		UncompressedSize64: size,
		ModifiedDate:       1<<5 | 1, //nolint:staticcheck // CreateRaw takes no other; 1980-01-01, the first day a zip can name
	})
	if err != nil {
		return err
	}
	return encode(f)
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
	if err != nil {
		return nil, err
	}
	if len(shape) != 2 || shape[0] < 0 || shape[1] < 0 || shape[0] > math.MaxInt32 || shape[1] > math.MaxInt32 {
		return nil, fmt.Errorf("shape %v: want two dimensions of at most %d", shape, math.MaxInt32)
	}
	columns, err := array("indices")
	if err != nil {
		return nil, err
	}
	indices, err := columns.columns(shape[1])
	if err != nil {
		return nil, fmt.Errorf("indices: %w", err)
	}
	values, err := array("data")
	if err != nil {
		return nil, err
	}
	data, err := values.floats()
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	m := &CSR{Rows: int(shape[0]), Cols: int(shape[1]), Indptr: indptr, Indices: indices, Data: data}
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
