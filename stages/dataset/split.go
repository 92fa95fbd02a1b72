package dataset

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// Split divides rows into a training and a test part. Size is the test part:
// a fraction between 0 and 1, or a number of rows from 1 on; a fraction is
// rounded up. Stratify keeps the share of each label in both parts. Both
// parts are in shuffled order. The result depends on the arguments alone, on
// every machine and for good: the generator is PCG-DXSM with 128 bits of state,
// the seed and 0x666c6f77; rows change places from the last to the second, each
// with one drawn at or before it; the first rows in that order are the test
// part, with stratify the first of each label.
func Split(rows []Row, size float64, seed uint64, stratify bool) (train, test []Row, err error) {
	n, err := testRows(len(rows), size)
	if err != nil {
		return nil, nil, err
	}
	// PCG is specified, so that a seed means the same split for good.
	rng := rand.New(rand.NewPCG(seed, 0x666c6f77)) //nolint:gosec // a reproducible split, not a secret
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	shuffle(rng, order)
	inTest := make([]bool, len(rows))
	if stratify {
		if err := chooseStratified(rows, order, n, inTest); err != nil {
			return nil, nil, err
		}
	} else {
		for _, i := range order[:n] {
			inTest[i] = true
		}
	}
	train, test = make([]Row, 0, len(rows)-n), make([]Row, 0, n)
	for _, i := range order {
		if inTest[i] {
			test = append(test, rows[i])
		} else {
			train = append(train, rows[i])
		}
	}
	return train, test, nil
}

// shuffle is Fisher and Yates's, written out because the order in which
// rand.Shuffle draws is not part of its documentation.
func shuffle(rng *rand.Rand, order []int) {
	for i := len(order) - 1; i > 0; i-- {
		j := int(bounded(rng, uint64(i)+1))
		order[i], order[j] = order[j], order[i]
	}
}

// bounded returns an unbiased number below n by rejection.
func bounded(rng *rand.Rand, n uint64) uint64 {
	limit := math.MaxUint64 - math.MaxUint64%n
	for {
		if x := rng.Uint64(); x < limit {
			return x % n
		}
	}
}

// testRows returns how many of n rows a size asks for.
func testRows(n int, size float64) (int, error) {
	var test int
	switch {
	case size > 0 && size < 1:
		test = int(math.Ceil(size * float64(n)))
	case size >= 1 && size == math.Trunc(size) && size < math.MaxInt32:
		test = int(size)
	default:
		return 0, fmt.Errorf("test size %v: want a fraction between 0 and 1 or a number of rows", size)
	}
	if test < 1 || test >= n {
		return 0, fmt.Errorf("test size %v: of %d rows leaves no training or no test rows", size, n)
	}
	return test, nil
}

// chooseStratified gives each label its share of n test rows, the remainders
// going to the labels with the largest.
func chooseStratified(rows []Row, order []int, n int, inTest []bool) error {
	var count, share [2]int
	for _, r := range rows {
		if r.Label != 0 && r.Label != 1 {
			return fmt.Errorf("label %d: want 0 or 1", r.Label)
		}
		count[r.Label]++
	}
	if count[0] < 2 || count[1] < 2 {
		return errors.New("stratified split: want at least two rows of each label")
	}
	type rest struct{ label, rest int }
	rests := make([]rest, 2)
	left := n
	for l := range count {
		share[l] = n * count[l] / len(rows)
		rests[l] = rest{l, n * count[l] % len(rows)}
		left -= share[l]
	}
	sort.SliceStable(rests, func(i, j int) bool { return rests[i].rest > rests[j].rest })
	for _, r := range rests[:left] {
		share[r.label]++
	}
	for _, i := range order {
		if l := rows[i].Label; share[l] > 0 {
			share[l]--
			inTest[i] = true
		}
	}
	return nil
}
