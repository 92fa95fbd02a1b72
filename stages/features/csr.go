package features

import (
	"errors"
	"fmt"
)

// CSR is a sparse matrix in compressed rows. Row i has the columns
// Indices[Indptr[i]:Indptr[i+1]], strictly ascending, with the values at the
// same places of Data. A CSR is not changed after it is made, and so safe for
// concurrent use.
type CSR struct {
	Rows, Cols int
	Indptr     []int64
	Indices    []int32
	Data       []float64
}

// NNZ returns the number of stored values.
func (m *CSR) NNZ() int { return len(m.Data) }

// Row returns the columns and values of row i, which the caller must not
// change.
func (m *CSR) Row(i int) ([]int32, []float64) {
	lo, hi := m.Indptr[i], m.Indptr[i+1]
	return m.Indices[lo:hi], m.Data[lo:hi]
}

// Check verifies the invariants of the type. It is for matrices that come
// from outside.
func (m *CSR) Check() error {
	if err := m.checkOffsets(); err != nil {
		return err
	}
	for i := range m.Rows {
		last := int32(-1)
		cols, _ := m.Row(i)
		for _, c := range cols {
			if c <= last || int(c) >= m.Cols {
				return fmt.Errorf("matrix: row %d: column %d out of order or range", i, c)
			}
			last = c
		}
	}
	return nil
}

// checkOffsets verifies that every row can be sliced.
func (m *CSR) checkOffsets() error {
	switch {
	case m.Rows < 0 || m.Cols < 0:
		return errors.New("matrix: negative shape")
	case len(m.Indptr) != m.Rows+1:
		return fmt.Errorf("matrix: %d row offsets for %d rows", len(m.Indptr), m.Rows)
	case len(m.Indices) != len(m.Data):
		return fmt.Errorf("matrix: %d columns and %d values", len(m.Indices), len(m.Data))
	case m.Indptr[0] != 0 || m.Indptr[m.Rows] != int64(len(m.Data)):
		return errors.New("matrix: row offsets do not cover the values")
	}
	for i := range m.Rows {
		if m.Indptr[i] > m.Indptr[i+1] {
			return fmt.Errorf("matrix: row %d: offsets descend", i)
		}
	}
	return nil
}
