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
		Name           string
		Config         json.RawMessage
		Terms          []string
		IDF            []float64
		Fit, Transform [][][2]float64
	}
	Ties []struct {
		Docs   []string
		Limits []int
		Terms  [][]string
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
			config, err := ReadUnionConfig(c.Config)
			if err != nil {
				t.Fatal(err)
			}
			u, m, err := FitUnion(context.Background(), config, f.Docs, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Terms) > 0 {
				terms := make([]string, u.Cols())
				for i := range terms {
					_, terms[i] = u.Feature(int32(i))
				}
				if diff := cmp.Diff(c.Terms, terms); diff != "" {
					t.Fatalf("terms (-want +got):\n%s", diff)
				}
			}
			for i, want := range c.IDF {
				if got := u.Parts()[0].IDF()[i]; ulps(got, want) > 1 {
					t.Errorf("IDF of %q: %v, want %v", c.Terms[i], got, want)
				}
			}
			sameRows(t, "fit", m, c.Fit, 16)
			again, err := u.Transform(context.Background(), f.Docs, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, again); diff != "" {
				t.Errorf("transforming the texts of the fit (-fit +transform):\n%s", diff)
			}
			if m, err = u.Transform(context.Background(), f.More, 1, nil); err != nil {
				t.Fatal(err)
			}
			sameRows(t, "transform", m, c.Transform, 4)
		})
	}
}

func TestMaxFeaturesCutsTiesAsSklearn(t *testing.T) {
	for _, c := range readSklearn(t).Ties {
		for i, limit := range c.Limits {
			config := DefaultConfig()
			config.MaxFeatures = limit
			v, _, err := Fit(context.Background(), config, c.Docs, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Terms[i], v.Terms()); diff != "" {
				t.Errorf("%d of the terms (-want +got):\n%s", limit, diff)
			}
		}
	}
}

// sameRows compares with a tolerance of some units in the last place. The
// logarithms of two libraries may differ by one; and when it fits, scikit-learn
// adds up the squares of a row in the order in which it met the terms.
func sameRows(t *testing.T, what string, m *CSR, want [][][2]float64, tolerance uint64) {
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
			if float64(cols[k]) != c[0] || ulps(vals[k], c[1]) > tolerance {
				t.Errorf("%s: row %d: %d: %v, want %v", what, i, cols[k], vals[k], c)
			}
		}
	}
}

// ulps is the distance of two numbers of the same sign in units in the last
// place.
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
		sameRows(t, name, m, want, 0)
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
