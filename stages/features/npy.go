package features

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// npyHeader returns the header of an array in NumPy's format 1.0: magic,
// version, length, and a Python dictionary padded so that the data starts at
// a multiple of 64.
func npyHeader(descr string, shape ...int) []byte {
	var dims strings.Builder
	for i, n := range shape {
		if i > 0 {
			dims.WriteString(", ")
		}
		dims.WriteString(strconv.Itoa(n))
	}
	if len(shape) == 1 {
		dims.WriteByte(',')
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims.String())
	const fixed = 10 // magic, version and length
	pad := 63 - (fixed+len(dict))%64
	dict += strings.Repeat(" ", pad) + "\n"
	out := make([]byte, 0, fixed+len(dict))
	out = append(out, "\x93NUMPY\x01\x00"...)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(dict)))
	return append(out, dict...)
}

// WriteLabels writes labels as a one-dimensional int64 array in NumPy's .npy
// format.
func WriteLabels(w io.Writer, labels []int) error {
	out := npyHeader("<i8", len(labels))
	for _, l := range labels {
		out = binary.LittleEndian.AppendUint64(out, uint64(l))
	}
	_, err := w.Write(out)
	return err
}

// ReadLabels reads what WriteLabels writes.
func ReadLabels(r io.Reader) ([]int, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	a, err := parseNpy(data)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	if len(a.shape) != 1 {
		return nil, fmt.Errorf("read labels: %d dimensions, want 1", len(a.shape))
	}
	values, err := a.integers()
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	out := make([]int, len(values))
	for i, x := range values {
		out[i] = int(x)
	}
	return out, nil
}

// npyArray is a parsed array; data holds exactly its elements.
type npyArray struct {
	descr string
	shape []int
	data  []byte
}

// maxHeader bounds the header; NumPy refuses longer ones too.
const maxHeader = 10000

var errNpy = errors.New("not an array in NumPy's format")

// parseNpy parses a whole .npy file. Only C order is accepted.
func parseNpy(data []byte) (*npyArray, error) {
	if len(data) < 10 || !bytes.HasPrefix(data, []byte("\x93NUMPY")) {
		return nil, errNpy
	}
	var n, start int
	switch data[6] {
	case 1:
		n, start = int(binary.LittleEndian.Uint16(data[8:])), 10
	case 2, 3:
		if len(data) < 12 {
			return nil, errNpy
		}
		n64 := binary.LittleEndian.Uint32(data[8:])
		if n64 > maxHeader {
			return nil, errNpy
		}
		n, start = int(n64), 12
	default:
		return nil, fmt.Errorf("array format version %d: unknown", data[6])
	}
	if n > maxHeader || start+n > len(data) {
		return nil, errNpy
	}
	a, err := parseDict(string(data[start : start+n]))
	if err != nil {
		return nil, err
	}
	a.data = data[start+n:]
	size, err := a.itemSize()
	if err != nil {
		return nil, err
	}
	want := size
	for _, d := range a.shape {
		if d != 0 && want > math.MaxInt64/8/d {
			return nil, errors.New("array: shape too large")
		}
		want *= d
	}
	if want != len(a.data) {
		return nil, fmt.Errorf("array: %d bytes of data, want %d", len(a.data), want)
	}
	return a, nil
}

// parseDict reads the header's three entries in any order.
func parseDict(s string) (*npyArray, error) {
	s = strings.TrimRight(s, " \n")
	if !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") {
		return nil, errNpy
	}
	a := new(npyArray)
	var haveDescr, haveOrder, haveShape bool
	s = strings.TrimSpace(s[1 : len(s)-1])
	for s != "" {
		key, rest, ok := strings.Cut(s, ":")
		if !ok {
			return nil, errNpy
		}
		rest = strings.TrimSpace(rest)
		var value string
		if strings.HasPrefix(rest, "(") {
			end := strings.IndexByte(rest, ')')
			if end < 0 {
				return nil, errNpy
			}
			value, rest = rest[1:end], strings.TrimSpace(rest[end+1:])
			if rest != "" {
				if rest[0] != ',' {
					return nil, errNpy
				}
				rest = rest[1:]
			}
		} else {
			value, rest, _ = strings.Cut(rest, ",")
			value = strings.TrimSpace(value)
		}
		switch strings.Trim(strings.TrimSpace(key), `'"`) {
		case "descr":
			a.descr, haveDescr = strings.Trim(value, `'"`), true
		case "fortran_order":
			if value != "False" {
				return nil, errors.New("array: only C order is supported")
			}
			haveOrder = true
		case "shape":
			for _, d := range strings.Split(value, ",") {
				if d = strings.TrimSpace(d); d == "" {
					continue
				}
				n, err := strconv.Atoi(d)
				if err != nil || n < 0 {
					return nil, errNpy
				}
				a.shape = append(a.shape, n)
			}
			haveShape = true
		default:
			return nil, errNpy
		}
		s = strings.TrimSpace(rest)
	}
	if !haveDescr || !haveOrder || !haveShape {
		return nil, errNpy
	}
	return a, nil
}

func (a *npyArray) itemSize() (int, error) {
	switch a.descr {
	case "<i8", "<f8", "<u8":
		return 8, nil
	case "<i4", "<f4":
		return 4, nil
	case "|i1", "|b1":
		return 1, nil
	}
	if n, ok := strings.CutPrefix(a.descr, "|S"); ok {
		if size, err := strconv.Atoi(n); err == nil && size > 0 && size <= 64 {
			return size, nil
		}
	}
	return 0, fmt.Errorf("array: element type %q is not supported", a.descr)
}

func (a *npyArray) integers() ([]int64, error) {
	var out []int64
	switch a.descr {
	case "<i8":
		out = make([]int64, len(a.data)/8)
		for i := range out {
			out[i] = int64(binary.LittleEndian.Uint64(a.data[8*i:]))
		}
	case "<i4":
		out = make([]int64, len(a.data)/4)
		for i := range out {
			out[i] = int64(int32(binary.LittleEndian.Uint32(a.data[4*i:])))
		}
	case "|i1", "|b1":
		out = make([]int64, len(a.data))
		for i := range out {
			out[i] = int64(int8(a.data[i]))
		}
	default:
		return nil, fmt.Errorf("array: element type %q, want integers", a.descr)
	}
	return out, nil
}

// columns returns integers from 0 to below limit.
func (a *npyArray) columns(limit int64) ([]int32, error) {
	if a.descr == "<i4" {
		out := make([]int32, len(a.data)/4)
		for i := range out {
			x := int32(binary.LittleEndian.Uint32(a.data[4*i:]))
			if x < 0 || int64(x) >= limit {
				return nil, fmt.Errorf("column %d of %d", x, limit)
			}
			out[i] = x
		}
		return out, nil
	}
	wide, err := a.integers()
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(wide))
	for i, x := range wide {
		if x < 0 || x >= limit {
			return nil, fmt.Errorf("column %d of %d", x, limit)
		}
		out[i] = int32(x)
	}
	return out, nil
}

func (a *npyArray) floats() ([]float64, error) {
	switch a.descr {
	case "<f8":
		out := make([]float64, len(a.data)/8)
		for i := range out {
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(a.data[8*i:]))
		}
		return out, nil
	case "<f4":
		out := make([]float64, len(a.data)/4)
		for i := range out {
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(a.data[4*i:])))
		}
		return out, nil
	}
	ints, err := a.integers()
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(ints))
	for i, x := range ints {
		out[i] = float64(x)
	}
	return out, nil
}
