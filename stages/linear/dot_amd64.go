package linear

// The products and sums of sparse vectors two values at a time. Their results
// are those of the Go functions to the last bit. Where an index is out of range
// they are not ok, and the Go functions panic.

// fewValues are sooner summed in Go.
const fewValues = 12

// ahead are the values that are needed next: they are asked of the memory
// while others are worked on.
type ahead struct {
	at   []int32
	vals []float64
}

// dotSparse is the product of a sparse and a dense vector.
func dotSparse(at []int32, vals, w []float64) float64 {
	return dotAhead(at, vals, w, ahead{at, vals})
}

// dotAhead is dotSparse with what comes next.
func dotAhead(at []int32, vals, w []float64, next ahead) float64 {
	if len(at) > fewValues && len(next.at) > 0 {
		if sum, ok := dotLanes(at, vals[:len(at)], w, &next.at[0], &next.vals[0]); ok {
			return sum
		}
	}
	return dotGo(at, vals, w)
}

// addSparse adds f times a sparse vector to a dense one.
func addSparse(f float64, at []int32, vals, w []float64) {
	if len(at) <= fewValues || !addLanes(f, at, vals[:len(at)], w) {
		addGo(f, at, vals, w)
	}
}

// bentSparse is the product of a sparse vector with what is bent of the rows.
func bentSparse(at []int32, vals []float64, rows []rowState) float64 {
	if len(at) > fewValues {
		if sum, ok := bentLanes(at, vals[:len(at)], rows); ok {
			return sum
		}
	}
	return bentGo(at, vals, rows)
}

// bendSparse adds to what is bent of the rows when the step changes by delta
// in the direction of a sparse vector.
func bendSparse(delta float64, at []int32, vals []float64, rows []rowState, next ahead) {
	if len(at) <= fewValues || len(next.at) == 0 ||
		!bendLanes(delta, at, vals[:len(at)], rows, &next.at[0], &next.vals[0]) {
		bendGo(delta, at, vals, rows)
	}
}

//go:noescape
func dotLanes(at []int32, vals, w []float64, nextAt *int32, nextVals *float64) (sum float64, ok bool)

//go:noescape
func addLanes(f float64, at []int32, vals, w []float64) (ok bool)

//go:noescape
func bentLanes(at []int32, vals []float64, rows []rowState) (sum float64, ok bool)

//go:noescape
func bendLanes(delta float64, at []int32, vals []float64, rows []rowState, nextAt *int32, nextVals *float64) (ok bool)
