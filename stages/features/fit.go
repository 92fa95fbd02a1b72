package features

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// Fit learns the vocabulary of texts and returns it with their matrix.
// Workers below 1 means one for each processor; progress, when not nil, is
// told how many more texts are done and is called concurrently.
func Fit(ctx context.Context, c Config, docs []string, workers int, progress func(n int)) (*Vectorizer, *CSR, error) {
	if err := c.Check(); err != nil {
		return nil, nil, err
	}
	if len(docs) == 0 {
		return nil, nil, errors.New("learn vocabulary: no texts")
	}
	low, high := c.MinDF.of(len(docs)), c.MaxDF.of(len(docs))
	if high < low {
		return nil, nil, fmt.Errorf("learn vocabulary: max_df %s is below min_df %s for %d texts", c.MaxDF, c.MinDF, len(docs))
	}
	words, err := tokenize(ctx, c, docs, workers)
	if err != nil {
		return nil, nil, err
	}
	levels, err := countGrams(ctx, c, words, low)
	if err != nil {
		return nil, nil, err
	}
	found := choose(levels, c, low, high)
	if len(found) == 0 {
		if len(words.tokens) == 0 {
			return nil, nil, errors.New("learn vocabulary: the texts have no words")
		}
		return nil, nil, errors.New("learn vocabulary: no term is within min_df and max_df")
	}
	sort.Slice(found, func(i, j int) bool { return found[i].term < found[j].term })
	terms := make([]string, len(found))
	for col, t := range found {
		terms[col] = t.term
		levels[t.level].column[t.id] = int32(col)
	}
	var idf []float64
	if c.Weighting == "tfidf" && c.UseIDF {
		idf = inverse(found, len(docs), c.SmoothIDF)
	}
	v, err := New(c, terms, idf)
	if err != nil {
		return nil, nil, err
	}
	m, err := assemble(ctx, len(docs), len(terms), workers, func(lo, hi int, b *block) {
		var cols []int32
		for d := lo; d < hi; d++ {
			cols = cols[:0]
			from, to := words.starts[d], words.starts[d+1]
			for _, l := range levels {
				if l.column == nil {
					continue
				}
				for _, id := range l.grams[from:to] {
					if id != none && l.column[id] >= 0 {
						cols = append(cols, l.column[id])
					}
				}
			}
			b.indices, b.data = v.weigh(cols, b.indices, b.data)
			b.ends = append(b.ends, len(b.data))
		}
		if progress != nil {
			progress(hi - lo)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return v, m, nil
}

// inverse returns the inverse document frequencies of terms.
func inverse(found []candidate, docs int, smooth bool) []float64 {
	idf := make([]float64, len(found))
	n := float64(docs)
	if smooth {
		n++
	}
	for i, t := range found {
		df := float64(t.df)
		if smooth {
			df++
		}
		idf[i] = portable.Log(n/df) + 1
	}
	return idf
}

// candidate is a term that may enter the vocabulary.
type candidate struct {
	level int
	id    uint32
	df    int
	tf    int
	term  string
}

// choose returns the terms of the vocabulary, in no order, with their text,
// and prepares the column tables of the levels.
func choose(levels []level, c Config, low, high float64) []candidate {
	var all []candidate
	for n := range levels {
		l := &levels[n]
		if n+1 < c.NgramMin {
			continue
		}
		l.column = make([]int32, len(l.df))
		for id, df := range l.df {
			l.column[id] = -1
			if f := float64(df); f < low || f > high {
				continue
			}
			tf := int(l.tf[id])
			if c.Binary {
				tf = int(df)
			}
			all = append(all, candidate{level: n, id: uint32(id), df: int(df), tf: tf})
		}
	}
	if k := c.MaxFeatures; k > 0 && len(all) > k {
		all = mostFrequent(all, k, func(t candidate) string { return spell(levels, t.level, t.id) })
	}
	for i := range all {
		all[i].term = spell(levels, all[i].level, all[i].id)
	}
	return all
}

// mostFrequent keeps k candidates: those above the k-th count, and of those at
// it the first in code-point order.
func mostFrequent(all []candidate, k int, spell func(candidate) string) []candidate {
	counts := make([]int, len(all))
	for i, t := range all {
		counts[i] = t.tf
	}
	slices.Sort(counts)
	limit := counts[len(counts)-k]
	kept := make([]candidate, 0, k)
	var ties []candidate
	for _, t := range all {
		switch {
		case t.tf > limit:
			kept = append(kept, t)
		case t.tf == limit:
			t.term = spell(t)
			ties = append(ties, t)
		}
	}
	sort.Slice(ties, func(i, j int) bool { return ties[i].term < ties[j].term })
	return append(kept, ties[:k-len(kept)]...)
}

// spell returns the text of a term.
func spell(levels []level, n int, id uint32) string {
	if n == 0 {
		return levels[0].words[id]
	}
	pair := levels[n].pairs[id]
	return spell(levels, n-1, uint32(pair>>32)) + " " + levels[0].words[uint32(pair)]
}
