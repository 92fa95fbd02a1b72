package selection

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
)

// StratifiedFolds returns the fold, from 0 to k-1, of each row, so that all
// folds have about the same share of each label, 0 or 1. Without shuffling the
// folds are those of scikit-learn's StratifiedKFold; with it they follow from
// the seed, on every machine alike.
func StratifiedFolds(labels []int, k int, seed uint64, shuffle bool) ([]int, error) {
	if k < 2 {
		return nil, fmt.Errorf("folds: %d: want at least 2", k)
	}
	// Labels are numbered by their first row.
	order := map[int]int{}
	var names, count []int
	code := make([]int, len(labels))
	for i, l := range labels {
		c, ok := order[l]
		if !ok {
			c = len(names)
			order[l] = c
			names, count = append(names, l), append(count, 0)
		}
		code[i] = c
		count[c]++
	}
	if len(names) < 2 {
		return nil, fmt.Errorf("folds: all rows have the same label")
	}
	for c, n := range count {
		if n < k {
			return nil, fmt.Errorf("folds: %d rows with label %d for %d folds: each fold needs one", n, names[c], k)
		}
	}
	// Dealing out the sorted labels like cards says how many rows of a label
	// each fold gets.
	share := make([][]int, len(names))
	card := 0
	for c, n := range count {
		share[c] = make([]int, k)
		for range n {
			share[c][card%k]++
			card++
		}
	}
	rng := rand.NewPCG(seed, 0xda3e39cb94b95bdb)
	folds := make([]int, len(labels))
	for c := range names {
		deal := make([]int, 0, count[c])
		for f, n := range share[c] {
			for range n {
				deal = append(deal, f)
			}
		}
		if shuffle {
			for i := len(deal) - 1; i > 0; i-- {
				hi, _ := bits.Mul64(rng.Uint64(), uint64(i+1))
				deal[i], deal[hi] = deal[hi], deal[i]
			}
		}
		for i := range folds {
			if code[i] == c {
				folds[i], deal = deal[0], deal[1:]
			}
		}
	}
	return folds, nil
}
