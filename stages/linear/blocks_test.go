package linear

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/flowrepro/flow/stages/features"
)

// memoryBlocks cuts a matrix into blocks of a number of rows.
type memoryBlocks struct {
	x    *features.CSR
	y    []int
	size int
	// broken is a block that cannot be read, if not 0.
	broken int
}

func (m *memoryBlocks) Len() int  { return (m.x.Rows + m.size - 1) / m.size }
func (m *memoryBlocks) Rows() int { return m.x.Rows }
func (m *memoryBlocks) Cols() int { return m.x.Cols }

func (m *memoryBlocks) Read(i int) (*features.CSR, []int, error) {
	if m.broken > 0 && i == m.broken {
		return nil, nil, errors.New("bad sector")
	}
	var rows []int
	for r := i * m.size; r < min(m.x.Rows, (i+1)*m.size); r++ {
		rows = append(rows, r)
	}
	return SelectRows(m.x, rows), pick(m.y, rows), nil
}

func TestBlocksFindTheSameMinimum(t *testing.T) {
	x, y := sample(fewer(1500), fewer(300), 10)
	for k, v := range x.Data {
		x.Data[k] = math.Abs(v) / 3
	}
	for _, nb := range []*NaiveBayes{nil, {Alpha: 1, Beta: 1}} {
		o := DefaultOptions()
		o.Solver, o.Tol, o.MaxIter, o.C, o.NaiveBayes = Liblinear, 1e-7, 5000, 0.5, nb
		o.ClassWeight.Balanced = true
		want, err := Fit(context.Background(), x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Tol = 1e-5
		var last *Result
		for _, size := range []int{100, 1500, 100} {
			r, err := FitBlocks(context.Background(), &memoryBlocks{x: x, y: y, size: size}, o)
			if err != nil {
				t.Fatal(err)
			}
			if w := r.Warning(); w != "" {
				t.Error(w)
			}
			if r.Objective > want.Objective*(1+1e-8) {
				t.Errorf("blocks of %d rows: objective %.9f, want %.9f", size, r.Objective, want.Objective)
			}
			for j, w := range want.Coef {
				if math.Abs(r.Coef[j]-w) > 1e-4*(1+math.Abs(w)) {
					t.Fatalf("blocks of %d rows: coefficient %d: %v, want %v", size, j, r.Coef[j], w)
				}
			}
			if last != nil && size == 100 && r.Intercept != last.Intercept {
				t.Errorf("two fits of the same blocks: intercepts %v and %v", last.Intercept, r.Intercept)
			}
			if size == 100 {
				last = r
			}
		}
	}
}

func TestBlockFaults(t *testing.T) {
	x, y := sample(300, 20, 5)
	o := DefaultOptions()
	o.Solver = Liblinear
	if _, err := FitBlocks(context.Background(), &memoryBlocks{x: x, y: y, size: 50, broken: 3}, o); err == nil || !strings.Contains(err.Error(), "block 3: bad sector") {
		t.Errorf("unreadable block: error %v", err)
	}
	if _, err := FitBlocks(context.Background(), &memoryBlocks{x: x, y: make([]int, 300), size: 50}, o); err == nil || !strings.Contains(err.Error(), "same label") {
		t.Errorf("one label: error %v", err)
	}
	wrong := append([]int(nil), y...)
	wrong[120] = 7
	if _, err := FitBlocks(context.Background(), &memoryBlocks{x: x, y: wrong, size: 50}, o); err == nil || !strings.Contains(err.Error(), "block 2: label 7 of row 20") {
		t.Errorf("label 7: error %v", err)
	}
	o.Solver = LBFGS
	if _, err := FitBlocks(context.Background(), &memoryBlocks{x: x, y: y, size: 50}, o); err == nil || !strings.Contains(err.Error(), "liblinear") {
		t.Errorf("lbfgs: error %v", err)
	}
	o.Solver = Liblinear
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(int) { cancel() }
	if _, err := FitBlocks(ctx, &memoryBlocks{x: x, y: y, size: 50}, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}
