package model

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// Statistics describe the texts a model was made for and what it says of them:
// what a server compares the texts it sees with.
type Statistics struct {
	// Rows is the number of texts.
	Rows int `json:"rows"`
	// Score is of the probability of label 1, in ten bins of equal width.
	// ScoreDeciles are the nine values that cut it into ten parts of equal
	// weight, ascending and not always distinct.
	Score        Histogram `json:"score"`
	ScoreDeciles []float64 `json:"score_deciles"`
	// Length is of the size of the raw text in bytes, Tokens of the number of
	// terms, UnknownShare of the share of these that the vocabulary lacks.
	Length       Histogram `json:"length"`
	Tokens       Histogram `json:"tokens"`
	UnknownShare Histogram `json:"unknown_share"`
	// PositiveShare is the share of texts with the predicted label 1,
	// LowConfidence that of probabilities from 0.4 to 0.6.
	PositiveShare float64 `json:"positive_share"`
	LowConfidence float64 `json:"low_confidence"`
}

// Histogram counts values between edges: Counts[i] is of Edges[i-1] <= x <
// Edges[i], the first of what is below all edges, the last of what is not.
type Histogram struct {
	Edges  []float64 `json:"edges"`
	Counts []int64   `json:"counts"`
	Mean   float64   `json:"mean"`
}

// Bin returns the index in Counts of a value.
func (h Histogram) Bin(x float64) int {
	lo, hi := 0, len(h.Edges)
	for lo < hi {
		if mid := (lo + hi) / 2; h.Edges[mid] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

var (
	tenths  = []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
	doubles = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000}
)

func histogram(values, edges []float64) Histogram {
	h := Histogram{Edges: edges, Counts: make([]int64, len(edges)+1)}
	var sum float64
	for _, x := range values {
		h.Counts[h.Bin(x)]++
		sum += x
	}
	if len(values) > 0 {
		h.Mean = sum / float64(len(values))
	}
	return h
}

func (h Histogram) check() error {
	if len(h.Edges) == 0 || len(h.Counts) != len(h.Edges)+1 || !finite(h.Mean) {
		return fmt.Errorf("histogram of %d edges and %d counts", len(h.Edges), len(h.Counts))
	}
	for i, e := range h.Edges {
		if !finite(e) || i > 0 && h.Edges[i-1] >= e {
			return errors.New("histogram: edges do not ascend")
		}
	}
	for _, c := range h.Counts {
		if c < 0 {
			return errors.New("histogram: count below 0")
		}
	}
	return nil
}

func (s *Statistics) check() error {
	for _, h := range []struct {
		name string
		Histogram
	}{{"score", s.Score}, {"length", s.Length}, {"tokens", s.Tokens}, {"unknown_share", s.UnknownShare}} {
		if err := h.check(); err != nil {
			return fmt.Errorf("statistics: %s: %w", h.name, err)
		}
	}
	if s.Rows < 0 || len(s.ScoreDeciles) != 9 || !slices.IsSorted(s.ScoreDeciles) {
		return errors.New("statistics: score_deciles: want nine ascending numbers")
	}
	return nil
}

// Collect predicts texts and returns their statistics. Workers below 1 means
// one for each processor. There must be a text.
func (m *Model) Collect(ctx context.Context, texts []string, workers int) (*Statistics, error) {
	if len(texts) == 0 {
		return nil, errors.New("collect statistics: no texts")
	}
	score := make([]float64, len(texts))
	length, tokens, unknown := slices.Clone(score), slices.Clone(score), slices.Clone(score)
	labels := make([]int, len(texts))
	err := parallel.Blocks(ctx, len(texts), 64, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			p := m.Predict(texts[i])
			score[i], labels[i] = p.Probabilities[1], p.Label
			length[i], tokens[i], unknown[i] = float64(len(texts[i])), float64(p.Tokens), p.UnknownShare()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("collect statistics: %w", err)
	}
	s := &Statistics{
		Rows: len(texts), Score: histogram(score, tenths), Length: histogram(length, doubles),
		Tokens: histogram(tokens, doubles), UnknownShare: histogram(unknown, tenths),
	}
	for i, p := range score {
		s.PositiveShare += float64(labels[i])
		if p >= 0.4 && p <= 0.6 {
			s.LowConfidence++
		}
	}
	s.PositiveShare /= float64(len(texts))
	s.LowConfidence /= float64(len(texts))
	slices.Sort(score)
	for i := 1; i < 10; i++ {
		s.ScoreDeciles = append(s.ScoreDeciles, score[i*len(score)/10])
	}
	return s, nil
}
