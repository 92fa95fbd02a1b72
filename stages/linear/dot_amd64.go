package linear

// fewValues are summed sooner than dotLanes is called.
const fewValues = 12

// dotSparse is the product of a sparse and a dense vector.
func dotSparse(at []int32, vals, w []float64) float64 {
	if len(at) > fewValues {
		if sum, ok := dotLanes(at, vals[:len(at)], w); ok {
			return sum
		}
	}
	return dotGo(at, vals, w) // which panics when an index is out of range
}

// dotLanes is dotGo, to the last bit, with two of its sums in each register.
// It is not ok when an index is out of range.
//
//go:noescape
func dotLanes(at []int32, vals, w []float64) (sum float64, ok bool)
