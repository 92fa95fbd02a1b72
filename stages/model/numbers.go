package model

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

const (
	weightsMagic = "FLOWWTS\x01"
	idfMagic     = "FLOWIDF\x01"

	numbersHeader = 16 // magic, count, count of distinct values or 0
)

// weights are the coefficients of a classifier by column, 8 bytes each.
type weights []byte

func buildWeights(coef []float64) ([]byte, error) {
	if int64(len(coef)) > math.MaxUint32 {
		return nil, fmt.Errorf("%d coefficients: too many", len(coef))
	}
	out := make([]byte, numbersHeader, numbersHeader+8*len(coef))
	copy(out, weightsMagic)
	binary.LittleEndian.PutUint32(out[8:], uint32(len(coef)))
	for i, w := range coef {
		if !finite(w) {
			return nil, fmt.Errorf("coefficient %d is %v", i, w)
		}
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(w))
	}
	return out, nil
}

func readWeights(data []byte) (weights, error) {
	switch {
	case len(data) < numbersHeader || string(data[:8]) != weightsMagic:
		return nil, errors.New("weights: not a file of weights of version 1")
	case binary.LittleEndian.Uint32(data[12:]) != 0:
		return nil, errors.New("weights: reserved bytes are not zero")
	case uint64(len(data)-numbersHeader) != 8*uint64(binary.LittleEndian.Uint32(data[8:])):
		return nil, errors.New("weights: the length is not the one given")
	}
	w := weights(data[numbersHeader:])
	return w, checkFinite(w, "coefficient")
}

// checkFinite looks for infinities and what is no number: both have all bits of
// the exponent set.
func checkFinite(data []byte, what string) error {
	return parallel.Blocks(context.Background(), len(data)/8, 1<<18, 0, func(lo, hi int) error {
		carry := uint64(0) // into the sign, when all bits of an exponent are set
		for part := data[8*lo : 8*hi]; len(part) >= 8; part = part[8:] {
			carry |= binary.LittleEndian.Uint64(part)&(0x7ff<<52) + 1<<52
		}
		if carry>>63 != 0 {
			return fmt.Errorf("%s is not finite", what)
		}
		return nil
	})
}

func (w weights) len() int { return len(w) / 8 }

func (w weights) at(col int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(w[8*col:]))
}

// narrow is how many different values 2 bytes can tell apart.
const narrow = 1 << 16

// buildIDF returns the file of inverse document frequencies by column. As they
// depend on a count of texts alone there are few different ones: these come
// first, and then for each column the number of its own, in 2 bytes, or in 4
// when there are more than 65536.
func buildIDF(list []float64) ([]byte, error) {
	if int64(len(list)) > math.MaxUint32 {
		return nil, fmt.Errorf("%d inverse document frequencies: too many", len(list))
	}
	for i, x := range list {
		if !finite(x) {
			return nil, fmt.Errorf("inverse document frequency %d is %v", i, x)
		}
	}
	values := slices.Clone(list)
	slices.Sort(values)
	values = slices.Compact(values)
	number := make(map[float64]uint32, len(values))
	for i, x := range values {
		number[x] = uint32(i)
	}
	out := make([]byte, numbersHeader, numbersHeader+8*len(values)+4*len(list))
	copy(out, idfMagic)
	binary.LittleEndian.PutUint32(out[8:], uint32(len(list)))
	binary.LittleEndian.PutUint32(out[12:], uint32(len(values)))
	for _, x := range values {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	for _, x := range list {
		if len(values) > narrow {
			out = binary.LittleEndian.AppendUint32(out, number[x])
		} else {
			out = binary.LittleEndian.AppendUint16(out, uint16(number[x]))
		}
	}
	return out, nil
}

func readIDF(data []byte) ([]float64, error) {
	if len(data) < numbersHeader || string(data[:8]) != idfMagic {
		return nil, errors.New("inverse document frequencies: not a file of them of version 1")
	}
	n, distinct := int64(binary.LittleEndian.Uint32(data[8:])), int64(binary.LittleEndian.Uint32(data[12:]))
	each := int64(2)
	if distinct > narrow {
		each = 4
	}
	if distinct > n || int64(len(data)) != numbersHeader+8*distinct+each*n {
		return nil, errors.New("inverse document frequencies: the length is not the one given")
	}
	list, columns := data[numbersHeader:][:8*distinct], data[numbersHeader+8*distinct:]
	if err := checkFinite(list, "inverse document frequency"); err != nil {
		return nil, err
	}
	values := make([]float64, distinct)
	for i := range values {
		values[i] = math.Float64frombits(binary.LittleEndian.Uint64(list[8*i:]))
	}
	out := make([]float64, n)
	return out, parallel.Blocks(context.Background(), int(n), 1<<17, 0, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			var number uint32
			if each == 2 {
				number = uint32(binary.LittleEndian.Uint16(columns[2*i:]))
			} else {
				number = binary.LittleEndian.Uint32(columns[4*i:])
			}
			if int64(number) >= distinct {
				return fmt.Errorf("inverse document frequencies: column %d has value %d of %d", i, number, distinct)
			}
			out[i] = values[number]
		}
		return nil
	})
}
