package features

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sklearnFile is what scikit-learn makes of some texts: see
// ../testdata/fixtures.py.
type sklearnFile struct {
	Docs, More []string
	Cases      []struct {
		Name    string
		TFIDF   bool
		Options struct {
			NgramRange  []int       `json:"ngram_range"`
			MinDF       json.Number `json:"min_df"`
			MaxDF       json.Number `json:"max_df"`
			MaxFeatures int         `json:"max_features"`
			Binary      bool
			Lowercase   *bool
			SublinearTF bool  `json:"sublinear_tf"`
			UseIDF      *bool `json:"use_idf"`
			SmoothIDF   *bool `json:"smooth_idf"`
			Norm        any
		}
		Terms          []string
		IDF            []float64
		Fit, Transform [][][2]float64
	}
}

func readSklearn(t *testing.T) *sklearnFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "sklearn.json"))
	if err != nil {
		t.Fatal(err)
	}
	f := new(sklearnFile)
	if err := json.Unmarshal(data, f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestVectorizersAreSklearns(t *testing.T) {
	f := readSklearn(t)
	for _, c := range f.Cases {
		t.Run(c.Name, func(t *testing.T) {
			o := c.Options
			config := DefaultConfig()
			if c.TFIDF {
				config.Weighting = "tfidf"
			}
			if o.NgramRange != nil {
				config.NgramRange = [2]int(o.NgramRange)
			}
			for _, b := range []struct {
				to   *Bound
				from json.Number
			}{{&config.MinDF, o.MinDF}, {&config.MaxDF, o.MaxDF}} {
				if b.from != "" {
					if err := b.to.UnmarshalJSON([]byte(b.from)); err != nil {
						t.Fatal(err)
					}
				}
			}
			config.MaxFeatures, config.Binary, config.SublinearTF = o.MaxFeatures, o.Binary, o.SublinearTF
			set := func(to *bool, from *bool) {
				if from != nil {
					*to = *from
				}
			}
			set(&config.Lowercase, o.Lowercase)
			set(&config.UseIDF, o.UseIDF)
			set(&config.SmoothIDF, o.SmoothIDF)
			switch c.Name {
			case "tfidf rough":
				config.Norm = "l1"
			case "tfidf plain":
				config.Norm = ""
			}
			v, m, err := Fit(context.Background(), config, f.Docs, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Terms, v.Terms()); diff != "" {
				t.Fatalf("terms (-want +got):\n%s", diff)
			}
			for i, want := range c.IDF {
				if got := v.IDF()[i]; ulps(got, want) > 1 {
					t.Errorf("IDF of %q: %v, want %v", v.Terms()[i], got, want)
				}
			}
			sameRows(t, "fit", m, c.Fit)
			again, err := v.Transform(context.Background(), f.Docs, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, again); diff != "" {
				t.Errorf("transforming the texts of the fit (-fit +transform):\n%s", diff)
			}
			if m, err = v.Transform(context.Background(), f.More, 1, nil); err != nil {
				t.Fatal(err)
			}
			sameRows(t, "transform", m, c.Transform)
		})
	}
}

// sameRows compares with a tolerance of a few units in the last place: the
// logarithms of two libraries may differ by one.
func sameRows(t *testing.T, what string, m *CSR, want [][][2]float64) {
	t.Helper()
	if err := m.Check(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if m.Rows != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, m.Rows, len(want))
	}
	for i, row := range want {
		cols, vals := m.Row(i)
		if len(cols) != len(row) {
			t.Errorf("%s: row %d has columns %v, want %v", what, i, cols, row)
			continue
		}
		for k, c := range row {
			if float64(cols[k]) != c[0] || ulps(vals[k], c[1]) > 4 {
				t.Errorf("%s: row %d: %d: %v, want %v", what, i, cols[k], vals[k], c)
			}
		}
	}
}

// ulps is the distance of two positive numbers in units in the last place.
func ulps(a, b float64) uint64 {
	x, y := math.Float64bits(a), math.Float64bits(b)
	return max(x, y) - min(x, y)
}

func TestReadsSciPy(t *testing.T) {
	want := [][][2]float64(nil)
	for _, c := range readSklearn(t).Cases {
		if c.Name == "count" {
			want = c.Fit
		}
	}
	for _, name := range []string{"scipy.npz", "scipy_stored.npz"} {
		m, err := OpenNPZ(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, name, m, want)
	}
}

// What we write is what SciPy writes, but for the zip container: the arrays
// are compared byte by byte.
func TestWritesWhatSciPyWrites(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "scipy_stored.npz"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadNPZ(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteNPZ(&b, m); err != nil {
		t.Fatal(err)
	}
	theirs, ours := entries(t, data), entries(t, b.Bytes())
	// The fixture holds float32 to try the other width.
	delete(theirs, "data.npy")
	delete(ours, "data.npy")
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("(-scipy +flow):\n%s", diff)
	}
}
