package linear

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// Blocks are the rows of a matrix that need not fit into memory, with labels 1
// and 0. Read must return the same rows each time; one block is read while
// another is worked on.
type Blocks interface {
	// Len is the number of blocks.
	Len() int
	// Rows is the number of rows of all blocks.
	Rows() int
	// Cols is the number of columns of each.
	Cols() int
	// Read returns block i.
	Read(i int) (*features.CSR, []int, error)
}

// blockSweeps is how often a block's rows are visited before the next block is
// read: reading costs as much as a few visits.
const blockSweeps = 3

// FitBlocks trains on rows that need not fit into memory. It minimizes what
// Fit does for L2 and the solver liblinear, and accepts no other; Dual is
// implied. Each pass over the blocks improves the dual by the rows of one
// block after the other (Yu, Hsieh, Chang and Lin, "Large Linear
// Classification When Data Cannot Fit in Memory", 2010); MaxIter bounds the
// passes. In memory are two blocks, two numbers a row and one or, with
// NaiveBayes, four a column.
func FitBlocks(ctx context.Context, b Blocks, o Options) (*Result, error) {
	if o.Solver != Liblinear || o.Penalty != L2 {
		return nil, fmt.Errorf("fit blocks: %w", optionError("set solver: liblinear and penalty: l2",
			"penalty %s, solver %s: rows out of memory need l2 and liblinear", o.Penalty, o.Solver))
	}
	o.Dual = true
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("fit blocks: %w", err)
	}
	if o.Start != nil {
		return nil, errors.New("fit blocks: cannot start from another result")
	}
	f := &blockFit{blocks: b, o: o, t: &task{o: o, x: &matrix{}}}
	r, err := f.fit(ctx)
	if err != nil {
		return nil, fmt.Errorf("fit blocks: %w", err)
	}
	r.finish(o.NaiveBayes, f.ratio)
	if math.IsNaN(r.Objective) || math.IsInf(r.Objective, 0) {
		return nil, errors.New("fit blocks: diverged; the features are too large")
	}
	return r, nil
}

type blockFit struct {
	blocks Blocks
	o      Options
	t      *task
	ratio  []float64
	// starts are the first rows of the blocks.
	starts []int
}

func (f *blockFit) fit(ctx context.Context) (*Result, error) {
	if err := f.survey(ctx); err != nil {
		return nil, err
	}
	s := newDualState(f.blocks.Cols(), f.o)
	rows := make([]dualRow, f.blocks.Rows())
	order := make([]int32, 0, 1024)
	r := &Result{Bound: f.o.Tol}
	for r.Iterations < f.o.MaxIter && !r.Converged {
		r.Iterations++
		f.t.tick(r.Iterations)
		r.Violation = 0
		err := f.each(ctx, func(k int, x *features.CSR, y []float64) error {
			part := rows[f.starts[k]:f.starts[k+1]]
			if r.Iterations == 1 {
				for i := range part {
					part[i].begin(f.t.cost(y[i]))
				}
				s.join(x, y, part)
			}
			squares := s.squares(x)
			order = order[:0]
			for i := range x.Rows {
				order = append(order, int32(i))
			}
			for n := range blockSweeps {
				violation, err := s.sweep(ctx, x, y, squares, part, order, f.t.costs, nil)
				if err != nil {
					return err
				}
				if n == 0 {
					r.Violation = max(r.Violation, violation)
				}
				if violation <= f.o.Tol {
					break
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		r.Converged = r.Violation <= f.o.Tol
	}
	r.Coef, r.Intercept = s.w, float64(s.v*s.scale)
	var loss float64
	err := f.each(ctx, func(_ int, x *features.CSR, y []float64) error {
		for i := range x.Rows {
			cols, vals := x.Row(i)
			z := r.Intercept + dotSparse(cols, vals, r.Coef)
			loss += float64(f.t.cost(y[i]) * portable.Log1pExp(-y[i]*z))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.Objective = loss + f.t.penalty(r.Coef, r.Intercept)
	return r, nil
}

// survey counts the rows and labels, and learns the ratios of naive Bayes.
func (f *blockFit) survey(ctx context.Context) error {
	var count [2]int
	var totals *counts
	nb := f.o.NaiveBayes
	if nb != nil {
		totals = newCounts(f.blocks.Cols(), nb.Alpha)
	}
	// Blocks are read meanwhile, for which f.starts must not change.
	starts := []int{0}
	err := f.each(ctx, func(k int, x *features.CSR, y []float64) error {
		for _, v := range y {
			if v > 0 {
				count[1]++
			} else {
				count[0]++
			}
		}
		starts = append(starts, starts[k]+x.Rows)
		if totals != nil {
			return totals.add(x, y, nb.Binary)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.starts = starts
	if n := starts[len(starts)-1]; n != f.blocks.Rows() {
		return fmt.Errorf("blocks have %d rows, not %d", n, f.blocks.Rows())
	}
	if count[0] == 0 || count[1] == 0 {
		return errors.New("all rows have the same label")
	}
	if totals != nil {
		f.ratio = totals.ratio()
		f.o.NaiveBayes.power(f.ratio)
	}
	f.t.weigh(count)
	return nil
}

// each calls do for each block in order, with labels ±1, and reads the next
// one meanwhile.
func (f *blockFit) each(ctx context.Context, do func(k int, x *features.CSR, y []float64) error) error {
	type block struct {
		x   *features.CSR
		y   []float64
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	next := make(chan block)
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		for k := range f.blocks.Len() {
			var b block
			b.x, b.y, b.err = f.read(k)
			select {
			case next <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	}()
	for k := range f.blocks.Len() {
		select {
		case b := <-next:
			if b.err != nil {
				return fmt.Errorf("block %d: %w", k, b.err)
			}
			if err := do(k, b.x, b.y); err != nil {
				return fmt.Errorf("block %d: %w", k, err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// read returns a block, checked and scaled by the ratios if they are known.
func (f *blockFit) read(k int) (*features.CSR, []float64, error) {
	x, labels, err := f.blocks.Read(k)
	switch {
	case err != nil:
		return nil, nil, err
	case x.Cols != f.blocks.Cols():
		return nil, nil, fmt.Errorf("%d columns, not %d", x.Cols, f.blocks.Cols())
	case len(labels) != x.Rows:
		return nil, nil, fmt.Errorf("%d labels for %d rows", len(labels), x.Rows)
	case len(f.starts) > k+1 && f.starts[k+1]-f.starts[k] != x.Rows:
		return nil, nil, fmt.Errorf("%d rows, %d before", x.Rows, f.starts[k+1]-f.starts[k])
	}
	y := make([]float64, len(labels))
	for i, l := range labels {
		if l != 0 && l != 1 {
			return nil, nil, fmt.Errorf("label %d of row %d: want 0 or 1", l, i)
		}
		y[i] = float64(2*l - 1)
	}
	if f.ratio != nil {
		x, err = ScaleColumns(x, f.ratio)
	}
	return x, y, err
}
