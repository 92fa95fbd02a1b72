package builtin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/report"
	"github.com/flowrepro/flow/stages/score"
)

// excerptWords bounds the excerpts of mistakes.
const excerptWords = 70

// slice measures parts of the rows.
func (e *evaluator) slice(ctx context.Context) error {
	path := filepath.Join(e.raw, testFile)
	lengths := make([]int, len(e.reviews))
	err := parallel.Blocks(ctx, len(lengths), 256, 0, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			for range strings.FieldsSeq(e.reviews[i]) {
				lengths[i]++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	edges := e.params.LengthEdges
	if len(edges) == 0 {
		edges = score.QuantileEdges(lengths, e.params.LengthSlices)
	}
	groups, names, err := score.GroupsByEdges(lengths, edges)
	if err != nil {
		return fmt.Errorf("slices by length: %w", err)
	}
	if e.found.Slices, err = score.BySlice(e.sample, e.threshold, "words", groups, names); err != nil {
		return err
	}
	for _, column := range e.params.SliceColumns {
		values, err := readColumn(path, column)
		if err != nil {
			return err
		}
		if len(values) != len(e.reviews) {
			return fmt.Errorf("column %q has %d values for %d reviews", column, len(values), len(e.reviews))
		}
		if groups, names, err = score.GroupsOf(values); err != nil {
			return fmt.Errorf("slices by column %q: %w", column, err)
		}
		list, err := score.BySlice(e.sample, e.threshold, column, groups, names)
		if err != nil {
			return err
		}
		e.found.Slices = append(e.found.Slices, list...)
	}
	return nil
}

// readColumn reads one column of a CSV file.
func readColumn(path, column string) ([]string, error) {
	f, err := os.Open(path) //nolint:gosec // inside the stage's declared dependency
	if err != nil {
		return nil, fmt.Errorf("read column %q: %w", column, err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	r := csv.NewReader(f)
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read column %q: %w", column, err)
	}
	at := slices.Index(head, column)
	if at < 0 {
		return nil, fmt.Errorf("read column %q: %s has the columns %s", column, filepath.Base(path), strings.Join(head, ", "))
	}
	var values []string
	for {
		record, err := r.Read()
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read column %q: %w", column, err)
		}
		values = append(values, strings.Clone(record[at]))
	}
}

// report gathers what the report tells, but for the figures.
func (e *evaluator) report(ctx context.Context) (report.Data, error) {
	d := report.Data{
		Title: "Evaluation of the sentiment model", Classes: e.model.Classes(), Metrics: e.metrics,
		Intervals: e.found.Intervals, Confidence: e.found.Confidence, Resamples: e.found.Resamples,
		Calibration: e.found.Calibration, Slices: e.found.Slices,
	}
	if len(e.metrics.Undefined) > 0 {
		d.Notes = append(d.Notes, "These metrics have no meaning for the evaluated rows: "+strings.Join(e.metrics.Undefined, ", ")+".")
	}
	train, trainClasses, err := readPart(e.processed, trainMatrix, trainLabels)
	if err != nil {
		return d, err
	}
	for _, part := range []struct {
		name, raw string
		labels    []int
	}{{"Training", trainFile, trainClasses}, {"Test", testFile, e.sample.Labels}} {
		s := report.Dataset{Name: part.name, Rows: len(part.labels)}
		for _, l := range part.labels {
			s.ByName[l]++
		}
		if s.Digest, err = e.digest(part.raw); err != nil {
			return d, err
		}
		d.Datasets = append(d.Datasets, s)
	}
	for _, p := range e.call.Params.All() {
		d.Params = append(d.Params, report.Param{Key: p.Key, Value: python.Str(p.Value)})
	}
	d.Words = e.telling(documentFrequencies(train))
	d.Mistakes = e.mistakes()
	return d, ctx.Err()
}

// digest returns the SHA-256 of a file of the raw data, which is read once.
func (e *evaluator) digest(name string) (string, error) {
	if d, ok := e.digests[name]; ok {
		return d, nil
	}
	d, err := digest(filepath.Join(e.raw, name))
	if err == nil {
		e.digests[name] = d
	}
	return d, err
}

func digest(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // inside the stage's declared dependency
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// telling returns the terms that speak most for each class, with the number of
// training texts that have them.
func (e *evaluator) telling(documents []int) [2][]report.Word {
	slope := e.model.Info().Calibration.Slope
	union := e.model.Features().Union
	coef := make([]float64, union.Cols())
	for i := range coef {
		coef[i] = float64(slope * e.model.Coefficient(i))
	}
	var words [2][]report.Word
	low, high := extremes(coef, e.params.Words)
	for l, columns := range [2][]int{low, high} {
		for _, c := range columns {
			_, term := union.Feature(int32(c))
			words[l] = append(words[l], report.Word{Term: term, Weight: coef[c], Documents: documents[c]})
		}
	}
	return words
}

// mistakes returns the wrong predictions that were the most confident.
func (e *evaluator) mistakes() []report.Mistake {
	var wrong []int
	for i, l := range e.sample.Labels {
		if (e.sample.Probabilities[i] > e.threshold) != (l == 1) {
			wrong = append(wrong, i)
		}
	}
	// A decision of the wrong sign is the worse the larger it is.
	slices.SortStableFunc(wrong, func(a, b int) int {
		return cmp.Compare(e.against(b), e.against(a))
	})
	classes := e.model.Classes()
	var list []report.Mistake
	for _, i := range wrong[:min(len(wrong), e.params.Mistakes)] {
		x := e.model.Explain(e.reviews[i], 1)
		parts := make([]report.Part, len(x.Spans))
		for k, s := range x.Spans {
			parts[k] = report.Part{Start: s.Start, End: s.End, Weight: s.Weight}
		}
		label := e.sample.Labels[i]
		list = append(list, report.Mistake{
			Row: i + 1, Actual: classes[label], Predicted: classes[1-label], Probability: x.Probabilities[1-label],
			Excerpt: report.Excerpt(e.reviews[i], parts, excerptWords),
		})
	}
	return list
}

// against is how far a row's decision is on the side of the other label.
func (e *evaluator) against(i int) float64 {
	if e.sample.Labels[i] == 1 {
		return -e.sample.Decisions[i]
	}
	return e.sample.Decisions[i]
}
