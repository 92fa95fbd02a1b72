//go:build !amd64

package linear

// ahead are the values that are needed next, which matters on amd64 alone.
type ahead struct {
	at   []int32
	vals []float64
}

// dotSparse is the product of a sparse and a dense vector.
func dotSparse(at []int32, vals, w []float64) float64 { return dotGo(at, vals, w) }

// dotAhead is dotSparse with what comes next.
func dotAhead(at []int32, vals, w []float64, _ ahead) float64 { return dotGo(at, vals, w) }

// addSparse adds f times a sparse vector to a dense one.
func addSparse(f float64, at []int32, vals, w []float64) { addGo(f, at, vals, w) }

// bentSparse is the product of a sparse vector with what is bent of the rows.
func bentSparse(at []int32, vals []float64, rows []rowState) float64 { return bentGo(at, vals, rows) }

// bendSparse adds to what is bent of the rows when the step changes by delta
// in the direction of a sparse vector.
func bendSparse(delta float64, at []int32, vals []float64, rows []rowState, _ ahead) {
	bendGo(delta, at, vals, rows)
}
