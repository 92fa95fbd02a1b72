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
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/report"
	"github.com/flowrepro/flow/stages/score"
	"github.com/flowrepro/flow/stages/text"
)

// excerptWords bounds the excerpts of mistakes.
const excerptWords = 70

// slice measures parts of the rows, if the raw reviews are there.
func (e *evaluator) slice(ctx context.Context) error {
	if e.raw == "" {
		return nil
	}
	path := filepath.Join(e.raw, testFile)
	rows, _, err := readReviews(ctx, e.call, path)
	if err != nil {
		return err
	}
	if len(rows) != e.sample.Len() {
		return fmt.Errorf("%s has %d reviews, %s has %d rows", testFile, len(rows), testMatrix, e.sample.Len())
	}
	e.reviews = dataset.Reviews(rows)
	lengths := make([]int, len(rows))
	for i, r := range e.reviews {
		lengths[i] = len(strings.Fields(r))
	}
	edges := e.params.LengthEdges
	if len(edges) == 0 {
		edges = score.QuantileEdges(lengths, e.params.LengthSlices)
	}
	groups, names, err := score.GroupsByEdges(lengths, edges)
	if err != nil {
		return fmt.Errorf("slices by length: %w", err)
	}
	if e.found.Slices, err = score.BySlice(e.sample, e.params.Threshold, "words", groups, names); err != nil {
		return err
	}
	for _, column := range e.params.SliceColumns {
		values, err := readColumn(path, column)
		if err != nil {
			return err
		}
		if len(values) != len(rows) {
			return fmt.Errorf("column %q has %d values for %d reviews", column, len(values), len(rows))
		}
		if groups, names, err = score.GroupsOf(values); err != nil {
			return fmt.Errorf("slices by column %q: %w", column, err)
		}
		list, err := score.BySlice(e.sample, e.params.Threshold, column, groups, names)
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
		Title: "Evaluation of the sentiment model", Classes: e.classifier.Classes, Metrics: e.metrics,
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
		name, raw, matrix string
		labels            []int
	}{{"Training", trainFile, trainMatrix, trainClasses}, {"Test", testFile, testMatrix, e.sample.Labels}} {
		s := report.Dataset{Name: part.name, Rows: len(part.labels)}
		for _, l := range part.labels {
			s.ByName[l]++
		}
		file := filepath.Join(e.processed, part.matrix)
		if e.raw != "" {
			file = filepath.Join(e.raw, part.raw)
		}
		if s.Digest, err = digest(file); err != nil {
			return d, err
		}
		d.Datasets = append(d.Datasets, s)
	}
	for _, p := range e.call.Params.All() {
		d.Params = append(d.Params, report.Param{Key: p.Key, Value: python.Str(p.Value)})
	}
	if e.vectorizer == "" {
		return d, ctx.Err()
	}
	v, err := model.OpenVectorizer(e.vectorizer)
	if err != nil {
		return d, err
	}
	if have, want := len(v.Terms.Terms()), len(e.classifier.Coef); have != want || train.Cols != want {
		return d, fmt.Errorf("%d terms and %d columns for %d coefficients", have, train.Cols, want)
	}
	d.Words = telling(v.Terms.Terms(), e.classifier.Coef, train, e.params.Words)
	d.Mistakes, err = e.mistakes(v)
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

// telling returns the terms with the smallest and the largest weights, with
// the number of training texts that have them.
func telling(terms []string, coef []float64, train *features.CSR, most int) [2][]report.Word {
	documents := make([]int, train.Cols)
	for _, c := range train.Indices {
		documents[c]++
	}
	order := make([]int, len(coef))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(coef[a], coef[b]) })
	var words [2][]report.Word
	add := func(label, i int) {
		words[label] = append(words[label], report.Word{Term: terms[i], Weight: coef[i], Documents: documents[i]})
	}
	for k := range min(most, len(order)) {
		if i := order[k]; coef[i] < 0 {
			add(0, i)
		}
		if i := order[len(order)-1-k]; coef[i] > 0 {
			add(1, i)
		}
	}
	return words
}

// mistakes returns the wrong predictions that were the most confident.
func (e *evaluator) mistakes(v *model.Vectorizer) ([]report.Mistake, error) {
	if e.reviews == nil || e.params.Mistakes == 0 {
		return nil, nil
	}
	cleaner, err := text.New(v.Cleaning)
	if err != nil {
		return nil, err
	}
	var wrong []int
	for i, l := range e.sample.Labels {
		if (e.sample.Probabilities[i] > e.params.Threshold) != (l == 1) {
			wrong = append(wrong, i)
		}
	}
	// A decision of the wrong sign is the worse the larger it is.
	slices.SortStableFunc(wrong, func(a, b int) int {
		return cmp.Compare(e.against(b), e.against(a))
	})
	o := report.ExcerptOptions{
		Words: excerptWords, Longest: v.Terms.Config().NgramRange[1],
		Tokens: func(part string) (tokens []string) {
			return strings.Fields(cleaner.Clean(part))
		},
	}
	names := v.Terms.Terms()
	var list []report.Mistake
	for _, i := range wrong[:min(len(wrong), e.params.Mistakes)] {
		weights := map[string]float64{}
		cols, values := e.x.Row(i)
		for k, c := range cols {
			weights[names[c]] = float64(values[k] * e.classifier.Coef[c])
		}
		label := e.sample.Labels[i]
		p := e.sample.Probabilities[i]
		if label == 1 {
			p = 1 - p
		}
		list = append(list, report.Mistake{
			Row: i + 1, Actual: e.classifier.Classes[label], Predicted: e.classifier.Classes[1-label], Probability: p,
			Excerpt: report.Excerpt(e.reviews[i], weights, o),
		})
	}
	return list, nil
}

// against is how far a row's decision is on the side of the other label.
func (e *evaluator) against(i int) float64 {
	if e.sample.Labels[i] == 1 {
		return -e.sample.Decisions[i]
	}
	return e.sample.Decisions[i]
}
