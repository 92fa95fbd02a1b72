package features

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// UnionConfig is the configuration of a [Union]. In JSON it is an array.
type UnionConfig []NamedConfig

// NamedConfig is the configuration of one vectorizer of a union. In JSON the
// name is a key beside the others.
type NamedConfig struct {
	Name string `json:"name"`
	Config
}

// Check reports the first thing that makes no sense.
func (u UnionConfig) Check() error {
	if len(u) == 0 {
		return errors.New("vectorizers: none given")
	}
	seen := map[string]bool{}
	for _, c := range u {
		if c.Name == "" {
			return errors.New("vectorizers: one has no name")
		}
		if seen[c.Name] {
			return fmt.Errorf("vectorizers: two have the name %q", c.Name)
		}
		seen[c.Name] = true
		if err := c.Config.Check(); err != nil {
			return fmt.Errorf("vectorizer %q: %w", c.Name, err)
		}
	}
	return nil
}

// ReadUnionConfig reads a configuration from JSON: an array, or the object of
// one vectorizer, whose name is then "terms" unless it says otherwise. What is
// left out has the values of [DefaultConfig]; an unknown key is an error.
func ReadUnionConfig(data []byte) (UnionConfig, error) {
	u, err := readUnionConfig(data)
	if err == nil {
		err = u.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("read vectorizers: %w", err)
	}
	return u, nil
}

func readUnionConfig(data []byte) (UnionConfig, error) {
	raw := []json.RawMessage{data}
	single := !bytes.HasPrefix(bytes.TrimSpace(data), []byte("["))
	if !single {
		raw = nil // what is decoded must not be written over data
		if err := json.Unmarshal(data, &raw); err != nil {
			return nil, err
		}
	}
	u := make(UnionConfig, 0, len(raw))
	for _, r := range raw {
		c := NamedConfig{Config: DefaultConfig()}
		if single {
			c.Name = "terms"
		}
		d := json.NewDecoder(bytes.NewReader(r))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return nil, err
		}
		if d.More() {
			return nil, errors.New("more after the end of the object")
		}
		u = append(u, c)
	}
	return u, nil
}

// Part is a vectorizer of a union with its name.
type Part struct {
	Name string
	*Vectorizer
}

// Union is several vectorizers over the same texts, their columns side by side
// in their order, as scikit-learn's FeatureUnion has them. It is immutable and
// safe for concurrent use.
type Union struct {
	parts []Part
	first []int // column of each part, and the number of all
}

// NewUnion joins vectorizers. Names are distinct and not empty.
func NewUnion(parts ...Part) (*Union, error) {
	if len(parts) == 0 {
		return nil, errors.New("vectorizers: none given")
	}
	u := &Union{parts: parts, first: make([]int, len(parts)+1)}
	seen := map[string]bool{}
	for i, p := range parts {
		if p.Name == "" || seen[p.Name] || p.Vectorizer == nil {
			return nil, fmt.Errorf("vectorizers: name %q: empty, there twice, or without a vectorizer", p.Name)
		}
		seen[p.Name] = true
		u.first[i+1] = u.first[i] + p.Cols()
	}
	if u.Cols() > math.MaxInt32 {
		return nil, errors.New("vectorizers: too many columns together")
	}
	return u, nil
}

// FitUnion fits each vectorizer and returns them with their joint matrix. The
// arguments are those of [Fit].
func FitUnion(ctx context.Context, c UnionConfig, docs []string, workers int, progress func(n int)) (*Union, *CSR, error) {
	if err := c.Check(); err != nil {
		return nil, nil, err
	}
	parts, matrices := make([]Part, len(c)), make([]*CSR, len(c))
	for i, n := range c {
		// Texts are done when the last vectorizer is.
		report := progress
		if i+1 < len(c) {
			report = nil
		}
		v, m, err := Fit(ctx, n.Config, docs, workers, report)
		if err != nil {
			return nil, nil, fmt.Errorf("vectorizer %q: %w", n.Name, err)
		}
		parts[i], matrices[i] = Part{n.Name, v}, m
	}
	u, err := NewUnion(parts...)
	if err != nil {
		return nil, nil, err
	}
	return u, u.join(matrices), nil
}

// join puts matrices side by side.
func (u *Union) join(matrices []*CSR) *CSR {
	if len(matrices) == 1 {
		return matrices[0]
	}
	nnz := 0
	for _, m := range matrices {
		nnz += m.NNZ()
	}
	rows := matrices[0].Rows
	all := &CSR{
		Rows: rows, Cols: u.Cols(),
		Indptr: make([]int64, 1, rows+1), Indices: make([]int32, 0, nnz), Data: make([]float64, 0, nnz),
	}
	for i := range rows {
		for k, m := range matrices {
			cols, values := m.Row(i)
			for _, c := range cols {
				all.Indices = append(all.Indices, c+int32(u.first[k]))
			}
			all.Data = append(all.Data, values...)
		}
		all.Indptr = append(all.Indptr, int64(len(all.Data)))
	}
	return all
}

// Parts returns the vectorizers. The caller must not change the slice.
func (u *Union) Parts() []Part { return u.parts }

// Config returns the configuration.
func (u *Union) Config() UnionConfig {
	c := make(UnionConfig, len(u.parts))
	for i, p := range u.parts {
		c[i] = NamedConfig{p.Name, p.Config()}
	}
	return c
}

// Cols returns the number of columns.
func (u *Union) Cols() int { return u.first[len(u.parts)] }

// Hashed reports whether a column is of hashed terms.
func (u *Union) Hashed(column int32) bool {
	for i := range u.parts {
		if int(column) < u.first[i+1] {
			return u.parts[i].vocabulary == nil
		}
	}
	return false
}

// Feature returns the name of a column's vectorizer and its term, which is
// empty for hashing. The column is from 0 to Cols()-1.
func (u *Union) Feature(column int32) (part, term string) {
	for i := range u.parts {
		if p := &u.parts[i]; int(column) < u.first[i+1] {
			if p.vocabulary == nil {
				return p.Name, ""
			}
			return p.Name, p.vocabulary.Term(column - int32(u.first[i]))
		}
	}
	return "", ""
}

// Row sets r to the row of a text. It reuses what r has, so that a caller who
// keeps r makes rows without allocating.
func (u *Union) Row(doc string, r *Row) {
	*r = Row{Indices: r.Indices[:0], Data: r.Data[:0]}
	u.appendRow(doc, r)
}

func (u *Union) appendRow(doc string, r *Row) {
	for i := range u.parts {
		start := len(r.Indices)
		u.parts[i].appendRow(doc, r)
		if first := int32(u.first[i]); first > 0 {
			for k := range r.Indices[start:] {
				r.Indices[start+k] += first
			}
		}
	}
}

// Transform returns the matrix of texts. The arguments are those of
// [Vectorizer.Transform].
func (u *Union) Transform(ctx context.Context, docs []string, workers int, progress func(n int)) (*CSR, error) {
	return transform(ctx, docs, u.Cols(), workers, progress, u.appendRow)
}
