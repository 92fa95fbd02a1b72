package selection

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// Setting is the value of a parameter.
type Setting struct {
	Name  string
	Value any
}

// Axis is a parameter with the values to try: a list, or a range to draw from.
type Axis struct {
	Name   string
	Values []any
	Range  *Range
}

// Range is an interval. With Log the logarithm is drawn evenly; with Integer
// the value is rounded down.
type Range struct {
	Low, High    float64
	Log, Integer bool
}

// Grid is a number of parameters. All combinations of their values are points.
type Grid []Axis

// Points returns all combinations, the last parameter changing fastest. A
// range is an error.
func (g Grid) Points() ([][]Setting, error) {
	points := [][]Setting{nil}
	for _, a := range g {
		if a.Range != nil {
			return nil, fmt.Errorf("grid: %s is a range, of which only a random search draws", a.Name)
		}
		if len(a.Values) == 0 {
			return nil, fmt.Errorf("grid: %s has no values", a.Name)
		}
		if len(points)*len(a.Values) > maxPoints {
			return nil, fmt.Errorf("grid: more than %d points", maxPoints)
		}
		next := make([][]Setting, 0, len(points)*len(a.Values))
		for _, p := range points {
			for _, v := range a.Values {
				next = append(next, append(p[:len(p):len(p)], Setting{a.Name, v}))
			}
		}
		points = next
	}
	return points, nil
}

// maxPoints keeps a typing error from filling the memory.
const maxPoints = 100_000

// Draw returns n points drawn at random from the grids, each grid being as
// likely as another, and each value of a list too. Points are not drawn twice
// as long as there are others.
func Draw(grids []Grid, n int, seed uint64) ([][]Setting, error) {
	if len(grids) == 0 || n < 1 || n > maxPoints {
		return nil, fmt.Errorf("random search: %d points from %d grids", n, len(grids))
	}
	for _, g := range grids {
		for _, a := range g {
			if a.Range == nil && len(a.Values) == 0 {
				return nil, fmt.Errorf("random search: %s has no values", a.Name)
			}
			if r := a.Range; r != nil && (!(r.Low <= r.High) || math.IsInf(r.High, 1) || r.Log && !(r.Low > 0)) {
				return nil, fmt.Errorf("random search: %s: bad range from %v to %v", a.Name, r.Low, r.High)
			}
		}
	}
	rng := rand.NewPCG(seed, 0x853c49e6748fea9b)
	below := func(n int) int {
		hi, _ := bits.Mul64(rng.Uint64(), uint64(n))
		return int(hi)
	}
	var points [][]Setting
	seen := map[string]bool{}
	// When everything has been drawn, drawing again finds nothing new.
	for misses := 0; len(points) < n && misses < 1000; {
		g := grids[below(len(grids))]
		point := make([]Setting, 0, len(g))
		for _, a := range g {
			s := Setting{Name: a.Name}
			if a.Range == nil {
				s.Value = a.Values[below(len(a.Values))]
			} else {
				s.Value = a.Range.at(float64(rng.Uint64()>>11) / (1 << 53))
			}
			point = append(point, s)
		}
		if key := Label(point); !seen[key] {
			seen[key] = true
			points = append(points, point)
			misses = 0
		} else {
			misses++
		}
	}
	return points, nil
}

// at returns the value at a part of the range.
func (r *Range) at(u float64) any {
	var v float64
	if r.Log {
		lo, hi := portable.Log(r.Low), portable.Log(r.High)
		v = portable.Exp(lo + float64(u*(hi-lo)))
	} else {
		v = r.Low + float64(u*(r.High-r.Low))
	}
	v = min(max(v, r.Low), r.High)
	if r.Integer {
		return int64(math.Floor(v))
	}
	return v
}
