package score

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Slice has the metrics of a part of the rows.
type Slice struct {
	// Column is what the rows were parted by, Value what they have in common.
	Column string `json:"column"`
	Value  string `json:"value"`
	// AccuracyLow and AccuracyHigh are Wilson's interval (1927) for 95 %.
	AccuracyLow  float64 `json:"accuracy_low"`
	AccuracyHigh float64 `json:"accuracy_high"`
	Metrics      Metrics `json:"metrics"`
}

// maxSlices bounds the values of a column: more are identifiers, not groups.
const maxSlices = 100

// BySlice measures each group of rows. Groups has the number of each row's
// group in names, below 0 for rows of none. Groups without rows are left out.
func BySlice(s Sample, threshold float64, column string, groups []int, names []string) ([]Slice, error) {
	if len(groups) != s.Len() {
		return nil, fmt.Errorf("slice by %s: %d values for %d rows", column, len(groups), s.Len())
	}
	rows := make([][]int, len(names))
	for i, g := range groups {
		if g >= len(names) {
			return nil, fmt.Errorf("slice by %s: row %d is in group %d of %d", column, i, g, len(names))
		}
		if g >= 0 {
			rows[g] = append(rows[g], i)
		}
	}
	var list []Slice
	for g, name := range names {
		if len(rows[g]) == 0 {
			continue
		}
		m, err := Measure(s.Rows(rows[g]), threshold)
		if err != nil {
			return nil, fmt.Errorf("slice by %s: %s: %w", column, name, err)
		}
		low, high := wilson(m.Accuracy, float64(m.Rows))
		list = append(list, Slice{Column: column, Value: name, AccuracyLow: low, AccuracyHigh: high, Metrics: m})
	}
	return list, nil
}

// wilson is the 95 % interval of a share of n.
func wilson(share, n float64) (low, high float64) {
	const z = 1.959963984540054
	center := share + float64(z*z)/(2*n)
	half := float64(z * math.Sqrt(float64(share*(1-share))/n+float64(z*z)/(4*float64(n*n))))
	scale := 1 + float64(z*z)/n
	return max(0, (center-half)/scale), min(1, (center+half)/scale)
}

// GroupsOf numbers the distinct values of a column in sorted order. More than
// a hundred values are an error.
func GroupsOf(values []string) (groups []int, names []string, err error) {
	number := map[string]int{}
	for _, v := range values {
		number[v] = 0
	}
	if len(number) > maxSlices {
		return nil, nil, fmt.Errorf("%d distinct values: want at most %d", len(number), maxSlices)
	}
	for v := range number {
		names = append(names, v)
	}
	slices.Sort(names)
	for i, v := range names {
		number[v] = i
	}
	groups = make([]int, len(values))
	for i, v := range values {
		groups[i] = number[v]
	}
	return groups, names, nil
}

// GroupsByEdges parts numbers at edges, which must rise: below the first, from
// each to below the next, from the last on. Names tell the whole numbers that
// a group may hold.
func GroupsByEdges(values []int, edges []int) (groups []int, names []string, err error) {
	if len(edges) >= maxSlices {
		return nil, nil, fmt.Errorf("%d edges: want less than %d", len(edges), maxSlices)
	}
	for i := 1; i < len(edges); i++ {
		if edges[i] <= edges[i-1] {
			return nil, nil, errors.New("edges must rise")
		}
	}
	if len(edges) == 0 {
		return make([]int, len(values)), []string{"all"}, nil
	}
	for i := range len(edges) + 1 {
		switch i {
		case 0:
			names = append(names, "up to "+strconv.Itoa(edges[0]-1))
		case len(edges):
			names = append(names, "from "+strconv.Itoa(edges[i-1]))
		default:
			names = append(names, strconv.Itoa(edges[i-1])+" to "+strconv.Itoa(edges[i]-1))
		}
	}
	groups = make([]int, len(values))
	for i, v := range values {
		at, found := slices.BinarySearch(edges, v)
		if found {
			at++
		}
		groups[i] = at
	}
	return groups, names, nil
}

// QuantileEdges returns edges that part numbers into about equal groups; there
// are fewer than parts-1 of them when many numbers are the same.
func QuantileEdges(values []int, parts int) []int {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	var edges []int
	for k := 1; k < parts; k++ {
		e := sorted[k*len(sorted)/parts]
		if e > sorted[0] && (len(edges) == 0 || e > edges[len(edges)-1]) {
			edges = append(edges, e)
		}
	}
	return edges
}
